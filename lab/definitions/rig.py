"""How two browsers play an app's calls on the rig: the `rig:` section of `scenarios/virtual/APP.yaml`.

It stands beside `network:`, which says what the emulator writes on the wire. Here libwebrtc writes it; an app is what
its two ends are told (RFC 8445, RFC 8656, W3C WebRTC `RTCConfiguration`).
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal

from pydantic import Field

from lab.definitions.base import Model, Name, Port
from lab.definitions.virtual_network import Party


class RigRelay(Model):
    """A TURN server of which a phone on `network` is told, any phone where none is named; one of `network.relays`."""

    network: Name | None = None
    address: IPv4Address | IPv6Address
    port: Port
    transport: Literal["udp", "tcp"] = "udp"


class Unplayed(Model):
    """What libwebrtc cannot play of this app: the truth has null there, with this reason."""

    field: Literal["role", "service"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class RigCalls(Model):
    """What the two browsers of a call are told.

    ice: candidates of all kinds, relayed ones alone (`iceTransportPolicy`), or relayed ones unless the plan has the
    trial go directly. relayed: which phone is told relays at all; the other one asks them for its address alone.
    answers: when the callee makes its answer; of one made while it rings the caller learns only with the answer.
    signals: the kinds of candidates that the operator hands on. `network` on a relay, and `relayed`, are as in
    `network:`.
    """

    relays: Annotated[list[RigRelay], Field(min_length=1)]
    ice: Literal["all", "relay", "relay_unless_direct"] = "all"
    relayed: Party = "both"
    answers: Literal["answered", "ringing"] = "answered"
    signals: list[Literal["host", "srflx", "relay"]] = ["host", "srflx", "relay"]
    ufrag_characters: Annotated[int, Field(ge=4, le=256)] = 4
    video_kbps: Annotated[int, Field(ge=50, le=5000)] = 250
    unplayed: list[Unplayed] = []
