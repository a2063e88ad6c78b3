"""Places on an axis, its ticks, and texts that must fit."""

import pytest

from correlate.report.figures import axes
from correlate.report.figures.axes import Scale


def test_a_value_lies_between_the_ends_as_its_share_of_the_span():
    scale = Scale(0, 40, 44, 250)
    assert [scale.at(value) for value in (0, 10, 31, 40)] == [44, 95.5, 203.7, 250]


def test_an_axis_upwards_has_its_largest_value_at_the_top():
    scale = Scale(-2, 2, 200, 30)
    assert [scale.at(value) for value in (-2, 0, 1, 2)] == [200, 115, 72.5, 30]


def test_a_decade_takes_the_same_room_everywhere_on_a_logarithmic_axis():
    scale = Scale(1, 1000, 0, 300, is_log=True)
    assert [scale.at(value) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]


def test_a_value_outside_of_the_axis_is_not_on_it():
    assert [Scale(0, 10, 0, 1).holds(value) for value in (-0.1, 0, 10, 10.1)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("low", "high", "is_log", "ticks"),
    [
        (0, 40, False, [0, 10, 20, 30, 40]),
        (-2, 10, False, [0, 5, 10]),
        (0, 2, False, [0, 0.5, 1, 1.5, 2]),
        (0.01, 10, True, [0.01, 0.1, 1, 10]),
        (1, 1e9, True, [1, 1e2, 1e4, 1e6, 1e8]),
    ],
)
def test_ticks_are_round_and_few(low, high, is_log, ticks):
    assert Scale(low, high, 0, 100, is_log=is_log).ticks == ticks


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([31.0, 4.0], (0, 40)),
        ([1.0, 2.0, 0.5], (0, 2)),
        ([-0.3, 1.1], (-0.5, 1.5)),
        ([0.0], (0, 1)),
        ([], (0, 1)),
        ([-7.0], (-8, 0)),
    ],
)
def test_a_linear_axis_holds_zero_and_all_values_and_ends_round(values, ends):
    scale = axes.linear(values, 0, 100)
    assert (scale.low, scale.high) == ends


@pytest.mark.parametrize(
    ("values", "ends"), [([12_000, 150_000], (10_000, 1_000_000)), ([100.0], (100, 1000)), ([0.09, 3], (0.01, 10))]
)
def test_an_axis_of_decades_begins_and_ends_at_one(values, ends):
    scale = axes.decades(values, 0, 100)
    assert (scale.low, scale.high) == pytest.approx(ends)


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-0.04, "0"), (1.25, "1.2"), (115.0, "115"), (-6.06, "-6.1")])
def test_a_coordinate_has_at_most_one_decimal(value, text):
    assert axes.number(value) == text


def test_a_text_that_is_wider_than_its_room_ends_in_an_ellipsis():
    assert [axes.fitted("messenger", width) for width in (72, 65, 15, 0)] == ["messenger", "messenger", "m…", "…"]


def test_names_that_stand_at_one_place_are_moved_apart_and_stay_within():
    assert axes.apart([100, 100, 20, 101], 15, 10, 120) == [90, 105, 20, 120]
    assert axes.apart([5, 200], 15, 10, 120) == [10, 120]
