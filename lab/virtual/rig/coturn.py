"""The TURN server of the rig: coturn on all relay addresses of the apps, UDP and TCP, and what its log says.

Users are made by a shared secret (`use-auth-secret`): a name for each call and side, so that the log tells them apart.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import BenchUnhealthy
from lab.virtual.rig.children import Child
from lab.virtual.rig.layout import Layout
from lab.virtual.rig.world import pause

DEFAULT_PORT = 3478
READY_TRIES, READY_EVERY_S = 200, 0.05
RELAY_PORTS = (40_100, 49_999)
LIFETIME_S = 86_400
CLOSED_TRIES, CLOSED_EVERY_S = 60, 0.1
"""coturn closes an allocation a second after its client has given it up."""
_SESSION = re.compile(r"session \d+: (new|closed|peer usage)\b[^\n]*?(?:username=|user )<\d+:([^>]{1,300})>([^\n]*)")
_COUNTS = re.compile(r" rp=(\d{1,15}), rb=\d{1,15}, sp=(\d{1,15}), sb=\d{1,15}")


@dataclass(frozen=True)
class Relayed:
    """What the server did for one user: its allocations, those that are closed, and packets from and to its peers."""

    allocations: int
    closed: int
    from_peers: int
    to_peers: int


def relayed(log: str, user: str) -> Relayed:
    """What coturn's log says of a user. A usage is told in parts, each of what came since the one before."""
    new = closed = received = sent = 0
    for word, name, rest in _SESSION.findall(log):
        if name != user:
            continue
        counts = _COUNTS.search(rest)
        new, closed = new + (word == "new"), closed + (word == "closed")
        if word == "peer usage" and counts is not None:
            received, sent = received + int(counts[1]), sent + int(counts[2])
    return Relayed(new, closed, received, sent)


def configuration(layout: Layout, secret: str, root: Path) -> str:
    """coturn's file. Every address listens on 3478, and on the further ports that the apps use."""
    lines = [
        f"listening-port={DEFAULT_PORT}",
        "fingerprint",
        "use-auth-secret",
        f"static-auth-secret={secret}",
        "realm=rig.example",
        f"min-port={RELAY_PORTS[0]}",
        f"max-port={RELAY_PORTS[1]}",
        "no-tls",
        "no-dtls",
        "no-cli",
        "no-multicast-peers",
        "simple-log",
        "verbose",
        f"log-file={root / 'turnserver.log'}",
        f"pidfile={root / 'turnserver.pid'}",
        f"userdb={root / 'turnserver.db'}",
    ]
    lines += [f"listening-ip={address}" for address in layout.addresses]
    lines += [f"relay-ip={address}" for address in layout.addresses]
    for server in layout.servers:
        if server.port != DEFAULT_PORT:
            address = f"[{server.address}]" if server.address.version == 6 else server.address
            lines.append(f"aux-server={address}:{server.port}")
    return "\n".join(lines) + "\n"


class Coturn:
    """One running server."""

    def __init__(self, layout: Layout, root: Path, inside: Callable[..., list[str]]) -> None:
        self._layout, self._root, self._secret = layout, root, secrets.token_hex(16)
        self._file = root / "turnserver.conf"
        self.log = root / "turnserver.log"
        self._child = Child(inside("internet", "turnserver", "-c", str(self._file)), root / "coturn.log")

    async def start(self) -> None:
        """Start it and wait until every address and port is open. Raises `BenchUnhealthy`."""
        self._file.write_text(configuration(self._layout, self._secret, self._root))
        await self._child.start()
        wanted = {(server.address.version, server.port) for server in self._layout.servers}
        needed = {key: sum((s.address.version, s.port) == key for s in self._layout.servers) for key in wanted}
        for _ in range(READY_TRIES):
            if all(self._open(*key) >= count for key, count in needed.items()):
                return
            if await self._child.ended(READY_EVERY_S):
                break
        raise BenchUnhealthy(f"coturn does not open its ports: {self._child.last_words()}")

    def _open(self, version: int, port: int) -> int:
        """How many UDP sockets of that family its namespace has on that port (/proc/PID/net/udp, udp6)."""
        table = Path(f"/proc/{self._child.pid}/net/udp{'6' if version == 6 else ''}")
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        return len({words[1] for line in lines if (words := line.split())[1].endswith(f":{port:04X}")})

    def credential(self, user: str, now_ns: int) -> Mapping[str, str]:
        """User name and password for an RTCIceServer (draft-uberti-behave-turn-rest-00)."""
        name = f"{now_ns // 1_000_000_000 + LIFETIME_S}:{user}"
        digest = hmac.new(self._secret.encode(), name.encode(), "sha1").digest()
        return {"username": name, "credential": base64.b64encode(digest).decode()}

    async def relayed(self, users: Sequence[str]) -> list[Relayed]:
        """What it did for each user, once all their allocations are closed, or are not for some seconds."""
        for _ in range(CLOSED_TRIES):
            log = self.log.read_text(errors="replace")
            found = [relayed(log, user) for user in users]
            if all(one.closed >= one.allocations for one in found):
                break
            await pause(CLOSED_EVERY_S)
        return found

    async def end(self) -> None:
        await self._child.end()
