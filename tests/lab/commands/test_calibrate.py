"""Calls that teach, on the emulated bench."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.clocks.stop import Stop
from lab.commands.calibrate import apps_of, calibrate, parse_calls, roles
from lab.definitions import Lab
from lab.errors import BadInput
from lab.run import calibration, introductions, limits

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
LAB = Lab.load(SCENARIOS)
VIRTUAL = LAB.bench("virtual")


@pytest.fixture
def lab(tmp_path):
    """The lab in a folder of the test, where the bench's file may be written."""
    return Lab.load(Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios")))


def test_calls_teach_delays_and_costs_by_phone_and_are_kept_beside_the_bench(lab):
    said: list[str] = []
    spec = lab.bench("virtual")
    calibrate(lab, spec, "whatsapp", 4, Stop(), said.append)
    first, second = calibration.kept(lab, spec).numbers
    assert (first.phone, second.phone) == ("pixel6", "pixel6pro")
    for numbers in (first, second):
        # Each ended two of the four calls, and rang in two.
        assert (numbers.calls, len(numbers.tap_to_end_s), len(numbers.ring_s)) == (4, 2, 2)
        assert all(0 <= span_s < 1.5 for span_s in numbers.tap_to_end_s)
        assert all(0.2 < span_s < 6 for span_s in numbers.ring_s)
        assert {(cost.witness, cost.during) for cost in numbers.costs} >= {("audio", "idle"), ("screen", "call")}
        assert {cost.reads for cost in numbers.costs} == {20}
    kept = said.pop()
    assert kept == f"whatsapp: kept in {lab.directory}/benches/virtual.calibration.json; " + (
        "a bench that is emulated is judged by the defaults"
    )
    heads = [line for line in said if not line.startswith("  ")]
    assert [line.split(", ")[0] for line in heads] == [
        f"whatsapp on {phone} ({first.version}): ended 2 of 4 calls" for phone in ("pixel6", "pixel6pro")
    ]
    assert limits.of(lab, spec, "pixel6", "whatsapp", first.version) == limits.DEFAULT
    if any(numbers.missing for numbers in (first, second)):
        assert any(" was missing in " in line for line in said)


def test_who_calls_and_who_hangs_up_take_turns():
    told = [(caller.name, by) for caller, by in (roles(VIRTUAL, number) for number in range(4))]
    assert told == [("pixel6", "caller"), ("pixel6", "callee"), ("pixel6pro", "callee"), ("pixel6pro", "caller")]


def test_without_an_app_all_are_called_that_the_bench_has():
    assert apps_of(LAB, VIRTUAL) == sorted(LAB.virtual_apps)
    assert set(apps_of(LAB, LAB.bench("rig"))) == {name for name, app in LAB.virtual_apps.items() if app.rig}
    # Whoever has no local file yet can call nobody.
    assert apps_of(LAB, LAB.bench("pixels")) == []


@pytest.mark.parametrize("text", ["0", "41", "-1", "6.0", "six", "", "06", "٦"])
def test_calls_are_a_small_whole_number(text):
    with pytest.raises(BadInput) as caught:
        parse_calls(text)
    assert str(caught.value) == f"--calls {text}: write a whole number from 1 to 40; each is a call with each app"
    assert (parse_calls("1"), parse_calls("40")) == (1, 40)


def refusal(lab, spec, app: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        calibrate(lab, spec, app, 6, Stop(), pytest.fail)
    return str(caught.value).splitlines()


def test_nobody_is_called_who_is_not_allowed_not_introduced_or_parked(lab):
    virtual = lab.bench("virtual")
    real = virtual.model_copy(update={"kind": "real"})
    assert refusal(lab, virtual, "whatsap") == [
        "--app whatsap: nobody can be called in it on bench virtual; did you mean 'whatsapp'?"
    ]
    (line,) = refusal(lab, virtual.model_copy(update={"allowed_callees": ["15555550101"]}), "whatsapp")
    assert line.endswith("pixel6pro: its whatsapp contact is not in allowed_callees; nobody was called")
    assert [line.split(" was ")[0] for line in refusal(lab, real, "whatsapp")] == [
        "whatsapp from pixel6 to pixel6pro",
        "whatsapp from pixel6pro to pixel6",
    ]
    for caller, callee in (("pixel6", "pixel6pro"), ("pixel6pro", "pixel6")):
        introductions.introduce(lab, real, ("whatsapp", caller, callee), 1.5)
    introductions.park(lab, real, "whatsapp", "pixel6", "pixel6pro", "did not ring")
    assert refusal(lab, real, "whatsapp") == [
        "whatsapp from pixel6 to pixel6pro is parked: did not ring; look at the contact, then invoke introduce APP "
        "--bench virtual"
    ]


def test_a_datasets_own_scenarios_are_no_place_to_learn(lab, tmp_path):
    (tmp_path / "dataset.json").touch()
    (line,) = refusal(lab, lab.bench("virtual"), "whatsapp")
    assert line.startswith(f"{tmp_path}/scenarios: is a dataset's own; name the lab's scenarios with --scenarios")


def test_a_bench_without_any_contact_is_told_so(lab):
    bare = [phone.model_copy(update={"contacts": []}) for phone in VIRTUAL.phones]
    (line,) = refusal(replace(lab), VIRTUAL.model_copy(update={"phones": bare}), "")
    assert line == "bench virtual: both phones have a contact for no app; add them in the *.local.yaml"
