"""What follows from what two phones hold of a call, claim by claim: proven, undecided, refuted."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.phone.witnesses.facts import CameraEvent, Missing, ModeChange, RecorderEvent, SimState
from lab.run.heard import S, conclude
from lab.run.judging import ORDER, refused
from lab.run.spans import audio_of, recorded
from tests.lab.run.evidence import (
    ANSWER,
    APP,
    END,
    NORMAL,
    OTHER_APP,
    PIDS,
    PLACED,
    RINGTONE,
    TALK,
    TALKS,
    UID,
    Phone,
    a_call,
)

RAN_OVER = Missing("the ring ran over")
ANSWERED = [
    {"ended_by": by, "service": service, "telecom": telecom}
    for by in ("caller", "callee")
    for service in ("voice", "video")
    for telecom in (False, True)
]
UNANSWERED = [
    {"answered": False, "ended_by": by, "service": service, "telecom": telecom}
    for by in ("caller", "callee", "system")
    for service in ("voice", "video")
    for telecom in (False, True)
]
CALLS = ANSWERED + UNANSWERED


def verdicts(observed, *but):
    return {name: (claim.verdict, claim.reason) for name, claim in observed if claim.verdict != "proven"}


def words(**kind):
    return "-".join(str(value) for value in kind.values())


@pytest.fixture(params=CALLS, ids=lambda kind: words(**kind))
def kind(request):
    return request.param


def test_a_call_as_it_should_be_is_proven_in_all(kind):
    call = a_call(**kind)
    observed = call.judged()
    assert verdicts(observed) == {}
    values = {name: claim.value for name, claim in observed}
    assert values == {
        "calls": 1,
        "rang": True,
        "answered": call.shape.answered,
        "ended_by": call.shape.ended_by,
        "service": call.shape.service,
        "nothing_else": True,
        "in_front": True,
    }
    assert refused(observed) is None


def test_each_witness_says_what_it_saw_in_a_short_line():
    observed = a_call(telecom=True).judged()
    assert observed.calls.witnesses == [
        "caller audio: one span of 40.3 s by com.whatsapp",
        "caller telecom: one call of com.whatsapp",
        "caller screen: one call at 7 of 7 looks",
        "caller traffic: 400000 bytes of the app",
        "callee audio: one span of 39.0 s by com.whatsapp",
        "callee telecom: one call of com.whatsapp",
        "callee screen: one call at 7 of 7 looks",
        "callee traffic: 400000 bytes of the app",
    ]
    assert "callee screen: connected at 5 of 5 looks" in observed.answered.witnesses
    assert "callee audio: its recorder began 0.8 s after the tap" in observed.answered.witnesses


# Disorders of real phones: each leaves everything proven.


def the_mode_is_taken_by_android_and_comes_back(call):
    for phone in call.phones.values():
        phone.mode(26.0, NORMAL, "android")
        phone.mode(26.7, TALK, "android")


def the_mode_is_taken_and_the_app_asks_again(call):
    call.caller.mode(26.0, NORMAL, "android")
    call.caller.mode(26.7, TALK)


def recorders_begin_with_update(call):
    for phone in call.phones.values():
        phone.recorders = [replace(e, event="update") if e.event == "start" else e for e in phone.recorders]


def a_recorder_goes_on(call):
    start = call.callee.recorders[0]
    call.callee.recorders.append(replace(start, event="update", at_ns=start.at_ns + S // 50))


def a_recorder_is_opened_again(call):
    call.caller.recorders.clear()
    call.caller.record(TALKS, 30.0, riid=9255)
    call.caller.record(31.9, END + 0.5, riid=9263)


def two_recorders_overlap(call):
    call.caller.record(TALKS + 1, 30.0, riid=9271)


def others_listen_for_words(call):
    for phone in call.phones.values():
        phone.record(20.0, 23.0, "HOTWORD", "com.google.android.googlequicksearchbox", 10_111, 9300)
        phone.record(24.0, 25.0, "VOICE_RECOGNITION", "com.google.android.tts", 10_112, 9308)


def the_mode_stays_normal(call):
    call.caller.modes.clear()
    call.callee.modes.clear()


def the_mode_goes_before_the_recorder(call):
    call.callee.modes = call.callee.modes[:-1]
    call.callee.mode(END + 0.4, NORMAL)


def the_records_are_slow(call):
    for phone in call.phones.values():
        phone.recorders = [
            replace(e, at_ns=e.at_ns + 7 * S // 10) if e.event != "start" else e for e in phone.recorders
        ]


def the_clock_is_in_another_year(call):
    call.caller.offset_s -= 3600 * 24 * 400
    for name in ("modes", "recorders", "cameras", "events"):
        shifted = [replace(e, at_ns=e.at_ns - 3600 * 24 * 400 * S) for e in getattr(call.caller, name)]
        setattr(call.caller, name, shifted)


DISORDERS = [
    the_mode_is_taken_by_android_and_comes_back,
    the_mode_is_taken_and_the_app_asks_again,
    recorders_begin_with_update,
    a_recorder_goes_on,
    a_recorder_is_opened_again,
    two_recorders_overlap,
    others_listen_for_words,
    the_mode_stays_normal,
    the_mode_goes_before_the_recorder,
    the_records_are_slow,
    the_clock_is_in_another_year,
]


@pytest.mark.parametrize("service", ["voice", "video"])
@pytest.mark.parametrize("disorder", DISORDERS)
def test_an_answered_call_is_proven_in_spite_of_a_disorder(disorder, service):
    call = a_call(service=service)
    disorder(call)
    assert verdicts(call.judged()) == {}


@pytest.mark.parametrize(("x_end", "y_end"), [(0.3, 0.9), (0.9, 0.45), (1.6, 1.4), (0.1, 1.6)])
@pytest.mark.parametrize("ended_by", ["caller", "callee"])
@pytest.mark.parametrize("answered", [True, False])
def test_tear_down_has_no_order(answered, ended_by, x_end, y_end):
    assert verdicts(a_call(answered, ended_by, x_end=x_end, y_end=y_end).judged()) == {}


def test_what_others_recorded_beside_a_call_is_told_and_no_more():
    call = a_call()
    others_listen_for_words(call)
    claim = call.judged().nothing_else
    line = "caller audio: other_recorder: com.google.android.googlequicksearchbox recorded HOTWORD"
    assert (claim.verdict, line in claim.witnesses) == ("proven", True)


@pytest.mark.parametrize("begin_s", [9.0, PLACED + 0.3, 13.0, TALKS])
def test_a_callers_camera_may_connect_at_the_chat_at_dialling_at_ringing_or_at_the_answer(begin_s):
    call = a_call(service="video")
    call.caller.cameras.clear()
    call.caller.camera(begin_s, END + 0.6)
    assert verdicts(call.judged()) == {}


def test_telecom_may_ask_for_the_mode_of_a_call_that_the_app_registers():
    call = a_call(telecom=True)
    for phone in call.phones.values():
        phone.modes = [replace(e, requester="com.android.server.telecom", pid=1603) for e in phone.modes]
        phone.modes = [replace(e, owner_pid=1603) if e.owner_pid else e for e in phone.modes]
    assert verdicts(call.judged()) == {}
    call.caller.calls = []
    observed = call.judged()
    assert observed.nothing_else.verdict == "undecided"
    assert observed.nothing_else.reason == "mode_of_others"


# Each witness missing in turn.


def lose(call, roles, *names):
    for role in roles:
        phone = call.phones[role]
        for name in names:
            empty = {"looks": [], "app_bytes": None}
            setattr(phone, name, empty.get(name, RAN_OVER))
            if name == "cameras":
                phone.cameras_open = ()
            if name == "looks":
                call.acts = [replace(act, before={}) for act in call.acts]


WITNESSES = {
    "audio": ("modes", "recorders"),
    "modes": ("modes",),
    "recorders": ("recorders",),
    "events": ("events",),
    "telecom": ("calls", "sims"),
    "camera": ("cameras",),
    "screen": ("looks",),
    "traffic": ("app_bytes",),
}
LOST = {
    "audio": {"calls", "ended_by"},
    "modes": {"calls"},
    "recorders": {"calls"},
    "events": set(),
    "telecom": set(),
    "camera": {"service"},
    "screen": {"in_front", "ended_by"},
    "traffic": set(),
}


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("roles", [("caller",), ("callee",), ("caller", "callee")], ids="+".join)
def test_of_an_answered_call_what_two_other_witnesses_say_stays_proven(witness, roles):
    call = a_call()
    lose(call, roles, *WITNESSES[witness])
    assert verdicts(call.judged()).keys() == LOST[witness]


def test_a_missing_witness_is_named_with_its_reason():
    call = a_call()
    lose(call, ["callee"], "modes", "recorders")
    observed = call.judged()
    assert (observed.calls.reason, observed.ended_by.reason) == ("callee audio: the ring ran over",) * 2


def test_where_the_app_registers_its_calls_telecom_stands_in_for_the_audio_history():
    call = a_call(telecom=True)
    lose(call, ["caller", "callee"], "modes", "recorders")
    assert verdicts(call.judged()) == {}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(CALLS),
    st.sampled_from([None, *DISORDERS]),
    st.sets(st.sampled_from(sorted(WITNESSES))),
    st.sampled_from([("caller",), ("callee",), ("caller", "callee")]),
)
def test_a_missing_witness_never_refutes_and_never_proves_anything_else(kind, disorder, missing, roles):
    call = a_call(**kind)
    if disorder is not None and call.shape.answered:
        disorder(call)
    before = call.judged()
    for witness in missing:
        lose(call, roles, *WITNESSES[witness])
    for name, claim in call.judged():
        was = getattr(before, name)
        assert claim.verdict in ("proven", "undecided") or was.verdict == "refuted", (name, claim)
        assert claim.verdict != "proven" or claim.value == was.value or was.verdict == "refuted"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["caller", "callee"]),
    st.floats(10.5, 60.0),
    st.floats(0.1, 20.0),
    st.sampled_from(["modes", "recorders", "both", "camera", "tap late", "sim"]),
    st.sets(st.sampled_from(sorted(WITNESSES))),
)
def test_of_a_disturbed_call_too_a_missing_witness_refutes_nothing(role, at_s, lasts_s, what, missing):
    call = a_call()
    phone = call.phones[role]
    if what in ("modes", "both"):
        phone.mode(at_s, NORMAL)
        phone.mode(at_s + lasts_s, TALK)
    if what in ("recorders", "both"):
        phone.record(at_s + lasts_s, at_s + 2 * lasts_s, riid=9999)
    if what == "camera":
        phone.camera(at_s, at_s + lasts_s)
    if what == "tap late":
        call.change("hang_up", t0_ns=call.act("hang_up").t0_ns + round(lasts_s * S))
    before = call.judged()
    for witness in missing:
        lose(call, ["caller", "callee"], *WITNESSES[witness])
    for name, claim in call.judged():
        was = getattr(before, name)
        assert claim.verdict != "refuted" or was.verdict == "refuted", (name, claim, was)


# One call


def test_a_second_span_of_the_mode_is_a_second_call():
    call = a_call()
    call.callee.mode(60.0, RINGTONE)
    call.callee.mode(63.0, NORMAL)
    claim = call.judged().calls
    assert (claim.value, claim.verdict, claim.reason) == (2, "refuted", "second_call")
    assert refused(call.judged()) == (
        "second_call",
        "calls: callee audio said two spans of 39.0 s and 3.0 s by com.whatsapp",
    )


def test_a_second_recorder_is_a_second_call_where_the_mode_was_kept():
    call = a_call()
    call.caller.recorders.clear()
    call.caller.record(TALKS, 30.0)
    call.caller.record(32.1, END + 0.5, riid=9263)
    assert call.judged().calls.reason == "second_call"


def test_a_call_that_is_given_back_and_taken_up_at_once_is_a_second_one():
    call = a_call()
    call.caller.recorders.clear()
    call.caller.record(TALKS, 30.0)
    call.caller.mode(30.2, NORMAL)
    call.caller.mode(30.5, TALK)
    call.caller.record(31.0, END + 0.5, riid=9263)
    claim = call.judged().calls
    assert (claim.value, claim.reason) == (2, "second_call")


def test_a_ringing_after_the_talk_is_a_second_call_though_the_mode_was_never_given_back():
    call = a_call()
    call.callee.mode(40.0, RINGTONE)
    assert call.judged().calls.reason == "second_call"


def test_a_recorder_outside_of_the_modes_span_is_a_second_call():
    call = a_call(answered=False)
    call.caller.record(30.0, 45.0)
    assert call.judged().calls.reason == "second_call"


def test_telecoms_number_that_grew_by_two_is_a_second_call():
    call = a_call(telecom=True)
    call.caller.calls.append(replace(call.caller.calls[0], number=8))
    assert call.judged().calls.reason == "second_call"
    assert refused(call.judged())[1] == "calls: caller telecom said two calls of com.whatsapp"


@pytest.mark.parametrize("entry", ["mode", "recorder"])
def test_a_call_that_went_on_at_the_first_reading_counts(entry):
    call = a_call()
    if entry == "mode":
        call.caller.modes.insert(0, ModeChange(call.caller.stamp(2.0), NORMAL, APP, 2001, 0))
    else:
        stop = RecorderEvent(call.caller.stamp(2.0), "stop", 9001, UID, "VOICE_COMMUNICATION", APP)
        call.caller.recorders.insert(0, stop)
    assert call.judged().calls.reason == "second_call"


def test_a_mode_that_the_app_asks_for_again_without_a_recorder_may_be_a_second_call():
    call = a_call(answered=False, ended_by="system")
    call.caller.mode(16.5, NORMAL, "android")
    call.caller.mode(17.5, TALK)
    assert verdicts(call.judged()) == {}
    call.caller.modes.pop()
    call.caller.mode(17.6, TALK)
    claim = call.judged().calls
    assert (claim.verdict, claim.reason, claim.value) == ("undecided", "mode_came_back", None)
    call.caller.modes[-1] = replace(call.caller.modes[-1], pid=3001, owner_pid=3001)
    assert call.judged().calls.reason == "second_call"


def test_the_other_direction_on_a_screen_is_no_proof_of_ours():
    call = a_call()
    call.caller.look(32.0, "incoming")
    assert verdicts(call.judged())["calls"] == ("undecided", "other_direction")


def test_looks_and_bytes_alone_do_not_tell_one_call_from_two():
    call = a_call()
    lose(call, ["caller"], "modes", "recorders")
    assert call.judged().calls.verdict == "undecided"


def test_a_voice_message_is_no_second_call():
    call = a_call()
    call.caller.record(60.0, 64.0, "MIC", riid=9300)
    assert verdicts(call.judged()) == {}


def test_the_app_of_another_user_of_the_phone_is_another_app():
    call = a_call()
    call.callee.record(25.0, 30.0, uid=1_010_234, riid=9301)
    assert verdicts(call.judged())["nothing_else"] == ("refuted", "other_call")
    call.callee.uid = None
    assert verdicts(call.judged()) == {}


# It rang


def test_it_rang_by_any_two_of_screen_audio_events_and_telecom():
    call = a_call()
    call.callee.modes = [e for e in call.callee.modes if e.mode != RINGTONE]
    assert call.judged().rang.verdict == "proven"
    call.callee.events = []
    claim = call.judged().rang
    assert (claim.verdict, claim.value, claim.reason) == ("undecided", True, "callee: screen alone says so")


def test_a_callee_of_which_nothing_rang_never_rang():
    call = a_call(answered=False)
    call.callee.modes, call.callee.events = [], []
    call.callee.looks = [replace(look, state="idle") for look in call.callee.looks]
    claim = call.judged().rang
    assert (claim.value, claim.verdict, claim.reason) == (False, "refuted", "callee_never_rang")
    assert refused(call.judged())[1] == "rang: callee screen said incoming at 0 of 2 looks"
    call.callee.events = RAN_OVER
    assert call.judged().rang.verdict == "undecided"


def test_a_notification_of_the_call_that_goes_on_is_not_of_its_ringing():
    call = a_call()
    call.callee.events = []
    call.callee.posted(ANSWER + 1.0)
    call.callee.modes = [e for e in call.callee.modes if e.mode != RINGTONE]
    assert call.judged().rang.verdict == "undecided"


def cancelled_before_it_rang():
    call = a_call(answered=False, end=11.0)
    call.shape = replace(call.shape, rang=None)
    call.callee.modes, call.callee.events = [], []
    call.callee.looks = [replace(look, state="idle") for look in call.callee.looks]
    act = call.act("cancel")
    call.change("cancel", before={**act.before, "callee": replace(act.before["callee"], state="idle")})
    return call


def test_a_caller_who_cancels_at_once_may_be_faster_than_the_ringing():
    call = cancelled_before_it_rang()
    observed = call.judged()
    assert verdicts(observed) == {}
    assert (observed.rang.value, observed.ended_by.value, observed.calls.value) == (False, "caller", 1)
    call.callee.posted(10.9)
    assert call.judged().rang.verdict == "undecided"
    call.callee.mode(10.9, RINGTONE)
    call.callee.mode(11.6, NORMAL)
    assert call.judged().rang.value is True


# Answered


def test_a_call_that_somebody_else_answered_is_not_ours():
    call = a_call()
    call.change("answer", used=())
    assert refused(call.judged()) == ("not_our_tap", "answered: callee tap said no way to answer was used")


def test_a_recorder_between_our_look_and_our_tap_is_of_somebodys_answer():
    call = a_call()
    start = call.callee.recorders[0]
    call.callee.recorders[0] = replace(start, at_ns=call.callee.stamp(ANSWER - 0.1))
    claim = call.judged().answered
    assert (claim.verdict, claim.reason) == ("refuted", "answered_before_we_did")
    assert claim.witnesses[0] == "callee audio: its recorder began 0.1 s before the tap"
    call.callee.recorders[0] = replace(start, at_ns=call.callee.stamp(ANSWER - 0.01))
    assert call.judged().answered.verdict == "proven"


def test_a_recorder_that_runs_while_it_is_seen_to_ring_says_nothing():
    call = a_call()
    call.callee.recorders[0] = replace(call.callee.recorders[0], at_ns=call.callee.stamp(13.0))
    claim = call.judged().answered
    assert (claim.verdict, claim.value) == ("proven", True)
    assert "callee audio: its recorder began 5.0 s before the tap, while it rang" in claim.witnesses


def test_a_recorder_that_begins_long_after_our_tap_may_be_of_another_answer():
    call = a_call()
    call.callee.recorders[0] = replace(call.callee.recorders[0], at_ns=call.callee.stamp(ANSWER + 5.3))
    assert verdicts(call.judged())["answered"] == ("undecided", "late_effect")


def test_the_callers_recorder_may_run_from_dialling_on():
    call = a_call()
    call.caller.recorders[0] = replace(call.caller.recorders[0], at_ns=call.caller.stamp(PLACED + 0.5))
    assert verdicts(call.judged()) == {}


def test_a_call_without_any_conversation_was_not_answered():
    call = a_call()
    for phone in call.phones.values():
        phone.recorders = []
        phone.looks = [replace(look, state="unknown") if look.state == "connected" else look for look in phone.looks]
    claim = call.judged().answered
    assert (claim.value, claim.verdict, claim.reason) == (False, "refuted", "not_answered")
    call.caller.recorders = RAN_OVER
    assert call.judged().answered.verdict == "undecided"


def test_what_telecom_holds_of_a_conversation_wins_over_nothing_elsewhere():
    call = a_call(telecom=True)
    for phone in call.phones.values():
        phone.recorders = []
        phone.looks = [replace(look, state="unknown") if look.state == "connected" else look for look in phone.looks]
    assert call.judged().answered.verdict == "proven"
    lose(call, ["caller", "callee"], "app_bytes")
    assert verdicts(call.judged())["answered"] == ("undecided", "caller traffic: nobody counted")


def test_a_conversation_in_a_call_that_nobody_was_to_answer_refutes_by_two_and_is_unclear_by_one():
    call = a_call(answered=False, ended_by="callee")
    call.callee.record(13.0, 16.0)
    assert verdicts(call.judged())["answered"] == ("undecided", "perhaps_answered")
    call.callee.look(14.0, "connected")
    observed = call.judged()
    assert (observed.answered.value, observed.answered.reason) == (True, "answered")
    assert refused(observed) == ("answered", "answered: callee screen said connected at 1 of 4 looks")


def test_an_acceptance_through_telecom_is_ours_by_a_key_of_ours_alone():
    call = a_call(telecom=True)
    accept = replace(call.callee.calls[0].events[0], at_ns=call.callee.stamp(ANSWER + 0.1), event="REQUEST_ACCEPT")
    call.callee.calls[0] = replace(call.callee.calls[0], events=(*call.callee.calls[0].events, accept))
    assert verdicts(call.judged())["answered"] == ("refuted", "not_our_tap")
    call.change("answer", used=("key HEADSETHOOK",))
    assert verdicts(call.judged()) == {}


def test_few_bytes_are_no_conversation():
    call = a_call()
    lose(call, ["caller"], "recorders")
    call.caller.app_bytes = 31_000
    assert call.judged().answered.reason == "caller audio: the ring ran over"
    call.caller.app_bytes = 32_000
    assert call.judged().answered.verdict == "proven"


# The service


def test_a_camera_in_the_talk_refutes_voice_and_none_refutes_video():
    voice = a_call()
    voice.callee.camera(30.0, 45.0)
    assert refused(voice.judged()) == (
        "wrong_service",
        "service: callee camera said the app had a camera while they talked",
    )
    video = a_call(service="video")
    video.caller.cameras, video.callee.cameras = [], []
    claim = video.judged().service
    assert (claim.value, claim.verdict, claim.reason) == ("voice", "refuted", "wrong_service")


def test_one_phones_camera_alone_makes_video_undecided():
    call = a_call(service="video")
    call.caller.cameras = []
    assert verdicts(call.judged()) == {"service": ("undecided", "no_camera")}


@pytest.mark.parametrize(
    ("begin_s", "end_s", "verdict"),
    [
        # What counts is from 20.8 s, 2 s after the answer, to 48.22 s, 2 s before the tap that ends it.
        (12.0, 19.9, "proven"),
        (12.0, 20.7, "undecided"),
        (12.0, 21.0, "refuted"),
        (47.9, 51.0, "refuted"),
        (48.0, 51.0, "undecided"),
        (49.0, 55.0, "undecided"),
        (50.0, 55.0, "proven"),
        (30.0, 30.9, "undecided"),
        (30.0, 31.0, "refuted"),
    ],
)
def test_a_camera_around_a_voice_call_is_judged_within_its_stamps_second(begin_s, end_s, verdict):
    call = a_call()
    call.callee = Phone("callee", 0.0)
    fresh = a_call()
    for name in ("modes", "recorders", "events"):
        entries = getattr(fresh.callee, name)
        setattr(call.callee, name, [replace(e, at_ns=e.at_ns + 1_100_000_000) for e in entries])
    call.callee.looks = fresh.callee.looks
    call.callee.camera(begin_s, end_s)
    assert call.judged().service.verdict == verdict


def test_a_camera_that_was_open_at_the_first_reading_counts():
    call = a_call()
    call.caller.cameras_open = (("1", APP),)
    assert verdicts(call.judged())["service"] == ("refuted", "wrong_service")
    call.caller.cameras_open = (("1", OTHER_APP),)
    assert verdicts(call.judged()) == {}


def test_a_video_call_whose_camera_went_off_is_undecided():
    call = a_call(service="video")
    call.caller.cameras.clear()
    call.caller.camera(TALKS, 30.0)
    assert verdicts(call.judged()) == {"service": ("undecided", "camera_off")}
    call.caller.camera(30.2, END, device="0")
    assert verdicts(call.judged()) == {}


def test_an_evicted_camera_disconnects_once():
    call = a_call()
    second = call.callee.stamp(11.0) // S * S
    call.callee.cameras = [
        CameraEvent(second + at_s * S, event, "1", APP)
        for at_s, event in ((-3, "CONNECT"), (-1, "EVICT"), (30, "DISCONNECT"))
    ]
    assert verdicts(call.judged()) == {}


def test_without_the_audio_history_a_camera_refutes_nothing():
    call = a_call()
    lose(call, ["callee"], "recorders")
    call.callee.camera(30.0, 45.0)
    assert verdicts(call.judged())["service"] == ("undecided", "camera_unclear")


def test_of_a_call_that_nobody_answers_the_button_and_the_screen_tell():
    call = a_call(answered=False, service="video")
    claim = call.judged().service
    assert (claim.verdict, claim.value) == ("proven", "video")
    assert claim.witnesses[0] == "caller tap: video call by tap description=Call"
    assert claim.witnesses[-1] == "callee camera: the app had a camera 0 times"
    call.change("place_call", used=())
    assert verdicts(call.judged())["service"] == ("refuted", "not_our_tap")


def test_a_camera_that_opens_in_a_voice_call_that_nobody_answers_makes_it_undecided():
    call = a_call(answered=False)
    call.caller.camera(12.0, 16.0)
    assert verdicts(call.judged()) == {"service": ("undecided", "camera_in_voice")}
    call.caller.cameras.clear()
    call.caller.camera(8.0, 10.1)
    assert verdicts(call.judged()) == {}


@pytest.mark.parametrize(
    ("begin_s", "reason"),
    [(9.9, "placed_before_we_did"), (10.0, None), (11.2, None), (11.3, "late_effect")],
)
def test_the_call_must_begin_with_our_tap(begin_s, reason):
    call = a_call(answered=False)
    call.caller.modes[0] = replace(call.caller.modes[0], at_ns=call.caller.stamp(begin_s))
    assert call.judged().service.reason == reason


def test_an_app_may_ask_for_the_mode_no_sooner_than_it_is_answered():
    call = a_call()
    call.caller.modes[0] = replace(call.caller.modes[0], at_ns=call.caller.stamp(ANSWER + 0.5))
    assert verdicts(call.judged()) == {}


# Nothing else


SIM_CALL = {"cause": "MISSED", "package": None, "self_managed": False}
OTHER_CALL = {"cause": "MISSED", "package": OTHER_APP}
TELECOM = "com.android.server.telecom"
OTHERS = {
    f"audio said MODE_IN_CALL by {TELECOM}": lambda p: p.mode(30.0, "MODE_IN_CALL", TELECOM),
    f"audio said {RINGTONE} by {OTHER_APP}": lambda p: p.mode(30.0, RINGTONE, OTHER_APP, 4000),
    f"audio said {OTHER_APP} recorded VOICE_COMMUNICATION": lambda p: p.record(30.0, 33.0, package=OTHER_APP, uid=1),
    f"audio said {OTHER_APP} recorded VOICE_CALL": lambda p: p.record(None, 33.0, "VOICE_CALL", OTHER_APP, 1),
    "telecom said TC@7 of a SIM": lambda p: p.call(("CREATED", 30.0), **SIM_CALL),
    f"telecom said TC@7 of {OTHER_APP}": lambda p: p.call(("CREATED", 30.0), **OTHER_CALL),
    "telecom said SIM 1 was in call state 1": lambda p: p.look(30.0, "connected", sims=(SimState(1, 1),)),
    "telecom said SIM 0 was in call state 2": lambda p: setattr(p, "sims", (SimState(0, 2),)),
    f"events said a call's notification of {OTHER_APP}": lambda p: p.posted(30.0, OTHER_APP),
}


@pytest.mark.parametrize("line", OTHERS)
@pytest.mark.parametrize("role", PIDS)
def test_one_witness_of_another_call_is_enough(line, role):
    call = a_call()
    OTHERS[line](call.phones[role])
    observed = call.judged()
    assert (observed.nothing_else.value, observed.nothing_else.reason) == (False, "other_call")
    assert refused(observed) == ("other_call", f"nothing_else: {role} {line}")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (lambda p: p.mode(9.0, NORMAL, OTHER_APP, 4000), "mode_of_others"),
        (lambda p: p.mode(60.0, RINGTONE, "com.android.server.telecom"), "mode_of_others"),
        (lambda p: p.mode(60.0, "MODE_CALL_SCREENING", "android"), "unknown_mode"),
        (lambda p: p.call(("CREATED", 30.0), cause=None, package=None), "call_of_others"),
    ],
)
def test_what_nobody_can_tell_whose_it_is_leaves_it_undecided(what, reason):
    call = a_call()
    what(call.callee)
    assert verdicts(call.judged()) == {"nothing_else": ("undecided", reason)}


@pytest.mark.parametrize("role", PIDS)
def test_a_sim_that_rings_amid_a_call_that_the_app_registered_is_another_call_and_no_second_one(role):
    call = a_call(telecom=True)
    phone = call.phones[role]
    phone.mode(30.0, RINGTONE, TELECOM, 1603)
    phone.modes.append(ModeChange(phone.stamp(40.0), TALK, TELECOM, 1603, PIDS[role]))
    phone.call(("CREATED", 30.0), ("SET_RINGING", 30.0), ("SET_DISCONNECTED", 40.0), number=8, **SIM_CALL)
    observed = call.judged()
    assert (observed.calls.verdict, refused(observed)[0]) == ("proven", "other_call")


def test_messages_of_others_and_notifications_that_are_no_calls_are_nothing():
    call = a_call()
    call.callee.posted(30.0, OTHER_APP, "msg")
    call.callee.posted(31.0, OTHER_APP, "missed_call")
    assert verdicts(call.judged()) == {}


def test_one_witness_alone_does_not_prove_that_there_was_nothing_else():
    call = a_call()
    lose(call, ["caller"], "modes", "events")
    claim = call.judged().nothing_else
    assert (claim.verdict, claim.reason) == ("undecided", "caller audio: the ring ran over")


# In front


def test_a_call_that_no_look_saw_in_front_is_refuted_and_one_look_that_did_makes_it_undecided():
    call = a_call()
    call.callee.looks = [replace(look, in_front=False) for look in call.callee.looks]
    assert refused(call.judged()) == ("not_in_front", "in_front: callee screen said in front at 0 of 5 looks")
    call.callee.look(33.0, "connected")
    assert verdicts(call.judged()) == {"in_front": ("undecided", "not_in_front")}


def test_the_callee_need_not_show_a_call_that_it_does_not_answer():
    call = a_call(answered=False)
    call.callee.looks = [replace(look, in_front=False) for look in call.callee.looks]
    assert verdicts(call.judged()) == {}


# What is said of it


def test_of_several_refuted_claims_another_call_is_named_first():
    call = a_call()
    call.callee.mode(60.0, RINGTONE)
    call.callee.posted(60.0, OTHER_APP)
    call.change("hang_up", used=())
    reasons = []
    observed = call.judged()
    while (void := refused(observed)) is not None:
        reasons.append(void[0])
        name = void[1].partition(":")[0]
        observed = observed.model_copy(update={name: a_call().judged().calls})
    assert reasons == ["second_call", "other_call", "not_our_tap"]
    assert ORDER.index("calls") < ORDER.index("nothing_else") < ORDER.index("ended_by")


def test_proof_takes_two_witnesses_of_different_kinds():
    call = a_call()
    line = call.judged().rang.witnesses[0]
    assert line == "callee screen: incoming at 2 of 2 looks"
    assert conclude(True, False, []).reason == "both phones: no witness says so"


# The histories of one phone


def spans(*events):
    found = recorded(RecorderEvent(at_ns, event, riid, UID, "MIC", APP) for at_ns, event, riid in events)
    return sorted((span.begin_ns, span.end_ns) for span in found)


def test_a_recorder_runs_from_its_first_line_to_its_stop_or_release():
    assert spans((1, "start", 9), (2, "update", 9), (5, "stop", 9), (6, "release", 9)) == [(1, 5)]
    assert spans((2, "update", 9), (5, "stop", 9)) == [(2, 5)]
    assert spans((1, "start", 9), (6, "release", 9)) == [(1, 6)]
    assert spans((6, "release", 9)) == []
    assert spans((1, "start", 9), (5, "stop", 9), (7, "start", 9), (8, "stop", 9)) == [(1, 5), (7, 8)]
    assert spans((1, "start", 9), (2, "start", 17), (3, "stop", 9)) == [(1, 3), (2, None)]


def test_a_stop_alone_is_of_a_recorder_that_ran_at_the_first_reading():
    assert spans((5, "stop", 9)) == [(None, 5)]


# After a public dump of a Xiaomi (Android 12/13) with calls of WhatsApp and Messenger; pids and uids replaced.
DUMP_MODES = """\
13:53:15:666 MODE_IN_COMMUNICATION com.facebook.orca 2003 2003
13:53:21:540 MODE_NORMAL android 1001 0
13:53:22:250 MODE_IN_COMMUNICATION android 1001 2003
13:53:37:808 MODE_NORMAL com.facebook.orca 2003 0
16:27:49:267 MODE_RINGTONE com.whatsapp 2001 2001
16:28:34:055 MODE_NORMAL com.whatsapp 2001 0
16:58:47:349 MODE_IN_COMMUNICATION com.whatsapp 2002 2002
16:59:41:062 MODE_NORMAL com.whatsapp 2002 0
"""
DUMP_RECORDERS = """\
16:58:47:949 update 9255 10166 VOICE_COMMUNICATION com.whatsapp
16:59:40:768 stop 9255 10166 VOICE_COMMUNICATION com.whatsapp
"""


def at_ns(text):
    hours, minutes, seconds, milliseconds = (int(part) for part in text.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * S + milliseconds * S // 1000


def of_dump(package, uid, first, last):
    phone = Phone("callee", 0.0, uid=uid)
    for line in DUMP_MODES.splitlines():
        stamp, mode, requester, pid, owner = line.split()
        phone.modes.append(ModeChange(at_ns(stamp), mode, requester, int(pid), int(owner)))
    for line in DUMP_RECORDERS.splitlines():
        stamp, event, riid, owner, source, requester = line.split()
        phone.recorders.append(RecorderEvent(at_ns(stamp), event, int(riid), int(owner), source, requester))
    phone.modes = [e for e in phone.modes if at_ns(first) <= e.at_ns <= at_ns(last)]
    return audio_of(replace(phone.evidence(), package=package))


def test_a_real_call_of_messenger_whose_mode_was_lost_and_came_back_is_one_call():
    audio = of_dump("com.facebook.orca", 10_170, "13:00:00:000", "14:00:00:000")
    (span,) = audio.modes
    assert ((span.end_ns - span.begin_ns) / 1e9, span.sure, audio.calls, audio.unclear) == (22.142, True, 1, None)


def test_a_real_ringing_of_whatsapp_lasts_44_seconds_and_a_real_call_53():
    audio = of_dump("com.whatsapp", 10_166, "16:00:00:000", "17:00:00:000")
    ringing, talking = audio.modes
    assert (ringing.end_ns - ringing.rang_ns) / 1e9 == 44.788
    assert (talking.rang_ns, (talking.end_ns - talking.begin_ns) / 1e9) == (None, 53.713)
    (talk,) = audio.talks
    assert ((talk.end_ns - talk.begin_ns) / 1e9, (talking.end_ns - talk.end_ns) / 1e9) == (52.819, 0.294)
    assert audio.calls == 2
