"""One phone's side of a call: which call screen is shown, the notifications, the audio mode, the app's timers."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lab.definitions.scenario import Uniform
from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.disorders import Disorders
from lab.virtual.handset.exchange import Call, CallView, draw_ns
from lab.virtual.handset.history import History
from lab.virtual.handset.packages import Packages
from lab.virtual.handset.postings import BY_APP, PACKAGE_CHANGED, described, event_fields, key_of
from lab.virtual.handset.records import Records
from lab.virtual.handset.windows import Notification, Window, app_window, notification
from lab.virtual.world import Timer, World

_SECOND_NS = 1_000_000_000


@dataclass
class Display:
    """The state of a screen: lit, locked, with the notification shade over it."""

    on: bool = True
    locked: bool = False
    shade: bool = False

    def wake(self) -> None:
        self.on = True

    def sleep(self) -> None:
        """Off, and locked once it is lit again."""
        self.on, self.locked, self.shade = False, True, False

    def power(self) -> None:
        """The key of that name."""
        (self.sleep if self.on else self.wake)()


@dataclass(frozen=True)
class Place:
    """A screen of an app, shown for the account that is called `peer`."""

    app: VirtualApp
    screen: str
    peer: str


@dataclass(frozen=True)
class Notes:
    """Where a phone's services note what its calls do; `sdk` decides how they word it."""

    history: History
    records: Records
    disorders: Disorders
    sdk: int


class CallSide:
    """What one phone knows, shows and plays of its calls; the subscriber of the exchange.

    By app name, `contacts` are its own addresses and `titles` what the other phone calls it (the address, where it has
    none). `front`: the call screen is the one that is shown.
    """

    def __init__(
        self,
        name: str,
        contacts: Mapping[str, str],
        world: World,
        display: Display,
        packages: Packages,
        notes: Notes,
        titles: Mapping[str, str],
    ) -> None:
        self.name, self.contacts, self.world = name, contacts, world
        self.titles: Mapping[str, str] = {**contacts, **titles}
        self.display, self._packages = display, packages
        self._notes, self.records = notes, notes.records
        self.begin()

    def begin(self) -> None:
        """No call, no notification, nothing heard of."""
        self.view: CallView | None = None
        self.front = False
        self.heads_up = False
        self.controls_hidden = False
        self.after: Place | None = None
        self.dialog: Place | None = None
        self.notifications: list[Notification] = []
        self._counts: Counter[str] = Counter()
        self._hide: Timer | None = None

    def draw_ns(self, name: str, span: Uniform) -> int:
        """A time of this phone for its next event of that name."""
        self._counts[name] += 1
        return draw_ns(self.world, f"handset/{self.name}/{name}/{self._counts[name]}", span)

    def window(self) -> Window | None:
        """The call screen, or what stays of it after the end; None where neither is shown."""
        view = self.view
        if view is not None and self.front:
            app = view.call.app
            screen = {"outgoing": app.outgoing, "incoming": app.incoming, "connected": app.connected}[view.state]
            if screen is not None:
                now_ns = self.world.now_ns
                return app_window(app, app.screen(screen), view.peer, now_ns, view, self.controls_hidden)
        if self.after is not None:
            return app_window(self.after.app, self.after.app.screen(self.after.screen), self.after.peer, 0)
        return None

    def posted(self) -> Notification | None:
        """The notification of the call that goes on."""
        return next((one for one in reversed(self.notifications) if one.call is not None), None)

    def bring_to_front(self) -> None:
        """Show the call screen; an app without a screen for incoming calls has none until it is answered."""
        self.display.shade = False
        if self.view is not None and (self.view.state != "incoming" or self.view.call.app.incoming is not None):
            self.front, self.heads_up = True, False

    def touched(self) -> None:
        """The screen was touched: controls that are shown stay a while longer."""
        if not self.controls_hidden:
            self._hide_later()

    def show_controls(self) -> None:
        self.controls_hidden = False
        self._hide_later()

    def reachable(self, app: VirtualApp) -> bool:
        """Whether a call in `app` can ring here: installed, logged in, and not force-stopped."""
        return self._packages.reachable(app)

    def placed(self, call: Call, peer: str) -> None:
        view = CallView(call, "caller", peer)
        self._take(view)
        self.front = True
        self.records.placed(view)
        self._post("ongoing")

    def offered(self, call: Call, peer: str) -> None:
        """An incoming call: over what is shown, or full screen, as app and screen have it; a dark screen wakes."""
        self._packages.started.add(call.app.package)
        awake = self.display.on and not self.display.locked
        view = CallView(call, "callee", peer)
        self._take(view)
        form = call.app.incoming_as
        full_screen = form == "full_screen" and "heads_up" not in self._notes.disorders
        self.front = full_screen or (form != "heads_up" and not awake)
        self.heads_up = not self.front
        self.display.on = True
        if self.front:
            self.display.shade = False
        self.records.offered(view)
        self._post("incoming")
        if self.heads_up and call.app.timers.heads_up_s is not None:
            self.world.after(self.draw_ns("heads_up", call.app.timers.heads_up_s), lambda: self._collapse(call))

    def callee_rings(self, call: Call) -> None:
        if self.view is not None and self.view.call is call:
            self.view.ringing = True
            self.records.other_rings()

    def accepted(self, call: Call) -> None:
        """The answer was given here."""
        if self.view is None or self.view.call is not call:
            return
        self.view.accepted = True
        self.front, self.heads_up, self.display.shade = True, False, False
        self.records.talks()
        self._post("ongoing")

    def connected(self, call: Call) -> None:
        """The other side is there; the timer runs once the app has connected."""
        view = self.view
        if view is None or view.call is not call:
            return
        view.accepted = True
        self.records.talks()
        if call.app.timers.connect_s is None:
            self._talk(view)
        else:
            self.world.after(self.draw_ns("connect", call.app.timers.connect_s), lambda: self._talk(view))

    def switched(self, call: Call) -> None:
        """A voice call has become a video call."""
        if self.view is not None and self.view.call is call:
            self.records.turns_to_video()
            self._post("ongoing")
            self._hide_later()

    def over(self, call: Call) -> None:
        """The call is over, as far as this phone knows: its last screens, its missed call, its silence."""
        view = self.view
        if view is None or view.call is not call:
            return
        was_shown = self.front
        self.records.over(view, call.ended_by)
        self.drop()
        if view.role == "callee" and not view.accepted and call.ended_by != "callee":
            self._post_missed(view)
        if view.state == "outgoing" and call.ended_by == "system" and call.app.unanswered is not None:
            self.after = Place(call.app, call.app.unanswered, view.peer)
        elif was_shown and call.app.ended is not None and call.app.timers.ended_s is not None:
            place = self.after = Place(call.app, call.app.ended, view.peer)
            self.world.after(self.draw_ns("ended", call.app.timers.ended_s), lambda: self._leave(place, view))
        else:
            self._ask_for_rating(view)

    def drop(self) -> None:
        """Nothing of the call is shown any more."""
        self.view = None
        self.front = self.heads_up = self.controls_hidden = False
        self.cancel([one for one in self.notifications if one.call is not None], BY_APP)
        if self._hide is not None:
            self._hide.cancel()

    def forget(self, package: str) -> None:
        """The app was stopped: nothing of it is shown."""
        if self.view is not None and self.view.call.app.package == package:
            self.drop()
        if self.after is not None and self.after.app.package == package:
            self.after = None
        if self.dialog is not None and self.dialog.app.package == package:
            self.dialog = None
        self.cancel([one for one in self.notifications if one.package == package], PACKAGE_CHANGED)

    def post(self, one: Notification) -> None:
        """A notification is posted, or takes the place of the one of its package and id."""
        self.notifications = [each for each in self.notifications if (each.package, each.id) != (one.package, one.id)]
        self.notifications.append(one)
        uid, pid = self._packages.uid(one.package), self._packages.pid(one.package)
        text = described(one, self._notes.sdk)
        self._notes.history.log_event("notification_enqueue", *event_fields(one, uid, pid, text))

    def cancel(self, some: Iterable[Notification], reason: int) -> None:
        """These are posted no longer, for a reason as NotificationListenerService numbers them."""
        for one in some:
            self.notifications.remove(one)
            key, age_ms = self._key_and_age(one)
            fields = (str(reason), age_ms, age_ms, "0", "-1", "-1", "NULL")
            self._notes.history.log_event("notification_canceled", key, *fields)

    def clicked(self, one: Notification, button: int) -> None:
        """A button of a posted notification was tapped."""
        key, age_ms = self._key_and_age(one)
        self._notes.history.log_event("notification_action_clicked", key, str(button), age_ms, age_ms, age_ms, "0", "1")

    def _key_and_age(self, one: Notification) -> tuple[str, str]:
        age_ms = (self.world.now_ns - one.posted_ns) // 1_000_000
        return key_of(one, self._packages.uid(one.package)), str(age_ms)

    def _take(self, view: CallView) -> None:
        self.view = view
        self.after = None
        self.controls_hidden = False

    def _talk(self, view: CallView) -> None:
        if self.view is view:
            view.talking_since_ns = self.world.now_ns
            self._tick(view)
            self._hide_later()

    def _tick(self, view: CallView) -> None:
        # The timer on the screen changes each second, and a selector wait looks at the screen only after an event.
        if self.view is view:
            self.world.after(_SECOND_NS, lambda: self._tick(view))

    def _hide_later(self) -> None:
        view = self.view
        if view is None or view.phase != "talking" or view.call.shown_as != "video":
            return
        span = view.call.app.timers.controls_hide_s
        if span is None:
            return
        if self._hide is not None:
            self._hide.cancel()
        self._hide = self.world.after(self.draw_ns("controls_hide", span), lambda: self._hide_now(view))

    def _hide_now(self, view: CallView) -> None:
        if self.view is view:
            self.controls_hidden = True

    def _collapse(self, call: Call) -> None:
        if self.view is not None and self.view.call is call:
            self.heads_up = False

    def _leave(self, place: Place, view: CallView) -> None:
        if self.after is place:
            self.after = None
            self._ask_for_rating(view)

    def _ask_for_rating(self, view: CallView) -> None:
        app = view.call.app
        if app.rating is None or view.call.answered_ns is None:
            return
        self._counts["rating"] += 1
        draw = self.world.chance(f"handset/{self.name}/rating/{self._counts['rating']}").randrange(100)
        if draw < app.rating.percent:
            self.dialog = Place(app, app.rating.screen, view.peer)

    def _post(self, kind: Literal["incoming", "ongoing"]) -> None:
        view = self.view
        if view is None:
            return
        app = view.call.app
        form = app.notifications.incoming if kind == "incoming" else app.notifications.ongoing
        last = [one for one in self.notifications if one.call is not None and one.id != form.id]
        self.cancel(last, BY_APP)
        self.post(notification(app, form, view.peer, view.call.shown_as, self.world.now_ns, view))

    def _post_missed(self, view: CallView) -> None:
        app = view.call.app
        form = app.notifications.missed
        self.post(notification(app, form, view.peer, view.call.shown_as, self.world.now_ns, None))
