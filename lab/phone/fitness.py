"""Is a phone fit for a call: its battery, heat, room and airplane mode, by one question.

Each is fit, unfit, or unknown, for a reason. What cannot be read is unknown and never unfit: nobody is kept from
calling because a maker's dump looks another way. Formats: AOSP's BatteryService and ThermalManagerService, toybox' df,
and `settings`; tests/real_outputs has what phones printed.
"""

import re
from dataclasses import dataclass
from typing import Literal

from lab.errors import NeedsPerson, PhoneTrouble
from lab.phone.adb import Adb
from lab.programs.room import free_kib

LEAST_PERCENT, ENOUGH_PERCENT = 20, 25
"""A battery below the first is too low to begin a trial; one that was is enough from the second on."""
SEVERE = 3
"""PowerManager.THERMAL_STATUS_SEVERE: the phone slows down, and what it sends with it."""
ROOM_KIB = 64 << 10
"""What a machine needs for the captures of a trial: two of 32 MiB."""

STATUSES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""PowerManager.THERMAL_STATUS_*, by number (Android 10 and later)."""

What = Literal["battery", "heat", "disk", "airplane mode"]

_LEVEL = re.compile(r"^\s*level: (\d{1,7})\s*$", re.MULTILINE)
_SCALE = re.compile(r"^\s*scale: (\d{1,7})\s*$", re.MULTILINE)
_ABSENT = re.compile(r"^\s*present: false\s*$", re.MULTILINE)
_STATUS = re.compile(r"^\s*Thermal Status: (\d)\s*$", re.MULTILINE)
_SKIN = re.compile(r"Temperature\{mValue=[^,}]{1,20}, mType=3, mName=[^,}]{1,60}, mStatus=([0-6])\}")
_CURRENT = "Current temperatures from HAL:"
_NO_HAL = re.compile(r"^\s*HAL Ready: false\s*$", re.MULTILINE)
_HEAD = "== im-call-lab "


@dataclass(frozen=True)
class Finding:
    """What one answer says: `text` is what was found, in words; `fix` what a person does about it."""

    what: What
    verdict: Literal["fit", "unfit", "unknown"]
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Fitness:
    """What a phone printed to each question; the verdicts hang on what is asked of it."""

    said: dict[What, str]

    def battery(self, least: int = LEAST_PERCENT) -> Finding:
        """Whether it is charged to so many percent."""
        return battery(self.said["battery"], least)

    def heat(self) -> Finding:
        """Whether it is no hotter than it can be without being slowed down much."""
        return heat(self.said["heat"])

    def disk(self, least_kib: int = ROOM_KIB) -> Finding:
        """Whether so much can be written where captures are."""
        return disk(self.said["disk"], least_kib)

    def airplane_mode(self) -> Finding:
        """Whether it is off."""
        return airplane_mode(self.said["airplane mode"])


def questions(directory: str) -> dict[What, str]:
    """The commands, by what they ask; captures are written into `directory`, which need not be there yet."""
    return {
        "battery": "dumpsys battery",
        "heat": "dumpsys thermalservice",
        "disk": f"df -k {directory.rpartition('/')[0]}",
        "airplane mode": "settings get global airplane_mode_on",
    }


def ask(adb: Adb, directory: str) -> Fitness:
    """Ask all of a phone in one line of its shell. Raises `PhoneTrouble` where the shell does not answer."""
    asked = questions(directory)
    line = "; ".join(f"echo '{_HEAD}{what}'; {command} 2>&1" for what, command in asked.items())
    parts = dict(part.partition("\n")[::2] for part in adb.run(line).text.replace("\r", "").split(_HEAD)[1:])
    if missing := [what for what in asked if what not in parts]:
        raise PhoneTrouble(f"{adb.name}: its shell does not say {missing[0]}")
    return Fitness({what: parts[what] for what in asked})


def battery(text: str, least: int) -> Finding:
    """By `dumpsys battery`. A phone that runs without one has none that could be low."""
    level, scale = _LEVEL.search(text), _SCALE.search(text)
    of = int(scale[1]) if scale else 100
    if level is None or of == 0 or int(level[1]) > of:
        return _unknown("battery", "no level in dumpsys battery", text)
    if _ABSENT.search(text):
        return Finding("battery", "unknown", "dumpsys battery says that it has none")
    percent = int(level[1]) * 100 // of
    return Finding("battery", "fit" if percent >= least else "unfit", f"{percent}%", "charge it")


def heat(text: str) -> Finding:
    """By `dumpsys thermalservice`: its status, or that of the skin as the sensors have it now, the higher.

    A Xiaomi 13T Pro slowed down by its skin while its status was 0. Where the service has nobody to ask, it is 0
    whatever the heat.
    """
    status = _STATUS.search(text)
    if status is None or int(status[1]) >= len(STATUSES):
        return _unknown("heat", "no status in dumpsys thermalservice", text)
    if _NO_HAL.search(text):
        return Finding("heat", "unknown", "its thermal service hears of no temperature (HAL Ready: false)")
    number = max(map(int, [status[1], *_SKIN.findall(text.partition(_CURRENT)[2])]))
    found = f"thermal status {number} ({STATUSES[number]})"
    return Finding("heat", "fit" if number < SEVERE else "unfit", found, "cool it")


def disk(text: str, least_kib: int) -> Finding:
    """By `df -k`."""
    free = free_kib(text)
    if free is None:
        return _unknown("disk", "df says no number", text)
    return Finding(
        "disk", "fit" if free >= least_kib else "unfit", f"{free // 1024} MiB free", "make room on the phone"
    )


def require_room(name: str, said: str) -> None:
    """Raise `NeedsPerson` where what a command on the phone has printed says that nothing more can be written there.

    Those are the C library's words for ENOSPC, as mksh and toybox print them behind their own (measured on Linux).
    """
    if "No space left on device" in said:
        raise NeedsPerson(f"{name}: no space is left in /data/local/tmp; make room on the phone and run again")


def airplane_mode(text: str) -> Finding:
    """By `settings get global airplane_mode_on`, which says null where nobody ever set it."""
    said = text.strip()
    if said not in ("0", "1", "null"):
        return _unknown("airplane mode", "settings tells neither 0 nor 1", text)
    on = said == "1"
    return Finding("airplane mode", "unfit" if on else "fit", "on" if on else "off", "switch it off")


def _unknown(what: What, why: str, text: str) -> Finding:
    said = " ".join(text.split())[:60]
    return Finding(what, "unknown", f"{why}: {said!r}" if said else why)
