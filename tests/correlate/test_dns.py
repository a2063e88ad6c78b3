"""DNS answers in a trace, and packets that only look like some."""

import random
import struct
from ipaddress import ip_address

import dns.message
import dns.rrset
import pytest

from correlate import findings, report
from correlate.dataset import Dataset, write_json
from correlate.dataset.names import newest, was_asked
from correlate.dns import answers
from correlate.findings.cases import cases

PHONE, RESOLVER = ("100.64.0.7", 40001), ("192.0.2.53", 53)


def response(name, *records):
    message = dns.message.make_response(dns.message.make_query(name, "A"))
    for owner, kind, value in records:
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, value))
    return message.to_wire()


CHAIN = response(
    "call.example.org.",
    ("call.example.org.", "CNAME", "Relay-1.example.org."),
    ("relay-1.example.org.", "A", "192.0.2.50"),
    ("relay-1.example.org.", "AAAA", "2001:db8::50"),
)


def test_the_owner_of_the_address_record_is_its_name():
    assert answers(CHAIN) == [
        ("relay-1.example.org", ip_address("192.0.2.50")),
        ("relay-1.example.org", ip_address("2001:db8::50")),
    ]


def test_a_cut_answer_gives_the_records_that_are_whole():
    assert answers(CHAIN[:-1]) == [("relay-1.example.org", ip_address("192.0.2.50"))]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        CHAIN[:11],
        dns.message.make_query("call.example.org.", "A").to_wire(),
        CHAIN[:3] + bytes([CHAIN[3] | 3]) + CHAIN[4:],
        struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + b"\xc0\x0c" + bytes(20),
        struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + b"\x03a.b\x00" + bytes(24),
        struct.pack(">6H", 1, 0x8180, 1, 65535, 0, 0) + CHAIN[12:],
    ],
    ids=["empty", "cut header", "query", "NXDOMAIN", "pointer to itself", "dot in a label", "too many records"],
)
def test_what_is_no_sound_answer_gives_nothing(payload):
    assert answers(payload) == []


def test_mutated_answers_never_raise_and_are_read_alike_twice():
    chance = random.Random("dns")
    for _ in range(5000):
        data = bytearray(CHAIN)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.randrange(len(data) + 1)])
        assert answers(cut) == answers(cut)


B, RELAY = ("192.168.137.20", 40001), ("192.0.2.50", 3478)


def test_the_last_answer_of_all_captures_counts_with_the_controllers_time(tmp_path, build):
    call = build.call()
    call.caller.offset_ns = 5_000_000_000
    call.caller.put(1.0, *RESOLVER, *PHONE, CHAIN)
    call.callee.put(3.0, *RESOLVER, *B, response("b.org.", ("b.org.", "A", "192.0.2.50")))
    call.callee.put(2.0, *RESOLVER, *B, response("c.org.", ("c.org.", "A", "192.0.2.50")))
    call.callee.put(901.0, *RESOLVER, *B, response("late.org.", ("late.org.", "A", "192.0.2.50")))
    build.dataset(tmp_path, [call])
    (measured,) = findings.measure_all(Dataset(tmp_path))
    assert measured.heard == {
        "192.0.2.50": {"name": "b.org", "how": "DNS in trace", "when_ns": build.T0_NS + 3_000_000_000},
        "2001:db8::50": {
            "name": "relay-1.example.org", "how": "DNS in trace", "when_ns": build.T0_NS + 1_000_000_000,
        },
    }  # fmt: skip


def test_what_can_be_no_host_name_is_not_taken(tmp_path, build):
    call = build.call()
    call.caller.put(1.0, *RESOLVER, *PHONE, response("-b.org.", ("-b.org.", "A", "192.0.2.50")))
    build.dataset(tmp_path, [call])
    (measured,) = findings.measure_all(Dataset(tmp_path))
    assert measured.heard == {}


def call_with_answers(build):
    """Both sides use one relay; only the caller's capture shows what its name is."""
    call = build.call()
    for side, local in ((call.caller, PHONE), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
    call.caller.put(0.5, *RESOLVER, *PHONE, CHAIN)
    call.caller.put(0.6, *RESOLVER, *PHONE, response("cdn.org.", ("cdn.org.", "A", "198.51.100.99")))
    return call


SEEN = {"name": "relay-1.example.org", "how": "DNS in trace"}


def named(root):
    """The names in servers.csv, and names.json without its times."""
    (case,) = cases(Dataset(root)).read
    names = {server.name for side in case.servers.values() for server in side.servers}
    return names, {address: (each["name"], each["how"]) for address, each in Dataset(root).names().items()}


def test_a_dns_answer_in_a_capture_names_a_server_of_both_sides(tmp_path, build):
    build.dataset(tmp_path, [call_with_answers(build)])
    report.build(Dataset(tmp_path))
    assert named(tmp_path) == ({"relay-1.example.org"}, {"192.0.2.50": ("relay-1.example.org", "DNS in trace")})
    assert Dataset(tmp_path).names()["192.0.2.50"]["when_ns"] == build.T0_NS + 500_000_000
    assert "relay-1.example.org" in (tmp_path / "tables/table4.csv").read_text()
    before = (tmp_path / "names.json").read_bytes()
    report.build(Dataset(tmp_path))
    assert (tmp_path / "names.json").read_bytes() == before


def test_a_ptr_name_stands_and_a_dns_answer_comes_before_none(tmp_path, build):
    ptr = {"name": "ptr.example.org", "how": "PTR", "when_ns": 7}
    build.dataset(tmp_path, [call_with_answers(build)], names={"192.0.2.50": ptr})
    report.build(Dataset(tmp_path))
    assert named(tmp_path)[0] == {"ptr.example.org"}
    assert Dataset(tmp_path).names() == {"192.0.2.50": ptr}
    none = {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 7}
    write_json(tmp_path / "names.json", {"192.0.2.50": none})
    report.build(Dataset(tmp_path))
    assert named(tmp_path)[0] == {"relay-1.example.org"}
    assert Dataset(tmp_path).names()["192.0.2.50"] == {**SEEN, "when_ns": build.T0_NS + 500_000_000, "earlier": [none]}


def test_the_newest_answer_stands_first_and_older_ones_keep_their_time():
    first = {"name": "a.example.org", "how": "PTR", "when_ns": 1}
    second = {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 2}
    third = {"name": "b.example.org", "how": "DNS in trace", "when_ns": 3}
    entry = newest(newest(newest(None, first), second), third)
    assert entry == {**third, "earlier": [first, second]}
    assert (was_asked(entry), was_asked(newest(None, third)), was_asked({})) == (True, False, False)
