"""Secrets of the bench that a capture shows."""

import struct
from pathlib import Path

import pytest

from correlate.dataset.record import IdentifierInClear
from correlate.trace import Trace
from lab.capture.identifiers import searched
from lab.definitions.secrets import Secret


def capture(path: Path, *frames: bytes, cut: int = 0) -> Trace:
    """A capture of these frames; of each, `cut` bytes more were on the wire."""
    records = [struct.pack("<IIII", 1_700_000_000, 0, len(data), len(data) + cut) + data for data in frames]
    path.write_bytes(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))
    return Trace.read(path)


def found(trace: Trace, value: str) -> list[tuple[list[int], int]]:
    return [(each.frames, each.count) for each in searched(trace, [Secret("it", value)]).found]


@pytest.mark.parametrize(
    ("value", "payload", "seen"),
    [
        ("+15550100123", b"..15550100123@s.example..", True),
        ("+15550100123", b"..15550100124@s.example..", False),
        ("user.Of.Lab", b"..USER.of.lab..", True),
        ("user.Of.Lab", b"..userxOf.Lab..", False),
        ("Zo\u00eb's phone", "..Zo\u00eb's phone..".encode(), True),
        ("short", b"..short..", False),
    ],
)
def test_a_secret_of_eight_bytes_or_more_is_seen_in_whatever_case_and_a_number_without_its_sign(
    tmp_path: Path, value: str, payload: bytes, seen: bool
) -> None:
    trace = capture(tmp_path / "c.pcap", bytes(60), bytes(60) + payload)
    assert found(trace, value) == ([([2], 1)] if seen else [])


def test_frames_are_counted_once_and_twenty_of_them_are_named(tmp_path: Path) -> None:
    twice = bytes(60) + b"canary-0001 canary-0001"
    assert found(capture(tmp_path / "c.pcap", *[twice] * 25), "canary-0001") == [(list(range(1, 21)), 25)]


def test_what_lies_across_two_records_is_in_no_frame(tmp_path: Path) -> None:
    trace = capture(tmp_path / "c.pcap", bytes(60) + b"cana", b"ry-0001" + bytes(60))
    assert found(trace, "canary-0001") == []


def test_frames_that_are_cut_are_counted_and_no_secret_stands_in_what_is_said(tmp_path: Path) -> None:
    trace = capture(tmp_path / "c.pcap", bytes(60), bytes(60) + b"canary-0001", cut=5)
    said = searched(trace, [Secret("serial of one", "canary-0001"), Secret("serial of two", "canary-0002")])
    assert said.found == [IdentifierInClear(identifier="serial of one", frames=[2], count=1)]
    assert (said.cut_frames, "canary" in said.model_dump_json()) == (2, False)
