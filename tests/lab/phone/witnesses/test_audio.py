"""`dumpsys audio` as phones printed it: the log of modes, of recorders, and the mode now."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.audio import mode, modes, recorders
from lab.phone.witnesses.facts import Missing, ModeChange, RecorderEvent
from tests.lab.phone.witnesses.extracts import DATE, LOST_AND_BACK, MODES, RECORDERS, SAMSUNG, at

APP = "com.whatsapp"
CALLS = (
    ModeChange(at(16, 27, 49, 267), "MODE_RINGTONE", APP, 2001, 2001),
    ModeChange(at(16, 28, 34, 55), "MODE_NORMAL", APP, 2001, 0),
    ModeChange(at(16, 58, 47, 349), "MODE_IN_COMMUNICATION", APP, 2002, 2002),
    ModeChange(at(16, 59, 41, 62), "MODE_NORMAL", APP, 2002, 0),
)
TALK = (
    RecorderEvent(at(16, 58, 47, 949), "update", 9255, 10166, "VOICE_COMMUNICATION", APP),
    RecorderEvent(at(16, 59, 40, 768), "stop", 9255, 10166, "VOICE_COMMUNICATION", APP),
)
DUMP = MODES + "\n\n" + RECORDERS + "\n"
HEADING = MODES.splitlines()[0]


def test_both_logs_of_a_dump_are_read():
    assert modes(DUMP, DATE) == CALLS
    assert recorders(DUMP, DATE) == TALK


@pytest.mark.parametrize("title", ["Events log: ", "Audio event log: ", "== "])
def test_any_heading_that_names_the_log_is_one(title):
    text = DUMP.replace("Events log: ", title).replace("Audio event log: ", title)
    assert (modes(text, DATE), recorders(text, DATE)) == (CALLS, TALK)
    assert modes("Audio event log: phone state\n", DATE) == ()


def test_logs_are_read_from_the_top_down_from_the_bottom_up_and_in_any_order():
    head, *lines = MODES.splitlines()
    shuffled = random.Random(3).sample(lines, len(lines))
    assert shuffled not in (lines, lines[::-1])
    for order in (lines, lines[::-1], shuffled):
        assert modes("\n".join([head, *order]), DATE) == CALLS


def test_a_mode_that_was_lost_and_came_back_has_who_asked_and_whose_it_is():
    found = modes(f"{HEADING}\n{LOST_AND_BACK}", DATE)
    assert [(change.mode, change.requester, change.owner_pid) for change in found] == [
        ("MODE_IN_COMMUNICATION", "com.facebook.orca", 2003),
        ("MODE_NORMAL", "android", 0),
        ("MODE_IN_COMMUNICATION", "android", 2003),
        ("MODE_NORMAL", "com.facebook.orca", 0),
    ]


def test_the_very_old_form_ends_behind_the_pid():
    text = f"{HEADING}\n05-08 16:27:49:267 setMode(MODE_RINGTONE) from package={APP} pid=2001\n"
    assert modes(text, DATE) == (ModeChange(at(16, 27, 49, 267), "MODE_RINGTONE", APP, 2001, None),)


def test_who_asked_is_told_from_the_mode_that_was_selected():
    line = f"05-08 16:27:49:267 setMode(MODE_NORMAL) from package={APP} pid=1 selected mode=MODE_IN_CALL by pid=5094"
    assert modes(f"{HEADING}\n{line}", DATE) == (ModeChange(at(16, 27, 49, 267), "MODE_IN_CALL", APP, 1, 5094),)


def test_other_logs_around_are_none_of_it():
    found = modes(SAMSUNG, DATE)
    assert [(change.mode, change.requester) for change in found] == [
        ("MODE_IN_CALL", "com.android.server.telecom"),
        ("MODE_NORMAL", "com.android.server.telecom"),
    ]
    assert recorders(SAMSUNG, DATE) == Missing(
        "cannot be read: dumpsys audio has no log whose heading names 'recording activity'"
    )


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            "rec start riid:1 uid:2 session:3 src:MIC silenced pack:p",
            RecorderEvent(at(16, 0, 0), "start", 1, 2, "MIC", "p"),
        ),
        ("rec release riid:1 uid:2 session:3 src:MIC", RecorderEvent(at(16, 0, 0), "release", 1, 2, "MIC", "")),
        ("rec stop  riid:-1 uid:2 session:3 src:MIC pack:p", RecorderEvent(at(16, 0, 0), "stop", -1, 2, "MIC", "p")),
        ("rec start uid:2 session:3 src:MIC pack:p", RecorderEvent(at(16, 0, 0), "start", -1, 2, "MIC", "p")),
        (
            "rec start riid:1 uid:2 session:3 src:unknown source 7 not silenced pack:p",
            RecorderEvent(at(16, 0, 0), "start", 1, 2, "unknown source 7", "p"),
        ),
        ("rec unknown (9) riid:1", RecorderEvent(at(16, 0, 0), "rec unknown (9) riid:1", -1, -1, "", "")),
    ],
)
def test_recorders_have_several_forms_and_what_is_none_stands_there_with_its_text(line, event):
    assert recorders(f"Events log: recording activity\n05-08 16:00:00:000 {line}\n", DATE) == (event,)


def test_a_mode_that_cannot_be_read_stands_there_with_its_text():
    (found,) = modes(f"{HEADING}\n05-08 16:27:49:267 the mode was reset\n", DATE)
    assert found == ModeChange(at(16, 27, 49, 267), "the mode was reset", "", None, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read: dumpsys audio has no log whose heading names 'phone state'"),
        (
            DUMP.replace("phone state", "modes"),
            "cannot be read: dumpsys audio has no log whose heading names 'phone st",
        ),
        (
            f"{HEADING}\n2026-05-08T16:27 MODE_NORMAL\n",
            "cannot be read: its log 'phone state' has '2026-05-08T16:27 MODE",
        ),
        (f"{HEADING}\nat 16:27 MODE_NORMAL\n", "cannot be read: its log 'phone state' has 'at 16:27 MODE_NORMAL'"),
        (f"{HEADING}\n\n{MODES.splitlines()[1]}", "cannot be read: lines of its log 'phone state' stand outside of it"),
        ("*** SERVICE 'audio' DUMP TIMEOUT (3000ms) EXPIRED ***", "dumpsys audio did not answer in 3 s"),
        ("Can't find service: audio", "the phone has no service audio"),
        (HEADING + "x" * 65_536, "dumpsys audio is longer than 65536 bytes"),
        (f"{HEADING}\n" + "05-08 16:27:49:267 x\n" * 501, "its log 'phone state' has 501 lines"),
    ],
)
def test_a_log_that_is_not_there_or_cannot_be_read_is_missing_and_not_empty(text, why):
    found = modes(text, DATE)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


def test_a_log_without_lines_says_that_nothing_happened():
    assert modes(f"{HEADING}\n\n", DATE) == ()
    assert modes(f"{HEADING}\n--\n- Actual mode = MODE_NORMAL", DATE) == ()
    assert modes(f"{HEADING}\n{RECORDERS}", DATE) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- Requested mode = MODE_IN_CALL\n- Actual mode = MODE_NORMAL\n", "MODE_NORMAL"),
        (SAMSUNG, "MODE_NORMAL"),
        ("- Actual mode = MODE_RINGTONE\n  mAudioModeOwner: AudioModeInfo: mMode=MODE_NORMAL", "MODE_RINGTONE"),
        (
            "- Actual mode = MODE_SINGING\n",
            Missing("cannot be read: dumpsys audio names a mode that is not known: 'MODE_SINGING'"),
        ),
        ("nothing", Missing("cannot be read: dumpsys audio names no mode")),
        ("Can't find service: audio", Missing("the phone has no service audio")),
    ],
)
def test_the_mode_now_is_the_actual_one(text, found):
    assert mode(text) == found


LINES = st.sampled_from([*DUMP.splitlines(), *SAMSUNG.splitlines(), "--", "rec", "05-08 16:27:49:267 rec x"])


@given(st.one_of(st.text(max_size=300), st.lists(LINES | st.text(max_size=40), max_size=20).map("\n".join)))
def test_no_text_makes_it_raise(text):
    assert isinstance(mode(text), str | Missing)
    assert isinstance(modes(text, DATE), tuple | Missing)
    assert isinstance(recorders(text, DATE), tuple | Missing)


@given(st.permutations(MODES.splitlines()[1:] + LOST_AND_BACK.splitlines()))
def test_any_order_gives_the_same_facts(lines):
    assert modes("\n".join([HEADING, *lines]), DATE) == modes(f"{MODES}{LOST_AND_BACK}", DATE)
