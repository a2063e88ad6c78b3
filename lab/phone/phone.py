"""Phone: what a scenario needs of a phone, by the app's YAML. A new app is a new file, not new code.

Verbs are idempotent: each looks at the state before it touches anything and until its effect is seen. A chain of which
nothing is on the screen voids the attempt and is named with all its selectors.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from correlate import markers
from lab.clocks.bench_time import BenchClock, wait_until
from lab.definitions import App, PhoneSpec, Service, StunServer, Way
from lab.errors import AttemptVoid, NeedsPerson, PhoneTrouble
from lab.phone import boot, dialogs, packages
from lab.phone.adb import Adb
from lab.phone.call_state import CallState, CallView
from lab.phone.chains import AGAIN_S, Chains, Used, listed
from lab.phone.datagram import datagram_command
from lab.phone.default_network import DefaultNetwork, default_network
from lab.phone.fitness import require_room
from lab.phone.interfaces import Address, clat_addresses, parse_interfaces
from lab.phone.root import ALLOW, SuRefuses
from lab.phone.screen import Screen
from lab.phone.serials import own_serial
from lab.phone.starting import stop_command
from lab.phone.stun_probe import probe

END_ANY_S = 8.0
CHAT_S = 20.0
FIRST_SCREEN_S = 4.0
"""How long an app that was started is looked at for what it says."""
LOG_LINES = 500


class Phone:
    """One phone of a bench; `agent` is a uiautomator2 device, `calls` what the phone shows of a call.

    All methods may raise `PhoneTrouble`; those that drive an app also `AttemptVoid`.
    """

    def __init__(self, spec: PhoneSpec, device: Adb, agent: Any, clock: BenchClock) -> None:
        self.spec, self.device, self.clock = spec, device, clock
        self.screen = Screen(spec.name, agent)
        self._chains = Chains(device, self.screen, clock)
        self.calls = CallView(spec.name, device, self.screen, clock, self._chains)
        self._boot: str | None = None
        self._restarts = 0

    def check_health(self) -> None:
        """Raise `PhoneTrouble` unless the phone has started and its shell answers, root's too on a rooted phone, and
        the agent a question about the screen; `NeedsPerson` where su says no. All over new connections: the first call
        on one from before a break fails though the phone is back."""
        self.device.close()
        self.require_booted()
        if self.spec.rooted:
            self._require_root()
        self.screen.check_health()

    def _require_root(self) -> None:
        """A no of su is asked about again: a prompt that nobody saw in time is one, too."""
        try:
            uid = self._root_uid()
        except SuRefuses:
            try:
                uid = self._root_uid()
            except SuRefuses as error:
                raise NeedsPerson(str(error)) from error
        if uid != "0":
            raise NeedsPerson(f"{self.spec.name}: su gives uid {uid[:20]!r}, not 0; {ALLOW}")

    def _root_uid(self) -> str:
        return self.device.run("id -u", root=True).text.strip()

    def require_booted(self) -> str | None:
        """The id of the boot that the phone is in, None where it does not tell; raises what `Boot.require_usable` does.

        One that is another than the last time is kept for `restarts`.
        """
        found = boot.read(self.device)
        if found.id is not None:
            self._restarts += self._boot not in (None, found.id)
            self._boot = found.id
        found.require_usable(self.spec.name)
        return found.id

    def restarts(self) -> int:
        """How often the phone was seen to have restarted since this was asked the last time."""
        seen, self._restarts = self._restarts, 0
        return seen

    def wake(self) -> None:
        """Screen on, keyguard away (a PIN stays), and it stays on while plugged in."""
        self.screen.wake()
        self._shell("svc power stayon true")
        self._shell("wm dismiss-keyguard")

    def identify(self, app: App) -> str:
        """The version of an app on this phone, after proof that this is the phone the bench file means and that its
        first user can use the app."""
        self._require_own_serial()
        name, install = self.spec.name, f"install {app.name} {app.version} on it"
        try:
            found = packages.parse(self._shell(packages.question(app.package)), app.package)
        except ValueError as error:
            raise PhoneTrouble(f"{name}: {app.package}: {error}; mend it on the phone, or update Android") from error
        if found is None:
            raise PhoneTrouble(f"{name} has no {app.package}; {install}")
        if found.hindered:
            text = f"{app.package} {found.version} is {found.hindered} for its user 0; {install}, or enable it there"
            raise PhoneTrouble(f"{name}: {text}")
        return found.version

    def _require_own_serial(self) -> None:
        wanted = None if self.spec.serial is None else own_serial(self.spec.serial)
        if wanted is None:
            return
        serial = self._shell("getprop ro.serialno").strip()
        if serial not in (wanted, self.spec.serial):
            raise PhoneTrouble(f"{self.spec.name} should have serial {self.spec.serial}, has {serial[:60]!r}")

    def interface_addresses(self) -> list[Address]:
        """Addresses of all interfaces that are up, loopback left out, and those of a CLAT; each once."""
        interfaces = parse_interfaces(self._shell("ip addr"))
        found = [address for addresses in interfaces.values() for address in addresses]
        if any(name.startswith("v4-") for name in interfaces):
            found += clat_addresses(self.device.run("cat /proc/net/anycast6", root=self.spec.rooted).text)
        return list(dict.fromkeys(found))

    def probe_public_addresses(self, servers: Sequence[StunServer]) -> list[Address]:
        """Public addresses by STUN from the phone's own path; see `lab.phone.stun_probe`."""
        return probe(self.device, self.interface_addresses(), servers, self.clock.now_ns)

    def default_network(self) -> DefaultNetwork:
        """The network that carries this phone's calls now; see `lab.phone.default_network`."""
        return default_network(self.device, self.spec)

    def send_marker(self, text: str) -> None:
        """Send `text` as one UDP datagram to the marker address; nobody answers it."""
        output = self.device.run(datagram_command(text, markers.ADDRESS, markers.PORT))
        # toybox' timeout may end with 127 as well where nc fails at once.
        if "not found" in output.text:
            raise PhoneTrouble(f"{self.spec.name} cannot send a marker: {output.text[:100]!r}")
        require_room(self.spec.name, output.text)
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

    def open_chat(self, app: App, contact: str, title: str) -> None:
        """Open the chat with the account `contact`, which the phone shows as `title`; a chat that was open before is
        left first, so that no other can be meant."""

        def is_open() -> bool:
            return any(self.screen.shows(selector.as_query(contact, title)) for selector in app.chat_open)

        self.screen.press("home")
        wait_until(self.clock, lambda: not is_open(), AGAIN_S)
        done = self._chains.pursue(app, app.open_chat, is_open, CHAT_S, contact, title)
        if not (done.reached and done.used):
            self._refuse_what_is_over(app)
            text = f"open_chat {listed(app.open_chat)} did not lead to chat_open {listed(app.chat_open)}"
            said = self._chains.refusals(app.open_chat)
            raise AttemptVoid("selector_not_found", f"{app.name}: {text} on {self.spec.name}{said}")

    def place_call(self, app: App, service: Service, within_s: float = 20.0) -> tuple[Used, ...]:
        """Start a call in the chat that is open; done when the phone shows an outgoing call.

        This and the verbs below give the ways that were used. Void `not_our_tap` where their aim came without any.
        """
        ways, wanted = app.place_call.of(service), CallState.OUTGOING
        reached = partial(self.calls.is_in, app, wanted)
        return self._go(app, f"place_call.{service}", ways, reached, within_s, wanted)

    def answer(self, app: App, service: Service, within_s: float = 20.0) -> tuple[Used, ...]:
        """Answer the call that rings; done when it no longer rings."""
        self._require_no_other_call(app)
        return self._go(
            app, f"answer.{service}", app.answer.of(service), lambda: not self.calls.is_ringing(app), within_s
        )

    def reject(self, app: App, within_s: float = 20.0) -> tuple[Used, ...]:
        """Reject the call that rings; done when it no longer rings."""
        self._require_no_other_call(app)
        return self._go(app, "reject", app.reject, lambda: not self.calls.is_ringing(app), within_s)

    def cancel(self, app: App, within_s: float = 20.0) -> tuple[Used, ...]:
        """Cancel the outgoing call; done when the phone is idle."""
        return self._go(app, "cancel", app.cancel, partial(self.calls.is_in, app, CallState.IDLE), within_s)

    def hang_up(self, app: App, within_s: float = 20.0) -> tuple[Used, ...]:
        """End the conversation; done when the phone is idle."""
        return self._go(app, "hang_up", app.hang_up, partial(self.calls.is_in, app, CallState.IDLE), within_s)

    def end_any_call(self, app: App) -> None:
        """Whatever call of the app there is, end it; by stopping the app where nothing else helps."""
        ways = [*app.reject, *app.hang_up, *app.cancel]
        if not self._chains.pursue(
            app, ways, lambda: self.calls.is_in(app, CallState.IDLE), END_ANY_S, own=True
        ).reached:
            self._shell(stop_command(app.package))
            # An app that was stopped does not ring until it is started again.
            self._chains.launch(app)

    def _require_no_other_call(self, app: App) -> None:
        if others := self._chains.other_calls(app):
            text = f"{', '.join(others)} notifies of a call on {self.spec.name}, which is not touched"
            raise AttemptVoid("other_call", f"{app.name}: {text}")

    def refusal_in_front(self, app: App) -> AttemptVoid | None:
        """What the app says on its first screen where it will not call, as the void it is; None where it says nothing
        of the kind. It is started as from its icon, so nobody may be in a call; nothing is tapped in it."""
        if not app.refusals or not self._chains.launch(app):
            return None
        wait_until(self.clock, lambda: self._refusal(app) is not None, FIRST_SCREEN_S)
        found = self._refusal(app)
        self.screen.press("home")
        return found

    def _refusal(self, app: App) -> AttemptVoid | None:
        for refusal in app.refusals:
            if self.screen.shows(refusal.shows.as_query() | {"packageName": app.package}):
                text = f"{app.name} on {self.spec.name} shows {refusal.shows}; mend that there"
                return AttemptVoid(refusal.reason, text)
        return None

    def _refuse_what_is_over(self, app: App) -> None:
        """Void an attempt that missed its aim by what the app says, or by the cause that lies over it, where there is
        one."""
        self._require_no_other_call(app)
        if (refusal := self._refusal(app)) is not None:
            raise refusal
        if found := dialogs.over(app, self.spec.name, self.device, self.screen):
            raise AttemptVoid("dialog", found)

    def _go(
        self,
        app: App,
        key: str,
        ways: Sequence[Way],
        reached: Callable[[], bool],
        within_s: float,
        wanted: CallState | None = None,
    ) -> tuple[Used, ...]:
        """Go the ways under `key` of the app's file; void the attempt, and name them, where they miss their aim."""
        done = self._chains.pursue(app, ways, reached, within_s, own=not key.startswith("place_call"))
        if done.reached and done.used:
            return done.used
        where = f"of {key} {listed(ways)}"
        if done.reached:
            text = f"its aim came on {self.spec.name} before any {where} was used"
            raise AttemptVoid("not_our_tap", f"{app.name}: {text}")
        self._refuse_what_is_over(app)
        if not done.used:
            text = f"none {where} is on the screen of {self.spec.name}{self._chains.refusals(ways)}"
            raise AttemptVoid("selector_not_found", f"{app.name}: {text}")
        if wanted is not None:
            raise self.calls.void(app, wanted, "no_effect")
        used = ", ".join(dict.fromkeys(one.way for one in done.used))
        against = f"; {against}" if (against := self.calls.contradiction(app)) else ""
        raise AttemptVoid("no_effect", f"{app.name}: {key} on {self.spec.name}: {used} had no effect{against}")

    def _shell(self, command: str) -> str:
        return self.device.run(command).text
