"""Which boot a phone is in, whether Android has come up, and whether its owner has unlocked it since.

Linux draws a boot id anew at each boot (random(4)). Android sets `sys.boot_completed` to 1 once it is up, also before
its first unlock, and `sys.user.0.ce_available` to true once the first user's storage is open (UserDataPreparer, Android
11 and later); before that it is empty, and no app but the system's runs. Read in source, not seen on a phone.
"""

import re
from dataclasses import dataclass

from lab.errors import PhoneTrouble
from lab.phone.adb import Adb

COMMAND = (
    "getprop sys.boot_completed; getprop sys.user.0.ce_available; getprop ro.build.version.sdk; "
    "cat /proc/sys/kernel/random/boot_id"
)
TELLS_SDK = 30
"""From this version of Android's on an empty `ce_available` means that the phone was not unlocked since it booted."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BeforeFirstUnlock(PhoneTrouble):
    """The phone has started and nobody has entered its PIN; one without a PIN is so for a moment."""


@dataclass(frozen=True)
class Boot:
    """`id` is None where the phone does not tell; `unlocked` None where its Android does not."""

    id: str | None
    completed: bool
    unlocked: bool | None

    def require_usable(self, name: str) -> None:
        """Raise `PhoneTrouble` where the phone still starts, `BeforeFirstUnlock` where it waits for its PIN."""
        if not self.completed:
            raise PhoneTrouble(f"{name}: Android still starts")
        if self.unlocked is False:
            raise BeforeFirstUnlock(f"{name} has restarted and is before first unlock: enter the PIN on {name}")


def read(adb: Adb) -> Boot:
    """Ask a phone. Raises `PhoneTrouble`."""
    return parse(adb.run(COMMAND).text)


def parse(text: str) -> Boot:
    """What the lines of `COMMAND` say; what is missing or odd tells nothing."""
    completed, ce_available, sdk, boot_id = ([line.strip() for line in text.splitlines()] + [""] * 4)[:4]
    tells = sdk.isdecimal() and int(sdk[:4]) >= TELLS_SDK
    unlocked = True if ce_available in ("true", "1") else False if tells and ce_available in ("", "false") else None
    return Boot(boot_id if _ID.fullmatch(boot_id) else None, completed == "1", unlocked)
