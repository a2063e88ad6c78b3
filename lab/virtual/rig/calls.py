"""The operator of calls that two browsers carry: signalling between them, step by step with what the handsets do."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.definitions.base import Role
from lab.definitions.rig import RigCalls
from lab.virtual.handset.exchange import Call
from lab.virtual.rig.chromium import BrowserFailed, Chromium
from lab.virtual.rig.policy import signalled
from lab.virtual.rig.world import pause

OTHER: Mapping[Role, Role] = {"caller": "callee", "callee": "caller"}
SIDES: tuple[Role, Role] = ("caller", "callee")
ARRIVED_S = 0.1
"""How long what was sent may be on its way to the other end."""
OVER_S = 40.0
"""How long the last steps of a call may take: statistics and closing, after an answer that may still be on its way."""

Step = Literal["placed", "rung", "answered", "flow", "ended"]


@dataclass
class End:
    """One end of a call: its browser, and what became of it. Instants are in ns since the epoch.

    `taken` are the candidates of the other end that this one was given, in text, and when; `gathered` its own, with the
    URL of the server that gave it; `sdp` its own description; `checked` the addresses and
    ports to which it sent checks, each with the type of its own candidate.
    """

    browser: Chromium
    version: str
    sdp: str | None = None
    opened_ns: int | None = None
    gathering_ns: int | None = None
    ice_ns: int | None = None
    connected_ns: int | None = None
    closing_ns: int | None = None
    closed_ns: int | None = None
    may_receive: bool = False
    held: list[dict[str, Any]] = field(default_factory=list)
    gathered: dict[str, str | None] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    checked: set[tuple[str, str, int]] = field(default_factory=set)
    statistics: list[dict[str, Any]] = field(default_factory=list)


class RigCall:
    """One call. Steps are done one after the other; `over` is set once the last one is.

    `failures` say what went wrong in a browser: then the call never connects, and its attempt shows that by itself.
    """

    def __init__(
        self, call: Call, app: RigCalls, browsers: Mapping[str, Chromium], options: Mapping[Role, Mapping[str, Any]]
    ) -> None:
        self.call, self.app, self.options = call, app, options
        phones = {"caller": call.caller, "callee": call.callee}
        self.ends: dict[Role, End] = {
            side: End(browsers[phones[side]], browsers[phones[side]].version) for side in SIDES
        }
        self.failures: list[str] = []
        self.over = asyncio.Event()
        self.on_connected: Callable[[Call], None] = lambda call: None
        self.on_closed: Callable[[Call], None] = lambda call: None
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        for side, end in self.ends.items():
            end.browser.heard = lambda event, side=side: self._heard(side, event)  # type: ignore[misc]
        self._task = asyncio.get_running_loop().create_task(self._work())

    def step(self, name: Step) -> None:
        """The handsets have come to this instant of the call."""
        self._steps.put_nowait(name)

    @property
    def connected(self) -> bool:
        return all(end.connected_ns is not None for end in self.ends.values())

    async def _work(self) -> None:
        steps: Mapping[Step, Callable[[], Awaitable[None]]] = {
            "placed": self._placed,
            "rung": self._rung,
            "answered": self._answered,
            "flow": self._flow,
            "ended": self._ended,
        }
        while not self.over.is_set():
            name = await self._steps.get()
            try:
                await steps[name]()
            except BrowserFailed as error:
                self.failures.append(f"{name}: {error}")
            if name == "ended":
                self.over.set()
                self.on_closed(self.call)

    def _heard(self, side: Role, event: dict[str, Any]) -> None:
        end, at_ns = self.ends[side], round(float(event["at_ms"]) * 1e6)
        kind = event["kind"]
        if kind in ("opened", "gathering", "closing", "closed"):
            setattr(end, f"{kind}_ns", at_ns)
        elif kind == "candidate":
            self._gathered(end, event["candidate"], event.get("url"))
        elif kind == "checked":
            end.checked.add((event["local"], str(event["address"]), int(event["port"])))
        elif kind == "took":
            end.taken.setdefault(event["candidate"], at_ns)
        elif kind == "ice" and event["state"] == "connected" and end.ice_ns is None:
            end.ice_ns = at_ns
        elif kind == "connection" and event["state"] == "connected" and end.connected_ns is None:
            end.connected_ns = at_ns
            if self.connected:
                self.on_connected(self.call)

    def _gathered(self, end: End, candidate: dict[str, Any], url: str | None) -> None:
        end.gathered[candidate["candidate"]] = url
        text = signalled(self.app, candidate["candidate"])
        if text is not None:
            end.held.append(candidate | {"candidate": text})
            self.step("flow")

    async def _flow(self) -> None:
        """Hand on the candidates that may go."""
        for side, end in self.ends.items():
            other = self.ends[OTHER[side]]
            while other.may_receive and end.held:
                await other.browser.call("takeCandidate", end.held.pop(0))

    async def _placed(self) -> None:
        end = self.ends["caller"]
        await end.browser.call("openCall", self.options["caller"])
        end.sdp = await end.browser.call("makeOffer")

    async def _make_answer(self) -> None:
        end = self.ends["callee"]
        if end.sdp is not None:
            return
        await end.browser.call("openCall", self.options["callee"])
        end.may_receive = True
        end.sdp = await end.browser.call("makeAnswer", self.ends["caller"].sdp)
        await self._flow()

    async def _rung(self) -> None:
        if self.app.answers == "ringing":
            await self._make_answer()

    async def _answered(self) -> None:
        await self._make_answer()
        caller = self.ends["caller"]
        await caller.browser.call("takeAnswer", self.ends["callee"].sdp)
        caller.may_receive = True
        await self._flow()
        if self.call.service == "video":
            for end in self.ends.values():
                await end.browser.call("limitVideo", self.app.video_kbps)

    async def _ended(self) -> None:
        """End both at once: their media, then, once all of it has arrived, the call; each counts right before that."""
        opened = [end for end in self.ends.values() if end.opened_ns is not None]
        await _both(end.browser.call("stopMedia") for end in opened)
        await pause(ARRIVED_S)
        for end, statistics in zip(opened, await _both(end.browser.call("closeCall") for end in opened), strict=True):
            end.statistics = statistics

    async def finish(self) -> None:
        """Return once the call is over; a call that is not over in time is a failure."""
        try:
            await asyncio.wait_for(self.over.wait(), OVER_S)
        except TimeoutError:
            self.failures.append(f"the browsers have not closed the call in {OVER_S:g} s")
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def _both(asked: Iterable[Awaitable[Any]]) -> list[Any]:
    """All answers, once each is there. Raises the first failure then."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


class RigOperator:
    """A listener of the exchange: each call gets two browsers. `calls` are those of this attempt, oldest first."""

    def __init__(self, make: Callable[[Call], RigCall]) -> None:
        self._make = make
        self.calls: list[RigCall] = []

    async def begin(self) -> None:
        """Forget the calls of the attempt before, once they are over."""
        await self.finish()
        self.calls = []

    async def finish(self) -> None:
        """Return once every call that has ended is over."""
        for call in self.calls:
            if call.call.ended_ns is not None:
                await call.finish()

    def placed(self, call: Call) -> None:
        self.calls.append(self._make(call))
        self._of(call).step("placed")

    def rung(self, call: Call) -> None:
        self._of(call).step("rung")

    def answered(self, call: Call) -> None:
        self._of(call).step("answered")

    def ended(self, call: Call) -> None:
        self._of(call).step("ended")

    def _of(self, call: Call) -> RigCall:
        return next(one for one in self.calls if one.call is call)
