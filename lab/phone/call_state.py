"""The state of a call on a phone, by the signs of the app's file and Android's audio mode."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lab.clocks.bench_time import POLL_S, BenchClock, wait_until
from lab.definitions import App, Selector
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone import dialogs
from lab.phone.adb import Adb
from lab.phone.chains import SYSTEM_UI, Chains, listed
from lab.phone.screen import Screen
from lab.phone.witnesses import audio, telephony
from lab.phone.witnesses.facts import Look, Missing

REVEALED_S = 1.0


class CallState(enum.Enum):
    """What a phone shows of a call; UNKNOWN is neither idle nor any sign of the app's file."""

    IDLE = "idle"
    OUTGOING = "outgoing"
    INCOMING = "incoming"
    CONNECTED = "connected"
    UNKNOWN = "unknown"


def audio_mode(phone: str, adb: Adb) -> str:
    """The audio mode of a phone now, by its shell alone. Raises `PhoneTrouble`."""
    text = adb.run(f"dumpsys audio | grep -E '{audio.MODE_LINES}'").text
    found = audio.mode(text)
    if isinstance(found, Missing):
        raise PhoneTrouble(f"{phone}: dumpsys audio names no mode: {text[:100]!r}")
    return found


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
        return audio_mode(self.phone, self.adb)

    def state(self, app: App) -> CallState:
        """The state by the app's signs and the audio mode; controls that hide are brought back to look at them."""
        state = self._look(app)
        if state is CallState.UNKNOWN and self.chains.reveal_controls(app):
            wait_until(self.clock, lambda: self._look(app) is not CallState.UNKNOWN, REVEALED_S)
            state = self._look(app)
        return state

    def _look(self, app: App, mode: str = "") -> CallState:
        in_front = self._in_front(app)
        if self._sign(app, CallState.INCOMING, own=in_front):
            return CallState.INCOMING
        mode = mode or self.audio_mode()
        if in_front:
            if self._sign(app, CallState.CONNECTED):
                # Something on the screen wins over nothing in the audio: such a phone is not idle, whatever it is.
                return CallState.CONNECTED if mode == "MODE_IN_COMMUNICATION" else CallState.UNKNOWN
            if self._sign(app, CallState.OUTGOING):
                return CallState.OUTGOING
            if self._shows_hidden_controls(app):
                return CallState.UNKNOWN
        return CallState.IDLE if mode == "MODE_NORMAL" else CallState.UNKNOWN

    def _in_front(self, app: App) -> bool:
        """Whether anything of the app is on the screen."""
        return self.screen.shows({"packageName": app.package})

    def _shows_hidden_controls(self, app: App) -> bool:
        """Whether what brings a call's controls back is on the screen: a call whose signs are hidden is not idle."""
        selectors = [way.selector for way in app.reveal_controls if way.selector is not None]
        return any(self.screen.shows(one.as_query() | {"packageName": app.package}) for one in selectors)

    def look(self, app: App, expected: CallState) -> Look:
        """A look at a call that goes on: its state, whether the app is in front, and the SIMs."""
        state = expected if self.is_in(app, expected) else self.state(app)
        # The signs of these are the app's own, never a notification's.
        in_front = state in (CallState.OUTGOING, CallState.CONNECTED) or self._in_front(app)
        return Look(self.clock.now_ns(), state.value, in_front, telephony.look(self.adb))

    def is_in(self, app: App, state: CallState) -> bool:
        """Whether the phone is in this state now; looks at no more than it needs to."""
        if state is CallState.IDLE:
            return (mode := self.audio_mode()) == "MODE_NORMAL" and self._look(app, mode) is CallState.IDLE
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

    def _sign(self, app: App, state: CallState, *, own: bool = True) -> dict[str, str] | None:
        """The first sign of a state that is on the screen, as a query; without `own` in a notification alone."""
        for selector in signs_of(app, state):
            # A clock elsewhere looks like the timer of a call, and another app's call has a button to decline it, too.
            query = selector.as_query() | {"packageName": app.package}
            if own and self.screen.shows(query):
                return query
            if state is CallState.INCOMING:
                query["packageName"] = SYSTEM_UI
                if self.screen.shows(query) and app.package in self.chains.call_notifications():
                    return query
        return None

    def contradiction(self, app: App) -> str | None:
        """What the screen shows against the audio mode, in words; None where they agree."""
        sign = self._sign(app, CallState.CONNECTED)
        if sign is None or (mode := self.audio_mode()) == "MODE_IN_COMMUNICATION":
            return None
        shown = " ".join(f"{key}={value}" for key, value in sign.items() if key != "packageName")
        return f"{self.phone} shows {shown}, but is in {mode}"

    def void(self, app: App, wanted: CallState, reason: str) -> AttemptVoid:
        """The error for a state that did not come: by the audio mode the call went on, the selectors are to blame."""
        if against := self.contradiction(app):
            return AttemptVoid(reason, f"{app.name}: {against}")
        if others := self.chains.other_calls(app):
            text = f"{', '.join(others)} notifies of a call on {self.phone}, which is not touched"
            return AttemptVoid("other_call", f"{app.name}: {text}")
        mode = self.audio_mode()
        in_call = "MODE_RINGTONE" if wanted is CallState.INCOMING else "MODE_IN_COMMUNICATION"
        chain = f"signs.{wanted.value} {listed(signs_of(app, wanted))}"
        # A phone that need not ring may show anything; an app that calls should be in front.
        in_front = wanted is not CallState.INCOMING or mode == in_call
        if in_front and (found := dialogs.over(app, self.phone, self.adb, self.screen)):
            return AttemptVoid("dialog", found)
        if mode == in_call:
            text = f"{app.name}: {self.phone} is in {mode}, but none of {chain} is on its screen"
            return AttemptVoid("selector_not_found", text)
        return AttemptVoid(reason, f"{app.name}: {self.phone} is in {mode}; looked for {chain}")


def signs_of(app: App, state: CallState) -> Sequence[Selector]:
    """The selectors that show a state, under its name in the app's file; none for idle and unknown."""
    signs: Sequence[Selector] = getattr(app.signs, state.value, [])
    return signs
