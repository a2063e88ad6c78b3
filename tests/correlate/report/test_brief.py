"""The verdict in a few lines."""

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.report.brief import app_line
from correlate.report.verdict import AppVerdict, Leak, Level, Phase

PROVISO = (
    "Modelled: an emulated bench made this traffic. It shows that the harness and the analysis work, and nothing about "
    "the real apps."
)


def leak(what: str, level: Level, hits: int = 0, total: int = 0, wrong_pairs: tuple[int, int] = (0, 0)) -> Leak:
    return Leak(what, "?", "", level, hits, total, wrong_pairs)


def told(*phases: Phase) -> str:
    return app_line(AppVerdict("alpha", "1.0", "", sum(phase.trials for phase in phases), 20, phases))


@pytest.fixture
def built(tmp_path, build):
    build.dataset(tmp_path, [build.call()], extra_plan=[build.call(repetition=2)])
    report.build(dataset := Dataset(tmp_path))
    return dataset


def test_a_summary_has_the_provenance_a_line_an_app_and_where_the_report_is(built):
    first, app, last = report.summary(built)
    assert first == PROVISO
    assert app == (
        "maple: nothing was seen that it gives away; undecided: voice or video, who called, matching durations"
    )
    assert last == f"1 of 2 trials are complete, 0 attempts were void, 0 undecided: {built.report_path}"


def test_void_attempts_and_trials_that_cannot_be_read_are_counted_in_the_last_line(built):
    for number in (0, 1):
        with built.attempt(built.plan()[1].id) as folder:
            folder.void("noisy", f"too loud {number}")
    assert "1 of 2 trials are complete, 2 attempts were void, 0 undecided:" in report.summary(built)[-1]


def test_what_leaks_is_told_with_n_of_n_phase_by_phase_and_with_its_chance_level():
    before = Phase("Before anyone answers", 12, (leak("voice or video", "sometimes", 5, 12), leak("a", "never", 0, 12)))
    always = Phase("In every call", 20, (leak("matching durations", "always", 20, 20, (7, 40)),))
    assert told(before, always) == (
        "alpha gives away voice or video (5 of 12) before anyone answers; "
        "matching durations (20 of 20; 7 of 40 wrong pairs) in every call"
    )


def test_what_leaks_equally_often_shares_its_count_and_both_sides_are_one_thing():
    leaks = (
        leak("the caller's public address", "always", 8, 8),
        leak("the callee's public address", "always", 8, 8),
        leak("a direct path", "always", 8, 8),
        leak("the callee's private address", "sometimes", 3, 8),
    )
    assert told(Phase("In conversations", 8, leaks)) == (
        "alpha gives away both sides' public address and a direct path (8 of 8 each), "
        "the callee's private address (3 of 8) in conversations"
    )


def test_what_is_undecided_and_what_wrong_pairs_show_too_is_never_told_as_a_leak():
    leaks = (leak("shared servers", "chance", 8, 8, (16, 16)), leak("who called", "unknown"), leak("c", "never", 0, 8))
    assert told(Phase("In every call", 8, leaks)) == (
        "alpha: nothing was seen that it gives away; no more than in wrong pairs: shared servers; undecided: who called"
    )


def test_an_app_without_a_trial_is_told_so_and_an_empty_phase_says_nothing():
    assert told(Phase("In conversations", 0, (leak("who called", "unknown"),))) == "alpha: no trial to tell"
    empty, full = (
        Phase("In conversations", 0, (leak("x", "unknown"),)),
        Phase("In every call", 1, (leak("y", "never"),)),
    )
    assert told(empty, full) == "alpha: nothing was seen that it gives away"
