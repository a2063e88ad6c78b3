"""Which boot a phone is in, whether Android has come up, and whether its owner has unlocked it since.

Linux draws a boot id anew at each boot (random(4)). Android sets `sys.boot_completed` to 1 once it is up, also before
its first unlock, and `sys.user.0.ce_available` to true once the first user's storage is open (UserDataPreparer, Android
11 and later); before that it is empty, and no app but the system's runs. Read in source, not seen on a phone.
"""

import re
from dataclasses import dataclass

from lab.errors import PhoneTrouble
from lab.phone.adb import Adb

_ASKED = {
    ":completed": "getprop sys.boot_completed",
    ":ce": "getprop sys.user.0.ce_available",
    ":sdk": "getprop ro.build.version.sdk",
    ":id": "cat /proc/sys/kernel/random/boot_id",
}
COMMAND = "; ".join(f"echo {label}; {asks}" for label, asks in _ASKED.items())
TELLS_SDK = 30
"""From this version of Android's on an empty `ce_available` means that the phone was not unlocked since it booted."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BeforeFirstUnlock(PhoneTrouble):
    """The phone has started and nobody has entered its PIN; one without a PIN is so for a moment."""


@dataclass(frozen=True)
class Boot:
    """Each is None where the phone, or its Android, does not tell."""

    id: str | None
    completed: bool | None
    unlocked: bool | None

    def require_usable(self, name: str) -> None:
        """Raise `PhoneTrouble` where the phone still starts, `BeforeFirstUnlock` where it waits for its PIN."""
        if self.completed is False:
            raise PhoneTrouble(f"{name}: Android still starts")
        if self.unlocked is False:
            raise BeforeFirstUnlock(f"{name} has restarted and is before first unlock: enter the PIN on {name}")


def read(adb: Adb) -> Boot:
    """Ask a phone. Raises `PhoneTrouble`."""
    return parse(adb.run(COMMAND).text)


def parse(text: str) -> Boot:
    """What `COMMAND` says, below each label the last line that holds something; what is odd tells nothing."""
    said: dict[str, str] = {}
    label = ""
    for line in map(str.strip, text.splitlines()):
        label = line if line in _ASKED else label
        said[label] = "" if line in _ASKED else line or said.get(label, "")
    if not _ASKED.keys() <= said.keys():
        return Boot(None, None, None)
    completed, ce_available, sdk, boot_id = (said[label] for label in _ASKED)
    tells = sdk.isdecimal() and int(sdk[:4]) >= TELLS_SDK
    unlocked = True if ce_available in ("true", "1") else False if tells and ce_available in ("", "false") else None
    return Boot(boot_id if _ID.fullmatch(boot_id) else None, completed == "1", unlocked)
