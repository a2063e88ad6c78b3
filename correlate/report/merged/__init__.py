"""Both captures of a trial as one pcapng on one time line, for Wireshark.

What is written is a copy for looking at; nothing of the dataset is touched, and nothing reads it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from correlate.dataset import SIDES, Dataset
from correlate.dataset.clocks import ClockLine
from correlate.dataset.durable import write_bytes
from correlate.dataset.record import TrialRecord
from correlate.errors import BadDataset
from correlate.findings.cases import Case, cases
from correlate.report.merged import blocks
from correlate.report.merged.known_names import known_names
from correlate.report.merged.packets import Face, faces, merged, read
from correlate.report.merged.remarks import comments
from correlate.report.trial.proofs import clock_lines, proofs
from correlate.report.trial.steps import steps

__all__ = ["Merged", "merge"]


@dataclass(frozen=True)
class Merged:
    """The merged file at `path`. `numbers` has for (side, frame of its capture) the number in it, as Wireshark counts;
    `evidence` are the numbers with a proof, in order."""

    path: Path
    numbers: Mapping[tuple[str, int], int]
    evidence: tuple[int, ...]

    def number(self, place: str) -> int:
        """The number of `callee:47`; of nothing that of the first proof, else 1. Raises `BadDataset`."""
        if not place:
            return self.evidence[0] if self.evidence else 1
        side, _, frame = place.partition(":")
        if side not in SIDES or not (frame.isascii() and frame.isdecimal() and len(frame) < 10):
            raise BadDataset(f"--frame {place}: write caller:N or callee:N with a frame's number in that capture")
        if (side, int(frame)) not in self.numbers:
            raise BadDataset(f"--frame {place}: the {side}'s capture has no such packet")
        return self.numbers[side, int(frame)]


def merge(dataset: Dataset, trial: str, path: Path) -> Merged:
    """Writes the merged file of a complete trial; it shows no evidence where findings/ are not there, or could not read
    the trial.

    Raises `BadDataset` where there is no such trial or `path` lies within the dataset, `Unreadable` for a capture that
    is none.
    """
    if path.resolve().is_relative_to(dataset.path.resolve()):
        raise BadDataset(
            f"{path}: lies in the dataset, where nothing is put beside what was recorded; name another --out"
        )
    if trial not in dataset.trial_ids():
        raise BadDataset(f"{trial}: no complete trial of {dataset.path}")
    case = _case(dataset, trial)
    record, traces, lines = dataset.record(trial), read(dataset, trial), clock_lines(dataset, trial)
    on = faces(traces)
    packets = merged(traces, lines, on)
    found = proofs(case, lines) if case is not None else ()
    says = comments(packets, steps(dataset, trial), found)
    head = blocks.section(_about(trial, lines))
    head += b"".join(
        blocks.interface(each.link_type, each.snaplen_bytes, each.name, _described(record, lines, each)) for each in on
    )
    head += blocks.names(known_names(dataset, record, case))
    body = (
        blocks.packet(each.face, each.at_ns, bytes(each.data), each.wire_bytes, says.get(row, ()))
        for row, each in enumerate(packets)
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_bytes(path, b"".join((head, *body)))
    numbers = {(each.side, each.frame): row for row, each in enumerate(packets, 1)}
    exposing = {numbers[each.side, each.frame] for each in found if (each.side, each.frame) in numbers}
    return Merged(path, numbers, tuple(sorted(exposing)))


def _case(dataset: Dataset, trial: str) -> Case | None:
    if not dataset.findings_dir.exists():
        return None
    return next((each for each in cases(dataset).read if each.trial == trial), None)


def _about(trial: str, lines: Mapping[str, ClockLine]) -> str:
    unknown = [side for side, line in lines.items() if not line.known]
    if unknown:
        what = f"the clock of {' and '.join(unknown)} was never compared, these times are its own"
    else:
        what = "times are the controller's, by the recorded clocks"
    return f"{trial}: both captures on one time line; {what}"


def _described(record: TrialRecord, lines: Mapping[str, ClockLine], face: Face) -> str:
    side = record.sides["caller" if face.side == "caller" else "callee"]
    line = lines[face.side]
    off = f"times within {line.bound_ns / 1e6:.3f} ms" if line.known else "its own clock"
    parts = (side.phone, side.network, side.vantage and f"captured at {side.vantage}", side.interface, off)
    return ", ".join(each for each in parts if each)[:300]
