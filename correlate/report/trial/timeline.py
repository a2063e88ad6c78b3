"""A trial's time line as geometry: sessions of both sides as bars on one axis, steps as marks, proofs as diamonds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from correlate.dataset import SIDES
from correlate.findings.cases import Case
from correlate.findings.sessions import SessionRow
from correlate.report.trial.proofs import Proof
from correlate.report.trial.steps import MARKERS, Step

WIDTH = 620
"""Units from the first to the last instant; never scaled down, so a unit is a pixel."""
TOP, BAR, HEAD, FOOT = 34, 9, 24, 20
"""Height of the marks' words, of one bar with its gap, of a side's name with its diamonds, and of the axis."""
NEAR = 6
"""Diamonds that are closer than this are one."""
WORD = 52
"""Units that a mark's word takes."""
MOST_BARS = 10
MOST_NAME = 16
TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 8


@dataclass(frozen=True)
class Bar:
    """A session: `direct` between the phones, else with a server."""

    x: int
    y: int
    length: int
    direct: bool
    title: str


@dataclass(frozen=True)
class Mark:
    """A step, with its word at `y`."""

    x: int
    y: int
    word: str


@dataclass(frozen=True)
class Diamond:
    """Frames of one side that expose an address, at one place."""

    x: int
    y: int
    title: str


@dataclass(frozen=True)
class Lane:
    """One side: its name at `y` and its phone below, and how many sessions are not drawn."""

    y: int
    side: str
    phone: str
    more: int


@dataclass(frozen=True)
class TimeLine:
    """All of it, `height` units high; `ticks` are (x, seconds since the origin), `origin` says since what."""

    height: int
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    diamonds: tuple[Diamond, ...]
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[int, int], ...]
    origin: str


@dataclass(frozen=True)
class Axis:
    """Instants of the controller -> units; seconds are since `origin_ns`."""

    low_ns: int
    high_ns: int
    origin_ns: int

    def x(self, at_ns: int) -> int:
        """Where an instant is."""
        return round((at_ns - self.low_ns) * WIDTH / max(1, self.high_ns - self.low_ns))

    def seconds(self, at_ns: int) -> str:
        """`+1.720 s`"""
        return f"{(at_ns - self.origin_ns) / 1e9:+.3f} s"

    def ticks(self) -> tuple[tuple[int, int], ...]:
        """At most MOST_TICKS of them, a round number of seconds apart."""
        low_s, high_s = ((each - self.origin_ns) / 1e9 for each in (self.low_ns, self.high_ns))
        by_s = next((each for each in TICKS_S if (high_s - low_s) / each < MOST_TICKS), TICKS_S[-1])
        first = -int(-low_s // by_s) * by_s
        return tuple((self.x(self.origin_ns + s * 10**9), s) for s in range(first, int(high_s) + 1, by_s)[:20])


def axis(case: Case, steps: Sequence[Step]) -> Axis | None:
    """From the first to the last instant of steps and sessions; None where a clock was never compared, so that there is
    no common time, or there is nothing to draw."""
    sessions = [each for side in SIDES for each in case.sessions.get(side, ())]
    if any(each.first_ns is None for each in sessions):
        return None
    called_ns = [each.at_ns for each in steps if each.word not in MARKERS]
    ends_ns = [ns for each in sessions for ns in (each.first_ns, each.last_ns) if ns is not None]
    if not (instants_ns := [*called_ns, *ends_ns]):
        return None
    low_ns = min(instants_ns)
    return Axis(low_ns, max(instants_ns), called_ns[0] if called_ns else low_ns)


def time_line(
    case: Case, on: Axis, steps: Sequence[Step], proofs: Iterable[Proof], names: Mapping[str, str]
) -> TimeLine:
    """The drawing."""
    marks = [each for each in steps if each.word not in MARKERS]
    proofs, y = list(proofs), TOP
    bars: list[Bar] = []
    lanes, diamonds = [], list[Diamond]()
    for side in SIDES:
        sessions = case.sessions.get(side, ())
        lanes.append(Lane(y + 16, side, case.phones.get(side, "")[:MOST_NAME], max(0, len(sessions) - MOST_BARS)))
        diamonds += _diamonds([each for each in proofs if each.side == side], y + 12, on)
        y += HEAD
        for session in sessions[:MOST_BARS]:
            bars.append(_bar(session, y, on, names))
            y += BAR
    origin = "the call" if marks else "the first packet"
    return TimeLine(y + FOOT, tuple(bars), tuple(_marks(marks, on)), tuple(diamonds), tuple(lanes), on.ticks(), origin)


def _bar(session: SessionRow, y: int, on: Axis, names: Mapping[str, str]) -> Bar:
    first_ns, last_ns = session.first_ns or 0, session.last_ns or 0
    tcp = "" if session.transport == "udp" else f" {session.transport}"
    packets = f", {session.tx_packets}+{session.rx_packets} packets" if session.tx_packets is not None else ""
    title = f"{far_end(session.remote, names)}{tcp}, {session.duration_ns / 1e9:.2f} s{packets}"
    return Bar(on.x(first_ns), y, max(1, on.x(last_ns) - on.x(first_ns)), session.kind == "direct", title)


def far_end(remote: str, names: Mapping[str, str]) -> str:
    """The first of a session's far ends by name, and how many more it has."""
    first, *others = remote.split(", ")
    address, _, port = first.partition(" port ")
    return f"{names.get(address, address)} {port}".strip()[:90] + (f" and {len(others)} more" if others else "")


def _marks(steps: Iterable[Step], on: Axis) -> Iterator[Mark]:
    taken = [-WORD, -WORD]
    for step in steps:
        x = on.x(step.at_ns)
        row = 0 if x - taken[0] >= WORD or x - taken[0] >= x - taken[1] else 1
        taken[row] = x
        yield Mark(x, 11 + 12 * row, step.word)


def _diamonds(proofs: Sequence[Proof], y: int, on: Axis) -> Iterator[Diamond]:
    exposing = [(on.x(each.at_ns), each) for each in proofs if each.exposes and each.at_ns is not None]
    groups: list[list[tuple[int, Proof]]] = []
    for x, proof in sorted(exposing, key=lambda pair: (pair[0], pair[1].frame)):
        if groups and x - groups[-1][0][0] < NEAR:
            groups[-1].append((x, proof))
        else:
            groups.append([(x, proof)])
    for group in groups:
        frames = ", ".join(dict.fromkeys(str(proof.frame) for _, proof in group))
        yield Diamond(min(max(group[0][0], 0), WIDTH), y, f"frame {frames}: {_exposed(group)}")


def _exposed(group: Iterable[tuple[int, Proof]]) -> str:
    return ", ".join(dict.fromkeys(proof.address for _, proof in group))
