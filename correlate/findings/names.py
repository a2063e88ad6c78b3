"""Names of servers that the traces themselves tell, by DNS answers on UDP port 53."""

from collections.abc import Iterable, Mapping

import numpy as np

from correlate.dataset import Dataset
from correlate.dataset.names import Answer, is_host_name, newest
from correlate.dns import answers
from correlate.pairs import CallPair
from correlate.trace import Trace
from correlate.trace.addresses import Address, fold

PORT = 53
HOW = "DNS in trace"


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
        dataset.write_names(names)
    return bool(learned)
