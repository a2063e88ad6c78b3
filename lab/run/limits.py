"""How far a phone's records may lie from what was done, for one phone and app."""

from statistics import median

from correlate.dataset.record import Limits
from lab.definitions import BenchSpec, Lab
from lab.run import calibration
from lab.run.calibration import Calibration, Numbers

DEFAULT = Limits(follow_s=1.5, late_s=5.0, apart_s=5.0, source="default")
"""Where too little was measured on these phones with this app."""

ENOUGH = 10
"""Calls that a phone has ended, from which on its own numbers serve."""

ENOUGH_UNANSWERED = 3
"""Calls that rang until the app gave up, from which on their median serves: a timer is the same each time."""

LEAST_FOLLOW_S, LEAST_LATE_S = 1.5, 3.0
"""However fast a phone is, its limits are no tighter: a clock's bound, a poll and a loaded phone are in them."""


def of(lab: Lab, spec: BenchSpec, phone: str, app: str, version: str) -> Limits:
    """The limits by which the records of `phone` are judged in a trial of this version of `app`.

    Raises `BadInput` where the bench's calibration file does not fit.
    """
    return chosen(calibration.in_force(lab, spec), phone, app, version)


def chosen(known: Calibration, phone: str, app: str, version: str) -> Limits:
    """The limits by this version's numbers, else by the newest other version's, else the default.

    The follow-up is the larger of 1.5 s and twice the median that was seen, the other two the larger of 3 s and three
    times the largest. A phone that has ended fewer than ten calls tells nothing yet. How long it rings in vain is told
    by three calls.
    """
    unanswered_s = _unanswered_s(known, phone, app, version)
    return _of_taps(known, phone, app, version).model_copy(update={"unanswered_s": unanswered_s})


def _unanswered_s(known: Calibration, phone: str, app: str, version: str) -> float | None:
    """By this version's calls alone: an update may change the timer."""
    spans = [
        span_s
        for each in known.numbers
        if (each.phone, each.app, each.version) == (phone, app, version)
        for span_s in each.unanswered_s
    ]
    return round(median(spans), 3) if len(spans) >= ENOUGH_UNANSWERED else None


def _of_taps(known: Calibration, phone: str, app: str, version: str) -> Limits:
    enough = [
        each for each in known.numbers if (each.phone, each.app) == (phone, app) and len(each.tap_to_end_s) >= ENOUGH
    ]
    own = [each for each in enough if each.version == version]
    if not enough:
        return DEFAULT
    return _by(own[-1], "calibrated") if own else _by(enough[-1], "other version")


def _by(numbers: Numbers, source: str) -> Limits:
    apart = [abs(span_s) for span_s in numbers.other_after_s]
    return Limits.model_validate(
        {
            "follow_s": max(LEAST_FOLLOW_S, round(2 * median(numbers.tap_to_end_s), 3)),
            "late_s": max(LEAST_LATE_S, round(3 * max(numbers.tap_to_end_s), 3)),
            "apart_s": max(LEAST_LATE_S, round(3 * max(apart), 3)) if len(apart) >= ENOUGH else DEFAULT.apart_s,
            "source": source,
        }
    )
