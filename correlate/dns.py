"""Names that a trace itself tells: A and AAAA answers on UDP port 53 (RFC 1035 4, RFC 3596 2).

Whoever sends a packet from port 53 chooses what is in it, so the decoder is strict: what does not fit is no answer.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from correlate.dataset import Dataset, write_json
from correlate.dataset.names import Answer, is_host_name, newest
from correlate.pairs import CallPair
from correlate.trace import Trace
from correlate.trace.addresses import Address, fold

PORT = 53
A, AAAA, INTERNET = 1, 28, 1
HEADER_BYTES, MAX_NAME_BYTES, MAX_RECORDS = 12, 255, 64
HOW = "DNS in trace"

_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}\Z")
_RESPONSE, _OPCODE_AND_RCODE = 0x8000, 0x780F


def answers(payload: bytes) -> list[tuple[str, Address]]:
    """(owner name, address) of each address record in a response; of one that was cut, those that are whole.

    Never raises. The owner is the last name of a CNAME chain, in lower case, without the last dot.
    """
    found = list[tuple[str, Address]]()
    try:
        for each in _records(payload):
            found.append(each)
    except (ValueError, struct.error, IndexError):
        return found
    return found


def _records(payload: bytes) -> Iterator[tuple[str, Address]]:
    _, flags, questions, count, _, _ = struct.unpack_from(">6H", payload)
    if not flags & _RESPONSE or flags & _OPCODE_AND_RCODE or questions != 1 or count > MAX_RECORDS:
        return
    at = _name(payload, HEADER_BYTES)[1] + 4
    for _ in range(count):
        name, at = _name(payload, at)
        kind, family, _, length = struct.unpack_from(">HHIH", payload, at)
        at += 10
        data = payload[at : at + length]
        at += length
        if len(data) < length:
            return
        if (kind, family, length) == (A, INTERNET, 4):
            yield name, IPv4Address(data)
        elif (kind, family, length) == (AAAA, INTERNET, 16):
            yield name, IPv6Address(data)


def _name(payload: bytes, at: int) -> tuple[str, int]:
    """The name at an offset, and where what follows it begins. A pointer leads only backwards, so none loops."""
    labels, end, size = [], -1, 0
    while (length := payload[at]) != 0:
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | payload[at + 1]
            if target >= at or target < HEADER_BYTES:
                raise ValueError("a pointer that leads forwards")
            end, at = (at + 2 if end < 0 else end), target
            continue
        label = payload[at + 1 : at + 1 + length]
        size += length + 1
        if length > 63 or len(label) < length or size > MAX_NAME_BYTES or not _LABEL.match(label):
            raise ValueError("no label of a host name")
        labels.append(label.decode("ascii").lower())
        at += length + 1
    return ".".join(labels), at + 1 if end < 0 else end


def names_in(trace: Trace) -> dict[Address, tuple[str, int]]:
    """Folded address -> (name, time_ns by the capture's clock) of the last answer that gives it one."""
    found: dict[Address, tuple[str, int]] = {}
    for row in np.flatnonzero(trace.udp.src_port == PORT).tolist():
        for name, address in answers(trace.payload(row)):
            if is_host_name(name):
                found[fold(address)] = (name, int(trace.udp.time_ns[row]))
    return found


def heard(pair: CallPair) -> dict[str, Answer]:
    """Address -> {name, how, when_ns} by the DNS answers between the markers of both traces; the last one counts.

    `when_ns` is the controller's time where the capture's clock was compared with it, else the capture's own.
    """
    return last(
        {
            str(address): {"name": name, "how": HOW, "when_ns": side.clock.to_controller(time_ns)}
            for address, (name, time_ns) in names_in(side.trace).items()
        }
        for side in (pair.a, pair.b)
    )


def last(parts: Iterable[Mapping[str, Answer]]) -> dict[str, Answer]:
    """The last answer of all about each address."""
    found: dict[str, Answer] = {}
    for part in parts:
        for address, answer in part.items():
            if address not in found or found[address]["when_ns"] <= answer["when_ns"]:
                found[address] = answer
    return found


def name_servers(dataset: Dataset, addresses: Iterable[str], heard: Mapping[str, Answer]) -> bool:
    """Writes into names.json what DNS answers in the captures call those of the addresses that have no name there.

    Whether there was any. Older answers are kept. Raises `BadDataset`.
    """
    named, names = dataset.host_names(), dataset.names()
    learned = {address: heard[address] for address in addresses if address in heard and address not in named}
    if learned:
        names |= {address: newest(names.get(address), answer) for address, answer in learned.items()}
        write_json(dataset.names_path, dict(sorted(names.items())))
    return bool(learned)
