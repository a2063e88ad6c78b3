"""The operators of the emulated apps: who rings whom, and what each handset learns of it and when.

Every delay is drawn from the app's timers by a key of the attempt, so the same taps at the same instants give the same
calls. Instants are bench time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from lab.definitions.base import Role, Service
from lab.definitions.scenario import Uniform
from lab.definitions.virtual_app import Phase, VirtualApp
from lab.virtual.world import Timer, World

EndedBy = Literal["caller", "callee", "system"]

_SCENARIOS: Mapping[tuple[bool, EndedBy], str] = {
    (False, "caller"): "caller_cancels",
    (False, "callee"): "callee_rejects",
    (False, "system"): "system_timeout",
    (True, "caller"): "caller_hangs_up",
    (True, "callee"): "callee_hangs_up",
}


def draw_ns(world: World, name: str, span: Uniform) -> int:
    """A time between the bounds of `span`, in nanoseconds, keyed by the attempt and `name`."""
    low_ns, high_ns = round(span.low_s * 1e9), round(span.high_s * 1e9)
    return world.chance(name).randrange(low_ns, high_ns + 1)


@dataclass(eq=False)
class Call:
    """One call between two phones, as the operator knows it.

    `service` is what it began as; `services` is what it was, in order: a voice call may become a video call.
    """

    app: VirtualApp
    service: Service
    caller: str
    callee: str
    placed_ns: int
    rung_ns: int | None = None
    answered_ns: int | None = None
    ended_ns: int | None = None
    ended_by: EndedBy | None = None
    services: list[Service] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = self.services or [self.service]

    @property
    def shown_as(self) -> Service:
        """What it is now."""
        return self.services[-1]

    @property
    def scenario(self) -> str | None:
        """Which of the five call scenarios this was.

        None while it runs, and where it was none of the five: the system ended a call that never rang or was answered
        (busy callee, callee out of reach).
        """
        if self.ended_by is None:
            return None
        if self.ended_by == "system" and (self.rung_ns is None or self.answered_ns is not None):
            return None
        return _SCENARIOS[self.answered_ns is not None, self.ended_by]

    def role(self, phone: str) -> Role:
        """Whether `phone` calls or is called."""
        return "caller" if phone == self.caller else "callee"


@dataclass(eq=False)
class CallView:
    """A call as one of its two phones knows it now. `peer` is what it calls the other phone in the app."""

    call: Call
    role: Role
    peer: str
    ringing: bool = False
    accepted: bool = False
    talking_since_ns: int | None = None

    @property
    def state(self) -> Literal["outgoing", "incoming", "connected"]:
        if self.accepted:
            return "connected"
        return "outgoing" if self.role == "caller" else "incoming"

    @property
    def phase(self) -> Phase:
        if self.accepted:
            return "connecting" if self.talking_since_ns is None else "talking"
        return "ringing" if self.ringing or self.role == "callee" else "calling"


class CallListener(Protocol):
    """Told of each instant in a call's life, at that instant."""

    def placed(self, call: Call) -> None: ...
    def rung(self, call: Call) -> None: ...
    def answered(self, call: Call) -> None: ...
    def ended(self, call: Call) -> None: ...


class Subscriber(Protocol):
    """What the exchange needs of a phone, by app name: `contacts` are its own addresses, `titles` what others show."""

    contacts: Mapping[str, str]
    titles: Mapping[str, str]

    def reachable(self, app: VirtualApp) -> bool: ...
    def placed(self, call: Call, peer: str) -> None: ...
    def offered(self, call: Call, peer: str) -> None: ...
    def callee_rings(self, call: Call) -> None: ...
    def accepted(self, call: Call) -> None: ...
    def connected(self, call: Call) -> None: ...
    def switched(self, call: Call) -> None: ...
    def over(self, call: Call) -> None: ...


@dataclass(eq=False)
class _Line:
    """A call with what the exchange still has to do for it."""

    call: Call
    index: int
    accepted: bool = False
    timers: list[Timer] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.call.ended_ns is not None


class Exchange:
    """Signals calls between its `subscribers`, by phone; a phone has at most one call at a time.

    `calls` are those of this attempt, oldest first; `networks` are the labels of the phones' networks, `late_ns` how
    much later than the app's own times the answer of a phone counts. With a phone of `cut_off` nothing rings and
    nothing is connected, and nothing is connected with one that is `relayless`. An answered call is connected after the
    app's own times and over after them; `by_media` when a listener says `media_connected` and `media_closed`.
    """

    def __init__(self, world: World, listeners: list[CallListener], *, by_media: bool = False) -> None:
        self.world, self.listeners, self.by_media = world, listeners, by_media
        self.subscribers: dict[str, Subscriber] = {}
        self.networks: Mapping[str, str] = {}
        self.late_ns: dict[str, int] = {}
        self.cut_off: set[str] = set()
        self.relayless: set[str] = set()
        self.calls: list[Call] = []
        self._lines: dict[str, _Line] = {}

    def begin(self) -> None:
        """Forget all calls; what still runs is over without anybody being told."""
        for line in self._lines.values():
            self._close(line, "system")
        self._lines.clear()
        self.calls.clear()

    def drop(self) -> None:
        """End what runs, by the system, at once on both sides; listeners are told."""
        for line in dict.fromkeys(self._lines.values()):
            if not line.over:
                self._close(line, "system")
                self._tell("ended", line.call)
            for phone in (line.call.caller, line.call.callee):
                self._leave(line, phone)

    def peers(self, phone: str, app: VirtualApp) -> dict[str, str]:
        """What the other phones are called in that app, by their addresses."""
        others = [one for name, one in self.subscribers.items() if name != phone]
        return {one.contacts[app.name]: one.titles[app.name] for one in others if app.name in one.contacts}

    def place(self, phone: str, app: VirtualApp, service: Service, title: str) -> Call | None:
        """Have `phone` call the phone that is called `title` in `app`.

        Returns None, and does nothing, where there is no such other phone or `phone` is in a call already.
        """
        callee = self._owner(phone, app, title)
        if callee is None or phone in self._lines:
            return None
        call = Call(app, service, phone, callee, self.world.now_ns)
        line = self._lines[phone] = _Line(call, len(self.calls))
        self.calls.append(call)
        self.subscribers[phone].placed(call, title)
        self._tell("placed", call)
        ring_ns = self._ring_delay(line)
        timeout_ns = self._draw(line, "ring_timeout", app.timers.ring_timeout_s)
        self._later(line, ring_ns, lambda: self._ring(line))
        self._later(line, ring_ns + timeout_ns, lambda: self._end(line, "system"))
        return call

    def answer(self, phone: str) -> None:
        """Have a ringing phone answer; anything else is ignored."""
        line = self._lines.get(phone)
        if line is None or line.over or line.accepted or line.call.callee != phone:
            return
        line.accepted = True
        self._cancel(line)
        self.subscribers[phone].accepted(line.call)
        answer_ns = self._draw(line, "answer_delay", line.call.app.timers.answer_delay_s)
        self._later(line, answer_ns + self.late_ns.get(phone, 0), lambda: self._answered(line))

    def reject(self, phone: str) -> None:
        """Have a ringing phone reject; anything else is ignored."""
        line = self._lines.get(phone)
        if line is not None and line.call.callee == phone and not line.accepted:
            self.hang_up(phone)

    def hang_up(self, phone: str) -> None:
        """Have `phone` leave its call: a cancel before the answer if it calls, a rejection if it is called."""
        line = self._lines.get(phone)
        if line is not None and not line.over:
            self._end(line, line.call.role(phone))

    def lose(self, phone: str) -> None:
        """The operator gives up a call whose phone is out of reach."""
        line = self._lines.get(phone)
        if line is not None and not line.over:
            self._end(line, "system")

    def switch_video(self, phone: str) -> None:
        """Have the voice call of a phone become a video call on both phones; anything else is ignored.

        What is on the wire stays as it was: only the phones tell of it.
        """
        line = self._lines.get(phone)
        if line is None or line.over or line.call.answered_ns is None or "video" in line.call.services:
            return
        if "video" not in line.call.app.services:
            return
        line.call.services.append("video")
        for each in (line.call.caller, line.call.callee):
            self.subscribers[each].switched(line.call)

    def _owner(self, phone: str, app: VirtualApp, title: str) -> str | None:
        for name, subscriber in self.subscribers.items():
            if name != phone and subscriber.titles.get(app.name) == title:
                return name
        return None

    def _ring_delay(self, line: _Line) -> int:
        """From placing until the callee rings: on some networks a call finds its phone late."""
        timers, network = line.call.app.timers, self.networks.get(line.call.callee)
        delay_ns, slow = self._draw(line, "ring_delay", timers.ring_delay_s), timers.slow_ring
        if slow is None or slow.callee_network != network:
            return delay_ns
        late = self.world.chance(f"exchange/{line.index}/slow_ring").randrange(100) < slow.percent
        return delay_ns + (self._draw(line, "slow_ring/more", slow.more_s) if late else 0)

    def _ring(self, line: _Line) -> None:
        call = line.call
        callee = self.subscribers[call.callee]
        if not callee.reachable(call.app) or self.cut_off & {call.caller, call.callee}:
            return
        if call.callee in self._lines:
            self._end(line, "system")
            return
        self._lines[call.callee] = line
        call.rung_ns = self.world.now_ns
        callee.offered(call, self.subscribers[call.caller].titles.get(call.app.name, ""))
        self._tell("rung", call)
        signal_ns = self._draw(line, "ring_signal", call.app.timers.signal_s)
        self._later(line, signal_ns, lambda: self.subscribers[call.caller].callee_rings(call))

    def media_connected(self, call: Call) -> None:
        """Both phones have a path for media: where `by_media`, they show the conversation from now on."""
        if call.ended_ns is None:
            for phone in (call.callee, call.caller):
                self.subscribers[phone].connected(call)

    def media_closed(self, call: Call) -> None:
        """Nothing of a call that has ended is sent any more: where `by_media`, the phones leave it now."""
        for line in [one for one in self._lines.values() if one.call is call and one.over]:
            for phone in (call.caller, call.callee):
                self._leave(line, phone)

    def _answered(self, line: _Line) -> None:
        call = line.call
        if (self.cut_off | self.relayless) & {call.caller, call.callee}:
            return
        call.answered_ns = self.world.now_ns
        self._tell("answered", call)
        if self.by_media:
            return
        self.subscribers[call.callee].connected(call)
        signal_ns = self._draw(line, "answer_signal", call.app.timers.signal_s)
        self._later(line, signal_ns, lambda: self.subscribers[call.caller].connected(call))

    def _end(self, line: _Line, by: EndedBy) -> None:
        """The one who ends knows at once; the others after the hang-up delay (the system tells both)."""
        call = line.call
        self._close(line, by)
        self._tell("ended", call)
        if self.by_media:
            return
        for phone, role in ((call.caller, "caller"), (call.callee, "callee")):
            if role == by:
                self._leave(line, phone)
            elif self._lines.get(phone) is line:
                delay_ns = self._draw(line, f"hangup_delay/{role}", call.app.timers.hangup_delay_s)
                self.world.after(delay_ns, partial(self._leave, line, phone))

    def _leave(self, line: _Line, phone: str) -> None:
        if self._lines.get(phone) is line:
            del self._lines[phone]
            self.subscribers[phone].over(line.call)

    def _close(self, line: _Line, by: EndedBy) -> None:
        if not line.over:
            line.call.ended_ns, line.call.ended_by = self.world.now_ns, by
        self._cancel(line)

    def _cancel(self, line: _Line) -> None:
        for timer in line.timers:
            timer.cancel()
        line.timers.clear()

    def _later(self, line: _Line, delay_ns: int, action: Callable[[], None]) -> None:
        line.timers.append(self.world.after(delay_ns, action))

    def _draw(self, line: _Line, name: str, span: Uniform) -> int:
        return draw_ns(self.world, f"exchange/{line.index}/{name}", span)

    def _tell(self, event: Literal["placed", "rung", "answered", "ended"], call: Call) -> None:
        for listener in self.listeners:
            getattr(listener, event)(call)
