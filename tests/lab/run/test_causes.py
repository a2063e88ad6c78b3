"""Every reason and every kind of trouble has a class, and the page shows the classes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from lab.errors import AttemptVoid, BenchUnhealthy, ControllerTrouble, LaptopTrouble, PhoneTrouble
from lab.run import causes
from lab.run.guard import BUG
from lab.run.introductions import PARKED

ROOT = Path(__file__).parents[3]
NAMED = {"BUG": BUG, "PARKED": PARKED}
PLACES = {"AttemptVoid": 0, "void": 2, "_expect": 4, "look_before": 2, "_stay": 4, "Word": 4, "_go": 2}
"""Which argument of a call is a reason for which an attempt may be void."""


def reasons() -> Iterator[str]:
    """The reasons that stand in the lab's source."""
    for path in Path(lab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from of_call(node)


def of_call(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    place = PLACES.get(name)
    refuted = name == "replace" and any(
        word.arg == "says" and isinstance(word.value, ast.Constant) and word.value.value == "against"
        for word in node.keywords
    )
    of_word = name == "Word" and not may_refute(node)
    given = [] if place is None or of_word else node.args[place : place + 1]
    given += [word.value for word in node.keywords if word.arg == "reason" and (refuted or name == "AttemptVoid")]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
        elif isinstance(value, ast.Name) and value.id in NAMED:
            yield NAMED[value.id]


def may_refute(node: ast.Call) -> bool:
    """Whether what a witness says may be `against`: it is, or the source does not tell."""
    says = node.args[2] if len(node.args) > 2 else None
    words = {each.value for each in ast.walk(says) if isinstance(each, ast.Constant)} if says else set()
    return not words or "against" in words


def test_every_reason_in_the_source_has_a_class():
    found = set(reasons())
    assert {"selector_not_found", "callee_never_rang", "still_in_call", "second_call", "bug", "parked"} <= found
    assert found - causes.REASONS.keys() == set()


def test_no_reason_has_a_class_that_nothing_gives():
    source = "".join(path.read_text() for path in Path(lab.__file__).parent.rglob("*.py") if path.stem != "causes")
    assert [reason for reason in causes.REASONS if f'"{reason}"' not in source] == []


@pytest.mark.parametrize(
    ("error", "of"),
    [
        (AttemptVoid("wrong_network", ""), causes.BENCH),
        (AttemptVoid("callee_never_rang", ""), causes.PERHAPS),
        (AttemptVoid("wrong_scenario", ""), causes.CELL),
        (AttemptVoid("noisy", ""), causes.TRIAL),
        (AttemptVoid("logged_out", ""), causes.CERTAIN),
        (AttemptVoid("parked", ""), causes.CONTACT),
        (PhoneTrouble(""), causes.PHONE),
        (LaptopTrouble(""), causes.PHONE),
        (ControllerTrouble(""), causes.CONTROLLER),
        (BenchUnhealthy(""), causes.CONTROLLER),
    ],
)
def test_what_fails_an_attempt_has_the_class_of_its_reason_or_of_its_kind(error, of):
    assert causes.class_of(error) is of


def test_the_page_shows_every_class_with_its_reasons():
    page = (ROOT / "docs" / "retries.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for each in causes.CLASSES:
        named = ", ".join(f"`{reason}`" for reason, of in causes.REASONS.items() if of is each)
        text = f"{each.what}: {named}" if named else each.what
        assert f"| {each.name} | {text} | {each.tried_again} | {each.asked} |" in rows
