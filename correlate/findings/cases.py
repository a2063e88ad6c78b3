"""What trials.csv and findings/*.csv say of a dataset's trials, read back as the dimensions' own dataclasses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from correlate.columns import parse, shifted
from correlate.dataset import SIDES, Dataset
from correlate.dataset.record import Observed, TrialRecord
from correlate.dimensions.duration import Durations
from correlate.dimensions.endpoints import ROLES, Endpoint
from correlate.dimensions.servers import Servers
from correlate.dimensions.service import ServiceType
from correlate.dimensions.signalling import Signals
from correlate.dimensions.volume import MediaTotals, Volumes
from correlate.errors import BadDataset
from correlate.findings import rows, sessions, trials
from correlate.findings.sessions import SessionRow
from correlate.findings.trials import TrialRow

SERVICES = ("voice", "video")
NO_CONVERSATION = "answered, but no conversation on the wire"
NO_ANSWER = "a conversation on the wire, but nobody answered"

KINDS = {
    "endpoints": Endpoint,
    "servers": Servers,
    "duration": Durations,
    "volume": Volumes,
    "service": ServiceType,
    "signalling": Signals,
}
"""What the CSV of each dimension holds, in the order of the fields of `Case`."""


@dataclass(frozen=True)
class Case:
    """A complete trial that could be read: what was asked, what was seen of the phones, what each dimension found.

    `answered` is what was `observed` on the phones or is `stated` in the list of an import (`answered_by`), None where
    neither tells and where the phones' witnesses were asked and could not tell (`undecided`). `observed` is what these
    hold of the call, None where nobody asked them. `started_ns` is the controller's time, None where captures were made
    by hand. All instants are nanoseconds since 1970.
    """

    trial: str
    app: str
    service: str
    direction: str
    scenario: str
    phones: Mapping[str, str]
    endpoints: Mapping[str, Endpoint]
    servers: Mapping[str, Servers]
    duration: Mapping[str, Durations]
    volume: Mapping[str, Volumes]
    service_type: Mapping[str, ServiceType]
    signalling: Mapping[str, Signals]
    sessions: Mapping[str, tuple[SessionRow, ...]] = field(default_factory=dict)
    answered: bool | None = None
    answered_by: Literal["observed", "stated", "undecided", ""] = ""
    started_ns: int | None = None
    observed: Observed | None = None

    @property
    def is_conversation(self) -> bool | None:
        """Whether the trial is one of the conversations: by `answered`; by the wire where nobody looked; None where the
        wire does not tell either, and where somebody looked and could not tell."""
        return self.call.established if self.answered is None and not self.answered_by else self.answered

    @property
    def contradiction(self) -> str:
        """How the phones and the wire contradict each other, in words; empty where they do not."""
        if self.answered is None or self.call.established in (None, self.answered):
            return ""
        return NO_CONVERSATION if self.answered else NO_ANSWER

    @property
    def is_service_known(self) -> bool:
        """Whether anybody wrote down what was called: captures that were made by hand may come without."""
        return self.service in SERVICES

    @property
    def call(self) -> Endpoint:
        """The route, and what else `Endpoint` says of the whole call: it is the same on both sides."""
        return self.endpoints["caller"]


@dataclass(frozen=True)
class Cases:
    """The complete trials in plan order: those that could be read, and why each of the others could not."""

    read: tuple[Case, ...]
    unread: Mapping[str, str]


def cases(dataset: Dataset) -> Cases:
    """Reads trials.csv and findings/. Raises `BadDataset` where a CSV is missing, does not fit, or is of other trials
    than those that are complete."""
    of_trial = trials.read(dataset)
    started_ns = {trial: row.started_ns or 0 for trial, row in of_trial.items()}
    tables = [_read(dataset, name, kind, of_trial) for name, kind in KINDS.items()]
    planned = {entry.id: entry for entry in dataset.plan()}
    complete = dataset.trial_ids()
    if others := sorted((of_trial.keys() | {trial for each in tables for trial in each}) - set(complete)):
        raise BadDataset(f"{dataset.findings_dir}: has rows of {others[0]}, which is not complete; correlate again")
    read, unread, found = [], {}, sessions.read(dataset, started_ns)
    for trial in complete:
        if trial not in of_trial or not all(table.get(trial, {}).keys() == set(SIDES) for table in tables):
            raise BadDataset(f"{dataset.findings_dir}: has no rows of {trial}; correlate again")
        if of_trial[trial].reason:
            unread[trial] = of_trial[trial].reason
            continue
        entry = planned[trial]
        keys = (trial, entry.app, entry.service, entry.direction, entry.scenario, entry.phones)
        by_side = {side: tuple(each for each in found.get(trial, ()) if each.side == side) for side in SIDES}
        values: tuple[Any, ...] = (*keys, *(table[trial] for table in tables), by_side)
        read.append(Case(*values, **observed(dataset.record(trial))))
    return Cases(tuple(read), unread)


def observed(record: TrialRecord) -> dict[str, Any]:
    """The fields of `Case` of what was seen of the phones.

    Whether the call was answered the phones' witnesses say, if they were asked. In a record of before that, what was
    observed is the scenario that was asked (else the attempt is void), and it has a conversation where a time to talk
    was drawn; one that has neither that nor a time to ring does not tell the shape of its scenario.
    """
    asked, claims, scenario = record.asked, record.observed, record.observed_scenario
    answered: bool | None = record.stated_answered
    by = "" if answered is None else "stated"
    # Where a record names another scenario than its trial, its witnesses are those of another call.
    its_own = claims is not None and asked.scenario in record.trial.split("-")
    if claims is not None and its_own:
        is_proven = claims.answered.verdict == "proven"
        answered, by = (claims.answered.value is True, "observed") if is_proven else (None, "undecided")
    elif scenario is not None and scenario == asked.scenario and asked.ring_s is not None:
        answered, by = asked.talk_s is not None, "observed"
    return {"answered": answered, "answered_by": by, "started_ns": record.started_ns, "observed": claims}


def as_truth(case: Case) -> dict[str, Any]:
    """The findings of a trial in the shape and with the names of truth/ID.json (DESIGN), what is found of it."""
    called = [side for side in SIDES if case.signalling[side].calling]
    servers = {side: [asdict(server) for server in case.servers[side].servers] for side in SIDES}
    shared, user_ids = case.servers["caller"].shared, case.signalling["caller"].user_ids
    return {
        "established": case.call.established,
        "routing": case.call.routing,
        "p2p_observed": case.call.p2p_observed,
        "service": case.service_type["caller"].service,
        "role": called[0] if called else None,
        "exposed": {f"{side}_{role}": seen for side in SIDES for role, seen in case.endpoints[side].exposed.items()},
        "servers": {**servers, "shared": None if shared is None else [asdict(server) for server in shared]},
        "user_ids": None if user_ids is None else list(user_ids),
        "media": {side: asdict(case.volume[side].media) for side in SIDES},
    }


def unread_as_truth() -> dict[str, Any]:
    """`as_truth` of a trial that could not be read: null throughout."""
    return {
        **dict.fromkeys(("established", "routing", "p2p_observed", "service", "role", "user_ids")),
        "exposed": dict.fromkeys(f"{side}_{role}" for side in SIDES for role in ROLES),
        "servers": dict.fromkeys((*SIDES, "shared")),
        "media": {side: {each.name: None for each in fields(MediaTotals)} for side in SIDES},
    }


def _read(dataset: Dataset, name: str, kind: type[Any], of_trial: Mapping[str, TrialRow]) -> dict[str, dict[str, Any]]:
    """Trial -> side -> finding of one dimension, None of a trial that could not be read."""
    found: dict[str, dict[str, Any]] = {}

    def take(row: dict[str, str]) -> None:
        trial = row["trial"]
        of = of_trial.get(trial)
        finding = None if of is None or of.reason else shifted(parse(row, kind), of.started_ns or 0)
        found.setdefault(trial, {})[row["side"]] = finding

    rows.read(dataset.findings_dir / f"{name}.csv", dataset.path, take)
    return found
