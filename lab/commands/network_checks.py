"""The doctor's questions about networks: what carries calls, what counts bytes, who tells addresses and names."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

from correlate import markers
from lab.commands.checks import Check, asked
from lab.commands.resolve import TRIES, look_up
from lab.definitions import App, StunServer
from lab.errors import AttemptVoid, LabError
from lab.phone import netstats
from lab.phone.default_network import require_network
from lab.phone.interfaces import Address
from lab.phone.phone import Phone

EXAMPLES = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
"""Addresses for documentation (RFC 5737, RFC 3849), which the shipped bench files name."""
_OWN = "write one that you may use into the bench's *.local.yaml"


def carrier(phone: Phone) -> Check:
    """Which network carries the phone's calls."""

    def ask() -> tuple[bool, str]:
        network = phone.default_network()
        require_network(phone.spec, network)
        return True, f"{network.kind} ({network.interface})"

    fix = "bring it onto the network that the bench file says, and onto no other"
    return asked("network", phone.spec.name, ask, fix)


def counted(phone: Phone, apps: Sequence[App]) -> Check:
    """Whether the phone counts the bytes of installed apps on networks whose kind can be read."""

    def ask() -> tuple[bool, str]:
        buckets = {bucket: size for app in apps for bucket, size in _bytes(phone, app).items()}
        if strange := netstats.unreadable(buckets):
            shown = dict.fromkeys(netstats.telling(identity) for identity in strange)
            return False, f"the kind of network cannot be read: {'; '.join(list(shown)[:3])}"
        if against := netstats.foreseen(phone.device, phone.default_network()):
            return False, against
        kinds = sorted({bucket.kind for bucket in buckets})
        return True, f"by app and by network{', so far ' if kinds else ''}{' and '.join(kinds)}"

    fix = "nothing shows where the app sends, every trial will be void; take a phone whose dumpsys netstats can be read"
    return asked("bytes counted", phone.spec.name, ask, fix)


def _bytes(phone: Phone, app: App) -> Mapping[netstats.Bucket, int]:
    return netstats.take(phone.device, phone.spec, app).bytes


def stun(servers: Sequence[StunServer], phones: Sequence[Phone]) -> Iterator[Check]:
    """Whether each STUN server of the bench file answers the phones, from which it is asked as before each trial."""
    for server in servers:
        said = {phone.spec.name: _answers(server, phone) for phone in phones}
        silent = [name for name, answers in said.items() if answers is False]
        heard = [name for name, answers in said.items() if answers]
        subject = f"{server.address} port {server.port}"
        if not phones:
            # Why no phone can be asked is told where it is not reachable.
            example = _is_example(server.address)
            fix = _fix(server.address, "server") if example else ""
            yield Check("stun", subject, not example, "was not asked", fix)
        elif silent:
            yield Check(
                "stun", subject, False, f"does not answer {' or '.join(silent)}", _fix(server.address, "server")
            )
        else:
            yield Check("stun", subject, True, f"{_heard(heard)}", "")


def _heard(names: Sequence[str]) -> str:
    return f"answers {' and '.join(names)}" if names else "no phone has an address of its family"


def _answers(server: StunServer, phone: Phone) -> bool | None:
    """None for a phone that has no address of its family, or that cannot be asked, which other checks say."""
    try:
        return bool(phone.probe_public_addresses([server])) or None
    except AttemptVoid:
        return False
    except LabError:
        return None


def resolver(where: tuple[str, int] | None) -> Check:
    """Whether the bench's resolver answers; any answer does, to the name of an address that has none."""
    if where is None:
        return Check("resolver", "controller", True, "none in the bench file: servers are not named by PTR", "")
    subject = f"{where[0]} port {where[1]}"
    try:
        # Whoever has taken an example over is not made to wait for it three times.
        look_up(str(markers.ADDRESS), where, tries=1 if _is_example(where[0]) else TRIES)
    except TimeoutError:
        return Check("resolver", subject, False, "does not answer the controller", _fix(where[0], "resolver"))
    return Check("resolver", subject, True, "answers", "")


def _is_example(address: Address | str) -> bool:
    where = ip_address(str(address))
    return any(where in network for network in EXAMPLES)


def _fix(address: Address | str, what: str) -> str:
    if _is_example(address):
        return f"that is an example's address, which answers nobody; {_OWN} ({what})"
    return f"mend the path to it, or {_OWN} ({what})"
