"""The list of mutants: it fits the text of the modules, reaches every module it must, and is killed by `make full`."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import MUTANTS, ROOT, mirror, mutated

ROOMS = ("correlate/dimensions", "correlate/pairs", "lab/capture", "lab/run")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[1]}: {mutant[2]}")
def test_each_mutant_stands_once_in_its_module_and_is_another_program(mutant):
    _, module, old, new, *tests = mutant
    assert compile(mutated(module, old, new), module, "exec") != compile(mutated(module, old, old), module, "exec")
    assert (ROOT / mirror(module, *tests)).is_file()


def test_a_text_that_is_missing_or_there_twice_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^lab/errors\.py has 'exit_code = 7' 0 times, not once$"):
        mutated("lab/errors", "exit_code = 7", "")
    with pytest.raises(ValueError, match=r"^lab/errors\.py has 'def __init__' [2-9] times, not once$"):
        mutated("lab/errors", "def __init__", "")


def test_the_mutants_are_of_verdicts_and_boundaries_and_of_every_module_of_the_key_rooms():
    kinds = Counter(kind for kind, *_ in MUTANTS)
    assert (kinds["verdict"] >= 25, kinds["boundary"] >= 15, len(MUTANTS) >= 60) == (True, True, True)
    assert kinds.keys() == {"verdict", "boundary", "value"}
    files = [path.relative_to(ROOT).with_suffix("") for room in ROOMS for path in (ROOT / room).glob("*.py")]
    # A dimension's room has in its own file their list alone, those of the lab have none.
    expected = {str(path) for path in files if path.name != "__init__"} | {"correlate/pairs/__init__"}
    assert expected - {module for _, module, *_ in MUTANTS} == set()


ONE = ("value", "correlate/tables/statistics", "if total == 0:")


@pytest.mark.full
@pytest.mark.parametrize(
    ("new", "outcome"),
    [("if not total:", "survived"), ("if total == 1:", "killed by test_"), ("if total = 0:", "error: ")],
)
def test_only_a_test_that_fails_kills_a_mutant(monkeypatch, capsys, new, outcome):
    monkeypatch.setattr(mutants, "MUTANTS", [(*ONE, new)])
    is_killed = outcome.startswith("killed")
    assert mutants.main() == (not is_killed)
    said = capsys.readouterr().out
    assert said.startswith(f"1  value    correlate/tables/statistics: 'if total == 0:' -> {new!r}  ")
    assert f"tests/correlate/test_statistics.py: {outcome}" in said
    assert said.endswith(f"{int(is_killed)} of 1 killed\n")


@pytest.mark.full
def test_every_mutant_is_killed_by_the_tests_of_its_module():
    argv = [sys.executable, str(Path(mutants.__file__))]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert [line for line in lines[:-1] if ": killed by " not in line] == []
    assert (lines[-1], done.returncode) == (f"{len(MUTANTS)} of {len(MUTANTS)} killed", 0), done.stderr
