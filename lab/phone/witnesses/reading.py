"""A phone's records, read at once: one line of its shell, cut down on the phone, some kB."""

import re
import shlex

from lab.clocks import deadlines
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.witnesses import audio, camera, telecom, telephony
from lab.phone.witnesses.comparison import since
from lab.phone.witnesses.dates import parse_date
from lab.phone.witnesses.facts import Missing, Reading

__all__ = ["COMMAND", "parse", "parse_uid", "read", "since", "uid_of"]

_MARK = "#im-call-lab 5f1c09ae "
"""What parts the sections. No line that the filters let through begins with it. It is the same each time: on the
virtual bench a line's cost is keyed by its text."""
_PARTS = {
    "date": "date '+%s %z'; cat /proc/uptime",
    "audio": audio.COMMAND,
    "camera": camera.COMMAND,
    "telecom": telecom.COMMAND,
    "telephony": telephony.COMMAND,
}
COMMAND = "; ".join(
    [*(f"echo; echo '{_MARK}{name}'; {part}" for name, part in _PARTS.items()), f"echo; echo '{_MARK}end'"]
)
_UID = re.compile(r"uid:(\d{1,10}(?:,\d{1,10}){0,100})\s*")
_PER_USER = 100_000
"""Android's UserHandle.PER_USER_RANGE: a uid below it is the first user's."""


def read(adb: Adb) -> Reading:
    """All of a phone's records. What fails of them is Missing there; `PhoneTrouble` where the shell itself fails."""
    text = adb.run(COMMAND, timeout_s=deadlines.RECORDS.s).text
    try:
        return parse(text)
    except ValueError as error:
        raise PhoneTrouble(f"{adb.name}: no whole answer to the question for its records: {error}") from error


def parse(text: str) -> Reading:
    """What `COMMAND` printed. Raises `ValueError` where a section is not there once, in its place."""
    first, *pieces = re.split(rf"^{re.escape(_MARK)}", text.replace("\r", ""), flags=re.MULTILINE)
    named = [piece.partition("\n") for piece in pieces]
    names = [name for name, _, _ in named]
    if names != [*_PARTS, "end"] or first.strip():
        raise ValueError(f"it has the sections {', '.join(names)[:100] or 'none'}")
    parts = {name: content for name, _, content in named}
    date, sims, mode = (
        parse_date(parts["date"].strip("\n")),
        telephony.parse(parts["telephony"]),
        audio.mode(parts["audio"]),
    )
    if isinstance(date, Missing):
        return Reading(date, mode, date, date, date, date, sims)
    return Reading(
        date,
        mode,
        audio.modes(parts["audio"], date),
        audio.recorders(parts["audio"], date),
        camera.events(parts["camera"], date),
        telecom.calls(parts["telecom"], date),
        sims,
    )


def uid_of(adb: Adb, package: str) -> int | None:
    """The uid of a package for the phone's first user; None where pm names none. Raises `PhoneTrouble`."""
    return parse_uid(ask_uid(adb, package), package)


def ask_uid(adb: Adb, package: str) -> str:
    """What pm says of the uids of all packages whose name contains `package`.

    Without `--user` it asks every user and prints nothing where one of them is forbidden (AOSP,
    PackageManagerShellCommand). Raises `PhoneTrouble`.
    """
    return adb.run(f"pm list packages -U --user 0 {shlex.quote(package)}").text


def parse_uid(text: str, package: str) -> int | None:
    """The uid of exactly that package in lines `package:NAME uid:N` or `uid:N,N`, one for each user."""
    for line in text.splitlines():
        name, _, rest = line.strip().removeprefix("package:").partition(" ")
        found = _UID.fullmatch(rest)
        if name == package and found is not None:
            return next((uid for uid in map(int, found[1].split(",")) if uid < _PER_USER), None)
    return None
