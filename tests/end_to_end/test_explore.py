"""The dataset of the paper's matrix as analysts open it: default readers, the questions of docs/explore.md, the data
package. The programs are in `.explore`, which `make full` makes; IM_CALL_LAB_EXPLORE names another folder."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from correlate.columns import decode
from correlate.dataset import Dataset
from correlate.report.describe.package import resources, type_name

ROOT = Path(__file__).parents[2]
EXPLORE = Path(os.environ.get("IM_CALL_LAB_EXPLORE", ROOT / ".explore"))
PYTHON = EXPLORE / "bin/python"
needs_explore = pytest.mark.skipif(not PYTHON.exists(), reason="no .explore: `make .explore/.ready` makes it")
pytestmark = pytest.mark.full

Columns = Mapping[str, Sequence[Any]]


@pytest.fixture(scope="module")
def expected(paper: Dataset) -> dict[str, Columns]:
    """Path -> column -> the values as the models have them; lists and objects as the text that they are in a CSV."""
    found = {}
    for each in resources(paper):
        with (paper.path / each.path).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == list(each.columns), each.path
        found[each.path] = {column: [value(row[column], kind) for row in rows] for column, kind in each.columns.items()}
    return found


def value(cell: str, kind: Any) -> Any:
    if cell == "" or type_name(kind) in ("string", "array", "object"):
        return cell or None
    return decode(cell, kind)


def asked(script: str, *arguments: str, cwd: Path) -> Any:
    argv = [PYTHON, ROOT / "tests/explore" / script, *arguments]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wrong(read: Columns, right: Columns) -> Iterator[str]:
    """Cells that differ; a text that was taken for a number is right where it is written alike."""
    for column, values in right.items():
        for row, (ours, theirs) in enumerate(zip(values, read[column], strict=True)):
            same = str(theirs) == ours if isinstance(ours, str) else theirs == ours and type(theirs) is not str
            if not same:
                yield f"{column}, row {row}: {theirs!r}, not {ours!r}"


@needs_explore
def test_pandas_and_duckdb_read_every_cell_right_by_default(
    paper: Dataset, expected: dict[str, Columns], tmp_path: Path
) -> None:
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    assert sum(len(values) for columns in expected.values() for values in columns.values()) > 100_000
    found = asked("readers.py", str(paper.path), str(tmp_path / "expected.json"), cwd=tmp_path)
    assert found == {"pandas": [], "duckdb": []}


def test_sqlite_reads_every_cell_right(paper: Dataset, expected: dict[str, Columns]) -> None:
    """With numeric affinity, the harshest: whatever looks like a number becomes one. It has no booleans."""
    base = sqlite3.connect(":memory:")
    for number, (path, right) in enumerate(expected.items()):
        names = ", ".join(f'"{column}" NUMERIC' for column in right)
        base.execute(f"CREATE TABLE t{number} ({names})")  # two names alike but for their case are refused
        with (paper.path / path).open(newline="") as file:
            rows = [[cell or None for cell in row] for row in csv.reader(file)][1:]
        base.executemany(f"INSERT INTO t{number} VALUES ({', '.join('?' * len(right))})", rows)
        read = zip(*base.execute(f"SELECT * FROM t{number} ORDER BY rowid"), strict=True)
        flags = {"TRUE": True, "FALSE": False}
        booleans = {column for column, values in right.items() if any(isinstance(each, bool) for each in values)}
        found = {
            column: [flags.get(each, each) for each in values] if column in booleans else values
            for column, values in zip(right, read, strict=True)
        }
        assert list(wrong(found, right)) == [], path


def converted(cells: Sequence[str]) -> list[Any]:
    """R's type.convert of a column: logical, integer and double, else character; NA where a cell is empty or NA."""
    known = [cell for cell in cells if cell not in ("", "NA")]
    flags = {"T": True, "TRUE": True, "true": True, "True": True, "F": False, "FALSE": False, "false": False}
    flags["False"] = False
    if all(cell in flags for cell in known):
        return [flags.get(cell) for cell in cells]
    try:
        numbers = {cell: float(cell) for cell in known}
    except ValueError:
        return [None if cell == "NA" else cell for cell in cells]
    return [numbers.get(cell) for cell in cells]


def test_by_rs_rules_every_cell_is_right(paper: Dataset, expected: dict[str, Columns]) -> None:
    """R has doubles alone beyond 32 bits."""
    for path, right in expected.items():
        with (paper.path / path).open(newline="") as file:
            header, *rows = csv.reader(file)
        read = dict(zip(header, map(converted, zip(*rows, strict=True)), strict=True))
        assert (
            list(wrong({column: [None if each == "" else each for each in read[column]] for column in read}, right))
            == []
        )


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no Rscript (Debian: apt install r-base-core)")
def test_r_itself_reads_every_number_right(paper: Dataset, expected: dict[str, Columns], tmp_path: Path) -> None:
    for path, right in expected.items():
        script = f'x <- read.csv("{paper.path / path}"); for (n in names(x)) if (is.numeric(x[[n]])) '
        script += 'cat(n, sprintf("%.17g", x[[n]]), "\\n")'
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, timeout=60, check=True)
        for line in done.stdout.splitlines():
            name, *cells = line.split()
            read = [None if cell == "NA" else float(cell) for cell in cells]
            kept = [None if each is None else float(each) for each in right[name]]
            assert read == kept, f"{path} {name}"


@needs_explore
def test_ten_questions_have_the_same_answer_in_sql_and_in_pandas(paper: Dataset) -> None:
    answers = asked("questions.py", str(ROOT / "docs/explore.md"), cwd=paper.path)
    assert len(answers) == 10
    for number, answer in answers.items():
        assert answer["sql"] == answer["pandas"] != [], number
        assert max(answer["lines"]) <= 5, number
    assert ["messenger", 36, 36, 36] in answers["2"]["sql"]
    assert answers["8"]["sql"] == [["true", 180, 84], ["wrong", 360, 0]]


@needs_explore
def test_the_data_package_is_valid_and_says_so_of_a_wrong_cell(paper: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(paper.path, copy, ignore=shutil.ignore_patterns("trials", "truth", "attempts", "scenarios"))
    argv = [EXPLORE / "bin/frictionless", "validate", "--json", "datapackage.json"]
    done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(done.stdout)
    assert (report["valid"], report["stats"]["tasks"]) == (True, 22), done.stdout[:2000]
    path = copy / "trials.csv"
    path.write_text(path.read_text().replace(",TRUE,observed,", ",yes,observed,", 1))
    argv += ["--resource-name", "trials"]
    done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    errors = {each["type"] for task in json.loads(done.stdout)["tasks"] for each in task["errors"]}
    assert {"type-error", "hash-count", "byte-count"} <= errors


def test_sha256sum_finds_every_file_as_the_manifest_says(paper: Dataset) -> None:
    argv = ["sha256sum", "--quiet", "-c", "manifest-sha256.txt"]
    done = subprocess.run(argv, cwd=paper.path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    listed = (paper.path / "manifest-sha256.txt").read_text()
    assert all(f"  {name}\n" in listed for name in ("trials.csv", "datapackage.json", "README.md", "CITATION.cff"))
