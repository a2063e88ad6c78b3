"""revision.json: how the YAML of one revision differs from that before."""

from typing import Annotated

from pydantic import Field, StringConstraints

from correlate.dataset.record.base import Count, Document
from correlate.dataset.record.history import FilePath

Shown = Annotated[str, StringConstraints(max_length=100)]


class Change(Document):
    """A key whose value is another one than before."""

    file: FilePath
    """The file below `scenarios/`"""
    key: Annotated[str, StringConstraints(max_length=1000)]
    """The key, by dots; items of a list count from 0"""
    before: Shown | None
    """Its value before, as JSON, shortened; null where it had none"""
    now: Shown | None
    """Its value now, likewise"""


class RevisionRecord(Document):
    """revision.json of a revision of the YAML that came after the first."""

    revision: Annotated[int, Field(ge=1, le=9999)]
    """Its number: that of its folder"""
    before: Count
    """The number of the revision that it is compared with; 0 is the first, `scenarios/` itself"""
    files: list[FilePath]
    """The files below `scenarios/` whose text is another one"""
    changed: list[Change] | None
    """The keys whose value is another one; none where comments or order alone changed; null where the files before
    could not be read"""
