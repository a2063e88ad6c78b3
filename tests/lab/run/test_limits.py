from __future__ import annotations

import pytest

from correlate.dataset.record import Limits
from lab.run import calibration, limits
from lab.run.calibration import Measured, Spread


def told(at, spans, apart, version="2.1", phone="pixel6", app="whatsapp", spec=None):
    calls = [
        Measured(phone, app, version, Spread(span_s, apart_s)) for span_s, apart_s in zip(spans, apart, strict=True)
    ]
    calibration.keep(at.lab, spec or at.real, calls)


def of(at, version="2.1", spec=None) -> tuple:
    found = limits.of(at.lab, spec or at.real, "pixel6", "whatsapp", version)
    return found.follow_s, found.late_s, found.apart_s, found.source


def test_without_ten_calls_the_defaults_serve(at):
    default = (1.5, 5.0, 5.0, "default")
    assert of(at) == default
    told(at, [2.0] * 9, [0.1] * 9)
    told(at, [2.0] * 20, [0.1] * 20, phone="pixel6pro")
    told(at, [2.0] * 20, [0.1] * 20, app="messenger")
    assert of(at) == default
    told(at, [2.0], [0.1])
    assert of(at) == (4.0, 6.0, 3.0, "calibrated")


@pytest.mark.parametrize(
    ("spans", "apart", "expected"),
    [
        # A fast phone has limits no tighter than these.
        ([0.2] * 10, [0.1] * 10, (1.5, 3.0, 3.0)),
        # Twice the median, not the mean; three times the largest.
        ([0.8] * 9 + [4.0], [0.1] * 10, (1.6, 12.0, 3.0)),
        # The other side's end may come first: how far apart is what counts.
        ([0.5] * 10, [0.1] * 9 + [-2.5], (1.5, 3.0, 7.5)),
        ([0.5] * 10, [None] * 9 + [-2.5], (1.5, 3.0, 5.0)),
    ],
)
def test_limits_are_made_of_median_and_largest(at, spans, apart, expected):
    told(at, spans, apart)
    assert of(at) == (*expected, "calibrated")


def test_another_versions_numbers_serve_until_there_are_own_ones_and_are_marked(at):
    told(at, [1.0] * 10, [0.1] * 10, "2.0")
    told(at, [2.0] * 10, [0.1] * 10, "2.1")
    assert of(at, "2.2") == (4.0, 6.0, 3.0, "other version")
    assert of(at, "2.0") == (2.0, 3.0, 3.0, "calibrated")
    told(at, [3.0] * 9, [0.1] * 9, "2.2")
    assert of(at, "2.2") == (4.0, 6.0, 3.0, "other version")
    told(at, [3.0], [0.1], "2.2")
    assert of(at, "2.2") == (6.0, 9.0, 3.0, "calibrated")


def test_an_emulated_bench_is_judged_by_the_defaults_whatever_its_file_says(at):
    told(at, [2.0] * 20, [0.1] * 20, spec=at.emulated)
    assert of(at, spec=at.emulated) == (1.5, 5.0, 5.0, "default")
    assert Limits(follow_s=1.5, late_s=5.0, apart_s=5.0, source="default") == limits.DEFAULT


def test_how_long_it_rings_in_vain_is_the_median_of_three_calls_or_more_of_this_version_alone(at):
    def told_rings(version, *spans):
        calls = [Measured("pixel6", "whatsapp", version, unanswered_s=span_s) for span_s in spans]
        calibration.keep(at.lab, at.real, calls)

    def usual_s(version):
        return limits.of(at.lab, at.real, "pixel6", "whatsapp", version).unanswered_s

    told_rings("2.1", 44.8, 45.2)
    assert usual_s("2.1") is None
    told_rings("2.1", 21.0)  # Somebody's hand that nothing showed.
    assert (usual_s("2.1"), usual_s("2.2")) == (44.8, None)
    assert limits.of(at.lab, at.real, "pixel6", "whatsapp", "2.1").source == "default"
