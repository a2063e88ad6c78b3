"""What a handset draws: windows of accessibility nodes with what a gesture on each does. Pure functions.

Windows of the system (launcher, keyguard, heads-up notification, shade) are drawn here; those of apps come from their
definitions. A screen is 1080 x 2400 pixels; nodes are in drawing order, later ones on top.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab.definitions.virtual_app import (
    HEIGHT,
    WIDTH,
    Action,
    Elapsed,
    NotificationButton,
    NotificationForm,
    VirtualApp,
    VirtualNode,
    VirtualScreen,
)
from lab.virtual.handset.exchange import CallView

Bounds = tuple[int, int, int, int]
Do = Action | Literal["open_call", "launch", "other_call", "prompt"]

LAUNCHER = "com.google.android.apps.nexuslauncher"
LAUNCHER_ACTIVITY = f"{LAUNCHER}.NexusLauncherActivity"
SYSTEM_UI = "com.android.systemui"
SHADE_ACTIVITY = "NotificationShade"
SCREEN: Bounds = (0, 0, WIDTH, HEIGHT)

_CARD_HEIGHT, _CARD_GAP = 400, 20


@dataclass(frozen=True)
class Node:
    """One node of an accessibility dump; bounds are left, top, right, bottom in pixels."""

    class_name: str
    resource_id: str
    text: str
    description: str
    bounds: Bounds
    clickable: bool
    package: str


@dataclass(frozen=True)
class Shown:
    """A node with what gestures on it do: an action, and the app and screen it is about.

    `button`: the notification whose button it is, and which.
    """

    node: Node
    tap: Do = "none"
    swipe_up: Do = "none"
    app: VirtualApp | None = None
    screen: str = ""
    peer: str = ""
    button: "tuple[Notification, int] | None" = None

    def contains(self, x: float, y: float) -> bool:
        left, top, right, bottom = self.node.bounds
        return left <= x < right and top <= y < bottom


@dataclass(frozen=True)
class Window:
    """One window; a gesture inside its bounds reaches no window under it. One of no activity has a title of its own."""

    package: str
    activity: str
    shown: tuple[Shown, ...]
    bounds: Bounds = SCREEN
    own_title: str = ""

    @property
    def title(self) -> str:
        """What the window manager calls it."""
        if self.own_title:
            return self.own_title
        return self.activity if self.activity == SHADE_ACTIVITY else f"{self.package}/{self.activity}"

    def contains(self, x: float, y: float) -> bool:
        left, top, right, bottom = self.bounds
        return left <= x < right and top <= y < bottom


@dataclass(frozen=True)
class Notification:
    """A notification that is posted. `actions` are its buttons' texts; `call` is the call it is about, if it runs.

    `other_call`: it is about a call that nobody of this bench makes.
    """

    package: str
    id: int
    title: str
    actions: tuple[str, ...]
    text: str
    channel: str
    posted_ns: int
    app: VirtualApp
    buttons: tuple[NotificationButton, ...] = ()
    call: CallView | None = None
    other_call: bool = False


def elapsed_text(elapsed_ns: int, form: Elapsed) -> str:
    """A call's timer: whole seconds as `m:ss` or `mm:ss`."""
    minutes, seconds = divmod(elapsed_ns // 1_000_000_000, 60)
    return f"{minutes:02d}:{seconds:02d}" if form == "mm:ss" else f"{minutes}:{seconds:02d}"


def app_window(
    app: VirtualApp, screen: VirtualScreen, peer: str, now_ns: int, view: CallView | None = None, hidden: bool = False
) -> Window:
    """An app's screen for `peer` (empty: nobody to show). With `hidden`, nodes that hide are left out."""
    since_ns = view.talking_since_ns if view is not None else None
    timer = elapsed_text(now_ns - since_ns, app.elapsed) if since_ns is not None else ""
    shown = tuple(
        _app_node(app, node, peer, timer)
        for node in screen.nodes
        if _applies(node, peer, view) and not (hidden and node.hides)
    )
    return Window(app.package, screen.activity, shown)


def _applies(node: VirtualNode, peer: str, view: CallView | None) -> bool:
    if not peer and ("{peer}" in node.text + node.description or node.tap == "open_chat"):
        return False
    if node.service is not None and view is not None and node.service != view.call.shown_as:
        return False
    return node.phase is None or (view is not None and node.phase == view.phase)


def _app_node(app: VirtualApp, node: VirtualNode, peer: str, timer: str) -> Shown:
    def fill(text: str) -> str:
        return text.replace("{peer}", peer).replace("{elapsed}", timer)

    drawn = Node(
        node.class_name, node.id, fill(node.text), fill(node.description), node.bounds, node.clickable, app.package
    )
    return Shown(drawn, node.tap, node.swipe_up, app, node.screen or "", peer)


def _system(kind: str, id: str, text: str, bounds: Bounds, package: str = SYSTEM_UI, clickable: bool = False) -> Node:
    return Node(f"android.{kind}", id, text, "", bounds, clickable, package)


def launcher(apps: Iterable[VirtualApp]) -> Window:
    """The home screen with one icon for each app; a tap starts it."""
    shown = [Shown(_system("view.View", f"{LAUNCHER}:id/workspace", "", SCREEN, LAUNCHER))]
    for index, app in enumerate(apps):
        row, column = divmod(index, 4)
        left, top = 40 + column * 260, 900 + row * 280
        icon = Node(
            "android.widget.TextView", "", app.label, app.label, (left, top, left + 220, top + 240), True, LAUNCHER
        )
        shown.append(Shown(icon, "launch", app=app))
    return Window(LAUNCHER, LAUNCHER_ACTIVITY, tuple(shown))


def keyguard() -> Window:
    """The lock screen; a swipe up opens it."""
    hint = _system(
        "widget.TextView", f"{SYSTEM_UI}:id/keyguard_indication_text", "Swipe up to unlock", (240, 2240, 840, 2320)
    )
    frame = _system("widget.FrameLayout", f"{SYSTEM_UI}:id/keyguard_root_view", "", SCREEN)
    return Window(SYSTEM_UI, SHADE_ACTIVITY, (Shown(frame), Shown(hint)))


def notification(
    app: VirtualApp,
    form: NotificationForm,
    peer: str,
    service: Literal["voice", "video"],
    now_ns: int,
    call: CallView | None,
) -> Notification:
    """The notification that `form` makes of a call with `peer`."""
    buttons = tuple(button for button in form.buttons if button.service in (None, service))
    return Notification(
        package=app.package,
        id=form.id,
        title=form.title.replace("{peer}", peer),
        actions=tuple(button.text for button in buttons),
        text=form.text.of(service).replace("{peer}", peer),
        channel=form.channel,
        posted_ns=now_ns,
        app=app,
        buttons=buttons,
        call=call,
    )


_DECLINE = NotificationButton(id="android:id/action0", text="Decline", description="Decline", tap="reject")
_ANSWER = NotificationButton(id="android:id/action1", text="Answer", description="Answer", tap="answer")


def other_call(app: VirtualApp, now_ns: int) -> Notification:
    """The notification of a call in `app` from somebody who is not of this bench."""
    form = app.notifications.incoming.model_copy(update={"title": "Unknown caller", "buttons": [_DECLINE, _ANSWER]})
    return replace(notification(app, form, "", "voice", now_ns, None), other_call=True)


def heads_up(posted: Notification) -> Window:
    """A notification over the top of the screen."""
    bounds = (20, 80, WIDTH - 20, 80 + _CARD_HEIGHT)
    return Window(SYSTEM_UI, SHADE_ACTIVITY, tuple(_card(posted, 80)), bounds)


def shade(posted: Sequence[Notification]) -> Window:
    """The open notification shade, newest notification first; as many as fit."""
    shown = [Shown(_system("widget.FrameLayout", f"{SYSTEM_UI}:id/notification_panel", "", SCREEN))]
    for index, one in enumerate(list(reversed(posted))[:4]):
        shown += _card(one, 480 + index * (_CARD_HEIGHT + _CARD_GAP))
    return Window(SYSTEM_UI, SHADE_ACTIVITY, tuple(shown))


def _card(posted: Notification, top: int) -> list[Shown]:
    row_id = f"{SYSTEM_UI}:id/expandableNotificationRow"
    row = _system("widget.FrameLayout", row_id, "", (20, top, WIDTH - 20, top + _CARD_HEIGHT), clickable=True)
    app_name = _system("widget.TextView", "android:id/app_name_text", posted.app.label, (160, top + 20, 900, top + 70))
    title = _system("widget.TextView", "android:id/title", posted.title, (160, top + 80, 900, top + 140))
    text = _system("widget.TextView", "android:id/text", posted.text, (160, top + 150, 900, top + 210))
    body: Do = "open_call" if posted.call is not None else "none"
    shown = [Shown(row, body, app=posted.app), Shown(app_name), Shown(title), Shown(text)]
    for index, button in enumerate(posted.buttons):
        left = 60 + index * 320
        bounds = (left, top + 250, left + 300, top + 370)
        node = Node("android.widget.Button", button.id, button.text, button.description, bounds, True, SYSTEM_UI)
        action: Do = "other_call" if posted.other_call else button.tap
        shown.append(Shown(node, action, app=posted.app, button=(posted, index)))
    return shown
