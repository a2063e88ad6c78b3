"""What a night does where its steps fail: it goes on, ends with the right exit code, and tells. No bench is opened."""

from __future__ import annotations

import datetime
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from invoke.exceptions import Exit

from correlate.dataset import documents
from lab.clocks import deadlines
from lab.errors import BadInput, BenchBusy, BenchUnhealthy, Interrupted, TrialsFailed
from lab.night import folders, history, message, nightly, notifications
from lab.night.junit import as_junit
from lab.night.record import NightRecord, ToldAlarm
from lab.programs import locks
from lab.run.description import create
from lab.run.options import Options

ROOT = Path(__file__).parents[3]
SCENARIOS = str(ROOT / "scenarios")
TODAY = datetime.date(2026, 11, 28)
NEW, LEFT = ("2026-11-28/dataset", 20261128), ["a-voice-b-c-1"]


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict]]:
    """Runs a night whose trials come to such an end; exit code and night.json."""
    monkeypatch.setattr(nightly.doctor, "examine", lambda *_: [])
    monkeypatch.setattr(notifications, "PAUSE_S", 0.0)
    nights = tmp_path / "nights"

    def run(end: BaseException | None, stdout: io.StringIO | None = None) -> tuple[int, dict]:
        def trials(run, progress, stop, may_begin):
            if not isinstance(end, BenchBusy):
                run.dataset.make()
                create(run)
            if isinstance(end, TrialsFailed):
                for item in run.planned[:2]:
                    with progress.trial(item.trial.id):
                        progress.attempt(item.trial.id, 0)
                        progress.step(item.trial.id, "place_call")
                        progress.void(item.trial.id, "callee_never_rang", "15555550101 did not ring")
            if end is not None:
                raise end
            return True

        monkeypatch.setattr(nightly, "run_missing", trials)
        if stdout is not None:
            monkeypatch.setattr(sys, "stdout", stdout)
        code = 0
        try:
            nightly.run_night("virtual", "smoke", SCENARIOS, "", str(nights), only_plan=False)
        except Exit as error:
            code = error.code
        newest = sorted(nights.glob("*/night.json"), key=lambda path: path.stat().st_mtime_ns)[-1]
        return code, json.loads(newest.read_text())

    return run


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (BenchBusy("pixel6 is held by lab@bench2"), 5),
        (BenchUnhealthy("pixel6 does not answer"), 4),
        (Interrupted("interrupted"), 130),
        (TrialsFailed("2 of 20 trials stay void"), 3),
        (OSError(28, "No space left on device"), 4),
        (KeyboardInterrupt(), 130),
        (None, 0),
    ],
)
def test_whatever_ends_the_trials_the_night_ends_with_its_code_and_leaves_a_line(
    night, tmp_path: Path, capsys: pytest.CaptureFixture[str], end: BaseException | None, code: int
) -> None:
    ended, record = night(end)
    assert (ended, record["verdict"], record["codes"]) == (code, code, [code] if code else [])
    (line,) = history.read(tmp_path / "nights/history.jsonl").nights
    assert (line.verdict, line.cells, line.complete) == (code, {}, 0)
    assert message.HEADLINES[code] in capsys.readouterr().out
    assert (tmp_path / "nights" / record["date"] / "junit.xml").exists()


def test_void_trials_and_those_that_were_left_are_told_apart(night, tmp_path: Path) -> None:
    _, record = night(TrialsFailed("2 of 20 trials stay void"))
    assert (len(record["void"]), len(record["left"]), record["calls"]) == (2, 18, {"whatsapp": 2})
    log = (tmp_path / "nights" / record["date"] / "night.log").read_text()
    assert "Void attempts: callee_never_rang 2." in log
    assert ("15555550101" in log, "<address of pixel6 in whatsapp>" in log) == (False, True)
    junit = ElementTree.parse(tmp_path / "nights" / record["date"] / "junit.xml").find("testsuite")
    assert junit is not None
    assert {key: junit.get(key) for key in ("tests", "errors", "skipped")} == {
        "tests": "20",
        "errors": "2",
        "skipped": "18",
    }


def test_an_error_that_nobody_foresaw_is_told_too_and_goes_on(night, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        night(ZeroDivisionError())
    (line,) = history.read(tmp_path / "nights/history.jsonl").nights
    assert line.verdict == 1


def test_a_standard_output_that_nobody_reads_ends_no_night(night, tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    code, record = night(BenchUnhealthy("pixel6 does not answer"), Closed())
    assert code == 4
    assert "could not go on" in (tmp_path / "nights" / record["date"] / "night.log").read_text()


def test_a_disk_that_is_full_costs_the_files_and_not_the_message(
    night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nightly.history, "append", full)
    monkeypatch.setattr(nightly, "write_text", full)
    code, record = night(None)
    assert (code, record["verdict"]) == (4, 4)
    said = capsys.readouterr().out
    assert ("No space left on device" in said, "could not go on" in said) == (True, True)


def test_a_night_that_cannot_tell_anybody_has_the_same_exit_code(
    night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lab.definitions.notify import Notify

    real = nightly.run_at

    def with_channel(options: Options, place: folders.Place):
        run = real(options, place)
        channel = Notify(name="own", kind="command", command=["/no/such/program"])
        spec = run.spec.model_copy(update={"notify": [channel]})
        return nightly.folders.replace(run, spec=spec)

    monkeypatch.setattr(nightly, "run_at", with_channel)
    with deadlines.scaled(0.1):
        code, record = night(None)
    assert code == 0
    assert [(each["when"], each["why"]) for each in record["sent"]] == [("end", "No such file or directory")]
    assert len(list((tmp_path / "nights/outbox").iterdir())) == 1


def test_the_next_night_goes_on_with_what_one_left_and_then_a_new_one_begins(night, tmp_path: Path) -> None:
    _, first = night(Interrupted("interrupted"))
    _, second = night(Interrupted("interrupted"))
    assert (first["dataset"], second["dataset"]) == (f"{first['date']}/dataset",) * 2
    assert (second["date"], second["seed"]) == (f"{first['date']}-02", first["seed"])
    for path in (tmp_path / "nights").glob("*/night.json"):
        documents.write(path, documents.read(path, "", NightRecord).model_copy(update={"left": []}))
    _, third = night(Interrupted("interrupted"))
    assert (third["dataset"], third["seed"]) == (f"{first['date']}-03/dataset", first["seed"] * 100 + 3)


def test_two_nights_in_one_folder_are_refused_while_one_goes(night, tmp_path: Path) -> None:
    (tmp_path / "nights").mkdir()
    with locks.held(tmp_path / "nights/.lock", "nights"), pytest.raises(BenchBusy, match="is held by process"):
        night(None)


def of(tmp_path: Path, **changed: object) -> NightRecord:
    usual = {
        "night": 1, "date": "2026-11-27", "bench": "virtual", "matrix": "smoke", "seed": 7, "verdict": 0,
        "dataset": "2026-11-27/dataset", "begun": "x", "until": None,
    }  # fmt: skip
    record = NightRecord(**{**usual, **changed})
    (tmp_path / record.dataset).mkdir(parents=True, exist_ok=True)
    documents.write(tmp_path / record.date / "night.json", record)
    return record


@pytest.mark.parametrize(
    ("changed", "dataset", "seed"),
    [
        ({}, *NEW),
        ({"left": LEFT}, "2026-11-27/dataset", 7),
        ({"left": LEFT, "held": LEFT}, *NEW),
        ({"left": [*LEFT, "a-voice-b-c-2"], "held": LEFT}, "2026-11-27/dataset", 7),
        ({"verdict": None}, "2026-11-27/dataset", 7),
        ({"left": LEFT, "date": "2026-11-20", "dataset": "2026-11-20/dataset"}, *NEW),
        ({"left": LEFT, "date": "2026-11-29", "dataset": "2026-11-29/dataset"}, *NEW),
    ],
)
def test_only_a_night_of_the_last_week_that_left_trials_is_gone_on_with(
    tmp_path: Path, changed: dict, dataset: str, seed: int
) -> None:
    of(tmp_path, **changed)
    place = folders.choose(tmp_path, Options(matrix="smoke", scenarios=SCENARIOS), TODAY)
    assert (str(place.dataset.relative_to(tmp_path)), place.seed) == (dataset, seed)
    assert place.folder.name == ("2026-11-27" if changed.get("verdict", 0) is None else "2026-11-28")


def test_a_dataset_that_no_longer_fits_is_left_and_said_so(tmp_path: Path) -> None:
    of(tmp_path, left=LEFT)
    (tmp_path / "2026-11-27/dataset/stranger").write_text("")
    place = folders.choose(tmp_path, Options(matrix="smoke", scenarios=SCENARIOS), TODAY)
    assert place.dataset == tmp_path / "2026-11-28/dataset"
    assert "not empty and no dataset" in place.why_new


def test_nights_of_another_bench_or_matrix_are_refused(tmp_path: Path) -> None:
    of(tmp_path)
    with pytest.raises(BadInput, match="nights of bench virtual and matrix smoke; give each"):
        folders.choose(tmp_path, Options(matrix="paper", scenarios=SCENARIOS), TODAY)


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ((), 0),
        ((7,), 7),
        ((7, 3), 3),
        ((3, 6, 7), 6),
        ((6, 130), 130),
        ((130, 4), 4),
        ((4, 5, 6), 5),
        ((1, 2, 6), 6),
        ((3, 1), 1),
    ],
)
def test_the_first_code_that_holds_decides(codes: tuple[int, ...], verdict: int) -> None:
    assert message.verdict(set(codes)) == verdict


def test_junit_says_of_each_trial_what_came_of_it_and_holds_no_character_that_xml_has_not(tmp_path: Path) -> None:
    cell = "seen/caller_public/maple/caller_cancels"
    alarm = {"kind": "opened", "cell": cell, "nights": 1, "sentence": "maple \x00\x1b<&\ud800"}
    told = [ToldAlarm(**alarm, loud=True), ToldAlarm(**{**alarm, "kind": "seen_once"}, loud=False)]
    record = of(tmp_path, void=["b"], parked=["c"], left=["d"]).model_copy(update={"told": told})
    root = ElementTree.fromstring(as_junit(record, ["a", "b", "c", "d"]).partition("\n")[2])
    found = {case.get("name"): [(each.tag, each.get("message")) for each in case] for case in root.iter("testcase")}
    assert found == {
        "a": [],
        "b": [("error", "all attempts are void")],
        "c": [("skipped", "parked")],
        "d": [("skipped", "left for the next night")],
        cell: [("failure", "maple ??<&?")],
    }
