"""What the phones of a rig tell of their networks: what the kernel says in their namespaces."""

import json
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

from lab.virtual.handset.exchange import Call
from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import OTHERS, Bytes, Kind, Place, Usage
from lab.virtual.rig.layout import Layout


def parsed(text: bytes) -> list[Interface]:
    """What `ip -j addr` says."""
    found = []
    for one in json.loads(text):
        addresses = tuple(
            (IPv4Interface if each["family"] == "inet" else IPv6Interface)((each["local"], each["prefixlen"]))
            for each in one["addr_info"]
        )
        mac = one.get("address") if one["link_type"] == "ether" else None
        found.append(Interface(one["ifname"], mac, addresses, one["mtu"], "UP" in one["flags"]))
    return found


def counted(text: str, interface: str) -> Bytes:
    """The counters of an interface in /proc/net/dev (Linux, dev_seq_printf_stats)."""
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() == interface:
            words = [int(word) for word in rest.split()]
            return Bytes(words[0], words[1], words[8], words[9])
    raise LookupError(f"no interface {interface} in /proc/net/dev")


class RigNetwork:
    """Interfaces and counters of the phones; a listener of the exchange.

    Android counts by app. Here nothing but the call and the harness' own datagrams uses a phone's network: from the
    placing of a call on, all bytes of its interface count as the called app's, before as another one's.
    """

    def __init__(self, layout: Layout, ask: Callable[[str], Awaitable[bytes]], pid_in: Callable[[str], int]) -> None:
        self._layout, self._ask, self._pid_in = layout, ask, pid_in
        self._phones = {phone.name: phone for phone in (layout.mobile, layout.hotspot)}
        self._interfaces: dict[str, list[Interface]] = {}
        self._usages: dict[str, Usage] = {}
        self._app, self._before = OTHERS, dict[str, Bytes]()

    async def begin(self) -> None:
        """Start an attempt: read the interfaces; nothing is counted yet."""
        for name, space in self._layout.spaces.items():
            self._interfaces[name] = parsed(await self._ask(space))
        self._usages = {name: Usage() for name in self._phones}
        self._start(OTHERS)

    def _start(self, app: str) -> None:
        self._app = app
        self._before = {name: self._kernel(name) for name in self._phones}

    def _kernel(self, phone: str) -> Bytes:
        text = Path(f"/proc/{self._pid_in(phone)}/net/dev").read_text()
        return counted(text, self.clat(phone)[0])

    def interfaces(self, phone: str) -> list[Interface]:
        return self._interfaces[phone]

    def usage(self, phone: str) -> Usage:
        now, before, usage = self._kernel(phone), self._before[phone], self._usages[phone]
        kind: Kind = "wifi" if self.clat(phone)[0].startswith("wlan") else "cellular"
        grown = {name: value - getattr(before, name) for name, value in vars(now).items()}
        usage.counted[Place(kind, self._app, 0)] = Bytes(**grown)
        return usage

    def clat(self, phone: str) -> tuple[str, IPv6Address | None]:
        return self._layout.access(self._phones[phone]).interface, None

    def raise_other_vpn(self, phone: str) -> None:
        raise ValueError("the rig has no VPN")

    def placed(self, call: Call) -> None:
        self._start(call.app.name)

    def rung(self, call: Call) -> None:
        """Nothing changes."""

    def answered(self, call: Call) -> None:
        """Nothing changes."""

    def ended(self, call: Call) -> None:
        """Nothing changes: farewells are the app's."""
