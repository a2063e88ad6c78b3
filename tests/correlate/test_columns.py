"""Columns of a finding, and why one of them is null."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from correlate.columns import Reason, columns, decode, encode, explained, inert
from correlate.dimensions import duration


@dataclass(frozen=True)
class Span:
    first_ns: int | None
    last_ns: int | None


@dataclass(frozen=True)
class Found:
    p2p: Span
    relay: Span
    bound_ns: int | None
    reasons: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def test_a_reason_is_of_the_null_columns_that_have_its_name_as_name_prefix_or_part():
    reasons = [Reason(("first", "bound_ns"), "no clock"), Reason(("p2p",), "no path"), Reason((), "a short call")]
    found = explained(Found(Span(None, None), Span(None, 7), None), reasons)
    assert found.reasons == {
        "p2p_first_ns": "no clock; no path",
        "p2p_last_ns": "no path",
        "relay_first_ns": "no clock",
        "bound_ns": "no clock",
    }
    assert found.reason == "first, bound_ns: no clock; p2p: no path; a short call"


def test_what_is_not_null_has_no_reason_and_the_line_says_all_the_same():
    found = explained(Found(Span(0, 0), Span(1, 2), 3), [Reason(("p2p",), "no path")])
    assert (found.reasons, found.reason) == ({}, "p2p: no path")
    assert explained(found, []) == Found(Span(0, 0), Span(1, 2), 3)


def test_columns_come_from_the_dataclass_of_a_side():
    assert list(columns(duration.measure))[:3] == ["phone", "longest_relay_duration_ns", "longest_relay_first_ns"]
    assert list(columns(duration.measure))[-1] == "reason"


@pytest.mark.parametrize("cell", ["NaN", "Infinity", "-1e400", f"1{'0' * 400}"])
def test_every_number_of_a_cell_is_finite(cell):
    for text, kind in ((cell, float | None), (f"[{cell}]", tuple[float, ...])):
        with pytest.raises(ValueError, match="Input should be a finite number"):
            decode(text, kind)
    assert decode("1e300", float) == 1e300


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-2+3", "-2e", "-x", "-", "@a", "\tb", "\rb", "＝1", "－１", "-1\n", "'x", "-١"]
)
def test_a_text_that_a_spreadsheet_would_run_has_an_apostrophe_and_is_read_as_it_was(text):
    assert (encode(text), decode(encode(text), str)) == (f"'{text}", text)


@pytest.mark.parametrize("text", ["-2", "-0.5", "-1e-9", "2-1", "a=b", "", "x'y", "1+1"])
def test_numbers_and_harmless_texts_stay_as_they_are(text):
    assert (inert(text), decode(encode(text), str)) == (text, text)
    assert encode(-2) == "-2"
