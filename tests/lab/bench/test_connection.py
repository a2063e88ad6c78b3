"""A phone is reached by a name that is ready, and the setting that waking it changes is put back as it was."""

from types import SimpleNamespace

import pytest
from adbutils.errors import AdbTimeout

from lab.bench.connection import name_there, put_back, reached, stays_awake
from lab.errors import PhoneTrouble
from tests.lab.phone.handset import Handset

GET = "settings get global stay_on_while_plugged_in"


@pytest.mark.parametrize(
    ("now", "before", "commands"),
    [
        ("3\n", "3", []),
        ("7\n", "0", ["settings put global stay_on_while_plugged_in 0"]),
        ("7\n", "null", ["settings delete global stay_on_while_plugged_in"]),
        ("7\n", "Error: no settings", []),
    ],
)
def test_the_setting_is_put_back_only_where_it_differs_and_was_one(now, before, commands):
    handset = Handset(answers={GET: now} | dict.fromkeys(commands, ""))
    put_back(handset, before)
    assert handset.done == [GET, *commands]
    assert stays_awake(handset) == now.strip()


def listing(**states: str) -> SimpleNamespace:
    names = {
        "usb": "1A2B",
        "air": "adb-1A2B-vWgJpq._adb-tls-connect._tcp",
        "other": "adb-9Z9Z-vWgJpq._adb-tls-connect._tcp",
    }
    return SimpleNamespace(list=lambda: [SimpleNamespace(serial=names[n], state=s) for n, s in states.items()])


def test_a_phone_is_reached_by_the_name_that_is_ready():
    air = "adb-1A2B-vWgJpq._adb-tls-connect._tcp"
    assert name_there(listing(usb="device", air="device"), "1A2B") == "1A2B"
    assert name_there(listing(usb="offline", air="device"), "1A2B") == air
    assert name_there(listing(other="device"), "1A2B") == "1A2B"
    assert name_there(listing(other="device", air="device"), "adb-1A2B-older1._adb-tls-connect._tcp") == air
    assert name_there(listing(air="unauthorized"), "1A2B") == "1A2B"


def test_an_adb_server_that_does_not_answer_in_time_is_the_phones_trouble():
    def serial(_spec):
        raise AdbTimeout("adb read timeout")

    with pytest.raises(
        PhoneTrouble, match=r"^pixel6 cannot be reached: adb read timeout; is it connected and allowed\?$"
    ):
        reached(SimpleNamespace(serial=serial, client=listing()), SimpleNamespace(name="pixel6"))
