"""The frames that prove what a trial gives away, as the findings' evidence names them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from correlate.dataset import SIDES, Dataset, clocks
from correlate.dataset.clocks import ClockLine
from correlate.dimensions.endpoints import Seen
from correlate.findings.cases import Case
from correlate.pairs.frames import Evidence
from correlate.tables.layout import plain_text

ANSWER = "answer: "
USER_ID = "user id "
IN_CLEAR = " in clear: "


@dataclass(frozen=True)
class Proof:
    """What frame `frame` (as Wireshark counts) of one side's capture shows. `exposes`: an address of the other phone;
    `address` is that one, else empty. `at_ns` is the controller's time of it, None where the capture's clock was never
    compared; `time_ns` is as stamped."""

    side: str
    frame: int
    what: str
    exposes: bool
    address: str
    time_ns: int
    at_ns: int | None

    @property
    def place(self) -> str:
        """As `--frame` takes it."""
        return f"{self.side}:{self.frame}"


def clock_lines(dataset: Dataset, trial: str) -> Mapping[str, ClockLine]:
    """Side -> the clock that stamped its capture."""
    record = dataset.record(trial)
    return {role: clocks.of(record.clocks[side.clock]) for role, side in record.sides.items()}


def proofs(case: Case, lines: Mapping[str, ClockLine]) -> tuple[Proof, ...]:
    """In order of the sides and frames; those of one frame in the order of the findings."""
    found = [
        Proof(each.capture, each.frame, plain_text(what), bool(address), address, each.time_ns, _at(lines, each))
        for what, address, each in _facts(case)
        if each.capture in lines
    ]
    return tuple(sorted(found, key=lambda each: (SIDES.index(each.side), each.frame)))


def _at(lines: Mapping[str, ClockLine], each: Evidence) -> int | None:
    line = lines[each.capture]
    return line.to_controller(each.time_ns) if line.known else None


def _facts(case: Case) -> Iterator[tuple[str, str, Evidence]]:
    """(what the frame shows, the address that it exposes, the evidence)."""
    for side in SIDES:
        finding = case.endpoints[side]
        for number, each in enumerate(finding.evidence):
            seen = finding.seen[number] if number < len(finding.seen) else None
            if seen is not None and each.what.startswith(f"{seen.role} address {seen.address}"):
                yield f"exposes the {side}'s {seen.role} address {seen.address} ({_where(seen)})", seen.address, each
            elif each.what.startswith(ANSWER):
                yield each.what.removeprefix(ANSWER), "", each
            else:
                yield each.what, "", each
        for each in case.signalling[side].evidence:
            if each.what.startswith(USER_ID):
                yield f"shows the {each.what} of both sides", "", each
            elif IN_CLEAR in each.what:
                yield each.what, "", each


def _where(seen: Seen) -> str:
    return f"{seen.where}, nested" if seen.nested else seen.where
