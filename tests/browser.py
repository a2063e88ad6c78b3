"""A headless Chromium, spoken to over its DevTools pipe: pages as a reader has them. The standard library alone.

Every wait has a deadline, and the browser with all its processes is ended on every way out.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
DEADLINE_S = 120.0
"""What an answer may take on a machine that does other things as well."""
OPTIONS = (
    *("--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--disable-gpu", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-dev-shm-usage", "--disable-component-update", "--mute-audio"),
)


class Failed(Exception):
    """The browser refused a command, did not answer in time, or ended."""


def program() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium with a profile of its own, for a block."""
    path = program()
    if path is None:
        raise Failed("no Chromium here")
    with tempfile.TemporaryDirectory() as profile:
        to_read, to_write = _pipe(), _pipe()
        actions = [(os.POSIX_SPAWN_DUP2, to_read[0], 3), (os.POSIX_SPAWN_DUP2, to_write[1], 4)]
        argv = [path, "--headless", *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        environment = {**os.environ, "HOME": profile}
        with (Path(profile) / "log").open("wb") as log:
            quiet = [(os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]
            process = os.posix_spawn(path, argv, environment, file_actions=[*actions, *quiet], setsid=True)
        os.close(to_read[0])
        os.close(to_write[1])
        try:
            yield Browser(to_read[1], to_write[0])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(to_read[1])
            os.close(to_write[0])


def _pipe() -> tuple[int, int]:
    """Both ends above the numbers that the browser expects them under."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


class Browser:
    """Its DevTools; `page` opens a tab."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._count, self._rest = 0, b""
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The answer to a command; events that come meanwhile are kept. Raises `Failed`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._put({**message, "sessionId": session} if session else message)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait(self, method: str) -> dict[str, Any]:
        """The first event of this name that is kept or comes; taken away with all before it. Raises `Failed`."""
        deadline = time.monotonic() + DEADLINE_S
        seen = 0
        while True:
            for number, event in enumerate(self.events[seen:], seen):
                if event.get("method") == method:
                    return self.events.pop(number)
            seen = len(self.events)
            self.events.append(self._next(deadline, method))

    def _put(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]

    def _next(self, deadline: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise Failed(f"{what}: no answer in {DEADLINE_S:g} s")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise Failed(f"{what}: the browser ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def page(self) -> Page:
        """A new tab that tells of its requests and of what it logs."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Network", "Log", "Runtime", "Audits"):
            page.send(f"{domain}.enable")
        return page


class Page:
    """A tab."""

    def __init__(self, of: Browser, session: str) -> None:
        self._of, self._session = of, session

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command for this tab. Raises `Failed`."""
        return self._of.send(method, self._session, **parameters)

    def open(self, path: Path, fragment: str = "") -> None:
        """Loads a file, at an anchor of it."""
        self.send("Page.navigate", url="about:blank")
        self._of.wait("Page.loadEventFired")
        self._of.events.clear()
        answer = self.send("Page.navigate", url=path.resolve().as_uri() + (f"#{fragment}" if fragment else ""))
        if "errorText" in answer:
            raise Failed(f"{path}: {answer['errorText']}")
        self._of.wait("Page.loadEventFired")

    def look(self, width: int, height: int = 900, dark: bool = False, media: str = "") -> None:
        """The window's size in CSS pixels, its theme, and `print` for paper."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def run(self, script: str) -> Any:
        """The value of an expression in the page, as JSON. Raises `Failed` where it throws."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """What the browser told of this tab since it was opened, of these events."""
        self.send("Runtime.evaluate", expression="0")
        return [event["params"] for event in self._of.events if event.get("method") in methods]

    def click(self, x: float, y: float) -> None:
        """A left click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """A PNG of the window."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self) -> bytes:
        """The page on A4."""
        answer = self.send(
            "Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True, preferCSSPageSize=True
        )
        return base64.b64decode(answer["data"])
