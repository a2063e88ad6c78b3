"""dataset.json: what was planned, with what, on which bench."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from correlate.dataset.record.analysis import Analysis
from correlate.dataset.record.base import Count, Document, Name, Sha256, TrialId
from correlate.dataset.record.patterns import LIBRARY, refusal

Provenance = Literal["modelled", "rehearsed", "measured"]


class Machine(Document):
    """The machine whose hotspot captures."""

    model: str | None
    """Its model"""
    os: str | None
    """Its system"""
    tools: list[str]
    """What is on it for the trials"""


class Device(Machine):
    """A phone."""

    name: Name
    """Its name"""
    network: Name | None
    """Label of its network"""


class AppEntry(Document):
    """An app that is called with."""

    package: str | None
    """Its package on Android"""
    version: str | None
    """The version of the app's file; a trial records the installed one"""
    services: list[str]
    """The services that are called"""
    analysis: Analysis | None
    """All that the correlator is told about the app (`docs/add-an-app.md`); null: generic rules"""


class PlanEntry(Document):
    """A planned trial; `unknown` where captures were made by hand and nobody wrote it down."""

    id: TrialId
    """The ID"""
    app: Name
    """The app, one of `apps`"""
    service: Name
    """`voice` or `video`"""
    direction: Name
    """Which phone calls which, by their networks"""
    scenario: Name
    """The scenario"""
    repetition: Count
    """Which of the trials of this kind, from 1"""
    caller: Name
    """The phone that calls"""
    callee: Name
    """The phone that is called"""

    @property
    def phones(self) -> dict[str, str]:
        """Both phones by their side."""
        return {"caller": self.caller, "callee": self.callee}


class DatasetRecord(Document):
    """dataset.json."""

    schema_number: Literal[2] = Field(alias="schema")
    """2"""
    name: str
    """The folder's name when it was made"""
    bench: str
    """The bench that was run; another one is another dataset"""
    matrix: str
    """The matrix that was run; another one is another dataset"""
    seed: Count
    """The seed; another one is another dataset"""
    provenance: Provenance
    """`modelled` (a virtual bench), `rehearsed` (the rig) or `measured` (real phones). Every table repeats it"""
    contact: str
    """Who answers for the data"""
    approval: str
    """The reference of the approval"""
    licence: str = ""
    """Under which licence the data are, best by its SPDX identifier; empty where the bench file states none. It may be
    left out"""
    scenario_hash: Sha256 | None
    """SHA-256 over what of the YAML decides the data ([which](#revisions-of-the-yaml)); an earlier version took the
    bytes of the files; null where there was none"""
    versions: dict[str, str]
    """Of Python, of the system and of every library"""
    devices: list[Device]
    """The phones, Device 1 first, as below"""
    laptop: Machine | None
    """The machine whose hotspot captures: `model`, `os`, `tools`; null where nobody recorded it"""
    apps: dict[Name, AppEntry]
    """The apps by name, as below"""
    plan: list[PlanEntry]
    """The trials in order, as below"""

    @model_validator(mode="after")
    def _plan_fits(self) -> Self:
        seen: set[str] = set()
        for number, entry in enumerate(self.plan):
            if entry.id in seen:
                raise _misfit(("plan", number, "id"), f"plan names a trial twice: {entry.id}")
            if entry.app not in self.apps:
                raise _misfit(("plan", number, "app"), f"'{entry.app}' is none of apps")
            seen.add(entry.id)
        return self

    @model_validator(mode="after")
    def _patterns_are_linear(self) -> Self:
        for name, app in self.apps.items() if LIBRARY in self.versions else ():
            twins = app.analysis.twins if app.analysis else None
            if twins and (why := refusal(twins)):
                raise _misfit(("apps", name, "analysis", "twins"), f"is nothing that RE2 matches: {why}")
        return self


def _misfit(place: tuple[str | int, ...], text: str) -> PydanticCustomError:
    """What does not fit between parts that are each right by themselves; `place` is where it stands."""
    return PydanticCustomError("misfit", "{text}", {"text": text, "below": place})
