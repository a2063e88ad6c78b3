"""The facts that a phone's records hold. Instants are the phone's own clock, ns since the epoch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Missing:
    """A witness that cannot be asked, or that did not see all of it; `why` is one short line."""

    why: str


@dataclass(frozen=True)
class PhoneDate:
    """The phone's date and zone, as `date '+%s %z'` tells them: what stamps without year and zone are read by.

    `since_boot_s` is /proc/uptime, by which a step of the clock shows; None where the phone does not tell it.
    """

    epoch_s: int
    utc_offset_s: int
    since_boot_s: float | None = None


@dataclass(frozen=True)
class ModeChange:
    """A change of the actual audio mode: who asked (`android` where nobody did) and whose mode it is then."""

    at_ns: int
    mode: str
    requester: str
    pid: int | None
    owner_pid: int | None


@dataclass(frozen=True)
class RecorderEvent:
    """One line of the recorders' log: `start`, `update`, `stop` or `release` of the recorder `riid`."""

    at_ns: int
    event: str
    riid: int
    uid: int
    source: str
    package: str


@dataclass(frozen=True)
class CameraEvent:
    """One line of the camera service's log, to the second: `CONNECT`, `DISCONNECT`, `EVICT`, `DIED`."""

    at_ns: int
    event: str
    device: str
    package: str


@dataclass(frozen=True)
class TelecomEvent:
    """One event of a call that Telecom knows, e.g. `SET_ACTIVE`."""

    at_ns: int
    event: str
    data: str


@dataclass(frozen=True)
class TelecomCall:
    """A call `TC@number` that Telecom knows; `package` is its account's, `cause` the code of its DisconnectCause."""

    number: int
    self_managed: bool
    incoming: bool
    package: str | None
    events: tuple[TelecomEvent, ...]
    cause: str | None


@dataclass(frozen=True)
class SimState:
    """The call state of one SIM: 0 idle, 1 ringing, 2 off hook."""

    phone_id: int
    call_state: int


@dataclass(frozen=True)
class Posted:
    """A notification that is posted now."""

    package: str
    id: int
    category: str
    actions: int


@dataclass(frozen=True)
class LogEvent:
    """A line of the events buffer: `notification_enqueue`, `input_interaction`, ..., with its fields."""

    at_ns: int
    tag: str
    fields: tuple[str, ...]


Modes = tuple[ModeChange, ...]
Recorders = tuple[RecorderEvent, ...]
Cameras = tuple[CameraEvent, ...]
Calls = tuple[TelecomCall, ...]
Sims = tuple[SimState, ...]
Log = tuple[LogEvent, ...]


@dataclass(frozen=True)
class Reading:
    """All records of one phone, read at once; `mode` is the actual audio mode. Sorted by time, oldest first."""

    date: PhoneDate | Missing
    mode: str | Missing
    modes: Modes | Missing
    recorders: Recorders | Missing
    cameras: Cameras | Missing
    calls: Calls | Missing
    sims: Sims | Missing


@dataclass(frozen=True)
class Since:
    """What the later of two readings has and the earlier has not; `uid` is the app's, None where it is not known.

    `cameras_open`: device and package of each client that was connected at the earlier reading.
    """

    uid: int | None
    modes: Modes | Missing
    recorders: Recorders | Missing
    cameras: Cameras | Missing
    cameras_open: tuple[tuple[str, str], ...]
    calls: Calls | Missing
    sims: Sims | Missing
    events: Log | Missing


State = Literal["idle", "outgoing", "incoming", "connected", "unknown"]


@dataclass(frozen=True)
class Look:
    """A cheap look at a phone while a call goes on, at an instant of the controller's clock.

    `in_front`: something of the app is on the screen. `sims` as of then.
    """

    at_ns: int
    state: State
    in_front: bool
    sims: Sims | Missing
