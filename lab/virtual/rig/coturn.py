"""The TURN servers of the rig: a coturn for each host of the apps, UDP and TCP, and what their logs say.

Users are made by a shared secret (`use-auth-secret`): a name for each call and side, so that a log tells them apart.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from lab.errors import BenchUnhealthy
from lab.virtual.rig.children import Child, run
from lab.virtual.rig.layout import Address, Host
from lab.virtual.rig.world import pause

CERTIFICATE, KEY = "turnserver.crt", "turnserver.key"
READY_TRIES, READY_EVERY_S = 200, 0.05
RELAY_PORTS = (40_100, 49_999)
LIFETIME_S = 86_400
CLOSED_TRIES, CLOSED_EVERY_S = 60, 0.1
"""coturn closes an allocation a second after its client has given it up."""
_SESSION = re.compile(r"session \d+: (new|closed|peer usage)\b[^\n]*?(?:username=|user )<\d+:([^>]{1,300})>([^\n]*)")
_COUNTS = re.compile(r" rp=(\d{1,15}), rb=\d{1,15}, sp=(\d{1,15}), sb=\d{1,15}")
_LOCAL = re.compile(r" local \[?([0-9a-fA-F.:]+?)\]?:(\d{1,5}), remote ")


@dataclass(frozen=True)
class Relayed:
    """What the servers did for one user: allocations, where those were asked for that are closed, and packets from and
    to peers."""

    allocations: int
    asked: tuple[tuple[Address, int], ...]
    from_peers: int
    to_peers: int


def relayed(log: str, user: str) -> Relayed:
    """What coturn's log says of a user. A usage is told in parts, each of what came since the one before."""
    new = received = sent = 0
    asked = []
    for word, name, rest in _SESSION.findall(log):
        if name != user:
            continue
        counts, local = _COUNTS.search(rest), _LOCAL.search(rest)
        new += word == "new"
        if word == "closed" and local is not None:
            asked.append((ip_address(local[1]), int(local[2])))
        if word == "peer usage" and counts is not None:
            received, sent = received + int(counts[1]), sent + int(counts[2])
    return Relayed(new, tuple(asked), received, sent)


def configuration(host: Host, secret: str, log: Path) -> str:
    """coturn's file for one host. A relayed address is the host's own IPv4 or IPv6 address. TLS and plain TCP are told
    apart on every port."""
    first, *further = host.ports
    lines = [
        f"listening-port={first}",
        f"tls-listening-port={first}",
        # The server's other ports, which it has for RFC 5780 alone, are never in the way of a further one.
        "no-rfc5780",
        "fingerprint",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "realm=rig.example",
        f"min-port={RELAY_PORTS[0]}",
        f"max-port={RELAY_PORTS[1]}",
        f"cert={log.with_name(CERTIFICATE)}",
        f"pkey={log.with_name(KEY)}",
        "no-dtls",
        "no-cli",
        "no-multicast-peers",
        "simple-log",
        "verbose",
        f"log-file={log}",
        f"pidfile={log.with_suffix('.pid')}",
        f"userdb={log.with_suffix('.db')}",
    ]
    for address in host.addresses:
        lines += [f"listening-ip={address}", f"relay-ip={address}"]
        text = f"[{address}]" if address.version == 6 else address
        lines += [f"aux-server={text}:{port}" for port in further]
    return "\n".join(lines) + "\n"


class Coturn:
    """The servers of a rig; each writes its log and files into `root`."""

    def __init__(self, hosts: Sequence[Host], root: Path, inside: Callable[..., list[str]]) -> None:
        self._secret, self._root = secrets.token_hex(16), root
        self._servers: list[tuple[Host, Path, Child]] = []
        for index, host in enumerate(hosts):
            log = root / f"turnserver-{index}.log"
            argv = inside("internet", "turnserver", "-c", str(log.with_suffix(".conf")))
            self._servers.append((host, log, Child(argv, log.with_suffix(".out"))))

    async def start(self) -> None:
        """Start all and wait until every address and port is open. Raises `BenchUnhealthy`."""
        subject = ["-subj", "/CN=rig.example", "-days", "3650"]
        files = ["-keyout", str(self._root / KEY), "-out", str(self._root / CERTIFICATE)]
        await run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files])
        for host, log, child in self._servers:
            log.with_suffix(".conf").write_text(configuration(host, self._secret, log))
            await child.start()
        for host, _, child in self._servers:
            await self._until_open(host, child)

    async def _until_open(self, host: Host, child: Child) -> None:
        wanted = {_socket(address, port) for address in host.addresses for port in host.ports}
        for _ in range(READY_TRIES):
            if wanted <= _open_sockets(child.pid):
                return
            if await child.ended(READY_EVERY_S):
                break
        raise BenchUnhealthy(f"coturn does not open its ports on {host.addresses[0]}: {child.last_words()}")

    def credential(self, user: str, now_ns: int) -> Mapping[str, str]:
        """User name and password for an RTCIceServer (draft-uberti-behave-turn-rest-00)."""
        name = f"{now_ns // 1_000_000_000 + LIFETIME_S}:{user}"
        digest = hmac.new(self._secret.encode(), name.encode(), "sha1").digest()
        return {"username": name, "credential": base64.b64encode(digest).decode()}

    async def relayed(self, users: Sequence[str]) -> list[Relayed]:
        """What they did for each user, once all its allocations are closed, or are not for some seconds."""
        for _ in range(CLOSED_TRIES):
            text = "".join(log.read_text(errors="replace") for _, log, _ in self._servers if log.exists())
            found = [relayed(text, user) for user in users]
            if all(len(one.asked) >= one.allocations for one in found):
                break
            await pause(CLOSED_EVERY_S)
        return found

    async def end(self) -> None:
        """End all."""
        for _, _, child in self._servers:
            await child.end()


def _socket(address: Address, port: int) -> str:
    """A socket as /proc/PID/net/udp and udp6 name it: each 32 bits of the address in the machine's byte order."""
    packed = address.packed
    words = (packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
    return f"{b''.join(words).hex().upper()}:{port:04X}"


def _open_sockets(pid: int) -> set[str]:
    """The UDP sockets in a process' network namespace."""
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("udp", "udp6")]
    lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return {line.split()[1] for line in lines}
