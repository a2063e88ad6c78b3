"""The clocks of one trial on the controller's time line: read before and after, judged in one place.

What may be kept and what voids the attempt, and why: `docs/decisions/0001-time.md`. Measured figures: `docs/clocks.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address
from pathlib import Path

from correlate.trace import Trace
from lab.clocks.offsets import DRIFT_LIMIT_PPM, Exchange, Offset, drift_ns
from lab.errors import AttemptVoid

MARKER_ADDRESS = "192.0.2.1"
MARKER_PORT = 9

TRANSIT_NS = 100_000_000
"""A marker may be on its way to the capturing machine for this long after its sender's command has ended. Wi-Fi needs
some milliseconds; a capture is not the worse for a bound that is wider."""

NAT64 = IPv6Network("64:ff9b::/96")

CAPTURE_CUT_NS = 1_000
"""Classic captures have microseconds, and Npcap counts in them."""

STAMPS, STAMPS_NEEDED = 20, 15
"""How many datagrams a laptop sends itself, and how many different stamps they must have: fewer say that they were not
captured, or that the capture's clock ticks more coarsely than a laptop sends."""

STAMP_LATE_NS = 1_000_000
"""The quickest of a laptop's datagrams is stamped within its sending or at most this much later. Measured on Linux:
within its sending (docs/clocks.md); the allowance is for what was not measured."""

STAMP_TEXT = "stamp-"

SYSTEM_STAMPS, OWN_STAMPS = "host", "npcap"
"""What stamps a capture: the system clock (libpcap's default type, pcap-tstamp(7)), or Npcap on Windows, which by
default counts on from its start by the performance counter: a clock of its own, as far off as it has drifted since."""


class Untold(Exception):
    """Why what a laptop sent does not tell its capture's clock: the event that says so, and its words."""

    def __init__(self, event: str, why: str) -> None:
        super().__init__(why)
        self.event = event


@dataclass(frozen=True)
class Sent:
    """A marker left its phone between two instants of the controller."""

    from_ns: int
    until_ns: int


@dataclass(frozen=True)
class Burst:
    """Datagrams that a laptop sent to a phone's address: when, by number, its system clock before and after each."""

    address: str
    sent: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True)
class Line:
    """A clock that was compared with the controller's before and after a trial."""

    before: Offset
    after: Offset

    @property
    def span_ns(self) -> int:
        return self.after.at_ns - self.before.at_ns

    @property
    def change_ns(self) -> int:
        """How much further ahead it is after the trial than before it."""
        return self.after.offset_ns - self.before.offset_ns

    @property
    def drift_ppm(self) -> float:
        return self.change_ns * 1e6 / self.span_ns if self.span_ns > 0 else 0.0

    @property
    def bound_ns(self) -> int:
        """How far `offset_ns` may be off anywhere between the readings, even where all of the change came at once."""
        return max(self.before.bound_ns, self.after.bound_ns) + abs(self.change_ns)

    @property
    def stepped(self) -> bool:
        """Whether the change is more than both bounds and any drift allow."""
        drifted_ns = max(0, self.span_ns) * DRIFT_LIMIT_PPM // 1_000_000
        return abs(self.change_ns) > self.before.bound_ns + self.after.bound_ns + drifted_ns

    def offset_ns(self, at_ns: int) -> int:
        """How far ahead it was at an instant of the controller, had it drifted evenly."""
        if self.span_ns <= 0:
            return self.before.offset_ns
        return self.before.offset_ns + self.change_ns * (at_ns - self.before.at_ns) // self.span_ns


def without_step(who: str, line: Line) -> Line:
    """`line`. Raises `AttemptVoid("clock_stepped")` where the clock `who` was set during the trial."""
    if line.stepped:
        raise AttemptVoid(
            "clock_stepped",
            f"the clock {who} changed by {line.change_ns / 1e6:+.3f} ms in {line.span_ns / 1e9:.1f} s, more than both "
            f"bounds and a drift of {DRIFT_LIMIT_PPM} ppm: it was set, and times in its capture are not to be trusted; "
            "let it settle, or switch off that it is set from the network",
        )
    return line


def timestamps(laptop_os: str | None) -> str:
    """What stamps a capture that a laptop of this system makes; None is a phone."""
    return OWN_STAMPS if laptop_os is not None and "windows" in laptop_os.lower() else SYSTEM_STAMPS


@dataclass(frozen=True)
class Markers:
    """What this trial's markers are known by; `last` takes the last of each kind, the callee's, and not the first."""

    address: str
    port: int
    nonce: str
    last: bool


def marker_times(trace: Trace, markers: Markers) -> dict[str, int]:
    """When a capture stamped this trial's markers, in ns by its own clock, by kind (`live`, `begin`, `end`).

    A capture may hold the markers of both phones, the caller's first. Below a CLAT a marker goes to its address behind
    NAT64 (RFC 6052).
    """
    times: dict[str, int] = {}
    for (kind, *rest), time_ns in _texts(trace, markers, markers.address):
        if not rest:
            times[kind] = time_ns if markers.last else times.get(kind, time_ns)
    return times


def stamp_times(trace: Trace, markers: Markers, address: str) -> dict[str, dict[int, int]]:
    """When a capture stamped the laptop's own datagrams to a phone first, in ns by its own clock: by kind (`begin`,
    `end`) and number."""
    times: dict[str, dict[int, int]] = {}
    for (kind, *rest), time_ns in _texts(trace, markers, address):
        if kind.startswith(STAMP_TEXT) and len(rest) == 1 and rest[0].isdecimal():
            times.setdefault(kind.removeprefix(STAMP_TEXT), {}).setdefault(int(rest[0]), time_ns)
    return times


def _texts(trace: Trace, markers: Markers, address: str) -> Iterator[tuple[list[str], int]]:
    """The words behind the nonce of each of our datagrams to an address that a capture holds, and their stamps."""
    udp, goals = trace.udp, {ip_address(address), NAT64[int(ip_address(address))]}
    for row in ((udp.dst_port == markers.port) & (udp.time_ns >= 0)).nonzero()[0]:
        words = trace.payload(int(row)).decode("ascii", "replace").rstrip("\n\0").split(" ")
        if udp.addresses[udp.dst[row]] in goals and words[:2] == ["im-call-lab", markers.nonce] and len(words) > 2:
            yield words[2:], int(udp.time_ns[row])


def capture_offset(stamp_ns: int, sent: Sent) -> Offset:
    """How far a capture's clock is ahead: it stamped a marker after it was sent and within `TRANSIT_NS` of the end."""
    lowest = stamp_ns - sent.until_ns - TRANSIT_NS
    highest = stamp_ns + CAPTURE_CUT_NS - sent.from_ns
    return Offset((lowest + highest) // 2, (highest - lowest) // 2 + 1, (sent.from_ns + sent.until_ns) // 2)


def capture_line(stamps: Mapping[str, int], sent: Mapping[str, Sent]) -> Line | None:
    """A capture's clock by the begin and the end marker; None where one of them cannot be told."""
    if any(kind not in stamps or kind not in sent for kind in ("begin", "end")):
        return None
    return Line(*(capture_offset(stamps[kind], sent[kind]) for kind in ("begin", "end")))


def stamped_offset(exchanges: Sequence[Exchange]) -> Offset:
    """How far a capture's clock is ahead of its machine's system clock, in the middle of a burst by the latter.

    Each datagram was sent after the system clock showed `sent_ns`, and its call had ended when it showed `received_ns`;
    the capture stamped it `reading_ns`. It is never stamped before it is sent: the offset is at most the least of all
    stamps less `sent_ns`. That it is stamped before its call ends is no law, for it may wait in a queue. So the
    quickest may be late by `STAMP_LATE_NS`, and by as much more as the middle of the burst is later than the quickest.

    Raises `Untold` where the stamps are too few or too coarse, where the middle waited longer than `STAMP_LATE_NS`
    (then something queues, and all may have waited much longer), and where the system clock was set back meanwhile.
    """
    different = len({each.reading_ns for each in exchanges})
    if different < STAMPS_NEEDED:
        raise Untold("stamps_not_captured", f"{different} different stamps in a burst, {STAMPS_NEEDED} are needed")
    at_ns, middle = (exchanges[0].sent_ns + exchanges[-1].received_ns) // 2, len(exchanges) // 2
    since = sorted(each.reading_ns - each.sent_ns + drift_ns(each, at_ns) for each in exchanges)
    behind = sorted(each.reading_ns - each.received_ns - drift_ns(each, at_ns) for each in exchanges)
    waited_ns = since[middle] - since[0]
    if waited_ns > STAMP_LATE_NS:
        text = f"the laptop queues: half of a burst waited {waited_ns / 1e6:.1f} ms longer than the quickest"
        raise Untold("stamps_not_used", text)
    # The middle one, for a busy laptop may read its clock long after any call has ended. Once down to the quickest.
    lowest = behind[middle] - 2 * waited_ns - STAMP_LATE_NS
    highest = since[0] + CAPTURE_CUT_NS
    if lowest > highest:
        raise Untold("stamps_not_used", "the laptop's system clock was set back during a burst")
    return Offset((lowest + highest) // 2, (highest - lowest) // 2 + 1, at_ns)


def on_controller(offset: Offset, machine: Line) -> Offset:
    """An offset to a machine's system clock, `at_ns` by that clock, as one to the controller's."""
    at_ns = offset.at_ns - machine.offset_ns(offset.at_ns - machine.before.offset_ns)
    return Offset(offset.offset_ns + machine.offset_ns(at_ns), offset.bound_ns + machine.bound_ns, at_ns)


def stamped_line(stamps: Mapping[str, Mapping[int, int]], bursts: Mapping[str, Burst], machine: Line) -> Line:
    """A capture's clock by what its laptop sent before the begin and after the end marker. Raises `Untold`."""
    if machine.stepped:
        by = f"{machine.change_ns / 1e6:+.3f} ms"
        raise Untold("stamps_not_used", f"the laptop's system clock was set during the trial, by {by}")
    found = []
    for kind in ("begin", "end"):
        sent, seen = bursts[kind].sent, stamps.get(kind, {})
        exchanges = [Exchange(sent[each][0], seen[each], sent[each][1]) for each in sorted(sent.keys() & seen.keys())]
        found.append(on_controller(stamped_offset(exchanges), machine))
    return Line(*found)


def capture_clock(
    path: Path,
    markers: Markers,
    sent: Mapping[str, Sent],
    bursts: Mapping[str, Burst],
    machine: Line,
    note: Callable[..., None],
) -> Line:
    """What stamped a capture, on the controller's time line: by what its laptop sent itself, by kind in `bursts`, else
    by the phone's markers with their wide bound. `note(event, **fields)` is told why it is not the former.

    `machine` is the laptop's system clock. Raises `AttemptVoid("marker_not_captured")`.
    """
    trace = Trace.read(path)
    line = capture_line(marker_times(trace, markers), sent)
    if line is None:
        raise AttemptVoid("marker_not_captured", f"{path.name} lacks a begin or end marker with a time")
    if not bursts:
        return line
    stamps = {
        kind: stamp_times(trace, markers, burst.address).get(kind, {}) if burst.sent else {}
        for kind, burst in bursts.items()
    }
    try:
        better = stamped_line(stamps, bursts, machine)
        if differs(line, better):
            by = f"{(better.before.offset_ns - line.before.offset_ns) / 1e6:+.3f} ms"
            raise Untold("stamps_not_used", f"the phone's markers contradict them, by {by}")
    except Untold as error:
        counts = {kind: [len(burst.sent), len(stamps[kind])] for kind, burst in bursts.items()}
        failed = [burst.failed for burst in bursts.values() if burst.failed]
        note(error.event, why=str(error), sent_and_captured=counts, failed=failed)
        return line
    return better


def differs(capture: Line, machine: Line) -> bool:
    """Whether a capture's clock is farther off from its machine's system clock than both bounds allow."""
    return any(
        abs(each.offset_ns - machine.offset_ns(each.at_ns)) > each.bound_ns + machine.bound_ns
        for each in (capture.before, capture.after)
    )
