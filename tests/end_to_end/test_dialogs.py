"""Dialogs that an app puts in the way, and an agent that answers no question, on the virtual bench."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.commands import doctor
from lab.errors import PhoneTrouble
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.plan import Run
from tests.end_to_end.test_faults import CANCEL, SCENARIOS, planned, silent

NAG = """\
  - name: nag
    activity: com.whatsapp.update.ui.UpdateDialog
    nodes:
      - {class_name: android.widget.TextView, text: "Lab two, update now", bounds: [100, 900, 980, 1000]}
      - {class_name: android.widget.ImageView, description: Dismiss update dialog, bounds: [880, 700, 980, 800],
         clickable: true, tap: show, screen: chat}
"""


@pytest.fixture
def nagged(tmp_path: Path) -> Path:
    """Scenarios in which the link to a chat leads to a dialog first."""
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    virtual = scenarios / "virtual" / "whatsapp.yaml"
    text = virtual.read_text()
    text = text.replace('data: "https://wa.me/{contact}", opens: chat', 'data: "https://wa.me/{contact}", opens: nag')
    virtual.write_text(text.replace("  - name: outgoing\n", f"{NAG}  - name: outgoing\n", 1))
    return scenarios


def tried(tmp_path: Path, scenarios: Path) -> tuple[bool, Run]:
    run = planned(tmp_path / "dataset", CANCEL, scenarios=scenarios)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        return run_one(run, bench, run.chosen[0], silent()), run


def test_a_dialog_that_the_app_is_known_for_is_dismissed_where_a_link_can_always_be_used(tmp_path, nagged):
    completed, run = tried(tmp_path, nagged)
    assert completed
    assert Dataset(run.dataset.path).record(CANCEL).observed_scenario == "caller_cancels"


def test_a_dialog_that_nobody_knows_voids_and_is_named_without_its_text(tmp_path, nagged):
    app = nagged / "apps" / "whatsapp.yaml"
    lines = [line for line in app.read_text().splitlines() if "Dismiss update dialog" not in line]
    app.write_text("\n".join(lines) + "\n")
    completed, run = tried(tmp_path, nagged)
    assert not completed
    (folder, *_) = sorted((run.dataset.path / "attempts").iterdir())
    assert json.loads((folder / "void.json").read_text())["reason"] == "dialog"
    assert json.loads((folder / "void.json").read_text())["text"] == (
        "whatsapp: over it on pixel6 is com.whatsapp class com.whatsapp.update.ui.UpdateDialog, ids [], "
        "buttons ['Dismiss update dialog']; close it by hand, or add what closes it to `dismiss` in apps/whatsapp.yaml"
    )
    assert b"Lab two, update now" in (folder / "caller-hierarchy.xml").read_bytes()


GONE = "java.lang.IllegalStateException: UiAutomation not connected, UiAutomation@9a2bd5f[id=-1, displayId=0, flags=0]"


def test_an_agent_that_lost_its_uiautomation_is_named_by_health_and_by_doctor_once(tmp_path):
    run = planned(tmp_path, CANCEL)
    with Bench(run.lab, run.spec, Stop(), partly=True) as bench:
        bench.kind.ask(op="fail_next", what="agent", on="pixel6", times=4, says=GONE)
        with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent fails: Android has taken its UiAutomation from it"):
            bench.phones["pixel6"].check_health()
        apps = [run.lab.apps["whatsapp"]]
        (wrong,) = (check for check in doctor._of_phone(bench.phones["pixel6"], apps) if not check.ok)
        assert (wrong.check, wrong.fix) == ("agent", "restart the phone where it stays so")
        assert wrong.found.startswith("pixel6: its agent fails: Android has taken its UiAutomation from it")
        bench.phones["pixel6"].check_health()
