"""Recorded trials, real and virtual, to which something else happened: what is found of each is right, or null with its
reason."""

import pytest

from tests.correlate import edits_of_calls, edits_of_captures
from tests.correlate.edited import CALLS, CELLS, NEARLY, Found, found_of, real, virtual, write_real, write_virtual
from tests.correlate.edits_of_calls import ANY, LONG, QUICK, Edited
from tests.end_to_end.runs import run_trials

EDITS = (*edits_of_calls.EDITS, *edits_of_captures.EDITS)
MOST_NULLS = 0.25
"""Of all cells of which a value is right."""

WRONG: dict[str, str] = {}
"""Edits of which something wrong is found, and why."""


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """ran(id): the dataset that has a virtual trial. Those of the quick edits are run at once, all others with the
    first of them."""
    datasets = {}

    def dataset(name):
        ids = QUICK if name in QUICK else LONG + QUICK
        if ids not in datasets:
            datasets[ids] = tmp_path_factory.mktemp("edits") / "virtual"
            run_trials(datasets[ids], list(ids))
        return datasets[ids]

    return dataset


@pytest.fixture(scope="session")
def found(ran, tmp_path_factory):
    """found(edit): what is right and what is found, measured once."""
    kept = {}

    def measured(edit):
        if edit.says not in kept:
            folder = tmp_path_factory.mktemp("edited")
            trial = real(edit.source) if edit.app else virtual(ran, edit.source)
            before = state(trial)
            edit.edit(trial)
            assert state(trial) != before, "the edit changes nothing"
            dataset = (
                write_real(edit.source, trial, edit.app, folder)
                if edit.app
                else write_virtual(ran(edit.source), edit.source, trial, folder)
            )
            kept[edit.says] = right_of(edit, trial.right), found_of(dataset)
        return kept[edit.says]

    return measured


def state(trial):
    sides = [(list(side.packets), side.snaplen) for side in trial.sides]
    return sides, list(trial.clocks), dict(trial.noted), trial.observed


def right_of(edit, right):
    changes = dict(edit.changes)
    if changes.get("user_ids") == "more":
        changes["user_ids"] = tuple(sorted((*right["user_ids"], "Rs1a", "Rs2b")))
    return {**right, **changes}


def wrong_in(edit: Edited, right: dict, found: Found) -> list[str]:
    """Each value that is wrong, each null without a reason or where the value was there to be found, and each flag that
    is missing or has no cause. Of a trial that is marked as mixed up nothing counts; of one that ought to be, and is
    not, everything."""
    if edit.flag == "mixed_up" and found.mixed_up:
        return []
    flags = {"mixed_up": found.mixed_up, "contradiction": found.contradiction}
    wrong = [
        f"{name}: {text or 'not said'}"
        for name, text in flags.items()
        if edit.flag != "mixed_up" and bool(text) != (name == edit.flag)
    ]
    for (cell, side), (value, why) in found.cells.items():
        place, expected = f"{cell} ({side})", right_in(right, cell, side)
        if expected is ANY or value == expected or nearly(edit, cell, value, expected):
            continue
        if value is not None:
            wrong.append(f"{place}: {value}, right is {expected}")
        elif cell in edit.sure:
            wrong.append(f"{place}: null, right is {expected}: {why}")
        elif not why:
            wrong.append(f"{place}: null without a reason")
    return wrong


def right_in(right, cell, side):
    """What is right of a cell; of media and duration each side has its own, unless the edit changes them."""
    return right[cell] if cell in right else right[f"{cell} {side}"]


def nearly(edit, cell, value, expected):
    """Counts of a real call beside its phones' counters; a duration where a second more or less was edited."""
    if value is None or (cell == "media" and not edit.app) or cell not in ("media", "duration"):
        return False
    pairs = zip(value, expected, strict=True) if cell == "media" else [(value, expected)]
    return all(abs(one - two) <= (NEARLY if cell == "media" else 1.5) for one, two in pairs)


def param(edit):
    marks = [] if edit.says not in WRONG else [pytest.mark.xfail(reason=WRONG[edit.says], strict=True)]
    if edit.app and not CALLS.is_dir():
        marks.append(pytest.mark.skip(reason="needs the calls in ../shared/calls, which are absent"))
    return pytest.param(edit, id=edit.says, marks=marks)


@pytest.mark.parametrize("edit", [param(edit) for edit in EDITS if edit.quick])
def test_of_an_edited_call_what_is_found_is_right_or_null_with_its_reason(edit, found):
    assert wrong_in(edit, *found(edit)) == []


@pytest.mark.full
@pytest.mark.parametrize("edit", [param(edit) for edit in EDITS if not edit.quick])
def test_of_every_other_edited_call_it_is_so_too(edit, found):
    assert wrong_in(edit, *found(edit)) == []


@pytest.mark.full
def test_null_is_not_the_answer_to_everything(found):
    """Of the cells of which a value is right: those of each column that are null, over all edits of one call."""
    asked, null = dict.fromkeys(CELLS, 0), dict.fromkeys(CELLS, 0)
    for edit in EDITS:
        if edit.flag == "mixed_up" or (edit.app and not CALLS.is_dir()):
            continue
        right, each = found(edit)
        for cell, side in each.cells:
            if right_in(right, cell, side) not in (ANY, None):
                asked[cell] += 1
                null[cell] += each.cells[cell, side][0] is None
    assert min(asked.values()) > len(EDITS) // 2
    assert {cell: (null[cell], asked[cell]) for cell in CELLS if null[cell] > MOST_NULLS * asked[cell]} == {}


def test_there_are_forty_edits_and_half_of_the_answers_are_asked_for():
    assert len({edit.says for edit in EDITS}) == len(EDITS) >= 40
    counted = [edit for edit in EDITS if edit.flag != "mixed_up"]
    cells = [(edit, cell) for edit in counted for cell in CELLS if edit.changes.get(cell, "kept") is not ANY]
    assert sum(cell in edit.sure for edit, cell in cells) >= len(cells) / 2
