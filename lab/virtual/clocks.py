"""The wrong clocks of the virtual machines."""

from collections.abc import Callable

from lab.definitions.virtual_network import ClockEmulation
from lab.virtual.faults import Faults
from lab.virtual.world import World

OFFSET_SPREAD_NS = 400_000_000
DRIFT_SPREAD_PPB = 3_000


class DriftingClock:
    """A clock that is wrong by an offset and drifts, in integers; both are drawn anew for each attempt.

    A fault `clock` sets it during an attempt: by `by_ns`, `after_ns` from the attempt's start. `on_read` is told the
    machine's name and its true offset (that clock minus bench time) each time that somebody measures it.
    """

    def __init__(
        self, name: str, world: World, given: ClockEmulation, faults: Faults, on_read: Callable[[str, int], None]
    ) -> None:
        self._name, self._world, self._given, self._faults, self._on_read = name, world, given, faults, on_read
        self._step_ns = self._step_after_ns = 0
        self._jumps: list[tuple[int, int]] = []
        self.start_offset_ns = given.offset_ns
        self.drift_ppb = given.drift_ppb

    def begin(self) -> None:
        chance = self._world.chance(f"{self._name}/clock")
        self.start_offset_ns = self._given.offset_ns + chance.randrange(-OFFSET_SPREAD_NS, OFFSET_SPREAD_NS)
        self.drift_ppb = self._given.drift_ppb + chance.randrange(-DRIFT_SPREAD_PPB, DRIFT_SPREAD_PPB)
        self._jumps.clear()
        step = self._faults.take("clock", self._name) or {}
        self._step_ns, self._step_after_ns = int(step.get("by_ns", 0)), int(step.get("after_ns", 0))

    def offset_ns(self, instant_ns: int) -> int:
        """This clock minus bench time at an instant of bench time."""
        elapsed_ns = instant_ns - self._world.started_ns
        step_ns = self._step_ns if elapsed_ns >= self._step_after_ns else 0
        step_ns += sum(by_ns for at_ns, by_ns in self._jumps if instant_ns >= at_ns)
        return self.start_offset_ns + elapsed_ns * self.drift_ppb // 1_000_000_000 + step_ns

    def jump(self, by_ns: int) -> None:
        """Somebody sets it, now: it shows so much more from now on, to the end of the attempt."""
        self._jumps.append((self._world.now_ns, by_ns))

    def at(self, instant_ns: int) -> int:
        """What the clock shows at an instant of bench time."""
        return instant_ns + self.offset_ns(instant_ns)

    def now(self) -> int:
        """What it shows now."""
        return self.at(self._world.now_ns)

    def read(self) -> int:
        """What it shows now, to somebody who measures it."""
        self._on_read(self._name, self.offset_ns(self._world.now_ns))
        return self.now()
