"""What a capturing tool counted, and whether that is all of it."""

import re
from dataclasses import dataclass

from lab.errors import AttemptVoid

# tcpdump prints them over several lines at the end, in one line in answer to SIGUSR1.
_TCPDUMP = re.compile(
    r"(\d+) packets? captured,?\s+(\d+) packets? received by filter,?\s+(\d+) packets? dropped by kernel"
)
# An interface's name may hold a quote ("Point d'acces") and has none around it before Wireshark 1.10.
_DUMPCAP = re.compile(r"Packets captured: (\d+)[ ^C]*\s+Packets received/dropped on interface [^\n]*: (\d+)/(\d+) \(")


@dataclass(frozen=True)
class Counters:
    """What the tool says it did. `received` is what the kernel's filter passed to it."""

    captured: int
    received: int
    dropped: int


def all_counters(said: str) -> list[Counters]:
    """What tcpdump or dumpcap counted, each time that it printed it."""
    found = _TCPDUMP.findall(said) or _DUMPCAP.findall(said)
    return [Counters(*map(int, numbers)) for numbers in found]


def last_counters(said: str) -> Counters | None:
    """The last counters that tcpdump or dumpcap printed; None where they left none."""
    return next(reversed(all_counters(said)), None)


def require_all(counters: Counters, who: str, said: str, *, caught_up: bool) -> Counters:
    """`counters`, with which a tool ended; `said` are its words, `who` it is in the error's.

    Raises `AttemptVoid("capture_lost_packets")` where packets were dropped, or are missing that the filter passed:
    unless the tool had caught up with these before it was stopped.
    """
    if counters.dropped or not (caught_up or counters.captured == counters.received):
        raise AttemptVoid("capture_lost_packets", f"{who}: {said[-200:].strip()}")
    return counters
