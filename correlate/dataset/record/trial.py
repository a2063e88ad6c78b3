"""trial.json: what was asked of one trial, and what was recorded of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from correlate.dataset.record.base import (
    Address,
    BySide,
    Count,
    Document,
    Name,
    Port,
    Role,
    Service,
    Sha256,
    Signed,
    TrialId,
)
from correlate.dataset.record.observed import Limits, Observed

ClockName = Literal["caller", "callee", "laptop", "caller_capture", "callee_capture"]
Vantage = Literal["interface", "hotspot", "vpn"]


class Asked(Document):
    """What was to be done; null where captures were made by hand and nobody wrote it down."""

    app: Name
    """The app"""
    service: Service | None
    """`voice` or `video`"""
    direction: Name | None
    """Which phone was to call which, by their networks"""
    scenario: Name | None
    """The scenario"""
    repetition: Count
    """Which of the trials of this kind, from 1"""
    caller: Name
    """The phone that was to call"""
    callee: Name
    """The phone that was to be called"""
    ring_s: float | None
    """How long it was to ring, as drawn"""
    talk_s: float | None
    """How long they were to talk, as drawn; null without a conversation"""


class WayOut(Document):
    """Where a phone's traffic left it."""

    interface: str
    """The interface that its route and its default network name"""
    kind: str
    """The kind of that network: `cellular`, `wifi`"""


class Addresses(Document):
    """A phone's addresses; those that are not of the capture are not used. Null where they were not recorded."""

    interface: list[Address] | None
    """What the phone's interfaces had; with a VPN its address as well"""
    probed: list[Address] | None
    """How STUN servers saw it before the captures began"""


class Lease(Document):
    """A client of a hotspot, to which its capture is restricted."""

    address: Address
    """The phone's address there"""
    mac: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")]
    """The MAC that has it"""


class Counters(Document):
    """What a capturing tool said of its packets."""

    captured: Count
    """Written to the file"""
    received: Count
    """Passed to it by the kernel's filter"""
    dropped: Count
    """Lost before it could write them"""


class IdentifierInClear(Document):
    """An identifier of the lab that stands in a capture as it is written."""

    identifier: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Which one, as `address of PHONE in APP`; never itself"""
    frames: Annotated[list[Count], Field(min_length=1, max_length=20)]
    """The first frames that hold it, by Wireshark's numbers"""
    count: Count
    """How many frames hold it"""


class Searched(Document):
    """What was found of the lab's own identifiers, of at least 8 characters, in the frames of a capture."""

    found: list[IdentifierInClear]
    """Those that stand whole in a frame, in whatever case"""
    cut_frames: Count
    """Frames that are not whole, behind whose end nobody could look"""


class Side(Document):
    """One phone and its capture."""

    phone: Name
    """Name of the phone"""
    network: Name | None
    """Label of its network"""
    vantage: Vantage | None
    """Where its traffic was seen: `interface` (tcpdump on the phone), `hotspot` (the laptop), or `vpn` (PCAPdroid on
    the phone), which changes what it shows ([how](capture-integrity.md)); null where nobody wrote it down"""
    way_out: WayOut | None
    """Where its traffic left it: `interface`, which its route and its default network name, and `kind`"""
    app_version: str | None
    """The version of the app that the phone said it has"""
    addresses: Addresses
    """`interface` and `probed`, as below"""
    capture: Annotated[str, StringConstraints(pattern=r"^(caller|callee)\.(pcap|pcapng)$")]
    """Name of the capture file"""
    sha256: Sha256
    """Of that file"""
    bytes: Count
    """Of that file"""
    packets: Count
    """In that file"""
    tool: str | None
    """What captured"""
    interface: str | None
    """On which interface"""
    lease: Lease | None
    """Where it was captured on a hotspot: `address` and `mac` of the phone there, to which the capture is restricted"""
    snaplen_bytes: Count | None
    """How much of each packet was kept"""
    clock: ClockName
    """By which of `clocks` its times are read: the machine's, or that of the capture where the stamps are not of the
    system clock"""
    coalescing: list[str] | None
    """What was on there that joins packets before a capture sees them: `generic-receive-offload`,
    `large-receive-offload`, `rx-gro-hw`, `rx-gro-list`, `rx-udp-gro-forwarding` of a Linux laptop's interface,
    `rsc-ipv4`, `rsc-ipv6`, `uro` of Windows; an empty list: nothing; null: nobody there can tell, as on a phone. Frames
    that were joined show as `above_mtu` in findings"""
    timestamps: Literal["host", "npcap"] | None
    """What stamped it: `host`, the machine's system clock; `npcap` on Windows, a clock of its own"""
    counters: Counters | None
    """What the tool said: `captured`, `received`, `dropped`"""
    live_ns: Count | None
    """When the controller saw that the tool captures. The difference of both sides is the skew of their starts; both
    are live before the first marker, so it costs no packet ([measured](capture-integrity.md))"""
    app_bytes: Count | None
    """What Android counted of the app on that kind of network during the call; it counted none on any other"""
    identifiers: Searched | None = None
    """Which of the lab's identifiers (contacts' addresses and titles, serials, keys) stand in the capture in clear, as
    below; null where nobody looked. It may be left out"""


class Markers(Document):
    """The harness' own datagrams `im-call-lab NONCE begin` and `... end`."""

    address: Address
    """Where they are sent to"""
    port: Port
    """The UDP port there"""
    nonce: Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,64}$")]
    """What binds them to this trial"""


class Reading(Document):
    """A clock compared with the controller's."""

    offset_ns: Signed
    """That clock less the controller's"""
    bound_ns: Count
    """How far off that may be"""
    at_ns: Count
    """The controller's time of the reading"""


class Clock(Document):
    """A clock that was compared with the controller's twice."""

    before: Reading
    """Before the call"""
    after: Reading
    """After the call"""
    drift_ppm: float | None
    """How much it gained from one to the other; null where one reading stands for both"""


class TrialRecord(Document):
    """trial.json."""

    schema_number: Literal[2] = Field(alias="schema")
    """2"""
    trial: TrialId
    """The ID"""
    attempt: Count
    """How many attempts were kept before this one"""
    asked: Asked
    """What was to be done, as below"""
    outcome: Literal["completed"]
    """`completed`; what is not is in `attempts/`"""
    observed_scenario: Name | None
    """The scenario that the phones showed: the one that was asked, else the attempt is void; null where nobody
    looked"""
    observed: Observed | None = None
    """What the phones' own witnesses hold of the call, as below; null where nobody asked them. It may be left out"""
    limits: BySide[Limits] | None = None
    """By which limits each phone's witnesses were judged; null where nobody asked them. It may be left out"""
    stated_answered: bool | None = None
    """Whether the call was answered as the list of an import states it, by the scenario that it names; null where it
    names none and in a run, whose phones were looked at. It may be left out"""
    revision: Count | None = None
    """Which revision of the YAML it ran with: 0 is `scenarios/` itself, N its `rev-N/`; null where nobody recorded it.
    It may be left out"""
    sides: BySide[Side]
    """`caller` and `callee`: one phone each, as below"""
    markers: Markers | None
    """The harness' own datagrams, as below; null where captures were made by hand: the whole of both files counts"""
    started_ns: Count | None
    """When the attempt began, by the controller"""
    clocks: dict[ClockName, Clock | None]
    """By clock, as below: of the machines `caller`, `callee`, `laptop`; of what stamped a capture `caller_capture`,
    `callee_capture`, by what its laptop sent around the markers, else by the begin and the end marker
    ([how](clocks.md)); null for a clock that nobody compared"""
    capture_restarts: Count | None
    """How often both captures were begun again because it was too loud"""
    noise_bytes_per_s: BySide[float] | None
    """Growth of each capture before the call"""
    ended_ns: Count | None
    """When the attempt ended, by the controller"""

    @property
    def captures(self) -> dict[str, str]:
        """SHA-256 of both captures."""
        return {role: side.sha256 for role, side in self.sides.items()}

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        for role, side in self.sides.items():
            if not side.capture.startswith(f"{role}."):
                raise misfit(role, "capture", f"'{side.capture}' is no capture name of the {role}")
            if side.clock not in self.clocks:
                raise misfit(role, "clock", f"'{side.clock}' is none of this trial's clocks")
        if self.sides["caller"].phone == self.sides["callee"].phone:
            raise misfit("callee", "phone", f"both sides are {self.sides['callee'].phone}")
        return self


def misfit(role: Role, key: str, text: str) -> PydanticCustomError:
    """What does not fit between parts that are each right by themselves; `below` is where it stands."""
    return PydanticCustomError("misfit", "{text}", {"text": text, "below": ("sides", role, key)})
