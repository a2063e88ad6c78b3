"""A clock that was compared with the controller's: both directions, its bounds, and what trial.json says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlate.dataset.clocks import DRIFT_LIMIT_PPM, UNKNOWN, ClockLine, Offset, of

MINUTE_NS = 60_000_000_000
T0_NS = 1_700_000_000_000_000_000


def line(change_ns, span_ns=MINUTE_NS, offset_ns=3_000_000_000, bounds_ns=(30_000, 50_000)):
    before = Offset(offset_ns, bounds_ns[0], T0_NS)
    return ClockLine(before, Offset(offset_ns + change_ns, bounds_ns[1], T0_NS + span_ns))


def test_a_drifting_clock_is_mapped_exactly_between_its_readings():
    clock = ClockLine(Offset(2_000_000, 30_000, 1_000_000_000_000), Offset(3_000_000, 50_000, 1_100_000_000_000))
    for at_s, offset_ns in ((1000, 2_000_000), (1050, 2_500_000), (1100, 3_000_000)):
        at_ns = at_s * 10**9
        assert clock.offset_ns(at_ns) == offset_ns
        assert clock.to_controller(at_ns + offset_ns) == at_ns


def test_a_shifted_clock_stamped_all_so_much_later_and_is_as_good_as_before():
    clock, later_ns = line(600), 3_600_000_000_007
    shifted = clock.shifted(later_ns)
    for time_ns in (T0_NS, T0_NS + 3_000_000_000, T0_NS + 2 * MINUTE_NS):
        assert shifted.to_controller(time_ns) == clock.to_controller(time_ns) + later_ns
    assert (shifted.bound_ns, shifted.elapsed_bound_ns, shifted.span_ns) == (50_600, 80_600, MINUTE_NS)
    assert (shifted.known, UNKNOWN.shifted(later_ns).known) == (True, False)


def test_a_clock_drifts_on_before_and_behind_its_readings():
    assert line(600).offset_ns(T0_NS - MINUTE_NS) == 3_000_000_000 - 600
    assert line(600).offset_ns(T0_NS + 2 * MINUTE_NS) == 3_000_000_000 + 1200


def test_offsets_and_instants_are_rounded_down():
    assert [line(3).offset_ns(T0_NS + at_ns) - 3_000_000_000 for at_ns in (-1, 0, 20_000_000_000 - 1)] == [-1, 0, 0]
    assert [line(-3).offset_ns(T0_NS + at_ns) - 3_000_000_000 for at_ns in (-1, 0, 1)] == [0, 0, -1]
    assert line(1).to_controller(T0_NS + 3_000_000_000 + 1) == T0_NS
    assert line(-1).to_controller(T0_NS + 3_000_000_000 + 1) == T0_NS + 1


@given(
    change_ns=st.integers(-2 * MINUTE_NS, 2 * MINUTE_NS),
    span_ns=st.integers(-MINUTE_NS, 2 * MINUTE_NS) | st.integers(-2, 3),
    offset_ns=st.integers(-(10**15), 10**15),
    at_ns=st.integers(T0_NS - 10 * MINUTE_NS, T0_NS + 10 * MINUTE_NS),
)
def test_both_directions_are_inverse_to_within_their_roundings(change_ns, span_ns, offset_ns, at_ns):
    """Each direction rounds down once, the first by at most (denominator - 1) parts of a nanosecond."""
    clock = line(change_ns, span_ns, offset_ns)
    shown_ns = span_ns + change_ns
    if span_ns <= 0 or shown_ns <= 0:
        span_ns = shown_ns = 1
    there_and_back = clock.to_controller(at_ns + clock.offset_ns(at_ns)) - at_ns
    assert (1 - span_ns) // shown_ns <= there_and_back <= 0
    at_controller = clock.to_controller(at_ns)
    back_and_there = at_controller + clock.offset_ns(at_controller) - at_ns
    assert (1 - shown_ns) // span_ns <= back_and_there <= 0


def test_an_instant_comes_back_at_most_a_nanosecond_early_where_the_clock_gains():
    gains = line(MINUTE_NS * DRIFT_LIMIT_PPM // 1_000_000)
    found = {gains.to_controller(at + gains.offset_ns(at)) - at for at in range(T0_NS, T0_NS + 10_000)}
    assert found == {-1, 0}


STOPPED = [(7, 0), (7, -5), (-MINUTE_NS, MINUTE_NS), (-MINUTE_NS - 1, MINUTE_NS)]


@pytest.mark.parametrize(("change_ns", "span_ns"), STOPPED)
def test_a_clock_that_did_not_go_on_between_its_readings_is_shifted_by_its_first_offset(change_ns, span_ns):
    clock = line(change_ns, span_ns, -5)
    assert [clock.offset_ns(T0_NS + at_ns) for at_ns in (-9, 0, 9)] == [-5, -5, -5]
    assert clock.to_controller(T0_NS - 5) == T0_NS


def test_the_change_between_the_readings_enters_the_bounds():
    for change_ns in (-400_000, 400_000):
        clock = line(change_ns)
        assert (clock.span_ns, clock.change_ns) == (MINUTE_NS, change_ns)
        assert clock.bound_ns == 50_000 + 400_000
        assert clock.elapsed_bound_ns == 30_000 + 50_000 + 400_000


def test_a_step_is_more_than_both_bounds_and_any_drift():
    limit_ns = 30_000 + 50_000 + MINUTE_NS * DRIFT_LIMIT_PPM // 1_000_000
    assert [line(sign * (limit_ns + more)).stepped for sign in (-1, 1) for more in (0, 1)] == [False, True] * 2
    assert [line(80_000 + more, span_ns=-1).stepped for more in (0, 1)] == [False, True]


def test_drift_is_computed_and_stored_beside_the_readings():
    assert line(1_200_000).recorded().model_dump() == {
        "before": {"offset_ns": 3_000_000_000, "bound_ns": 30_000, "at_ns": T0_NS},
        "after": {"offset_ns": 3_001_200_000, "bound_ns": 50_000, "at_ns": T0_NS + MINUTE_NS},
        "drift_ppm": 20.0,
    }
    assert line(1_200_000, span_ns=0).drift_ppm == 0.0


def test_what_was_stored_is_read_and_null_was_never_compared():
    assert of(line(1_200_000).recorded()) == line(1_200_000)
    assert line(1_200_000).known
    assert of(None) is UNKNOWN
    assert (UNKNOWN.known, UNKNOWN.offset_ns(T0_NS), UNKNOWN.to_controller(T0_NS)) == (False, 0, T0_NS)
