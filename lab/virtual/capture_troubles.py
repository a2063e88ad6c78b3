"""Faults of captures and of their copies; those of what a tool does wait for its next start or stop."""

from lab.definitions.faults import Fault
from lab.virtual.faults import Faults
from lab.virtual.rehearsal import Strikes

DROPPED = 40
"""How many frames a kernel drops at once."""


class CaptureTroubles:
    """These faults of one bench, by name."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.strikes: Strikes = {
            "capture_late": self._late,
            "capture_cut": lambda fault: faults.add("file", fault.on, 1, how="cut"),
            "capture_zeroed": lambda fault: faults.add("file", fault.on, 1, how="zeroed"),
            "capture_drops": self._drop,
            "pull_cut": lambda fault: faults.add("pull", fault.on, 1),
        }

    def _late(self, fault: Fault) -> None:
        """The next tool says that it is live, and sees nothing for so long."""
        late_ns = round((fault.late_s or 0.0) * 1e9)
        self._faults.add("capture", fault.on, 1, contains="late", late_ns=late_ns)

    def _drop(self, fault: Fault) -> None:
        """The kernel drops frames of the tool that runs, else of the next one."""
        running = self._faults.captures.get(fault.on, [])
        for capture in running:
            capture.miss(DROPPED)
        if not running:
            self._faults.add("capture", fault.on, 1, contains="drops", frames=DROPPED)
