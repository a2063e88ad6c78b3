"""A bench's secrets stand in no file of a dataset but those under attempts/, and nowhere on the terminal."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from correlate.dataset import AttemptFolder, Dataset
from correlate.dataset.anchors import Kept
from lab.commands.exits import exits
from lab.night import whole_run
from lab.programs.shell import PersistentShell, ShellOutput, StreamBroken
from lab.run.options import Options
from lab.run.plan import prepare

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LOCAL = """
phones:
  - name: pixel6
    serial: CANARY1SERIAL
    pcapdroid_key: CANARY2KEY0123456789
    contacts: [{app: whatsapp, address: "15555559870", title: Canary Three}]
  - name: pixel6pro
    serial: CANARY4SERIAL
    contacts: [{app: whatsapp, address: "15555559871", title: Canary Five}]
laptop: {connect: [ssh, -J, somebody@canary6.example, canary7-laptop]}
allowed_callees: ["15555559870", "15555559871", canary8_callee]
"""
CANARIES = ("canary", "15555559870", "15555559871", "somebody")
CALLED = ("15555559870", "15555559871")
COMMANDS = 80
"""Fewer than are sent to the phones and the laptop in the shortest attempt."""


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    """The shipped ones, with a local file over the bench `virtual` that holds a canary in every secret field."""
    made = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))
    bench = made / "benches" / "virtual.yaml"
    bench.write_text(bench.read_text().replace("kind: virtual\n", "kind: virtual\nlocal: virtual.local.yaml\n"))
    (made / "benches" / "virtual.local.yaml").write_text(LOCAL)
    return made


class Lost:
    """Loses the connection at commands to the phones and the laptop: where `wanted` says so of a command, how many came
    before it in its attempt, and which of the attempts at its trial that is, from 0."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wanted: Callable[[str, int, int], bool]) -> None:
        self.commands: list[str] = []
        self._before, self._attempt = 0, -1
        attempts = Counter[str]()
        run, enter = PersistentShell.run, AttemptFolder.__enter__

        def counted(
            shell: PersistentShell, command: str, timeout_s: float | None = None, label: str | None = None
        ) -> ShellOutput:
            self._before += 1
            if self._attempt >= 0 and wanted(command, self._before - 1, self._attempt):
                self._attempt = -1
                self.commands.append(command)
                raise StreamBroken(f"the connection is lost at {command}")
            return run(shell, command, timeout_s, label)

        def entered(folder: AttemptFolder) -> AttemptFolder:
            self._before, self._attempt = 0, attempts[folder.path.name]
            attempts[folder.path.name] += 1
            return enter(folder)

        monkeypatch.setattr(PersistentShell, "run", counted)
        monkeypatch.setattr(AttemptFolder, "__enter__", entered)


def ran(scenarios: Path, dataset: Path, trials: slice) -> tuple[int, Dataset]:
    """Run some trials of the matrix `smoke`, as `run-matrix` does; the exit code."""
    try:
        with exits():
            run = prepare(Options(matrix="smoke", dataset=str(dataset), scenarios=str(scenarios)))
            whole_run.run_and_report(run.only(*run.planned[trials]))
    except Exit as end:
        print(end.message)
        return end.code, Dataset(dataset)
    return 0, Dataset(dataset)


def found(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text.casefold()]


def with_canaries(dataset: Path) -> dict[str, list[str]]:
    """Every file outside of attempts/ in whose bytes or name a canary stands."""
    files = [path for path in dataset.rglob("*") if path.is_file() and "attempts" not in path.parts]
    texts = {str(path.relative_to(dataset)): path.read_bytes().decode("utf-8", "replace") for path in files}
    return {name: hits for name, text in texts.items() if (hits := found(name + text))}


def events(dataset: Dataset, event: str) -> list:
    return [entry for entry in dataset.journal.read() if entry.event == event]


def test_a_connection_lost_at_a_command_with_a_contact_in_it_shows_no_contact(tmp_path, scenarios, monkeypatch, capsys):
    lost = Lost(monkeypatch, lambda command, _before, attempt: attempt < 2 and any(each in command for each in CALLED))
    code, dataset = ran(scenarios, tmp_path / "d", slice(1))
    assert (code, len(lost.commands), len(events(dataset, "void"))) == (0, 2, 2)
    printed = capsys.readouterr()
    assert (with_canaries(dataset.path), found(printed.out + printed.err)) == ({}, [])
    [trial] = dataset.trial_ids()
    redacted = f"<{events(dataset, 'redacted')[0].field}>"
    assert re.fullmatch("<address of pixel6(pro)? in whatsapp>", redacted)
    assert redacted in dataset.void(Kept(trial, 0, 1)).text
    assert printed.out.count(redacted) >= 2
    assert dataset.verify() == []


@pytest.mark.full
def test_whatever_command_a_connection_is_lost_at_no_secret_is_shown(tmp_path, scenarios, monkeypatch, capsys):
    """Three attempts at each of 14 trials lose it, each at a later command than the one before. Where it is lost at a
    beat of a phone's lease the attempt goes on: that is tried again by the next one."""
    lost = Lost(
        monkeypatch,
        lambda _, before, attempt: attempt < 3 and before == len(lost.commands) * COMMANDS // 42,
    )
    code, dataset = ran(scenarios, tmp_path / "d", slice(14))
    beats = [command for command in lost.commands if "/im-call-lab.lease/" in command]
    assert (code, len(events(dataset, "completed")), len(beats)) == (0, 14, 2)
    assert len(events(dataset, "void")) == len(lost.commands) - 2 == 36
    printed = capsys.readouterr()
    assert (with_canaries(dataset.path), found(printed.out + printed.err)) == ({}, [])
    assert len({command.split()[0] for command in lost.commands}) > 10
    kept = [path.read_bytes() for path in dataset.attempts_dir.rglob("*.xml")]
    assert any(b"Canary Five" in text for text in kept)
