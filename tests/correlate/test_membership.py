"""Which trials are left out: by a sign that does not depend on what is measured."""

from dataclasses import replace

import pytest

from correlate import findings, report
from correlate.dataset import Dataset
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.membership import left_out
from correlate.tables.study import Study
from correlate.tables.with_left_out import noted

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
MAPLE, OTHER, CEDAR = "192.0.2.50", "192.0.2.51", "192.0.2.70"


def call_of(build, repetition, app="maple", callers=MAPLE, callees=MAPLE, end_s=11.0):
    """A call whose sides have one session each, with these servers, of 11 s at the caller."""
    call = build.call(app=app, repetition=repetition)
    for side, local, server, last_s in ((call.caller, A, callers, 11.0), (call.callee, B, callees, end_s)):
        side.relay(local, (server, 3478), 0.0)
        side.talk(local, (server, 3478), 1.0, last_s, 5, 5)
    return call


def out_of(tmp_path, build, calls, **keys):
    build.dataset(tmp_path, calls, **keys)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return Study.of(Dataset(tmp_path))


def cedars(build, number=3, **keys):
    return [
        call_of(build, n, app="cedar", **({"callers": CEDAR, "callees": CEDAR} | keys)) for n in range(1, number + 1)
    ]


def maples(build, number=3):
    return [call_of(build, n) for n in range(1, number + 1)]


def test_a_session_that_is_another_apps_by_server_and_phone_is_not_this_call(tmp_path, build):
    study = out_of(tmp_path, build, [*maples(build), *cedars(build), call_of(build, 9, callers=CEDAR)])
    trial = "maple-voice-lte_to_fixed-caller_hangs_up-9"
    assert study.out == {
        trial: "the session of alpha is with 192.0.2.70 port 3478, cedar's in 3 trials and in no other of this app"
    }
    assert (len(study.read), len(study.cases), len(study.whole.cases)) == (7, 6, 7)
    assert trial not in {case.trial for case in study.cases}


def strangers(build, case):
    """Calls that are left out but for one part of the rule; the last one is the one in question."""
    foreign = call_of(build, 9, callers=CEDAR)
    return {
        "two trials of the other app are no habit": [*maples(build), *cedars(build, 2), foreign],
        "the other app used it on the other phone": [*maples(build), *cedars(build, callers=OTHER), foreign],
        "another trial of this app used it": [
            *maples(build),
            *cedars(build),
            call_of(build, 8, callees=CEDAR),
            foreign,
        ],
        "two other trials of this app are no habit": [*maples(build, 2), *cedars(build), foreign],
        "this app's servers do not recur": [
            *maples(build),
            *(call_of(build, number, callers=f"192.0.2.{number}", callees=OTHER) for number in (20, 21, 22)),
            *cedars(build),
            foreign,
        ],
        "the server is of no other app": [*maples(build), *cedars(build), call_of(build, 9, callers="192.0.2.99")],
    }[case]


@pytest.mark.parametrize(
    "case",
    [
        "two trials of the other app are no habit",
        "the other app used it on the other phone",
        "another trial of this app used it",
        "two other trials of this app are no habit",
        "this app's servers do not recur",
        "the server is of no other app",
    ],
)
def test_without_each_part_of_the_sign_a_trial_stays(tmp_path, build, case):
    assert out_of(tmp_path, build, strangers(build, case)).out == {}


def test_twins_are_one_server(tmp_path, build):
    """The app's other trials were with a twin of the server that another app used three times."""
    calls = [*(call_of(build, n, callers=OTHER) for n in (1, 2, 3)), *cedars(build), call_of(build, 9, callers=CEDAR)]
    analysis = {"relay_ports": [3478], "twins": r"^relay6?-(\d+)\.example\.com$"}
    names = {
        address: {"name": name, "how": "PTR", "when_ns": 1}
        for address, name in ((OTHER, "relay-1.example.com"), (CEDAR, "relay6-1.example.com"))
    }
    assert out_of(tmp_path, build, calls, analysis=analysis, names=names).out == {}


def test_what_a_table_measures_leaves_no_trial_out(tmp_path, build):
    """Sides that differ by half of the call are counted like any other."""
    study = out_of(tmp_path, build, [*maples(build), call_of(build, 9, end_s=4.0)])
    assert study.out == {}
    rows = [row for row in tables(study)[5].rows if row["n"] == 4 and row["measure"] == "absolute"]
    assert {row["maximum"] for row in rows if row["session"] == "longest_relay"} == {7.0}


def test_a_trial_whose_captures_are_mixed_up_is_left_out_with_that_reason(tmp_path, build):
    study = out_of(tmp_path, build, maples(build))
    first, *rest = study.read
    endpoints = {side: replace(each, mixed_up="one file twice") for side, each in first.endpoints.items()}
    cases = [replace(first, endpoints=endpoints), *rest]
    assert left_out(cases, study.rules, study.names) == {first.trial: "one file twice"}


def test_each_table_says_how_many_are_out_and_what_it_would_be_with_them(tmp_path, build):
    calls = [*maples(build), *cedars(build), call_of(build, 9, callers=CEDAR, end_s=6.0)]
    study = out_of(tmp_path, build, calls)
    made = {each.name: each for each in (*tables(study), noted(study, claims))}
    for name in ("table3", "table4", "table5", "table6", "table7", "table8", "claims"):
        assert (
            made[name].notes[0].startswith("left out: 1 of 7 trials: maple-voice-lte_to_fixed-caller_hangs_up-9: the s")
        )
    cell = "maple, Device 1 (alpha), voice, absolute, longest_relay"
    assert f"with them: {cell}: 4/4, median 0 instead of 3/3, median 0" in made["table6"].notes
    assert "with them: maple, caller_hangs_up, all, no_disclosure: 4/4 instead of 3/3" in made["table3"].notes
    assert "with them: maple, 192.0.2.50: 3/4 instead of 3/3" in made["table4"].notes
    assert (
        "with them: shared_server, maple, caller_hangs_up: 3/4, holds no instead of 3/3, holds yes"
        in made["claims"].notes
    )
    report.build(Dataset(tmp_path))
    assert "counted nowhere: 1 of 7 trials" in Dataset(tmp_path).report_path.read_text()


def test_a_table_says_too_that_nothing_is_left_out(tmp_path, build):
    assert {each.notes[0] for each in tables(out_of(tmp_path, build, maples(build)))[2:]} == {
        "left out: none of 3 trials"
    }
