"""The types of what dataset.json says, checked once for all that read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = {"tools": list, "services": list, "analysis": dict}
KINDS |= dict.fromkeys(("package", "version", "model", "os", "network"), str)
CALLED = {list: "list of texts", dict: "object", str: "text"}


def mistake(info: Mapping[str, Any]) -> str:
    """What is not of its type in apps, devices and laptop; empty where nothing is. What is missing or null fits."""
    apps, devices, laptop = info.get("apps", {}), info.get("devices", []), info.get("laptop") or {}
    if not isinstance(apps, dict) or not all(isinstance(app, dict) for app in apps.values()):
        return "apps is no object of objects"
    if not isinstance(devices, list) or not all(isinstance(one, dict) and _is(one.get("name"), str) for one in devices):
        return "devices is no list of objects with names"
    if not isinstance(laptop, dict):
        return "laptop is no object"
    for where, entry in [*apps.items(), *((device["name"], device) for device in devices), ("laptop", laptop)]:
        for key, kind in KINDS.items():
            if entry.get(key) is not None and not _is(entry[key], kind):
                return f"{key} of {where} is no {CALLED[kind]}"
    return ""


def _is(value: object, kind: type) -> bool:
    inside = value if isinstance(value, list) else ()
    return isinstance(value, kind) and all(isinstance(each, str) for each in inside)
