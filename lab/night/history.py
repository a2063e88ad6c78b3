"""history.jsonl: one line a night, the oldest first, appended and never changed.

A night that was gone on with has a second line; of one dataset the last line counts. Nothing in the file is believed:
a line that does not fit is told with its place, stays where it is, and the others count.
"""

import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from correlate import files
from correlate.dataset import documents, durable
from correlate.dataset.record import Document, Name, Provenance, Role
from lab.errors import BadInput, one_line
from lab.night.costs import Battery, Count, Spent

LINE_BYTES = 4 << 20
"""A longer line is no night."""

NIGHTS = 1000
"""So many nights are read, the newest."""

PROBLEMS = 20
"""So many lines that do not fit are told one by one."""

TEXT = 200

_NAME = r"[a-z0-9][a-z0-9_]{0,63}"
Key = Annotated[str, StringConstraints(pattern=rf"^(seen|claim)/{_NAME}/{_NAME}/{_NAME}$")]
"""A cell: `seen` or `claim`, of what, app, scenario. `seen`: something of the other phone (an address, a user id) was
seen in a trace; such a cell opens and closes. `claim`: a claim held."""

Trials = Annotated[int, Field(ge=0, le=1_000_000)]
Said = Annotated[str, AfterValidator(lambda text: one_line(text, TEXT))]
"""A text of a phone or a file, made one bounded line without control characters."""

Kind = Literal["opened", "not_seen_any_more", "rose", "fell", "closed", "seen_once", "unconfirmed"]


class Tally(Document):
    """How often something was so in the trials of a cell."""

    yes: Trials
    """In so many it was"""
    of: Trials
    """So many trials were looked at"""
    undecided: Trials
    """In so many of them nobody can tell"""

    @model_validator(mode="after")
    def _fits(self) -> "Tally":
        if self.yes + self.undecided > self.of:
            raise ValueError(f"{self.yes} yes and {self.undecided} undecided are more than {self.of} trials")
        return self

    @property
    def decided(self) -> int:
        """In so many trials it is known."""
        return self.of - self.undecided


class Frame(Document):
    """Where something was seen."""

    trial: Annotated[str, StringConstraints(pattern=rf"^{_NAME}(-{_NAME})*$", max_length=200)]
    """The trial"""
    side: Role
    """Whose capture"""
    frame: Annotated[int, Field(ge=1, lt=1 << 63)]
    """The number of the frame, from 1"""


class Counts(Tally):
    """A cell in one night, the trials that were asked for to confirm a sighting apart."""

    again: Tally | None = None
    """The fresh trials that were asked for in this night; null where none were"""
    frames: Annotated[list[Frame], Field(max_length=50)] = Field(default_factory=list)
    """Where it was seen, the first sightings"""


class PhoneState(Document):
    """What may differ from night to night on one phone."""

    apps: Annotated[dict[Name, Said | None], Field(max_length=100)]
    """The version of each app"""
    os_build: Said | None
    """The build of the system"""
    patch: Said | None
    """Android's security patch level"""
    carrier: Said | None
    """The operator of its network, by the bench's label"""
    radio: Said | None
    """The kind of its network (lte, nr, wifi)"""
    nat: Said | None
    """The class of its NAT"""
    ipv6: bool | None
    """Whether it had IPv6"""
    egress: Said | None
    """The class of the address that servers saw"""


class Covariates(Document):
    """What else may have moved when a cell did. Unknown is null."""

    phones: Annotated[dict[Name, PhoneState], Field(max_length=20)]
    """By phone"""
    resolver: Said | None
    """The name server that was asked"""
    yaml: Annotated[dict[Said, Said], Field(max_length=500)]
    """SHA-256 of each YAML file below scenarios/"""
    harness: Said | None
    """The version of this program"""
    hour: Annotated[int, Field(ge=0, le=23)] | None
    """The hour at which the night began, at the bench"""


class Told(Document):
    """What was told of a cell after a night."""

    kind: Kind
    """What"""
    cell: Key
    """Of which cell"""
    nights: Annotated[int, Field(ge=1, le=5)]
    """Since how many nights it is so, this one counted"""


class Asked(Document):
    """Further trials that a cell needs."""

    cell: Key
    """Which cell"""
    trials: Annotated[int, Field(ge=1, le=1000)]
    """How many"""
    when: Literal["tonight", "next night"]
    """Before this night ends, or in the next one"""


class Night(Document):
    """One line of history.jsonl."""

    night: Literal[1]
    """1: the number of this form"""
    date: datetime.date
    """The date on which the night began, at the bench"""
    dataset: Said
    """The name of its dataset"""
    bench: Name
    """The bench"""
    matrix: Name
    """The matrix"""
    provenance: Provenance
    """Where the traffic came from"""
    covariates: Covariates
    """What else may have moved"""
    cells: Annotated[dict[Key, Counts], Field(max_length=5000)]
    """By cell what was counted"""
    complete: Count
    """So many trials are complete"""
    void: Count
    """So many attempts are void"""
    parked: Count
    """So many trials were left out because their app is parked"""
    calls: Annotated[dict[Name, Count], Field(max_length=100)]
    """By app the calls that were placed"""
    spent: Annotated[list[Spent], Field(max_length=1000)] | None = None
    """What it took of each phone, by the nights that were at its dataset; null where an earlier version wrote it"""
    batteries: Annotated[dict[Name, Battery], Field(max_length=20)] = Field(default_factory=dict)
    """What each phone said of its battery when the night began"""
    told: Annotated[list[Told], Field(max_length=5000)]
    """What was told of its cells"""
    asked: Annotated[list[Asked], Field(max_length=5000)]
    """The further trials that were not made before it ended"""
    verdict: Annotated[int, Field(ge=0, le=255)]
    """The exit code of the night"""


@dataclass(frozen=True)
class History:
    """The nights that could be read, the oldest first, and a line for each that could not."""

    nights: tuple[Night, ...]
    problems: tuple[str, ...]


def append(path: Path, night: Night) -> None:
    """Adds a night, on the disk when this returns. What a power loss left of a line before stays, as a line of its own.

    Raises `OSError`, and `Damaged` where no regular file stands at `path`.
    """
    line = night.model_dump_json(exclude_defaults=True).encode("utf-8") + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with durable.appending(path) as file:
        file.write(line if new or _ends_a_line(path) else b"\n" + line)
        file.flush()
        os.fsync(file.fileno())
    if new:
        durable.sync(path.parent)


def _ends_a_line(path: Path) -> bool:
    with BufferedReader(files.opened(path)) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - 1))
        return file.read(1) in (b"", b"\n")


def read(path: Path) -> History:
    """The newest 1,000 nights of a file; none where it is missing. Raises `BadInput` where it cannot be read."""
    if not os.path.lexists(path):
        return History((), ())
    nights: dict[str, Night] = {}
    problems: list[str] = []
    try:
        with BufferedReader(files.opened(path)) as file:
            for number, line, whole in _lines(file):
                try:
                    night = _night(line)
                except ValueError as error:
                    cut = "" if whole else "was never finished, as after a power loss: "
                    problems.append(f"{path}:{number}: {cut}{error}; this night is left out")
                    continue
                nights.pop(night.dataset, None)
                nights[night.dataset] = night
                if len(nights) > NIGHTS:
                    del nights[next(iter(nights))]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    if len(problems) > PROBLEMS:
        problems[PROBLEMS:] = [f"{path}: {len(problems) - PROBLEMS} more lines are no nights"]
    return History(tuple(nights.values()), tuple(problems))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None, bool]]:
    """Number, text and whether the line has its end; None for the text of a line that is too long."""
    number = 0
    while line := file.readline(LINE_BYTES):
        number += 1
        if len(line) == LINE_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, None, rest.endswith(b"\n")
        elif line.strip():
            yield number, line, line.endswith(b"\n")


def _night(line: bytes | None) -> Night:
    """Raises `ValueError` with what is wrong, in one line."""
    if line is None:
        raise ValueError(f"is longer than {LINE_BYTES >> 20} MiB")
    try:
        return Night.model_validate_json(line, strict=True)
    except ValidationError as error:
        raise ValueError(one_line(documents.mistake(error))) from None
