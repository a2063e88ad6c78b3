"""A and AAAA answers of DNS responses (RFC 1035 4, RFC 3596 2).

Whoever sends a packet from port 53 chooses what is in it, so what does not fit is no answer.
"""

import re
import struct
from ipaddress import ip_address

import dns.message
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from correlate.trace.addresses import Address

HEADER_BYTES, MAX_RECORDS = 12, 64

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
