"""What a client of the agent sees of a handset's nodes: selectors, records, the hierarchy and a picture."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from operator import contains, eq
from typing import TYPE_CHECKING, Any

from lab.definitions.virtual_app import HEIGHT, WIDTH
from lab.virtual.handset.windows import Node

if TYPE_CHECKING:
    from PIL.Image import Image


def _matches(have: str, wanted: str) -> bool:
    # Java's Matcher.matches: the whole text.
    return re.fullmatch(wanted, have, re.DOTALL) is not None


TEXT_FIELDS: dict[str, tuple[str, Callable[[str, str], bool]]] = {
    "text": ("text", eq),
    "textContains": ("text", contains),
    "textMatches": ("text", _matches),
    "textStartsWith": ("text", str.startswith),
    "className": ("class_name", eq),
    "classNameMatches": ("class_name", _matches),
    "description": ("description", eq),
    "descriptionContains": ("description", contains),
    "descriptionMatches": ("description", _matches),
    "descriptionStartsWith": ("description", str.startswith),
    "packageName": ("package", eq),
    "packageNameMatches": ("package", _matches),
    "resourceId": ("resource_id", eq),
    "resourceIdMatches": ("resource_id", _matches),
}
IGNORED = ("mask", "childOrSibling", "childOrSiblingSelector", "instance")


class UnknownSelector(ValueError):
    """A selector field that the agent here does not know."""


def find(nodes: list[Node], selector: Mapping[str, Any]) -> list[Node]:
    """The nodes that a uiautomator2 selector finds, in order. Raises UnknownSelector (child and sibling included)."""
    if selector.get("childOrSibling"):
        raise UnknownSelector("child and sibling selectors are not built")
    found = [node for node in nodes if all(_fits(node, name, wanted) for name, wanted in selector.items())]
    instance = selector.get("instance")
    return found if instance is None else found[instance : instance + 1]


def _fits(node: Node, name: str, wanted: Any) -> bool:
    if name in IGNORED:
        return True
    if name in TEXT_FIELDS:
        attribute, fits = TEXT_FIELDS[name]
        try:
            return fits(getattr(node, attribute), str(wanted))
        except re.error as error:
            raise UnknownSelector(f"{name}: {error}") from error
    if name == "clickable":
        return bool(wanted) is node.clickable
    raise UnknownSelector(f"selector field {name} is not built")


def record(node: Node) -> dict[str, object]:
    """A node as the agent's objInfo gives it."""
    left, top, right, bottom = node.bounds
    bounds = {"left": left, "top": top, "right": right, "bottom": bottom}
    return {
        "bounds": bounds,
        "visibleBounds": bounds,
        "text": node.text,
        "contentDescription": node.description,
        "resourceName": node.resource_id,
        "className": node.class_name,
        "packageName": node.package,
        "childCount": 0,
        "clickable": node.clickable,
        "focusable": node.clickable,
        "enabled": True,
        **dict.fromkeys(("checkable", "checked", "focused", "longClickable", "scrollable", "selected"), False),
    }


def hierarchy(nodes: list[Node]) -> str:
    """All windows as XML, one window for each package, as dumpWindowHierarchy writes them."""
    if not nodes:
        return "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\r\n<hierarchy rotation=\"0\" />"
    windows: dict[str, list[Node]] = {}
    for node in nodes:
        windows.setdefault(node.package, []).append(node)
    lines = ["<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>", '<hierarchy rotation="0">']
    for index, (package, inside) in enumerate(windows.items()):
        frame = Node("android.widget.FrameLayout", "", "", "", (0, 0, WIDTH, HEIGHT), False, package)
        lines.append(f"  <node {attributes(frame, index)}>")
        lines += [f"    <node {attributes(node, place)} />" for place, node in enumerate(inside)]
        lines.append("  </node>")
    return "\r\n".join([*lines, "</hierarchy>"]) + "\r\n"


def attributes(node: Node, index: int) -> str:
    left, top, right, bottom = node.bounds
    clickable = "true" if node.clickable else "false"
    values = {
        "index": str(index),
        "text": node.text,
        "resource-id": node.resource_id,
        "class": node.class_name,
        "package": node.package,
        "content-desc": node.description,
        "checkable": "false",
        "checked": "false",
        "clickable": clickable,
        "enabled": "true",
        "focusable": clickable,
        "focused": "false",
        "scrollable": "false",
        "long-clickable": "false",
        "password": "false",
        "selected": "false",
        "visible-to-user": "true",
        "bounds": f"[{left},{top}][{right},{bottom}]",
    }
    return " ".join(f'{name}="{html.escape(value).replace(chr(10), "&#10;")}"' for name, value in values.items())


def picture(nodes: list[Node], scale: float) -> Image:
    """The screen as a picture: a box and a text for each node."""
    from PIL import Image, ImageDraw  # costs 50 ms; only screenshots need it

    image = Image.new("RGB", (round(WIDTH * scale), round(HEIGHT * scale)), "white")
    draw = ImageDraw.Draw(image)
    for node in nodes:
        left, top, right, bottom = (round(value * scale) for value in node.bounds)
        draw.rectangle((left, top, right, bottom), outline="black", fill="lightgray" if node.clickable else None)
        label = (node.text or node.description).encode("latin-1", "replace").decode("latin-1")
        draw.text((left + 4, top + 4), label, fill="black")
    return image
