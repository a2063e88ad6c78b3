"""Benches of network namespaces: one wire each, a phone at one end and the laptop at the other, real tools at both.

Nothing here stands in for `lab`: the phone's tcpdump is driven through the real adb server, the laptop's dumpcap
through its argv prefix. All that is begun is ended with `Rig`, also on Ctrl-C; what a killed run left is swept.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import numpy as np

from correlate import markers
from correlate.trace import Trace
from lab.capture.dumpcap import LaptopCapture
from lab.capture.protocol import Capture
from lab.capture.tcpdump import PhoneTcpdump
from lab.clocks.bench_time import WallClock, wait_until
from lab.clocks.stop import Stop
from lab.laptop.bash import BashLaptop
from lab.laptop.lease import Lease, find_lease
from lab.phone.adb import Adb, LabClient
from lab.phone.datagram import datagram_command
from lab.programs.processes import Program, run
from tests.integrity import cable, stranger, traffic

ROOT = Path(__file__).parents[2]
TOOLS = ("ip", "tcpdump", "dumpcap", "ssh", "sshd", "ssh-keygen", "mksh", "toybox")
SNAPLEN_BYTES = 256
PHONE, LAPTOP = "198.51.100.1", "198.51.100.2"
OTHER, OTHER_MAC = "198.51.100.3", "02:00:5e:10:00:03"
"""Another client of the same hotspot."""
RATES = {"voice": (50, 160), "video": (400, 1000)}
"""Datagrams a second and bytes of payload, in each direction."""
MARKER_SEEN_S = 5.0
_OURS = re.compile(r"^(imcl-(\d+)-\S+)", re.MULTILINE)


def missing() -> str | None:
    """Why there can be no namespaces here, or None."""
    lacking = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if lacking:
        return f"no {', '.join(lacking)}: apt install iproute2 tcpdump wireshark-common openssh-server mksh toybox"
    if os.geteuid() != 0:
        return "making network namespaces takes root: run as root, or in `unshare -cnmpf --keep-caps`"
    name = f"imcl-{os.getpid()}-probe"
    made = run(["ip", "netns", "add", name], timeout_s=10)
    if made.code == 0:
        run(["ip", "netns", "del", name], timeout_s=10)
    return None if made.code == 0 else f"no network namespaces here: {made.stderr.decode()[:100].strip()}"


SMALL = "small"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def ip(*words: str) -> None:
    done = run(["ip", *words], timeout_s=10)
    assert done.code == 0, (words, done.stderr)


def sweep_earlier_runs() -> None:
    """Remove what test runs that no longer live left: namespaces with the programs in them, disks and folders.

    One process at a time, because several may share the tests, and what one removes another must not look for.
    """
    temporary = Path(tempfile.gettempdir())
    with (temporary / "imcl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, pid in _OURS.findall(run(["ip", "netns", "list"], timeout_s=10).stdout.decode()):
            if not Path(f"/proc/{pid}").exists():
                for left in run(["ip", "netns", "pids", name], timeout_s=10).stdout.split():
                    with suppress(ProcessLookupError):
                        os.kill(int(left), signal.SIGKILL)
                ip("netns", "del", name)
        for folder in temporary.glob("imcl-*-*"):
            if not Path(f"/proc/{folder.name.split('-')[1]}").exists():
                for disk in folder.glob(f"*/{SMALL}"):
                    run(["umount", "-l", str(disk)], timeout_s=10)
                shutil.rmtree(folder)


def inside(namespace: str, *argv: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, *argv]


@dataclass
class Lane:
    """One wire with its phone and its laptop."""

    phone_space: str
    laptop_space: str
    root: Path
    adb: Adb
    laptop: BashLaptop
    clock: WallClock

    def tcpdump(self, name: str, folder: str = "phone") -> PhoneTcpdump:
        return PhoneTcpdump(self.adb, self.clock, "wire", SNAPLEN_BYTES, str(self.root / folder), name)

    def dumpcap(self, name: str, folder: str = "laptop") -> LaptopCapture:
        self.laptop.directory = str(self.root / folder)
        return LaptopCapture(self.laptop, "dumpcap", "wire", self.lease(), SNAPLEN_BYTES, name)

    def dumpcap_program(self, name: str) -> Program:
        """The program of a capture of that name that runs."""
        return self.laptop._running[f"{name}.pcapng"]

    def lease(self) -> Lease:
        """The phone's lease on its wire; it is talked to before, as every client of a hotspot is."""
        self.adb.run(self.datagram("hello", markers.ADDRESS, markers.PORT))
        own = [ip_address(PHONE)]
        return find_lease("phone", own, self.laptop.hotspot(IPv4Address(LAPTOP)), self.laptop)

    @contextmanager
    def another_client(self):
        """Datagrams of another client of the hotspot while the block runs: from it, and the laptop's to it."""
        laptop_mac = self.laptop.run("cat /sys/class/net/wire/address").text.strip()
        with ExitStack() as stack:
            for space, *ends in (
                (self.phone_space, OTHER_MAC, laptop_mac, OTHER, LAPTOP),
                (self.laptop_space, laptop_mac, OTHER_MAC, LAPTOP, OTHER),
            ):
                argv = (sys.executable, "-S", stranger.__file__, *ends)
                sender = stack.enter_context(Program(inside(space, *argv)))
                assert sender.read_line(10.0) == b"ready"
            yield

    def instead_of(self, tool: str, script: str) -> None:
        """Put a script in the place of a tool, on the phone and on the laptop; `$TOOL` is the real one."""
        word, real = self.root / "bin" / tool, shutil.which(tool, path=PATH)
        word.write_text(f"#!/bin/sh\nTOOL={real}\n{script}\n")
        word.chmod(0o755)
        self._new_shells()

    def as_before(self) -> None:
        """Only real tools again."""
        for word in (self.root / "bin").iterdir():
            word.unlink()
        self._new_shells()

    def _new_shells(self) -> None:
        """A shell remembers where it found a tool."""
        self.adb.close()
        self.laptop.close()

    def datagram(self, text: str, address: IPv4Address | str, port: int) -> str:
        return datagram_command(text, address, port, str(self.root / "datagram"))

    def mark(self, text: str, *captures: Capture) -> tuple[int, int]:
        """Have the phone send a marker and wait until every capture holds it; when it was sent, and seen."""
        sent_ns = self.clock.now_ns()
        assert self.adb.run(self.datagram(text, markers.ADDRESS, markers.PORT)).code == 124
        for capture in captures:
            assert wait_until(self.clock, lambda capture=capture: capture.holds(text), MARKER_SEEN_S), capture.tool
        return sent_ns, self.clock.now_ns()

    @contextmanager
    def traffic(self, rate: int, size_bytes: int):
        """Numbered datagrams both ways while the block runs; gives the two senders' logs."""
        logs = {PHONE: self.root / "phone.sent", LAPTOP: self.root / "laptop.sent"}
        with ExitStack() as stack:
            for space, local, peer in ((self.phone_space, PHONE, LAPTOP), (self.laptop_space, LAPTOP, PHONE)):
                argv = (sys.executable, "-S", traffic.__file__, str(logs[local]), str(rate), str(size_bytes))
                sender = stack.enter_context(Program(inside(space, *argv, local, peer)))
                assert sender.read_line(10.0) == b"ready"
            yield logs

    def flood(self, count: int) -> None:
        """Send `count` datagrams from the phone as quickly as possible."""
        argv = (sys.executable, "-S", traffic.__file__, "/dev/null", "0", "200", PHONE, LAPTOP, str(count))
        with Program(inside(self.phone_space, *argv)) as sender:
            assert (sender.read_line(10.0), sender.read_line(60.0)) == (b"ready", b"done")


def sent_between(log: Path, from_ns: int, to_ns: int) -> set[int]:
    """Numbers of the datagrams that a sender sent between two instants, by its own log."""
    data = log.read_bytes()
    records = np.frombuffer(data[: len(data) // traffic.RECORD.size * traffic.RECORD.size], "<u8").reshape(-1, 2)
    return set(records[(records[:, 1] >= from_ns) & (records[:, 1] <= to_ns), 0].tolist())


def captured(trace: Trace, source: str) -> dict[int, int]:
    """Number -> time in ns of the datagrams of one sender that a capture holds."""
    found = {}
    for row in np.flatnonzero(trace.udp.src_port == traffic.PORT):
        magic, number = traffic.NUMBER.unpack(trace.payload(int(row))[: traffic.NUMBER.size])
        if magic == traffic.MAGIC and str(trace.udp.addresses[trace.udp.src[row]]) == source:
            assert number not in found
            found[number] = int(trace.udp.time_ns[row])
    return found


_NUMBERS = itertools.count()


def open_wire(stack: ExitStack, *, raw: bool) -> tuple[str, str]:
    """Two namespaces with a veth pair, or with `raw` two TUNs; `wire` at both ends.

    The phone's way to everywhere is the laptop.
    """
    number = next(_NUMBERS)
    spaces = [f"imcl-{os.getpid()}-{number}{end}" for end in "pl"]
    for space in spaces:
        ip("netns", "add", space)
        stack.callback(ip, "netns", "del", space)
    if raw:
        joined = stack.enter_context(Program(["unshare", "-n", sys.executable, "-S", cable.__file__, *spaces]))
        assert joined.read_line(10.0) == b"ready"
    else:
        ip("link", "add", "wire", "netns", spaces[0], "type", "veth", "peer", "name", "wire", "netns", spaces[1])
    for space, address in zip(spaces, (PHONE, LAPTOP), strict=True):
        for word in ("all", "default", "wire"):
            run(inside(space, "sysctl", "-qw", f"net.ipv6.conf.{word}.disable_ipv6=1"), timeout_s=10)
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "wire")
        ip("-n", space, "link", "set", "wire", "up")
    ip("-n", spaces[0], "route", "add", "default", "via", LAPTOP)
    return spaces[0], spaces[1]


def small_disk(stack: ExitStack, place: Path) -> None:
    """A disk of 256 KiB, made before any shell that shall see it: each namespace has its own mounts."""
    place.mkdir(parents=True)
    done = run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], timeout_s=10)
    assert done.code == 0, done.stderr
    stack.callback(run, ["umount", "-l", str(place)], timeout_s=10)


def ssh_prefix(root: Path, space: str) -> list[str]:
    """The argv that reaches a laptop through a real sshd with its own keys; no port is opened, ssh starts it."""
    for name in ("host", "user"):
        made = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], timeout_s=20)
        assert made.code == 0, made.stderr
    (root / "sshd_config").write_text(
        f"HostKey {root}/host\nAuthorizedKeysFile {root}/user.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
    )
    (root / "known").write_text(f"laptop {(root / 'host.pub').read_text()}")
    (root / "ssh_config").write_text(
        f"Host laptop\nIdentityFile {root}/user\nIdentitiesOnly yes\nUserKnownHostsFile {root}/known\nBatchMode yes\n"
        f"LogLevel ERROR\nUser root\n"
        f"ProxyCommand ip netns exec {space} {shutil.which('sshd', path=PATH)} -i -f {root}/sshd_config\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    return ["ssh", "-F", str(root / "ssh_config"), "laptop"]


class Rig:
    """Lanes that live as long as the block. With `ssh` laptops are behind sshd, with `raw` no wire has a link header.

    A laptop captures by MAC, so at its end of a raw wire nothing is captured.
    """

    def __init__(self, lanes: int, *, ssh: bool = False, raw: bool = False) -> None:
        self._count, self._ssh, self._raw = lanes, ssh, raw
        self.lanes: list[Lane] = []
        self._exit = ExitStack()

    def __enter__(self) -> Rig:
        with ExitStack() as stack:
            sweep_earlier_runs()
            root = Path(tempfile.mkdtemp(prefix=f"imcl-{os.getpid()}-"))
            stack.callback(shutil.rmtree, root)
            spaces = [open_wire(stack, raw=self._raw) for _ in range(self._count)]
            for phone, _ in spaces:
                small_disk(stack, root / phone / SMALL)
            argv = [sys.executable, "-m", "tests.integrity.device", str(root), *(phone for phone, _ in spaces)]
            device = stack.enter_context(Program(argv, directory=ROOT, other=2))
            said = json.loads(device.read_line(30.0))
            client = LabClient("127.0.0.1", said["port"])
            for (phone, laptop), serial in zip(spaces, said["serials"], strict=True):
                self.lanes.append(self._lane(stack, root / phone, (phone, laptop), Adb(client, serial)))
            self._exit = stack.pop_all()
        return self

    def _lane(self, stack: ExitStack, root: Path, spaces: tuple[str, str], adb: Adb) -> Lane:
        (root / "bin").mkdir()
        stack.callback(adb.close)
        prefix = ssh_prefix(root, spaces[1]) if self._ssh else inside(spaces[1], "env", f"PATH={root / 'bin'}:{PATH}")
        clock = WallClock(Stop())
        laptop = BashLaptop(prefix, str(root), clock)
        stack.callback(laptop.close)
        return Lane(*spaces, root, adb, laptop, clock)

    def __exit__(self, *error: object) -> None:
        self._exit.close()
