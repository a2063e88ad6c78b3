"""How two browsers play an app's calls on the rig: the `rig:` section of `scenarios/virtual/APP.yaml`.

It stands beside `network:`, which says what the emulator writes on the wire. Here libwebrtc writes it; an app is what
its two ends are told (RFC 8445, RFC 8656, W3C WebRTC `RTCConfiguration`).
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lab.definitions.base import Model, Name, Place, Port, refuse, repeated
from lab.definitions.virtual_network import AppNetwork, Party


class RigRelay(Model):
    """A TURN server at an address of one of the app's `network.relays`.

    A phone is told those that name its `network`, or else those that name none.
    """

    network: Name | None = None
    address: IPv4Address | IPv6Address
    port: Port
    transport: Literal["udp", "tcp", "tls"] = "udp"


class Unplayed(Model):
    """What libwebrtc cannot play of this app: the truth has null there, with this reason."""

    field: Literal["role", "service"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class RigCalls(Model):
    """What the two browsers of a call are told.

    ice: candidates of all kinds, relayed ones alone (`iceTransportPolicy`), or relayed ones unless the plan has the
    trial go directly. relayed: which phone is told relays at all, as in `network:`; the other one asks them for its
    address alone and keeps its own candidates, whatever `ice` says. answers: when the callee makes its answer; of one
    made while it rings the caller learns only with the answer. signals: the kinds of candidates that the operator
    hands on; without `host` the related address of the others is zeroed (RFC 8839 section 5.1).
    """

    relays: Annotated[list[RigRelay], Field(min_length=1)]
    ice: Literal["all", "relay", "relay_unless_direct"] = "all"
    relayed: Party = "both"
    answers: Literal["answered", "ringing"] = "answered"
    signals: list[Literal["host", "srflx", "relay"]] = Field(default=["host", "srflx", "relay"], min_length=1)
    ufrag_characters: Annotated[int, Field(ge=4, le=256)] = 4
    video_kbps: Annotated[int, Field(ge=50, le=5000)] = 250
    unplayed: list[Unplayed] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        found: list[tuple[Place, str]] = [
            (("relays", index), "this relay a second time")
            for index, _ in repeated(f"{one.network} {one.address} {one.port} {one.transport}" for one in self.relays)
        ]
        found += [(("signals", index), f"'{kind}' a second time") for index, kind in repeated(self.signals)]
        fields = repeated(one.field for one in self.unplayed)
        found += [(("unplayed", index, "field"), f"'{field}' a second time") for index, field in fields]
        if self.relayed == "nobody":
            found.append((("relayed",), "relayed must name a phone: what does not go directly needs a relay"))
        if self.ice != "all" and "relay" not in self.signals:
            found.append((("signals",), f"ice: {self.ice} gathers relayed candidates, and signals has no 'relay'"))
        refuse(found)
        return self


def unlike(rig: RigCalls, network: AppNetwork) -> list[tuple[Place, str]]:
    """Where the browsers' calls contradict what the emulator writes of the same app, with places below `rig`."""
    known = {str(address) for relay in network.relays for address in (relay.ipv4, relay.ipv6) if address is not None}
    found: list[tuple[Place, str]] = [
        (("relays", index, "address"), f"{relay.address} is no address of network.relays; there are {_few(known)}")
        for index, relay in enumerate(rig.relays)
        if str(relay.address) not in known
    ]
    if rig.ice == "relay" and network.direct_capable:
        found.append(
            (("ice",), "ice: relay makes no direct call, and network.direct has some; relay_unless_direct does")
        )
    return found


def _few(addresses: set[str]) -> str:
    few = sorted(addresses)
    return ", ".join(few[:4]) + (f" and {len(few) - 4} more" if len(few) > 4 else "")
