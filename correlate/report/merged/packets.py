"""The packets of both captures of a trial on the controller's time line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from correlate.dataset import SIDES, Dataset
from correlate.dataset.clocks import ClockLine
from correlate.trace import Trace
from correlate.trace.records import NO_INTERFACE, NO_TIME


@dataclass(frozen=True)
class Face:
    """An interface of the merged file: one of a side and a link type, in order of their first packets."""

    side: str
    link_type: int
    snaplen_bytes: int
    name: str


class Packet(NamedTuple):
    """Frame `frame` of a side's capture at the controller's `at_ns`, on interface `face` of the merged file."""

    at_ns: int
    side: str
    frame: int
    face: int
    data: memoryview
    wire_bytes: int


def read(dataset: Dataset, trial: str) -> dict[str, Trace]:
    """Side -> its capture. Raises `Unreadable`; damage does not, what is before it is there."""
    record = dataset.record(trial)
    return {role: Trace.read(dataset.trial_dir(trial) / side.capture) for role, side in record.sides.items()}


def faces(traces: Mapping[str, Trace]) -> tuple[Face, ...]:
    """`caller` and `callee`; a side whose capture has more link types has `caller-2` and so on as well. One without
    packets has the first that its file describes, or raw IP."""
    return tuple(face for side in SIDES for face in _faces(side, traces[side]))


def _faces(side: str, trace: Trace) -> Iterator[Face]:
    used = [number for number in dict.fromkeys(trace.records.interface.tolist()) if number != NO_INTERFACE]
    described = [trace.interfaces[number] for number in used] or list(trace.interfaces[:1])
    snaplens: dict[int, int] = {}
    for each in described:
        before = snaplens.get(each.link_type, each.snaplen_bytes)
        # 0 is no limit.
        snaplens[each.link_type] = max(before, each.snaplen_bytes) if before and each.snaplen_bytes else 0
    for number, (link_type, snaplen_bytes) in enumerate((snaplens or {101: 0}).items(), 1):
        yield Face(side, link_type, snaplen_bytes, side if number == 1 else f"{side}-{number}")


def merged(traces: Mapping[str, Trace], lines: Mapping[str, ClockLine], on: Sequence[Face]) -> list[Packet]:
    """All packets in order of time, of equal times the caller's first; frames of one side at one time stay in order.

    What is a frame to Wireshark and no packet, as a custom block, is left out. A packet without a time has that of the
    one before it.
    """
    number_of = {(face.side, face.link_type): number for number, face in enumerate(on)}
    found = [each for side in SIDES for each in _packets(side, traces[side], lines[side], number_of)]
    return sorted(found, key=lambda each: (each.at_ns, SIDES.index(each.side), each.frame))


def _packets(side: str, trace: Trace, line: ClockLine, number_of: Mapping[tuple[str, int], int]) -> Iterator[Packet]:
    records = trace.records
    columns = (records.start, records.captured, records.wire, records.time_ns, records.interface)
    # A file without any time begins in 1970.
    at_ns = 0 if trace.first_ns is None else _controller_ns(line, trace.first_ns)
    for frame, row in enumerate(zip(*(each.tolist() for each in columns), strict=True), 1):
        start, captured, wire, time_ns, interface = row
        if interface == NO_INTERFACE:
            continue
        at_ns = at_ns if time_ns == NO_TIME else _controller_ns(line, time_ns)
        face = number_of[side, trace.interfaces[interface].link_type]
        yield Packet(at_ns, side, frame, face, trace.data[start : start + captured], wire)


def _controller_ns(line: ClockLine, time_ns: int) -> int:
    return max(0, line.to_controller(time_ns)) if line.known else time_ns
