"""What joins packets of one flow into a larger one before a capture sees them.

On Linux a capture stands behind GRO; on Windows RSC joins TCP, and from 24H2 on URO joins UDP.
"""

from __future__ import annotations

OFF = {
    "generic-receive-offload": "ethtool -K {} gro off",
    "large-receive-offload": "ethtool -K {} lro off",
    "rx-gro-hw": "ethtool -K {} rx-gro-hw off",
    "rx-gro-list": "ethtool -K {} rx-gro-list off",
    "rx-udp-gro-forwarding": "ethtool -K {} rx-udp-gro-forwarding off",
    "rsc-ipv4": "Disable-NetAdapterRsc -Name * -IPv4",
    "rsc-ipv6": "Disable-NetAdapterRsc -Name * -IPv6",
    "uro": "netsh int udp set global uro=disabled",
}
"""Each thing that joins packets, and what switches it off on an interface."""


def joining(text: str) -> list[str] | None:
    """What is on by `ethtool -k INTERFACE`; None where it names nothing that joins, or neither says on nor off."""
    lines = [line.strip().partition(": ") for line in text.splitlines()]
    states = {name: state.split()[:1] for name, _, state in lines if name in OFF}
    if not states or any(state not in (["on"], ["off"]) for state in states.values()):
        return None
    return [name for name, state in states.items() if state == ["on"]]
