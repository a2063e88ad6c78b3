"""night.json: what came of one night."""

from typing import Annotated, Literal

from pydantic import Field

from correlate.dataset.record import Document, Name
from lab.night.costs import Count
from lab.night.history import Told

Code = Annotated[int, Field(ge=0, le=255)]


class StepRecord(Document):
    """One step of a night."""

    step: Literal["doctor", "run", "analyse", "confirm", "judge", "compare", "count", "retain"]
    """Which"""
    ok: bool
    """Whether it came to its end"""
    text: str
    """What there is to say of it; empty where there is nothing"""
    took_s: float
    """How long it took"""


class Compared(Document):
    """What `invoke compare` says of this night and the last good one. Two nights: it decides no exit code."""

    other: str
    """The other night"""
    exit_code: Code
    """0 nothing changed, 6 a leak opened, 7 something else changed"""
    changed: list[str]
    """What changed, a sentence each"""


class ToldAlarm(Told):
    """What was told of a cell, with its sentence."""

    loud: bool
    """Whether it is an alarm; else a note"""
    sentence: str
    """In words"""


class SentRecord(Document):
    """What came of the message, or of a ping, by one channel."""

    channel: Name
    """Its name in the bench file"""
    kind: str
    """`mail`, `webhook`, `command` or `ping`"""
    when: Literal["begin", "late", "end"]
    """`late`: a message of an earlier night"""
    why: str
    """Why it could not be sent; empty where it was"""


class NightRecord(Document):
    """night.json. While the night goes `verdict` is null."""

    night: Literal[1]
    """1: the number of this form"""
    date: str
    """The name of the night's folder"""
    bench: Name
    """The bench"""
    matrix: Name
    """The matrix"""
    seed: Count
    """The seed of the order and of the draws"""
    dataset: str
    """The dataset's folder, from the folder of all nights"""
    begun: str
    """When the night began, with the offset from UTC"""
    until: str | None
    """No trial was begun that would have ended later; null without a limit"""
    ended: str | None = None
    """When it had ended but for telling"""
    planned: Count = 0
    """So many trials the matrix has"""
    complete: Count = 0
    """So many of them are complete"""
    void: Annotated[list[str], Field(max_length=100_000)] = Field(default_factory=list)
    """Trials all of whose attempts are void"""
    parked: Annotated[list[str], Field(max_length=100_000)] = Field(default_factory=list)
    """Trials that were left out because their app, or who calls whom, is parked"""
    left: Annotated[list[str], Field(max_length=100_000)] = Field(default_factory=list)
    """Trials that were not begun, or are held by the breaker: for the next night"""
    held: Annotated[list[str], Field(max_length=100_000)] = Field(default_factory=list)
    """Those of them that the breaker holds; where there are no others the next night begins a dataset of its own"""
    calls: dict[Name, Count] = Field(default_factory=dict)
    """By app how many calls this night placed"""
    why_left: list[str] = Field(default_factory=list)
    """Why some of them were not begun: hours, data plans, SIMs"""
    notes: list[str] = Field(default_factory=list)
    """What a person has to know of SIMs and of the wear of phones"""
    retention: list[str] = Field(default_factory=list)
    """Which datasets were removed, and why old ones stay"""
    doctor: list[str] = Field(default_factory=list)
    """The doctor's checks that failed"""
    steps: list[StepRecord] = Field(default_factory=list)
    """What was done"""
    told: list[ToldAlarm] = Field(default_factory=list)
    """What is told of cells"""
    compared: Compared | None = None
    """Beside the last good night; null where there is none that can be compared"""
    sent: list[SentRecord] = Field(default_factory=list)
    """Who was told"""
    codes: list[Code] = Field(default_factory=list)
    """All exit codes that hold"""
    verdict: Code | None = None
    """The exit code: the first that holds of 5, 4, 130, 6, 1, 2, 3, 7, 0"""
