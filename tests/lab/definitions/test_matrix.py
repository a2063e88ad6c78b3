from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lab.definitions import BenchSpec, Matrix, Trial, plan
from lab.definitions.yaml import YamlMistakes, read

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@pytest.fixture(scope="module")
def bench() -> BenchSpec:
    return read(SCENARIOS / "benches" / "virtual.yaml", BenchSpec)


@pytest.fixture(scope="module")
def paper() -> Matrix:
    return read(SCENARIOS / "matrices" / "paper.yaml", Matrix)


def cell(trial: Trial) -> tuple[str, str, str]:
    """What the trials of one cell of the paper's Table 3 share."""
    return (trial.app, trial.direction, trial.scenario)


@pytest.mark.parametrize(
    ("name", "trials"), [("paper", 180), ("smoke", 20), ("invented", 180), ("negotiated", 120), ("rig", 100)]
)
def test_a_matrix_has_each_of_its_trials_once(bench: BenchSpec, name: str, trials: int):
    planned = plan(read(SCENARIOS / "matrices" / f"{name}.yaml", Matrix), bench, 1)
    assert len(planned) == trials
    assert len({trial.id for trial in planned}) == trials


def test_the_same_seed_gives_the_same_order(bench: BenchSpec, paper: Matrix):
    assert plan(paper, bench, 1) == plan(paper, bench, 1)
    assert plan(paper, bench, 1) != plan(paper, bench, 2)
    assert set(plan(paper, bench, 1)) == set(plan(paper, bench, 2))


def test_each_repetition_is_a_block(bench: BenchSpec, paper: Matrix):
    planned = plan(paper, bench, 1)
    assert [trial.repetition for trial in planned] == [1] * 60 + [2] * 60 + [3] * 60
    assert [cell(trial) for trial in planned[:60]] != [cell(trial) for trial in planned[60:120]]


def test_voice_and_video_of_a_cell_stand_next_to_each_other(bench: BenchSpec, paper: Matrix):
    planned = plan(paper, bench, 5)
    for first, second in zip(planned[::2], planned[1::2], strict=True):
        assert cell(first) == cell(second)
        assert {first.service, second.service} == {"voice", "video"}


def test_directions_take_turns(bench: BenchSpec, paper: Matrix):
    planned = plan(paper, bench, 5)
    for start in range(0, 180, 60):
        directions = [trial.direction for trial in planned[start : start + 60 : 2]]
        assert directions == [directions[0], directions[1]] * 15
        assert set(directions) == {"lte_to_fixed", "fixed_to_lte"}


def test_services_come_in_both_orders(bench: BenchSpec, paper: Matrix):
    first = Counter(trial.service for trial in plan(paper, bench, 5)[::2])
    assert set(first) == {"voice", "video"}


def test_a_full_cell_has_six_trials(bench: BenchSpec, paper: Matrix):
    cells = Counter(cell(trial) for trial in plan(paper, bench, 1))
    assert len(cells) == 30
    assert set(cells.values()) == {6}


def test_an_id_is_the_names_joined():
    trial = Trial("whatsapp", "voice", "lte_to_fixed", "callee_rejects", 2)
    assert trial.id == "whatsapp-voice-lte_to_fixed-callee_rejects-2"


def test_an_id_has_at_most_200_characters(bench: BenchSpec, paper: Matrix):
    assert max(len(trial.id) for trial in plan(paper, bench, 1)) <= 200


def test_nothing_stands_twice_in_a_matrix(tmp_path: Path):
    path = tmp_path / "m.yaml"
    path.write_text("name: m\napps: [a, a]\nservices: [voice]\nscenarios: [s]\nrepetitions: 0\n")
    with pytest.raises(YamlMistakes, match=r"m\.yaml:5:1: repetitions must be at least 1, is 0"):
        read(path, Matrix)
    path.write_text("name: m\napps: [a, a]\nservices: [voice]\nscenarios: [s]\nrepetitions: 1\n")
    with pytest.raises(YamlMistakes, match=r"m\.yaml:2:11: apps has 'a' a second time"):
        read(path, Matrix)
