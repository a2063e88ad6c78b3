"""`input_interaction` in the events buffer: which windows a finger reaches (AOSP, InputDispatcher)."""

from lab.virtual.handset.history import History
from lab.virtual.handset.tokens import token
from lab.virtual.handset.windows import Window

_WATCHERS = ("[Gesture Monitor] swipe-up", "PointerEventDispatcher0")
"""Windows of the system that see each touch."""


class Touches:
    """What one screen was touched at. A line is written where other windows are touched than the last time."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.begin()

    def begin(self) -> None:
        """Nothing was touched yet."""
        self._last: tuple[str, ...] = ()

    def down(self, window: Window | None) -> None:
        """A finger goes down on a window, or where there is none."""
        names = (f"{token(window.title)} {window.title}",) if window is not None else ()
        touched = tuple(f"{name} (server), " for name in names + _WATCHERS)
        if touched != self._last:
            self._last = touched
            self._history.log_event("input_interaction", f"Interaction with: {''.join(touched)}")
