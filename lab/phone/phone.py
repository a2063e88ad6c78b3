"""Phone: what a scenario needs of a phone, by the app's YAML. A new app is a new file, not new code.

Verbs are idempotent: each looks at the state before it touches anything and until its effect is seen. Chains are tried
in turn, round and round, under one deadline of bench time; a chain of which nothing is on the screen voids the attempt
and is named with all its selectors.
"""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from correlate import markers
from lab.clocks.bench_time import POLL_S, Clock, wait_until
from lab.definitions import App, PhoneSpec, Selector, Service, StunServer, Way
from lab.definitions.app import fill
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.network import Address, WayOut, clat_addresses, datagram_command, parse_interfaces, probe, way_out_now
from lab.phone.screen import Screen

AGAIN_S = 3.0
"""How long a way that was used may take to show its effect before it is used again."""
SHADE_S = 0.6
END_ANY_S = 8.0
CHAT_S = 20.0
LOG_LINES = 500


class CallState(enum.Enum):
    """What a phone shows of a call; UNKNOWN is neither idle nor any sign of the app's file."""

    IDLE = "idle"
    OUTGOING = "outgoing"
    INCOMING = "incoming"
    CONNECTED = "connected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Phone:
    """One phone of a bench. All methods may raise `PhoneTrouble`; those that drive an app also `AttemptVoid`."""

    spec: PhoneSpec
    device: Adb
    agent: Any
    clock: Clock
    screen: Screen = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "screen", Screen(self.spec.name, self.agent))

    # What the phone is

    def wake(self) -> None:
        """Screen on, keyguard away (a PIN stays), and it stays on while plugged in."""
        self.screen.wake()
        self._shell("svc power stayon true")
        self._shell("wm dismiss-keyguard")

    def identify(self, app: App) -> str:
        """The version of an app on this phone, after proof that this is the phone the bench file means."""
        if self.spec.serial is not None and ":" not in self.spec.serial:
            serial = self._shell("getprop ro.serialno").strip()
            if serial != self.spec.serial:
                raise PhoneTrouble(f"{self.spec.name} should have serial {self.spec.serial}, has {serial[:60]!r}")
        text = self._shell(f"dumpsys package {shlex.quote(app.package)} | grep -F versionName")
        found = re.search(r"versionName=([0-9A-Za-z._-]{1,60})", text)
        if found is None:
            raise PhoneTrouble(f"{self.spec.name} has no {app.package}; install {app.name} {app.version} on it")
        return found[1]

    def interface_addresses(self) -> list[Address]:
        """Addresses of all interfaces that are up, loopback left out, and those of a CLAT; each once."""
        interfaces = parse_interfaces(self._shell("ip addr"))
        found = [address for addresses in interfaces.values() for address in addresses]
        if any(name.startswith("v4-") for name in interfaces):
            found += clat_addresses(self.device.run("cat /proc/net/anycast6", root=self.spec.rooted).text)
        return list(dict.fromkeys(found))

    def probe_public_addresses(self, servers: Sequence[StunServer]) -> list[Address]:
        """Public addresses by STUN from the phone's own path; see `lab.phone.network.probe`."""
        return probe(self.device.run, self.interface_addresses(), servers, self.clock.now_ns)

    def route_interface(self) -> str:
        """The interface that carries this phone's calls, as tcpdump must name it."""
        return self.way_out().interface

    def way_out(self) -> WayOut:
        """The interface and the kind of network that carry this phone's calls now; see `lab.phone.network.way_out`."""
        return way_out_now(self._shell, self.spec, markers.ADDRESS)

    def send_marker(self, text: str) -> None:
        """Send `text` as one UDP datagram to the marker address; nobody answers it."""
        output = self.device.run(datagram_command(text, markers.ADDRESS, markers.PORT))
        # toybox' timeout may end with 127 as well where nc fails at once.
        if "not found" in output.text:
            raise PhoneTrouble(f"{self.spec.name} cannot send a marker: {output.text[:100]!r}")
        if output.code not in (0, 124):
            raise AttemptVoid("marker_not_sent", f"{self.spec.name}: nc says {output.text[:100]!r}")

    def evidence(self) -> dict[str, bytes]:
        """What the phone shows and logs now, by file name. A part that cannot be had is replaced by the reason."""
        parts: tuple[tuple[str, Callable[[], bytes]], ...] = (
            ("hierarchy.xml", self.screen.hierarchy),
            ("screen.jpg", self.screen.screenshot),
            ("logcat.txt", lambda: self._shell(f"logcat -d -t {LOG_LINES}").encode()[: 1 << 20]),
        )
        found: dict[str, bytes] = {}
        for name, part in parts:
            try:
                found[name] = part()
            except PhoneTrouble as error:
                found[f"{name}.missing.txt"] = f"{error}\n".encode()
        return found

    # The state of a call

    def audio_mode(self) -> str:
        """`MODE_NORMAL`, `MODE_RINGTONE`, `MODE_IN_COMMUNICATION`, ...; the dump's later mentions are history."""
        text = self._shell("dumpsys audio | grep -F 'Actual mode'")
        found = re.search(r"Actual mode = (MODE_[A-Z_]{1,40})", text)
        if found is None:
            raise PhoneTrouble(f"{self.spec.name}: dumpsys audio names no mode: {text[:100]!r}")
        return found[1]

    def call_state(self, app: App) -> CallState:
        """The state by the app's signs and the audio mode; controls that hide are brought back to look at them."""
        state = self._look(app)
        if state is CallState.UNKNOWN and any(self._use(way, app, "") for way in app.reveal_controls):
            wait_until(self.clock, lambda: self._look(app) is not CallState.UNKNOWN, 1.0)
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
            signs = (self._sign(app, state) for state in (CallState.INCOMING, CallState.CONNECTED, CallState.OUTGOING))
            sign = next((one for one in signs if one is not None), None)
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
        chain = f"signs.{wanted.value} {_listed(signs_of(app, wanted))}"
        if mode == in_call:
            text = f"{app.name}: {self.spec.name} is in {mode}, but none of {chain} is on its screen"
            return AttemptVoid("selector_not_found", text)
        return AttemptVoid(reason, f"{app.name}: {self.spec.name} is in {mode}; looked for {chain}")

    # Driving a call

    def open_chat(self, app: App, contact: str) -> None:
        """Open the chat with `contact`; a chat that was open before is left first, so that no other can be meant."""

        def open_now() -> bool:
            return any(self.screen.shows(selector.as_query(contact)) for selector in app.chat_open)

        self.screen.press("home")
        wait_until(self.clock, lambda: not open_now(), AGAIN_S)
        if not self._pursue(app, app.open_chat, open_now, CHAT_S, contact).reached:
            text = f"open_chat {_listed(app.open_chat)} did not lead to chat_open {_listed(app.chat_open)}"
            raise AttemptVoid("selector_not_found", f"{app.name}: {text} on {self.spec.name}")

    def place_call(self, app: App, service: Service, within_s: float = 20.0) -> None:
        """Start a call in the chat that is open; done when the phone shows an outgoing call."""
        done = self._pursue(app, app.place_call.of(service), lambda: self.is_in(app, CallState.OUTGOING), within_s)
        self._require(app, f"place_call.{service}", app.place_call.of(service), done, CallState.OUTGOING)

    def answer(self, app: App, service: Service, within_s: float = 20.0) -> None:
        """Answer the call that rings; done when it no longer rings."""
        done = self._pursue(app, app.answer.of(service), lambda: not self._ringing(app), within_s)
        self._require(app, f"answer.{service}", app.answer.of(service), done)

    def reject(self, app: App, within_s: float = 20.0) -> None:
        """Reject the call that rings; done when it no longer rings."""
        self._require(
            app, "reject", app.reject, self._pursue(app, app.reject, lambda: not self._ringing(app), within_s)
        )

    def cancel(self, app: App, within_s: float = 20.0) -> None:
        """Cancel the outgoing call; done when the phone is idle."""
        self._end(app, "cancel", app.cancel, within_s)

    def hang_up(self, app: App, within_s: float = 20.0) -> None:
        """End the conversation; done when the phone is idle."""
        self._end(app, "hang_up", app.hang_up, within_s)

    def end_any_call(self, app: App) -> None:
        """Whatever call of the app there is, end it; by stopping the app where nothing else helps."""
        ways = [*app.reject, *app.hang_up, *app.cancel]
        if not self._pursue(app, ways, lambda: self.is_in(app, CallState.IDLE), END_ANY_S).reached:
            self._shell(f"am force-stop {shlex.quote(app.package)}")
            # An app that was stopped does not ring until it is started again.
            self._launch(app)

    def _end(self, app: App, key: str, ways: Sequence[Way], within_s: float) -> None:
        done = self._pursue(app, ways, lambda: self.is_in(app, CallState.IDLE), within_s)
        self._require(app, key, ways, done)

    def _ringing(self, app: App) -> bool:
        return self._sign(app, CallState.INCOMING) is not None or self.audio_mode() == "MODE_RINGTONE"

    def _pursue(
        self, app: App, ways: Sequence[Way], reached: Callable[[], bool], within_s: float, contact: str = ""
    ) -> Pursuit:
        """Use ways in turn until `reached` holds; a way that was used gets 3 s before it is used again."""
        deadline_ns = self.clock.now_ns() + round(within_s * 1e9)
        not_before: dict[int, int] = {}
        while not reached():
            now_ns = self.clock.now_ns()
            if now_ns >= deadline_ns:
                return Pursuit(reached=False, used=[str(ways[index]) for index in not_before])
            ready = (index for index in range(len(ways)) if now_ns >= not_before.get(index, 0))
            used = next((index for index in ready if self._use(ways[index], app, contact)), None)
            if used is not None:
                not_before[used] = now_ns + round(AGAIN_S * 1e9)
            elif not any(now_ns < when for when in not_before.values()):
                self._clear_the_way(app)
            self.clock.sleep(POLL_S)
        return Pursuit(reached=True, used=[str(ways[index]) for index in not_before])

    def _require(self, app: App, key: str, ways: Sequence[Way], done: Pursuit, wanted: CallState | None = None) -> None:
        if done.reached:
            return
        if not done.used:
            where = f"none of {key} {_listed(ways)} is on the screen of {self.spec.name}"
            raise AttemptVoid("selector_not_found", f"{app.name}: {where}")
        if wanted is not None:
            raise self.void(app, wanted, "no_effect")
        raise AttemptVoid("no_effect", f"{app.name}: {key} on {self.spec.name}: {', '.join(done.used)} had no effect")

    def _clear_the_way(self, app: App) -> None:
        """Nothing of a chain is there: bring hidden controls back, or send a dialog away."""
        if not any(self._use(way, app, "") for way in app.reveal_controls):
            any(self.screen.tap(selector.as_query()) for selector in app.dismiss)

    def _use(self, way: Way, app: App, contact: str) -> bool:
        """Go one way; False where it cannot be gone now."""
        if way.tap is not None:
            return self.screen.tap(way.tap.as_query(contact))
        if way.swipe_up is not None:
            return self.screen.swipe_up(way.swipe_up.as_query(contact))
        if way.notification is not None:
            return self._use_notification(way.notification.as_query(contact))
        if way.intent is not None:
            return self._shell_succeeds(_start(way.intent.model_dump(), contact))
        if way.key is not None:
            return self._shell_succeeds(f"input keyevent {way.key}")
        return self._launch(app)

    def _use_notification(self, query: dict[str, str]) -> bool:
        """A heads-up notification is tapped where it is; else the shade is opened, and closed if it is not there."""
        if self.screen.tap(query):
            return True
        self.screen.open_shade()
        self.clock.sleep(SHADE_S)
        if self.screen.tap(query):
            return True
        self.screen.press("back")
        return False

    def _launch(self, app: App) -> bool:
        return self._shell_succeeds(f"monkey -p {shlex.quote(app.package)} -c android.intent.category.LAUNCHER 1")

    def _shell_succeeds(self, command: str) -> bool:
        output = self.device.run(command)
        return output.code == 0 and "Error" not in output.text

    def _shell(self, command: str) -> str:
        return self.device.run(command).text


@dataclass(frozen=True)
class Pursuit:
    """Whether an aim was reached, and which ways were used for it."""

    reached: bool
    used: list[str]


def signs_of(app: App, state: CallState) -> Sequence[Selector]:
    """The chain of selectors that shows a state; none for idle and unknown."""
    signs = app.signs
    chains = {
        CallState.OUTGOING: signs.outgoing,
        CallState.INCOMING: signs.incoming,
        CallState.CONNECTED: signs.connected,
    }
    return chains.get(state, [])


def _listed(chain: Iterable[Selector | Way]) -> str:
    return f"[{', '.join(str(one) for one in chain)}]"


def _start(intent: dict[str, str | None], contact: str) -> str:
    """`am start` with an intent's parts, quoted for the phone's shell."""
    options = {"-a": "action", "-d": "data", "-t": "mime_type", "-n": "component", "-p": "package"}
    words = ["am", "start"]
    for option, key in options.items():
        value = intent[key]
        if value is not None:
            words += [option, fill(value, contact)]
    return shlex.join(words)
