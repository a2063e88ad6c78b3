from __future__ import annotations

import json
import os

import pytest

from correlate.errors import Damaged
from lab.errors import BadInput
from lab.night import history
from lab.night.history import Asked, Told, append, read
from tests.lab.night.nights import CLAIM, SEEN, counts, covariates, night, phone


@pytest.fixture
def path(tmp_path):
    return tmp_path / "nights" / "history.jsonl"


def dates(path) -> list[int]:
    return [each.date.day for each in read(path).nights]


def test_a_night_comes_back_as_it_was_written(path):
    told = [Told(kind="opened", cell=SEEN, nights=2)]
    asked = [Asked(cell=CLAIM, trials=24, when="next night")]
    first = night(0, {SEEN: counts(1, again=(2, 12), frame=124), CLAIM: counts(7, 12, 3)}, told=told, asked=asked)
    second = night(1, {}, covariates=covariates(hour=None, resolver=None), verdict=6)
    for each in (first, second):
        append(path, each)
    assert read(path) == history.History((first, second), ())
    assert path.read_bytes().count(b"\n") == 2


def test_without_a_file_there_is_no_night(path):
    assert read(path) == history.History((), ())


def test_the_last_line_of_a_dataset_counts(path):
    for number, complete in ((0, 90), (1, 180), (0, 180)):
        append(path, night(number, {}, complete=complete))
    assert [(each.dataset, each.complete) for each in read(path).nights] == [("night-1", 180), ("night-0", 180)]


def test_a_torn_last_line_is_told_and_stays_and_the_next_night_has_a_line_of_its_own(path):
    for number in range(2):
        append(path, night(number, {SEEN: counts(0)}))
    whole = path.read_bytes()
    torn = whole[:-40]
    path.write_bytes(torn)
    found = read(path)
    assert [each.date.day for each in found.nights] == [1]
    (problem,) = found.problems
    assert problem.startswith(f"{path}:2: was never finished, as after a power loss: ")
    assert problem.endswith("; this night is left out")
    append(path, night(2, {}))
    assert path.read_bytes().startswith(torn + b"\n{")
    assert dates(path) == [1, 3]
    assert [each.partition(": ")[0] for each in read(path).problems] == [f"{path}:2"]


def test_every_way_of_tearing_the_last_line_keeps_the_others(path):
    append(path, night(0, {}))
    first = path.read_bytes()
    append(path, night(1, {}))
    whole = path.read_bytes()
    for length in range(len(first) + 1, len(whole) - 1, 41):
        for rest in (b"", b"\0" * 9):
            path.write_bytes(whole[:length] + rest)
            assert (dates(path), len(read(path).problems)) == ([1], 1)
    # Nothing is missing but the end of the line.
    path.write_bytes(whole[:-1])
    assert (dates(path), read(path).problems) == ([1, 2], ())
    append(path, night(2, {}))
    assert dates(path) == [1, 2, 3]


def edited(**changed) -> bytes:
    value = json.loads(night(4, {SEEN: counts(1)}).model_dump_json())
    for place, new in changed.items():
        inner = value
        *way, last = place.split("__")
        for key in way:
            inner = inner[key]
        inner[last] = new
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (edited(night=2), "night: must be one of 1, is 2"),
        (edited(complete=-1), "complete: must be at least 0, is -1"),
        (edited(complete="12"), 'complete: must be a whole number, is "12"'),
        (edited(complete=True), "complete: must be a whole number, is true"),
        (edited(bench="../../etc"), "bench: must look like"),
        (edited(cells={"seen/x": {"yes": 0, "of": 1, "undecided": 0}}), "cells.seen/x: must look like"),
        (edited(cells={SEEN: {"yes": 3, "of": 4, "undecided": 2}}), "3 yes and 2 undecided are more than 4 trials"),
        (edited(cells={SEEN: {"yes": 0, "of": 10**9, "undecided": 0}}), "of: must be less than or equal to 1000000"),
        (edited(told=[{"kind": "burnt", "cell": SEEN, "nights": 1}]), "told.0.kind: must be one of"),
        (edited(colour="red"), "colour: is no key of this document"),
        (b"[]", "must be an object"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"{" + b"9" * 5000, "Invalid JSON"),
        (b"\x1b[31m\x07", "Invalid JSON"),
    ],
)
def test_a_line_that_is_no_night_is_told_with_its_place_and_the_others_count(path, line, text):
    append(path, night(0, {}))
    with path.open("ab") as file:
        file.write(line + b"\n")
    append(path, night(1, {}))
    found = read(path)
    assert [each.date.day for each in found.nights] == [1, 2]
    (problem,) = found.problems
    assert problem.startswith(f"{path}:2: ")
    assert text in problem or (text.startswith("of: must be") and "must be at most 1000000" in problem)
    assert problem.isprintable()
    assert len(problem) < 1200


def test_a_line_that_is_too_long_is_skipped_without_being_held(path, monkeypatch):
    monkeypatch.setattr(history, "LINE_BYTES", 4096)
    append(path, night(0, {}))
    with path.open("ab") as file:
        file.write(b"x" * 10_000 + b"\n" + b"y" * 4096 + b"\n\n")
    append(path, night(1, {}))
    found = read(path)
    assert [each.date.day for each in found.nights] == [1, 2]
    assert [each.split(": ")[0] for each in found.problems] == [f"{path}:2", f"{path}:3"]


def test_many_bad_lines_are_told_in_few(path):
    path.parent.mkdir()
    path.write_bytes(b"no\n" * 50)
    problems = read(path).problems
    assert (len(problems), problems[-1]) == (21, f"{path}: 30 more lines are no nights")


def test_the_newest_nights_are_read(path, monkeypatch):
    monkeypatch.setattr(history, "NIGHTS", 3)
    for number in range(5):
        append(path, night(number, {}))
    assert dates(path) == [3, 4, 5]


def test_texts_of_phones_become_one_bounded_line(path):
    hostile = phone("2.1\x1b[2J\n\u202e" + "x" * 1000, carrier="\0\r\nT")
    append(path, night(0, {}, covariates=covariates(phones={"pixel6": hostile})))
    (found,) = read(path).nights
    state = found.covariates.phones["pixel6"]
    version = state.apps["whatsapp"]
    assert version.startswith("2.1\\x1b[2J \\u202exxx")
    assert (len(version), version.isprintable(), state.carrier) == (200, True, "\\x00 T")
    assert read(path).problems == ()


def test_what_is_no_regular_file_is_neither_read_nor_written(path, tmp_path):
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(BadInput, match=r"history\.jsonl: cannot be read: Is a FIFO"):
        read(path)
    with pytest.raises(Damaged, match="is a FIFO, nothing is written there"):
        append(path, night(0, {}))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Damaged, match="is a symbolic link"):
        append(path, night(0, {}))
    assert not (tmp_path / "elsewhere").exists()
