"""Which trials a cell speaks of is decided by what was seen of the phones, and where the wire says otherwise."""

from dataclasses import replace

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import NO_ANSWER, NO_CONVERSATION, cases
from correlate.report.verdict import verdicts
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.predicates import tally
from correlate.tables.study import Study, published

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def call_of(build, packets, **keys):
    """A relayed call with so many media packets each way; from 100 on it is a conversation."""
    call = build.call(ring_s=4.0, **keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, packets, packets)
    return call


def study_of(tmp_path, build, *calls):
    build.dataset(tmp_path, calls)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return Study.of(Dataset(tmp_path))


@pytest.mark.parametrize(
    ("keys", "answered", "by"),
    [
        ({"ring_s": 4.0, "talk_s": 20.0}, True, "observed"),
        ({"ring_s": 4.0}, False, "observed"),
        ({"ring_s": 4.0, "talk_s": 20.0, "observed": False}, None, ""),
        ({}, None, ""),
    ],
)
def test_answered_is_what_was_observed_and_null_where_nobody_looked(tmp_path, build, keys, answered, by):
    study = study_of(tmp_path, build, build.call(**keys))
    (case,) = study.cases
    assert (case.answered, case.answered_by) == (answered, by)


@pytest.mark.parametrize(
    ("answered", "established", "is_conversation", "contradiction"),
    [
        (True, True, True, ""),
        (True, False, True, NO_CONVERSATION),
        (True, None, True, ""),
        (False, True, False, NO_ANSWER),
        (False, False, False, ""),
        (False, None, False, ""),
        (None, True, True, ""),
        (None, False, False, ""),
        (None, None, None, ""),
    ],
)
def test_the_phones_decide_and_the_wire_where_nobody_looked(
    tmp_path, build, answered, established, is_conversation, contradiction
):
    (case,) = study_of(tmp_path, build, build.call()).cases
    endpoints = {side: replace(each, established=established) for side, each in case.endpoints.items()}
    case = replace(case, endpoints=endpoints, answered=answered)
    assert (case.is_conversation, case.contradiction) == (is_conversation, contradiction)


@pytest.fixture
def contradicted(tmp_path, build):
    """A conversation, an answered call without one on the wire, and a conversation in a call that nobody answered."""
    talk = {"talk_s": 10.0}
    return study_of(
        tmp_path,
        build,
        call_of(build, 150, **talk),
        call_of(build, 20, repetition=2, **talk),
        call_of(build, 150, scenario="caller_cancels"),
        call_of(build, 20, scenario="caller_cancels", repetition=2),
    )


def pick(of, **keys):
    (row,) = (row for row in of.rows if all(row[key] == value for key, value in keys.items()))
    return row


def test_an_answered_call_without_a_conversation_leaves_the_route_open_and_nothing_else(contradicted):
    table3 = tables(contradicted)[2]
    cell = {"scenario": "caller_hangs_up", "direction": "lte_to_fixed"}
    relay = pick(table3, **cell, measure="relay")
    assert (relay["n"], relay["total"], relay["undecided"]) == (1, 2, 1)
    assert relay["reason"] == f"1 of 2 trials undecided: {NO_CONVERSATION}"
    silent = pick(table3, **cell, measure="no_disclosure")
    assert (silent["n"], silent["total"], silent["undecided"]) == (2, 2, 0)
    service = pick(claims(contradicted), claim="service_told_in_conversation", scenario="caller_hangs_up")
    assert (service["total"], service["undecided"], service["reason"]) == (
        2,
        1,
        f"1 of 2 trials undecided: {NO_CONVERSATION}",
    )
    volume = pick(
        tables(contradicted)[6],
        caller_device="Device 1 (alpha)", service="voice", measure="absolute", session="longest_relay",
    )  # fmt: skip
    assert (volume["n"], volume["total"]) == (2, 2)


def test_a_conversation_that_nobody_answered_leaves_every_cell_open(contradicted):
    table3 = tables(contradicted)[2]
    for measure in ("no_disclosure", "caller_public"):
        row = pick(table3, scenario="caller_cancels", direction="all", measure=measure)
        assert (row["total"], row["undecided"], row["reason"]) == (2, 1, f"1 of 2 trials undecided: {NO_ANSWER}")
    assert {row["measure"] for row in table3.rows if row["scenario"] == "caller_cancels"} & {"p2p", "relay"} == set()
    told = [row for row in claims(contradicted).rows if row["scenario"] == "caller_cancels"]
    assert {row["claim"] for row in told if row["total"] == 2 and row["undecided"] in (1, 2)} == {
        row["claim"] for row in told
    }
    lasted = pick(
        tables(contradicted)[5],
        caller_device="Device 1 (alpha)", service="voice", measure="absolute", session="longest_relay",
    )  # fmt: skip
    assert (lasted["n"], lasted["total"], lasted["reason"]) == (3, 4, f"{NO_ANSWER} in 1 of 4 trials")


def test_a_verdict_of_the_phones_alone_puts_a_call_among_the_conversations(tmp_path, build):
    """Fewer than 100 packets each way: by the wire no conversation, whatever the scenario is called."""
    study = study_of(tmp_path, build, call_of(build, 20, talk_s=10.0))
    assert {row["claim"] for row in claims(study).rows if "before_answer" in str(row["claim"])} == set()
    assert tally(study.cases, lambda case: case.is_conversation)["n"] == 1


def test_what_the_dataset_says_of_its_cases_is_read_again(tmp_path, build):
    study_of(tmp_path, build, call_of(build, 150, talk_s=10.0))
    (case,) = cases(Dataset(tmp_path)).read
    assert (case.answered, case.started_ns) == (True, None)


def paired(build, app, *answered):
    """Trials of an app that the paper knows, caller on LTE: a relayed conversation, or an answered call without one."""
    return [
        call_of(build, packets, app=app, talk_s=10.0, repetition=number) for number, packets in enumerate(answered, 1)
    ]


@pytest.mark.parametrize(
    ("packets", "measure", "shown"),
    [
        ((150, 150), "relay", (2, 0, "yes", 1.0, "differs (by construction)")),
        ((150, 20), "relay", (1, 1, "yes", None, "differs (by construction)")),
        ((20, 20), "relay", (0, 2, "yes", None, "undecided")),
        ((150, 20), "p2p", (0, 1, None, None, "differs (by construction)")),
        ((20, 20), "p2p", (0, 2, None, None, "undecided")),
    ],
)
def test_agreement_is_said_where_both_ends_of_the_bound_give_it(tmp_path, build, packets, measure, shown):
    """The paper has 6 of 6 P2P, and the 0 of 6 relayed that follow from it."""
    app = published()["table2"][0]["app"]
    table3 = tables(study_of(tmp_path, build, *paired(build, app, *packets)))[2]
    row = pick(table3, direction="lte_to_fixed", measure=measure)
    assert (row["n"], row["undecided"], row["inferred"], row["difference"], row["agreement"]) == shown


def test_tables_say_who_says_that_a_call_was_answered_and_what_the_verdict_leaves_open(contradicted):
    said = "answered: observed on the phones in 4 trials"
    assert [said in made.notes for made in (*tables(contradicted), claims(contradicted))] == [
        False, False, True, False, False, False, True, True, True,
    ]  # fmt: skip
    (app,) = verdicts(contradicted)
    before, during, every = app.phases
    assert (before.trials, during.trials, every.trials) == (2, 2, 4)
    seen = before.leaks[0]
    assert (seen.level, seen.answer) == (
        "unknown", f"public address in 0, private address in 0 of 2 trials; 1 with {NO_ANSWER}",
    )  # fmt: skip
    assert during.leaks[2].answer == "0 of 2 trials do (95%: 0 to 91%); 1 undecided"


def test_what_neither_phones_nor_a_list_nor_the_wire_tell_is_in_neither_group(tmp_path, build):
    study = study_of(tmp_path, build, build.call())
    (case,) = study.cases
    endpoints = {side: replace(each, established=None) for side, each in case.endpoints.items()}
    study = replace(study, read=(replace(case, endpoints=endpoints),))
    told = "told by nothing, and so neither among conversations nor among unanswered calls in 1 trials"
    assert study.answered_note == f"answered: {told}"
    names = {str(row["claim"]) for row in claims(study).rows}
    assert "shared_server" in names
    assert {name for name in names if "before_answer" in name or "conversation" in name} == set()
