from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.run.options import Options
from lab.run.plan import prepare

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


def test_a_rig_runs_only_apps_that_say_how_browsers_play_them(tmp_path):
    options = Options("rig", "invented", str(tmp_path / "dataset"), "1", str(SCENARIOS), "")
    with pytest.raises(BadInput) as caught:
        prepare(options)
    mend = "write it (docs/rig.md), or take the app out of matrix invented"
    assert str(caught.value).splitlines() == [
        f"{SCENARIOS}/virtual/{app}.yaml: no section 'rig', bench rig needs it; {mend}"
        for app in ("alder", "birch", "cedar")
    ]
    assert caught.value.exit_code == 2


def test_a_rig_too_needs_its_apps_emulated(tmp_path):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    (scenarios / "virtual" / "whatsapp.yaml").unlink()
    with pytest.raises(BadInput, match=r"virtual/whatsapp\.yaml: missing, bench rig needs it; write it \(docs/add-"):
        prepare(Options("rig", "smoke", str(tmp_path / "dataset"), "1", str(scenarios), ""))
