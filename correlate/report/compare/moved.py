"""What else is not the same in two datasets: versions, systems, networks, the bench, the harness, the YAML."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from correlate.dataset.anchors import SCENARIOS
from correlate.dataset.contents import hashes
from correlate.dataset.record import Addresses, Device, Machine
from correlate.dataset.record import Side as SideRecord
from correlate.report.compare.reading import Both, Side
from correlate.tables.layout import plain_text

DIGITS = 12
"""So much of a SHA-256 is shown."""
NOTHING = "nothing recorded"


@dataclass(frozen=True)
class Moved:
    """What is another in B than in A; each in words."""

    what: str
    a: str
    b: str


def moved(both: Both) -> list[Moved]:
    """All that is not the same, in the order in which it is likely to matter."""
    a, b = (_facts(side, both.apps) for side in (both.a, both.b))
    found = ((what, a.get(what, NOTHING), b.get(what, NOTHING)) for what in dict.fromkeys((*a, *b)))
    return [Moved(what, ours, theirs) for what, ours, theirs in found if ours != theirs]


def _facts(side: Side, apps: Iterable[str]) -> dict[str, str]:
    study, info = side.study, side.study.info
    facts = {f"version of {app}": study.version(app) or NOTHING for app in apps}
    for number, device in enumerate(info.devices, 1):
        facts |= _of_phone(number, device, side)
    if info.laptop is not None:
        facts |= _of_machine("the laptop", info.laptop)
    facts |= {"bench": info.bench, "seed": str(info.seed)}
    facts |= {f"revisions of the YAML of {app}": str(study.revised.of(app)) for app in apps}
    root = side.dataset.path / SCENARIOS
    files = hashes(root) if root.is_dir() else {}
    facts |= {f"{SCENARIOS}/{name}": digest[:DIGITS] for name, digest in files.items() if not name.startswith("rev-")}
    facts |= {f"version of {name}": version for name, version in info.versions.items()}
    return {what: plain_text(text) or NOTHING for what, text in facts.items()}


def _of_machine(name: str, machine: Machine) -> dict[str, str]:
    return {
        f"model of {name}": machine.model or NOTHING,
        f"system of {name}": machine.os or NOTHING,
        f"tools on {name}": ", ".join(machine.tools),
    }


def _of_phone(number: int, device: Device, side: Side) -> dict[str, str]:
    name = f"device {number}"
    sides = [each for record in side.records for each in record.sides.values() if each.phone == device.name]
    return {
        f"name of {name}": device.name,
        **_of_machine(name, device),
        f"network of {name}": device.network or NOTHING,
        f"way out of {name}": _all(each.way_out.kind for each in sides if each.way_out is not None),
        f"NAT of {name}": _all(nat(each.addresses) for each in sides),
        f"captures of {name}": _all(_capture(each) for each in sides),
    }


def _capture(side: SideRecord) -> str:
    return f"{side.tool or 'unknown tool'} at {side.vantage or 'an unknown place'}, snaplen {side.snaplen_bytes or '?'}"


def nat(addresses: Addresses) -> str:
    """Whether others see a phone under an address that its interfaces have, as its own addresses and those that STUN
    servers saw before the call tell; IPv4 and IPv6 by themselves."""
    if addresses.interface is None or addresses.probed is None:
        return NOTHING
    kinds: dict[Literal["IPv4", "IPv6"], bool] = {}
    for address in addresses.probed:
        family: Literal["IPv4", "IPv6"] = "IPv4" if isinstance(address, IPv4Address) else "IPv6"
        kinds[family] = kinds.get(family, False) or address not in addresses.interface
    said = [f"{family} {'behind a NAT' if kinds[family] else 'without NAT'}" for family in sorted(kinds)]
    return " and ".join(said) or NOTHING


def _all(found: Iterable[str]) -> str:
    """Each once; in how many trials says nothing here."""
    return "; ".join(sorted(set(found)))
