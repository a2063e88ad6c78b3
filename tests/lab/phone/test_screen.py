"""A phone's screen through its agent: what is touched where, and errors of an agent that become trouble."""

from __future__ import annotations

import base64
from http.client import RemoteDisconnected
from types import SimpleNamespace

import pytest

from lab.definitions import App
from lab.errors import PhoneTrouble
from lab.phone.phone import Phone
from lab.phone.screen import MAX_HIERARCHY_BYTES, Screen
from tests.lab.phone.handset import Handset, Seen


@pytest.mark.parametrize(
    "error", [RemoteDisconnected("closed"), ValueError("half a reply"), ConnectionResetError(), EOFError()]
)
def test_an_agent_that_fails_is_trouble_with_the_phone(phone: Phone, handset: Handset, whatsapp: App, error: Exception):
    handset.broken = error
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent fails: "):
        phone.calls.state(whatsapp)


@pytest.fixture
def screen(handset: Handset) -> Screen:
    return Screen("pixel6", handset)


def test_the_middle_of_what_is_found_is_touched_and_nothing_else(screen: Screen, handset: Handset):
    handset.screen = [Seen(text="a"), Seen(text="b")]
    assert [screen.find({"text": text}) for text in ("a", "b", "c")] == [(10, 5), (10, 15), None]
    assert [screen.tap({"text": text}) for text in ("b", "c")] == [True, False]
    assert [screen.swipe_up({"text": text}) for text in ("c", "d")] == [False, False]
    assert handset.done == ["tap b"]


def test_visible_bounds_count_where_an_object_is_partly_hidden(screen: Screen):
    bounds = {"left": 0, "top": 0, "right": 100, "bottom": 100}
    info = {"bounds": bounds, "visibleBounds": bounds | {"bottom": 50}}
    assert Screen("pixel6", lambda **_: SimpleNamespace(info=info)).find({"text": "a"}) == (50, 25)


@pytest.mark.parametrize("info", [{}, {"bounds": {"left": 0}}, {"bounds": None}, "text"])
def test_an_object_without_bounds_is_trouble(info: object):
    broken = Screen("pixel6", lambda **_: SimpleNamespace(info=info))
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent describes an object without bounds$"):
        broken.tap({"text": "a"})


def test_a_screenshot_that_a_protected_window_refuses_is_empty_and_one_that_is_no_base64_is_trouble():
    def shot(text: str | None) -> bytes:
        return Screen("pixel6", SimpleNamespace(jsonrpc=SimpleNamespace(takeScreenshot=lambda *_: text))).screenshot()

    assert (shot(None), shot(""), shot(base64.b64encode(b"jpeg").decode())) == (b"", b"", b"jpeg")
    with pytest.raises(PhoneTrouble, match=r"^pixel6: its agent sends a screenshot that is no base64$"):
        shot("a")


def test_of_a_hierarchy_at_most_4_mib_are_kept():
    agent = SimpleNamespace(jsonrpc=SimpleNamespace(dumpWindowHierarchy=lambda *_: "é" * MAX_HIERARCHY_BYTES))
    assert len(Screen("pixel6", agent).hierarchy()) == 4 << 20
