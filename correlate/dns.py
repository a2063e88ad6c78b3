"""Names that a trace itself tells: A and AAAA answers on UDP port 53 (RFC 1035 4, RFC 3596 2).

Whoever sends a packet from port 53 chooses what is in it, so what does not fit is no answer.
"""

import re
import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

import dns.message
import numpy as np
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from correlate.dataset import Dataset, write_json
from correlate.dataset.names import Answer, is_host_name, newest
from correlate.pairs import CallPair
from correlate.trace import Trace
from correlate.trace.addresses import Address, fold

PORT = 53
HEADER_BYTES, MAX_RECORDS = 12, 64
HOW = "DNS in trace"

_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}\Z")
_RESPONSE, _QR_OPCODE_AND_RCODE = 0x8000, 0xF80F
"""A response to a standard query, without an error (RFC 1035 4.1.1)."""


def answers(payload: bytes) -> list[tuple[str, Address]]:
    """(owner name, address) of each address record in a response, in order; of one that was cut, those that are whole.

    Never raises. The owner is the last name of a CNAME chain, in lower case, without the last dot. From the first name
    on that is not of a host's labels nothing counts.
    """
    if len(payload) < HEADER_BYTES:
        return []
    _, flags, questions, records, _, _ = struct.unpack_from(">6H", payload)
    if flags & _QR_OPCODE_AND_RCODE != _RESPONSE or questions != 1 or records > MAX_RECORDS:
        return []
    # Neither authorities nor additional records: their numbers, the last four bytes of the header, are made 0.
    answered = payload[: HEADER_BYTES - 4] + bytes(4) + payload[HEADER_BYTES:]
    message = dns.message.from_wire(answered, one_rr_per_rrset=True, ignore_trailing=True, continue_on_error=True)
    found = list[tuple[str, Address]]()
    for record in (*message.question, *message.answer):
        *labels, _ = record.name.labels
        if not all(_LABEL.match(label) for label in labels):
            break
        name = b".".join(labels).decode("ascii").lower()
        found += [(name, ip_address(data.address)) for data in record if isinstance(data, A | AAAA)]
    return found


def names_in(trace: Trace) -> dict[Address, tuple[str, int]]:
    """Folded address -> (name, time_ns by the capture's clock) of the last answer that gives it one."""
    found: dict[Address, tuple[str, int]] = {}
    for row in np.flatnonzero(trace.udp.src_port == PORT).tolist():
        for name, address in answers(trace.payload(row)):
            if is_host_name(name):
                found[fold(address)] = (name, int(trace.udp.time_ns[row]))
    return found


def answers_in(pair: CallPair) -> dict[str, Answer]:
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


def name_servers(dataset: Dataset, addresses: Iterable[str], answered: Mapping[str, Answer]) -> bool:
    """Writes into names.json what DNS answers in the captures call those of the addresses that have no name there.

    Whether there was any. Older answers are kept. Raises `BadDataset`.
    """
    named, names = dataset.host_names(), dataset.names()
    learned = {each: answered[each] for each in addresses if each in answered and each not in named}
    if learned:
        names |= {address: newest(names.get(address), answer) for address, answer in learned.items()}
        write_json(dataset.names_path, dict(sorted(names.items())))
    return bool(learned)
