"""The clocks of one trial on the controller's time line: read before and after, judged in one place.

What may be kept and what voids the attempt, and why: `docs/decisions/0001-time.md`. Measured figures: `docs/clocks.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv6Network, ip_address
from pathlib import Path
from typing import Any

from correlate.trace import Trace
from lab.clock import DRIFT_LIMIT_PPM, Offset
from lab.errors import AttemptVoid

TRANSIT_NS = 100_000_000
"""A marker may be on its way to the capturing machine for this long after its sender's command has ended. Wi-Fi needs
some milliseconds; a capture is not the worse for a bound that is wider."""

NAT64 = IPv6Network("64:ff9b::/96")

CAPTURE_CUT_NS = 1_000
"""Classic captures have microseconds."""

SYSTEM_STAMPS, OWN_STAMPS = "host", "npcap"
"""What stamps a capture: the system clock (libpcap's default type, pcap-tstamp(7)), or Npcap on Windows, which by
default counts on from its start by the performance counter: a clock of its own, as far off as it has drifted since."""


@dataclass(frozen=True)
class Sent:
    """A marker left its phone between two instants of the controller."""

    from_ns: int
    until_ns: int


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

    def as_json(self) -> dict[str, Any]:
        """A clock of trial.json."""
        return {"before": asdict(self.before), "after": asdict(self.after), "drift_ppm": round(self.drift_ppm, 3)}


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


def marker_times(path: Path, address: str, port: int, nonce: str, *, last: bool) -> dict[str, int]:
    """When a capture stamped this trial's markers, in ns by its own clock, by kind (`live`, `begin`, `end`).

    A capture may hold the markers of both phones, the caller's first: `last` takes the last of each kind. Below a CLAT
    a marker goes to its address behind NAT64 (RFC 6052).
    """
    trace = Trace.read(path)
    udp, goals = trace.udp, {ip_address(address), NAT64[int(ip_address(address))]}
    times: dict[str, int] = {}
    for row in ((udp.dst_port == port) & (udp.time_ns >= 0)).nonzero()[0]:
        words = trace.payload(int(row)).decode("ascii", "replace").rstrip("\n\0").split(" ")
        if udp.addresses[udp.dst[row]] in goals and words[:2] == ["im-call-lab", nonce] and len(words) == 3:
            kind, time_ns = words[2], int(udp.time_ns[row])
            times[kind] = time_ns if last else times.get(kind, time_ns)
    return times


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


def differs(capture: Line, machine: Line) -> bool:
    """Whether a capture's clock is farther off from its machine's system clock than both bounds allow."""
    return any(
        abs(each.offset_ns - machine.offset_ns(each.at_ns)) > each.bound_ns + machine.bound_ns
        for each in (capture.before, capture.after)
    )
