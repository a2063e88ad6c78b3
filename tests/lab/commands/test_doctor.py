from __future__ import annotations

from pathlib import Path

from lab.clocks.stop import Stop
from lab.commands.doctor import Check, _needs, examine
from lab.definitions import Lab
from lab.run.options import Options
from lab.run.plan import prepare
from lab.virtual.rig import needs

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
LAB = Lab.load(SCENARIOS)
ROOT = needs.Need("not root: no network namespaces can be made", "run as root")
PROGRAMS = needs.Need("no turnserver", "apt-get install --no-install-recommends coturn")


def test_a_rig_on_a_machine_that_lacks_something_is_not_opened_and_each_lack_has_its_line(monkeypatch, tmp_path):
    monkeypatch.setattr(needs, "lacking", lambda: [ROOT, PROGRAMS])
    run = prepare(Options("rig", "smoke", str(tmp_path / "dataset"), "1", str(SCENARIOS), ""))
    checks = [check for check in examine(run, Stop()) if check.subject == "rig"]
    assert checks == [
        Check("rig needs", "rig", False, ROOT.what, ROOT.fix),
        Check("rig needs", "rig", False, PROGRAMS.what, PROGRAMS.fix),
        Check(
            "bench",
            "rig",
            False,
            "not opened: not root: no network namespaces can be made; no turnserver",
            "mend what is named, then run doctor again",
        ),
    ]


def test_where_nothing_is_lacking_one_line_says_so_and_other_benches_need_nothing(monkeypatch):
    monkeypatch.setattr(needs, "lacking", lambda: [])
    found = "root, network namespaces, TUN and all programs are there"
    assert list(_needs(LAB.bench("rig"))) == [Check("rig needs", "rig", True, found, "")]
    monkeypatch.setattr(needs, "lacking", lambda: [ROOT])
    assert [list(_needs(LAB.bench(name))) for name in ("virtual", "pixels")] == [[], []]
