"""docs/dataset.md names every column, every key and every file."""

import ast
import re
from pathlib import Path

import pytest

from correlate import report
from correlate.columns import columns
from correlate.dataset import Dataset
from correlate.dimensions import DIMENSIONS
from correlate.pairs.sessions import RULES
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.study import Study

ROOT = Path(__file__).parents[2]
PAGE = re.sub(r"```.*?```", "", (ROOT / "docs/dataset.md").read_text(), flags=re.DOTALL)
WORDS = set(re.findall(r"[A-Za-z0-9_]+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
# What reads trial.json, and the names that hold the record or a part of it there.
READERS = {
    "correlate/pairs/__init__.py": {"record", "recorded"},
    "correlate/dataset/clocks.py": {"value"},
    "correlate/dataset/installed.py": {"record", "sides", "each"},
    "correlate/dataset/__init__.py": {"record", "recorded", "sides"},
    "correlate/report/attempts.py": {"record", "told"},
}


def keys_read(path, names):
    """Constant keys that are taken out of these names, by subscript or `.get`."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Subscript):
            base, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            base, key = node.func.value, node.args[0]
        else:
            continue
        inside = {each.id for each in ast.walk(base) if isinstance(each, ast.Name)}
        inside |= {each.attr for each in ast.walk(base) if isinstance(each, ast.Attribute)}
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and inside & names:
            found.add(key.value)
    return found


@pytest.mark.parametrize("name", [name for name, _ in DIMENSIONS])
def test_every_column_of_a_finding_stands_in_its_section(name):
    section = PAGE.split(f"### {name}.csv")[1].split("\n## ")[0].split("\n### ")[0]
    of_all = PAGE.split("## findings/")[1].split("\n### ")[0]
    words = set(re.findall(r"[A-Za-z0-9_]+", section)) | set(re.findall(r"`(phone|reasons?)`", of_all))
    prefix = re.compile(rf"({'|'.join(RULES)})_")
    columns = [re.sub(prefix, "RULE_", column) if name == "volume" else column for column in _columns(name)]
    assert [column for column in columns if column not in words] == []


def _columns(name):
    return list(columns(dict(DIMENSIONS)[name]))


def test_every_key_of_trial_json_that_is_read_is_explained():
    read = {key for path, names in READERS.items() for key in keys_read(path, names)}
    assert {"sides", "markers", "nonce", "clocks", "offset_ns", "interface", "capture_restarts"} <= read
    assert read - WORDS == set()


def test_every_column_of_every_table_and_every_file_is_explained(tmp_path, build):
    build.dataset(tmp_path, [build.call()])
    report.build(Dataset(tmp_path))
    study = Study.of(Dataset(tmp_path))
    columns = {column for each in (*tables(study), claims(study)) for column in each.columns}
    assert (columns | {"provenance"}) - WORDS == set()
    files = {path.name for path in tmp_path.iterdir()}
    assert {name for name in files if name not in PAGE} == set()
