"""Names of servers: PTR look-ups after the run, through the bench's resolver, never over a captured path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename

from correlate.dataset import write_json
from lab.bench import open_kind
from lab.clock import Stop
from lab.run import Run

ANSWER_S = 3.0
TRIES = 3


def look_up(address: str, resolver: tuple[str, int]) -> dict[str, str | None]:
    """The PTR name of an address: `name` without the last dot (null: none), `how` it was learned or why not.

    Text from a resolver is not trusted: a name is kept only if it is a host name of at most 253 characters.
    """
    question = dns.message.make_query(dns.reversename.from_address(str(ip_address(address))), dns.rdatatype.PTR)
    how = "PTR: no answer"
    for _ in range(TRIES):
        try:
            answer = dns.query.udp(question, resolver[0], timeout=ANSWER_S, port=resolver[1])
        except (dns.exception.DNSException, OSError):
            continue
        how = f"PTR: {dns.rcode.to_text(answer.rcode())}"
        for record_set in answer.answer:
            if record_set.rdtype == dns.rdatatype.PTR:
                name = record_set[0].target.to_text(omit_final_dot=True).lower()
                if len(name) <= 253 and all(c.isalnum() or c in "-._" for c in name):
                    return {"name": name, "how": "PTR"}
        break
    return {"name": None, "how": how}


def resolve(run: Run, addresses: Iterable[str]) -> int:
    """Ask the bench's resolver for every address without an entry in names.json; returns how many were asked.

    An entry says `name` (or null), `how` and `when_ns` by the bench's clock. Old answers are kept. A bench without a
    resolver asks nothing: names stay unknown, and the tables say so.
    """
    names = run.dataset.names()
    asked = sorted(set(addresses) - set(names))
    if not asked:
        return 0
    with contextlib.closing(open_kind(run.lab, run.spec, Stop())) as bench:
        if bench.resolver is None:
            return 0
        for address in asked:
            names[address] = {**look_up(address, bench.resolver), "when_ns": bench.clock.now_ns()}
    write_json(run.dataset.names_path, dict(sorted(names.items())))
    return len(asked)
