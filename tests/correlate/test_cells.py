"""A finding as the cells of a CSV row, and back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from correlate.columns import cells, decode, encode, parse
from correlate.dimensions.servers import Server


@dataclass(frozen=True)
class Inside:
    port: int | None
    name: str | None


@dataclass(frozen=True)
class Outside:
    far: Inside
    servers: tuple[Server, ...]
    rate: float
    is_known: bool


WHOLE = Outside(Inside(None, "a,b"), (Server("192.0.2.1", 443, None),), 0.1, True)
ROW = {
    "far_port": "",
    "far_name": "a,b",
    "servers": '[{"address": "192.0.2.1", "port": 443, "name": null}]',
    "rate": "0.1",
    "is_known": "TRUE",
}


def test_a_finding_becomes_a_row_and_comes_back_with_all_that_is_inside():
    assert cells(WHOLE) == ROW
    assert parse(ROW | {"another": "column"}, Outside) == WHOLE


@pytest.mark.parametrize("column", list(ROW))
def test_a_column_that_is_missing_is_refused_by_its_whole_name(column):
    with pytest.raises(KeyError, match=rf"^'{column}'$"):
        parse({name: cell for name, cell in ROW.items() if name != column}, Outside)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, bool | None),
        (False, bool),
        (None, int | None),
        (0, int),
        (-3, int | None),
        (1.25, float | None),
        ("a,b", str | None),
        ("", str),
        ("12", str),
        ((), tuple[str, ...]),
        (("x", "y"), tuple[str, ...]),
        ((2, 1), tuple[int, ...] | None),
        ((Server("a", 1, None),), tuple[Server, ...]),
        (None, tuple[Server, ...] | None),
        ({"column": "why: so; or so"}, Mapping[str, str]),
    ],
)
def test_a_cell_comes_back_as_it_was(value, kind):
    assert decode(encode(value), kind) == value


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("", bool), ("", int), ("yes", bool | None), ("1.5", int), ('"1"', int), ("none", float | None),
        ('[{"address": "a", "port": "1", "name": null}]', tuple[Server, ...]),
        ('[{"address": "a"}]', tuple[Server, ...]), ("[1]", tuple[str, ...]), ('{"a": null}', Mapping[str, str]),
    ],
)  # fmt: skip
def test_a_cell_that_is_not_of_its_columns_type_is_refused_in_one_line(cell, kind):
    with pytest.raises(ValueError, match=re.escape(repr(cell[:40]))) as caught:
        decode(cell, kind)
    assert "\n" not in str(caught.value)
