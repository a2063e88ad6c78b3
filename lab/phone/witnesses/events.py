"""`logcat -b events`: notifications that came and went, and what a tap reached.

Formats: AOSP's event-log-tags of NotificationManagerService and InputDispatcher, public logs. The buffer is a ring of
some hundred kB that a phone fills in minutes to hours, so it is streamed during a trial and read once more at its end.
"""

import re
from collections import Counter
from collections.abc import Iterable

from lab.clocks import deadlines
from lab.errors import PhoneTrouble
from lab.phone.adb import Adb, LabConnection
from lab.phone.witnesses.facts import Log, LogEvent, Missing

TAGS = (
    "notification_enqueue",
    "notification_canceled",
    "notification_action_clicked",
    "input_interaction",
    "input_cancel",
)
LIMIT_BYTES = 2 << 20
"""Of one trial; a line is some 300 bytes."""
MAX_LINE_BYTES = 8192
_MARK = "#im-call-lab 5f1c09ae oldest"
_LINE = re.compile(
    r"\s{0,20}(\d{1,12})\.(\d{3,9})\s{1,6}(?:\S{1,20}\s{1,6})?\d{1,7}\s{1,6}\d{1,7} [VDIWEFS] "
    r"([\w.]{1,60})\s{0,60}: ?(.{0,8192})"
)
_HEADING = re.compile(r"-{5,20} (?:beginning of|switch to) \S{1,40}")
_KEY = r"(-?\d{1,10}\|[^|,]{1,255}\|-?\d{1,10}\|.{0,1000}?\|\d{1,10})"
_ENQUEUED = re.compile(
    r"\[(-?\d{1,10}),(-?\d{1,10}),([^,]{1,255}),(-?\d{1,10}),(.{0,1000}?),(-?\d{1,10}),(Notification\(.{0,8000}\)),(-?\d{1,10})\]"
)
_KEYED = re.compile(rf"\[{_KEY},([^\[\]]{{0,1000}})\]")
_WINDOW_FLAGS = re.compile(r"\{[^{}]{0,500}\}, ?")
"""What newer builds tell of a window behind its name: where it may be touched, and how it takes input."""
_OPENING, _CLOSING = "([{", ")]}"


def _logcat(options: str, from_ns: int) -> str:
    """`from_ns` is the phone's own clock; logcat's filter keeps other tags on the phone."""
    from_text = f"{from_ns // 1_000_000_000}.{from_ns // 1_000_000 % 1000:03d}"
    return f"logcat {options}-b events -v epoch -T {from_text} -s {' '.join(TAGS)}"


class Unreadable(ValueError):
    """A line of the buffer that is none of `-v epoch`, or an event whose fields cannot be told apart."""


def parse_line(line: str) -> LogEvent | None:
    """One line of `logcat -v epoch`; None for a heading, and for a tag that is not of `TAGS`. Raises `Unreadable`."""
    if not line.strip() or _HEADING.fullmatch(line.strip()):
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise Unreadable(f"no line of -v epoch: {line[:80]!r}")
    at_ns = int(found[1]) * 1_000_000_000 + int(found[2].ljust(9, "0"))
    return LogEvent(at_ns, found[3], _fields(found[3], found[4].rstrip())) if found[3] in TAGS else None


def _fields(tag: str, text: str) -> tuple[str, ...]:
    """The fields of an event; a notification's own text and key may have commas in them. Raises `Unreadable`."""
    if tag == "notification_enqueue":
        if (found := _ENQUEUED.fullmatch(text)) is None:
            raise Unreadable(f"fields of {tag}: {text[:80]!r}")
        return found.groups()
    if tag in ("notification_canceled", "notification_action_clicked"):
        if (found := _KEYED.fullmatch(text)) is None:
            raise Unreadable(f"fields of {tag}: {text[:80]!r}")
        return found[1], *found[2].split(",")
    if tag == "input_interaction":
        windows = _WINDOW_FLAGS.sub("", text.removeprefix("[").removesuffix("]")).removeprefix("Interaction with: ")
        return tuple(window.strip() for window in windows.split(" (server),") if window.strip())
    return tuple(split(text[1:-1])) if text.startswith("[") and text.endswith("]") else (text,)


def split(text: str) -> list[str]:
    """The parts between those commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in _OPENING) - (character in _CLOSING and depth > 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _read(lines: Iterable[str]) -> list[LogEvent]:
    return [event for line in lines if (event := parse_line(line.rstrip("\r"))) is not None]


class EventsStream:
    """The events buffer from an instant of the phone's clock on, as it comes.

    It never raises; `broken` says why it ended.
    """

    def __init__(self, adb: Adb, from_ns: int) -> None:
        self.lines: list[LogEvent] = []
        self.broken: str | None = None
        self._rest = b""
        self._taken_bytes = 0
        self._stream: LabConnection | None = None
        try:
            self._stream = adb.open_service(f"exec:{_logcat('', from_ns)} 2>&1")
        except PhoneTrouble as error:
            self.broken = str(error)

    def drain(self) -> None:
        """Take what has come since."""
        while self._stream is not None and self.broken is None:
            try:
                data = self._stream.receive(0.001)
            except TimeoutError:
                return
            except OSError as error:
                self._end(f"its connection broke: {error}")
                return
            if not data:
                self._end("logcat ended by itself")
            else:
                self._take(data)

    def _take(self, data: bytes) -> None:
        self._taken_bytes += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if self._taken_bytes > LIMIT_BYTES or len(self._rest) > MAX_LINE_BYTES:
            self._end("it is longer than it can be")
            return
        try:
            self.lines += _read(line.decode("utf-8", "replace") for line in whole)
        except Unreadable as error:
            self._end(str(error))

    def _end(self, why: str) -> None:
        self.broken = why
        self.close()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def whole(adb: Adb, stream: EventsStream, from_ns: int) -> Log | Missing:
    """All events since `from_ns` of the phone's clock: a dump of the buffer, and what the stream had.

    Missing where one of them cannot be read, and where the buffer has begun after that instant and the stream broke.
    Raises `PhoneTrouble` where the shell fails.
    """
    stream.drain()
    oldest = "logcat -d -b events -v epoch 2>&1 | head -n 3"
    dump = f"{_logcat('-d ', from_ns)} 2>&1 | head -c {LIMIT_BYTES}"
    text = adb.run(f"{dump}; echo; echo '{_MARK}'; {oldest}", timeout_s=deadlines.EVENTS.s).text
    return merged(text, stream.lines, stream.broken, from_ns)


def merged(text: str, streamed: list[LogEvent], broken: str | None, from_ns: int) -> Log | Missing:
    """`text` is a dump since `from_ns`, a mark, and the buffer's first lines; `broken` is why the stream ended."""
    dump, mark, first = text.replace("\r", "").partition(f"\n{_MARK}\n")
    if not mark or len(dump.encode()) >= LIMIT_BYTES:
        return Missing("the events buffer's dump is longer than it can be, or not whole")
    try:
        dumped = _read(dump.splitlines())
        begins_ns = _oldest_ns(first)
    except Unreadable as error:
        return Missing(f"the events buffer cannot be read: {error}")
    if broken is not None and (begins_ns is None or begins_ns > from_ns):
        return Missing(f"the events buffer begins after the trial did, and its stream broke: {broken}")
    more = Counter(streamed) - Counter(dumped)
    events = [event for event in (*dumped, *more.elements()) if event.at_ns >= from_ns // 1_000_000 * 1_000_000]
    return tuple(sorted(events, key=lambda event: event.at_ns))


def _oldest_ns(text: str) -> int | None:
    """The stamp of the buffer's first line; None where it holds nothing. Raises `Unreadable`."""
    for line in text.splitlines():
        if not line.strip() or _HEADING.fullmatch(line.strip()):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise Unreadable(f"no line of -v epoch: {line[:80]!r}")
        return int(found[1]) * 1_000_000_000 + int(found[2].ljust(9, "0"))
    return None
