"""Two of the soak's kills: a run is killed on the ladder, and what was not fsynced is lost in either way."""

from dataclasses import replace

import pytest

from benchmarks.kills import KILLS, Kill, made, usual


def test_half_of_the_kills_lose_what_was_not_fsynced_and_a_quarter_is_of_nights():
    drawn = [Kill.drawn(number) for number in range(KILLS)]
    assert sum(kill.loss != "none" for kill in drawn) == KILLS // 2
    assert {(kill.command, kill.loss) for kill in drawn} == {
        (command, loss) for command in ("run-matrix", "nightly") for loss in ("none", "names", "bytes")
    }
    assert sum(kill.command == "nightly" for kill in drawn) == KILLS // 4


@pytest.mark.full
def test_a_run_that_lost_its_power_on_the_ladder_or_with_a_trial_complete_goes_on_to_the_same_bytes():
    usual_s, undisturbed = usual("run-matrix")
    assert len(undisturbed) == 2
    for at, loss in (("ladder", "names"), ("completed", "bytes")):
        kill = replace(Kill.drawn(0), at=at, late_s=0.01, loss=loss)
        assert made(kill, usual_s, undisturbed)["wrong"] == []
