"""The agent of uiautomator2 (u2.jar 0.4.1) on a virtual phone: HTTP/1.1 with /ping and JSON-RPC on /jsonrpc/0.

Method names, parameters and error texts as uiautomator2 3.7.1 uses them; an unknown method is error -32601.
"""

import asyncio
import base64
import inspect
import io
import json
from collections.abc import Callable
from typing import Any

from lab.definitions.virtual_app import HEIGHT, WIDTH
from lab.virtual.adb.daemon import AdbStream
from lab.virtual.agent.http import http_response, read_request
from lab.virtual.agent.view import UnknownSelector, find, hierarchy, picture, record
from lab.virtual.handset.keys import UnknownKey, named
from lab.virtual.handset.windows import Node
from lab.virtual.phone import VirtualPhone

NOT_FOUND, UNKNOWN_METHOD, BAD_PARAMETERS, REFUSED, NOT_CONNECTED = -32002, -32601, -32602, -32000, -32001

Selector = dict[str, Any]


class RpcError(Exception):
    """An error object of JSON-RPC."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Agent:
    """One running agent. Each call costs bench time up before it and down after it; /ping costs nothing."""

    def __init__(self, phone: VirtualPhone, port: int) -> None:
        self.port = port
        self._phone = phone
        self._streams: set[AdbStream] = set()
        self._hung = False
        self.killed = asyncio.Event()
        self._methods = self._input_methods() | self._object_methods() | self._device_methods()

    def kill(self) -> None:
        """SIGKILL: its connections end, and what is asked gets no answer."""
        self.killed.set()
        for stream in tuple(self._streams):
            stream.close()

    def hang(self) -> None:
        """Take requests and answer none any more, as a process in a deadlock does: until it is killed."""
        self._hung = True

    async def serve(self, stream: AdbStream) -> None:
        """Serve one connection until it ends."""
        self._streams.add(stream)
        try:
            await self._serve(stream)
        finally:
            self._streams.discard(stream)

    async def _serve(self, stream: AdbStream) -> None:
        while True:
            try:
                request = await read_request(stream)
            except ValueError:
                await stream.write(http_response(400, "text/plain", b"Bad Request"))
                return
            if request is None:
                return
            if self._hung:
                await self.killed.wait()
                return
            if request.path == "/ping":
                answer = http_response(200, "text/html", b"pong")
            elif request.path == "/jsonrpc/0":
                answer = http_response(200, "application/json", await self._rpc(request.body))
            else:
                answer = http_response(404, "text/html", b"Not Found!!!")
            await stream.write(answer)

    async def _rpc(self, body: bytes) -> bytes:
        try:
            call = json.loads(body)
            method, params, identifier = str(call["method"]), call.get("params") or [], call.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            return json.dumps(
                {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
            ).encode()
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": identifier}
        try:
            answer["result"] = await self._phone.charged_call(
                f"{method}/{json.dumps(params, sort_keys=True)}", lambda: self.call(method, params)
            )
        except RpcError as error:
            answer["error"] = {"code": error.code, "message": error.message, "data": error.data}
        return json.dumps(answer).encode()

    async def call(self, method: str, params: Any) -> Any:
        """Run one method, in no time but what a wait takes. Raises RpcError."""
        if fault := self._phone.faults.take("agent", self._phone.name, method):
            raise RpcError(NOT_CONNECTED, "java.lang.IllegalStateException", str(fault.get("says", "")))
        function = self._methods.get(method)
        if function is None:
            self._phone.refused.append(f"{self._phone.name}: agent: {method}")
            raise RpcError(UNKNOWN_METHOD, "method not found")
        try:
            result = function(**params) if isinstance(params, dict) else function(*params)
            return await result if inspect.isawaitable(result) else result
        except (UnknownSelector, UnknownKey) as error:
            self._phone.refused.append(f"{self._phone.name}: agent: {method}: {error}")
            raise RpcError(REFUSED, f"java.lang.IllegalArgumentException: {error}") from error
        except (TypeError, ValueError) as error:
            raise RpcError(BAD_PARAMETERS, f"method parameters invalid: {error}") from error

    # -- objects

    def _object_methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "exist": lambda selector: bool(self._find(selector)),
            "objInfo": lambda selector: record(self._one(selector)),
            "waitForExists": lambda selector, ms: self._wait(lambda: bool(self._find(selector)), ms),
            "waitUntilGone": lambda selector, ms: self._wait(lambda: not self._find(selector), ms),
        }

    def _find(self, selector: Selector) -> list[Node]:
        return find(self._phone.handset.nodes(), selector)

    def _one(self, selector: Selector) -> Node:
        found = self._find(selector)
        if not found:
            shown = {name: value for name, value in selector.items() if name not in ("mask", "childOrSibling")}
            raise RpcError(NOT_FOUND, "androidx.test.uiautomator.UiObjectNotFoundException", json.dumps(shown))
        return found[0]

    async def _wait(self, holds: Callable[[], bool], timeout_ms: int) -> bool:
        """Let bench time pass from event to event until it holds; False where it does not by the deadline."""
        world = self._phone.world
        deadline_ns = world.now_ns + timeout_ms * 1_000_000
        while not holds():
            due_ns = world.next_event_ns()
            if due_ns is None or due_ns > deadline_ns:
                await world.pass_until(deadline_ns)
                return holds()
            await world.pass_until(due_ns)
        return True

    # -- gestures and keys

    def _input_methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "click": self._click,
            "swipe": self._swipe,
            "pressKey": self._press_key,
            "wakeUp": lambda: self._phone.handset.key("wakeup"),
            "openNotification": self._open_notification,
        }

    def _click(self, x: float, y: float, duration_ms: int = 0) -> bool:
        # A fault `tap`: the gesture gets lost on its way to the screen, or is made twice.
        fault = self._phone.faults.take("tap", self._phone.name) or {}
        for _ in range(int(fault.get("reaches", 1))):
            self._phone.handset.tap(float(x), float(y))
        return True

    def _swipe(self, x1: float, y1: float, x2: float, y2: float, steps: int) -> bool:
        self._phone.handset.swipe(float(x1), float(y1), float(x2), float(y2))
        return True

    def _press_key(self, name: str) -> bool:
        key = named(name)
        if key is not None:
            self._phone.handset.key(key)
        return True

    def _open_notification(self) -> bool:
        self._phone.handset.open_notifications()
        return True

    # -- the device

    def _device_methods(self) -> dict[str, Callable[..., Any]]:
        return {
            "deviceInfo": self._device_info,
            "dumpWindowHierarchy": self._dump,
            "takeScreenshot": self._screenshot,
        }

    def _device_info(self) -> dict[str, Any]:
        phone = self._phone
        return {
            "currentPackageName": phone.handset.package,
            "displayHeight": HEIGHT,
            "displayRotation": 0,
            "displaySizeDpX": 411,
            "displaySizeDpY": 914,
            "displayWidth": WIDTH,
            "naturalOrientation": True,
            "productName": phone.props["ro.product.name"],
            "screenOn": phone.handset.screen_on,
            "sdkInt": phone.emulation.sdk,
        }

    def _dump(self, compressed: bool, max_depth: int = 50, root_in_active: bool = False) -> str:
        return hierarchy(self._phone.handset.nodes())

    def _screenshot(self, scale: float, quality: int) -> str:
        data = io.BytesIO()
        picture(self._phone.handset.nodes(), scale).save(data, "JPEG", quality=quality)
        return base64.b64encode(data.getvalue()).decode()
