"""What a night's line in history.jsonl counts of a dataset: its cells, and what else may have moved.

A cell of what was seen is made of the findings of each trial, one of a claim of the claim's verdicts; trials that are
void or left out are in none.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from correlate.dataset import SIDES, Dataset
from correlate.dataset.anchors import SCENARIOS
from correlate.dataset.contents import hashes
from correlate.dataset.installed import installed
from correlate.dataset.record import Role as RecordRole
from correlate.dataset.record import Side, TrialRecord
from correlate.errors import BadDataset
from correlate.findings.cases import Case
from correlate.pairs.addresses import Role
from correlate.report.compare.moved import NOTHING, nat
from correlate.report.compare.reading import Both
from correlate.report.compare.reading import read as read_both
from correlate.report.compare.units import claim_units
from correlate.tables import predicates
from correlate.tables.study import Study
from lab.night.history import Counts, Covariates, Frame, PhoneState, Tally

FRAMES = 3
"""So many places are kept of each cell."""
ROLES: tuple[Role, ...] = ("public", "private")

Cells = dict[str, Counts]


def cells(dataset: Dataset) -> Cells:
    """By key what was counted. Raises `BadDataset` and `NotComparable` where findings are not finished."""
    both = read_both(dataset, dataset)
    return {**dict(_seen(both.a.study)), **dict(_claims(both))}


def with_fresh(counted: Cells, fresh: Cells) -> Cells:
    """The cells with what was counted in the fresh trials that were asked for."""
    return {
        key: counts.model_copy(update={"again": Tally(yes=again.yes, of=again.of, undecided=again.undecided)})
        if (again := fresh.get(key)) is not None and again.of
        else counts
        for key, counts in counted.items()
    }


def _seen(study: Study) -> Iterator[tuple[str, Counts]]:
    for app in study.apps:
        for scenario in study.scenarios:
            chosen = study.select(app=app, scenario=scenario)
            for side in SIDES:
                for role in ROLES:
                    found = [
                        (case, None if predicates.is_void(case) else _exposed(case, side, role)) for case in chosen
                    ]
                    yield f"seen/{side}_{role}/{app}/{scenario}", _counts(found, side, role)
            ids = [(case, predicates.shares_user_ids(case)) for case in chosen]
            yield f"seen/user_ids/{app}/{scenario}", _counts(ids, "")


def _exposed(case: Case, side: str, role: Role) -> bool | None:
    return case.endpoints[side].exposed[role]


def _counts(found: list[tuple[Case, bool | None]], side: str = "", role: str = "") -> Counts:
    """`side` is whose address of this role was seen, in the other one's capture; without them no frame is named. Of a
    trial that is void nothing is decided."""
    yes = [case for case, verdict in found if verdict and not predicates.is_void(case)]
    undecided = sum(verdict is None or predicates.is_void(case) for case, verdict in found)
    frames = islice((frame for case in yes for frame in _frame(case, side, role)), FRAMES) if side else ()
    return Counts(yes=len(yes), of=len(found), undecided=undecided, frames=list(frames))


def _frame(case: Case, side: str, role: str) -> Iterator[Frame]:
    """The first frame that shows it."""
    of_role = (each for each in case.endpoints[side].evidence if each.what.startswith(f"{role} address"))
    for each in islice(of_role, 1):
        capture: RecordRole = "caller" if each.capture == "caller" else "callee"
        if each.frame > 0:
            yield Frame(trial=case.trial, side=capture, frame=each.frame)


def _claims(both: Both) -> Iterator[tuple[str, Counts]]:
    """Each claim of one dataset, which stands on both sides here."""
    for unit in claim_units(both):
        if unit.unit == "trials":
            for cell in unit.cells:
                counts = Counts(yes=cell.a.hits, of=cell.a.total, undecided=cell.a.undecided)
                yield f"claim/{unit.claim}/{unit.app}/{cell.scenario}", counts


def covariates(dataset: Dataset, resolver: str | None, hour: int) -> Covariates:
    """What else may have moved, as the trials and the bench file say it; what nobody recorded is None."""
    info, records = dataset.info(), list(_records(dataset))
    versions = installed(dataset)
    phones = {}
    for device in info.devices:
        sides = [side for record in records for side in record.sides.values() if side.phone == device.name]
        phones[device.name] = PhoneState(
            apps={app: _all(versions.get(app, {}).get(device.name, ())) for app in info.apps},
            os_build=device.os,
            patch=None,
            carrier=device.network,
            radio=_all(side.way_out.kind for side in sides if side.way_out is not None),
            nat=_all(found for side in sides if (found := nat(side.addresses)) != NOTHING),
            ipv6=_ipv6(sides),
            egress=None,
        )
    root = dataset.path / SCENARIOS
    files = {name: digest for name, digest in hashes(root).items() if not name.startswith("rev-")}
    harness = info.versions.get("im-call-lab")
    return Covariates(phones=phones, resolver=resolver, yaml=files, harness=harness, hour=hour)


def _records(dataset: Dataset) -> Iterator[TrialRecord]:
    for trial in dataset.trial_ids():
        try:
            yield dataset.record(trial)
        except BadDataset:
            continue  # findings say why this trial cannot be read


def _all(found: Iterable[str]) -> str | None:
    """Each once; None where there is nothing."""
    return ", ".join(sorted(set(found))) or None


def _ipv6(sides: Iterable[Side]) -> bool | None:
    """Whether a phone had a global IPv6 address in any trial; None where nobody recorded its addresses."""
    known = [side.addresses.interface for side in sides if side.addresses.interface is not None]
    if not known:
        return None
    return any(each.version == 6 and not each.is_link_local for addresses in known for each in addresses)
