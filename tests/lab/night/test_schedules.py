"""What begins a night each day is right by the programs that read it; where one objects nothing is installed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.errors import BadInput, ControllerTrouble
from lab.night import schedules
from lab.night.schedules import (
    Nightly,
    check,
    cron_block,
    install,
    launchd,
    schedule,
    texts,
    units,
    windows,
    with_block,
)

SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


@pytest.fixture
def of(tmp_path: Path) -> Nightly:
    # systemd looks whether the program is there.
    return Nightly("pixels", "paper", "21:30", "07:00", "nights", Path("/bin/true"), Path("/tmp"), "root")


@SYSTEMD
@pytest.mark.parametrize("system", [False, True])
def test_systemd_finds_nothing_in_the_units_and_tells_the_next_two_nights(of: Nightly, system: bool) -> None:
    made = units(of, system=system)
    nexts = check(of, "systemd", made, system=system)
    assert (len(nexts), all("21:30:00" in line for line in nexts)) == (2, True)


def test_the_units_say_what_a_night_needs(of: Nightly) -> None:
    service, timer = units(of, system=False).values()
    for line in (
        "Type=exec",
        "ExecStart=/bin/true nightly --bench pixels --matrix paper --nights nights --until 07:00",
        "KillSignal=SIGINT",
        "KillMode=mixed",
        "TimeoutStopSec=180",
        "RuntimeMaxSec=14h",
    ):
        assert line in service.splitlines()
    assert {"OnCalendar=*-*-* 21:30:00", "Persistent=true"} <= set(timer.splitlines())
    service, timer = units(of, system=True).values()
    assert ("User=root" in service, "WakeSystem=true" in timer) == (True, True)


@SYSTEMD
def test_a_misspelt_key_which_systemd_only_mentions_installs_nothing(
    of: Nightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    wrong = {name: text.replace("KillMode", "KilMode") for name, text in units(of, system=False).items()}
    monkeypatch.setattr(schedules, "units", lambda *_, **__: wrong)
    with pytest.raises(ControllerTrouble, match=r"Unknown key.*KilMode.*nothing was installed"):
        list(install(of, "systemd", system=False))
    assert list(tmp_path.iterdir()) == []


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Put programs on a PATH on which nothing else is."""
    for name, text in scripts.items():
        file = folder / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_where_no_manager_answers_no_file_is_written(
    of: Nightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, systemd_analyze="", systemctl="echo no bus >&2; exit 1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(ControllerTrouble, match=r"systemctl --user: exit code 1: no bus"):
        list(install(of, "systemd", system=False))
    assert not (tmp_path / "config").exists()


def test_a_timer_is_written_and_enabled(of: Nightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / "called"
    programs(tmp_path, monkeypatch, systemd_analyze="", systemctl=f"echo $* >> {called}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    told = list(install(of, "systemd", system=False))
    folder = tmp_path / "config/systemd/user"
    assert told[:2] == [f"{folder / name} is written" for name in units(of, system=False)]
    assert {path.name: path.read_text() for path in folder.iterdir()} == units(of, system=False)
    assert called.read_text().splitlines() == [
        "--user show --property=Version",
        "--user daemon-reload",
        "--user enable --now im-call-lab-nightly.timer",
    ]


def test_the_crontab_keeps_its_other_lines_and_has_one_block(
    of: Nightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table"
    table.write_text("5 4 * * * /bin/other\n")
    crontab = f'case "$1" in -l) /bin/cat {table};; -n) ;; *) /bin/cp "$1" {table};; esac'
    programs(tmp_path, monkeypatch, crontab=crontab)
    for _ in range(2):
        list(install(of, "cron", system=False))
    assert table.read_text() == f"5 4 * * * /bin/other\n{cron_block(of)}"
    programs(tmp_path, monkeypatch, crontab=crontab.replace("-n) ;;", "-n) echo bad minute >&2; exit 1;;"))
    table.write_text("5 4 * * * /bin/other\n")
    with pytest.raises(ControllerTrouble, match="bad minute"):
        list(install(of, "cron", system=False))
    assert table.read_text() == "5 4 * * * /bin/other\n"


@pytest.mark.parametrize(
    ("loginctl", "told"),
    [
        ("echo Linger=yes", "it runs while you are not logged in, too: Linger=yes"),
        ("echo Linger=no", "a timer of yours runs while you are logged in (Linger=no); without: loginctl enable-lin"),
        ("echo Host is down >&2; exit 1", "runs while you are logged in (whether you linger is unknown); without"),
    ],
)
def test_it_is_said_whether_the_timer_runs_without_its_user(
    of: Nightly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loginctl: str, told: str
) -> None:
    programs(tmp_path, monkeypatch, systemd_analyze="", systemctl="", loginctl=loginctl)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert told in list(install(of, "systemd", system=False))[3]


def test_a_crontab_whose_marks_do_not_fit_is_left_alone(of: Nightly) -> None:
    block = cron_block(of)
    assert with_block(f"a\n{block}b", block) == f"a\n{block}b"
    assert with_block("a", block) == f"a\n{block}"
    for broken in (f"{schedules.BEGIN}\nx\n", f"x\n{schedules.END}\n", block + block):
        with pytest.raises(BadInput, match="without the other, or twice"):
            with_block(broken, block)


def test_a_percent_sign_ends_no_command_of_cron_and_begins_no_specifier_of_systemd(of: Nightly) -> None:
    odd = replace(of, nights="50%")
    assert "--nights 50\\% " in cron_block(odd)
    assert "--nights 50%% " in units(odd, system=False)["im-call-lab-nightly.service"]


def test_the_texts_for_macos_and_windows_are_xml_that_names_the_time(of: Nightly) -> None:
    plist = ElementTree.fromstring(launchd(of).partition("<plist")[1] + launchd(of).partition("<plist")[2])
    assert [each.text for each in plist.iter("string")][2:] == of.argv
    assert [each.text for each in plist.iter("integer")] == ["21", "30", "180"]
    task = windows(of)
    ElementTree.fromstring(task)
    for text in ("T21:30:00", "<MultipleInstancesPolicy>IgnoreNew<", "<WakeToRun>true<", "<ExecutionTimeLimit>PT14H<"):
        assert text in task


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("pixels", "paper", "25:00", "", "nights"), "--at 25:00: write a time of day"),
        (("pixels", "paper", "21:30", "7", "nights"), "--until 7: write a time of day"),
        (("pixels; rm", "paper", "21:30", "", "nights"), "cannot name it without quotes"),
        (("pixels", "paper", "21:30", "", "my nights"), "cannot name it without quotes"),
        (("pixels", "paper", "21:30", "", "x\nExecStop=y"), "cannot name it without quotes"),
    ],
)
def test_words_that_would_need_quotes_and_times_that_are_none_are_refused(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        schedule(*words)


def test_what_only_another_system_can_check_is_only_printed(of: Nightly) -> None:
    with pytest.raises(BadInput, match="only with --print"):
        list(install(of, "launchd", system=False))
    with pytest.raises(BadInput, match="write one of systemd, cron, launchd, windows"):
        texts(of, "at", system=False)
    with pytest.raises(BadInput, match="cron has no such thing"):
        texts(of, "cron", system=True)
