"""What the app under test sent, by kind of network: no byte of it may pass where nothing is captured.

Android counts bytes by uid and by network (NetworkStatsService, all versions since 4.0). `dumpsys netstats --poll` has
it read the kernel's counters, `dumpsys netstats --uid` shows them in buckets of two hours. It tells networks apart by
kind, not by interface: of two SIM cards both are `cellular`.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from lab.clocks import deadlines
from lab.definitions import App, PhoneSpec
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.adb import Adb
from lab.phone.default_network import DefaultNetwork, default_network

KINDS = {"0": "cellular", "MOBILE": "cellular", "1": "wifi", "WIFI": "wifi", "9": "ethernet", "17": "vpn"}
"""Android's ConnectivityManager.TYPE_*, by number and as it was printed up to Android 11."""

_SERIES = re.compile(r"\s*ident=(\[.{0,2000}\]) uid=(-?\d{1,10}) set=([A-Z_]{1,20}) tag=0x0\s*")
_TYPE = re.compile(r"[\[{]type=([A-Za-z0-9_]{1,30})")
_BUCKET = re.compile(r"\s*st=(\d{1,15}) rb=(\d{1,18}) rp=\d{1,18} tb=(\d{1,18}) tp=\d{1,18} op=-?\d{1,18}\s*")


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
    listed = adb.run(f"pm list packages -U {shlex.quote(app.package)}").text
    uid = re.search(rf"^package:{re.escape(app.package)} uid:(\d{{1,10}})", listed, re.MULTILINE)
    if uid is None:
        raise PhoneTrouble(f"{spec.name}: pm names no uid of {app.package}: {listed[:100]!r}")
    polled = adb.run("dumpsys netstats --poll", timeout_s=deadlines.NETSTATS.s).text
    if "Forced poll" not in polled:
        raise PhoneTrouble(f"{spec.name}: dumpsys netstats --poll says {polled[:100]!r}")
    text = adb.run("dumpsys netstats --uid", timeout_s=deadlines.NETSTATS.s).text
    return Account(default_network(adb, spec), parse(text, int(uid[1])))


def parse(text: str, uid: int) -> dict[Bucket, int]:
    """The bytes of a uid by bucket, in a dump of `dumpsys netstats --uid`.

    Raises:
        PhoneTrouble: it has no section `UID stats`, or a bucket of the uid cannot be read.
    """
    _, found, section = text.partition("UID stats:")
    if not found:
        raise PhoneTrouble(f"dumpsys netstats has no section 'UID stats': {text[:100]!r}")
    buckets: dict[Bucket, int] = {}
    series: tuple[str, str] | None = None
    for line in section.partition("UID tag stats:")[0].splitlines():
        if head := _SERIES.fullmatch(line):
            series = (_kind(head[1]), f"{head[1]} {head[3]}") if int(head[2]) == uid else None
        elif "ident=" in line:
            series = None
        elif series is not None and line.lstrip().startswith("st="):
            bucket = _BUCKET.fullmatch(line)
            if bucket is None:
                raise PhoneTrouble(f"dumpsys netstats has a bucket that cannot be read: {line[:100]!r}")
            buckets[Bucket(*series, int(bucket[1]))] = int(bucket[2]) + int(bucket[3])
    return buckets


def _kind(identity: str) -> str:
    types = list(dict.fromkeys(_TYPE.findall(identity)))
    return " over ".join(KINDS.get(kind, f"type {kind}") for kind in types) or "unknown"


def carried(name: str, before: Account, after: Account, *, may_be_none: bool = False) -> int:
    """The app's bytes between two accounts on the network that was captured.

    `may_be_none`: the call may have been over before this phone had any part in it, so no byte is no contradiction.

    Raises:
        AttemptVoid: `network_changed`; `not_all_captured` where bytes passed another network; `not_accounted` where
            the counters show no byte of the app at all, or run backwards, so that they prove nothing.
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
    others = {kind: size for kind, size in sorted(grown.items()) if size}
    if others:
        named = ", ".join(f"{size} bytes over {kind}" for kind, size in others.items())
        text = f"the app on {name} used {named}; only {network.interface} ({network.kind}) is captured"
        raise AttemptVoid("not_all_captured", f"{text}: switch the other network off")
    if captured == 0 and not may_be_none:
        raise AttemptVoid("not_accounted", f"{name} counted no byte of the app in a whole call")
    return captured
