"""Names asked again: what is new, what stays, and where nobody answers."""

import contextlib
import socket
import tempfile
import threading
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dns.rcode
import dns.reversename
import dns.rrset
import pytest

from correlate.dataset import Dataset, write_json
from lab.bench.kinds import open_kind
from lab.clocks import deadlines
from lab.clocks.stop import Stop
from lab.commands import resolve
from lab.definitions import Lab
from lab.errors import BenchBusy
from lab.run.options import Options
from lab.run.plan import prepare
from tests import records

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture
def resolver():
    """A resolver on the loopback that knows one address and falls silent for another."""
    known = {dns.reversename.from_address("192.0.2.50"): "relay.example.org."}
    silent = dns.reversename.from_address("192.0.2.99")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while (received := server.recvfrom(512))[0] != b"end":
            query = dns.message.from_wire(received[0])
            question = query.question[0]
            if question.name == silent:
                continue
            answer = dns.message.make_response(query)
            if question.name in known:
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "PTR", known[question.name]))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            server.sendto(answer.to_wire(), received[1])

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"end", server.getsockname())
    thread.join()
    server.close()


def test_every_address_is_asked_and_answers_bear_the_benchs_time(resolver):
    assert resolve.ask(["192.0.2.50", "192.0.2.51"], resolver, lambda: 17) == {
        "192.0.2.50": {"name": "relay.example.org", "how": "PTR", "when_ns": 17},
        "192.0.2.51": {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 17},
    }


def test_where_nobody_answers_the_rest_is_left_as_it_is(resolver):
    with deadlines.scaled(0.05 / deadlines.NAME_ANSWER.seconds):
        answers = resolve.ask(["192.0.2.50", "192.0.2.99", "192.0.2.51"], resolver, lambda: 17)
    assert set(answers) == {"192.0.2.50"}


def test_nothing_is_asked_after_the_deadline(resolver):
    assert resolve.ask(["192.0.2.50"], resolver, lambda: 17, within_s=0.0) == {}


def recorded(tmp_path, entries):
    data = Dataset(tmp_path / "dataset")
    write_json(data.info_path, records.dataset())
    write_json(data.names_path, entries)
    records.record_anew(data.path)
    return data


def test_the_virtual_benchs_names_are_asked_again(tmp_path):
    old = {"name": None, "how": "PTR: SERVFAIL", "when_ns": 5}
    seen = {"name": "seen.example.org", "how": "DNS in trace", "when_ns": 9}
    data = recorded(tmp_path, {"31.13.87.128": old, "192.0.2.77": seen})
    lab, spec = resolve.bench_of(data, "", SCENARIOS)
    assert resolve.repeat(data, lab, spec, ["31.13.87.128", "192.0.2.77"]) == (2, 2)
    found = data.names()
    assert found["31.13.87.128"]["name"] == "edgeray-msgr-shv-01-tpe1.facebook.com"
    assert found["31.13.87.128"]["earlier"] == [old]
    assert (found["192.0.2.77"]["how"], found["192.0.2.77"]["earlier"]) == ("PTR: NXDOMAIN", [seen])


def test_names_are_asked_for_while_another_run_holds_the_phones(tmp_path, resolver, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data, lab = recorded(tmp_path, {}), Lab.load(SCENARIOS)
    spec = lab.bench("pixels")
    phones = [phone.model_copy(update={"serial": phone.name}) for phone in spec.phones]
    asked = spec.resolver.model_copy(update={"address": ip_address(resolver[0]), "port": resolver[1]})
    spec = spec.model_copy(update={"phones": phones, "resolver": asked})
    with contextlib.closing(open_kind(lab, spec, Stop())):
        with pytest.raises(BenchBusy):
            open_kind(lab, spec, Stop())
        assert resolve.repeat(data, lab, spec, ["192.0.2.50"]) == (1, 1)
    assert data.names()["192.0.2.50"]["name"] == "relay.example.org"


def test_a_run_asks_for_what_no_resolver_ever_answered(tmp_path):
    null = {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 5}
    seen = {"name": "seen.example.org", "how": "DNS in trace", "when_ns": 9}
    run = prepare(Options("virtual", "smoke", str(tmp_path / "dataset"), "1", str(SCENARIOS), ""))
    recorded(tmp_path, {"192.0.2.75": null, "192.0.2.76": {**seen, "earlier": [null]}, "31.13.87.128": seen})
    assert resolve.resolve(run, ["192.0.2.75", "192.0.2.76", "31.13.87.128"]) == 1
    found = run.dataset.names()
    assert found["31.13.87.128"]["name"] == "edgeray-msgr-shv-01-tpe1.facebook.com"
    assert found["31.13.87.128"]["earlier"] == [seen]
    assert (found["192.0.2.75"], found["192.0.2.76"]["name"]) == (null, "seen.example.org")
