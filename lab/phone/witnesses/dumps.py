"""One dump of one service, cut down on the phone to what is read of it, and what of it is left.

Nothing is trusted: a dump that ran into its time limit, that is none, or that is longer than it can be is Missing.
"""

import re

from lab.phone.witnesses.facts import Missing

LIMIT_BYTES = 65_536
"""Rings of 20 to 100 lines do not fill that."""
MAX_ENTRIES = 500
_TIME_LIMIT_S = 3
_FAILED = "DUMP TIMEOUT|find service|while dumping|Permission Denial|Error dumping"
"""What dumpsys and services print in place of a dump (AOSP, dumpsys.cpp and DumpUtils, Android 12 to 16)."""
_REFUSED = re.compile(
    r"^\s{0,20}((?:Permission Denial: |Error dumping |(?:Error|Failed) .{0,80}while dumping).{0,300})$", re.MULTILINE
)
_STARTS_WITH_DIGIT = re.compile(r"\s{0,20}\d")
_CONTINUES = re.compile(r"\s{1,20}- ")
_NO_ENTRY = re.compile(r"\s{0,20}(?:--|\[no events yet\]|.{0,200}(?:log|: ==).{0,300}|)\s{0,20}", re.IGNORECASE)
"""What may stand behind the heading of an empty log: what parts grep's groups, nothing, another heading."""


def command(service: str, lines: str, after: int = 0) -> str:
    """The shell's words for the lines of a dump that contain `lines`, an expression of grep, and `after` more of each.

    Without a line behind it a heading whose log has another form than is known would look like that of an empty log.
    """
    more = f"-A {after} " if after else ""
    dump = f"dumpsys -t {_TIME_LIMIT_S} {service} 2>&1"
    return f"{dump} | grep -a {more}-E '{lines}|{_FAILED}' | head -c {LIMIT_BYTES}"


def unusable(service: str, text: str) -> Missing | None:
    """Why nothing of a dump may be used, if so."""
    if len(text.encode()) >= LIMIT_BYTES:
        return Missing(f"dumpsys {service} is longer than {LIMIT_BYTES} bytes")
    if "DUMP TIMEOUT" in text:
        return Missing(f"dumpsys {service} did not answer in {_TIME_LIMIT_S} s")
    if "Can't find service" in text:
        return Missing(f"the phone has no service {service}")
    if refused := _REFUSED.search(text):
        return Missing(f"cannot be read: dumpsys {service} says {refused[1].rstrip()[:160]!r}")
    return None


def under(text: str, title: str) -> list[str] | None:
    """The lines of the log under each heading that contains `title`, in any case; None where there is no heading.

    A log ends at the first line that begins with no digit, but what stands right behind its heading is of it whatever
    it is; a line that continues another is left out.
    """
    found: list[str] | None = None
    inside = first = False
    for line in text.splitlines():
        if title in line.lower() and not _STARTS_WITH_DIGIT.match(line):
            found, inside, first = found or [], True, True
            continue
        if (
            found is not None
            and inside
            and (_STARTS_WITH_DIGIT.match(line) or (first and not _NO_ENTRY.fullmatch(line)))
        ):
            found.append(line)
        elif not _CONTINUES.match(line):
            inside = False
        first = False
    return found
