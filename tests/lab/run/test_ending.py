"""Who ended a call: our tap, what follows it on both phones, and nobody else's."""

from dataclasses import replace

import pytest

from lab.phone.witnesses.facts import Missing
from lab.run.ending import end_of
from lab.run.judging import refused
from tests.lab.run.evidence import APP, END, EPOCH_S, NORMAL, OTHER_APP, TALK, a_call

BOTH = pytest.mark.parametrize("ended_by", ["caller", "callee"])
CLICK = (f"0|{APP}|23|null|10234", "1")
TOUCH = (f"1f3a {APP}/{APP}.Call",)


def verdict(call):
    claim = call.judged().ended_by
    return claim.verdict, claim.reason


def ends(call, role, at_s, mode_after_s=0.3):
    """Let the call end there by a phone's records, the mode a little after the recorder."""
    phone = call.phones[role]
    phone.recorders = [replace(e, at_ns=phone.stamp(at_s)) if e.event != "start" else e for e in phone.recorders]
    phone.modes = [e for e in phone.modes if e.mode != NORMAL]
    phone.mode(at_s + (mode_after_s if phone.recorders else 0), NORMAL)


@BOTH
@pytest.mark.parametrize("answered", [True, False])
def test_without_a_way_that_was_used_it_was_not_our_tap_whatever_is_shown(answered, ended_by):
    call = a_call(answered, ended_by)
    verb = call.acts[-1].verb
    call.change(verb, used=())
    assert refused(call.judged()) == ("not_our_tap", f"ended_by: {ended_by} tap said no way to end the call was used")
    call.acts = call.acts[:-1]
    assert verdict(call) == ("refuted", "not_our_tap")


@BOTH
@pytest.mark.parametrize("role", ["caller", "callee"])
@pytest.mark.parametrize("answered", [True, False])
def test_an_end_before_our_tap_on_either_phone_is_somebody_elses(answered, role, ended_by):
    call = a_call(answered, ended_by)
    tap_s = call.acts[-1].t0_ns / 1e9 - EPOCH_S
    ends(call, role, tap_s - 0.019)
    assert verdict(call)[0] != "refuted"
    ends(call, role, tap_s - 0.1)
    assert verdict(call) == ("refuted", "ended_before_we_did")
    text = f"ended_by: {role} audio said the end 0.1 s before the tap"
    assert refused(call.judged()) == ("ended_before_we_did", text)


@BOTH
@pytest.mark.parametrize(
    ("after_s", "found"),
    [
        (1.5, ("proven", None)),
        (1.51, ("undecided", "late_effect")),
        (5.01, ("undecided", "late_effect")),
        (5.03, ("refuted", "late_end")),
    ],
)
def test_an_end_follows_our_tap_or_may_or_does_not(after_s, found, ended_by):
    call = a_call(ended_by=ended_by, y_end=1.0)
    ends(call, ended_by, END + 0.2 + after_s)
    other = "callee" if ended_by == "caller" else "caller"
    ends(call, other, END + 0.2 + after_s)
    assert verdict(call) == found


def test_the_limits_are_those_of_the_phone_that_ended_it():
    call = a_call()
    ends(call, "caller", END + 2.0)
    assert verdict(call) == ("undecided", "late_effect")
    call.limits["caller"] = call.limits["caller"].model_copy(update={"follow_s": 2.0})
    assert verdict(call)[1] != "late_effect"
    ends(call, "callee", END + 2.0)
    assert verdict(call) == ("proven", None)


def test_the_first_of_recorder_and_mode_is_the_end():
    call = a_call()
    ends(call, "caller", END + 3.0, mode_after_s=-2.5)
    assert verdict(call) == ("proven", None)


@pytest.mark.parametrize(("before_s", "found"), [(0.53, "proven"), (0.55, "undecided")])
def test_an_end_of_the_other_phone_that_much_before_ours_is_unclear(before_s, found):
    call = a_call()
    ends(call, "caller", END + 1.2)
    ends(call, "callee", END + 1.2 - before_s)
    assert verdict(call) == (found, None if found == "proven" else "other_end_first")


def test_an_end_of_the_other_phone_long_after_ours_is_unclear():
    call = a_call()
    ends(call, "callee", END + 5.53)
    assert verdict(call) == ("proven", None)
    ends(call, "callee", END + 5.55)
    assert verdict(call) == ("undecided", "ends_apart")


def test_an_end_between_two_taps_that_is_too_late_for_the_first_is_unclear():
    call = a_call()
    call.change("hang_up", t1_ns=call.act("hang_up").t1_ns + 3_000_000_000)
    ends(call, "callee", END + 2.9)
    ends(call, "caller", END + 3.3)
    assert verdict(call) == ("undecided", "late_effect")
    ends(call, "callee", END + 3.4)
    assert verdict(call) == ("proven", None)
    ends(call, "callee", END + 0.9)
    ends(call, "caller", END + 0.8)
    assert verdict(call) == ("proven", None)


@pytest.mark.parametrize(("caller", "callee"), [("idle", "connected"), ("connected", "idle")])
def test_a_phone_that_was_idle_before_our_tap_makes_it_unclear(caller, callee):
    call = a_call()
    before = call.act("hang_up").before
    states = {"caller": caller, "callee": callee}
    call.change("hang_up", before={role: replace(look, state=states[role]) for role, look in before.items()})
    assert verdict(call) == ("undecided", "idle_before_the_tap")


def test_looks_that_saw_neither_leave_one_witness():
    call = a_call()
    before = call.act("hang_up").before
    unknown = {role: replace(look, state="unknown") for role, look in before.items()}
    call.change("hang_up", before=unknown)
    assert verdict(call) == ("undecided", "both phones: audio alone says so")
    late = {role: replace(look, at_ns=look.at_ns + 10**9) for role, look in before.items()}
    call.change("hang_up", before=late)
    assert verdict(call) == ("undecided", "caller screen: not both phones were looked at before the tap")


def test_a_call_that_is_still_shown_is_not_over_whatever_the_records_say():
    call = a_call()
    call.callee.look(END + 5.3, "connected")
    claim = call.judged().ended_by
    assert (claim.verdict, claim.reason) == ("undecided", "still_shown")
    assert claim.witnesses[0] == "callee screen: connected 5.1 s after the tap"


def test_a_recorder_that_never_stopped_leaves_it_undecided():
    call = a_call()
    call.callee.recorders = call.callee.recorders[:1]
    claim = call.judged().ended_by
    assert claim.verdict == "undecided"
    assert "callee audio: on to the last reading" in claim.witnesses


def test_clocks_that_are_hardly_known_leave_it_undecided():
    call = a_call()
    call.callee.bound_s = 1.49
    assert verdict(call) == ("undecided", "clocks_unclear")


def test_a_mode_that_android_took_from_a_silent_caller_needs_the_other_phones_end():
    call = a_call(answered=False, end=16.3)
    call.caller.modes = call.caller.modes[:1]
    call.caller.mode(16.4, NORMAL, "android")
    assert verdict(call) == ("proven", None)
    ends(call, "callee", 18.1)
    assert verdict(call) == ("undecided", "late_effect")
    ends(call, "callee", 16.9)
    call.caller.modes = call.caller.modes[:1]
    call.caller.mode(13.0, NORMAL, "android")
    assert verdict(call) == ("undecided", "both phones: screen alone says so")


def test_where_audio_is_missing_telecom_tells_the_end_but_refutes_by_cause_alone():
    call = a_call(telecom=True)
    for phone in call.phones.values():
        phone.modes = phone.recorders = Missing("the ring ran over")
    assert verdict(call) == ("proven", None)
    late = replace(call.caller.calls[0].events[-1], at_ns=call.caller.stamp(END + 9.0))
    call.caller.calls[0] = replace(call.caller.calls[0], events=(*call.caller.calls[0].events[:-1], late))
    assert verdict(call) == ("undecided", "late_end")


@pytest.mark.parametrize(
    ("role", "cause", "found"),
    [
        ("caller", "REMOTE", "refuted"),
        ("caller", "MISSED", "refuted"),
        ("caller", "CANCELED", "proven"),
        ("caller", "ERROR", "proven"),
        ("callee", "LOCAL", "refuted"),
        ("callee", "REJECTED", "refuted"),
        ("callee", "CANCELED", "proven"),
    ],
)
def test_a_cause_that_says_otherwise_refutes(role, cause, found):
    call = a_call(answered=False, telecom=True)
    phone = call.phones[role]
    phone.calls[0] = replace(phone.calls[0], cause=cause)
    assert verdict(call) == (found, "not_our_tap" if found == "refuted" else None)


@pytest.mark.parametrize("request_", ["REQUEST_DISCONNECT", "REQUEST_REJECT"])
def test_an_end_that_was_asked_for_through_telecom_is_ours_by_a_key_of_ours_alone(request_):
    call = a_call(telecom=True)
    known = call.caller.calls[0]
    asked = replace(known.events[0], event=request_, at_ns=call.caller.stamp(END + 0.1))
    call.caller.calls[0] = replace(known, events=(*known.events, asked))
    assert verdict(call) == ("refuted", "not_our_tap")
    call.change("hang_up", used=("tap description=End", "key ENDCALL"))
    assert verdict(call) == ("proven", None)
    call.caller.calls[0] = replace(known, events=(*known.events, replace(asked, at_ns=call.caller.stamp(END - 0.1))))
    assert verdict(call) == ("refuted", "not_our_tap")


def test_a_button_of_its_notification_that_was_clicked_with_our_tap_is_a_witness():
    call = a_call()
    before = {role: replace(look, state="unknown") for role, look in call.act("hang_up").before.items()}
    call.change("hang_up", before=before)
    call.caller.log(END + 0.1, "notification_action_clicked", f"0|{OTHER_APP}|23|null|10300", "1")
    assert verdict(call)[0] == "undecided"
    call.caller.log(END + 0.1, "notification_action_clicked", *CLICK)
    assert verdict(call) == ("proven", None)


def test_a_tap_that_was_cancelled_may_not_have_reached_the_call():
    call = a_call()
    call.caller.log(END + 0.1, "input_cancel", f"{APP}/{APP}.Call", "4")
    assert verdict(call) == ("undecided", "input_cancelled")


@pytest.mark.parametrize(("tag", "fields"), [("input_interaction", TOUCH), ("notification_action_clicked", CLICK)])
def test_somebody_who_touched_the_other_phone_before_its_end_makes_it_unclear(tag, fields):
    call = a_call()
    call.callee.log(END + 0.4, tag, *fields)
    assert verdict(call) == ("undecided", "other_side_touched")
    call.callee.events.clear()
    call.callee.log(END - 3.0, tag, *fields)
    call.callee.log(END + 3.0, tag, *fields)
    assert call.judged().ended_by.verdict == "proven"


# Nobody's tap


def timeout(**kind):
    return a_call(answered=False, ended_by="system", **kind)


def test_nobodys_tap_and_both_ends_together_after_long_ringing_is_the_system():
    claim = timeout().judged().ended_by
    assert (claim.value, claim.verdict) == ("system", "proven")
    assert claim.witnesses == [
        "callee audio: the end 0.2 s after the caller's, after 45.7 s of ringing",
        "callee screen: incoming at 1 looks, and nothing was touched",
    ]


def test_a_tap_of_ours_is_not_the_system():
    call = timeout()
    call.acts.append(a_call(answered=False).acts[-1])
    assert verdict(call) == ("refuted", "our_tap")


def test_a_short_ringing_may_have_been_ended_by_somebody():
    assert verdict(timeout(end=31.2)) == ("undecided", "short_ring")
    assert verdict(timeout(end=31.4)) == ("proven", None)


def test_where_the_apps_own_ringing_is_known_another_length_may_be_somebodys_doing():
    def judged(rung_s, usual_s):
        call = timeout(end=11.3 + rung_s)
        usual = {"unanswered_s": usual_s}
        call.limits = {role: each.model_copy(update=usual) for role, each in call.limits.items()}
        return verdict(call)

    assert judged(45.7, 45.0) == ("proven", None)
    assert judged(40.1, 45.0) == ("proven", None)
    assert judged(39.9, 45.0) == ("undecided", "short_ring")
    assert judged(50.1, 45.0) == ("undecided", "short_ring")
    assert judged(12.0, 12.5) == ("proven", None)


def test_ends_that_lie_apart_are_not_one_timeout():
    assert verdict(timeout(y_end=5.5)) == ("proven", None)
    assert verdict(timeout(y_end=5.6)) == ("undecided", "ends_apart")


@pytest.mark.parametrize("role", ["caller", "callee"])
def test_a_touch_before_a_timeout_makes_it_unclear(role):
    call = timeout()
    call.phones[role].log(10.3, "input_interaction", *TOUCH)
    assert verdict(call) == ("proven", None)
    call.phones[role].log(56.9, "input_interaction", *TOUCH)
    assert verdict(call) == ("undecided", "touched")


def test_without_the_events_nobody_knows_whether_a_phone_was_touched():
    call = timeout()
    call.callee.events = Missing("its stream broke")
    assert verdict(call) == ("undecided", "callee screen: whether it was touched is not known: its stream broke")
    call = timeout(telecom=True)
    call.callee.events = Missing("its stream broke")
    assert verdict(call) == ("proven", None)


@pytest.mark.parametrize(
    ("role", "cause", "found"),
    [
        ("callee", "REJECTED", ("refuted", "not_our_tap")),
        ("callee", "LOCAL", ("refuted", "not_our_tap")),
        ("caller", "LOCAL", ("undecided", "cause_of_the_caller")),
        ("caller", "REMOTE", ("proven", None)),
    ],
)
def test_what_the_app_told_telecom_of_a_timeout(role, cause, found):
    call = timeout(telecom=True)
    phone = call.phones[role]
    phone.calls[0] = replace(phone.calls[0], cause=cause)
    assert verdict(call) == found


# The end of one phone


def test_the_end_is_by_the_controllers_clock():
    call = a_call()
    end = end_of(call.caller.evidence(), answered=True, until_ns=None)
    assert (round(end.at_ns / 1e9 - EPOCH_S, 3), end.whole, end.source) == (50.5, True, "audio")
    ring = end_of(timeout().callee.evidence(), answered=False, until_ns=None)
    assert round(ring.ring_ns / 1e9, 3) == 45.7


def test_a_call_after_the_tap_is_not_the_one_that_was_ended():
    call = a_call()
    call.caller.mode(70.0, TALK)
    assert verdict(call) == ("proven", None)
    assert call.judged().calls.reason == "second_call"
