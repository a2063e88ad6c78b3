"""The keys of a row: what one groups and joins by, in each CSV of findings/ that has its rows by trial and side."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from correlate.dataset.record import PlanEntry, Role, TrialRecord


@dataclass(frozen=True)
class Key:
    """Which trial, what was asked there, and which side of it; `app_version` is what this side's phone had, None where
    nobody recorded it."""

    trial: str
    app: str
    service: str
    direction: str
    scenario: str
    repetition: int
    side: str
    phone: str
    app_version: str | None


ROLES: tuple[Role, ...] = ("caller", "callee")
COLUMNS = tuple(each.name for each in fields(Key))


def keys(entry: PlanEntry, record: TrialRecord | None) -> Mapping[str, Key]:
    """By side, those of a planned trial; without its record no version is known."""
    asked = (entry.id, entry.app, entry.service, entry.direction, entry.scenario, entry.repetition)
    versions = {side: None if record is None else record.sides[side].app_version for side in ROLES}
    return {side: Key(*asked, side, entry.phones[side], versions[side]) for side in ROLES}
