"""What lies over an app that is not in its file: a question of the system, of another app, or of the app itself.

It is named by package, class, ids and the labels of its buttons. Its other texts may hold names and messages: they stay
in the hierarchy that is kept under `attempts/`. Formats: `mCurrentFocus` of AOSP's WindowManager, and the hierarchy as
uiautomator2's agent dumps it, one node at depth 1 for each window.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.definitions import App
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.screen import Screen

SYSTEM_UI = "com.android.systemui"
MOST_IDS, MOST_BUTTONS, LABEL = 12, 6, 40

_FOCUS = re.compile(r"mCurrentFocus=Window\{[0-9a-f]{1,16} u\d{1,4} ([A-Za-z0-9_.]{1,200})/([A-Za-z0-9_.$]{1,200})\}")
_NO_RESPONSE = re.compile(
    r"mCurrentFocus=Window\{[0-9a-f]{1,16} u\d{1,4} (Application Not Responding): [A-Za-z0-9_.:]{1,200}\}"
)
"""AOSP's AppNotRespondingDialog, which is of the package `android` and has no class in its title."""
_NODE = re.compile(r'<node((?:\s{1,9}[a-z-]{1,40}="[^"<]{0,20000}")*)\s{0,9}(/?)>|</node>')
_ATTRIBUTE = re.compile(r'([a-z-]{1,40})="([^"<]{0,20000})"')
_BOUNDS = re.compile(r"\[(-?\d{1,6}),(-?\d{1,6})\]\[(-?\d{1,6}),(-?\d{1,6})\]")
_ID = re.compile(r"[A-Za-z0-9_.]{1,120}:id/[A-Za-z0-9_ ()]{1,80}")
# No name of a home screen is known for all makers; theirs say so (nexuslauncher, app.launcher, miui.home, trebuchet).
_HOME = re.compile(r"launcher|trebuchet|\.home\b")
_DIALOG_IDS = re.compile(r"^android:id/(?:parentPanel|alertTitle|button[123]|aerr_\w+)$|dialog|popup|bottom_sheet$")
_PRIVATE = re.compile(r"\d[\d ()/.-]{2,}\d|@")
_LABELLED = ("Button", "ImageView", "TextView")


@dataclass(frozen=True)
class Node:
    """One node: its class, id, label, and whether it takes taps."""

    class_name: str
    id: str
    label: str
    clickable: bool


@dataclass
class Window:
    """One window of a hierarchy: whose it is, its root's class and area, and all its nodes."""

    package: str
    class_name: str
    area: int
    nodes: list[Node] = field(default_factory=list)


def over(app: App, name: str, adb: Adb, screen: Screen) -> str | None:
    """What lies over an app on a phone, as the text of a void; None where nothing does, or where it cannot be read."""
    try:
        focus = adb.run("dumpsys window | grep -F mCurrentFocus").text
        found = described(app.package, focus, screen.hierarchy().decode("utf-8", "replace"))
    except PhoneTrouble:
        return None
    if found is None:
        return None
    fix = f"close it by hand, or add what closes it to `dismiss` in apps/{app.name}.yaml"
    return f"{app.name}: over it on {name} is {found}; {fix}"


def described(package: str, focus: str, hierarchy: str) -> str | None:
    """Package, class, ids and buttons of what lies over an app, by `mCurrentFocus` and a hierarchy; None for nothing.

    Of another app that is what has the focus and is no home screen; of the app itself a window that calls itself a
    dialog, has the ids of one, or is smaller than another of it.
    """
    component, no_response = _FOCUS.search(focus), _NO_RESPONSE.search(focus)
    if no_response is not None:
        owner, class_name = "android", no_response[1]
    elif component is None or component[1] == SYSTEM_UI:
        return None
    else:
        owner, class_name = component.groups()
    windows = sorted((one for one in _windows(hierarchy) if one.package == owner), key=lambda one: one.area)
    if owner == package:
        smaller = len(windows) > 1 and windows[0].area < windows[-1].area
        named = "dialog" in class_name.lower()
        if not (named or smaller or (windows and any(_DIALOG_IDS.search(node.id) for node in windows[0].nodes))):
            return None
    elif _HOME.search(owner):
        return None
    nodes = windows[0].nodes if windows else []
    ids = list(dict.fromkeys(node.id for node in nodes if _ID.fullmatch(node.id)))
    return f"{owner} class {class_name}, ids {_listed(ids, MOST_IDS)}, buttons {_listed(_labels(nodes), MOST_BUTTONS)}"


def _labels(nodes: Sequence[Node]) -> list[str]:
    """The labels of buttons; what is long, or looks like a number or an address, is none."""
    buttons = (node.label for node in nodes if node.clickable and node.class_name.endswith(_LABELLED))
    labels = dict.fromkeys(label for label in buttons if 0 < len(label) <= LABEL and not _PRIVATE.search(label))
    return [f"'{label}'" for label in labels]


def _listed(words: Sequence[str], most: int) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return f"[{', '.join(words[:most])}]{more}"


def _windows(hierarchy: str) -> Iterator[Window]:
    """The windows of a hierarchy with their nodes; a text that is none has no windows."""
    depth, windows = 0, list[Window]()
    for tag in _NODE.finditer(hierarchy):
        if tag[0] == "</node>":
            depth = max(0, depth - 1)
            continue
        values = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(tag[1])}
        class_name = values.get("class", "")
        if depth == 0:
            windows.append(Window(values.get("package", ""), class_name, _area(values.get("bounds", ""))))
        label = " ".join((values.get("text", "") or values.get("content-desc", "")).split())
        clickable = values.get("clickable") == "true"
        windows[-1].nodes.append(Node(class_name, values.get("resource-id", ""), label, clickable))
        depth += not tag[2]
    yield from windows


def _area(bounds: str) -> int:
    found = _BOUNDS.fullmatch(bounds)
    if found is None:
        return 0
    left, top, right, bottom = map(int, found.groups())
    return max(0, right - left) * max(0, bottom - top)
