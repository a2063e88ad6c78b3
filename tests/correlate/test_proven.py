"""Which cells a trial leaves whose claims the phones' own witnesses did not prove, and where that is said."""

import json

import pytest

from correlate import findings, report
from correlate.dataset import Dataset
from correlate.dataset.proven import NEEDS, Lack, lacking
from correlate.dataset.record import Observed
from correlate.findings.cases import NO_CONVERSATION, cases
from correlate.link import legs
from correlate.report.verdict import verdicts
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.figures import figures
from correlate.tables.study import Study
from correlate.tables.with_left_out import grouped
from tests.records import observed, open_claim

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
EVERYTHING = ("answered", "service", "scenario")


def claims_of(**others):
    return Observed.model_validate(observed(**others))


def call_of(build, number, packets=150, talk_s=10.0, others=None, **keys):
    """A relayed voice call with so many media packets each way whose claims are proven but for `others`; `others` None
    stands for a record of which nobody asked the phones."""
    call = build.call(ring_s=4.0, talk_s=talk_s, repetition=number, **keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, packets, packets)
    if others is not None:
        call.claims = observed(**others)
        call.claims["answered"]["value"] = talk_s is not None if "answered" not in others else None
        call.claims["service"]["value"] = call.service if "service" not in others else None
    return call


def study_of(tmp_path, build, *calls):
    build.dataset(tmp_path, calls)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return Study.of(Dataset(tmp_path))


def pick(of, **keys):
    (row,) = (row for row in of.rows if all(row[key] == value for key, value in keys.items()))
    return row


# -- the rule


@pytest.mark.parametrize(
    ("claim", "cells"),
    [
        ("calls", [(), ("answered",), ("service",), ("scenario",)]),
        ("nothing_else", [(), ("answered",), ("service",), ("scenario",)]),
        ("answered", [("answered",), ("scenario",)]),
        ("service", [("service",)]),
        ("rang", [("scenario",)]),
        ("ended_by", [("scenario",)]),
        ("in_front", []),
    ],
)
@pytest.mark.parametrize("verdict", ["undecided", "refuted"])
def test_a_cell_lacks_a_claim_that_is_not_proven_and_that_it_needs(claim, cells, verdict):
    found = claims_of(**{claim: open_claim("why", verdict)})
    asked = [(), ("answered",), ("service",), ("scenario",)]
    assert [cell for cell in asked if lacking(found, "voice", cell)] == cells
    assert {lack for cell in cells for lack in lacking(found, "voice", cell)} <= {Lack(claim, verdict, "why")}


def test_every_claim_but_in_front_is_needed_by_a_cell():
    assert {claim for needed in NEEDS.values() for claim in needed} == set(Observed.model_fields) - {"in_front"}


def test_nobody_lacks_anything_whose_phones_were_not_asked():
    assert lacking(None, "voice", EVERYTHING) == ()
    assert lacking(claims_of(), "voice", EVERYTHING) == ()


@pytest.mark.parametrize(
    ("claim", "value", "lacks"),
    [
        ("calls", 2, [Lack("calls", "refuted", "it was 2")]),
        ("calls", 0, [Lack("calls", "refuted", "it was 0")]),
        ("nothing_else", False, [Lack("nothing_else", "refuted", "it was no")]),
        ("service", "video", [Lack("service", "refuted", "it was video")]),
        ("rang", False, []),
        ("answered", False, []),
        ("ended_by", "system", []),
    ],
)
def test_what_is_proven_to_be_another_call_than_was_asked_lacks_that(claim, value, lacks):
    found = claims_of(**{claim: {"value": value}})
    assert list(lacking(found, "voice", EVERYTHING)) == lacks


def test_a_claim_that_two_kinds_of_cells_need_is_lacked_once():
    found = claims_of(answered=open_claim("the log ran over"))
    assert lacking(found, "voice", ("answered", "scenario")) == (Lack("answered", "undecided", "the log ran over"),)


# -- what becomes of the cells


def test_answered_is_what_the_witnesses_proved_and_not_what_was_asked(tmp_path, build):
    """By `asked` all four have a conversation; on the wire the last two have."""
    calls = [
        call_of(build, 1, 20, others={}),
        call_of(build, 2, 20, others={"answered": {"value": False}}),
        call_of(build, 3, others={"answered": open_claim("the log ran over")}),
        call_of(build, 4),
    ]
    calls[1].claims["answered"]["value"] = False
    study = study_of(tmp_path, build, *calls)
    found = [(case.answered, case.answered_by, case.is_conversation, case.contradiction) for case in study.read]
    assert found == [
        (True, "observed", True, NO_CONVERSATION),
        (False, "observed", False, ""),
        (None, "undecided", None, ""),
        (True, "observed", True, ""),
    ]
    assert study.answered_note == (
        "answered: observed on the phones in 3 trials; undecided by the phones' witnesses, and so neither among "
        "conversations nor among unanswered calls in 1 trials"
    )


@pytest.fixture
def mixed(tmp_path, build):
    """Eight conversations, of which one lacks nothing and each of the others one claim; the last was never asked."""
    lacks = ["", "calls", "rang", "answered", "ended_by", "service", "in_front", None]
    calls = [
        call_of(
            build, number, others=None if claim is None else {claim: open_claim(f"{claim} is open")} if claim else {}
        )
        for number, claim in enumerate(lacks, 1)
    ]
    return study_of(tmp_path, build, *calls)


def test_each_table_leaves_out_whom_its_cells_need(mixed):
    """Of 8: without calls 7; by scenario 4 (rang, answered, ended_by); by service 6; conversations by service 5."""
    made = {each.name: each for each in tables(mixed)}
    cell = {"caller_device": "Device 1 (alpha)", "service": "voice", "measure": "absolute", "session": "longest_relay"}
    assert pick(made["table3"], scenario="caller_hangs_up", direction="lte_to_fixed", measure="relay")["total"] == 4
    assert pick(made["table4"], address="192.0.2.50")["total"] == 7
    assert pick(made["table6"], **cell)["total"] == 6
    assert pick(made["table7"], **cell)["total"] == 5
    assert pick(made["table8"], **cell, volume="frames")["total"] == 5


def test_each_table_says_how_many_and_why_and_what_its_cells_would_be_with_them(mixed):
    made = {each.name: each for each in tables(mixed)}
    assert made["table4"].notes[:3] == (
        "left out: none of 8 trials",
        "not proven, so not in these cells: 1 of 8 trials of maple: calls undecided in 1: calls is open",
        "with them: maple, 192.0.2.50: 8/8 instead of 7/7",
    )
    assert made["table7"].notes[1] == (
        "not proven, so not in these cells: 3 of 8 trials of maple: calls undecided in 1: calls is open; answered "
        "undecided in 1: answered is open; service undecided in 1: service is open"
    )
    assert [note for note in made["table1"].notes if "proven" in note] == []


def test_claims_of_the_service_need_it_proven_and_the_others_do_not(mixed):
    made = claims(mixed)
    of = {row["claim"]: row["total"] for row in made.rows if row["scenario"] == "caller_hangs_up"}
    assert (of["symmetry_in_conversation"], of["service_told_in_conversation"]) == (4, 3)
    (note,) = (note for note in made.notes if note.startswith("not proven"))
    assert note.startswith("not proven, so not in these cells: 5 of 8 trials of maple: calls undecided in 1")


def test_a_claim_of_medians_is_of_the_trials_of_table_6(tmp_path, build):
    """The second trial, with a wholly other duration, has no proven end: it is in Table 6, and so is its median."""
    calls = [call_of(build, 1, others={}), call_of(build, 2, others={"ended_by": open_claim("too late")})]
    calls[1].callee.talk(B, RELAY, 11.0, 41.0, 50, 50)
    study = study_of(tmp_path, build, *calls)
    (row,) = (row for row in claims(study).rows if (row["claim"], row["scenario"]) == ("medians_below_1_4_s", "all"))
    assert (row["n"], row["holds"]) == (0, "no")


def test_the_verdict_is_of_proven_trials_and_figures_show_one(mixed):
    (verdict,) = verdicts(mixed)
    assert (verdict.trials, [phase.trials for phase in verdict.phases]) == (7, [0, 6, 7])
    (told,) = (leak for leak in verdict.phases[1].leaks if leak.what == "voice or video")
    assert told.answer == "5 of 5 trials tell, and rightly (95%: 57 to 100%)"


def test_a_figure_shows_the_first_trial_that_is_proven_to_be_what_it_speaks_of(tmp_path, build):
    study = study_of(
        tmp_path,
        build,
        call_of(build, 1, others={"answered": open_claim("the log ran over")}),
        call_of(build, 2, others={"ended_by": open_claim("too late")}),
        call_of(build, 3, others={}),
    )
    figure6, _, figure8 = figures(study)
    assert {row["trial"] for row in figure6.rows} == {"maple-voice-lte_to_fixed-caller_hangs_up-2"}
    assert figure6.notes[1].startswith("not proven, so not in these cells: 1 of 3 trials of maple: answered")
    assert figure8.notes[1].startswith("not proven, so not in these cells: 2 of 3 trials of maple: answered")


def test_findings_keep_a_row_of_every_complete_trial(mixed):
    assert len(mixed.read) == 8
    assert len(mixed.whole.speaking_of(*EVERYTHING).cases) == 8


def test_a_wrong_pair_with_a_trial_that_is_not_proven_is_no_control(tmp_path, build):
    calls = [call_of(build, number, others={}) for number in (1, 2)]
    calls.append(call_of(build, 3, others={"rang": open_claim("histories ran over")}))
    study = study_of(tmp_path, build, *calls)
    row = pick(claims(study), claim="shared_server", scenario="caller_hangs_up")
    assert (row["total"], row["wrong_pairs"]) == (2, 2)
    row = pick(claims(study.whole), claim="shared_server", scenario="caller_hangs_up")
    assert (row["total"], row["wrong_pairs"]) == (3, 6)


def test_what_is_read_again_of_findings_has_its_claims(tmp_path, build):
    study_of(tmp_path, build, call_of(build, 1, others={}), call_of(build, 2))
    first, second = cases(Dataset(tmp_path)).read
    assert (first.observed.ended_by.value, second.observed) == ("caller", None)


def test_what_is_not_proven_to_be_one_call_and_nothing_else_is_linked_to_nobody(tmp_path, build):
    lacks = [{}, {"calls": open_claim("why")}, {"nothing_else": open_claim("why", "refuted")}]
    lacks.append({"ended_by": open_claim("why")})
    study_of(tmp_path, build, *(call_of(build, number, others=each) for number, each in enumerate(lacks, 1)))
    found, left_out = legs.calls(Dataset(tmp_path))
    assert ([call.trial[-1] for call in found], left_out) == (["1", "4"], 2)


# -- how it is said


def test_reasons_are_grouped_and_the_rest_is_counted():
    whys = ["a", "b", "b", "c", "c", "c", "d", "e"]
    assert list(grouped(Lack("rang", "undecided", why) for why in whys)) == [
        "rang undecided in 8: c (3), b (2), a (1), other reasons (2)"
    ]
    assert list(grouped([Lack("rang", "undecided", "a"), Lack("rang", "refuted", "b\n\x1b[31mc")])) == [
        "rang undecided in 1: a",
        "rang refuted in 1: b [31mc",
    ]


def test_the_page_shows_each_claim_with_its_reasons_and_the_witnesses_of_what_is_open(tmp_path, build):
    said = open_claim("<b>two</b> of them", "refuted", 2) | {"witnesses": ["audio of bravo: 2 spans & more"]}
    build.dataset(
        tmp_path, [call_of(build, 1, others={}), call_of(build, 2, others={"calls": said}), call_of(build, 3)]
    )
    report.build(Dataset(tmp_path))
    page = " ".join((tmp_path / "report.html").read_text().split())
    section = page.split('<h2 id="phones">')[1].split("<h2>Tables")[0]
    assert '<th scope="col">maple, 2 trials</th>' in section
    assert "In 1 of 3 trials nobody asked them" in section
    refuted = '<div class="remark">refuted in 1: &lt;b&gt;two&lt;/b&gt; of them</div>'
    assert f"<tr><td>calls</td> <td><div>proven in 1</div>{refuted}</td> </tr>" in section
    assert "<tr><td>rang</td> <td><div>proven in 2</div></td> </tr>" in section
    assert "<summary>Trials with a claim that is not proven: 1</summary>" in section
    assert "<td><div>audio of bravo: 2 spans &amp; more</div></td>" in section


def test_the_page_says_so_where_nobody_asked_the_phones(tmp_path, build):
    build.dataset(tmp_path, [call_of(build, 1)])
    report.build(Dataset(tmp_path))
    assert "Nobody asked the phones' own witnesses in these trials" in (tmp_path / "report.html").read_text()


def test_the_claims_are_those_of_the_record_on_the_disk(tmp_path, build):
    build.dataset(tmp_path, [call_of(build, 1, others={})])
    (path,) = tmp_path.glob("trials/*/trial.json")
    assert json.loads(path.read_text())["observed"] == Dataset(tmp_path).record(
        "maple-voice-lte_to_fixed-caller_hangs_up-1"
    ).observed.model_dump(mode="json")
