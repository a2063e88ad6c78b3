"""What a frame means to its sender; nothing in it is read from bytes."""

from dataclasses import dataclass
from typing import Literal

from lab.virtual.network.addresses import Address, Endpoint


@dataclass(frozen=True)
class Server:
    """One server of a call as one phone reaches it: `host` is the same for both addresses of one machine."""

    host: str
    address: Address
    port: int
    name: str | None


@dataclass(frozen=True)
class Meaning:
    """What a frame is, as its sender knows.

    `stun`: the datagram itself is STUN (ChannelData is not). `inside`: what it carries, where it is ChannelData or a
    Send or Data indication. `marks`: it carries more than a bare Binding. `server`:
    its far end is this server of the call. `peer`: its far end is this address of the other phone. `shows`: addresses
    of phones that it lets be read, with their owner. `mapped`: the address it tells this phone is its own. `user_ids`:
    fragments of user names in it. `marker`: nonce and word of a marker.
    """

    kind: Literal["call", "direct", "marker", "noise"]
    outgoing: bool
    stun: bool = False
    marks: bool = False
    server: Server | None = None
    peer: Endpoint | None = None
    shows: tuple[tuple[str, Address], ...] = ()
    mapped: Address | None = None
    user_ids: tuple[str, ...] = ()
    marker: tuple[str, str] | None = None
    inside: Literal["stun", "media"] | None = None

    @property
    def is_media(self) -> bool:
        """Media, or a keep-alive that is not STUN: by itself, or in ChannelData or an indication."""
        return self.inside == "media" or (self.inside is None and not self.stun)
