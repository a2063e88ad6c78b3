"""A comparison for programs: JSON, and JUnit's XML for a CI server. The same datasets give the same bytes."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from correlate.dataset.durable import write_text
from correlate.errors import CorrelateError
from correlate.report.compare.changes import Change, ClaimChange, ValuesChange
from correlate.report.compare.comparison import Comparison
from correlate.report.compare.gives_away import GIVES_AWAY
from correlate.report.compare.sentences import NIGHTS, sentence

SCHEMA = 1
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(of: Comparison) -> str:
    """All that was compared: the fields of `Comparison` and what it is made of; an end of an interval that is not
    finite is null."""
    document: dict[str, Any] = {"schema": SCHEMA, "exit_code": of.exit_code, **asdict(of), "scope": NIGHTS}
    every: tuple[tuple[str, Sequence[Change]], ...] = (("claims", of.claims), ("values", of.values))
    for key, changes in every:
        for row, change in zip(document[key], changes, strict=True):
            row |= row.pop("unit")
            row["unit"] = change.unit.unit
            row["sentence"] = sentence(change)
            if change.interval is not None:
                row["interval"] = [end if isfinite(end) else None for end in change.interval]
            if isinstance(change, ClaimChange):
                row["gives_away"] = GIVES_AWAY[change.unit.claim].direction
    return json.dumps(document, indent=1, ensure_ascii=False)


def write_junit(of: Comparison, path: Path) -> None:
    """A test case for each claim and app, and for each measure: a change is a failure, what is undecided or has no
    test is skipped. Raises `CorrelateError` where it cannot be written, and for a file in one of the datasets."""
    for source in (of.a, of.b):
        if path.resolve().is_relative_to(Path(source.path).resolve()):
            raise CorrelateError(f"{path}: is in a dataset that is compared; name a file outside with --junit")
    try:
        write_text(path, as_junit(of))
    except OSError as error:
        raise CorrelateError(f"{path}: cannot be written: {error.strerror}; name another file with --junit") from error


def as_junit(of: Comparison) -> str:
    """The XML of `write_junit`."""
    suites = [_suite("claims", of.claims), _suite("measures", of.values)]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>", ""])


def _suite(name: str, changes: tuple[ClaimChange, ...] | tuple[ValuesChange, ...]) -> str:
    failures = sum(each.outcome == "changed" for each in changes)
    skipped = sum(each.outcome in ("undecided", "untested") for each in changes)
    head = f'<testsuite name="{name}" tests="{len(changes)}" failures="{failures}" errors="0" skipped="{skipped}">'
    return "\n".join([f" {head}", *map(_case, changes), " </testsuite>"])


def _case(change: Change) -> str:
    unit = change.unit
    if isinstance(change, ClaimChange):
        name = change.unit.claim
    else:
        name = f"{change.unit.measure}, {change.unit.service}, {change.unit.phase}"
    head = f"  <testcase classname={_attribute(unit.app)} name={_attribute(name)}"
    said = sentence(change)
    if change.outcome == "changed":
        kind = f"leak {change.leak}" if isinstance(change, ClaimChange) and change.leak else "changed"
        return f"{head}><failure type={_attribute(kind)} message={_attribute(said)}/></testcase>"
    if change.outcome in ("undecided", "untested"):
        return f"{head}><skipped message={_attribute(said)}/></testcase>"
    return f"{head}><system-out>{escape(_clean(said))}</system-out></testcase>"


def _attribute(value: str) -> str:
    return quoteattr(_clean(value))


def _clean(value: str) -> str:
    return _NOT_XML.sub("?", value)
