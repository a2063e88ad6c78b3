"""`dumpsys telecom`, in a form that was read in source: no public dump of an app's call was found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.facts import Missing, PhoneDate, TelecomEvent
from lab.phone.witnesses.telecom import calls
from tests.lab.phone.witnesses.extracts import DATE, TELECOM, at

SIM = """\
  CallTC@8 [08.05.2026, 18:30:00](MO - outgoing)
  \t>>>Target PhoneAccount: ComponentInfo{com.android.phone/com.android.services.telephony.TelephonyConnectionService}
    18:30:00.100 - CREATED:PCR.oR@ABC
    18:30:00.900 - SET_DIALING (successful outgoing call):CSW.sD@ABD
    18:30:09.000 - SET_DISCONNECTED (x> DisconnectCause [ Code: (LOCAL) Label: () ]):CSW.sDc@ABE
"""


def test_a_call_of_an_app_has_its_number_way_package_events_and_cause():
    (call,) = calls(TELECOM, DATE)
    assert (call.number, call.self_managed, call.incoming, call.package, call.cause) == (
        7,
        True,
        True,
        "com.whatsapp",
        "REMOTE",
    )
    assert [event.event for event in call.events] == [
        "CREATED",
        "SET_RINGING",
        "SET_ACTIVE",
        "SET_DISCONNECTED",
        "DESTROYED",
    ]
    assert call.events[0] == TelecomEvent(at(18, 0, 0, 556), "CREATED", "com.whatsapp;selfMgd:true")
    assert call.events[4] == TelecomEvent(at(18, 1, 12, 20), "DESTROYED", "")


def test_a_sims_call_is_not_self_managed():
    app, sim = calls(TELECOM + SIM, DATE)
    assert (app.self_managed, sim.self_managed) == (True, False)
    assert (sim.number, sim.incoming, sim.package, sim.cause) == (8, False, "com.android.phone", "LOCAL")
    assert sim.events[0] == TelecomEvent(at(18, 30, 0, 100), "CREATED", "")


def test_a_call_that_is_printed_twice_is_one_and_calls_are_in_the_order_of_their_numbers():
    history = TELECOM.partition("Historical Events:\n")[2]
    assert calls(f"Historical Events:\n{SIM}{history}{history}", DATE) == calls(TELECOM + SIM, DATE)


def test_a_call_over_midnight_has_both_days():
    text = TELECOM.replace("18:00:", "23:59:").replace("18:01:12", "00:00:24")
    (call,) = calls(text, PhoneDate(DATE.epoch_s + 6 * 3600, 7_200))  # 01:00 of the next day
    assert call.events[0].at_ns == at(23, 59, 0, 556)
    assert call.events[3].at_ns == at(0, 0, 24, 0, day=9)


def test_a_call_that_still_goes_on_has_no_cause():
    (call,) = calls(TELECOM.partition("    18:01:12.000")[0], DATE)
    assert (call.cause, len(call.events)) == (None, 3)


def test_a_history_without_calls_is_empty():
    assert calls("Analytics:\n  Call TC@7: {\nHistorical Events:\n", DATE) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TELECOM.replace("Historical", "Past"), "cannot be read: dumpsys telecom has no 'Historical Events:'"),
        (
            TELECOM.replace("MT - incoming", "MX"),
            "cannot be read: dumpsys telecom has 'SelfMgd CallTC@7 [May 8, 2026 6:0",
        ),
        (TELECOM.partition("    18:00:00.556")[0], "cannot be read: dumpsys telecom has no event of CallTC@7"),
        ("*** SERVICE 'telecom' DUMP TIMEOUT (3000ms) EXPIRED ***", "dumpsys telecom did not answer in 3 s"),
    ],
)
def test_a_history_that_is_not_there_or_cannot_be_read_is_missing(text, why):
    found = calls(text, DATE)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


@given(st.lists(st.sampled_from((TELECOM + SIM).splitlines()) | st.text(max_size=60), max_size=20).map("\n".join))
def test_no_text_makes_it_raise(text):
    assert isinstance(calls(f"Historical Events:\n{text}", DATE), tuple | Missing)
    assert isinstance(calls(text, DATE), tuple | Missing)


@given(st.permutations(TELECOM.splitlines()[-5:]))
def test_any_order_of_events_gives_the_same_facts(lines):
    *head, _, _, _, _, _ = TELECOM.splitlines()
    assert calls("\n".join([*head, *lines]), DATE) == calls(TELECOM, DATE)
