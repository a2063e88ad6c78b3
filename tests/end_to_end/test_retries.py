"""What a run makes again, later or not at all, by the product itself on the virtual bench."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.commands.unpark import unpark
from lab.errors import BadInput, TrialsFailed
from lab.run.matrix import run_missing
from lab.run.plan import Run
from lab.run.progress import Progress
from tests.end_to_end.test_faults import CANCEL, HANG_UP, SCENARIOS, journal, planned

OTHER_WAY = "whatsapp-voice-fixed_to_lte-caller_cancels-1"
WELCOME = {
    "name": "welcome",
    "activity": "com.whatsapp.registration.EULA",
    "nodes": [
        {
            "class_name": "android.widget.Button",
            "id": "com.whatsapp:id/eula_accept",
            "text": "AGREE AND CONTINUE",
            "bounds": [80, 2060, 1000, 2220],
        }
    ],
}


@pytest.fixture
def scenarios(tmp_path):
    return Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))


def changed(file: Path, **values) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **values}, sort_keys=False, allow_unicode=True))


def logged_out(scenarios: Path) -> None:
    """Wherever the emulated app is opened, it asks for a login."""
    file = scenarios / "virtual" / "whatsapp.yaml"
    app = yaml.safe_load(file.read_text())
    intents = [intent | {"opens": "welcome"} for intent in app["intents"]]
    changed(file, screens=[*app["screens"], WELCOME], intents=intents, launch="welcome")


def run(planned_: Run) -> tuple[str, Progress]:
    """What a run says in the end, empty where all trials are complete."""
    progress = Progress(Console(file=io.StringIO(), width=200))
    try:
        run_missing(planned_, progress, Stop())
    except TrialsFailed as error:
        return str(error), progress
    return "", progress


def attempts(dataset: Path) -> list[str]:
    return [entry[1] for entry in journal(dataset) if entry[0] == "attempt"]


def test_an_app_that_is_logged_out_is_parked_after_one_attempt_until_it_is_unparked(tmp_path, scenarios, monkeypatch):
    logged_out(scenarios)
    dataset, trials = tmp_path / "d", (CANCEL, OTHER_WAY)
    told, progress = run(planned(dataset, *trials, scenarios=scenarios))
    assert told == "2 of 2 trials are left out, their app is parked"
    assert len(attempts(dataset)) == 1
    lines = Dataset(dataset).journal.read()
    assert [(line.app, line.reason) for line in lines if line.event == "parked"] == [("whatsapp", "logged_out")]
    (void,) = [line for line in lines if line.event == "void"]
    assert (void.reason, void.calls) == ("logged_out", None)
    assert progress.remarks == [
        "2 trials are left out, whatsapp is parked on both phones: logged_out; mend that, then invoke unpark whatsapp "
        f"--bench virtual --dataset {dataset}"
    ]
    # Another run tries nothing, and opens no bench.
    monkeypatch.setattr("lab.run.matrix.Bench", None)
    told, _ = run(planned(dataset, *trials, scenarios=scenarios))
    assert told == "2 of 2 trials are left out, their app is parked"
    monkeypatch.undo()
    shutil.copy(SCENARIOS / "virtual" / "whatsapp.yaml", scenarios / "virtual" / "whatsapp.yaml")
    said: list[str] = []
    unpark(str(scenarios), "virtual", str(dataset), "whatsapp", said.append)
    assert said == [f"whatsapp may call again in {dataset}; the next run begins with its trials that are missing"]
    assert run(planned(dataset, CANCEL, scenarios=scenarios))[0] == ""
    assert Dataset(dataset).trial_ids() == [CANCEL]
    assert Dataset(dataset).verify() == []


@pytest.mark.parametrize(
    ("app", "text"),
    [
        ("whatsap", "no app 'whatsap'; did you mean 'whatsapp'?"),
        ("whatsapp", "--dataset {}/d: no dataset is there, in which an app could be parked"),
    ],
)
def test_an_app_or_a_dataset_that_is_not_there_is_refused(tmp_path, app, text):
    with pytest.raises(BadInput) as raised:
        unpark(str(SCENARIOS), "virtual", str(tmp_path / "d"), app, print)
    assert str(raised.value) == text.format(tmp_path)


@pytest.mark.full
def test_a_void_trial_is_made_again_after_the_others_and_every_call_is_counted(tmp_path):
    dataset, benches = tmp_path / "d", []

    class OneFault(Bench):
        """The first capture on a phone does not begin."""

        def __enter__(self):
            bench = super().__enter__()
            if not benches:
                text = "rmnet1: SIOCETHTOOL: Permission denied"
                bench.kind.ask(op="fail_next", what="tcpdump", on="pixel6", text=text)
            benches.append(bench)
            return bench

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.run.matrix.Bench", OneFault)
        told, progress = run(planned(dataset, CANCEL, HANG_UP))
    assert told == ""
    assert attempts(dataset) == [CANCEL, HANG_UP, CANCEL]
    lines = Dataset(dataset).journal.read()
    ended = [
        (line.event, line.trial, line.attempt, line.calls) for line in lines if line.event in ("void", "completed")
    ]
    assert ended == [("void", CANCEL, 0, None), ("completed", HANG_UP, 0, 1), ("completed", CANCEL, 1, 1)]
    times_s = [line.night_s for line in lines if line.night_s is not None]
    assert times_s == sorted(times_s)
    assert times_s[-1] > times_s[0] + 60
    assert progress.remarks == ["calls placed: 2 in whatsapp"]


@pytest.mark.full
def test_on_a_virtual_bench_that_asks_for_caps_they_pass_on_the_night_clock_from_run_to_run(tmp_path, scenarios):
    changed(scenarios / "benches" / "virtual.yaml", caps={"per_hour": 1, "apart_s": "0"})
    dataset = tmp_path / "d"
    told, first = run(planned(dataset, CANCEL, scenarios=scenarios))
    assert (told, first.console.file.getvalue().count("until the next call")) == ("", 0)
    told, second = run(planned(dataset, CANCEL, HANG_UP, scenarios=scenarios))
    assert told == ""
    assert " min until the next call, 1 calls in an hour are the most" in second.console.file.getvalue()
    (one_s, two_s) = [line.night_s for line in Dataset(dataset).journal.read() if line.event == "completed"]
    assert 3600 <= two_s - one_s < 3800
