"""The setting that waking a phone changes is put back as it was, where anything else stands there now."""

import pytest

from lab.bench.connection import put_back, stays_awake
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
