"""What each end of a call is told, from the section `rig:` of its app. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from lab.definitions.base import Role
from lab.definitions.rig import RigCalls, RigRelay
from lab.definitions.virtual_network import Party

Credential = Callable[[], Mapping[str, str]]


def relays_for(app: RigCalls, network: str) -> list[RigRelay]:
    """The relays of which a phone on that network is told: those for it alone, or else those for everybody."""
    own = [relay for relay in app.relays if relay.network == network]
    return own or [relay for relay in app.relays if relay.network is None]


def means(party: Party, side: Role, link: str) -> bool:
    """Whether the phone of that side, on a `raw` or `ethernet` link, is meant."""
    return party in ("both", side, "mobile" if link == "raw" else "hotspot")


def options(
    app: RigCalls, side: Role, network: str, link: str, service: str, direct: bool, credential: Credential
) -> dict[str, Any]:
    """The argument of the page's `openCall`. An end that is told no relay asks the servers for its address alone."""
    relayed = means(app.relayed, side, link) and not (direct and app.ice == "relay_unless_direct")
    relays = relays_for(app, network)
    if relayed:
        urls = [_url(relay) for relay in relays]
        servers: list[dict[str, Any]] = [{"urls": urls, **credential()}]
    else:
        servers = [{"urls": [f"stun:{_host(relay)}" for relay in relays]}]
    return {
        "servers": servers,
        "relay_only": relayed and app.ice != "all",
        "video": service == "video",
        "ufrag_characters": app.ufrag_characters,
    }


def _url(relay: RigRelay) -> str:
    """A TURN URI (RFC 7065)."""
    scheme, transport = ("turns", "tcp") if relay.transport == "tls" else ("turn", relay.transport)
    return f"{scheme}:{_host(relay)}?transport={transport}"


def _host(relay: RigRelay) -> str:
    address = f"[{relay.address}]" if relay.address.version == 6 else relay.address
    return f"{address}:{relay.port}"


def signalled(app: RigCalls, candidate: str) -> str | None:
    """What the operator hands on of a candidate attribute (RFC 8839 section 5.1); None for a kind kept to itself.

    Where host candidates are kept back, so is the related address of the others.
    """
    words = candidate.split()
    kind = words[words.index("typ") + 1] if "typ" in words else ""
    if kind not in app.signals:
        return None
    if "host" not in app.signals and "raddr" in words and "rport" in words:
        words[words.index("raddr") + 1], words[words.index("rport") + 1] = "0.0.0.0", "0"  # noqa: S104
    return " ".join(words)
