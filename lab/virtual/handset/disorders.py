"""How real phones keep their records of calls out of order, and which of these ways strike in an attempt.

- newest_first: histories are printed newest entry first; else oldest first (witness.md 1.5: both were seen).
- recorder_update: a recorder's first line is `update`, without `start`; mode_dropped: the mode is taken away by
  `android` 6 s after it was set, and is back 0.7 s later (both in one public dump of a Xiaomi).
- telecom_first: Telecom asks for the mode of a call that it knows, before the app does; no_telecom: the app does not
  tell it of its calls.
- hotword: recorders of other packages come and go, from sources that are no call's.
- early_camera: a caller's camera connects at the chat, at dialling or while the other phone rings; else once the call
  is answered. lens_switch: other cameras in mid-call. folded_camera: equal lines within a second are printed once.
- heads_up: an incoming call is a heads-up notification on a lit phone, whatever the app asks for.
- other_tear_down: the mode may be given back before the recorder stops, and the recorder stops 0.15 to 0.4 s after the
  end. slow_records: it stops when a log-normal tail lets it.
"""

from collections.abc import Sequence
from itertools import pairwise

from lab.definitions.virtual_network import Disorder
from lab.virtual.world import World

_MS = 1_000_000
_SLOW_MS = (
    (0, 17),
    (500, 37),
    (1_000, 50),
    (2_000, 73),
    (3_000, 96),
    (4_000, 121),
    (5_000, 150),
    (6_000, 186),
    (7_000, 234),
    (8_000, 307),
    (9_000, 446),
    (9_500, 607),
    (9_750, 794),
    (9_900, 1_084),
    (9_950, 1_340),
    (9_980, 1_732),
    (10_000, 3_400),
)
"""Quantiles, in ten-thousandths, of a log-normal delay with median 0.15 s and sigma 0.85, cut off at its end.

A table: the logarithms and exponentials of floating point differ between machines.
"""


class Disorders:
    """Those of one phone; `struck` are drawn anew by `begin`."""

    def __init__(self, world: World, name: str, possible: Sequence[Disorder]) -> None:
        self._world, self._name, self._possible = world, name, tuple(possible)
        self.begin()

    def begin(self) -> None:
        """Draw which strike in this attempt."""
        self.struck = frozenset(one for one in self._possible if self.draw(one, 2) == 0)

    def __contains__(self, one: Disorder) -> bool:
        return one in self.struck

    def draw(self, what: str, below: int) -> int:
        """A whole number of this phone in this attempt, from 0."""
        return self._world.chance(f"disorder/{self._name}/{what}").randrange(below)


def slow_ns(part: int) -> int:
    """The delay, in ns, that `part` of 10,000 delays do not exceed; between the table's points on a straight line."""
    for (below, low_ms), (above, high_ms) in pairwise(_SLOW_MS):
        if part <= above:
            return low_ms * _MS + (high_ms - low_ms) * _MS * (part - below) // (above - below)
    return _SLOW_MS[-1][1] * _MS
