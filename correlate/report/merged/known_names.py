"""Names of addresses for a merged file: those of servers as names.json has them, those of the phones made up."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord
from correlate.findings.cases import Case

MOST = 2000


def known_names(dataset: Dataset, record: TrialRecord, case: Case | None) -> dict[str, str]:
    """Address -> name. A phone's is `caller-private.invalid`, of several `caller-private-2.invalid` and so on: names of
    that domain are nobody's (RFC 2606). An address of both phones is `both-...`; one that was learned both ways is
    public."""
    roles: dict[str, dict[str, str]] = {}
    for side, address, role in _own(record, case):
        before = roles.setdefault(address, {}).get(side)
        roles[address][side] = "public" if before == "public" else role
    found, counts = dict[str, str](), dict[str, int]()
    for address, by_side in roles.items():
        whose = "both" if len(by_side) > 1 else next(iter(by_side))
        stem = f"{whose}-{'public' if 'public' in by_side.values() else 'private'}"
        counts[stem] = counts.get(stem, 0) + 1
        found[address] = f"{stem}.invalid" if counts[stem] == 1 else f"{stem}-{counts[stem]}.invalid"
    servers = {address: name for address, name in _servers(dataset.host_names()) if address not in found}
    return found | dict(list(servers.items())[:MOST])


def _own(record: TrialRecord, case: Case | None) -> Iterator[tuple[str, str, str]]:
    """(side, address, role) as recorded, and as seen: a CG-NAT may map each flow to another address."""
    for side, recorded in record.sides.items():
        for address in recorded.addresses.interface or ():
            yield side, str(address), "private"
        for address in recorded.addresses.probed or ():
            yield side, str(address), "public"
    for whose, finding in case.endpoints.items() if case is not None else ():
        for seen in finding.seen:
            yield whose, seen.address, "private" if seen.role == "private" else "public"


def _servers(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for address, name in names.items():
        try:
            yield str(ip_address(address)), name
        except ValueError:
            continue
