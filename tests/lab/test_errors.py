"""Errors are lines that may be printed, whatever a phone, a file or a program put into them."""

import pytest

from lab.errors import AttemptVoid, BadInput, PhoneTrouble, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines\r\n", "two lines"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("right\u202eleft", r"right\u202eleft"),
        ("\ud800", r"\ud800"),
        ("é ü 漢", "é ü 漢"),
        ("x" * 1001, "x" * 997 + "..."),
    ],
)
def test_a_foreign_text_becomes_one_bounded_line_without_control_characters(text, line):
    assert one_line(text) == line
    assert str(PhoneTrouble(text)) == line
    assert str(AttemptVoid("noisy", text)) == line


def test_bad_input_keeps_one_line_for_each_mistake():
    assert str(BadInput("a.yaml:1:1: wrong\nb.yaml:2:2: \x1b wrong")).splitlines() == [
        "a.yaml:1:1: wrong",
        r"b.yaml:2:2: \x1b wrong",
    ]
