"""The documents of a dataset as models: what stands in each file, key by key. No codec, and nothing but pydantic and
RE2."""

from correlate.dataset.record.analysis import Analysis, RoleRule, UserIds
from correlate.dataset.record.base import ID_CHARACTERS, SCHEMA, Document, Name, Port, Role, Service, nullable, stepped
from correlate.dataset.record.history import JournalLine, VoidRecord
from correlate.dataset.record.info import AppEntry, DatasetRecord, Device, Machine, PlanEntry, Provenance
from correlate.dataset.record.observed import Claim, Limits, Observed, Verdict
from correlate.dataset.record.patterns import LIBRARY, refusal
from correlate.dataset.record.revision import Change, RevisionRecord
from correlate.dataset.record.trial import (
    Addresses,
    Asked,
    Clock,
    Counters,
    IdentifierInClear,
    Lease,
    Markers,
    Reading,
    Searched,
    Side,
    TrialRecord,
    WayOut,
)

DOCUMENTS: dict[str, type[Document]] = {
    "dataset": DatasetRecord,
    "trial": TrialRecord,
    "void": VoidRecord,
    "journal": JournalLine,
    "revision": RevisionRecord,
}
"""What has a JSON Schema: dataset.json, trial.json, void.json, each line of journal.jsonl, and revision.json."""

__all__ = [
    "DOCUMENTS", "ID_CHARACTERS", "LIBRARY", "SCHEMA", "Addresses", "Analysis", "AppEntry", "Asked", "Change",
    "Claim", "Clock", "Counters", "DatasetRecord", "Device", "Document", "IdentifierInClear", "JournalLine", "Lease",
    "Limits", "Machine", "Markers", "Name", "Observed", "PlanEntry", "Port", "Provenance", "Reading",
    "RevisionRecord", "Role", "RoleRule", "Searched", "Service", "Side", "TrialRecord", "UserIds", "Verdict",
    "VoidRecord", "WayOut", "nullable", "refusal", "stepped",
]  # fmt: skip
