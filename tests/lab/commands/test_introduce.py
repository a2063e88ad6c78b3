"""The first call of each pair, on the emulated bench, with somebody who says yes or no."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest

from lab.clocks.stop import Stop
from lab.commands.introduce import asked_on_terminal, introduce
from lab.definitions import Lab
from lab.errors import BadInput, TrialsFailed
from lab.phone.call_state import CallState
from lab.run import calibration, calls

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@pytest.fixture
def lab(tmp_path):
    return Lab.load(Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios")))


class Terminal(io.StringIO):
    """A terminal at which this was typed."""

    def isatty(self) -> bool:
        return True


def introduced(lab, spec) -> list[tuple[str, str, str]]:
    return [(each.app, each.caller, each.callee) for each in calibration.kept(lab, spec).introductions]


def test_each_phone_rings_once_after_a_yes_and_how_soon_is_kept(lab):
    spec, asked, said = lab.bench("virtual"), [], []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    introduce(lab, spec, "whatsapp", Stop(), yes, said.append)
    assert introduced(lab, spec) == [("whatsapp", "pixel6", "pixel6pro"), ("whatsapp", "pixel6pro", "pixel6")]
    there, back = calibration.kept(lab, spec).introductions
    assert all(0.2 < each.ring_s < 6 for each in (there, back))
    assert asked[0] == (
        "pixel6 will call the whatsapp contact of pixel6pro. Does pixel6pro lie before you, and may it ring now?"
    )
    assert said == [
        f"whatsapp from {each.caller} to {each.callee} rang after {each.ring_s:.1f} s; it may call with nobody there"
        for each in (there, back)
    ]


def test_who_says_no_to_one_way_has_the_other_alone_introduced(lab):
    spec = lab.bench("virtual")
    with pytest.raises(TrialsFailed) as caught:
        introduce(lab, spec, "whatsapp", Stop(), lambda question: question.startswith("pixel6pro "), lambda _: None)
    assert str(caught.value) == "whatsapp from pixel6 to pixel6pro: not called, nobody said yes"
    assert introduced(lab, spec) == [("whatsapp", "pixel6pro", "pixel6")]


def test_a_callee_that_does_not_ring_is_cancelled_and_not_introduced(lab, monkeypatch):
    spec = lab.bench("virtual")
    monkeypatch.setattr(calls, "RING_S", 0.0)
    left = []

    def left_idle(phones, app, clock, note, leave=calls.leave_idle):
        leave(phones, app, clock, note)
        left.extend(phone.calls.state(app) for phone in phones)

    monkeypatch.setattr(calls, "leave_idle", left_idle)
    with pytest.raises(TrialsFailed) as caught:
        introduce(lab, spec, "whatsapp", Stop(), lambda question: question.startswith("pixel6 "), lambda _: None)
    assert str(caught.value).startswith(
        "whatsapp from pixel6 to pixel6pro: did not ring within 0 s and was cancelled; look at the contact"
    )
    assert left == [CallState.IDLE, CallState.IDLE]
    assert introduced(lab, spec) == []


def test_nobody_is_asked_about_an_app_that_is_not_there_or_a_callee_who_is_not_allowed(lab):
    spec = lab.bench("virtual")
    with pytest.raises(BadInput, match="no app 'whatsap'; did you mean 'whatsapp'"):
        introduce(lab, spec, "whatsap", Stop(), pytest.fail, pytest.fail)
    with pytest.raises(BadInput, match="is not in allowed_callees; nobody was called"):
        introduce(lab, spec.model_copy(update={"allowed_callees": []}), "whatsapp", Stop(), pytest.fail, pytest.fail)


@pytest.mark.parametrize(
    ("typed", "yes"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)]
)
def test_only_a_yes_at_a_terminal_is_one(monkeypatch, capsys, typed, yes):
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert asked_on_terminal("May it ring?") is yes
    assert capsys.readouterr().err == "May it ring? [y/N] "


def test_without_a_terminal_it_refuses_in_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(BadInput) as caught:
        asked_on_terminal("May it ring?")
    assert str(caught.value) == (
        "introduce needs a person who sees both phones: type it at a terminal; nobody was called"
    )
