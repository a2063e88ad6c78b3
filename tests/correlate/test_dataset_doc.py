"""docs/dataset.md names every column, every key and every file."""

import re
from pathlib import Path

import pytest

from correlate import report
from correlate.columns import columns, columns_of
from correlate.dataset import Dataset
from correlate.dataset.record import DOCUMENTS, Document
from correlate.dimensions import DIMENSIONS
from correlate.findings.sessions import COLUMNS
from correlate.findings.wrong_pairs import WrongPair
from correlate.pairs.sessions import RULES
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.figures import figures
from correlate.tables.study import Study
from lab.definitions.base import scalar_types

ROOT = Path(__file__).parents[2]
PAGE = re.sub(r"```.*?```", "", (ROOT / "docs/dataset.md").read_text(), flags=re.DOTALL)
WORDS = set(re.findall(r"[A-Za-z0-9_]+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
# Explained in docs/yaml.md, which test_definitions holds equal to them.
OF_YAML = {"Analysis", "RoleRule", "UserIds"}


def described(model, found):
    """Model -> key -> what it says of itself, of this model and of all in it."""
    found[model.__name__] = {
        info.alias or name: " ".join((info.description or "").split()) for name, info in model.model_fields.items()
    }
    for info in model.model_fields.values():
        for kind in scalar_types(info.annotation):
            if isinstance(kind, type) and issubclass(kind, Document) and kind.__name__ not in found:
                described(kind, found)
    return found


@pytest.mark.parametrize("name", [name for name, _ in DIMENSIONS])
def test_every_column_of_a_finding_stands_in_its_section(name):
    section = PAGE.split(f"### {name}.csv")[1].split("\n## ")[0].split("\n### ")[0]
    of_all = PAGE.split("## findings/")[1].split("\n### ")[0]
    words = set(re.findall(r"[A-Za-z0-9_]+", section)) | set(re.findall(r"`(phone|reasons?)`", of_all))
    prefix = re.compile(rf"({'|'.join(RULES)})_")
    columns = [re.sub(prefix, "RULE_", column) if name == "volume" else column for column in _columns(name)]
    assert [column for column in columns if column not in words] == []


def test_every_column_of_a_wrong_pair_stands_in_its_section():
    section = PAGE.split("### wrong_pairs.csv")[1].split("\n## ")[0].split("\n### ")[0]
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", section))))
    columns = {re.sub("^(caller|callee)_(?!trial)", "SIDE_", column) for column in columns_of(WrongPair)}
    assert columns - words == set()


def _columns(name):
    return list(columns(dict(DIMENSIONS)[name]))


def test_every_column_of_the_sessions_stands_in_their_section():
    section = PAGE.split("### sessions.csv")[1].split("\n### ")[0]
    assert set(COLUMNS) - set(re.findall(r"[A-Za-z0-9_]+", section)) == set()


def test_every_key_of_every_document_has_its_row_in_the_words_of_its_model():
    models = {}
    for model in DOCUMENTS.values():
        described(model, models)
    written = {}
    rows = {}
    for line in PAGE.splitlines():
        if heading := re.fullmatch(r"##+ .*\(`(\w+)`\)", line):
            rows = written.setdefault(heading[1], {})
        elif line.startswith("## "):
            rows = {}
        elif row := re.fullmatch(r"\| `(\w+)` \| (.+) \|", line):
            rows[row[1]] = row[2]
    assert written == {name: keys for name, keys in models.items() if name not in OF_YAML}
    assert [f"{name}.{key}" for name, keys in models.items() for key, text in keys.items() if not text] == []


def test_every_column_of_every_table_and_every_file_is_explained(tmp_path, build):
    build.dataset(tmp_path, [build.call()])
    report.build(Dataset(tmp_path))
    study = Study.of(Dataset(tmp_path))
    columns = {column for each in (*tables(study), *figures(study), claims(study)) for column in each.columns}
    assert (columns | {"provenance"}) - WORDS == set()
    files = {path.name for path in tmp_path.iterdir()}
    assert {name for name in files if name not in PAGE} == set()
