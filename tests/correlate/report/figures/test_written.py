"""Figures as files: SVG that stands alone, and CSV with what is drawn."""

import csv
from xml.etree import ElementTree

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate.dataset import Dataset
from correlate.report.figures import write
from correlate.report.figures.files import as_csv, standing_alone


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_csv_has_what_is_drawn_with_all_its_digits(small, tmp_path):
    write(small.dataset, tmp_path)
    for name, figure in small.figures.items():
        rows = read(tmp_path / f"{name}.csv")
        assert len(rows) == len(figure.rows)
        for row, drawn in zip(rows, figure.rows, strict=True):
            assert row.pop("provenance") == "modelled"
            assert row == {column: "" if value is None else str(value) for column, value in drawn.items()}


def test_every_panel_is_a_file_that_stands_alone(small, tmp_path):
    written = {path.name for path in write(small.dataset, tmp_path)}
    assert written == {path.name for path in tmp_path.iterdir()}
    assert {"duration.csv", "duration-maple.svg", "user_ids-birch-callee.svg", "clocks-bounds.svg"} <= written
    for path in tmp_path.glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        text = path.read_text()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "href" not in text
        assert ("prefers-color-scheme:dark" in text, "--accent:#b3400a" in text, "--accent:#ff9d5c" in text) == (
            True,
        ) * 3
        assert [each.text for each in root if each.tag.endswith("text")][-1] == "provenance: modelled"


def test_the_same_figures_give_the_same_files(small, tmp_path):
    first = {path.name: path.read_bytes() for path in write(small.dataset, tmp_path)}
    assert first == {path.name: path.read_bytes() for path in write(small.dataset, tmp_path)}


def test_a_file_of_a_spreadsheet_runs_no_text(small):
    figure = small.figures["bench"]
    row = {**figure.rows[0], "model": "=cmd()"}
    text = as_csv(type(figure)(**{**vars(figure), "rows": (row,)}), "measured")
    assert text.splitlines()[1].startswith("alpha,'=cmd(),")


def test_a_name_that_looks_like_a_link_stays_in_a_file(small, look):
    svg = dict(small.figures["duration"].svgs)["maple"]
    alone = ElementTree.fromstring(standing_alone(str(svg), "measured"))
    assert len(look.every(alone, "circle")) == 4
    assert len(look.every(alone, "a")) == 0


def test_a_folder_of_the_dataset_is_refused_and_nothing_is_written(small):
    with pytest.raises(Exit) as raised:
        tasks.figures(Context(), out=str(small.dataset.path / "figures"), dataset=str(small.dataset.path))
    assert (raised.value.code, "lies within the dataset" in raised.value.message) == (2, True)
    assert not (small.dataset.path / "figures").exists()
    assert Dataset(small.dataset.path).verify() == []


def test_the_task_says_how_many_files_it_wrote(small, tmp_path, capsys):
    tasks.figures(Context(), out=str(tmp_path / "out"), dataset=str(small.dataset.path))
    assert capsys.readouterr().out == f"30 files are in {tmp_path / 'out'}.\n"
