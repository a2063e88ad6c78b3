"""dumpsys netstats: what each app sent and received, by kind of network.

Its form follows AOSP's NetworkStatsService and NetworkStatsHistory (`dump`), and what phones of Android 13 to 16
printed (tests/real_outputs/netstats).
"""

from collections.abc import Sequence
from itertools import groupby

from lab.virtual.commands.dumpsys_calls import sdk_of
from lab.virtual.commands.dumpsys_device import DeviceFacts, uid_of
from lab.virtual.handset.handset import Handset
from lab.virtual.network.usage import BUCKET_S, OTHERS, Bytes, Kind, Place

_SYSTEM_UID = 1000
"""android.os.Process.SYSTEM_UID."""
_REST = "defaultNetwork=true, oemManaged=OEM_NONE"
_IDENTITIES: dict[Kind, str] = {
    "cellular": f"type=0, ratType=COMBINED, subscriberId=001010..., metered=true, {_REST}, subId=1",
    "wifi": f'type=1, ratType=COMBINED, wifiNetworkKey="lab"wpa2-psk, metered=false, {_REST}, subId=-1',
}
_VPN = f"type=17, ratType=COMBINED, metered=false, {_REST}, subId=-1"
_TRANSPORTS: dict[Kind, str] = {"cellular": "0", "wifi": "1"}
"""NetworkCapabilities.TRANSPORT_*; a VPN's is 4, beside that of the network below it."""


def netstats(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """`--poll` reads the counters and says nothing else; `--uid` shows what was read last, app by app."""
    usage = device.usage()
    if "--poll" in args:
        usage.poll()
        return ["Forced poll"]
    empty = ["  Pending bytes: 0", "  History since boot:"]
    active = _active(device)
    lines = ["Active interfaces:", *active, "Active UID interfaces:", *active]
    lines += ["Dev stats:", *empty, "Xt stats:", *empty]
    if "--uid" in args:
        lines += ["UID stats:", *empty]
        for (kind, app), places in groupby(usage.polled, key=lambda place: (place.kind, place.app)):
            uid = _SYSTEM_UID if app == OTHERS else uid_of(handset, app)
            identity = _with_transports(_IDENTITIES[kind], _TRANSPORTS[kind], device)
            lines.append(f"  ident=[{{{identity}}}] uid={uid} set=FOREGROUND tag=0x0")
            lines.append(f"    NetworkStatsHistory: bucketDuration={BUCKET_S}")
            lines += [_bucket(place, usage.polled[place]) for place in places]
    return lines


def _active(device: DeviceFacts) -> list[str]:
    """Under which identity the bytes of each interface that is up are counted now."""
    up = [interface.name for interface in device.interfaces() if interface.up and interface.name != "lo"]
    kinds: list[Kind] = ["wifi" if name.startswith("wlan") else "cellular" for name in up]
    lines = []
    for name, kind in zip(up, kinds, strict=True):
        text, numbers = _IDENTITIES[kind], _TRANSPORTS[kind]
        if name.startswith("tun"):
            text, numbers = _VPN, f"{_TRANSPORTS[kinds[0]]}, 4"
        lines.append(f"  iface={name} ident=[{{{_with_transports(text, numbers, device)}}}] ")
    return lines


def _with_transports(identity: str, numbers: str, device: DeviceFacts) -> str:
    """Newer modules tell the transports too; of API level 36 both forms were seen, and with them more often."""
    return f"{identity}, transports={{{numbers}}}" if sdk_of(device) >= 36 else identity


def _bucket(place: Place, total: Bytes) -> str:
    packets = f"rp={total.received_packets} tb={total.sent} tp={total.sent_packets}"
    return f"      st={place.start_s} rb={total.received} {packets} op=0"
