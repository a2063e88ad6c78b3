"""Scenarios that the paper does not have: by their name where a table tells scenarios apart, else apart."""

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.condensed import grids
from correlate.tables.figures import figures
from correlate.tables.layout import as_markdown
from correlate.tables.study import Study, published
from tests.records import observed

A, B, RELAY, OTHER = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478), ("192.0.2.60", 3478)
CELL = {"caller_device": "Device 1 (alpha)", "service": "voice", "measure": "absolute", "session": "longest_relay"}


def call_of(build, number=1, packets=150, talk_s=10.0, relay=RELAY, **keys):
    call = build.call(ring_s=4.0, talk_s=talk_s, repetition=number, **keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, relay, 0.0)
        side.talk(local, relay, 1.0, 11.0, packets, packets)
    call.claims = observed(answered={"value": talk_s is not None})
    return call


@pytest.fixture
def study(tmp_path, build):
    """Two conversations of the paper, one that is answered late, and a call that is cancelled early."""
    app = published()["table2"][0]["app"]
    calls = [
        call_of(build, 1, app=app),
        call_of(build, 2, app=app),
        call_of(build, 1, app=app, scenario="callee_answers_late", relay=OTHER),
        call_of(build, 1, 20, None, app=app, scenario="caller_cancels_early"),
    ]
    build.dataset(tmp_path, calls)
    report.build(Dataset(tmp_path))
    return Study.of(Dataset(tmp_path))


def rows(of, **keys):
    return [row for row in of.rows if all(row[key] == value for key, value in keys.items())]


def test_the_papers_scenarios_come_first_and_the_others_are_named(study):
    assert study.scenarios == ["caller_hangs_up", "callee_answers_late", "caller_cancels_early"]
    assert study.others == ("callee_answers_late", "caller_cancels_early")


def test_whether_another_scenario_is_a_conversation_its_claims_say(study):
    assert [(case.scenario, case.is_conversation) for case in study.read][2:] == [
        ("callee_answers_late", True),
        ("caller_cancels_early", False),
    ]


def test_table_3_has_a_row_a_scenario_and_nothing_of_the_paper_beside_another_one(study):
    made = tables(study)[2]
    (row,) = rows(made, scenario="callee_answers_late", direction="lte_to_fixed", measure="caller_public")
    assert (row["total"], row["paper_n"], row["agreement"]) == (1, None, "")
    (row,) = rows(made, scenario="caller_hangs_up", direction="lte_to_fixed", measure="caller_public")
    assert (row["total"], row["paper_n"]) == (2, 6)
    assert rows(made, scenario="caller_cancels_early", measure="relay") == []


def test_the_papers_rows_of_tables_that_do_not_tell_scenarios_are_of_its_scenarios_alone(study):
    """All four calls are voice calls of one phone."""
    made = {each.name: each for each in tables(study)}
    found = {
        scenario: [row["total"] for row in rows(made["table6"], **CELL, scenario=scenario)]
        for scenario in (None, "callee_answers_late", "caller_cancels_early")
    }
    assert found == {None: [2], "callee_answers_late": [1], "caller_cancels_early": [1]}
    assert [row["total"] for row in rows(made["table7"], **CELL)] == [2, 1]
    (row,) = rows(made["table6"], **CELL, scenario="callee_answers_late")
    assert (row["paper_median"], row["agreement"]) == (None, "")
    (row,) = rows(made["table6"], **CELL, scenario=None)
    assert row["paper_median"] is not None
    assert made["table6"].notes[-1] == (
        "scenarios that the paper does not have stand apart, each by itself: callee_answers_late (1 trials), "
        "caller_cancels_early (1 trials)"
    )


def test_a_server_of_another_scenario_stands_apart_too(study):
    made = tables(study)[3]
    assert [(row["scenario"], row["n"], row["total"]) for row in rows(made, address="192.0.2.60")] == [
        ("callee_answers_late", 1, 1)
    ]
    assert [(row["scenario"], row["total"]) for row in rows(made, address="192.0.2.50")] == [
        (None, 2),
        ("caller_cancels_early", 1),
    ]
    assert {row["paper_address"] for row in made.rows if row["scenario"]} == {None}


def test_claims_have_a_row_for_it_that_the_paper_does_not_claim(study):
    found = rows(claims(study), claim="symmetry_in_conversation", scenario="callee_answers_late")
    assert [(row["total"], row["paper_claims"], row["agreement"]) for row in found] == [(1, None, "")]
    assert [row["total"] for row in rows(claims(study), claim="no_disclosure_before_answer")] == [1]


def test_without_another_scenario_all_rows_are_the_papers(tmp_path, build):
    build.dataset(tmp_path, [call_of(build, 1), call_of(build, 1, scenario="unknown", service="unknown")])
    report.build(Dataset(tmp_path))
    of_unknown = Study.of(Dataset(tmp_path))
    assert of_unknown.others == ()
    assert {row["scenario"] for row in tables(of_unknown)[5].rows} == {None}


def test_the_page_folds_the_other_scenarios_below_the_papers(study, tmp_path):
    made = {each.name: each for each in tables(study)}
    shapes = grids(made["table4"])
    assert [(shape.caption, shape.is_folded) for shape in shapes] == [
        ("", False), ("Scenario callee answers late", True), ("Scenario caller cancels early", True),
    ]  # fmt: skip
    assert "<summary>Scenario callee answers late</summary>" in as_markdown(made["table4"], shapes)
    page = (tmp_path / "report.html").read_text()
    assert "<summary>Scenario caller cancels early: The other session rules" in page
    assert {row["trial"].split("-")[3] for row in figures(study)[0].rows} == {"caller_hangs_up"}


def test_a_claim_of_medians_is_of_the_papers_scenarios_alone(tmp_path, build):
    """Late calls whose sides differ by 30 s would be the median."""
    late = [call_of(build, number, scenario="callee_answers_late") for number in (1, 2)]
    for call in late:
        call.callee.talk(B, RELAY, 11.0, 41.0, 50, 50)
    build.dataset(tmp_path, [call_of(build, 1), *late])
    report.build(Dataset(tmp_path))
    made = claims(Study.of(Dataset(tmp_path)))
    (row,) = rows(made, claim="medians_below_1_4_s", scenario="all")
    assert (row["n"], row["undecided"], row["holds"]) == (1, 3, None)
