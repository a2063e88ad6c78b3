"""The clocks of one trial on the controller's time line: read before and after, judged in one place.

What may be kept and what voids the attempt, and why: `docs/decisions/0001-time.md`. Measured figures: `docs/clocks.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from correlate import markers
from correlate.dataset.clocks import DRIFT_LIMIT_PPM, ClockLine, Offset
from correlate.dataset.record import Markers
from correlate.trace import Trace
from lab.clocks.offsets import Exchange, drift_ns
from lab.errors import AttemptVoid

TRANSIT_NS = 100_000_000
"""A marker may be on its way to the capturing machine for this long after its sender's command has ended. Wi-Fi needs
some milliseconds; a capture is not the worse for a bound that is wider."""

CAPTURE_CUT_NS = 1_000
"""Classic captures have microseconds, and Npcap counts in them."""

STAMPS, STAMPS_NEEDED = 20, 15
"""How many datagrams a laptop sends itself, and how many different stamps they must have: fewer say that they were not
captured, or that the capture's clock ticks more coarsely than a laptop sends."""

STAMP_LATE_NS = 1_000_000
"""The quickest of a laptop's datagrams is stamped within its sending or at most this much later. Measured on Linux:
within its sending (docs/clocks.md); the allowance is for what was not measured."""

SYSTEM_STAMPS, OWN_STAMPS = "host", "npcap"
"""What stamps a capture: the system clock (libpcap's default type, pcap-tstamp(7)), or Npcap on Windows, which by
default counts on from its start by the performance counter: a clock of its own, as far off as it has drifted since."""


class Unstamped(Exception):
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


def without_step(who: str, line: ClockLine) -> ClockLine:
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


def capture_offset(stamp_ns: int, sent: Sent) -> Offset:
    """How far a capture's clock is ahead: it stamped a marker after it was sent and within `TRANSIT_NS` of the end."""
    lowest = stamp_ns - sent.until_ns - TRANSIT_NS
    highest = stamp_ns + CAPTURE_CUT_NS - sent.from_ns
    return Offset((lowest + highest) // 2, (highest - lowest) // 2 + 1, (sent.from_ns + sent.until_ns) // 2)


def capture_line(stamps: Mapping[str, int], sent: Mapping[str, Sent]) -> ClockLine | None:
    """A capture's clock by the begin and the end marker; None where one of them cannot be told."""
    if any(kind not in stamps or kind not in sent for kind in ("begin", "end")):
        return None
    return ClockLine(*(capture_offset(stamps[kind], sent[kind]) for kind in ("begin", "end")))


def stamped_offset(exchanges: Sequence[Exchange]) -> Offset:
    """How far a capture's clock is ahead of its machine's system clock, in the middle of a burst by the latter.

    Each datagram was sent after the system clock showed `sent_ns`, and its call had ended when it showed `received_ns`;
    the capture stamped it `reading_ns`. It is never stamped before it is sent: the offset is at most the least of all
    stamps less `sent_ns`. That it is stamped before its call ends is no law, for it may wait in a queue. So the
    quickest may be late by `STAMP_LATE_NS`, and by as much more as the middle of the burst is later than the quickest.

    Raises `Unstamped` where the stamps are too few or too coarse, where the middle waited longer than `STAMP_LATE_NS`
    (then something queues, and all may have waited much longer), and where the system clock was set back meanwhile.
    """
    different = len({each.reading_ns for each in exchanges})
    if different < STAMPS_NEEDED:
        raise Unstamped("stamps_not_captured", f"{different} different stamps in a burst, {STAMPS_NEEDED} are needed")
    at_ns, middle = (exchanges[0].sent_ns + exchanges[-1].received_ns) // 2, len(exchanges) // 2
    since = sorted(each.reading_ns - each.sent_ns + drift_ns(each, at_ns) for each in exchanges)
    behind = sorted(each.reading_ns - each.received_ns - drift_ns(each, at_ns) for each in exchanges)
    waited_ns = since[middle] - since[0]
    if waited_ns > STAMP_LATE_NS:
        text = f"the laptop queues: half of a burst waited {waited_ns / 1e6:.1f} ms longer than the quickest"
        raise Unstamped("stamps_not_used", text)
    # The middle one, for a busy laptop may read its clock long after any call has ended. Once down to the quickest.
    lowest = behind[middle] - 2 * waited_ns - STAMP_LATE_NS
    highest = since[0] + CAPTURE_CUT_NS
    if lowest > highest:
        raise Unstamped("stamps_not_used", "the laptop's system clock was set back during a burst")
    return Offset((lowest + highest) // 2, (highest - lowest) // 2 + 1, at_ns)


def on_controller(offset: Offset, machine: ClockLine) -> Offset:
    """An offset to a machine's system clock, `at_ns` by that clock, as one to the controller's."""
    at_ns = offset.at_ns - machine.offset_ns(offset.at_ns - machine.before.offset_ns)
    return Offset(offset.offset_ns + machine.offset_ns(at_ns), offset.bound_ns + machine.bound_ns, at_ns)


def stamped_line(stamps: Mapping[str, Mapping[int, int]], bursts: Mapping[str, Burst], machine: ClockLine) -> ClockLine:
    """A capture's clock by what its laptop sent before the begin and after the end marker. Raises `Unstamped`."""
    if machine.stepped:
        by = f"{machine.change_ns / 1e6:+.3f} ms"
        raise Unstamped("stamps_not_used", f"the laptop's system clock was set during the trial, by {by}")
    found = []
    for kind in ("begin", "end"):
        sent, seen = bursts[kind].sent, stamps.get(kind, {})
        exchanges = [Exchange(sent[each][0], seen[each], sent[each][1]) for each in sorted(sent.keys() & seen.keys())]
        found.append(on_controller(stamped_offset(exchanges), machine))
    return ClockLine(*found)


def capture_clock(
    path: Path,
    known_by: Markers,
    sender: markers.Sender,
    sent: Mapping[str, Sent],
    bursts: Mapping[str, Burst],
    machine: ClockLine,
    note: Callable[..., None],
) -> ClockLine:
    """What stamped a capture, on the controller's time line: by what its laptop sent itself, by kind in `bursts`, else
    by the markers of the phone `sender` with their wide bound. `note(event, **fields)` is told why not the former.

    `machine` is the laptop's system clock. Raises `AttemptVoid("marker_not_captured")`.
    """
    trace = Trace.read(path)
    line = capture_line(markers.times_ns(trace, known_by, sender), sent)
    if line is None:
        raise AttemptVoid("marker_not_captured", f"{path.name} lacks a begin or end marker with a time")
    if not bursts:
        return line
    stamps = {
        kind: markers.stamps_ns(trace, known_by, ip_address(burst.address)).get(kind, {}) if burst.sent else {}
        for kind, burst in bursts.items()
    }
    try:
        better = stamped_line(stamps, bursts, machine)
        if differs(line, better):
            by = f"{(better.before.offset_ns - line.before.offset_ns) / 1e6:+.3f} ms"
            raise Unstamped("stamps_not_used", f"the phone's markers contradict them, by {by}")
    except Unstamped as error:
        counts = {kind: [len(burst.sent), len(stamps[kind])] for kind, burst in bursts.items()}
        failed = [burst.failed for burst in bursts.values() if burst.failed]
        note(error.event, why=str(error), sent_and_captured=counts, failed=failed)
        return line
    return better


def differs(capture: ClockLine, machine: ClockLine) -> bool:
    """Whether a capture's clock is farther off from its machine's system clock than both bounds allow."""
    return any(
        abs(each.offset_ns - machine.offset_ns(each.at_ns)) > each.bound_ns + machine.bound_ns
        for each in (capture.before, capture.after)
    )
