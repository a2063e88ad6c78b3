"""Names of servers: PTR look-ups after the run, through the bench's resolver, never over a captured path.

`correlate.report.build`, which follows, gives those that have none the name of DNS answers in the captures.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename

from correlate.dataset import Dataset
from correlate.dataset.names import Answer, newest, was_asked
from lab.bench.kinds import open_kind
from lab.clocks import deadlines
from lab.clocks.real_time import Deadline
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Lab
from lab.errors import BadInput
from lab.run.plan import Run

TRIES = 3


def look_up(address: str, resolver: tuple[str, int], tries: int = TRIES) -> dict[str, str | None]:
    """The PTR name of an address: `name` without the last dot (null: none), and `how` it was learned or refused.

    Text from a resolver is not trusted: a name is kept only if it is a host name of at most 253 characters. Raises
    `TimeoutError` when nobody answers.
    """
    question = dns.message.make_query(dns.reversename.from_address(str(ip_address(address))), dns.rdatatype.PTR)
    for _ in range(tries):
        try:
            answer = dns.query.udp(question, resolver[0], timeout=deadlines.NAME_ANSWER.s, port=resolver[1])
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
    """Ask the bench's resolver for every address of which names.json has no PTR answer; returns how many were asked.

    An entry says `name` (or null), `how` and `when_ns` by the bench's clock. Old answers are kept. Where there is no
    resolver, or it does not answer, names stay unknown, the tables say so, and a later run asks again.
    """
    names = run.dataset.names()
    asked = sorted(address for address in set(addresses) if not was_asked(names.get(address, {})))
    if not asked:
        return 0
    with contextlib.closing(open_kind(run.lab, run.spec, Stop(), phones=False)) as bench:
        if bench.resolver is None:
            return 0
        answers = ask(asked, bench.resolver, bench.clock.now_ns, math.inf)
    _put(run.dataset, answers)
    return len(answers)


def bench_of(dataset: Dataset, bench: str, scenarios: Path) -> tuple[Lab, BenchSpec]:
    """The bench whose resolver is asked: `bench`, or where that is empty the dataset's own. Raises `BadInput`."""
    lab, own = Lab.load(scenarios), dataset.info().bench
    if not bench and own not in lab.benches:
        there = ", ".join(lab.benches)
        raise BadInput(f"{dataset.path}: its bench '{own}' is not here; name one with --bench: {there}")
    return lab, lab.bench(bench or own)


def repeat(dataset: Dataset, lab: Lab, spec: BenchSpec, addresses: Iterable[str]) -> tuple[int, int]:
    """Ask a bench's resolver for all addresses again; rewrites names.json, for which the dataset is to be held.

    Old answers are kept. Returns how many addresses were answered for, and how many there are. Raises `Damaged`, with
    everything untouched, where what was recorded is not as it was.
    """
    dataset.require_recorded()
    asked = sorted(set(addresses))
    with contextlib.closing(open_kind(lab, spec, Stop(), phones=False)) as kind:
        answers = ask(asked, kind.resolver, kind.clock.now_ns) if kind.resolver is not None else {}
        dataset.reopen()
        _put(dataset, answers)
    return len(answers), len(asked)


def ask(
    addresses: Iterable[str], resolver: tuple[str, int], now_ns: Callable[[], int], within_s: float | None = None
) -> dict[str, Answer]:
    """PTR answers by address; those for whom time runs out, or after whom nobody answers any more, are not in it.

    `within_s`: real time for all of them; None: as for asking again.
    """
    deadline, answers = Deadline(deadlines.NAMES_AGAIN.s if within_s is None else within_s), dict[str, Answer]()
    with contextlib.suppress(TimeoutError):
        for address in addresses:
            if deadline.passed():
                break
            answers[address] = {**look_up(address, resolver), "when_ns": now_ns()}
    return answers


def _put(dataset: Dataset, answers: Mapping[str, Answer]) -> None:
    """Writes answers into names.json, before those that are there."""
    names = dataset.names()
    names |= {address: newest(names.get(address), answer) for address, answer in answers.items()}
    dataset.write_names(names)
