"""Which app a phone shows under its calls: launching, intents, opening chats, stopping apps."""

from collections.abc import Callable

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.callside import CallSide, Display, Place
from lab.virtual.handset.packages import Packages
from lab.virtual.handset.windows import Shown, Window, app_window, keyguard, launcher
from lab.virtual.world import Timer, World

Peers = Callable[[VirtualApp], dict[str, str]]


class Foreground:
    """The app in front. `peers` gives the accounts that an app can reach: what they are called, by address; `opened` is
    called where the screen of an app is there that was asked for."""

    def __init__(self, packages: Packages, world: World, display: Display, calls: CallSide, peers: Peers) -> None:
        self._packages, self._apps = packages, packages.installed
        self._world, self._display, self._calls, self._peers = world, display, calls, peers
        self.opened: Callable[[], None] = lambda: None
        self.begin()

    def begin(self) -> None:
        """The launcher; `over` is a dialog that some other app put over it."""
        self.place: Place | None = None
        self.over: Window | None = None
        self._opening: Timer | None = None
        self._next: Place | None = None
        self._told = False

    def window(self) -> Window:
        """What is shown where no call screen is."""
        if self._display.locked:
            return keyguard()
        if self.over is not None:
            return self.over
        if self.place is None:
            return launcher(self._apps.values())
        app = self.place.app
        refusal = self._packages.refusal(app, in_chat=self.place.screen == app.chat, placed=self._told)
        if refusal is not None:
            return app_window(app, refusal, self.place.peer, 0)
        return app_window(app, app.screen(self.place.screen), self.place.peer, 0)

    def start(self, package: str) -> bool:
        """Start an app as from its icon: its first screen, or its call if it is in one. False: not installed."""
        app = next((app for app in self._apps.values() if app.package == package), None)
        if app is None:
            return False
        self._open(self._first(app))
        return True

    def intent(
        self, action: str, data: str | None, mime_type: str | None, package: str | None, component: str | None
    ) -> bool:
        """Start what answers an intent; False where nothing does. An unknown contact opens the app's first screen."""
        wanted = component.split("/", 1)[0] if component else package
        for app in self._apps.values():
            if wanted not in (None, app.package):
                continue
            for known in app.intents:
                if known.action != action or data is None or known.mime_type != mime_type:
                    continue
                contact = _contact(known.data, data)
                if contact is not None:
                    peer = self._peers(app).get(contact)
                    self._open(Place(app, known.opens, peer) if peer is not None else self._first(app))
                    return True
        return self.start(wanted) if component and wanted and data is None else False

    def stop(self, package: str) -> None:
        """Stop an app: nothing of it is shown and it cannot be reached until it is started again."""
        self._packages.started.discard(package)
        if any(app.package == package for app in self._apps.values()):
            self._packages.stopped.add(package)
        if self.place is not None and self.place.app.package == package:
            self._put(None)
        self._cancel()

    def home(self) -> None:
        """To the launcher."""
        self.over = None
        self._put(None)

    def back(self) -> None:
        """From a dialog to what is under it, from a chat to the app's first screen, from there to the launcher."""
        if self.over is not None:
            self.over = None
        elif self.place is not None and not self._display.locked:
            first = self._first(self.place.app)
            self._put(first if self.place.screen != first.screen else None)

    def show_first(self, shown: Shown) -> None:
        if shown.app is not None:
            self._put(self._first(shown.app))

    def open_chat(self, shown: Shown) -> None:
        if shown.app is not None:
            self._open(Place(shown.app, shown.app.chat, shown.peer))

    def show(self, shown: Shown) -> None:
        if shown.app is None:
            return
        place = Place(shown.app, shown.screen, shown.peer)
        if shown.app.screen(shown.screen).dialog:
            self._calls.dialog = place
        else:
            self._put(place)

    def refuse_to_place(self, app: VirtualApp) -> bool:
        """Whether an app that is to place a call says that it does not; it is shown then."""
        self._told = self._packages.refusal(app, in_chat=True, placed=True) is not None
        return self._told

    def _put(self, place: Place | None) -> None:
        self.place, self._told = place, False
        chat = place is not None and place.screen == place.app.chat and "video" in place.app.services
        self._calls.records.shows(place.app.package if place is not None and chat else None)

    def _first(self, app: VirtualApp) -> Place:
        return Place(app, app.launch, next(iter(self._peers(app).values()), ""))

    def _open(self, place: Place) -> None:
        self._packages.started.add(place.app.package)
        self._packages.stopped.discard(place.app.package)
        if self._next == place:
            return
        self._cancel()
        self._next = place
        delay_ns = self._calls.draw_ns("open", place.app.timers.open_s)
        self._opening = self._world.after(delay_ns, lambda: self._opened(place))

    def _cancel(self) -> None:
        self._next = None
        if self._opening is not None:
            self._opening.cancel()

    def _opened(self, place: Place) -> None:
        view = self._calls.view
        self._next = None
        self.over = None
        self._put(place)
        self._display.shade = False
        self._calls.dialog = self._calls.after = None
        self._calls.front = False
        if view is not None and view.call.app is place.app and place.screen == place.app.launch:
            self._calls.bring_to_front()
        self.opened()


def _contact(template: str, data: str) -> str | None:
    """What stands for {contact} in `data`; None where it does not fit the template."""
    before, after = template.split("{contact}")
    if len(data) <= len(before) + len(after) or not (data.startswith(before) and data.endswith(after)):
        return None
    return data[len(before) : len(data) - len(after)]
