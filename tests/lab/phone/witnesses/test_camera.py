"""`dumpsys media.camera` as phones printed it, to the second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.phone.witnesses.camera import events, open_clients
from lab.phone.witnesses.facts import CameraEvent, Missing
from tests.lab.phone.witnesses.extracts import CAMERA, CAMERA_AOSP, DATE

SIGNAL, SAMSUNG = "org.thoughtcrime.securesms", "com.sec.android.app.camera"
AUGUST_2025_S = 1_756_219_440
"""08-26 16:44:00 at +0200, of the year before `DATE`'s."""


def told(found) -> list[tuple[float, str, str, str]]:
    return [(one.at_ns / 1e9 - AUGUST_2025_S, one.event, one.device, one.package) for one in found]


def test_clients_are_read_oldest_first_with_their_devices():
    assert told(events(CAMERA, DATE)) == [
        (19.0, "CONNECT", "20", SAMSUNG),
        (21.0, "DISCONNECT", "20", SAMSUNG),
        (55.0, "CONNECT", "0", SIGNAL),
        (58.0, "DISCONNECT", "0", SIGNAL),
    ]


def test_of_one_second_what_stands_on_top_came_last():
    text = CAMERA.replace("16:44:58", "16:44:55").replace("16:44:21", "16:44:19")
    assert [event.event for event in events(text, DATE)] == ["CONNECT", "DISCONNECT"] * 2
    alone = "\n".join(CAMERA.replace("16:44:58", "16:44:55").splitlines()[:7])
    assert [event.event for event in events(alone, DATE)] == ["CONNECT", "DISCONNECT"]


def test_a_log_that_runs_the_other_way_has_the_same_facts():
    *head, fourth, third, second, first = CAMERA.splitlines()
    assert events("\n".join([*head, first, second, third, fourth]), DATE) == events(CAMERA, DATE)
    assert events("\n".join([*head, third, first, fourth, second]), DATE) == events(CAMERA, DATE)


def test_other_lines_are_kept_without_a_client():
    found = events(CAMERA_AOSP, DATE)
    assert [(event.event, event.device, event.package) for event in found] == [
        ("USER_SWITCH", "", ""),
        ("REMOVE", "", ""),
        ("ADD", "", ""),
    ]


def test_an_eviction_names_its_client_and_its_second_line_is_none():
    text = (
        "== Camera service events log (most recent at top): ==\n"
        "  05-08 10:00:02 : DIED client(s) with PID 7, reason: (Binder died unexpectedly)\n"
        "  05-08 10:00:01 : EVICT device 1 client held by package a.b (PID 7, score 0, state 2)\n"
        "   - Evicted by device 1 client for package c.d (PID 8, score 0, state 2)\n"
        "  05-08 10:00:00 : CONNECT device 1 client for package a.b (PID 7)\n"
    )
    found = [(event.event, event.device, event.package) for event in events(text, DATE)]
    assert found == [("CONNECT", "1", "a.b"), ("EVICT", "1", "a.b"), ("DIED", "", "")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read: dumpsys media.camera has no log of events"),
        ("Can't find service: media.camera", "the phone has no service media.camera"),
        ("== Camera service events log: ==\n  CONNECT a.b\n", "cannot be read: the camera's log has '  CONNECT a.b'"),
        (
            "== Camera service events log: ==\n  10:00 CONNECT a.b\n",
            "cannot be read: the camera's log has '  10:00 CONN",
        ),
    ],
)
def test_a_log_that_is_not_there_or_cannot_be_read_is_missing(text, why):
    found = events(text, DATE)
    assert isinstance(found, Missing)
    assert found.why.startswith(why)


@pytest.mark.parametrize("text", ["  [no events yet]\n", "\n", ""])
def test_a_log_without_events_is_empty(text):
    assert events(f"== Camera service events log (most recent at top): ==\n{text}", DATE) == ()


def one(event: str, at_s: int, device: str = "0", package: str = "a") -> CameraEvent:
    return CameraEvent(at_s * 1_000_000_000, event, device, package)


def test_a_client_is_open_between_its_connect_and_its_end():
    log = (one("CONNECT", 1), one("DISCONNECT", 2), one("CONNECT", 3), one("CONNECT", 4, "1"), one("EVICT", 5, "1"))
    assert open_clients(log) == (("0", "a"),)
    assert open_clients(log[:2]) == ()
    assert open_clients(log[:4]) == (("0", "a"), ("1", "a"))


def test_a_client_that_first_goes_was_there_though_its_connect_is_older_than_the_log():
    later = (one("DISCONNECT", 7, "5"), one("CONNECT", 8, "6"), one("DISCONNECT", 9, "6"))
    assert open_clients((), later) == (("5", "a"),)
    assert open_clients((), (replace(later[0], event="DIED"),)) == ()


@given(st.lists(st.sampled_from(CAMERA.splitlines()) | st.text(max_size=60), max_size=12).map("\n".join))
def test_no_text_makes_it_raise(text):
    assert isinstance(events(text, DATE), tuple | Missing)


@given(st.permutations(CAMERA.splitlines()[5:]))
def test_any_order_gives_the_same_facts(lines):
    assert events("\n".join(["Camera service events log", *lines]), DATE) == events(CAMERA, DATE)
