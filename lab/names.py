"""Names of servers: PTR look-ups after the run, through the bench's resolver, never over a captured path."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

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
    """The PTR name of an address: `name` without the last dot (null: none), and `how` it was learned or refused.

    Text from a resolver is not trusted: a name is kept only if it is a host name of at most 253 characters. Raises
    `TimeoutError` when nobody answers.
    """
    question = dns.message.make_query(dns.reversename.from_address(str(ip_address(address))), dns.rdatatype.PTR)
    for _ in range(TRIES):
        try:
            answer = dns.query.udp(question, resolver[0], timeout=ANSWER_S, port=resolver[1])
        except (dns.exception.DNSException, OSError):
            continue
        for record_set in answer.answer:
            if record_set.rdtype == dns.rdatatype.PTR:
                name = record_set[0].target.to_text(omit_final_dot=True).lower()
                if len(name) <= 253 and all(c.isalnum() or c in "-._" for c in name):
                    return {"name": name, "how": "PTR"}
        return {"name": None, "how": f"PTR: {dns.rcode.to_text(answer.rcode())}"}
    raise TimeoutError(f"{resolver[0]} port {resolver[1]} does not answer")


def resolve(run: Run, addresses: Iterable[str]) -> int:
    """Ask the bench's resolver for every address without an entry in names.json; returns how many were asked.

    An entry says `name` (or null), `how` and `when_ns` by the bench's clock. Old answers are kept. Where there is no
    resolver, or it does not answer, names stay unknown, the tables say so, and a later run asks again.
    """
    names = run.dataset.names()
    asked = sorted(set(addresses) - set(names))
    if not asked:
        return 0
    with contextlib.closing(open_kind(run.lab, run.spec, Stop())) as bench:
        if bench.resolver is None:
            return 0
        answers: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(TimeoutError):
            for address in asked:
                answers[address] = {**look_up(address, bench.resolver), "when_ns": bench.clock.now_ns()}
    write_json(run.dataset.names_path, dict(sorted((names | answers).items())))
    return len(answers)
