"""The state of a call on a phone, by the signs of the app's file and Android's audio mode."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lab.clocks.bench_time import POLL_S, BenchClock, wait_until
from lab.definitions import App, Selector
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.chains import Chains, listed
from lab.phone.screen import Screen

REVEALED_S = 1.0


class CallState(enum.Enum):
    """What a phone shows of a call; UNKNOWN is neither idle nor any sign of the app's file."""

    IDLE = "idle"
    OUTGOING = "outgoing"
    INCOMING = "incoming"
    CONNECTED = "connected"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CallView:
    """What one phone shows of an app's call. All methods may raise `PhoneTrouble`."""

    phone: str
    adb: Adb
    screen: Screen
    clock: BenchClock
    chains: Chains

    def audio_mode(self) -> str:
        """`MODE_NORMAL`, `MODE_RINGTONE`, `MODE_IN_COMMUNICATION`, ...; the dump's later mentions are history."""
        text = self.adb.run("dumpsys audio | grep -F 'Actual mode'").text
        found = re.search(r"Actual mode = (MODE_[A-Z_]{1,40})", text)
        if found is None:
            raise PhoneTrouble(f"{self.phone}: dumpsys audio names no mode: {text[:100]!r}")
        return found[1]

    def state(self, app: App) -> CallState:
        """The state by the app's signs and the audio mode; controls that hide are brought back to look at them."""
        state = self._look(app)
        if state is CallState.UNKNOWN and self.chains.reveal_controls(app):
            wait_until(self.clock, lambda: self._look(app) is not CallState.UNKNOWN, REVEALED_S)
            state = self._look(app)
        return state

    def _look(self, app: App) -> CallState:
        if self._sign(app, CallState.INCOMING):
            return CallState.INCOMING
        mode = self.audio_mode()
        if mode == "MODE_IN_COMMUNICATION" and self._sign(app, CallState.CONNECTED):
            return CallState.CONNECTED
        if self._sign(app, CallState.OUTGOING):
            return CallState.OUTGOING
        return CallState.IDLE if mode == "MODE_NORMAL" else CallState.UNKNOWN

    def is_in(self, app: App, state: CallState) -> bool:
        """Whether the phone is in this state now; looks at no more than it needs to."""
        if state is CallState.IDLE:
            return self.audio_mode() == "MODE_NORMAL" and self._look(app) is CallState.IDLE
        if state is CallState.CONNECTED:
            return self._sign(app, state) is not None and self.audio_mode() == "MODE_IN_COMMUNICATION"
        return self._sign(app, state) is not None

    def is_ringing(self, app: App) -> bool:
        """Whether a call comes in, by the app's signs or by the audio mode alone."""
        return self.is_in(app, CallState.INCOMING) or self.audio_mode() == "MODE_RINGTONE"

    def wait_for(self, app: App, state: CallState, within_s: float) -> bool:
        """Look every 0.2 s of bench time until the phone is in `state`; False when `within_s` have passed."""
        return wait_until(self.clock, lambda: self.is_in(app, state), within_s)

    def wait_idle(self, app: App, within_s: float) -> bool:
        """The same for idle; a sign of the call that is there is waited for in the agent, not asked for again."""
        deadline_ns = self.clock.now_ns() + round(within_s * 1e9)
        while not self.is_in(app, CallState.IDLE):
            left_s = (deadline_ns - self.clock.now_ns()) / 1e9
            if left_s <= 0:
                return False
            states = (CallState.INCOMING, CallState.CONNECTED, CallState.OUTGOING)
            sign = next((sign for state in states if (sign := self._sign(app, state)) is not None), None)
            if sign is not None:
                self.screen.wait_gone(sign, left_s)
            self.clock.sleep(POLL_S)
        return True

    def _sign(self, app: App, state: CallState) -> dict[str, str] | None:
        """The first sign of a state that is on the screen, as a query."""
        for selector in signs_of(app, state):
            query = selector.as_query()
            if state is not CallState.INCOMING:
                # A clock elsewhere looks like the timer of a call. (The buttons of a notification are the system's.)
                query["packageName"] = app.package
            if self.screen.shows(query):
                return query
        return None

    def void(self, app: App, wanted: CallState, reason: str) -> AttemptVoid:
        """The error for a state that did not come: by the audio mode the call went on, the selectors are to blame."""
        mode = self.audio_mode()
        in_call = "MODE_RINGTONE" if wanted is CallState.INCOMING else "MODE_IN_COMMUNICATION"
        chain = f"signs.{wanted.value} {listed(signs_of(app, wanted))}"
        if mode == in_call:
            text = f"{app.name}: {self.phone} is in {mode}, but none of {chain} is on its screen"
            return AttemptVoid("selector_not_found", text)
        return AttemptVoid(reason, f"{app.name}: {self.phone} is in {mode}; looked for {chain}")


def signs_of(app: App, state: CallState) -> Sequence[Selector]:
    """The selectors that show a state, under its name in the app's file; none for idle and unknown."""
    signs: Sequence[Selector] = getattr(app.signs, state.value, [])
    return signs
