"""What the app under test sent, by kind of network: no byte of it may pass where nothing is captured.

Android counts bytes by uid and by network (NetworkStatsService, all versions since 4.0). `dumpsys netstats --poll` has
it read the kernel's counters, `dumpsys netstats --uid` shows them in buckets of two hours. It tells networks apart by
kind, not by interface: of two SIM cards both are `cellular`. Bytes through a VPN are in it twice: as the VPN's, and as
those of the network that carries it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.clocks import deadlines
from lab.definitions import App, PhoneSpec
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.default_network import DefaultNetwork, default_network
from lab.phone.witnesses.reading import ask_uid, parse_uid

KINDS = {"0": "cellular", "MOBILE": "cellular", "1": "wifi", "WIFI": "wifi", "9": "ethernet", "17": "vpn"}
"""Android's ConnectivityManager.TYPE_*, by number and as it was printed up to Android 11."""
TRANSPORTS = {"0": "cellular", "1": "wifi", "3": "ethernet", "4": "vpn"}
"""NetworkCapabilities.TRANSPORT_*, which newer ones print beside the type: that may be -1, which is none."""
UNREADABLE = "unreadable"
NOT_DEFAULT = " that is not the default network"

_OWNER = re.compile(r"\] uid=(-?\d{1,10}) set=[A-Z_]{1,20} tag=0x([0-9a-f]{1,8})\b")
_ACTIVE = re.compile(r"\s*iface=([A-Za-z0-9._-]{1,15}) ident=(\[.{0,2000}\])\s*")
_SERIES = re.compile(r"\s*ident=(\[.{0,2000}\]) uid=(-?\d{1,10}) set=([A-Z_]{1,20}) tag=0x0\s*")
_MEMBER = re.compile(r"[\[{](?=type=)")
_QUOTED = re.compile(r'"[^"]{0,200}"')
_TYPE = re.compile(r"type=(-?[A-Za-z0-9_]{1,30})")
_TRANSPORTS = re.compile(r"\btransports=\{([0-9, ]{0,60})\}")
_TELLS_KIND = re.compile(
    r"\b(?:type=-?\w{1,30}|ratType=-?\w{1,30}|defaultNetwork=\w{1,5}|transports=\{[0-9, ]{0,60}\})"
)
_BUCKET = re.compile(
    r"\s*st=(\d{1,15}) rb=(\d{1,18})(?: rp=\d{1,18})? tb=(\d{1,18})(?: [a-z]{1,20}=-?\d{1,18}){0,10}\s*"
)
"""Only the fields that a history records are printed (NetworkStatsHistory.dump)."""


@dataclass(frozen=True, order=True)
class Bucket:
    """A span of an app's history on one network: `kind` of network, the dump's own identity of it, and its start."""

    kind: str
    identity: str
    start_s: int


@dataclass(frozen=True)
class Account:
    """A phone's default network at an instant, and the bytes of the app by then, both ways."""

    network: DefaultNetwork
    bytes: Mapping[Bucket, int]


def take(adb: Adb, spec: PhoneSpec, app: App) -> Account:
    """The account of an app now. Raises `PhoneTrouble` where there is none, and what `default_network` raises."""
    listed = ask_uid(adb, app.package)
    uid = parse_uid(listed, app.package)
    if uid is None:
        raise PhoneTrouble(f"{spec.name}: pm names no uid of {app.package}: {listed[:100]!r}")
    polled = adb.run("dumpsys netstats --poll", timeout_s=deadlines.NETSTATS.s).text
    if "Forced poll" not in polled:
        raise PhoneTrouble(f"{spec.name}: dumpsys netstats --poll says {polled[:100]!r}")
    text = adb.run("dumpsys netstats --uid", timeout_s=deadlines.NETSTATS.s).text
    return Account(default_network(adb, spec), parse(text, uid))


def parse(text: str, uid: int) -> dict[Bucket, int]:
    """The bytes of a uid by bucket, in a dump of `dumpsys netstats --uid`.

    Raises:
        PhoneTrouble: it has no section `UID stats`, or a bucket of the uid cannot be read.
    """
    _, found, section = text.partition("UID stats:")
    if not found:
        raise PhoneTrouble(f"cannot be read: dumpsys netstats has no section 'UID stats': {text[:100]!r}")
    buckets: dict[Bucket, int] = {}
    series: tuple[str, str] | None = None
    for line in section.partition("UID tag stats:")[0].splitlines():
        if head := _SERIES.fullmatch(line):
            series = (kind_of(head[1]), f"{head[1]} {head[3]}") if int(head[2]) == uid else None
        elif "ident=" in line:
            series = (UNREADABLE, line.strip()[:500]) if _may_be_of(line, uid) else None
        elif series is not None and line.lstrip().startswith("st="):
            bucket = _BUCKET.fullmatch(line)
            if bucket is None:
                raise PhoneTrouble(f"dumpsys netstats has a bucket that cannot be read: {line[:100]!r}")
            buckets[Bucket(*series, int(bucket[1]))] = int(bucket[2]) + int(bucket[3])
    return buckets


def _may_be_of(line: str, uid: int) -> bool:
    """Whether untagged bytes of a uid may stand below the line of a series that has another form than is known."""
    owner = _OWNER.search(line)
    return owner is None or (int(owner[1]) == uid and int(owner[2], 16) == 0)


def kind_of(identity: str) -> str:
    """The kind of network that an identity means, the `ident=[...]` of a dump, which may hold several members.

    `cellular`, `wifi`, `ethernet`; `vpn over wifi`; any of them followed by `NOT_DEFAULT` where no member is on the
    default network; `UNREADABLE` where neither transports nor type of a member tell it.
    """
    members = _MEMBER.split(_QUOTED.sub("", identity))[1:]
    kinds = list(dict.fromkeys(_kind_of_member(member) for member in members))
    if not kinds or UNREADABLE in kinds:
        return UNREADABLE
    elsewhere = all("defaultNetwork=false" in member for member in members)
    return " over ".join(kinds) + (NOT_DEFAULT if elsewhere else "")


def _kind_of_member(member: str) -> str:
    if found := _TRANSPORTS.findall(member):
        numbers = {number.strip() for number in found[-1].split(",")} - {""}
        kinds = [TRANSPORTS.get(number, UNREADABLE) for number in sorted(numbers, reverse=True)]
        return UNREADABLE if UNREADABLE in kinds or not kinds else " over ".join(kinds)
    kind = _TYPE.match(member)
    return UNREADABLE if kind is None else KINDS.get(kind[1], UNREADABLE)


def unreadable(buckets: Mapping[Bucket, int]) -> list[str]:
    """The identities of an app's buckets of which nothing here tells the kind of network; see `telling`."""
    return sorted({bucket.identity for bucket in buckets if bucket.kind == UNREADABLE})


def telling(identity: str) -> str:
    """What of an identity may be shown: the rest of it names a Wi-Fi or a SIM."""
    return ", ".join(_TELLS_KIND.findall(_QUOTED.sub("", identity))) or "no type"


def foreseen(adb: Adb, network: DefaultNetwork) -> str | None:
    """Why no call over that network could be accounted for, if so: what doctor says before a run.

    Raises `PhoneTrouble` where the shell fails.
    """
    return not_accountable(adb.run("dumpsys netstats --uid", timeout_s=deadlines.NETSTATS.s).text, network)


def not_accountable(text: str, network: DefaultNetwork) -> str | None:
    """By a dump, which tells under which identity the bytes of each interface are counted now."""
    for line in text.partition("Active UID interfaces:")[2].splitlines()[1:]:
        active = _ACTIVE.fullmatch(line)
        if active is None:
            break
        if active[1] == network.interface and (kind := kind_of(active[2])) != network.kind:
            said = "cannot be read: dumpsys netstats" if kind == UNREADABLE else f"dumpsys netstats says {kind}, and"
            return f"{said} counts the bytes of {active[1]} ({network.kind}) for {telling(active[2])}"
    return None


def carried(name: str, before: Account, after: Account, *, may_be_none: bool = False) -> int:
    """The app's bytes between two accounts on the network that was captured.

    `may_be_none`: the call may have been over before this phone had any part in it, so no byte is no contradiction.

    Raises:
        AttemptVoid: `network_changed`; `not_all_captured` where bytes passed another network; `not_accounted` where
            the counters show no byte of the app at all, run backwards, or do not tell on which kind of network, so
            that they prove nothing.
    """
    network, now = before.network, after.network
    if now != network:
        text = f"{name} left over {network.kind} ({network.interface}), then over {now.kind} ({now.interface})"
        raise AttemptVoid("network_changed", text)
    grown: dict[str, int] = {}
    for bucket, total in after.bytes.items():
        growth = total - before.bytes.get(bucket, 0)
        if growth < 0:
            raise AttemptVoid("not_accounted", f"{name}: its counters of bytes by app run backwards")
        grown[bucket.kind] = grown.get(bucket.kind, 0) + growth
    captured = grown.pop(network.kind, 0)
    if unknown := grown.pop(UNREADABLE, 0):
        text = f"{name} counted {unknown} bytes of the app on a network whose kind cannot be read: doctor names it"
        raise AttemptVoid("not_accounted", text)
    # What a VPN carried is counted again for the network below it.
    grown = {kind: size for kind, size in grown.items() if not kind.startswith("vpn")}
    others = {kind: size for kind, size in sorted(grown.items()) if size}
    if others:
        named = ", ".join(f"{size} bytes over {kind}" for kind, size in others.items())
        text = f"the app on {name} used {named}; only {network.interface} ({network.kind}) is captured"
        raise AttemptVoid("not_all_captured", f"{text}: switch the other network off")
    if captured == 0 and not may_be_none:
        raise AttemptVoid("not_accounted", f"{name} counted no byte of the app in a whole call")
    return captured
