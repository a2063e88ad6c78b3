"""A trial's clocks: drift is kept, a step is void, and a capture's own clock is found by its markers."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from benchmarks.clocks import START_NS, stepped
from correlate.pairs import clocks
from lab.clock import DRIFT_LIMIT_PPM, Offset
from lab.errors import AttemptVoid
from lab.timeline import (
    TRANSIT_NS,
    Line,
    Sent,
    capture_line,
    capture_offset,
    differs,
    marker_times,
    timestamps,
    without_step,
)

MINUTE_NS = 60_000_000_000
MS = 1_000_000


def line(change_ns: int, bound_ns: int = 50_000, offset_ns: int = 3_000_000_000) -> Line:
    before = Offset(offset_ns, bound_ns, START_NS)
    return Line(before, Offset(offset_ns + change_ns, bound_ns, START_NS + MINUTE_NS))


def test_drift_is_computed_and_stored_beside_the_readings() -> None:
    assert line(1_200_000).as_json() == {
        "before": {"offset_ns": 3_000_000_000, "bound_ns": 50_000, "at_ns": START_NS},
        "after": {"offset_ns": 3_001_200_000, "bound_ns": 50_000, "at_ns": START_NS + MINUTE_NS},
        "drift_ppm": 20.0,
    }


@pytest.mark.parametrize("sign", [-1, 1])
def test_what_no_drift_explains_is_a_step_and_voids_the_attempt(sign: int) -> None:
    limit_ns = MINUTE_NS * DRIFT_LIMIT_PPM // 1_000_000 + 2 * 50_000
    assert without_step("caller", line(sign * limit_ns)).drift_ppm == pytest.approx(sign * 501.667, abs=0.001)
    with pytest.raises(AttemptVoid, match=r"the clock caller changed by [+-]30\.100 ms in 60\.0 s") as void:
        without_step("caller", line(sign * (limit_ns + 1)))
    assert void.value.reason == "clock_stepped"


def test_no_step_is_found_where_clocks_only_drift_and_the_truth_stays_inside_throughout() -> None:
    assert stepped(0.0, count=1000).held == 1000


@pytest.mark.parametrize("size_ms", [50.0, 400.0, 2_000.0, 60_000.0])
def test_a_step_during_a_trial_is_found_or_lies_before_or_behind_what_was_measured(size_ms: float) -> None:
    told = stepped(size_ms, count=500)
    assert told.missed == 0
    assert told.voided > 450


def test_the_correlator_keeps_instants_and_durations_within_its_bounds_of_the_truth() -> None:
    """Of a clock with known offset and drift, measured with any error that its bounds allow, or with one step."""
    chance = random.Random("timeline")
    for _ in range(500):
        drift_ppb, true_ns = chance.randrange(-100_000, 100_000), chance.randrange(-(10**12), 10**12)
        step_ns, step_at = chance.choice([(0, 0), (chance.randrange(-25 * MS, 25 * MS), chance.randrange(MINUTE_NS))])
        drift_ppb *= step_ns == 0

        def offset(at: int, true_ns=true_ns, drift_ppb=drift_ppb, step_ns=step_ns, step_at=step_at) -> int:
            return true_ns + at * drift_ppb // 10**9 + (step_ns if at >= step_at else 0)

        errors = [chance.randrange(-900_000, 900_001) for _ in range(2)]
        readings = [
            Offset(offset(at) + error, abs(error), START_NS + at)
            for at, error in zip((0, MINUTE_NS), errors, strict=True)
        ]
        measured = Line(*readings)
        assert not measured.stepped
        clock = clocks.parse(measured.as_json())
        assert clock.bound_ns == measured.bound_ns
        looks = sorted(chance.randrange(MINUTE_NS) for _ in range(20))
        told = [clock.to_controller(START_NS + at + offset(at)) - START_NS for at in looks]
        assert all(abs(found - at) <= clock.bound_ns + 1 for found, at in zip(told, looks, strict=True))
        length, shown = looks[-1] - looks[0], looks[-1] + offset(looks[-1]) - looks[0] - offset(looks[0])
        assert abs(shown - length) <= clock.elapsed_bound_ns + MINUTE_NS // 10**9 + 2 or step_ns


def test_a_marker_bounds_its_capture_by_when_it_was_sent() -> None:
    sent = Sent(START_NS, START_NS + 20 * MS)
    offset = capture_offset(START_NS + 1_000 * MS, sent)
    assert offset.offset_ns - offset.bound_ns <= 1_000 * MS - 20 * MS - TRANSIT_NS
    assert offset.offset_ns + offset.bound_ns >= 1_000 * MS
    assert offset.bound_ns == (20 * MS + TRANSIT_NS + 1_000) // 2 + 1
    for way_ns in (0, 20 * MS + TRANSIT_NS):
        true_ns = 1_000 * MS - way_ns
        assert abs(offset.offset_ns - true_ns) <= offset.bound_ns


def test_a_capture_whose_stamps_are_not_its_machines_clock_is_told() -> None:
    def capture(off_ns: int) -> Line:
        stamps = {"begin": START_NS + MS + off_ns, "end": START_NS + MINUTE_NS // 2 + MS + off_ns}
        sent = {kind: Sent(stamp - off_ns - MS, stamp - off_ns + MS) for kind, stamp in stamps.items()}
        found = capture_line(stamps, sent)
        assert found is not None
        return found

    machine = line(0)
    assert not differs(capture(3_000_000_000), machine)
    assert not differs(capture(3_000_000_000 + 50 * MS), machine)
    assert differs(capture(3_000_000_000 + 300 * MS), machine)
    assert differs(capture(3_000_000_000 - 300 * MS), machine)
    assert capture_line({"begin": 1}, {"begin": Sent(0, 1)}) is None


def test_npcap_stamps_are_a_clock_of_their_own() -> None:
    systems = ("Microsoft Windows 11 Pro", "Debian 13", "macOS 15", None)
    assert [timestamps(system) for system in systems] == ["npcap", "host", "host", "host"]


def marker(seconds: int, text: bytes, port: int = 9, address: bytes = bytes([192, 0, 2, 1])) -> bytes:
    udp = struct.pack(">HHHH", 40_000, port, 8 + len(text), 0) + text
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + bytes([10, 0, 0, 2]) + address
    frame = bytes(12) + b"\x08\0" + header + udp
    return struct.pack("<IIII", seconds, 5, len(frame), len(frame)) + frame


def test_markers_of_this_trial_alone_are_read_first_or_last_of_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "caller.pcap"
    path.write_bytes(
        struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        + marker(1, b"im-call-lab old begin")
        + marker(2, b"im-call-lab n0nce begin", address=bytes([192, 0, 2, 2]))
        + marker(3, b"im-call-lab n0nce begin", port=10)
        + marker(4, b"im-call-lab n0nce begin")
        + marker(5, b"im-call-lab n0nce begin\n")
        + marker(6, b"im-call-lab n0nce end")
    )
    for last, begin_s in ((False, 4), (True, 5)):
        times = marker_times(path, "192.0.2.1", 9, "n0nce", last=last)
        assert times == {"begin": begin_s * 10**9 + 5_000, "end": 6 * 10**9 + 5_000}
