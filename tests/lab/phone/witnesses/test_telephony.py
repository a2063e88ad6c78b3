"""`dumpsys telephony.registry`: each SIM's call state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.facts import Missing, SimState
from lab.phone.witnesses.telephony import COMMAND, look, parse
from tests.lab.phone.handset import Handset

# The lines around are AOSP's (TelephonyRegistry.dump), as API 34 and 36 print them.
TWO = """\
last known state:
  Phone Id=0
    mCallState=0
    mRingingCallState=0
    mForegroundCallState=0
    mCallIncomingNumber=
  Phone Id=1
    mCallState=2
    mRingingCallState=0
    mForegroundCallState=1
local logs:
"""
UNREAD = Missing("cannot be read: dumpsys telephony.registry names no call state of a SIM")


def test_every_sim_is_looked_at():
    assert parse(TWO) == (SimState(0, 0), SimState(1, 2))


def test_of_several_lines_of_one_sim_a_call_wins():
    assert parse("  Phone Id=0\n    mCallState=1\n    mCallState=0\n") == (SimState(0, 1),)
    assert parse("  Phone Id=0\n    mCallState=0\n    mCallState=2\n") == (SimState(0, 2),)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", UNREAD),
        ("    mCallState=0\n", UNREAD),
        ("  Phone Id=0\n    mRingingCallState=0\n", UNREAD),
        (TWO.replace("    mCallState=2\n", ""), UNREAD),
        (
            TWO.replace("mCallState=2", "mCallState=3"),
            Missing("cannot be read: dumpsys telephony.registry names the call state 3"),
        ),
        ("Can't find service: telephony.registry", Missing("the phone has no service telephony.registry")),
    ],
)
def test_a_state_that_is_not_told_is_missing(text, found):
    assert parse(text) == found


def test_a_look_costs_one_line_of_the_shell():
    handset = Handset(answers={COMMAND: TWO})
    assert look(handset) == (SimState(0, 0), SimState(1, 2))
    assert handset.done == [
        "dumpsys -t 3 telephony.registry 2>&1 | grep -a -E 'Phone Id|mCallState=|DUMP TIMEOUT|find service"
        "|while dumping|Permission Denial|Error dumping' | head -c 65536"
    ]


@given(st.lists(st.sampled_from(TWO.splitlines()) | st.text(max_size=40), max_size=12).map("\n".join))
def test_no_text_makes_it_raise(text):
    assert isinstance(parse(text), tuple | Missing)
