"""An emulated handset: a pure state machine of screens that gestures, keys, intents and calls move.

It reaches the outside only through the exchange, and time only through the world.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from lab.definitions.base import Service
from lab.definitions.virtual_app import HEIGHT, VirtualApp
from lab.definitions.virtual_network import PhoneEmulation
from lab.virtual.handset import past
from lab.virtual.handset.audio import Audio
from lab.virtual.handset.callside import CallSide, Display, Notes
from lab.virtual.handset.disorders import Disorders
from lab.virtual.handset.exchange import CallView, Exchange
from lab.virtual.handset.foreground import Foreground
from lab.virtual.handset.history import History
from lab.virtual.handset.othercall import OtherCall
from lab.virtual.handset.packages import Packages
from lab.virtual.handset.prompts import Prompts
from lab.virtual.handset.records import Records, SimState
from lab.virtual.handset.touches import Touches
from lab.virtual.handset.windows import Do, Node, Notification, Shown, Window, app_window, heads_up, shade
from lab.virtual.world import World

_SWIPE_PX = HEIGHT // 5
_TAP_SLOP_PX = 16
_TOP_EDGE_PX = 100
_PAST_PID = 9_107


class Handset:
    """One emulated handset. `contacts` are its own addresses and `titles` what the other phone calls it, where that is
    something else, by app name; `apps` are the installed apps, by name.

    `loses` is asked with the action of each node that is tapped or swiped: true, and the gesture reaches nothing.

    Coordinates are pixels of a 1080 x 2400 screen. A tap reaches the topmost node that takes taps; a window keeps
    what happens inside its bounds from the windows under it.
    """

    def __init__(
        self,
        name: str,
        contacts: Mapping[str, str],
        apps: Mapping[str, VirtualApp],
        world: World,
        exchange: Exchange,
        emulation: PhoneEmulation | None = None,
        titles: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name, self.apps, self.world, self.exchange = name, apps, world, exchange
        self.loses: Callable[[Do], bool] = lambda action: False
        self.display, self.packages = Display(), Packages(apps)
        self.disorders = Disorders(world, name, emulation.disorders if emulation is not None else ())
        self.history = History(world, name, self.packages.pid)
        self._touches = Touches(self.history)
        self.audio = Audio(self.history, self.packages.pid)
        self.records = Records(name, world, self.history, self.audio, self.disorders)
        notes = Notes(self.history, self.records, self.disorders, emulation.sdk if emulation is not None else 36)
        self.calls = CallSide(name, contacts, world, self.display, self.packages, notes, titles)
        self.other_call = OtherCall(world, self.display, self.packages, self.calls, self.audio)
        self.foreground = Foreground(self.packages, world, self.display, self.calls, partial(exchange.peers, name))
        self.prompts = Prompts(self.kill)
        self._keys: Mapping[str, Callable[[], None]] = {
            "home": self._home,
            "back": self._back,
            "power": self.display.power,
            "wakeup": self.display.wake,
            "sleep": self.display.sleep,
            "headsethook": self._headset_hook,
            "endcall": self._end_call,
        }
        self._actions: Mapping[Do, Callable[[Shown], None]] = {
            "none": lambda shown: None,
            "launch": self._launch,
            "home": self.foreground.show_first,
            "open_chat": self.foreground.open_chat,
            "show": self.foreground.show,
            "dismiss": lambda shown: self._dismiss(),
            "place_voice": self._place,
            "place_video": self._place,
            "open_call": lambda shown: self.calls.bring_to_front(),
            "answer": lambda shown: self.exchange.answer(self.name),
            "reject": lambda shown: self._decline(exchange.reject),
            "hang_up": lambda shown: self._decline(exchange.hang_up),
            "other_call": lambda shown: self.other_call.touched(),
            "show_controls": lambda shown: self.calls.show_controls(),
            "prompt": self.prompts.tapped,
        }
        self.begin()

    def begin(self) -> None:
        """A clean phone: home screen, screen on and unlocked, no call, no notification, all apps reachable."""
        self.display.on, self.display.locked, self.display.shade = True, self.packages.sealed, False
        self.packages.begin()
        self.disorders.begin()
        self.history.begin()
        self._touches.begin()
        past.fill(self.history, self.world, self.name, list(self.apps.values()), _PAST_PID)
        self.audio.begin()
        self.records.begin()
        self.calls.begin()
        self.other_call.begin()
        self.foreground.begin()
        self.prompts.begin()

    # What the phone shows

    def windows(self) -> list[Window]:
        """The windows that are shown, bottom first."""
        if not self.display.on:
            return []
        if self.display.shade:
            return [shade(self.calls.notifications)]
        call = self.calls.window()
        shown = [call if call is not None else self.foreground.window()]
        if call is None and self.calls.dialog is not None and not self.display.locked:
            dialog = self.calls.dialog
            shown.append(app_window(dialog.app, dialog.app.screen(dialog.screen), dialog.peer, 0))
        if (prompt := self.prompts.window()) is not None and not self.display.locked:
            shown.append(prompt)
        return shown + [heads_up(posted) for posted in self._over()]

    def _over(self) -> list[Notification]:
        """The notifications that are shown over the screen, the topmost last."""
        posted = self.calls.posted()
        own = [posted] if self.calls.heads_up and posted is not None else []
        return own + self.other_call.posted()

    def nodes(self) -> list[Node]:
        """What an accessibility dump of all windows shows now, heads-up included."""
        return [shown.node for window in self.windows() for shown in window.shown]

    def focused(self) -> Window | None:
        """The window with the focus; None with the screen off. A heads-up notification takes no focus."""
        windows = self.windows()
        over = 0 if self.display.shade else len(self._over())
        return windows[-1 - over] if windows else None

    def top_activity(self) -> Window | None:
        """The window of the resumed activity, also under the shade; None with the screen off or the keyguard shown."""
        if not self.display.on:
            return None
        call = self.calls.window()
        if call is None and self.display.locked:
            return None
        return call if call is not None else self.foreground.window()

    @property
    def package(self) -> str:
        """Package of the focused window; empty with the screen off."""
        window = self.focused()
        return window.package if window is not None else ""

    @property
    def activity(self) -> str:
        """Activity of the focused window; empty with the screen off."""
        window = self.focused()
        return window.activity if window is not None else ""

    @property
    def screen_on(self) -> bool:
        return self.display.on

    @property
    def audio_mode(self) -> str:
        """As in `dumpsys audio`: MODE_NORMAL, MODE_RINGTONE, MODE_IN_CALL or MODE_IN_COMMUNICATION."""
        return self.audio.mode

    @property
    def sim_state(self) -> SimState:
        """The SIM's line: 0 idle, 1 rings, 2 off hook; Telecom and the audio mode follow what is set."""
        return self.records.sim_state

    @sim_state.setter
    def sim_state(self, state: SimState) -> None:
        self.records.sim(state)

    @property
    def call(self) -> CallView | None:
        """The call this phone is in, as it knows it."""
        return self.calls.view

    @property
    def notifications(self) -> list[Notification]:
        """What is posted, oldest first."""
        return self.calls.notifications

    def running(self) -> list[str]:
        """Packages with a process."""
        return sorted(self.packages.started)

    # What is done to the phone

    def tap(self, x: float, y: float) -> None:
        """A short touch. With the screen off nothing happens."""
        self._touch(x, y)
        for shown in self.under(x, y):
            if shown.node.clickable:
                self._act(shown.tap, shown)
                return

    def swipe(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A drag. Upwards by a fifth of the screen it is a swipe up; from the top edge down it opens the shade."""
        if max(abs(x2 - x1), abs(y2 - y1)) < _TAP_SLOP_PX:
            self.tap(x1, y1)
            return
        self._touch(x1, y1)
        if y1 < _TOP_EDGE_PX and y2 - y1 >= _SWIPE_PX:
            self.open_notifications()
        elif y1 - y2 >= _SWIPE_PX:
            self._swipe_up(x1, y1)

    def key(self, name: str) -> None:
        """Press a key: home, back, power, wakeup, sleep, headsethook, endcall. Others do nothing."""
        press = self._keys.get(name.lower())
        if press is not None:
            press()

    def open_notifications(self) -> None:
        """Pull the notification shade down."""
        if self.display.on:
            self.display.shade = True

    def dismiss_keyguard(self) -> None:
        """Unlock a phone without PIN, as `wm dismiss-keyguard` does; with the screen off nothing happens."""
        if self.display.on and not self.packages.sealed:
            self.display.locked = False

    def start(self, package: str) -> bool:
        """Start an app as from its icon: its first screen, or its call if it is in one. False: not installed."""
        return self.foreground.start(package)

    def intent(
        self, action: str, data: str | None, mime_type: str | None, package: str | None, component: str | None
    ) -> bool:
        """Start what answers an intent; False where nothing does. An unknown contact opens the app's first screen."""
        return self.foreground.intent(action, data, mime_type, package, component)

    def force_stop(self, package: str) -> None:
        """Stop an app: its call ends, nothing of it is shown, and it does not ring until it is started again."""
        self.records.killed(package)
        self.packages.kills[package] += 1
        if self.call is not None and self.call.call.app.package == package:
            self.exchange.hang_up(self.name)
        self.calls.forget(package)
        self.foreground.stop(package)
        self.prompts.ended(package)

    def kill(self, package: str) -> None:
        """End an app's process, and its call with it; a call that comes starts it again."""
        self.force_stop(package)
        self.packages.stopped.discard(package)

    # How it does it

    def _touch(self, x: float, y: float) -> None:
        self.calls.touched()
        if self.display.on:
            self._touches.down(next((one for one in reversed(self.windows()) if one.contains(x, y)), None))

    def under(self, x: float, y: float) -> list[Shown]:
        """The nodes at a point of the topmost window there, topmost first."""
        for window in reversed(self.windows()):
            if window.contains(x, y):
                return [shown for shown in reversed(window.shown) if shown.contains(x, y)]
        return []

    def _swipe_up(self, x: float, y: float) -> None:
        for shown in self.under(x, y):
            if shown.swipe_up != "none":
                self._act(shown.swipe_up, shown)
                return
        if self.display.shade:
            self.display.shade = False
        elif self.display.locked and self.calls.window() is None:
            self.dismiss_keyguard()

    def _act(self, action: Do, shown: Shown) -> None:
        if self.loses(action):
            return
        if shown.button is not None:
            self.calls.clicked(*shown.button)
        self._actions[action](shown)

    def _launch(self, shown: Shown) -> None:
        if shown.app is not None:
            self.start(shown.app.package)

    def _dismiss(self) -> None:
        if self.calls.after is not None:
            self.calls.after = None
        else:
            self.calls.dialog = None

    def _place(self, shown: Shown) -> None:
        service: Service = "voice" if shown.tap == "place_voice" else "video"
        self.calls.dialog = None
        if shown.app is not None and service in shown.app.services and not self.foreground.refuse_to_place(shown.app):
            self.exchange.place(self.name, shown.app, service, shown.peer)

    def _decline(self, how: Callable[[str], None]) -> None:
        self.display.shade = False
        how(self.name)

    def _home(self) -> None:
        if not self.display.on:
            return
        self.display.shade = self.calls.front = False
        self.calls.after = self.calls.dialog = None
        self.prompts.left()
        self.foreground.home()

    def _back(self) -> None:
        if not self.display.on:
            return
        if self.prompts.left():
            return
        if self.display.shade:
            self.display.shade = False
        elif self.calls.window() is not None:
            self.calls.front, self.calls.after = False, None
        elif self.calls.dialog is not None:
            self.calls.dialog = None
        else:
            self.foreground.back()

    def _headset_hook(self) -> None:
        """A short press reaches a call that Telecom knows: it answers a ringing voice call, and ends any other."""
        view = self.call
        if view is None or view.call.app.telecom is None:
            return
        if view.state != "incoming":
            self.records.asked_through_telecom("REQUEST_DISCONNECT")
            self.exchange.hang_up(self.name)
        elif view.call.service == "voice":
            self.records.asked_through_telecom("REQUEST_ACCEPT")
            self.exchange.answer(self.name)

    def _end_call(self) -> None:
        view = self.call
        if view is not None and view.call.app.telecom is not None:
            self.records.asked_through_telecom("REQUEST_DISCONNECT")
            self.exchange.hang_up(self.name)
        else:
            self.display.sleep()
