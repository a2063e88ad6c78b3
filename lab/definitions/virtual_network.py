"""What an emulated app does on the network, and the networks, clocks and latencies of an emulated bench.

`AppNetwork` is the `network:` section of `scenarios/virtual/APP.yaml`; `PhoneEmulation` and `LaptopEmulation` are the
`emulation:` sections of a bench file. No behaviour here belongs to one app: an app is a choice of these fields.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lab.definitions.base import ApiKey, Model, Name, Port

Count = Annotated[int, Field(ge=0)]


class Seconds(Model):
    """A span from which a duration is drawn evenly."""

    low_s: Annotated[float, Field(ge=0)]
    high_s: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high_s < self.low_s:
            raise ValueError(f"high_s must be at least low_s, is {self.high_s} with low_s {self.low_s}")
        return self


class Packets(Model):
    """A span from which a number of packets is drawn evenly, both ends included."""

    low: Count
    high: Count

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high must be at least low, is {self.high} with low {self.low}")
        return self


class Relay(Model):
    """One server of the app (host and port), by both its addresses; the names are what PTR queries answer.

    framing: `turn` (RFC 8656) or `warp` (the same header with methods 0x0800-0x0805 and attributes 0x4000-0x4007).
    purpose: `media` carries the call; `secondary` is contacted with the few packets of `Secondary` whatever the call's
    length; `extra` is kept alive beside the call. `candidates`: user ids and addresses of the parties go through here.
    opens: on the caller's side `placing` with the call, or `ringing` once both phones have sessions.
    """

    name: str | None = None
    ipv6_name: str | None = None
    ipv4: IPv4Address
    ipv6: IPv6Address | None = None
    port: Port
    framing: Literal["turn", "warp"]
    purpose: Literal["media", "secondary", "extra"]
    candidates: bool = False
    opens: Literal["placing", "ringing"] = "placing"


class Secondary(Model):
    """Packets, both ways together, of each secondary session for the whole call."""

    caller: Packets
    callee: Packets


class NetworkUserIds(Model):
    """ICE username fragments of one length, and the calls that carry them."""

    length: Annotated[int, Field(ge=4, le=256)]
    when: Literal["always", "conversation"]


class Credentials(Model):
    """What an app and its TURN servers put into requests that are authenticated (RFC 8489 section 9.2)."""

    username_bytes: Annotated[int, Field(ge=1, le=508)] = 12
    realm: Annotated[str, Field(min_length=1, max_length=127)] = "relay.example"
    nonce_bytes: Annotated[int, Field(ge=1, le=127)] = 16


class WarpLengths(Model):
    """Lengths in the messages of warp relays: the token in an Allocate, and what a ping is filled up with."""

    token_bytes: Annotated[int, Field(ge=1, le=200)] = 150
    padding_bytes: Annotated[int, Field(ge=0, le=440)] = 440


class Exposure(Model):
    """Which addresses of a party the other party's wire shows.

    unanswered: `caller`: the caller's public and private address on the callee's wire. conversation: `public`: both
    public ones; `all`: public and private ones of both; `direct_only`: all four, but only in a direct call.
    """

    unanswered: Literal["none", "caller"]
    conversation: Literal["none", "public", "all", "direct_only"]


class Ringing(Model):
    """How often each side's media session is kept alive until the call is answered."""

    caller_every_s: Annotated[float, Field(ge=0.5)]
    callee_every_s: Annotated[float, Field(ge=0.5)]


class KeepAlive(Model):
    """What an idle session sends: `stun` requests that are answered, or `raw` datagrams of `payload_bytes`."""

    every_s: Annotated[float, Field(ge=0.5)]
    form: Literal["stun", "raw"]
    payload_bytes: Annotated[int, Field(ge=1, le=1200)] = 8
    ringing: Ringing | None = None


Party = Literal["nobody", "both", "caller", "callee", "mobile", "hotspot"]
"""Which of the two phones: by its role in the call, or by its link: `mobile` is raw IP, `hotspot` is Ethernet."""


class DirectCount(Model):
    """How many of `of` trials from one caller network in one scenario go directly (Table 3)."""

    caller_network: Name
    scenario: Name
    direct: Count
    of: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.direct > self.of:
            raise ValueError(f"direct must be at most of ({self.of}), is {self.direct}")
        return self


class AppNetwork(Model):
    """What calls of one app look like on the wire.

    mobile_ipv6: how a phone with IPv6 reaches the relays: `native` (where a relay has an IPv6 address), `nat64` or
    `never`. identical_unanswered: in an unanswered call of this service the caller's sessions carry the same packets
    and bytes. peer_address: where XOR-PEER-ADDRESS stands in a message, before or behind DATA and the credentials; RFC
    8489 section 14 leaves it open. Session starts count from placing (caller) and from ringing (callee). `direct` is
    read by the harness alone; an app whose list has no direct trial makes no direct calls.

    turn_over_tcp: which phone reaches its relays over TCP (RFC 8656 section 2.1), with messages of ChannelData padded
    to four bytes. relayed: which phone allocates a relay at all; the other one sends its ICE checks and its media from
    one socket to the relayed transport address of the first. indications_s: how long from the answer media go in Send
    and Data indications, before a channel is bound. consent: from one check of the path to the next (RFC 7675), each
    way and answered, in ChannelData once it is bound; without it user ids go in other messages.
    """

    relays: Annotated[list[Relay], Field(min_length=1)]
    media_framing: Literal["rtp", "channel_data"]
    mobile_ipv6: Literal["native", "nat64", "never"]
    secondary: Secondary | None = None
    identical_unanswered: Literal["voice", "video"] | None = None
    user_ids: NetworkUserIds | None = None
    exposure: Exposure
    keep_alive: KeepAlive
    caller_starts: Seconds
    callee_starts: Seconds
    credentials: Credentials = Credentials()
    warp: WarpLengths = WarpLengths()
    peer_address: Literal["first", "last"] = "first"
    turn_over_tcp: Party = "nobody"
    relayed: Party = "both"
    indications_s: Annotated[float, Field(ge=0, le=20)] = 0.0
    consent: Seconds | None = None
    moves_to_direct: Seconds = Seconds(low_s=0.3, high_s=1.5)
    direct: list[DirectCount] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        purposes = [relay.purpose for relay in self.relays]
        if purposes.count("media") != 1:
            raise ValueError(f"relays must have exactly one of purpose media, have {purposes.count('media')}")
        if any(relay.opens == "ringing" and (relay.purpose != "extra" or relay.candidates) for relay in self.relays):
            raise ValueError("only relays of purpose extra without candidates may have opens: ringing")
        if ("secondary" in purposes) != (self.secondary is not None):
            raise ValueError("secondary must be given if and only if a relay has purpose secondary")
        through = [relay for relay in self.relays if relay.candidates]
        if len(through) > 1 or any(relay.framing != "turn" for relay in through):
            raise ValueError("at most one relay may have candidates: true, and its framing must be turn")
        shown = self.exposure.unanswered == "caller" or self.exposure.conversation in ("public", "all")
        if not through and (shown or self.user_ids is not None):
            raise ValueError("user_ids and this exposure need a relay with candidates: true")
        carrier = next(relay for relay in self.relays if relay.purpose == "media")
        if self.media_framing == "channel_data" and carrier.framing != "turn":
            raise ValueError("media_framing channel_data needs a media relay of framing turn")
        return self

    @model_validator(mode="after")
    def _negotiable(self) -> Self:
        channels = self.media_framing == "channel_data"
        if self.consent is not None and not (channels and self.user_ids is not None and self.consent.low_s > 0):
            raise ValueError("consent needs a low_s above 0, media_framing channel_data and user_ids")
        if self.indications_s and not (channels and self.peer_address == "first"):
            raise ValueError("indications_s needs media_framing channel_data and peer_address first")
        stun_alone = channels and self.keep_alive.form == "stun" and all(r.framing == "turn" for r in self.relays)
        if self.turn_over_tcp != "nobody" and not stun_alone:
            raise ValueError("turn_over_tcp needs media_framing channel_data, relays of turn, keep_alive of form stun")
        if self.relayed == "nobody":
            raise ValueError("relayed must name a phone")
        through_one = self.consent is not None and self.mobile_ipv6 != "native" and not self.direct_capable
        if self.relayed != "both" and not (through_one and self.exposure.conversation == "none"):
            raise ValueError("relayed on one side needs consent, no native IPv6, no direct calls, exposure none")
        return self

    @property
    def direct_capable(self) -> bool:
        """Whether the app makes direct calls at all."""
        return any(count.direct for count in self.direct)


class ClockEmulation(Model):
    """How wrong a machine's clock is at the start of an attempt, and how fast it drifts."""

    offset_ns: int
    drift_ppb: int = 0


class Latency(Model):
    """What one operation over ADB (or the laptop's channel) costs each way, in nanoseconds."""

    up_low_ns: Count
    up_high_ns: Count
    down_low_ns: Count
    down_high_ns: Count

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.up_high_ns < self.up_low_ns or self.down_high_ns < self.down_low_ns:
            raise ValueError("up_high_ns and down_high_ns must be at least up_low_ns and down_low_ns")
        return self


class AccessNetwork(Model):
    """The network between one phone and the Internet.

    `ipv4` lists the networks of which one gives the interface address of the attempt. `nat_pool` gives its public
    IPv4: with `nat` `per_flow` each local socket may get another one, with `one_address` all share one. `ipv6` gives a
    /64 an attempt, None: link-local only. `nat64_pool` answers for 64:ff9b::/96. With `clat` the interface has IPv6
    alone, and IPv4 is translated behind an interface `v4-...` that is stacked on it (464XLAT, RFC 6877). Delays are one
    way to the servers. addresses: drawn anew `per_attempt`, or `constant`: the phone's own, its MACs and those of the
    NATs are the same in every attempt of every seed, as in a lab; ports, delays and losses are drawn all the same.
    """

    interface: str
    link: Literal["raw", "ethernet"]
    mtu: Annotated[int, Field(ge=1280, le=9000)] = 1500
    ipv4: Annotated[list[IPv4Network], Field(min_length=1)]
    ipv4_prefix: Annotated[int, Field(ge=8, le=32)]
    nat: Literal["per_flow", "one_address"]
    nat_pool: IPv4Network
    ipv6: IPv6Network | None = None
    nat64_pool: IPv4Network | None = None
    clat: bool = False
    addresses: Literal["per_attempt", "constant"] = "per_attempt"
    delay_low_us: Count
    delay_high_us: Count
    jitter_us: Count
    loss_low_ppm: Count = 1_000
    loss_high_ppm: Count = 10_000

    @model_validator(mode="after")
    def _translated(self) -> Self:
        if self.clat and (self.ipv6 is None or self.nat64_pool is None):
            raise ValueError("clat needs ipv6 and nat64_pool")
        return self


class PcapdroidEmulation(Model):
    """PCAPdroid as it is installed on a virtual phone: its version, and the key that was made in it, if any was."""

    version: Annotated[str, Field(pattern=r"^[0-9][0-9.]{0,19}$")] = "1.9.1"
    key: ApiKey | None = None


Disorder = Literal[
    "newest_first",
    "recorder_update",
    "mode_dropped",
    "telecom_first",
    "no_telecom",
    "hotword",
    "early_camera",
    "lens_switch",
    "folded_camera",
    "heads_up",
    "other_tear_down",
    "slow_records",
]
"""A way in which a real phone's records of calls are out of order; `lab.virtual.handset.disorders` says each."""


class PhoneEmulation(Model):
    """What the virtual bench needs to play one phone: its network, clock, latencies and a few device facts.

    `sdk` decides the wording of its dumps; it has `sims` SIM cards, and its wall clock shows `utc_offset_minutes` more
    than UTC. Each of the `disorders` strikes in half of the attempts, drawn for each phone apart.
    """

    access: AccessNetwork
    clock: ClockEmulation
    adb: Latency
    sdk: int = 36
    locale: str = "en-US"
    screen_width: int = 1080
    screen_height: int = 2400
    battery_percent: Annotated[int, Field(ge=0, le=100)] = 90
    operator: str | None = None
    tcpdump: str | None = "4.99.5"
    pcapdroid: PcapdroidEmulation | None = None
    sims: Annotated[int, Field(ge=1, le=2)] = 1
    utc_offset_minutes: Annotated[int, Field(ge=-720, le=840)] = 0
    disorders: list[Disorder] = Field(default_factory=list)


class LaptopInterface(Model):
    """One network interface of the laptop, as `dumpcap -D -M` lists it."""

    name: str
    description: str = ""
    addresses: list[IPv4Interface | IPv6Interface] = Field(default_factory=list)


class LaptopEmulation(Model):
    """What the virtual bench needs to play the laptop."""

    clock: ClockEmulation
    channel: Latency
    dumpcap_version: str = "4.0.17"
    kernel: str = "Linux 6.1.0"
    interfaces: list[LaptopInterface]
