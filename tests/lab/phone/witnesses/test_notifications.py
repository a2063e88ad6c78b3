"""`dumpsys notification`: whose call rings now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.facts import Missing, Posted
from lab.phone.witnesses.notifications import COMMAND, parse, posted
from tests.lab.phone.handset import Handset

# The form is AOSP's (NotificationRecord.toString, Notification.toString); from API level 36 flags stand by name.
RECORD = (
    "    NotificationRecord(0x{token}: pkg={package} user=UserHandle{{0}} id={number} tag={tag} importance=4 "
    "key=0|{package}|{number}|{tag}|10234: Notification(channel=calls shortcut=null contentView=null vibrate=null "
    "sound=null defaults=0{flags} color=0x00000000{category}{actions} vis=PRIVATE{public}))\n"
)
CALL = RECORD.format(
    token="0c1f2d3e",
    package="com.whatsapp",
    number=23,
    tag="null",
    flags=" flags=ONGOING_EVENT|NO_CLEAR",
    category=" category=call",
    actions=" actions=2",
    public=" publicVersion=Notification(channel=calls category=msg vis=PUBLIC)",
)
MAIL = RECORD.format(
    token="0a",
    package="com.mail",
    number=-7,
    tag="a tag, with: all",
    flags="x0 flags=0x10",
    category="",
    actions="",
    public="",
)
STATE = "Current Notification Manager state:\n"
LIST = f"{STATE}  Notification List:\n{CALL}      uid=10234 userId=0\n      opPkg=com.whatsapp\n{MAIL}"
FOUND = (Posted("com.whatsapp", 23, "call", 2), Posted("com.mail", -7, "", 0))


def test_what_is_posted_is_read_with_its_app_category_and_buttons():
    assert parse(LIST) == FOUND


def test_a_list_that_is_empty_or_has_no_heading_is_empty():
    assert parse(f"{STATE}  Notification List:\n  \n  mUseAttentionLight=false\n") == ()
    assert parse(f"{STATE}  \n  mUseAttentionLight=false\n") == ()


def test_what_is_only_enqueued_is_not_posted():
    assert parse(f"{STATE}  Enqueued Notification List:\n{CALL}  Notification List:\n{MAIL}") == FOUND[1:]
    assert parse(f"{LIST}  Enqueued Notification List:\n{CALL}") == FOUND


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read: dumpsys notification does not say its state"),
        (
            LIST.replace("id=23 ", ""),
            "cannot be read: dumpsys notification has 'NotificationRecord(0x0c1f2d3e: pkg=com.",
        ),
        ("*** SERVICE 'notification' DUMP TIMEOUT (3000ms) EXPIRED ***", "dumpsys notification did not answer in 3 s"),
    ],
)
def test_what_cannot_be_read_is_missing_and_not_nothing(text, why):
    found = parse(text)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


def test_names_stay_on_the_phone():
    handset = Handset(answers={COMMAND: LIST})
    assert posted(handset) == FOUND
    assert "--noredact" not in COMMAND


@given(st.lists(st.sampled_from(LIST.splitlines()) | st.text(max_size=60), max_size=12).map("\n".join))
def test_no_text_makes_it_raise(text):
    assert isinstance(parse(text), tuple | Missing)
