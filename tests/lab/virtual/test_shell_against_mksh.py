"""The emulated shell beside mksh and toybox, which Android has: the same answer, or a refusal that is counted.

Not compared: how `timeout` ends where its command ends first. toybox 0.8.9 gives the command's code or 127 then, as its
processes happen to run.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.virtual.commands.tables import COMMON, toybox
from lab.virtual.shell.machine import Software
from tests.lab.virtual.bench_process import BEGIN, Process
from tests.lab.virtual.shell_scripts import ANSWERED, NOT_FOUND, REFUSED, Scripts
from tests.lab.virtual.tiny import TinyMachine, run

MKSH, TOYBOX = shutil.which("mksh"), shutil.which("toybox")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(MKSH is None or TOYBOX is None, reason="no mksh, toybox: apt install mksh toybox"),
]

STDIN = b"in 1\nin\\2  b \nlast"
FILES = {
    "f": b"one\ntwo\nthree\n",
    "g": b"x y  z\n",
    "b c": b"blank\n",
    "empty": b"",
    "cr": b"a\rb\r\nc",
    "n": b"".join(b"%d\n" % number for number in range(1, 13)),
    "zero": b"a\n\0b c\n",
    ".dot": b"dot\n",
    "d/e": b"deep\n",
    "d/.h": b"hidden\n",
}


@dataclass(frozen=True)
class Answer:
    out: bytes
    err: bytes
    code: int


def is_same(script: str, real: Answer, emulated: Answer) -> bool:
    """Whether both say the same. What a shell itself complains is worded by its version, and toybox adds an advice."""
    told = re.sub(rb' \(see "\w+ --help"\)', b"", real.err)
    if " | " in script:
        # Who has died before it complained is a matter of chance.
        complaints = True
    elif re.search(rb"\bsh: |\bkill\b", told):
        complaints = emulated.err != b""
    else:
        complaints = told == emulated.err
    return (real.out, real.code, complaints) == (emulated.out, emulated.code, True)


class Both:
    """The same small tree of files at the same path, for the real shell and for the emulated one."""

    def __init__(self, root: Path) -> None:
        self._bin, self._here, self._virtual = root / "bin", root / "here", root / "virtual"
        self._bin.mkdir()
        (self._bin / "sh").symlink_to(str(MKSH))
        applets = subprocess.run([str(TOYBOX)], capture_output=True, check=True).stdout.decode().split()
        for name in {"toybox", *applets} - {"sh"}:
            (self._bin / name).symlink_to(str(TOYBOX))

    def real(self, script: str, stdin: bytes = STDIN) -> Answer:
        write_tree(self._here)
        argv, environment = ["sh", "-c", script], {"PATH": str(self._bin)}
        done = subprocess.run(
            argv,
            executable=self._bin / "sh",
            input=stdin,
            capture_output=True,
            cwd=self._here,
            env=environment,
            timeout=20,
        )
        return Answer(done.stdout, done.stderr, done.returncode)

    def emulated(self, script: str) -> tuple[Answer, list[str]]:
        """Its answer, and what it refused."""
        write_tree(self._virtual / str(self._here).lstrip("/"))
        machine = TinyMachine(self._virtual, str(self._here))
        software = Software({**COMMON, "toybox": toybox})
        return Answer(*run(machine, script, STDIN, software=software, directory=str(self._here))), machine.refused


def write_tree(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return Both(tmp_path_factory.mktemp("shells"))


def test_at_least_80_scripts_have_to_be_answered_and_no_script_is_there_twice():
    assert len(ANSWERED) >= 80
    assert len({*ANSWERED, *NOT_FOUND, *REFUSED}) == len(ANSWERED) + len(NOT_FOUND) + len(REFUSED)


@pytest.mark.parametrize("script", ANSWERED)
def test_a_script_has_the_answer_of_mksh_and_toybox(both, script):
    real, (emulated, refused) = both.real(script), both.emulated(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert refused == []


@pytest.mark.parametrize("script", NOT_FOUND)
def test_a_command_that_is_not_found_has_the_same_answer_and_is_counted(both, script):
    real, (emulated, refused) = both.real(script), both.emulated(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert refused


@pytest.mark.parametrize("script", REFUSED)
def test_a_script_that_is_not_built_is_refused_and_counted(both, script):
    emulated, refused = both.emulated(script)
    assert refused, f"{script}\n{both.real(script)}\n{emulated}"
    assert emulated.err != b""


def test_scripts_by_chance_have_the_same_answer_or_are_refused(both):
    scripts, answered, wrong = Scripts(1), 0, []
    for _ in range(400):
        script = scripts.script()
        real, (emulated, refused) = both.real(script), both.emulated(script)
        if is_same(script, real, emulated):
            answered += 1
        elif not refused:
            wrong.append(f"{script}\n{real}\n{emulated}")
    assert wrong == []
    assert answered >= 200


@pytest.fixture(scope="module")
def phone(both, tmp_path_factory):
    """What asks a virtual phone by the stock adb: a script, in the tree of files."""
    folder = tmp_path_factory.mktemp("bench")
    write_tree(folder / "here")
    process = Process(folder)
    process.say(BEGIN)
    serial = f"127.0.0.1:{process.started['phones'][0]['port']}"
    process.adb("connect", serial)

    def ask(script: str) -> Answer:
        process.adb("-s", serial, "shell", "rm -rf /data/local/tmp/here")
        assert process.adb("-s", serial, "push", str(folder / "here"), "/data/local/tmp").returncode == 0
        done = process.adb("-s", serial, "shell", f"cd /data/local/tmp/here; {script}")
        return Answer(done.stdout, done.stderr, done.returncode)

    yield ask, process
    process.end()


@pytest.mark.parametrize("script", [one for one in ANSWERED if not re.search("pwd|uname|cd |ls$|ls;", one)][::12])
def test_adb_brings_the_same_answer(both, phone, script):
    ask, process = phone
    real, emulated = both.real(script, b""), ask(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert process.say({"op": "end", "truth": None})["refused"] == []


def test_adb_brings_a_refusal_and_it_is_counted(phone):
    ask, process = phone
    answer = ask("for x in a b; do echo $x; done")
    assert answer == Answer(b"", b"sh: syntax error: 'for' is not built\n", 2)
    assert process.say({"op": "end", "truth": None})["refused"] == ["pixel6: syntax: 'for' is not built"]
