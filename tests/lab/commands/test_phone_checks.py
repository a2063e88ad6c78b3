"""The doctor's lines on what changes on a phone by itself."""

from types import SimpleNamespace

import pytest

from lab.commands import phone_checks
from lab.commands.checks import Check
from lab.errors import PhoneTrouble
from lab.run.versions import Versions
from tests.lab.run.test_readiness import Shell
from tests.lab.run.test_versions import record


def phone(state, versions=()):
    """A phone in a state, with versions by app."""

    def identify(app):
        if app not in versions:
            raise PhoneTrouble(f"a has no {app}")
        return versions[app]

    return SimpleNamespace(device=Shell("a", [state]), spec=SimpleNamespace(name="a"), identify=identify)


@pytest.mark.parametrize(
    ("state", "wrong"),
    [
        ({}, []),
        ({"level": 29}, [Check("battery", "a", False, "29%", "charge it")]),
        ({"status": 3}, [Check("heat", "a", False, "thermal status 3 (severe)", "cool it")]),
        ({"airplane": 1}, [Check("airplane mode", "a", False, "on", "switch it off")]),
        ({"kib": 499_999}, [Check("disk", "a", False, "488 MiB free", "make room on the phone")]),
        ({"trouble": "gone"}, [Check("battery", "a", False, "a: gone", "mend what is named")]),
    ],
)
def test_what_is_not_fit_for_a_night_is_one_line_with_its_fix(state, wrong):
    checks = list(phone_checks.state(phone(state)))
    assert [check for check in checks if not check.ok] == wrong
    assert len(checks) == (1 if "trouble" in state else 4)


def test_what_a_phone_does_not_tell_is_said_and_makes_no_bench_unfit():
    checks = list(phone_checks.state(phone({"status": 9})))
    assert all(check.ok for check in checks)
    assert [check.found for check in checks if check.check == "heat"] == [
        "unknown: no status in dumpsys thermalservice: 'Thermal Status: 9 HAL Ready: true'"
    ]


def test_a_version_that_a_run_would_park_is_told_and_no_other(monkeypatch):
    known = Versions()
    for app in ("whatsapp", "messenger", "snapchat"):
        known.made(record(app, "1", "2"))
    monkeypatch.setattr("lab.run.tonight.versions_of", lambda run: known)
    apps = ["whatsapp", "messenger", "snapchat", "signal"]
    run = SimpleNamespace(matrix=SimpleNamespace(apps=apps), lab=SimpleNamespace(apps={app: app for app in apps}))
    found = phone_checks.moved(run, phone({}, {"whatsapp": "3", "messenger": "1", "signal": "9"}))
    fix = "begin another --dataset, or take the new one: invoke unpark whatsapp"
    assert list(found) == [Check("version", "a/whatsapp", False, "3, and 1 in the dataset's trials", fix)]
