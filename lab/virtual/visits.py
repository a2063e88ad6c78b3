"""Causes that are not the lab: people at the phones, calls from elsewhere, and taps that get lost.

What is asked for holds for one attempt: the one that runs, else the next one. A person acts by the handset's own taps
where its screen shows what to tap; the call ends, is answered or is placed either way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Literal, get_args

from lab.definitions.base import Service
from lab.definitions.virtual_app import HEIGHT, Action, VirtualApp
from lab.virtual.handset.audio import TELECOM
from lab.virtual.handset.exchange import Call, Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.windows import Do, Shown
from lab.virtual.world import World

KINDS = ("visit", "lost_tap", "visitor")
INSTANTS = ("begun", "placed", "rung", "answered", "ended", "lost")
"""Of the attempt, of its first call, and of the first tap that got lost."""

SIM_S, OTHER_RING_S = 10.0, 8.0
"""How long a SIM's call and a call in another app go on."""

What = Literal["sim_ring", "sim_call", "other_ring", "locked"]


@dataclass
class Interruption:
    """Something on a phone that was not of a call in the trial's app. Instants are bench time, None: not over yet."""

    what: What
    phone: str
    package: str
    begun_ns: int
    ended_ns: int | None = None

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class Cause:
    """What a test asked for. `times` are attempts, and for a lost tap the taps of one attempt."""

    what: str
    phone: str
    times: int
    when: str = "begun"
    after_ns: int = 0
    do: str = ""
    every_ns: int = 0


@dataclass
class _Attempt:
    """What holds for one attempt, and what has happened in it."""

    causes: list[Cause] = field(default_factory=list)
    instants: dict[str, int] = field(default_factory=dict)
    interruptions: list[Interruption] = field(default_factory=list)
    runs: bool = False


class Visits:
    """The causes of one bench; a listener of its exchange. `begin` comes after that of the world and the handsets."""

    def __init__(self, world: World, exchange: Exchange, handsets: Mapping[str, Handset]) -> None:
        self._world, self._exchange, self._handsets = world, exchange, handsets
        self._waiting: list[Cause] = []
        self._now = _Attempt()
        self._by_hand = False
        self._acts: Mapping[str, Callable[[Handset, Random], None]] = {
            "hang_up": lambda handset, draw: self._press(handset, "hang_up", exchange.hang_up),
            "reject": lambda handset, draw: self._press(handset, "reject", exchange.reject),
            "answer": lambda handset, draw: self._press(handset, "answer", exchange.answer),
            "place_voice": lambda handset, draw: self._place(handset, "voice"),
            "place_video": lambda handset, draw: self._place(handset, "video"),
            "switch_video": lambda handset, draw: exchange.switch_video(handset.name),
            "gsm_ring": lambda handset, draw: self._sim(handset, 1),
            "gsm_call": lambda handset, draw: self._sim(handset, 2),
            "other_app_ring": self._ring_other,
            "lock": lambda handset, draw: self._lock(handset),
            "kill_app": lambda handset, draw: handset.force_stop(self._app(handset).package),
            "tap_random": self._tap_random,
        }
        for handset in handsets.values():
            handset.loses = partial(self._loses, handset.name)

    # What a test asks for

    def ask(self, what: str, on: str, times: int, **details: Any) -> None:
        """Take a cause. Raises ValueError for one that cannot be, TypeError for details that are not of its kind."""
        kinds: Mapping[str, Callable[..., Cause]] = {
            "visit": self._visit,
            "lost_tap": self._lost_tap,
            "visitor": self._visitor,
        }
        cause = kinds[what](on, times, **details)
        if self._now.runs:
            self._arm(cause)
        else:
            self._waiting.append(cause)

    def _visit(self, on: str, times: int, *, when: str, after_s: float, do: str) -> Cause:
        _one_of("when", when, INSTANTS)
        _one_of("do", do, tuple(self._acts))
        if after_s < 0:
            raise ValueError(f"after_s must not be negative, is {after_s}")
        return Cause("visit", on, times, when, round(after_s * 1e9), do)

    def _lost_tap(self, on: str, times: int, *, do: str) -> Cause:
        _one_of("do", do, get_args(Action))
        return Cause("lost_tap", on, times, do=do)

    def _visitor(self, on: str, times: int, *, every_s: float) -> Cause:
        if every_s < 0.1:
            raise ValueError(f"every_s must be at least 0.1, is {every_s}")
        return Cause("visitor", on, times, every_ns=round(every_s * 1e9))

    # The attempt

    def begin(self, trial: str) -> None:
        """An attempt begins, and what was asked for holds; without a trial the bench only gets ready."""
        self._now = _Attempt(runs=bool(trial))
        if not trial:
            return
        waiting, self._waiting = self._waiting, []
        for cause in waiting:
            if cause.what != "lost_tap" and cause.times > 1:
                self._waiting.append(Cause(**{**vars(cause), "times": cause.times - 1}))
            self._arm(cause)
        self._at("begun")

    def end(self) -> None:
        """The attempt is over: nobody does anything any more."""
        self._now.runs = False

    def truth(self) -> dict[str, Any]:
        """Fields of the truth: what there was beside the calls of the exchange, in the order of its beginning."""
        found = self._now.interruptions
        return {
            "sim_calls": sum(one.what in ("sim_ring", "sim_call") for one in found),
            "other_calls": sum(one.what == "other_ring" for one in found),
            "other_calls_touched": sum(handset.other_call.touches for handset in self._handsets.values()),
            "interruptions": [one.as_json() for one in found],
        }

    def placed(self, call: Call) -> None:
        self._of_first("placed", call)

    def rung(self, call: Call) -> None:
        self._of_first("rung", call)

    def answered(self, call: Call) -> None:
        self._of_first("answered", call)

    def ended(self, call: Call) -> None:
        self._of_first("ended", call)

    def _of_first(self, instant: str, call: Call) -> None:
        if call is self._exchange.calls[0]:
            self._at(instant)

    def _at(self, instant: str) -> None:
        if instant not in self._now.instants:
            self._now.instants[instant] = self._world.now_ns
            for index, cause in enumerate(self._now.causes):
                self._schedule(index, cause, instant)

    def _arm(self, cause: Cause) -> None:
        self._now.causes.append(cause)
        for instant in tuple(self._now.instants):
            self._schedule(len(self._now.causes) - 1, cause, instant)

    def _schedule(self, index: int, cause: Cause, instant: str) -> None:
        if cause.what == "lost_tap" or cause.when != instant:
            return
        draw = self._world.chance(f"visits/{cause.phone}/{index}")
        if cause.what == "visitor":
            self._world.after(_gap_ns(cause, draw), partial(self._visit_again, cause, draw))
        else:
            due_ns = self._now.instants[instant] + cause.after_ns
            self._world.at(due_ns, partial(self._do, cause.phone, cause.do, draw))

    def _visit_again(self, cause: Cause, draw: Random) -> None:
        if self._now.runs:
            self._do(cause.phone, "tap_random", draw)
            self._world.after(_gap_ns(cause, draw), partial(self._visit_again, cause, draw))

    def _do(self, phone: str, do: str, draw: Random) -> None:
        if not self._now.runs:
            return
        self._by_hand = True
        try:
            self._acts[do](self._handsets[phone], draw)
        finally:
            self._by_hand = False

    def _loses(self, phone: str, action: Do) -> bool:
        """Whether a gesture of the lab on a node with this action gets lost; a person's never does."""
        if self._by_hand:
            return False
        for cause in self._now.causes:
            if cause.what == "lost_tap" and (cause.phone, cause.do) == (phone, action) and cause.times > 0:
                cause.times -= 1
                self._at("lost")
                return True
        return False

    # What people do

    def _press(self, handset: Handset, action: Do, otherwise: Callable[[str], None]) -> None:
        """Use the button where it can be tapped, its controls shown first; else by other means of the phone."""
        hidden = _reachable(handset, "show_controls") if _reachable(handset, action) is None else None
        if hidden is not None:
            handset.tap(*_middle(hidden))
        button = _reachable(handset, action)
        if button is None:
            otherwise(handset.name)
        elif button.tap == action:
            handset.tap(*_middle(button))
        else:
            x, y = _middle(button)
            handset.swipe(x, y, x, max(0.0, y - HEIGHT / 4))

    def _app(self, handset: Handset) -> VirtualApp:
        """The app of the attempt's first call, else the one in front of any phone, this one first, else the first."""
        if self._exchange.calls:
            return self._exchange.calls[0].app
        places = [one.foreground.place for one in (handset, *self._handsets.values())]
        return next((place.app for place in places if place is not None), next(iter(handset.apps.values())))

    def _place(self, handset: Handset, service: Service) -> None:
        app = self._app(handset)
        handset.key("wakeup")
        handset.dismiss_keyguard()
        handset.packages.stopped.discard(app.package)
        handset.packages.started.add(app.package)
        for title in list(self._exchange.peers(handset.name, app).values())[:1]:
            self._exchange.place(handset.name, app, service, title)

    def _sim(self, handset: Handset, state: Literal[1, 2]) -> None:
        if handset.sim_state != 0:
            return
        handset.sim_state = state
        one = self._interrupted("sim_ring" if state == 1 else "sim_call", handset, TELECOM)
        self._world.after(round(SIM_S * 1e9), lambda: self._end_sim(handset, one))

    def _end_sim(self, handset: Handset, one: Interruption) -> None:
        handset.sim_state = 0
        one.ended_ns = self._world.now_ns

    def _ring_other(self, handset: Handset, draw: Random) -> None:
        own = self._app(handset)
        others = [app for name, app in handset.apps.items() if name != own.name]
        if not others or handset.other_call.posted():
            return
        app = others[draw.randrange(len(others))]
        handset.other_call.ring(app)
        one = self._interrupted("other_ring", handset, app.package)
        self._world.after(round(OTHER_RING_S * 1e9), lambda: self._end_other(handset, one))

    def _end_other(self, handset: Handset, one: Interruption) -> None:
        handset.other_call.end()
        one.ended_ns = self._world.now_ns

    def _lock(self, handset: Handset) -> None:
        handset.key("sleep")
        self._interrupted("locked", handset, "")

    def _interrupted(self, what: What, handset: Handset, package: str) -> Interruption:
        one = Interruption(what, handset.name, package, self._world.now_ns)
        self._now.interruptions.append(one)
        return one

    def _tap_random(self, handset: Handset, draw: Random) -> None:
        """Tap the middle of any node that takes taps; with the screen off there is none."""
        nodes = [shown for window in handset.windows() for shown in window.shown if shown.node.clickable]
        if nodes:
            handset.tap(*_middle(nodes[draw.randrange(len(nodes))]))


def _gap_ns(cause: Cause, draw: Random) -> int:
    """Half to one and a half of the visitor's `every_s`."""
    return cause.every_ns // 2 + draw.randrange(cause.every_ns)


def _middle(shown: Shown) -> tuple[float, float]:
    left, top, right, bottom = shown.node.bounds
    return (left + right) / 2, (top + bottom) / 2


def _reachable(handset: Handset, action: Do) -> Shown | None:
    """The node with this action whose middle no other node or window covers."""
    for window in handset.windows():
        for shown in window.shown:
            if action in (shown.tap, shown.swipe_up) and action in _done_at(handset, *_middle(shown)):
                return shown
    return None


def _done_at(handset: Handset, x: float, y: float) -> tuple[Do, Do]:
    """What a tap at a point does, and a swipe up from there."""
    under = handset.under(x, y)
    tapped: Do = next((shown.tap for shown in under if shown.node.clickable), "none")
    swiped: Do = next((shown.swipe_up for shown in under if shown.swipe_up != "none"), "none")
    return tapped, swiped


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"no {key} {value!r}; there is {', '.join(known)}")
