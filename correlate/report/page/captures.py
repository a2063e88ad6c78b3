"""What the captures of each phone hold and lack: whatever is missing in them cannot be found in the findings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from correlate.dataset import SIDES
from correlate.dataset.record import TrialRecord
from correlate.dataset.record.trial import Side
from correlate.findings.cases import Case
from correlate.tables.statistics import sorted_out

Sided = tuple[str, str]
"""A trial and one of its sides."""


@dataclass(frozen=True)
class Count:
    """In how many of all captures something holds, and which trials these are (`statistics.sorted_out`)."""

    n: int
    total: int
    trials: str


@dataclass(frozen=True)
class Captured:
    """The captures of one phone at one vantage: by which tools, how many packets, and of what each has how many."""

    phone: str
    vantage: str
    tools: str
    captures: int
    packets: int
    dropped: int | None
    flaws: tuple[Count, ...]


FLAWS = (
    "frames cut off",
    "packets dropped by the tool",
    "frames above the MTU",
    "datagrams there twice",
    "STUN that could not be seen",
    "an identifier of the lab in clear",
)
"""The heads of `Captured.flaws`."""


def captures(records: Mapping[str, TrialRecord], cases: Sequence[Case]) -> tuple[Captured, ...]:
    """A row a phone and vantage, in the order of the trials; what was measured is of the trials that could be read."""
    read = {case.trial: case for case in cases}
    groups: dict[tuple[str, str], list[Sided]] = {}
    for trial, record in records.items():
        for name, side in record.sides.items():
            groups.setdefault((side.phone, side.vantage or "not recorded"), []).append((trial, name))
    return tuple(_captured(*key, members, records, read) for key, members in groups.items())


def _captured(
    phone: str, vantage: str, members: list[Sided], records: Mapping[str, TrialRecord], read: Mapping[str, Case]
) -> Captured:
    sides = [_side(records, each) for each in members]
    dropped = [side.counters.dropped for side in sides if side.counters is not None]
    return Captured(
        phone,
        vantage,
        ", ".join(sorted({side.tool or "a tool that nobody recorded" for side in sides})),
        len(sides),
        sum(side.packets for side in sides),
        sum(dropped) if dropped else None,
        tuple(
            _count(members, holds)
            for holds in (
                lambda each: _searched(_side(records, each), lambda found: found.cut_frames > 0),
                lambda each: _dropped(_side(records, each)),
                lambda each: _measured(read, each, lambda case, side: case.volume[side].above_mtu),
                lambda each: _measured(read, each, _is_twice),
                lambda each: _measured(read, each, lambda case, side: bool(case.endpoints[side].unseen)),
                lambda each: _searched(_side(records, each), lambda found: bool(found.found)),
            )
        ),
    )


def _side(records: Mapping[str, TrialRecord], of: Sided) -> Side:
    trial, name = of
    return records[trial].sides["caller" if name == SIDES[0] else "callee"]


def _searched(side: Side, holds: Callable[..., bool]) -> bool | None:
    return None if side.identifiers is None else holds(side.identifiers)


def _dropped(side: Side) -> bool | None:
    return None if side.counters is None else side.counters.dropped > 0


def _measured(read: Mapping[str, Case], of: Sided, holds: Callable[[Case, str], bool]) -> bool | None:
    trial, side = of
    return holds(read[trial], side) if trial in read else None


def _is_twice(case: Case, side: str) -> bool:
    return bool(case.volume[side].tx_duplicates or case.volume[side].rx_duplicates)


def _count(members: Iterable[Sided], holds: Callable[[Sided], bool | None]) -> Count:
    verdicts = [(each[0], holds(each)) for each in members]
    hits = sum(verdict is True for _, verdict in verdicts)
    return Count(hits, len(verdicts), sorted_out(verdicts))
