"""The end of a run that was asked for: held back while things are put in order, and the handlers put back."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lab.clocks.stop import Stop, terminable
from lab.errors import Interrupted


def test_a_held_stop_waits_until_things_are_put_back_in_order() -> None:
    stop = Stop()
    stop.request()
    with stop.held():
        stop.check()
    with pytest.raises(Interrupted):
        stop.check()


def test_a_stop_that_one_thread_holds_back_interrupts_the_others() -> None:
    stop, other = Stop(), []
    stop.request()

    def check() -> None:
        try:
            stop.check()
        except Interrupted:
            other.append("interrupted")

    with stop.held():
        thread = threading.Thread(target=check)
        thread.start()
        thread.join()
        stop.check()
    assert other == ["interrupted"]


def test_a_held_stop_does_not_cut_a_wait_short(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, slept = Stop(), []
    monkeypatch.setattr("time.sleep", slept.append)
    stop.request()
    stop.wait(60.0)  # asked for already: no time passes
    with stop.held():
        stop.wait(0.25)
    assert slept == [0.25]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_end_and_the_handlers_of_before_are_put_back(number: signal.Signals) -> None:
    # Whatever these tests run under: nohup has SIGHUP ignored, which is to stay so.
    at_first, before = signal.getsignal(number), signal.default_int_handler
    signal.signal(number, before)
    try:
        stop = Stop()
        with stop.on_signals():
            assert not stop.requested
            os.kill(os.getpid(), number)
            assert stop.requested
        assert signal.getsignal(number) == before
    finally:
        signal.signal(number, at_first)


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop().on_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with terminable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_sigterm_ends_what_is_terminable_as_ctrl_c_does_and_a_second_one_disturbs_nothing() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(KeyboardInterrupt), terminable():
            os.kill(os.getpid(), signal.SIGTERM)
        assert [signal.getsignal(number) for number in before] == [signal.SIG_IGN] * 3
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_is_terminable_and_ends_by_itself_leaves_the_handler_of_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == before
