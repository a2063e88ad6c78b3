"""The figures of the paper's whole matrix: as many marks as trials, and no more bytes than the page has room for."""

from xml.etree import ElementTree

import pytest

from correlate.dataset import Dataset
from correlate.report.figures import Sources, figures
from correlate.tables.study import Study

MOST_BYTES = 420_000


@pytest.mark.full
def test_the_papers_matrix_is_drawn_trial_by_trial(paper: Dataset) -> None:
    study = Study.of(paper)
    made = {each.name: each for each in figures(study, Sources.of(paper, study))}
    marks = {
        name: sum(svg.count("<circle") for _, svg in made[name].svgs)
        for name in ("duration", "media", "rate", "clocks")
    }
    counted = len([case for case in study.cases if case.is_conversation])
    assert marks["media"] == marks["rate"] == counted == 72
    assert (marks["clocks"], len(made["trials"].rows)) == (3 * 180, 180)
    assert marks["duration"] == sum(row["drawn"] == "yes" for row in made["duration"].rows)
    assert [name for name, each in made.items() if not each.svgs] == []
    for each in made.values():
        for _, svg in each.svgs:
            ElementTree.fromstring(str(svg))
    assert sum(len(each.html.encode()) for each in made.values()) <= MOST_BYTES
    cells = {(row["app"], row["what"], row["phase"]): row for row in made["matrix"].rows}
    row = cells["messenger", "caller's address", "before anyone answers"]
    assert (row["n"], row["total"], row["level"]) == (36, 36, "always")
    assert {row["app"] for row in made["user_ids"].rows} == {"messenger", "snapchat"}
