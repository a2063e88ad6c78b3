"""What agents and `input` print where Android refuses them, and what is made of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from uiautomator2.exceptions import RPCUnknownError, UiAutomationNotConnectedError

from lab.errors import PhoneTrouble
from lab.phone.agent_words import cause, explained
from lab.phone.screen import Screen

MIUI = (
    "java.lang.SecurityException: Injecting input events requires the caller (or the source of the instrumentation, if "
    "any) to have the INJECT_EVENTS permission."
)
FORBIDDEN = "the phone forbids taps by adb (INJECT_EVENTS); switch on `USB debugging (Security settings)`"


def test_a_refused_tap_names_its_permission_though_a_long_trace_stands_before_it():
    assert cause(RPCUnknownError("Unknown RPC error: -32001 " + "x" * 900, [1, 2], MIUI)).startswith(FORBIDDEN)
    assert cause(RPCUnknownError(f"Unknown RPC error: -32001 {MIUI}", [1, 2], None)).startswith(FORBIDDEN)


def test_a_uiautomation_that_is_gone_and_one_that_another_holds_have_each_their_own_fix():
    gone, held = (
        cause(UiAutomationNotConnectedError("UiAutomation not connected")),
        cause(ValueError("IllegalStateException: UiAutomationService X already registered!")),
    )
    assert "(UiAutomation not connected); end what else tests on the phone and run again" in gone
    assert "another program holds the phone's UiAutomation" in held
    assert explained("java.lang.NullPointerException") is None


def test_what_is_not_known_is_cut_and_keeps_its_beginning():
    assert cause(ValueError("a\n  b" + "c" * 900)) == "ValueError: a b" + "c" * 297


@pytest.mark.parametrize("error", [UiAutomationNotConnectedError("UiAutomation not connected"), OSError("closed")])
def test_an_agent_that_answers_pings_alone_is_not_healthy(error: Exception):
    def agent(**query: str) -> object:
        raise error

    with pytest.raises(PhoneTrouble, match="pixel6: its agent fails: "):
        Screen("pixel6", agent).check_health()
    asked: list[dict[str, str]] = []
    Screen("pixel6", lambda **query: asked.append(query) or SimpleNamespace(exists=False)).check_health()
    assert asked == [{"packageNameMatches": ".+"}]
