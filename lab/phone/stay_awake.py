"""Android's setting that waking a phone for a trial changes."""

from __future__ import annotations

import re

from lab.phone.adb import Adb

STAY_AWAKE = "stay_on_while_plugged_in"


def stays_awake(adb: Adb) -> str:
    return adb.run(f"settings get global {STAY_AWAKE}").text.strip()


def put_back(adb: Adb, setting: str) -> None:
    if stays_awake(adb) != setting and re.fullmatch(r"\d{1,3}|null", setting):
        verb = f"delete global {STAY_AWAKE}" if setting == "null" else f"put global {STAY_AWAKE} {setting}"
        adb.run(f"settings {verb}")
