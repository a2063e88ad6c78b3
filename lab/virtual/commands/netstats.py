"""dumpsys netstats: what each app sent and received, by kind of network.

Its form follows AOSP's NetworkStatsService and NetworkStatsHistory (`dump`); it was not compared with a phone.
"""

from collections.abc import Sequence
from itertools import groupby

from lab.virtual.commands.dumpsys_device import DeviceFacts, uid_of
from lab.virtual.handset.handset import Handset
from lab.virtual.network.usage import BUCKET_S, OTHERS, Bytes, Kind, Place

_SYSTEM_UID = 1000
"""android.os.Process.SYSTEM_UID."""
_REST = "defaultNetwork=true, oemManaged=OEM_NONE"
_IDENTITIES: dict[Kind, str] = {
    "cellular": f"type=0, ratType=COMBINED, subscriberId=001010..., metered=true, {_REST}, subId=1",
    "wifi": f'type=1, ratType=COMBINED, wifiNetworkKey="lab"wpa2-psk, metered=false, {_REST}',
}


def netstats(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """`--poll` reads the counters and says nothing else; `--uid` shows what was read last, app by app."""
    usage = device.usage()
    if "--poll" in args:
        usage.poll()
        return ["Forced poll"]
    empty = ["  Pending bytes: 0", "  History since boot:"]
    lines = ["Active interfaces:", "Active UID interfaces:", "Dev stats:", *empty, "Xt stats:", *empty]
    if "--uid" in args:
        lines += ["UID stats:", *empty]
        for (kind, app), places in groupby(usage.polled, key=lambda place: (place.kind, place.app)):
            uid = _SYSTEM_UID if app == OTHERS else uid_of(handset, app)
            lines.append(f"  ident=[{{{_IDENTITIES[kind]}}}] uid={uid} set=FOREGROUND tag=0x0")
            lines.append(f"    NetworkStatsHistory: bucketDuration={BUCKET_S}")
            lines += [_bucket(place, usage.polled[place]) for place in places]
    return lines


def _bucket(place: Place, total: Bytes) -> str:
    packets = f"rp={total.received_packets} tb={total.sent} tp={total.sent_packets}"
    return f"      st={place.start_s} rb={total.received} {packets} op=0"
