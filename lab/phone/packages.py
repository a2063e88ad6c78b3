"""An app on a phone: its version, and whether the phone's first user can use it; by `dumpsys package`.

An app may be on the phone and not there for its first user: uninstalled for that user alone, disabled, hidden by a
work policy, suspended. Its version stands in the dump all the same (AOSP, Settings.dumpPackageLPr).
"""

import re
import shlex
from dataclasses import dataclass

_VERSION = re.compile(r"versionName=([0-9A-Za-z._-]{1,60})")
_USER = re.compile(r"User (\d{1,5}):(.{0,2000})")
_STATE = re.compile(r"\b(installed|hidden|suspended|quarantined|enabled)=(\w{1,10})")
_WANTED = (
    *("^Packages:", "^Hidden system", "^  Package ", "versionName=", "User 0:"),
    *("^Unable to", "^Can.t", "^Error", "Permission Denial", "DUMP TIMEOUT"),
)
"""Regular expressions of the lines of a dump that are read, or say that there is none."""

_ENABLED = {"0": "", "1": "", "2": "disabled", "3": "disabled by its user", "4": "disabled until it is used"}
"""What the numbers of `enabled=` mean (PackageManager.COMPONENT_ENABLED_STATE_...), where they keep an app from use."""

_FLAGS = {"installed": ("true", "not installed"), "hidden": ("false", "hidden"), "suspended": ("false", "suspended")}
"""The value that each must have, and what an app is that has the other."""


@dataclass(frozen=True)
class Package:
    """An app's version and what keeps the first user from using it: nothing where `hindered` is empty."""

    version: str
    hindered: str


def question(package: str) -> str:
    """The shell line whose answer `parse` reads: of the dump, its headings, and what it says of versions and users."""
    return f"dumpsys package {shlex.quote(package)} 2>&1 | grep -E {shlex.quote('|'.join(_WANTED))}"


def parse(text: str, package: str) -> Package | None:
    """What a dump says of exactly that package; None where it is not on the phone.

    The version that came with the system and was replaced is another (`Hidden system packages:`). A text that has no
    headings at all is taken for the package's own lines.

    Raises:
        ValueError: it cannot be read; the text says why.
    """
    lines, headed = _section(text, package)
    versions = [found[1] for line in lines if (found := _VERSION.search(line))]
    states = [found[2] for line in lines if (found := _USER.fullmatch(line.strip())) and found[1] == "0"]
    if not versions:
        _require_absent(text, headed)
        return None
    if not states and headed:
        raise ValueError("cannot be read: dumpsys package names no User 0")
    return Package(versions[0], "" if not states else _hindered(states[0]))


def _section(text: str, package: str) -> tuple[list[str], bool]:
    """The lines below the package's heading, without those of what the system hides; all where there is no heading."""
    lines = text.replace("\r", "").split("\nHidden system packages:")[0].splitlines()
    starts = [index for index, line in enumerate(lines) if line.lstrip().startswith("Package [")]
    ours = next((at for at in starts if lines[at].lstrip().startswith(f"Package [{package}] ")), None)
    if ours is None:
        return ([] if starts else lines), bool(starts)
    return lines[ours : next((at for at in starts if at > ours), None)], True


def _require_absent(text: str, headed: bool) -> None:
    """Raise `ValueError` unless a text without a version says, or is silent in a way that says, that there is none."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    if said and not headed and not any(line.startswith("Unable to find package") for line in said):
        raise ValueError(f"cannot be read: dumpsys package says {said[0][:80]!r}")


def _hindered(state: str) -> str:
    found = dict(_STATE.findall(state))
    unknown = [name for name in (*_FLAGS, "enabled") if name not in found and name != "suspended"]
    odd = [f"{name}={found[name]}" for name in found if found[name] not in (_ENABLED if name == "enabled" else _BOOL)]
    if unknown or odd:
        raise ValueError(f"cannot be read: of User 0 dumpsys package says {' '.join(odd) or f'no {unknown[0]}='}")
    wrong = [word for name, (right, word) in _FLAGS.items() if found.get(name, right) != right]
    wrong += ["quarantined"] if found.get("quarantined") == "true" else []
    return ", ".join([*wrong, *filter(None, [_ENABLED[found["enabled"]]])])


_BOOL = ("true", "false")
