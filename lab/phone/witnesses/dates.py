"""Stamps without year, zone or day, read by the phone's own date: the past that they can mean, never the future.

AudioService and CameraService print local time as `MM-dd HH:mm:ss`, with milliseconds or not, Telecom `HH:mm:ss.SSS`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from lab.phone.witnesses.facts import Missing, PhoneDate

AHEAD_S = 60
"""How far behind the date a stamp may lie: a dump takes up to seconds, and the date is read before it."""
_YEARS_BACK = 8
"""A leap day is found in as many years; nothing that a phone keeps in memory is older."""
_DAY_S = 86_400
_DATE = re.compile(r"(\d{1,11}) ([+-])(\d{2})(\d{2})\s*")
_UPTIME = re.compile(r"(\d{1,10}(?:\.\d{1,9})?) \d{1,12}(?:\.\d{1,9})?\s*")
_STAMP = re.compile(r"\s{0,20}(\d{2})-(\d{2})\s(\d{2}):(\d{2}):(\d{2})(?:[:.](\d{3}))?\s?:?\s{1,4}(.{1,2000})")
T = TypeVar("T")


def parse_date(text: str) -> PhoneDate | Missing:
    """What `date '+%s %z'` and `cat /proc/uptime` print, a line each; without the second a date still stands."""
    first, _, rest = text.strip("\r\n").partition("\n")
    found = _DATE.fullmatch(first)
    if found is None:
        return Missing(f"the phone's date cannot be read: {first[:60]!r}")
    offset_s = int(found[3]) * 3600 + int(found[4]) * 60
    uptime = _UPTIME.fullmatch(rest)
    since_boot_s = None if uptime is None else float(uptime[1])
    return PhoneDate(int(found[1]), offset_s if found[2] == "+" else -offset_s, since_boot_s)


def stamped(line: str, date: PhoneDate) -> tuple[int, str] | None:
    """The instant of a line that begins with month, day and time, and what follows; None where it has no such stamp.

    It is the last such instant that is not in the future, so one of December is of last year in January.
    """
    found = _STAMP.fullmatch(line)
    if found is None:
        return None
    month, day, hour, minute, second = (int(part) for part in found.groups()[:5])
    this_year = datetime.fromtimestamp(date.epoch_s + date.utc_offset_s, UTC).year
    for year in range(this_year + 1, this_year - _YEARS_BACK - 1, -1):
        try:
            local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # not in that year, or never
            continue
        epoch_s = int(local.timestamp()) - date.utc_offset_s
        if epoch_s <= date.epoch_s + AHEAD_S:
            return epoch_s * 1_000_000_000 + int(found[6] or 0) * 1_000_000, found[7].rstrip()
    return None


def of_day_ns(date: PhoneDate, hour: int, minute: int, second: int, milliseconds: int) -> int | None:
    """The last instant at that local time of day that is not in the future; None where no day has such a time."""
    if hour > 23 or minute > 59 or second > 59:
        return None
    midnight_s = (date.epoch_s + date.utc_offset_s) // _DAY_S * _DAY_S - date.utc_offset_s
    at_s = midnight_s + _DAY_S + hour * 3600 + minute * 60 + second
    while at_s > date.epoch_s + AHEAD_S:
        at_s -= _DAY_S
    return at_s * 1_000_000_000 + milliseconds * 1_000_000


def oldest_first(entries: list[T], at_ns: Callable[[T], int], newest_on_top: bool = False) -> tuple[T, ...]:
    """Entries by time. Those of one instant keep the log's own order where it runs one way, down or up.

    Some builds print the newest first, others the oldest (AudioService); `newest_on_top` decides where times do not.
    """
    times = [at_ns(entry) for entry in entries]
    rises, falls = times == sorted(times), times == sorted(times, reverse=True)
    turned = newest_on_top if rises == falls else falls
    return tuple(sorted(reversed(entries) if turned else entries, key=at_ns))
