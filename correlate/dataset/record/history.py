"""void.json and the lines of journal.jsonl: what became of attempts."""

from typing import Annotated

from pydantic import Field, StringConstraints

from correlate.dataset.record.base import BySide, Count, Document, Name, Sha256, TrialId

FilePath = Annotated[str, StringConstraints(pattern=r"^[^/\\\n.][^/\\\n]*(/[^/\\\n.][^/\\\n]*)*$", max_length=1000)]
"""A file within a dataset, by `/`; no part of it begins with a dot."""


class VoidRecord(Document):
    """void.json of an attempt that counts for nothing."""

    trial: TrialId
    """The ID"""
    attempt: Count
    """Its number among the attempts that were kept, from 0; one that the bench spoilt has the number of the next"""
    spoilt: Count | None = None
    """Where the bench spoilt it, which attempt so it was with this number, from 1; it is not counted"""
    reason: str
    """Why it is void, in a word"""
    text: str
    """Why it is void, in words"""


class JournalLine(Document):
    """One event of a dataset's history; a key that an event has not is left out."""

    seq: Count
    """Number of the line, from 0"""
    sha256: Sha256
    """SHA-256 of the line before, 64 zeros first"""
    event: Name
    """`begun`, `run`, `attempt`, `completed`, `void`, `interrupted`, `lost` (recorded once, it is gone), `found` (it is
    here, and the journal did not have it), `resolved`, `finished` (a manifest), `reopened` (what the manifest lists is
    about to change), `revision` (the YAML is another one, and is kept), `import`, `redacted` (a secret of the bench
    stood in a text that was to be written, and was replaced: a mistake of the program), `journal_cut`,
    `journal_broken`, `output_lost` (nobody reads what the run prints), `ladder` (a phone or the laptop does not answer,
    and a rung of the recovery ladder is stepped on), `waiting` (a phone is to be charged, to cool down, or to leave
    airplane mode before the next attempt begins), `restarted` (a phone has, as its boot id tells), `parked` (an app
    says that it will not call, or its version moved, and is let be), `unparked` (a person has mended it, or takes the
    version)"""
    trials: Count | None = None
    """`run`, `import`: how many trials"""
    seed: Count | None = None
    """`run`: the seed"""
    faults: Name | None = None
    """`run`: which faults were rehearsed on an emulated bench"""
    list: str | None = None
    """`import`: name of the list"""
    trial: TrialId | None = None
    """Which trial"""
    attempt: Count | None = None
    """Which attempt of it"""
    rung: Name | None = None
    """`ladder`: which rung of the recovery ladder is stepped on, `r3`"""
    on: Name | None = None
    """`ladder`: the phone that does not answer, or `laptop`; `waiting`, `restarted`: the phone"""
    spoilt: Count | None = None
    """`void`: which of those with this number that the bench spoilt, from 1"""
    files: dict[FilePath, Sha256] | None = None
    """SHA-256 of every file that the event recorded, by its path in the dataset"""
    captures: BySide[Sha256] | None = None
    """`completed` by an earlier version, without `files`: SHA-256 of both captures; null where its record could not be
    read"""
    app: Name | None = None
    """`parked`, `unparked`: which app"""
    night_s: Annotated[float, Field(ge=0)] | None = None
    """`completed`, `void`: when, in seconds of the night clock: since the first trial on an emulated bench, else since
    the epoch"""
    calls: Count | None = None
    """`completed`, `void`, `interrupted`: how many calls the attempt placed; none where it is left out"""
    reason: str | None = None
    """`void`, `interrupted`, `waiting`, `parked`: why"""
    text: str | None = None
    """`void`, `ladder`, `waiting`, `parked`: why, in words; `output_lost`: which output, and by what error"""
    field: str | None = None
    """`redacted`: which secret, `serial of pixel6`; never the secret itself"""
    cut_bytes: Count | None = None
    """`journal_cut`: how much of a line that a power loss cut was taken away"""
    file: str | None = None
    """`journal_broken`: a journal whose chain did not hold, as it was kept; none where it was gone. `lost`: a file"""
    file_sha256: Sha256 | None = None
    """`journal_broken`: SHA-256 of that file"""
