from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.clocks.stop import Stop
from lab.commands import doctor
from lab.commands.doctor import Check, _learnt, _needs, _witnesses, examine
from lab.definitions import Lab
from lab.errors import PhoneTrouble
from lab.phone.witnesses.facts import Missing, PhoneDate, Reading
from lab.run import introductions
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


READ = Reading(PhoneDate(1_767_571_200, 0), "MODE_NORMAL", (), (), (), (), ())


def witnesses(monkeypatch, read: Reading, log) -> Check:
    """What the doctor says of a phone whose records are these."""
    monkeypatch.setattr(doctor.reading, "read", lambda device: read)
    monkeypatch.setattr(doctor.events, "EventsStream", lambda device, now_ns: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(doctor.events, "whole", lambda device, stream, now_ns: log)
    device = SimpleNamespace(read_clock_ns=lambda: 1_767_571_200_000_000_000)
    return _witnesses(SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=device))


def test_what_of_a_phones_records_cannot_be_read_is_named_with_the_claims_that_it_costs(monkeypatch):
    whole = witnesses(monkeypatch, READ, ())
    assert whole == Check("witnesses", "pixel6", True, "audio, camera, telecom, telephony and events can be read", "")
    lacking = witnesses(monkeypatch, replace(READ, cameras=Missing("no events log")), Missing("no such buffer"))
    assert not lacking.ok
    assert lacking.found == "camera cannot be read: no events log; events cannot be read: no such buffer"
    assert lacking.fix == (
        "service is never proven, which needs camera; trials are kept with what is undecided; "
        "or take a phone whose dumpsys and logcat show it"
    )
    agreed = witnesses(monkeypatch, READ, Missing("no such buffer"))
    assert agreed.fix.startswith("every claim can be proven all the same; ")


def test_a_phone_that_does_not_answer_is_one_check_that_fails(monkeypatch):
    def gone(device) -> Reading:
        raise PhoneTrouble("pixel6: no whole answer")

    witnesses(monkeypatch, READ, ())
    monkeypatch.setattr(doctor.reading, "read", gone)
    device = SimpleNamespace(read_clock_ns=lambda: 1)
    found = _witnesses(SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=device))
    assert (found.ok, found.found, found.fix) == (False, "pixel6: no whole answer", "mend what is named")


@pytest.mark.parametrize("kind", ["virtual", "real"])
def test_pairs_that_may_not_call_with_nobody_there_are_named_on_real_phones_alone(tmp_path, kind):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    run = prepare(Options("virtual", "smoke", str(tmp_path / "dataset"), "1", str(scenarios), ""))
    run = replace(run, spec=run.spec.model_copy(update={"kind": kind}))
    introductions.introduce(run.lab, run.spec, ("whatsapp", "pixel6", "pixel6pro"), 1.5)
    introductions.park(run.lab, run.spec, "whatsapp", "pixel6", "pixel6pro", "did not ring")
    checks = list(_learnt(run))
    if kind == "virtual":
        assert checks == []
        return
    assert checks[0] == Check(
        "introduced",
        "virtual",
        False,
        "whatsapp from pixel6pro to pixel6 never rang; whatsapp from pixel6 to pixel6pro is parked",
        "be there and type invoke introduce APP --bench virtual",
    )
