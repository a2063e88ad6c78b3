"""What a phone's services keep of the past: audio modes, recorders, cameras, Telecom's calls, the events buffer.

Each list is a ring, as on hardware: what is older than its last entries is gone. Instants are bench time; whoever
prints them reads the phone's own clock.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lab.virtual.world import World

MODES, RECORDERS, CAMERAS, CALLS, LOG = 20, 50, 100, 10, 2_000
"""Entries that are kept: AudioService, RecordingActivityMonitor, CameraService, Telecom; of the buffer some 256 KiB."""

RecorderWord = Literal["start", "update", "stop", "release"]
CameraWord = Literal["CONNECT", "DISCONNECT", "EVICT", "DIED"]


@dataclass(frozen=True)
class ModeEntry:
    """A change of the actual audio mode: who asked, and whose mode it is then (0: nobody's)."""

    at_ns: int
    mode: str
    package: str
    pid: int
    owner_pid: int


@dataclass(frozen=True)
class RecorderEntry:
    """One event of the recorder `riid` of a package."""

    at_ns: int
    event: RecorderWord
    package: str
    source: str
    riid: int
    session: int


@dataclass(frozen=True)
class CameraEntry:
    """One event of a camera's client."""

    at_ns: int
    event: CameraWord
    package: str
    pid: int
    device: str


@dataclass
class CallEntry:
    """A call that Telecom knows, `TC@number`; `events` are instant, name and data. `component` is its account's."""

    number: int
    component: str
    incoming: bool
    self_managed: bool
    created_ns: int
    video: bool = False
    events: list[tuple[int, str, str]] = field(default_factory=list)
    cause: str | None = None


@dataclass(frozen=True)
class LogEntry:
    """A line of the events buffer. One field stands alone, several in brackets."""

    at_ns: int
    tag: str
    fields: tuple[str, ...]
    pid: int

    @property
    def text(self) -> str:
        return self.fields[0] if len(self.fields) == 1 else f"[{','.join(self.fields)}]"


class History:
    """The histories of one handset; `pid` gives the process of a package.

    `on_log` are told of each line of the events buffer as it comes.
    """

    def __init__(self, world: World, name: str, pid: Callable[[str], int]) -> None:
        self._world, self._name, self._pid = world, name, pid
        self.on_log: list[Callable[[LogEntry], None]] = []
        self.begin()

    def begin(self) -> None:
        """Nothing is kept; the numbers of recorders and calls start where chance of the attempt has them."""
        self.modes: deque[ModeEntry] = deque(maxlen=MODES)
        self.recorders: deque[RecorderEntry] = deque(maxlen=RECORDERS)
        self.cameras: deque[CameraEntry] = deque(maxlen=CAMERAS)
        self.calls: deque[CallEntry] = deque(maxlen=CALLS)
        self.log: deque[LogEntry] = deque(maxlen=LOG)
        self.on_log.clear()
        chance = self._world.chance(f"history/{self._name}")
        self._riid, self._session, self._call = (
            chance.randrange(1_000, 9_000),
            8 * chance.randrange(100, 1_200) + 1,
            chance.randrange(3, 60),
        )
        self.recording: dict[tuple[str, str], tuple[int, int]] = {}

    def mode(self, mode: str, package: str, pid: int, owner_pid: int, *, at_ns: int | None = None) -> None:
        """The actual mode has changed; `package` asked for it, and `owner_pid` has it now."""
        self.modes.append(ModeEntry(self._at(at_ns), mode, package, pid, owner_pid))

    def recorder(self, event: RecorderWord, package: str, source: str, *, at_ns: int | None = None) -> None:
        """A package's recorder of that source starts, goes on or ends; `release` also ends one that did not stop."""
        key = (package, source)
        if key not in self.recording:
            self._riid, self._session = self._riid + 8, self._session + 16
            self.recording[key] = (self._riid, self._session)
        riid, session = self.recording[key]
        self.recorders.append(RecorderEntry(self._at(at_ns), event, package, source, riid, session))
        if event == "release":
            del self.recording[key]

    def camera(self, event: CameraWord, package: str, device: str, *, at_ns: int | None = None) -> None:
        """A package connects to the camera `device`, or leaves it."""
        self.cameras.append(CameraEntry(self._at(at_ns), event, package, self._pid(package), device))

    def telecom(
        self,
        component: str,
        *,
        incoming: bool,
        self_managed: bool = True,
        video: bool = False,
        at_ns: int | None = None,
    ) -> CallEntry:
        """Telecom gets to know a call of the account `component` (`package/class`); it has the event CREATED."""
        self._call += 1
        entry = CallEntry(self._call, component, incoming, self_managed, self._at(at_ns), video)
        self.calls.append(entry)
        package = component.partition("/")[0]
        self.telecom_event(entry, "CREATED", f"{package};selfMgd:{str(self_managed).lower()}", at_ns=at_ns)
        return entry

    def telecom_event(self, entry: CallEntry, event: str, data: str = "", *, at_ns: int | None = None) -> None:
        """Something happens to a call that Telecom knows."""
        entry.events.append((self._at(at_ns), event, data))

    def telecom_over(self, entry: CallEntry, cause: str, *, at_ns: int | None = None) -> None:
        """A call that Telecom knows is over, for the `cause` that its app gave: LOCAL, REMOTE, ..."""
        if entry.cause is None:
            entry.cause = cause
            data = f"disconnected set explicitly> DisconnectCause [ Code: ({cause}) ]"
            self.telecom_event(entry, "SET_DISCONNECTED", data, at_ns=at_ns)
            self.telecom_event(entry, "DESTROYED", at_ns=at_ns)

    def log_event(self, tag: str, *fields: str, pid: int = 1_603, at_ns: int | None = None) -> None:
        """A line of the events buffer, written by the process `pid` (the system's server)."""
        entry = LogEntry(self._at(at_ns), tag, fields, pid)
        self.log.append(entry)
        for listener in tuple(self.on_log):
            listener(entry)

    def _at(self, at_ns: int | None) -> int:
        return self._world.now_ns if at_ns is None else at_ns
