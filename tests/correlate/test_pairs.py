"""A pair: neutral sides, cut between markers, on one time line, own addresses by role."""

import inspect
import json
import re
from dataclasses import replace
from ipaddress import ip_address

import pytest

from correlate import findings, pairs, report
from correlate.dataset import Dataset
from correlate.dataset.clocks import ClockLine, Offset
from correlate.dataset.record import Analysis
from correlate.dimensions import DIMENSIONS
from correlate.errors import BadDataset, Unreadable
from correlate.findings.cases import cases
from correlate.pairs import addresses
from correlate.pairs.addresses import Learned
from correlate.pairs.window import Amounts, total
from correlate.trace import Trace
from correlate.trace.addresses import fold

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def load(tmp_path, build, call, **keys):
    build.dataset(tmp_path, [call], **keys)
    dataset = Dataset(tmp_path)
    return pairs.load(dataset, call.trial, dataset.info().apps, {})


def ips(*texts):
    return frozenset(ip_address(text) for text in texts)


def test_sides_stand_in_the_order_of_the_phones_names_whoever_called(tmp_path, build):
    call = build.call()
    call.caller, call.callee = call.callee, call.caller
    pair = load(tmp_path, build, call)
    assert (pair.a.phone, pair.b.phone) == ("alpha", "bravo")


def test_a_pair_tells_nothing_of_scenario_direction_role_or_service(tmp_path, build):
    pair = load(tmp_path, build, build.call())
    assert set(vars(pair)) == {"a", "b", "servers", "names", "analysis", "edge_packets", "mixed_up"}
    assert set(vars(pair.a)) == {
        "phone", "trace", "messages", "flows", "clock", "own", "visible", "unseen", "hits", "conversations",
        "transport", "recorded", "seen_at", "identifiers", "window_ns", "answered", "repeats",
        "alone", "media_units", "carried", "unclaimed", "round_trip_ns",
    }  # fmt: skip
    assert [list(inspect.signature(measure).parameters) for _, measure in DIMENSIONS] == [["pair"]] * 6


def test_only_rows_strictly_between_the_markers_count_and_no_marker_among_them(tmp_path, build):
    call = build.call()
    call.caller.put(-1.5, *A, *RELAY, b"before")
    call.caller.put(901.0, *A, *RELAY, b"after")
    call.caller.put(1.0, *A, *RELAY, b"inside")
    call.caller.put(2.0, *A, "192.0.2.1", 9, b"im-call-lab n0nce live")
    call.caller.put(3.0, *A, "192.0.2.1", 9, b"im-call-lab other begin")
    pair = load(tmp_path, build, call)
    assert [pair.a.trace.payload(row) for row in range(len(pair.a.trace.udp))] == [b"inside"]


def test_a_capture_without_its_markers_is_refused_by_name(tmp_path, build):
    call = build.call()
    build.dataset(tmp_path, [call])
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    record["markers"]["nonce"] = "another"
    path.write_text(json.dumps(record))
    dataset = Dataset(tmp_path)
    with pytest.raises(Unreadable, match=r"caller\.pcap: has no begin marker of this trial"):
        pairs.load(dataset, call.trial, dataset.info().apps, {})


def test_a_trial_that_cannot_be_read_has_rows_of_nulls_with_the_reason(tmp_path, build):
    call = build.call()
    build.dataset(tmp_path, [call])
    (tmp_path / "trials" / call.trial / "caller.pcap").write_bytes(b"no capture at all")
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    found = cases(Dataset(tmp_path))
    assert found.read == ()
    ((trial, reason),) = found.unread.items()
    assert "caller.pcap" in reason
    assert str(tmp_path) not in reason
    truth = report.read_findings(Dataset(tmp_path))[trial]
    assert truth["exposed"]["caller_public"] is None
    assert truth["servers"] == {"caller": None, "callee": None, "shared": None}


def test_a_record_without_clocks_is_refused(tmp_path, build):
    call = build.call()
    build.dataset(tmp_path, [call])
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    del record["clocks"]["caller"]["after"]
    path.write_text(json.dumps(record))
    with pytest.raises(BadDataset, match=r"trial\.json: clocks\.caller\.after: is missing"):
        pairs.load(Dataset(tmp_path), call.trial, Dataset(tmp_path).info().apps, {})


def test_a_hotspot_capture_is_stamped_by_the_laptops_clock(tmp_path, build):
    call = build.call()
    call.callee.offset_ns = 3_000_000_000
    build.dataset(tmp_path, [call])
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    record["sides"]["callee"]["clock"] = "laptop"
    path.write_text(json.dumps(record))
    dataset = Dataset(tmp_path)
    pair = pairs.load(dataset, call.trial, dataset.info().apps, {})
    assert pair.b.clock.before.offset_ns == 0
    assert pair.a.clock.before.offset_ns == 0
    record["clocks"]["laptop"]["before"]["offset_ns"] = -9
    path.write_text(json.dumps(record))
    assert pairs.load(dataset, call.trial, dataset.info().apps, {}).b.clock.before.offset_ns == -9


def test_a_capture_with_stamps_of_its_own_is_read_by_its_own_clock(tmp_path, build):
    call = build.call()
    build.dataset(tmp_path, [call])
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    record["sides"]["callee"]["clock"] = "callee_capture"
    readings = {"before": (7_000_000_000, 60_000_000, 1_000), "after": (7_001_000_000, 50_000_000, 2_000_000_000)}
    keys = ("offset_ns", "bound_ns", "at_ns")
    record["clocks"]["callee_capture"] = {when: dict(zip(keys, of, strict=True)) for when, of in readings.items()}
    path.write_text(json.dumps(record))
    clock = pairs.load(Dataset(tmp_path), call.trial, Dataset(tmp_path).info().apps, {}).b.clock
    assert clock == ClockLine(*(Offset(*of) for of in readings.values()))
    assert (clock.bound_ns, clock.elapsed_bound_ns) == (61_000_000, 111_000_000)


def learned(interface=(), probed=(), mapped=(), remote=(), relays=(), named=()):
    return Learned(ips(*interface), ips(*probed), ips(*mapped), ips(*remote), ips(*relays), ips(*named))


def test_roles_follow_how_an_address_was_learned_never_its_range():
    a = learned(interface=["203.0.113.5", "2001:db8::1"], probed=["100.64.0.1", "2001:db8::1"])
    known = addresses.attribute(a, learned())
    assert known.a == {
        ip_address("203.0.113.5"): "private",
        ip_address("100.64.0.1"): "public",
        ip_address("2001:db8::1"): "public",
    }


def test_a_direct_peer_is_no_server_and_a_relay_is_nobodys_own():
    a = learned(interface=["10.0.0.1"], mapped=["192.0.2.7"], remote=["192.0.2.7", "198.51.100.20", "192.0.2.50"])
    b = learned(interface=["10.0.0.2"], probed=["198.51.100.20"], mapped=["192.0.2.99"], relays=["192.0.2.99"])
    known = addresses.attribute(a, b)
    assert known.a == {ip_address("10.0.0.1"): "private"}
    assert known.b == {ip_address("10.0.0.2"): "private", ip_address("198.51.100.20"): "public"}
    assert known.servers == ips("192.0.2.7", "192.0.2.50", "192.0.2.99")


def test_servers_are_what_either_phone_talks_to_less_what_either_has():
    a = learned(interface=["10.0.0.1"], probed=["203.0.113.5"], remote=["192.0.2.50", "198.51.100.20"])
    b = learned(interface=["10.0.0.2"], probed=["198.51.100.20"], remote=["192.0.2.60", "203.0.113.5"])
    assert addresses.attribute(a, b).servers == ips("192.0.2.50", "192.0.2.60")


def test_what_a_server_says_of_itself_is_a_servers_unless_a_phone_has_it():
    a = learned(interface=["10.0.0.1"], mapped=["203.0.113.5"], named=["192.0.2.51", "203.0.113.5"])
    b = learned(interface=["10.0.0.2"], named=["192.0.2.52"])
    known = addresses.attribute(a, b)
    assert known.servers == ips("192.0.2.51", "192.0.2.52")
    assert known.a == {ip_address("10.0.0.1"): "private", ip_address("203.0.113.5"): "public"}


@pytest.mark.parametrize(
    ("text", "is_global"),
    [("203.0.113.1", True), ("31.13.87.50", True), ("2001:db8::1", True), ("100.64.0.1", False), ("10.1.1.1", False),
     ("169.254.1.1", False), ("fe80::1", False), ("fd00::1", False), ("192.0.0.4", False)],
)  # fmt: skip
def test_documentation_addresses_are_global_and_private_ones_are_not(text, is_global):
    assert addresses.is_global_unicast(ip_address(text)) is is_global


def test_nat64_and_mapped_addresses_are_folded_and_others_are_not():
    assert fold(ip_address("64:ff9b::c000:232")) == ip_address("192.0.2.50")
    assert fold(ip_address("::ffff:192.0.2.50")) == ip_address("192.0.2.50")
    assert fold(ip_address("64:ff9b:1::c000:232")) == ip_address("64:ff9b:1::c000:232")


@pytest.mark.parametrize(
    ("analysis", "what"),
    [
        ({"twins": "("}, "twins: twins is no regular expression: missing ), unterminated subpattern at position 0"),
        ({"role": {"port": 3478, "door": 3478}}, "role.door: is no key of this document"),
    ],
)
def test_an_analysis_that_does_not_fit_is_refused(tmp_path, build, analysis, what):
    build.dataset(tmp_path, [], extra_plan=[build.call()], analysis={"relay_ports": [3478], **analysis})
    with pytest.raises(BadDataset, match=re.escape(f"apps.maple.analysis.{what}")):
        Dataset(tmp_path).info()


def test_groups_of_twins_joined_are_the_cluster():
    twins = r"(turn)s?6?-(\d+)-([a-z]{3}\d)\.example\.org"
    analysis = Analysis(relay_ports=[3478], twins=twins)
    assert analysis.cluster("turns6-01-tpe1.example.org") == "turn|01|tpe1"
    assert analysis.cluster("turn-01-tpe1.example.org") == "turn|01|tpe1"
    assert analysis.cluster("turn-01-tpe1.example.org.evil") is None
    assert analysis.cluster(None) is None


def test_a_capture_with_packets_without_a_time_is_refused_by_name(tmp_path, build, monkeypatch):
    call = build.call()
    call.caller.put(1.0, *A, *RELAY, b"inside")
    read = Trace.read

    def timeless(path):
        trace = read(path)
        return replace(trace, udp=replace(trace.udp, time_ns=trace.udp.time_ns * 0 - 1))

    monkeypatch.setattr(Trace, "read", staticmethod(timeless))
    with pytest.raises(Unreadable, match=r"caller\.pcap: has packets without a time"):
        load(tmp_path, build, call)


def test_amounts_add_up_each_by_itself_and_to_zeros_where_there_are_none():
    assert Amounts(1, 20, 300) + Amounts(4, 50, 600) == Amounts(5, 70, 900)
    assert total([Amounts(1, 20, 300), Amounts(4, 50, 600), Amounts(7, 8, 9)]) == Amounts(12, 78, 909)
    assert total([]) == Amounts(packets=0, payload_bytes=0, frame_bytes=0)


def test_a_conversation_counts_each_direction_as_the_phone_sees_it_and_its_media_without_stun(tmp_path, build):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    call.caller.talk(A, RELAY, 1.0, 2.0, 3, 2, payload=bytes(100))
    (found,) = load(tmp_path, build, call).a.conversations
    assert (found.tx, found.rx) == (Amounts(4, 20 + 300, 4 * 28 + 320), Amounts(3, 20 + 200, 3 * 28 + 220))
    assert found.both == Amounts(7, 540, 7 * 28 + 540)
    assert (found.media.tx, found.media.rx) == (Amounts(3, 300, 384), Amounts(2, 200, 256))


@pytest.mark.parametrize("short", range(5))
def test_a_conversation_has_a_hundred_media_datagrams_each_way_on_both_sides(tmp_path, build, short):
    """One less in any one of the four ways (the fifth has none short) leaves it open: one side shows a conversation."""
    counts = [99 if way == short else 100 for way in range(4)]
    call = build.call()
    for side, local, (sent, received) in ((call.caller, A, counts[:2]), (call.callee, B, counts[2:])):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, sent, received)
    pair = load(tmp_path, build, call)
    assert (pair.established, pair.has_media, pair.media_not_udp) == (short == 4 or None, short == 4, False)
    silent = "alpha" if short < 2 else "bravo"
    assert pair.undecided == ("" if short == 4 else f"media both ways on one side only, not on {silent}")
