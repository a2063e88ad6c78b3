"""report.html: one file that needs nothing else, runs nothing and asks nobody.

Provenance first, then the verdict in three sentences and the matrix that they are made of, figures, linking, trials,
what clocks and captures are worth, what went wrong, tables, claims, errata, versions. Every number links to the list of
its trials, and every trial of that list opens. The same dataset gives the same bytes.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord
from correlate.errors import BadDataset
from correlate.findings.cases import Case
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.report.anchors import trial_anchor
from correlate.report.attempts import troubles
from correlate.report.figures import Sources, figures, style
from correlate.report.noticed import contradictions, noticed
from correlate.report.page.captures import FLAWS, captures
from correlate.report.page.clocks import clocks
from correlate.report.page.lists import Lists
from correlate.report.page.matrix import matrix
from correlate.report.page.retries import retries
from correlate.report.page.sentences import sentences
from correlate.report.trial import HOW_TO_READ, trial_section, trial_style, trial_summary
from correlate.report.verdict import verdicts
from correlate.report.witnessed import witnessed
from correlate.tables.condensed import grids
from correlate.tables.layout import Table
from correlate.tables.study import Study

MOST_TRIALS = 400
"""With more, each trial has a file of its own: a page that holds them all would be slow to open."""
APART = "pages"
"""The folder of these files, beside the page: `trials/` holds what was recorded alone."""
ELSEWHERE = ("linking", "trials", "clocks")
"""Figures that stand in the parts of the page that have these names."""
MATRIX = "matrix"
"""The figure that the page has as a table: there each number is a link to the list of its trials."""
_TO_TRIAL = re.compile(r'href="#(trial-([a-z0-9_-]+))"')


@dataclass(frozen=True)
class Shown:
    """One trial as the page has it: its number in the plan, the line that is always seen, and what it opens on."""

    trial: str
    number: int
    anchor: str
    summary: Markup
    section: Markup


def pages(
    dataset: Dataset, study: Study, made: Sequence[Table], claimed: Table, linked: Mapping[str, Any]
) -> dict[str, str]:
    """report.html by its name, and beside it a file a trial where there are many. Raises `BadDataset`."""
    lists = Lists([entry.id for entry in study.info.plan])
    shown = [_shown(dataset, study, case, lists) for case in study.read]
    drawn = figures(study, Sources.of(dataset, study))
    is_apart = len(shown) > MOST_TRIALS
    text = _template("report.html").render(
        **_frame(study),
        **_facts(dataset, study),
        figures=[each for each in drawn if each.name not in (*ELSEWHERE, MATRIX)],
        elsewhere={name: next((each for each in drawn if each.name == name), None) for name in ELSEWHERE},
        trials=_by_app(study, shown),
        how_to_read=HOW_TO_READ,
        is_apart=is_apart,
        tables=[(each, grids(each)) for each in (*made, claimed)],
        linked=linked,
        lists=lists,
    )
    if not is_apart:
        return {dataset.report_path.name: text}
    files = {
        f"{APART}/{each.trial}.html": _template("apart.html").render(**_frame(study), shown=each) for each in shown
    }
    return {dataset.report_path.name: _TO_TRIAL.sub(rf'href="{APART}/\2.html#\1"', text)} | files


def _frame(study: Study) -> dict[str, Any]:
    """What every page begins with. The policy allows the one style that has this digest, and nothing else."""
    css = _css()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return {
        "info": study.info,
        "provenance": study.provenance,
        "meaning": study.meaning,
        "style": Markup(css),  # noqa: S704 (ours)
        "digest": digest,
    }


@cache
def _css() -> str:
    ours = resources.files("correlate.report").joinpath("templates/page.css").read_text(encoding="utf-8")
    return ours + style() + trial_style()


def _facts(dataset: Dataset, study: Study) -> dict[str, Any]:
    """What the page says of the dataset, but for figures, trials and tables."""
    records, went_wrong, found = _records(dataset), troubles(dataset), verdicts(study)
    parts = matrix(found)
    return {
        "complete": len(study.read) + len(study.unread),
        "planned": len(study.info.plan),
        "unread": study.unread,
        "troubles": went_wrong,
        "retries": retries(study, went_wrong, records, parts),
        "verdicts": found,
        "parts": parts,
        "sentences": sentences(parts),
        "clocks": clocks(records),
        "captures": captures(records, study.read),
        "flaws": FLAWS,
        "witnessed": witnessed(study),
        "revisions": study.revised.notes,
        "proxied": study.proxied,
        "scope": study.scope,
        "out": study.out,
        "contradictions": contradictions(study.read)[1:],
        "remarks": list(noticed(study.read)),
        "not_udp": [case.trial for case in study.cases if case.volume["caller"].transport == MEDIA_NOT_UDP],
        "paper": study.paper,
    }


def _records(dataset: Dataset) -> dict[str, TrialRecord]:
    """Trial -> its record, of those that can be read; `findings` says why another cannot, and the page lists it."""
    found = {}
    for each in dataset.trial_ids():
        try:
            found[each] = dataset.record(each)
        except BadDataset:
            continue
    return found


def _shown(dataset: Dataset, study: Study, case: Case, lists: Lists) -> Shown:
    return Shown(
        case.trial,
        lists.number(case.trial),
        trial_anchor(case.trial),
        trial_summary(study, case),
        trial_section(study, case, dataset),
    )


def _by_app(study: Study, shown: Sequence[Shown]) -> dict[str, list[Shown]]:
    app = {case.trial: case.app for case in study.read}
    found = {name: [each for each in shown if app[each.trial] == name] for name in study.apps}
    return {name: group for name, group in found.items() if group}


@cache
def _template(name: str) -> Template:
    """A template, compiled once a process."""
    environment = Environment(
        loader=PackageLoader("correlate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"anchor": trial_anchor, "digits": "0123456789["}
    return environment.get_template(name)
