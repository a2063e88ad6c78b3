"""The kernel's own count of what a VPN had no room for, as the capture by PCAPdroid reads it."""

import subprocess
import sys

from lab.capture.pcapdroid import Tunnel, dropped, tunnel
from tests.integrity.rig import ROOT

SENT, ROOM = 700, 500
FLOOD = f"""
import fcntl, os, socket, struct, subprocess
device = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", b"tun0", 0x1001))
for line in ("addr add 10.215.173.1/30 dev tun0", "link set tun0 up", "route add default dev tun0"):
    subprocess.run(["ip", *line.split()], check=True)
def shown():
    print(open("/proc/net/dev").read(), "#", sep="")
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shown()
for _ in range({SENT}):
    sender.sendto(bytes(100), ("192.0.2.1", 9))
shown()
print(subprocess.run(["ip", "addr"], check=True, capture_output=True, text=True).stdout)
"""
"""A VPN whose app reads nothing: its queue holds ROOM packets (the kernel's TUN_READQ_SIZE)."""


def test_what_a_vpns_queue_has_no_room_for_is_counted_as_dropped_on_transmit(namespaces):
    argv = [
        "unshare",
        "-n",
        sys.executable,
        "-c",
        "import os; os.system('sysctl -qw net.ipv6.conf.all.disable_ipv6=1')",
    ]
    argv[-1] += FLOOD
    said = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    before, after, interfaces = said.split("#\n")
    assert tunnel(interfaces) == Tunnel("tun0", 2)
    assert (dropped(before, "tun0"), dropped(after, "tun0")) == (0, SENT - ROOM)
