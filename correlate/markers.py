"""Markers: the datagrams by which each capture shows where its call begins and ends (paper 3.2).

A phone sends them to an address where nobody is. Beside them a laptop may send itself stamps, which tell its capture's
clock. Both carry the nonce of their attempt.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from typing import Literal

import numpy as np

from correlate.dataset.record import Markers
from correlate.errors import Unreadable
from correlate.trace import Datagrams, Trace
from correlate.trace.addresses import Address, fold
from correlate.trace.records import Mask

ADDRESS, PORT = IPv4Address("192.0.2.1"), 9
"""An address that nobody has (RFC 5737 3), and the port of the discard protocol (RFC 863)."""

Sender = Literal["caller", "callee"]
_PREFIX, _STAMP = "im-call-lab", "stamp-"


def text(nonce: str, kind: str) -> str:
    """The payload of a marker; of one attempt `kind` is `live`, `begin` or `end`."""
    return f"{_PREFIX} {nonce} {kind}"


def stamp_text(nonce: str, kind: str) -> str:
    """The payload of a laptop's stamps at the `begin` or the `end`; a blank and the stamp's number follow."""
    return text(nonce, f"{_STAMP}{kind}")


def of(sender: Sender, rows: Sequence[int]) -> int:
    """Which of the rows that hold a marker of one kind, in file order, holds the one of a phone.

    A capture may hold the markers of both phones. The caller's phone sends each of them first: the first row is the
    caller's, the last one the callee's. In a capture of one phone alone it is the same row.
    """
    return rows[0 if sender == "caller" else -1]


def window(trace: Trace, markers: Markers) -> tuple[int, int]:
    """The rows between which a capture holds the call, whosever markers it holds: those of the caller's `begin` and of
    the callee's `end`. Raises `Unreadable` where it has no such marker."""
    rows = _rows(trace, markers)
    for kind in ("begin", "end"):
        if kind not in rows:
            raise Unreadable(trace.path, f"has no {kind} marker of this trial")
    return of("caller", rows["begin"]), of("callee", rows["end"])


def times_ns(trace: Trace, markers: Markers, sender: Sender) -> dict[str, int]:
    """When a capture stamped a phone's markers, by its own clock, by kind; without those that have no time."""
    time_ns, found = trace.udp.time_ns, _rows(trace, markers)
    timed = {kind: [row for row in rows if time_ns[row] >= 0] for kind, rows in found.items()}
    return {kind: int(time_ns[of(sender, rows)]) for kind, rows in timed.items() if rows}


def stamps_ns(trace: Trace, markers: Markers, address: Address) -> dict[str, dict[int, int]]:
    """When a capture stamped a laptop's stamps to a phone's address first, by its own clock: by kind (`begin`, `end`)
    and number."""
    times: dict[str, dict[int, int]] = {}
    for row, (kind, *rest) in _words(trace, markers, address):
        time_ns = int(trace.udp.time_ns[row])
        if kind.startswith(_STAMP) and len(rest) == 1 and rest[0].isdecimal() and time_ns >= 0:
            times.setdefault(kind.removeprefix(_STAMP), {}).setdefault(int(rest[0]), time_ns)
    return times


def is_harness(udp: Datagrams, markers: Markers) -> Mask:
    """Which datagrams go to or come from where the markers go."""
    there = _is(udp, markers.address)
    to, back = there[udp.dst] & (udp.dst_port == markers.port), there[udp.src] & (udp.src_port == markers.port)
    return np.asarray(to | back)


def _rows(trace: Trace, markers: Markers) -> dict[str, list[int]]:
    """Kind -> the rows of the markers of this kind, in file order."""
    found: dict[str, list[int]] = {}
    for row, (kind, *rest) in _words(trace, markers, markers.address):
        if not rest:
            found.setdefault(kind, []).append(row)
    return found


def _words(trace: Trace, markers: Markers, address: Address) -> Iterator[tuple[int, list[str]]]:
    """The rows of the attempt's datagrams to an address, and their words behind the nonce: at least one."""
    udp = trace.udp
    for row in np.flatnonzero(_is(udp, address)[udp.dst] & (udp.dst_port == markers.port)).tolist():
        prefix, *words = trace.payload(row).decode("ascii", "replace").rstrip("\n\0").split(" ")
        if prefix == _PREFIX and words[:1] == [markers.nonce] and len(words) > 1:
            yield row, words[1:]


def _is(udp: Datagrams, address: Address) -> Mask:
    """Which of the addresses are this one, also as NAT64 or IPv6 write it."""
    return np.array([fold(each) == fold(address) for each in udp.addresses], dtype=bool)
