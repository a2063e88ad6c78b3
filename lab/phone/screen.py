"""A phone's screen through its agent: look, tap, swipe, press. The one place where an agent's errors become ours.

uiautomator2 sends a call again after an HTTP error, so a tap may happen twice: whoever taps checks the state before and
after. Its waits on the controller's side are never used; `wait_gone` waits in the phone's agent.
"""

import base64
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from adbutils import AdbError

from lab.errors import PhoneTrouble
from lab.phone.agent_words import cause

MAX_HIERARCHY_BYTES = 4 << 20
MAX_SCREENSHOT_BYTES = 16 << 20
SWIPE_STEPS = 20
AGENT_WAIT_S = 5.0
"""The longest wait inside an agent at a time: its socket has a real deadline of 15 s."""


@dataclass(frozen=True)
class Screen:
    """The screen of one phone; `agent` is a uiautomator2 device, `lab.phone.agent`'s on a bench."""

    name: str
    agent: Any

    def shows(self, query: Mapping[str, str]) -> bool:
        """Whether a selector is on the screen now. Raises `PhoneTrouble`, as all methods here."""
        with self._trouble():
            return bool(self.agent(**query).exists)

    def is_single(self, query: Mapping[str, str]) -> bool:
        """Whether a selector finds one thing on the screen and no second one."""
        with self._trouble():
            return bool(self.agent(**query).exists) and not self.agent(**query, instance=1).exists

    def check_health(self) -> None:
        """Ask the agent something that takes the phone's UiAutomation; that it runs, its ping tells too."""
        self.shows({"packageNameMatches": ".+"})

    def find(self, query: Mapping[str, str]) -> tuple[int, int] | None:
        """The middle of what a selector finds, in pixels; None where it finds nothing."""
        from uiautomator2.exceptions import UiObjectNotFoundError

        with self._trouble():
            try:
                info = self.agent(**query).info
            except UiObjectNotFoundError:
                return None
        try:
            bounds = info.get("visibleBounds") or info["bounds"]
            left, top, right, bottom = (int(bounds[side]) for side in ("left", "top", "right", "bottom"))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise PhoneTrouble(f"{self.name}: its agent describes an object without bounds") from error
        x, y = (left + right) // 2, (top + bottom) // 2
        if min(x, y) < 0:
            raise PhoneTrouble(f"{self.name}: its agent describes an object that is not on the screen: {x}, {y}")
        return x, y

    def tap(self, query: Mapping[str, str]) -> bool:
        """Tap what a selector finds; False where it finds nothing."""
        middle = self.find(query)
        if middle is None:
            return False
        with self._trouble():
            self.agent.click(*middle)
        return True

    def swipe_up(self, query: Mapping[str, str]) -> bool:
        """Drag what a selector finds up to 12% of the height, slowly; False where it finds nothing."""
        middle = self.find(query)
        if middle is None:
            return False
        x, y = middle
        with self._trouble():
            height = int(self.agent.info["displayHeight"])
            self.agent.swipe(x, y, x, min(y, height * 12 // 100), steps=SWIPE_STEPS)
        return True

    def press(self, key: str) -> None:
        """Press a key that uiautomator2 knows: `home`, `back`."""
        with self._trouble():
            self.agent.press(key)

    def open_shade(self) -> None:
        """Open the notification shade."""
        with self._trouble():
            self.agent.open_notification()

    def wake(self) -> None:
        """Turn the screen on."""
        with self._trouble():
            self.agent.screen_on()

    def wait_gone(self, query: Mapping[str, str], within_s: float) -> None:
        """Wait in the agent, at most 5 s, until a selector finds nothing."""
        with self._trouble():
            self.agent(**query).wait_gone(timeout=min(within_s, AGENT_WAIT_S))

    def hierarchy(self) -> bytes:
        """All windows as XML, at most 4 MiB of it."""
        with self._trouble():
            text = self.agent.jsonrpc.dumpWindowHierarchy(False, 50)
        return str(text or "").encode("utf-8", "replace")[:MAX_HIERARCHY_BYTES]

    def screenshot(self) -> bytes:
        """The screen as JPEG; empty where the phone takes none (a protected window)."""
        with self._trouble():
            text = self.agent.jsonrpc.takeScreenshot(1, 80)
        if not text:
            return b""
        try:
            return base64.b64decode(str(text)[: MAX_SCREENSHOT_BYTES * 4 // 3])
        except ValueError as error:  # binascii.Error, and what is not ASCII
            raise PhoneTrouble(f"{self.name}: its agent sends a screenshot that is no base64") from error

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        from uiautomator2 import exceptions

        try:
            yield
        # A closed or half an answer is none of uiautomator2's own errors (OSError, HTTPException, ValueError).
        except (exceptions.BaseException, AdbError, HTTPException, OSError, EOFError, ValueError, KeyError) as error:
            raise PhoneTrouble(f"{self.name}: its agent fails: {cause(error)}") from error
