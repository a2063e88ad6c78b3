"""Names by which adb lists a phone, and the serial number that is the phone's own.

At USB they are the same. With wireless debugging (Android 11 and later) adb lists a phone by its name in mDNS, which
has the serial and a random part that changes with each pairing; of two names that are alike the second gets ` (2)`.
What holds a colon is an address, and tells of no phone.
"""

import re
from collections.abc import Iterable

_WIRELESS = re.compile(r"adb-(.{1,64})-[A-Za-z0-9]{6}(?: \(\d{1,3}\))?\._adb-tls-connect\._tcp\.?")
_PLAIN = re.compile(r"adb-(.{1,64}?)(?: \(\d{1,3}\))?\._adb(?:-tls-connect)?\._tcp\.?")


def own_serial(listed: str) -> str | None:
    """The serial number that a phone of this name says of itself; None where the name does not tell."""
    if ":" in listed:
        return None
    found = _WIRELESS.fullmatch(listed) or _PLAIN.fullmatch(listed)
    return listed if found is None else found[1]


def listed_as(wanted: str, listed: Iterable[str]) -> str:
    """By which of the names that adb lists a phone is reached that a bench file calls `wanted`: by that name itself, or
    by the first that has the same serial in it; `wanted` where there is none."""
    names = sorted(listed)
    if wanted in names or own_serial(wanted) is None:
        return wanted
    return next((name for name in names if own_serial(name) == own_serial(wanted)), wanted)
