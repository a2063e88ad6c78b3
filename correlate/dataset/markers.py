"""`markers` of trial.json."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address


@dataclass(frozen=True)
class Markers:
    """Where the markers of a trial went, and the nonce that binds them to it."""

    address: IPv4Address | IPv6Address
    port: int
    nonce: str
