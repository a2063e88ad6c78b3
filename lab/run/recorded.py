"""What was recorded of one side, part by part, and the side of trial.json that is made of these parts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from correlate.dataset import record
from correlate.trace import Integrity
from lab.capture.counters import Counters
from lab.capture.protocol import Capture
from lab.definitions import App, PhoneSpec, StunServer
from lab.phone.default_network import DefaultNetwork, require_network
from lab.phone.phone import Phone

Addresses = tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True)
class Identified:
    """A phone before its call."""

    spec: PhoneSpec
    app_version: str
    network: DefaultNetwork
    interface: Addresses
    probed: Addresses


@dataclass(frozen=True)
class Stored:
    """A capture that was fetched and verified: `machine` is whose system clock it has, `live_ns` when it was live."""

    capture: Capture
    file: str
    integrity: Integrity
    identifiers: record.Searched
    counters: Counters
    snaplen_bytes: int
    machine: str
    coalescing: list[str] | None
    timestamps: str
    live_ns: int


def identified(phone: Phone, app: App, servers: Sequence[StunServer]) -> Identified:
    """Wake a phone and ask who and where it is. Raises what the phone's methods raise."""
    phone.wake()
    version = phone.identify(app)
    network = phone.default_network()
    require_network(phone.spec, network)
    interface = tuple(phone.interface_addresses())
    probed = tuple(phone.probe_public_addresses(servers))
    return Identified(phone.spec, version, network, interface, probed)


def while_captured(before: Identified, phone: Phone) -> Identified:
    """A capture in a VPN gives the phone an address more, which is the app's own from then on."""
    if phone.spec.vantage != "vpn":
        return before
    return replace(before, interface=tuple(dict.fromkeys([*before.interface, *phone.interface_addresses()])))


def side(phone: Identified, stored: Stored, clock: str, app_bytes: int) -> record.Side:
    """A side of trial.json; `clock` names the one by which the capture's times are read."""
    lease = stored.capture.lease
    return record.Side(
        phone=phone.spec.name,
        network=phone.spec.network,
        vantage=phone.spec.vantage,
        way_out=record.WayOut(**asdict(phone.network)),
        app_version=phone.app_version,
        addresses=record.Addresses(interface=list(phone.interface), probed=list(phone.probed)),
        capture=stored.file,
        sha256=stored.integrity.sha256,
        bytes=stored.integrity.bytes,
        packets=stored.integrity.packets,
        tool=stored.capture.tool,
        interface=stored.capture.interface,
        lease=None if lease is None else record.Lease(**asdict(lease)),
        snaplen_bytes=stored.snaplen_bytes,
        clock=clock,
        coalescing=stored.coalescing,
        timestamps=stored.timestamps,
        counters=record.Counters(**asdict(stored.counters)),
        live_ns=stored.live_ns,
        app_bytes=app_bytes,
        identifiers=stored.identifiers,
    )
