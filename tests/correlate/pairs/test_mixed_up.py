"""Signs that two captures are not the two sides of one call."""

import csv
import json
import struct

import pytest

from correlate import findings, pairs
from correlate.dataset import Dataset
from correlate.errors import Unreadable

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAY = ("192.0.2.50", 3478)
SAME_BYTES = "one file twice: the captures have the same bytes"
SWAPPED = "swapped: the addresses recorded of alpha are those of the capture of bravo, and the reverse"


def answered(build):
    call = build.call()
    for side, local, late_s in ((call.caller, A, 0.0), (call.callee, B, 0.01)):
        side.relay(local, RELAY, late_s)
        side.talk(local, RELAY, 1.0 + late_s, 40.0 + late_s, 120, 110)
    return call


@pytest.fixture
def why(tmp_path, build):
    """What is said of a call whose captures `edit` has changed: edit(caller's bytes, callee's bytes) -> both."""

    def of(call, edit, markers=True):
        build.dataset(tmp_path, [call])
        folder = tmp_path / "trials" / call.trial
        paths = [folder / "caller.pcap", folder / "callee.pcap"]
        for path, data in zip(paths, edit(*(each.read_bytes() for each in paths)), strict=True):
            path.write_bytes(data)
        if not markers:
            record = json.loads((folder / "trial.json").read_text()) | {"markers": None}
            (folder / "trial.json").write_text(json.dumps(record))
        dataset = Dataset(tmp_path)
        return pairs.load(dataset, call.trial, dataset.info().apps, {}).mixed_up

    return of


def records(data):
    """The records of a pcap of nanoseconds, as (time_ns, packet)."""
    found, at = [], 24
    while at < len(data):
        seconds, rest, length, _ = struct.unpack_from("<IIII", data, at)
        found.append((seconds * 10**9 + rest, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


def in_us(found):
    """A pcap of microseconds with Ethernet frames, as another tool would write these packets."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    for time_ns, packet in found:
        frame = bytes(12) + b"\x08\x00" + packet
        out += struct.pack("<IIII", *divmod(time_ns // 1000, 10**6), len(frame), len(frame)) + frame
    return out


def test_both_sides_of_a_call_are_not_mixed_up(why, build):
    assert why(answered(build), lambda caller, callee: (caller, callee)) == ""


def test_the_same_bytes_are_one_file_twice(why, build):
    assert why(answered(build), lambda caller, callee: (caller, caller)) == SAME_BYTES


def test_two_empty_captures_are_not_one_file_twice(why, build):
    assert why(answered(build), lambda caller, callee: (caller[:24], caller[:24]), markers=False) == ""


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_another_tool_wrote_anew_is_the_same_file(why, build, which):
    found = why(answered(build), lambda *files: (files[which], in_us(records(files[which]))))
    assert found == "one file twice: 100% of the datagrams of one capture are in the other"


def test_a_file_whose_times_were_all_shifted_is_the_same_file(why, build):
    def edit(caller, callee):
        return caller, in_us([(time_ns + 3_000_000_000, packet) for time_ns, packet in records(caller)])

    assert why(answered(build), edit).startswith("one file twice: 100%")


def test_a_part_of_a_file_is_the_same_file_though_it_begins_later(why, build):
    def edit(caller, callee):
        found = records(caller)
        return caller, in_us([*found[:2], *found[100:]])

    assert why(answered(build), edit).startswith("one file twice: 100%")


@pytest.mark.parametrize(("strange", "share"), [(23, "90%"), (24, "")])
def test_nine_tenths_of_the_datagrams_are_enough(why, build, strange, share):
    """232 datagrams; in so many another port takes the place of the relay's."""

    def edit(caller, callee):
        found = records(caller)
        # Behind the two markers and the Allocate with its response.
        for number in range(6, 6 + strange):
            time_ns, packet = found[number]
            found[number] = time_ns, packet.replace(struct.pack(">H", 3478), struct.pack(">H", 3479), 1)
        return caller, in_us(found)

    found = why(answered(build), edit)
    assert found == (f"one file twice: {share} of the datagrams of one capture are in the other" if share else "")


@pytest.mark.parametrize(("packets", "told"), [(10, True), (9, False)])
def test_few_datagrams_may_be_alike_by_chance(why, build, packets, told):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.talk(local, RELAY, 1.0, 40.0, packets, 0)
    found = why(call, lambda caller, callee: (caller, in_us(records(caller))))
    assert found.startswith("one file twice") == told


def test_a_call_within_one_network_has_the_same_datagrams_at_both_ends_but_at_other_times(why, build):
    """Without a NAT between the phones both captures show the same ends; each its own clock."""
    call = build.call()
    call.caller.interface, call.callee.interface = ["192.168.137.21"], [B[0]]
    local = ("192.168.137.21", 5000)
    for side, ends, ways in ((call.caller, (local, B), (120, 110)), (call.callee, (B, local), (110, 120))):
        late_s = 0.004 if side is call.callee else 0.0
        side.talk(*ends, 1.0 + late_s, 40.0 + late_s * 2, *ways)
    assert why(call, lambda caller, callee: (caller, callee)) == ""


def test_captures_that_fit_the_other_sides_addresses_are_swapped(why, build):
    assert why(answered(build), lambda caller, callee: (callee, caller)) == SWAPPED


def test_a_swapped_capture_that_does_not_tell_the_phone_is_unreadable_for_that_reason(why, build):
    """Two addresses alone, and no TURN."""
    call = build.call()
    call.caller.talk(A, ("198.51.100.20", 6001), 1.0, 40.0, 120, 110)
    call.callee.talk(B, ("203.0.113.7", 5001), 1.0, 40.0, 110, 120)
    with pytest.raises(Unreadable) as caught:
        why(call, lambda caller, callee: (callee, caller), markers=False)
    assert str(caught.value).endswith(f"; record its addresses ({SWAPPED})")


@pytest.mark.parametrize(("at_caller", "told"), [("callee", SWAPPED), ("caller", "")])
def test_a_capture_of_nothing_may_be_the_other_sides(why, build, at_caller, told):
    def edit(caller, callee):
        return (callee if at_caller == "callee" else caller), caller[:24]

    assert why(answered(build), edit, markers=False) == told


@pytest.mark.parametrize(
    ("who", "noted"), [("caller", ["10.1.1.1"]), ("callee", ["10.1.1.1"]), ("caller", [A[0], B[0]])], ids=str
)
def test_one_capture_that_does_not_fit_is_not_a_swap(why, build, who, noted):
    call = answered(build)
    getattr(call, who).noted = noted
    assert why(call, lambda caller, callee: (callee, caller)) == ""


def checked_by(build, of_caller, of_callee, packets=60):
    """A relayed call with these user names in its Binding requests, each with a request of TURN beside."""
    call = build.call()
    for side, local, names in ((call.caller, A, of_caller), (call.callee, B, of_callee)):
        side.put(0.0, *local, *RELAY, build.stun(build.ALLOCATE, (build.USERNAME, f"170000:{side.phone}".encode())))
        side.talk(local, RELAY, 1.0, 40.0, packets, packets)
        for at_s, name in enumerate(names, 2):
            side.put(at_s, *local, *RELAY, build.channel(0x4001, build.stun(build.BINDING, (build.USERNAME, name))))
    return call


@pytest.mark.parametrize(
    ("of_caller", "of_callee", "told"),
    [
        ([b"aaaa:bbbb"], [b"bbbb:aaaa"], False),
        ([b"aaaa:bbbb"], [b"cccc:dddd"], True),
        ([b"aaaa:bbbb"], [b"aaaa:dddd"], True),
        ([b"aaaa:bbbb", b"cccc:dddd"], [b"dddd:cccc", b"eeee:ffff"], False),
        ([b"aaaa:bbbb"], [], False),
        ([b"aaaa"], [b"bbbb"], False),
    ],
    ids=str,
)
def test_media_that_other_ice_agents_check_are_another_calls(why, build, of_caller, of_callee, told):
    """A restart, or a fork to several phones, has a pair of agents in both; where one side shows none nobody knows."""
    found = why(checked_by(build, of_caller, of_callee), lambda caller, callee: (caller, callee))
    text = "two calls: no pair of ICE agents that checks the media of alpha checks those of bravo"
    assert found == (text if told else "")


def test_agents_of_a_path_that_carries_nothing_say_nothing(why, build):
    """Another app's checks, or those of a path that was not taken."""
    call = checked_by(build, [b"aaaa:bbbb"], [b"cccc:dddd"], packets=49)
    assert why(call, lambda caller, callee: (caller, callee)) == ""


def test_where_addresses_were_not_recorded_a_swap_cannot_be_told(tmp_path, build):
    call = answered(build)
    call.caller.noted, call.callee.noted = [B[0]], [A[0]]
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, addresses=["callee"])
    assert pairs.load(Dataset(tmp_path), call.trial, Dataset(tmp_path).info().apps, {}).mixed_up == ""


def test_both_sides_say_it_in_the_findings_and_stay_there(tmp_path, build):
    call = answered(build)
    call.caller.noted, call.callee.noted = [B[0]], [A[0]]
    build.dataset(tmp_path, [call])
    dataset = Dataset(tmp_path)
    findings.write(dataset, findings.measure_all(dataset))
    with (dataset.findings_dir / "endpoints.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["side"], row["mixed_up"], row["routing"]) for row in rows] == [
        ("caller", SWAPPED, "relay"),
        ("callee", SWAPPED, "relay"),
    ]
