"""The agent on a phone: uiautomator2's device, whose answers are believed only where they are what was asked for.

Whatever comes is a value of the type in `ANSWERS`, uiautomator2's `UiObjectNotFoundError`, or `PhoneTrouble` within the
deadline of an answer (`lab.phone.bounded`). Importing this costs half a second: nothing but a bench needs it.
"""

import json
import re
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from typing import Annotated, Any

from adbutils import AdbError, Network
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError
from uiautomator2 import Device, exceptions
from uiautomator2.exceptions import HTTPError, UiAutomationNotConnectedError, UiObjectNotFoundError

from lab.errors import PhoneTrouble, one_line
from lab.phone.adb import TROUBLE as ADB_TROUBLE
from lab.phone.adb import Adb
from lab.phone.agent_words import cause, explained

CALL = 1
"""The number of a call, one to a connection, which its answer gives back."""

PIECE_BYTES = 64 << 10

_AGENT = re.compile(r"\s*(\d{1,9})\s.*\bcom\.wetest\.uia2\.Main\b")
"""A line of `ps` that is the agent."""

TROUBLE = (exceptions.BaseException, AdbError, HTTPException, *ADB_TROUBLE)
"""What uiautomator2 raises: its own errors, and what it lets through of adbutils, http.client and json."""


class NoAnswer(ValueError):
    """What came is no answer to the call; the text says why."""


Pixel = Annotated[StrictInt, Field(ge=-100_000, le=100_000)]


class Bounds(BaseModel):
    """A rectangle of the screen in pixels; parts of it may lie outside."""

    left: Pixel
    top: Pixel
    right: Pixel
    bottom: Pixel


class ObjectInfo(BaseModel):
    """What is used of uiautomator's ObjInfo."""

    bounds: Bounds
    visibleBounds: Bounds | None = None  # noqa: N815  # the agent's spelling


class DeviceInfo(BaseModel):
    """What is used of uiautomator's DeviceInfo."""

    displayHeight: Annotated[StrictInt, Field(ge=1, le=100_000)]  # noqa: N815  # the agent's spelling


class RpcError(BaseModel):
    """An error object of JSON-RPC 2.0; `data` is a Java stack trace where there is one."""

    code: StrictInt
    message: StrictStr
    data: Any = None


ANSWERS: dict[str, TypeAdapter[Any]] = {
    "exist": TypeAdapter(StrictBool),
    "waitForExists": TypeAdapter(StrictBool),
    "waitUntilGone": TypeAdapter(StrictBool),
    "objInfo": TypeAdapter(ObjectInfo),
    "deviceInfo": TypeAdapter(DeviceInfo),
    "dumpWindowHierarchy": TypeAdapter(StrictStr | None),
    "takeScreenshot": TypeAdapter(StrictStr | None),
    # Nobody reads what these answer: whoever taps looks what came of it.
    **dict.fromkeys(("click", "swipe", "pressKey", "openNotification", "wakeUp"), TypeAdapter(Any)),
}
"""The calls that may be made, and what each answers."""


def result_of(content: bytes, method: str) -> Any:
    """The result in an answer to a call of `method`, which has the type in `ANSWERS`.

    Raises:
        NoAnswer: for anything else than an answer to this call.
        UiObjectNotFoundError: where the selector of the call finds nothing.
        UiAutomationNotConnectedError: where the agent has lost Android's accessibility service.
    """
    try:
        data = json.loads(content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise NoAnswer("its JSON is nested too deep") from error
    except ValueError as error:
        raise NoAnswer(f"no JSON: {error}: {content[:60]!r}") from error
    if not isinstance(data, dict):
        raise NoAnswer(f"no object of JSON-RPC: {content[:60]!r}")
    if "error" in data:
        raise _error_of(data["error"], method)
    if data.get("id") != CALL or isinstance(data["id"], bool | float):
        raise NoAnswer("it is the answer to another call")
    if "result" not in data:
        raise NoAnswer("neither a result nor an error")
    try:
        ANSWERS[method].validate_python(data["result"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["result", *map(str, first["loc"])])
        raise NoAnswer(f"{where}: {first['msg']}: {repr(first['input'])[:60]}") from error
    return data["result"]


def _refuse_constant(name: str) -> None:
    raise NoAnswer(f"{name} is no value of JSON")


def _error_of(found: object, method: str) -> Exception:
    """What an error object means, by the words of uiautomator2's own client (3.7.1)."""
    try:
        error = RpcError.model_validate(found)
    except ValidationError:
        return NoAnswer(f"an error that is none of JSON-RPC: {repr(found)[:60]}")
    text = f"{error.message} {error.data if isinstance(error.data, str) else ''}"
    if "UiAutomation not connected" in text or "DeadObjectException" in text or "DeadSystemRuntimeE" in text:
        gone: Exception = UiAutomationNotConnectedError(text)
        return gone
    if "uiautomator.UiObjectNotFoundException" in error.message:
        missing: Exception = UiObjectNotFoundError(error.code, error.message, method)
        return missing
    return NoAnswer(explained(text) or f"error {error.code}: {one_line(text, 300)}")


class Agent(Device):  # type: ignore[misc]  # uiautomator2 carries no types
    """The agent on one phone, as uiautomator2 starts it and asks it."""

    def jsonrpc_call(self, method: str, params: Any = None, timeout: float = 0.0) -> Any:
        """One call. An agent that has gone is started again and asked again, as uiautomator2 does: once.

        Raises `PhoneTrouble`, and `UiObjectNotFoundError` where the selector of a call finds nothing. `timeout` is not
        used: the connection has its own deadline.
        """
        try:
            try:
                return self._ask(method, params)
            except (HTTPError, UiAutomationNotConnectedError):
                self.stop_uiautomator()
                self.start_uiautomator()
                return self._ask(method, params)
        except UiObjectNotFoundError:
            raise
        except TROUBLE as error:
            raise trouble(self._dev.name, error, f"to {method} ") from error

    def _ask(self, method: str, params: Any) -> Any:
        if method not in ANSWERS:
            raise NoAnswer("this call is none of those that the lab makes")
        call = {"jsonrpc": "2.0", "id": CALL, "method": method, "params": params}
        return result_of(_post(self._dev, self._device_server_port, json.dumps(call).encode()), method)


def _post(adb: Adb, port: int, body: bytes) -> bytes:
    """What the agent's server answers to one call, on a connection of its own.

    Head and body go in one piece: each piece costs a round trip through adb, and uiautomator2 sends two. Without
    Accept-Encoding nothing is packed, as uiautomator2 has it. Raises `HTTPError` where the agent has gone or refuses,
    and what sockets and `http.client` do.
    """
    head = (
        f"POST /jsonrpc/0 HTTP/1.1\r\nHost: localhost:{port}\r\nAccept-Encoding: \r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        connection = adb.create_connection(Network.TCP, port)
    except AdbError as error:
        raise HTTPError(f"its port cannot be reached: {error}") from error
    with closing(connection):
        connection.sendall(head.encode() + body)
        with closing(HTTPResponse(connection, method="POST")) as answer:
            answer.begin()
            # In pieces: room for all that a header promises is not made before it has come.
            content = b"".join(iter(lambda: answer.read(PIECE_BYTES), b""))
            if answer.status != 200:
                raise HTTPError(f"HTTP status {answer.status} {answer.reason}")
    return content


def trouble(name: str, error: BaseException, to: str = "") -> PhoneTrouble:
    """What an agent does wrong, in one line."""
    if isinstance(error, NoAnswer) and not explained(str(error)):
        return PhoneTrouble(f"{name}: its agent's answer {to}cannot be read: {error}")
    return PhoneTrouble(f"{name}: its agent fails: {cause(error)}")


def start_anew(agent: Agent, adb: Adb) -> None:
    """End the agent of a phone and what is left of it there, and start it. Raises `PhoneTrouble`.

    A process of an earlier one keeps Android's only accessibility service, and uiautomator2 ends none but its own.
    """
    try:
        agent.stop_uiautomator(wait=False)
        end_left(adb)
        agent.start_uiautomator()
    except TROUBLE as error:
        raise trouble(adb.name, error) from error


def end_left(adb: Adb) -> None:
    """End what is left of agents on a phone. Raises `PhoneTrouble`."""
    listed = adb.run("ps -A -o PID,ARGS").text
    for pid in (found[1] for line in listed.splitlines() if (found := _AGENT.match(line))):
        adb.run(f"kill -KILL {pid} 2>/dev/null")


def connect(adb: Adb) -> Agent:
    """The agent of a phone, started where it does not run. Raises `PhoneTrouble`."""
    try:
        return Agent(adb)
    except TROUBLE as error:
        raise trouble(adb.name, error) from error
