"""Scenarios that are none of the paper's, on a virtual bench whose chats are not called by their addresses."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).parents[3] / "scenarios"
TITLES = {
    'snapchat, address: "lab_pixel6"': "Pixel (6)",
    'snapchat, address: "lab_pixel6pro"': "{contact} Pro",
    'whatsapp, address: "15555550101"': "Pixel 6",
    'whatsapp, address: "15555550102"': "Pixel 6 Pro",
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    file = scenarios / "benches" / "virtual.yaml"
    text = file.read_text()
    for contact, title in TITLES.items():
        assert f"{contact}}}" in text
        text = text.replace(f"{contact}}}", f'{contact}, title: "{title}"}}')
    file.write_text(text)
    made = prepare(Options(matrix="examples", dataset=str(tmp_path / "dataset"), scenarios=str(scenarios), seed=1))
    create(made)
    return made


def test_both_examples_run_and_are_observed_by_their_own_names(run: Run):
    late, early = (
        "snapchat-voice-lte_to_fixed-callee_answers_late-1",
        "whatsapp-video-fixed_to_lte-caller_cancels_early-1",
    )
    with Bench(run.lab, run.spec, Stop()) as bench:
        for trial in (late, early):
            assert run_one(run, bench, run.one(trial), Progress(Console(file=io.StringIO())))
    dataset = Dataset(run.dataset.path)
    assert [dataset.record(trial).observed_scenario for trial in (late, early)] == [
        "callee_answers_late",
        "caller_cancels_early",
    ]
    drawn = [dataset.record(trial).asked for trial in (late, early)]
    assert drawn[0].ring_s is not None
    assert drawn[1].ring_s is not None
    assert 20 <= drawn[0].ring_s <= 23
    assert 0.2 <= drawn[1].ring_s <= 1.5
    truth = [json.loads((run.dataset.path / "truth" / f"{trial}.json").read_text()) for trial in (late, early)]
    assert [one["observed_scenario"] for one in truth] == ["caller_hangs_up", "caller_cancels"]
