"""The NATs of the rig, as rules of nftables. Kinds by RFC 4787: how ports are mapped, and who may send to them.

`cone`: mapped as they are, and anybody may send (endpoint-independent mapping and filtering). `port`: mapped as they
are, and only who was sent to may send (address and port-dependent filtering). `symmetric`: a port of its own for each
destination, drawn at random (address and port-dependent mapping).
"""

import random
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

NatKind = Literal["cone", "port", "symmetric"]

DIRECT: tuple[tuple[NatKind, NatKind], ...] = (("port", "port"), ("cone", "port"), ("port", "cone"))
RELAYED: tuple[tuple[NatKind, NatKind], ...] = (("symmetric", "port"), ("symmetric", "symmetric"))
"""Kinds of the carrier's and the home NAT through which two phones find each other, and through which they do not."""


@dataclass(frozen=True)
class Nats:
    """The kinds of one attempt; at home both the router's and the laptop's are of one kind."""

    carrier: NatKind
    home: NatKind


def drawn(direct: bool, chance: random.Random) -> Nats:
    """The NATs of an attempt that may go directly, or may not."""
    return Nats(*chance.choice(DIRECT if direct else RELAYED))


def rules(kind: NatKind, outside: str, inside: IPv4Address) -> str:
    """What `nft -f -` takes: a NAT on the interface `outside` with one host, `inside`, behind it.

    Rules that were there are gone; connections that were tracked are not.
    """
    translation = "masquerade fully-random" if kind == "symmetric" else "masquerade"
    inbound = f"iifname {outside} meta l4proto udp dnat to {inside}" if kind == "cone" else ""
    return f"""flush ruleset
table ip translation {{
    chain inbound {{
        type nat hook prerouting priority dstnat
        {inbound}
    }}
    chain outbound {{
        type nat hook postrouting priority srcnat
        oifname {outside} {translation}
    }}
}}
table inet filter {{
    chain input {{
        type filter hook input priority filter
        iifname {outside} ct state new drop
    }}
    chain forward {{
        type filter hook forward priority filter
        iifname {outside} ct state new ct status & dnat == 0 drop
    }}
}}
"""
