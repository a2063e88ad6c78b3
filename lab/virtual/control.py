"""The control channel: JSON lines on the bench process' standard input and output.

It knows plan, advance, begin, fail_next and end; what handsets do comes from the taps they get. An answer leaves once
every stand-in has written and acknowledged all that is due.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from lab.virtual.world import World

PLAN_KEYS = {"seed": int, "faults": list, "night_ns": int, "trials": list}
BEGIN_KEYS = {"key": str, "trial": str, "attempt": int, "start_ns": int, "direct": bool}


Answer = dict[str, Any] | None


class ControlledBench(Protocol):
    """The bench behind the channel. `begin` and `end` of one that lives in real time are awaited."""

    @property
    def world(self) -> World: ...

    def plan(self, seed: int, faults: list[dict[str, Any]], night_ns: int, trials: list[str]) -> None: ...

    def advance(self, ns: int) -> None: ...

    def begin(self, key: str, trial: str, attempt: int, start_ns: int, direct: bool) -> Awaitable[None] | None: ...

    def fail_next(self, what: str, on: str, times: int = 1, **details: Any) -> None: ...

    def end(self, truth: str | None) -> dict[str, Any] | Awaitable[dict[str, Any]]: ...


class BadRequest(ValueError):
    """A request that the channel does not take; the text is the answer."""


def _taken(request: dict[str, Any], wanted: dict[str, type]) -> dict[str, Any]:
    """The request's values. Raises BadRequest for a missing, unknown or mistyped key."""
    given = {name: value for name, value in request.items() if name != "op"}
    for name, kind in wanted.items():
        if name not in given:
            raise BadRequest(f"{request['op']} needs {name}")
        if not isinstance(given[name], kind) or (kind is int and isinstance(given[name], bool)):
            raise BadRequest(f"{name} must be {kind.__name__}, is {given[name]!r}")
    if unknown := given.keys() - wanted.keys():
        raise BadRequest(f"{request['op']} does not take {', '.join(sorted(unknown))}")
    return given


class Control:
    """Answers requests for one bench."""

    def __init__(self, bench: ControlledBench) -> None:
        self._bench = bench
        self._operations: dict[str, Callable[[dict[str, Any]], Answer | Awaitable[Answer]]] = {
            "plan": self._plan,
            "advance": self._advance,
            "begin": self._begin,
            "fail_next": self._fail_next,
            "end": self._end,
        }

    async def answer(self, line: bytes) -> bytes:
        """The answer to one line, with its newline."""
        try:
            asked = self._done(line)
            result = (await asked if inspect.isawaitable(asked) else asked) or {}
        except (BadRequest, ValueError, TypeError) as error:
            return json.dumps({"error": str(error)}).encode() + b"\n"
        await self._bench.world.settle()
        return json.dumps({"now_ns": self._bench.world.now_ns, **result}).encode() + b"\n"

    def _done(self, line: bytes) -> Answer | Awaitable[Answer]:
        try:
            request = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"no JSON: {error}") from error
        if not isinstance(request, dict) or not isinstance(request.get("op"), str):
            raise BadRequest("a request is an object with op")
        operation = self._operations.get(request["op"])
        if operation is None:
            raise BadRequest(f"unknown op {request['op']!r}; there is {', '.join(self._operations)}")
        return operation(request)

    def _plan(self, request: dict[str, Any]) -> None:
        self._bench.plan(**_taken(request, PLAN_KEYS))

    def _advance(self, request: dict[str, Any]) -> None:
        self._bench.advance(_taken(request, {"ns": int})["ns"])

    def _begin(self, request: dict[str, Any]) -> Awaitable[None] | None:
        return self._bench.begin(**_taken(request, BEGIN_KEYS))

    def _fail_next(self, request: dict[str, Any]) -> None:
        given = {name: value for name, value in request.items() if name != "op"}
        for name in ("what", "on"):
            if not isinstance(given.get(name), str):
                raise BadRequest(f"fail_next needs {name}, a text")
        self._bench.fail_next(**given)

    def _end(self, request: dict[str, Any]) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        truth = request.get("truth")
        if truth is not None and not isinstance(truth, str):
            raise BadRequest("truth must be a path or null")
        return self._bench.end(truth)
