"""The cases of docs/validity.md: in every verb every wrong cause, on each phone, early and late, twice.

A case is a trial of the paper's matrix, and what somebody or something does to it (`fail_next` of the control channel,
`lab.virtual.control`). When that is follows from the same trial undisturbed, whose bench time is the same up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from lab.definitions import Role, Service, Trial

Request = dict[str, object]
When = Literal["early", "late"]

APPS = ("whatsapp", "messenger", "snapchat")
SERVICES: tuple[Service, Service] = ("voice", "video")
ROLES: tuple[Role, Role] = ("caller", "callee")
WHENS: tuple[When, When] = ("early", "late")
TWICE = 2
EVERY_TAP = 50
"""So many taps in a row are lost that the harness gives up first."""


@dataclass(frozen=True)
class Undisturbed:
    """The instants of a trial and of its one call where nothing disturbs it, in bench time, and the drawn `ring_s`."""

    begun_ns: int
    placed_ns: int
    rung_ns: int
    answered_ns: int | None
    ended_ns: int
    ring_s: float


@dataclass(frozen=True)
class Verb:
    """A verb in the scenarios that have it; `doer` taps `action` (None: nobody does anything)."""

    scenarios: tuple[str, ...]
    doer: Role | None
    action: str | None
    at_ns: Callable[[Undisturbed, When], int]


def _s(seconds: float) -> int:
    return round(seconds * 1e9)


def _answered_ns(call: Undisturbed, _when: When) -> int:
    return call.ended_ns if call.answered_ns is None else call.answered_ns


def _ringing_ns(call: Undisturbed, when: When) -> int:
    return call.rung_ns + _s(0.3 if when == "early" else call.ring_s - 0.3)


def _talking_ns(call: Undisturbed, when: When) -> int:
    return _answered_ns(call, when) + _s(10.0) if when == "early" else call.ended_ns - _s(3.0)


def _waiting_ns(call: Undisturbed, when: When) -> int:
    return call.rung_ns + _s(call.ring_s + 6.0) if when == "early" else call.ended_ns


HANG_UPS = ("caller_hangs_up", "callee_hangs_up")

VERBS: dict[str, Verb] = {
    "place_call": Verb(("caller_cancels", "callee_hangs_up"), "caller", "place", lambda call, _: call.placed_ns),
    "wait_ringing": Verb(("caller_cancels", "callee_hangs_up"), None, None, _ringing_ns),
    "answer": Verb(HANG_UPS, "callee", "answer", _answered_ns),
    "reject": Verb(("callee_rejects",), "callee", "reject", lambda call, _: call.ended_ns),
    "cancel": Verb(("caller_cancels",), "caller", "hang_up", lambda call, _: call.ended_ns),
    "talk": Verb(HANG_UPS, None, None, _talking_ns),
    "hang_up by caller": Verb(HANG_UPS[:1], "caller", "hang_up", lambda call, _: call.ended_ns),
    "hang_up by callee": Verb(HANG_UPS[1:], "callee", "hang_up", lambda call, _: call.ended_ns),
    "wait_ended": Verb(("system_timeout",), None, None, _waiting_ns),
}


@dataclass(frozen=True)
class Case:
    """One case: the `turn`-th time that `cause` strikes on a side's phone in a verb."""

    verb: str
    cause: str
    side: Role
    when: When
    turn: int
    trial: Trial

    @property
    def id(self) -> str:
        return "/".join((self.verb, self.cause, self.side, self.when, str(self.turn)))

    def requests(self, call: Undisturbed, phones: dict[Role, str]) -> list[Request]:
        """What is asked of the bench before the attempt; nothing where the cause cannot be."""
        return CAUSES[self.cause](Scene(self, call, phones))


@dataclass(frozen=True)
class Scene:
    """A case with the instants of its call and the phones by role."""

    case: Case
    call: Undisturbed
    phones: dict[Role, str]

    @property
    def verb(self) -> Verb:
        return VERBS[self.case.verb]

    @property
    def act_ns(self) -> int:
        return self.verb.at_ns(self.call, self.case.when)

    def after(self, early_s: float, late_s: float) -> int:
        """So long after the verb's instant, or before it."""
        return self.act_ns + _s(early_s if self.case.when == "early" else late_s)

    def visit(self, side: Role, at_ns: int, do: str) -> Request:
        after_s = max(0, at_ns - self.call.begun_ns) / 1e9
        return {"what": "visit", "on": self.phones[side], "when": "begun", "after_s": after_s, "do": do}

    def ends(self, side: Role, at_ns: int) -> Request:
        """Somebody ends the call there by hand: as it rings, which it must, the callee rejects it."""
        ringing = self.call.answered_ns is None or at_ns < self.call.answered_ns
        if side == "callee":
            at_ns = max(at_ns, self.call.rung_ns + _s(0.2))
        return self.visit(side, at_ns, "reject" if side == "callee" and ringing else "hang_up")

    def ends_once_lost(self, side: Role, after_s: float) -> Request:
        """The same so long after the first tap that gets lost."""
        request = self.ends(side, self.act_ns)
        return {**request, "when": "lost", "after_s": after_s}

    def places(self, side: Role, at_ns: int, service: Service | None = None) -> Request:
        return self.visit(side, at_ns, f"place_{service or self.case.trial.service}")

    def lost(self, times: int) -> list[Request]:
        """The taps that the verb needs reach nothing."""
        verb = self.verb
        if verb.doer is None or verb.action is None:
            return []
        do = f"place_{self.case.trial.service}" if verb.action == "place" else verb.action
        return [{"what": "lost_tap", "on": self.phones[verb.doer], "times": times, "do": do}]


def _other(side: Role) -> Role:
    return "callee" if side == "caller" else "caller"


def lost_tap(scene: Scene) -> list[Request]:
    """Early: the first tap is lost, the next is not. Late: all are, and the other side ends the call 2.5 s later."""
    verb = scene.verb
    if scene.case.side != verb.doer:
        return []
    if scene.case.when == "early":
        return scene.lost(1)
    other = [] if verb.action == "place" else [scene.ends_once_lost(_other(scene.case.side), 2.5)]
    return [*scene.lost(EVERY_TAP), *other]


def other_side_first(scene: Scene) -> list[Request]:
    """Somebody acts before the verb does: places the call, answers it, or ends it."""
    verb, side, at_ns = scene.verb, scene.case.side, scene.after(-2.5, -0.6)
    if verb.action == "place":
        return [scene.places(side, at_ns)]
    if verb.action == "answer" and side == "callee":
        return [scene.visit(side, at_ns, "answer")]
    return [scene.ends(side, at_ns)]


def both_within_the_bound(scene: Scene) -> list[Request]:
    """Somebody ends it so close to the verb's tap that clocks hardly tell the order. In turn 2 that tap is lost."""
    if scene.case.turn == TWICE and scene.verb.action not in (None, "place"):
        after_s = 0.1 if scene.case.when == "early" else 0.8
        return [*scene.lost(EVERY_TAP), scene.ends_once_lost(scene.case.side, after_s)]
    at_ns = max(scene.after(-0.15, 0.3), scene.call.placed_ns + _s(0.1))
    return [scene.ends(scene.case.side, at_ns)]


def _again(scene: Scene, placer: Role) -> list[Request]:
    """Before it is placed: another call. Later: the call ends on a phone and is placed again, and answered if it was.
    Late: that begins 1 s after the verb."""
    call, side = scene.call, scene.case.side
    answered = call.answered_ns is not None and scene.act_ns > call.answered_ns
    at_ns = scene.after(-9.0 if answered else -4.0, 1.0)
    if at_ns < call.placed_ns:
        return [scene.places(placer, at_ns), scene.visit(side, at_ns + _s(2.0), "hang_up")]
    requests = [scene.places(placer, at_ns + _s(1.5))]
    if at_ns < call.ended_ns:
        requests.insert(0, scene.ends(side, at_ns))
    if answered:
        requests.append(scene.visit(_other(placer), at_ns + _s(5.0), "answer"))
    return requests


def redial(scene: Scene) -> list[Request]:
    """The call ends and is placed again the same way."""
    return _again(scene, "caller")


def roles_reversed(scene: Scene) -> list[Request]:
    """The call ends and the callee calls back."""
    return _again(scene, "callee")


def service_changed(scene: Scene) -> list[Request]:
    """On the caller: the harness' call is lost and somebody places one of the other service. On the callee, and the
    second time where there is an answer: a voice call becomes a video call."""
    case, call = scene.case, scene.call
    if case.side == "caller" and (case.turn == 1 or call.answered_ns is None):
        other = SERVICES[1 - SERVICES.index(case.trial.service)]
        do = f"place_{case.trial.service}"
        lost = {"what": "lost_tap", "on": scene.phones["caller"], "times": EVERY_TAP, "do": do}
        return [lost, scene.places("caller", call.placed_ns + _s(0.5 if case.when == "early" else 1.5), other)]
    assert call.answered_ns is not None
    at_ns = call.answered_ns + _s(3.0) if case.when == "early" else call.ended_ns - _s(2.0)
    return [scene.visit(case.side, at_ns, "switch_video")]


def _struck(do: str, early_s: float, late_s: float) -> Callable[[Scene], list[Request]]:
    return lambda scene: [scene.visit(scene.case.side, scene.after(early_s, late_s), do)]


CAUSES: dict[str, Callable[[Scene], list[Request]]] = {
    "lost tap": lost_tap,
    "other side first": other_side_first,
    "both within the bound": both_within_the_bound,
    "redial": redial,
    "roles reversed": roles_reversed,
    "service changed": service_changed,
    "another app's call": _struck("other_app_ring", -2.0, 0.2),
    "GSM call rings": _struck("gsm_ring", -2.0, 0.2),
    "GSM call off hook": _struck("gsm_call", -2.0, 0.2),
    "locked": _struck("lock", -1.5, 0.1),
    "app killed": _struck("kill_app", -1.5, 0.1),
}


def cases(directions: Sequence[str]) -> list[Case]:
    """All of them, in the order of the table; the apps, services and directions take turns."""
    return list(_cases(directions))


def _cases(directions: Sequence[str]) -> Iterator[Case]:
    cells = product(enumerate(VERBS.items()), enumerate(CAUSES), ROLES, WHENS, range(1, 1 + TWICE))
    for number, ((row, (name, verb)), (column, cause), side, when, turn) in enumerate(cells):
        scenario = verb.scenarios[(turn - 1) % len(verb.scenarios)]
        service: Service = SERVICES[number // 2 % 2]
        if cause == "service changed":
            # On the callee only an answered call can change; only a voice call becomes a video call.
            scenario = verb.scenarios[-1]
            service = "voice" if scenario in HANG_UPS and (side == "callee" or turn == TWICE) else service
        trial = Trial(APPS[(row + column + turn) % 3], service, directions[(number + row) % 2], scenario, 1)
        if can_be(verb, cause, side, scenario):
            yield Case(name, cause, side, when, turn, trial)


def can_be(verb: Verb, cause: str, side: Role, scenario: str) -> bool:
    """Whether there is such a cell: no tap is lost where nobody taps, and on the callee only answered calls change."""
    if cause == "lost tap":
        return side == verb.doer
    return cause != "service changed" or side == "caller" or scenario in HANG_UPS
