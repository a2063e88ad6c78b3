"""The network namespaces of one rig: made, joined, given NATs and delays, and taken away with all that runs in them.

A name holds the process that made it (id and start time): whatever a killed one left is found by its name and removed
by the next rig that starts. Nothing else is touched.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import groupby
from pathlib import Path

from lab.errors import BenchUnhealthy
from lab.virtual.rig.cable import __name__ as cable_module
from lab.virtual.rig.children import Child, run
from lab.virtual.rig.layout import HOME_CABLE, MOBILE_CABLE, SPACES, Layout, commands
from lab.virtual.rig.nat import NatKind, Nats, rules
from lab.virtual.rig.world import pause

PREFIX = "im-call-lab-rig"
NETNS = Path("/run/netns")
_NAME = re.compile(rf"{PREFIX}\.(\d{{1,10}})\.(\d{{1,20}})\.(?:{'|'.join(SPACES)})")
CABLE_READY_S, GONE_TRIES, GONE_EVERY_S = 10.0, 50, 0.1
OFFLOADS = ("tx", "gro", "gso", "tso")
"""What joins packets, or leaves their checksums to hardware that is not there."""


def started_ticks(pid: int) -> str | None:
    """When a process started, in the kernel's ticks (proc_pid_stat(5), field 22); None for one that is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def names_of(pid: int) -> dict[str, str]:
    """The names of a process' namespaces, by space."""
    return {space: f"{PREFIX}.{pid}.{started_ticks(pid)}.{space}" for space in SPACES}


def abandoned() -> Iterator[str]:
    """The names of namespaces whose rig is no more."""
    for path in sorted(NETNS.iterdir()) if NETNS.is_dir() else ():
        found = _NAME.fullmatch(path.name)
        if found is not None and started_ticks(int(found[1])) != found[2]:
            yield path.name


def processes_in(name: str) -> list[int]:
    """The processes in a network namespace."""
    try:
        wanted = (NETNS / name).stat().st_ino
    except OSError:
        return []
    found = []
    for path in Path("/proc").iterdir():
        # One that ends meanwhile is in none.
        with contextlib.suppress(OSError):
            if path.name.isdigit() and (path / "ns/net").stat().st_ino == wanted:
                found.append(int(path.name))
    return found


async def remove(names: list[str]) -> None:
    """End what runs in namespaces of ours, then remove them."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(GONE_TRIES):
            left = [pid for name in names for pid in processes_in(name)]
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            await pause(GONE_EVERY_S)
    for name in names:
        try:
            if (NETNS / name).exists():
                await run(["ip", "netns", "del", name])
        except BenchUnhealthy:
            # Another rig that starts at this moment sweeps as well.
            if (NETNS / name).exists():
                raise


async def sweep() -> None:
    """Remove what rigs left that are no more."""
    await remove(list(abandoned()))


class Spaces:
    """The namespaces of this process' rig, from `up` to `down`."""

    def __init__(self, layout: Layout, root: Path) -> None:
        self.layout, self._names = layout, names_of(os.getpid())
        argv = [sys.executable, "-I", "-m", cable_module, "cable0a:cable0b", "cable1a:cable1b"]
        self._cables = Child(self.inside("internet", *argv), root / "cables.log")

    def inside(self, space: str, *argv: str) -> list[str]:
        """A command line that runs in a space."""
        return ["nsenter", f"--net={NETNS / self._names[space]}", *argv]

    async def up(self) -> None:
        """Make everything. Raises `BenchUnhealthy`; `down` is to be called then too."""
        added = "".join(f"netns add {name}\n" for name in self._names.values())
        await run(["ip", "-batch", "-"], added.encode())
        for space in SPACES:
            # Addresses are usable at once; routers route.
            settings = ["net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"]
            if space not in ("mobile", "hotspot"):
                settings += ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
            await run(self.inside(space, "sysctl", "-q", "-w", *settings))
        await self._cables.start(inputs=asyncio.subprocess.PIPE)
        await self._until_ready()
        for space, lines in groupby(commands(self.layout), key=lambda each: each[0]):
            text = "".join(f"{line.format_map(self._names)}\n" for _, line in lines)
            await run(["ip", "-n", self._names[space], "-batch", "-"], text.encode())
        for space, interface in self._ethernets():
            words = [word for name in OFFLOADS for word in (name, "off")]
            await run(self.inside(space, "ethtool", "-K", interface, *words))

    async def _until_ready(self) -> None:
        for _ in range(round(CABLE_READY_S / GONE_EVERY_S)):
            if "ready" in self._cables.last_words():
                return
            if await self._cables.ended(GONE_EVERY_S):
                break
        raise BenchUnhealthy(f"the rig's cables do not start: {self._cables.last_words()}")

    def _ethernets(self) -> list[tuple[str, str]]:
        wlan = self.layout.access(self.layout.hotspot).interface
        ends = [("carrier", "wan0"), ("internet", "carrier0"), ("home", "lan0"), ("laptop", "eth0")]
        return [*ends, ("laptop", "hotspot0"), ("hotspot", wlan)]

    async def set_nats(self, nats: Nats) -> None:
        """Kinds of NAT from now on; every mapping that there was is forgotten."""
        inner: list[tuple[str, str, IPv4Address, NatKind]] = [
            ("carrier", "wan0", self.layout.mobile_ends()[0].ip, nats.carrier),
            ("home", "wan0", self.layout.lan_ends()[0].ip, nats.home),
            ("laptop", "eth0", self.layout.hotspot_ends()[0].ip, nats.home),
        ]
        for space, outside, inside, kind in inner:
            await run(self.inside(space, "nft", "-f", "-"), rules(kind, outside, inside).encode())
            # It complains where there is nothing to flush.
            await run(self.inside(space, "sh", "-c", "conntrack -F 2>/dev/null || true"))

    async def set_conditions(self, mobile: tuple[int, int, int], home: tuple[int, int, int], seed: int) -> None:
        """Delay and jitter in us, and loss in ppm, of the way to phone 1 and to the home router, from now on."""
        for index, conditions in ((MOBILE_CABLE, mobile), (HOME_CABLE, home)):
            self._cables.input.write(" ".join(map(str, (index, *conditions, seed + index))).encode() + b"\n")
        await self._cables.input.drain()

    async def down(self) -> None:
        """End all that runs in the namespaces, and remove them."""
        await self._cables.end()
        await remove(list(self._names.values()))
