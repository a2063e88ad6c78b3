from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.run import calibration
from lab.run.calibration import Cost, Measured, Spread, learn, measured
from lab.run.options import Options
from lab.run.plan import prepare

ROOT = Path(__file__).resolve().parents[3]


def call(span_s: float = 0.5, version: str = "2.1", **more) -> Measured:
    return Measured("pixel6", "whatsapp", version, Spread(span_s, 0.2), **more)


def numbers(at, spec=None) -> list[tuple]:
    kept = calibration.kept(at.lab, spec or at.real).numbers
    return [(each.phone, each.app, each.version, each.tap_to_end_s, each.other_after_s, each.calls) for each in kept]


def test_what_trials_tell_is_added_by_phone_app_and_version(at):
    other = Measured("pixel6pro", "whatsapp", "2.1", ring_s=1.9, missing=frozenset({"camera"}))
    learn(at.lab, at.real, [call(0.5), other])
    learn(at.lab, at.real, [call(0.7, "2.2"), replace(other, ring_s=2.5, missing=frozenset({"camera", "audio"}))])
    learn(at.lab, at.real, [call(0.61234)])
    assert numbers(at) == [
        ("pixel6", "whatsapp", "2.1", [0.5, 0.612], [0.2, 0.2], 2),
        ("pixel6pro", "whatsapp", "2.1", [], [], 2),
        ("pixel6", "whatsapp", "2.2", [0.7], [0.2], 1),
    ]
    callee = calibration.kept(at.lab, at.real).numbers[1]
    assert (callee.ring_s, callee.missing) == ([1.9, 2.5], {"audio": 1, "camera": 2})


def test_trials_of_an_emulated_bench_teach_nothing(at):
    learn(at.lab, at.emulated, [call()])
    assert not at.file.exists()
    calibration.keep(at.lab, at.emulated, [call()])
    assert len(calibration.kept(at.lab, at.emulated).numbers) == 1
    assert calibration.in_force(at.lab, at.emulated).numbers == []
    assert len(calibration.in_force(at.lab, at.real).numbers) == 1


def test_the_file_is_written_whole_and_nothing_else_stays_beside_it(at):
    learn(at.lab, at.real, [call()])
    assert [path.name for path in at.file.parent.iterdir()] == ["virtual.calibration.json"]
    assert json.loads(at.file.read_text())["calibration"] == 1


def test_it_lies_beside_the_local_file_and_never_in_a_datasets_scenarios(at, tmp_path):
    assert calibration.place(at.lab, at.real) == at.file
    elsewhere = replace(at.lab, local_files={"virtual": tmp_path / "secret" / "virtual.local.yaml"})
    assert calibration.place(elsewhere, at.real) == tmp_path / "secret" / "virtual.calibration.json"
    (tmp_path / "dataset.json").touch()
    assert calibration.place(elsewhere, at.real) == tmp_path / "secret" / "virtual.calibration.json"
    assert calibration.place(at.lab, at.real) is None
    learn(at.lab, at.real, [call()])
    assert not at.file.exists()
    with pytest.raises(BadInput, match="scenarios: is a dataset's own; name the lab's scenarios with --scenarios"):
        calibration.keep(at.lab, at.real, [call()])


HINT = "; mend it, or move it away: invoke calibrate and invoke introduce make it anew"


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda text: text[:-9], ": is no JSON: "),
        (lambda text: text.replace('"calibration": 1', '"calibration": 2'), ": calibration: must be one of 1, is 2"),
        (lambda text: text.replace('"virtual"', '"other"'), ": bench: must be virtual, is other"),
        (lambda text: text.replace("0.5", '"0.5"'), ': numbers.0.tap_to_end_s.0: must be a number, is "0.5"'),
        (lambda text: text.replace("0.5", "1e999"), ": numbers.0.tap_to_end_s.0: must be a finite number, is 1e999"),
        (lambda text: text.replace('"calls"', '"cals"'), ": numbers.0.calls: is missing"),
        (lambda text: text.replace('"2.1"', '"2.1; reboot"'), ": numbers.0.version: must look like "),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_that_names_it_and_says_what_to_do(at, broken, what):
    learn(at.lab, at.real, [call()])
    at.file.write_text(broken(at.file.read_text()))
    with pytest.raises(BadInput) as caught:
        calibration.kept(at.lab, at.real)
    text = str(caught.value)
    assert text.startswith(f"{at.file}{what}")
    assert text.endswith(HINT)
    assert "\n" not in text
    # A bench that is not judged by it does not read it.
    assert calibration.in_force(at.lab, at.emulated).numbers == []


def test_of_the_calls_the_newest_are_kept_and_of_the_costs_the_last_measured(at, monkeypatch):
    monkeypatch.setattr(calibration, "MOST", 3)
    audio = Cost(witness="audio", during="idle", reads=20, median_ms=41.5, most_ms=90.25, bytes=31_000)
    talking = audio.model_copy(update={"during": "call"})
    for span_s in (0.1, 0.2, 0.3, 0.4):
        learn(at.lab, at.real, [call(span_s, costs=(audio, talking))])
    learn(at.lab, at.real, [replace(call(), spread=None, costs=(audio.model_copy(update={"median_ms": 39.0}),))])
    (kept,) = calibration.kept(at.lab, at.real).numbers
    assert (kept.tap_to_end_s, kept.calls) == ([0.2, 0.3, 0.4], 5)
    assert [(cost.during, cost.median_ms) for cost in kept.costs] == [("idle", 39.0), ("call", 41.5)]


PHONES = {"caller": ("pixel6", "2.1"), "callee": ("pixel6pro", "2.2")}


@pytest.mark.parametrize(
    ("tap", "ends", "spreads"),
    [
        (("caller", 10_000_000_000), (10_400_000_000, 10_300_000_000), [Spread(0.4, -0.1), None]),
        (("callee", 10_000_000_000), (10_400_000_000, 10_300_000_000), [None, Spread(0.3, 0.1)]),
        (("caller", 10_000_000_000), (10_400_000_000, None), [Spread(0.4, None), None]),
        (("caller", 10_000_000_000), (None, 10_300_000_000), [None, None]),
        (None, (10_400_000_000, 10_300_000_000), [None, None]),
    ],
)
def test_who_tapped_is_who_learns_how_soon_a_call_ends(tap, ends, spreads):
    told = measured(
        "whatsapp",
        PHONES,
        tap,
        dict(zip(PHONES, ends, strict=True)),
        2.5,
        {"caller": [], "callee": ["telecom"]},
    )
    assert [each.spread for each in told] == spreads
    assert [(each.phone, each.version, each.ring_s) for each in told] == [
        ("pixel6", "2.1", None),
        ("pixel6pro", "2.2", 2.5),
    ]
    assert [each.missing for each in told] == [frozenset(), frozenset({"telecom"})]


def test_a_datasets_hash_does_not_know_it(tmp_path, loaded):
    from lab.run.revisions import used_files

    run = prepare(Options(matrix="smoke", dataset=str(tmp_path), scenarios=str(ROOT / "scenarios")))
    assert [name for name in used_files(run) if not name.endswith(".yaml")] == []
