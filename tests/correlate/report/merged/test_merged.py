from __future__ import annotations

import ipaddress
import json
import struct

import pytest

from correlate.dataset import Dataset
from correlate.errors import BadDataset
from correlate.report.merged import blocks, merge
from correlate.report.merged.known_names import known_names
from correlate.report.merged.packets import Face, Packet, faces
from correlate.report.merged.remarks import comments
from correlate.report.trial.proofs import Proof
from correlate.report.trial.steps import Step
from correlate.trace import Trace
from tests.records import record_anew

S = 10**9
TRIAL = "maple-voice-lte_to_fixed-caller_hangs_up-1"


@pytest.fixture
def of(leaky, measured):
    return measured(leaky(), names={"203.0.113.90": {"name": "relay.example", "how": "PTR", "when_ns": 0}})


@pytest.fixture
def merged(of, tmp_path):
    return merge(of.dataset, TRIAL, tmp_path / "out" / "merged.pcapng")


def structure(path):
    """(type, body) of each block; both of its lengths are alike."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        assert length % 4 == 0
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def options(body, at):
    """(code, value) of each option, up to the end mark."""
    found = []
    while at < len(body):
        code, length = struct.unpack_from("<HH", body, at)
        if code == 0:
            return found
        found.append((code, body[at + 4 : at + 4 + length]))
        at += 4 + (length + 3 & ~3)
    return found


def remarks(path):
    """Number of a packet -> its comments."""
    packets = [body for kind, body in structure(path) if kind == 6]
    found = {}
    for number, body in enumerate(packets, 1):
        (captured,) = struct.unpack_from("<I", body, 12)
        if said := [value.decode() for code, value in options(body, 20 + (captured + 3 & ~3)) if code == 1]:
            found[number] = said
    return found


def test_a_block_is_what_the_draft_says():
    data = blocks.packet(1, 0x0102030405060708, b"abcde", 99, ["hi"])
    assert data == bytes.fromhex(
        "06000000 34000000 01000000 04030201 08070605 05000000 63000000 6162636465000000"
        "0100 0200 68690000 00000000 34000000"
    )
    assert blocks.packet(0, 0, b"", 0, ()) == bytes.fromhex("06000000 20000000") + bytes(20) + b"\x20\0\0\0"
    assert blocks.interface(101, 256, "a", "b") == bytes.fromhex(
        "01000000 30000000 6500 0000 00010000 02000100 61000000 03000100 62000000 09000100 09000000 00000000 30000000"
    )
    assert blocks.names({"192.0.2.1": "a.b", "2001:db8::1": "c"}) == bytes.fromhex(
        "04000000 34000000 01000800 c0000201 612e6200 02001200 20010db8000000000000000000000001 63000000 00000000"
        "34000000"
    )


def test_a_comment_that_is_too_long_is_cut():
    assert len(blocks.packet(0, 0, b"", 0, ["x" * 70_000])) == 32 + 4 + 4000 + 4


def test_both_captures_stand_on_the_controllers_time_line(build, of, merged):
    trace = Trace.read(merged.path)
    sides = {side: Trace.read(of.dataset.capture(TRIAL, side)) for side in ("caller", "callee")}
    assert trace.damage == ()
    assert trace.packets == sum(each.packets for each in sides.values()) == len(merged.numbers)
    times = trace.records.time_ns.tolist()
    assert times == sorted(times)
    # alpha's clock is 3 s ahead and bravo's 2 s behind: both begin to be live 2 s before the call.
    assert [(ns - build.T0_NS) / S for ns in times[:5]] == [-2.0, -2.0, -1.0, -1.0, 1.5]
    for (side, frame), number in merged.numbers.items():
        own, row, there = sides[side], frame - 1, number - 1
        start, size = int(own.records.start[row]), int(own.records.captured[row])
        at = int(trace.records.start[there])
        assert bytes(trace.data[at : at + size]) == bytes(own.data[start : start + size])
        assert trace.records.captured[there] == size
        assert trace.records.wire[there] == own.records.wire[row]
        assert trace.records.interface[there] == ("caller", "callee").index(side)


def test_interfaces_say_whose_they_are(merged):
    found = structure(merged.path)
    assert [kind for kind, _ in found[:5]] == [0x0A0D0D0A, 1, 1, 4, 6]
    assert [dict(options(body, 8)) for kind, body in found if kind == 1] == [
        {2: b"caller", 3: b"alpha, lte, captured at interface, any, times within 1.000 ms", 9: b"\x09"},
        {2: b"callee", 3: b"bravo, lte, captured at interface, any, times within 1.000 ms", 9: b"\x09"},
    ]
    said = f"{TRIAL}: both captures on one time line; times are the controller's, by the recorded clocks"
    assert dict(options(found[0][1], 16))[1] == said.encode()


def test_steps_and_evidence_are_said_at_their_packets(merged):
    said = remarks(merged.path)
    call, exposed = merged.numbers["caller", 3], merged.numbers["callee", 5]
    assert said[call] == ["step CALL, 0.500000 s before this packet"]
    assert said[exposed] == ["exposes the caller's public address 203.0.113.7 (XOR-PEER-ADDRESS); frame 5 of callee"]
    assert [text for each in said.values() for text in each if text.startswith("step ")] == [
        "step CALL, 0.500000 s before this packet",
        "step RING, 0.250000 s before this packet",
        "step ANSWER, 2.000000 s before this packet",
        "step HANG UP, 0.000000 s before this packet",
        "step ENDED, 865.500000 s before this packet",
    ]
    assert merged.evidence == (exposed,)


def test_what_comes_after_the_last_packet_is_said_there():
    packets = [Packet(at_ns, "caller", n, 0, memoryview(b""), 0) for n, at_ns in enumerate((5, 7), 1)]
    late = [Step("ended", 7 + S // 2)]
    assert comments(packets, late, []) == {1: ["step ENDED, 0.500000 s after this packet"]}
    assert comments([], late, []) == {}
    absent = Proof("callee", 1, "exposes it", True, "192.0.2.1", 5, 5)
    assert comments(packets, [], [absent]) == {}


def test_addresses_of_phones_and_servers_have_names(of):
    assert known_names(of.dataset, of.dataset.record(TRIAL), of.case) == {
        "100.64.0.7": "caller-private.invalid",
        "2001:db8:a::7": "caller-public.invalid",
        "203.0.113.7": "caller-public-2.invalid",
        "192.168.137.20": "callee-private.invalid",
        "198.51.100.20": "callee-public.invalid",
        "203.0.113.90": "relay.example",
    }


def test_an_address_that_both_phones_have_is_of_both(leaky, measured):
    call = leaky()
    call.callee.probed = call.caller.probed[:1]
    of = measured(call)
    names = known_names(of.dataset, of.dataset.record(TRIAL), None)
    assert names["203.0.113.7"] == "both-public.invalid"


def test_names_stand_in_a_block_that_wireshark_reads(merged):
    (body,) = [body for kind, body in structure(merged.path) if kind == 4]
    assert ipaddress.ip_address("100.64.0.7").packed + b"caller-private.invalid\0" in body
    assert ipaddress.ip_address("2001:db8:a::7").packed + b"caller-public.invalid\0" in body
    assert ipaddress.ip_address("203.0.113.90").packed + b"relay.example\0" in body


def test_a_place_is_told_in_both_numbers(merged):
    assert merged.number("callee:5") == merged.number("") == merged.numbers["callee", 5]
    # The callee's begin marker, after both of live and the caller's of begin.
    assert merged.number("callee:2") == 4
    for place, why in [
        ("callee", "write caller:N or callee:N with a frame's number in that capture"),
        ("caller:x", "write caller:N or callee:N with a frame's number in that capture"),
        ("caller:²", "write caller:N or callee:N with a frame's number in that capture"),
        ("middle:5", "write caller:N or callee:N with a frame's number in that capture"),
        ("callee:0", "the callee's capture has no such packet"),
        ("callee:100000", "the callee's capture has no such packet"),
    ]:
        with pytest.raises(BadDataset) as refused:
            merged.number(place)
        assert str(refused.value) == f"--frame {place}: {why}"


def test_nothing_is_written_into_a_dataset_and_nothing_of_it_changes(of, tmp_path):
    def contents():
        return {path: path.read_bytes() for path in of.dataset.path.rglob("*") if path.is_file()}

    before = contents()
    with pytest.raises(BadDataset, match="lies in the dataset"):
        merge(of.dataset, TRIAL, of.dataset.path / "trials" / "x.pcapng")
    (tmp_path / "link").symlink_to(of.dataset.path)
    with pytest.raises(BadDataset, match="lies in the dataset"):
        merge(of.dataset, TRIAL, tmp_path / "link" / "x.pcapng")
    merge(of.dataset, TRIAL, tmp_path / "x.pcapng")
    assert contents() == before


def test_a_trial_that_is_not_there_is_refused(of, tmp_path):
    with pytest.raises(BadDataset) as refused:
        merge(of.dataset, "maple-x-1", tmp_path / "x.pcapng")
    assert str(refused.value) == f"maple-x-1: no complete trial of {of.dataset.path}"


def test_without_findings_there_is_no_evidence_and_all_else(of, tmp_path):
    import shutil

    shutil.rmtree(of.dataset.findings_dir)
    merged = merge(of.dataset, TRIAL, tmp_path / "x.pcapng")
    assert (merged.evidence, merged.number("")) == ((), 1)
    assert all(text.startswith("step ") for said in remarks(merged.path).values() for text in said)


def test_times_of_clocks_that_nobody_compared_are_their_own_and_it_says_so(build, leaky, measured, tmp_path):
    of = measured(leaky(), clocks=["caller", "callee"])
    merged = merge(of.dataset, TRIAL, tmp_path / "x.pcapng")
    (_, section), *_ = structure(merged.path)
    said = dict(options(section, 16))[1].decode()
    assert said.endswith("the clock of caller and callee was never compared, these times are its own")
    assert Trace.read(merged.path).records.time_ns[0] == build.T0_NS - 4 * S


def as_pcapng(pcap, link_type=101):
    """The packets of a nanosecond pcap as a pcapng with custom blocks between them, which Wireshark counts as frames,
    and an unknown block, which it does not."""

    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    custom = block(0xBAD, struct.pack("<I", 32473) + b"whatever") + block(0x80001234, b"unknown")
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHIHH4s", link_type, 0, 0, 9, 1, b"\x09")) + custom
    at = 24
    while at < len(pcap):
        s, ns, captured, wire = struct.unpack_from("<IIII", pcap, at)
        time_ns = s * S + ns
        out += block(
            6,
            struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, captured, wire)
            + pcap[at + 16 : at + 16 + captured],
        )
        at += 16 + captured
    return out + custom


def test_custom_blocks_are_no_packets_and_keep_their_numbers(build, leaky, measured, tmp_path):
    of = measured(leaky())
    folder = of.dataset.trial_dir(TRIAL)
    (folder / "callee.pcapng").write_bytes(as_pcapng((folder / "callee.pcap").read_bytes()))
    (folder / "callee.pcap").unlink()
    record = json.loads((folder / "trial.json").read_text())
    record["sides"]["callee"]["capture"] = "callee.pcapng"
    (folder / "trial.json").write_text(json.dumps(record))
    record_anew(of.dataset.path)
    from correlate import findings

    findings.write(of.dataset, findings.measure_all(Dataset(of.dataset.path)))
    merged = merge(of.dataset, TRIAL, tmp_path / "x.pcapng")
    # Frame 1 is the custom block, so what was frame 5 is frame 6; the last one is a custom block as well.
    assert ("callee", 1) not in merged.numbers
    assert remarks(merged.path)[merged.number("callee:6")] == [
        "exposes the caller's public address 203.0.113.7 (XOR-PEER-ADDRESS); frame 6 of callee"
    ]
    assert Trace.read(merged.path).packets == len(merged.numbers) == 386


def test_a_side_of_two_link_types_has_two_interfaces(build, leaky, measured, tmp_path):
    of = measured(leaky())
    trace = Trace.read(of.dataset.capture(TRIAL, "caller"))
    both = type(trace)(**{name: getattr(trace, name) for name in trace.__slots__})
    kinds = (*trace.interfaces, type(trace.interfaces[0])(1, 0), type(trace.interfaces[0])(101, 0))
    numbers = trace.records.interface.copy()
    numbers[1], numbers[2] = 1, 2
    records = type(trace.records)(
        *(numbers if n == "interface" else getattr(trace.records, n) for n in trace.records.__slots__)
    )
    object.__setattr__(both, "interfaces", kinds)
    object.__setattr__(both, "records", records)
    # A snapshot length of 0 is none: it bounds nothing.
    assert faces({"caller": both, "callee": trace}) == (
        Face("caller", 101, 0, "caller"),
        Face("caller", 1, 0, "caller-2"),
        Face("callee", 101, 262144, "callee"),
    )
