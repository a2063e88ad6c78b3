"""One browser of the rig, over DevTools' pipe: it crosses namespaces, and no packet of it is in a capture.

Messages are JSON, each ended by a NUL, on file descriptors 3 and 4 of the browser (`--remote-debugging-pipe`). When the
pipe closes the browser ends.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import BenchUnhealthy
from lab.virtual.rig.children import Child
from lab.virtual.rig.world import pause

BINARY = "chromium-headless-shell"
PAGE = Path(__file__).with_name("call.html")
ANSWER_S, END_S = 30.0, 5.0
MESSAGE_LIMIT_BYTES = 64 << 20
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # A TURN server's certificate is made when the rig starts; nobody has signed it.
    "--ignore-certificate-errors",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Addresses in candidates are the phone's own, as an app's are, not names made up for web pages.
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)
_WITH_PIPE = 'from=$1; to=$2; shift 2; eval "exec \\"\\$@\\" 3<&$from 4>&$to"'


class BrowserFailed(Exception):
    """The browser has ended, does not answer, or what it was asked failed; the text says which."""


class Chromium:
    """A browser with one page, whose script places and takes calls. `heard` is told the page's events."""

    def __init__(self, prefix: list[str], root: Path, name: str, speech: Path) -> None:
        self._profile, self._prefix = root / f"browser-{name}", prefix
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={speech}", f"--user-data-dir={self._profile}"]
        self._argv, self._log = [BINARY, *flags, "about:blank"], root / f"browser-{name}.log"
        self._child: Child | None = None
        self._reading: asyncio.Task[None] | None = None
        self.heard: Callable[[dict[str, Any]], None] = lambda event: None
        self.version = ""

    @property
    def pid(self) -> int:
        return 0 if self._child is None else self._child.pid

    def running(self) -> bool:
        return self._child is not None and self._child.running() and self._reading is not None

    async def start(self) -> None:
        """Start it, with its page loaded. Raises `BenchUnhealthy`."""
        shutil.rmtree(self._profile, ignore_errors=True)
        self._profile.mkdir(parents=True)
        theirs_in, self._out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Numbers of their own, so that none is 3 or 4 before the shell puts them there.
        given = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (theirs_in, theirs_out)]
        words = ["bash", "-c", _WITH_PIPE, "bash", *map(str, given), *self._argv]
        self._child = Child([*self._prefix, *words], self._log)
        try:
            await self._child.start(descriptors=given)
        finally:
            for descriptor in (theirs_in, theirs_out, *given):
                os.close(descriptor)
        self._number, self._waiting = 0, dict[int, asyncio.Future[dict[str, Any]]]()
        reader = asyncio.StreamReader(limit=MESSAGE_LIMIT_BYTES)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_in, "rb", 0))
        self._reading = loop.create_task(self._read(reader))
        try:
            await self._open_page()
        except (BrowserFailed, TimeoutError) as error:
            why = str(error) or f"its page is not there after {ANSWER_S:g} s"
            raise BenchUnhealthy(f"{BINARY} does not start: {why}; {self._child.last_words()}") from error

    async def _open_page(self) -> None:
        self.version = str((await self._send("Browser.getVersion"))["product"])
        targets = (await self._send("Target.getTargets"))["targetInfos"]
        page = next((one["targetId"] for one in targets if one["type"] == "page"), None)
        if page is None:
            page = (await self._send("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self._send("Target.attachToTarget", targetId=page, flatten=True))["sessionId"]
        for method in ("Runtime.enable", "Page.enable"):
            await self._send(method, self._session)
        await self._send("Runtime.addBinding", self._session, name="tell")
        await self._send("Page.navigate", self._session, url=PAGE.as_uri())
        async with asyncio.timeout(ANSWER_S):
            while await self.run("typeof openCall") != "function":
                await pause(0.05)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                message = json.loads((await reader.readuntil(b"\0"))[:-1])
                if "id" in message:
                    future = self._waiting.pop(message["id"], None)
                    if future is not None and not future.done():
                        future.set_result(message)
                elif message.get("method") == "Runtime.bindingCalled":
                    self.heard(json.loads(message["params"]["payload"]))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._reading = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(BrowserFailed("the browser has ended"))

    async def _send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        if self._reading is None:
            raise BrowserFailed("the browser has ended")
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = future
        try:
            os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
            answer = await asyncio.wait_for(future, ANSWER_S)
        except BrokenPipeError as error:
            raise BrowserFailed("the browser has ended") from error
        except TimeoutError as error:
            raise BrowserFailed(f"{method}: no answer in {ANSWER_S:g} s") from error
        if "error" in answer:
            raise BrowserFailed(f"{method}: {answer['error'].get('message', answer['error'])}")
        return dict(answer["result"])

    async def run(self, script: str) -> Any:
        """The value of an expression of the page, awaited. Raises `BrowserFailed`."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self._send("Runtime.evaluate", self._session, **given)
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"].get("exception", {}).get("description", "an exception")
            raise BrowserFailed(f"{script[:60]}: {str(thrown)[:200]}")
        return answer["result"].get("value")

    async def call(self, function: str, *arguments: Any) -> Any:
        """The value of a function of the page. Raises `BrowserFailed`."""
        return await self.run(f"{function}({', '.join(map(json.dumps, arguments))})")

    async def end(self) -> None:
        """End it and remove its profile."""
        if self._child is None:
            return
        if self._reading is not None:
            with contextlib.suppress(BrowserFailed):
                await self._send("Browser.close")
            await self._child.ended(END_S)
        await self._child.end()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        os.close(self._out)
        self._child = None
        shutil.rmtree(self._profile, ignore_errors=True)
