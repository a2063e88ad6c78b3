"""A wire without link header, as a phone's mobile network has one: `cable.py SPACE SPACE`.

Two TUN devices named `wire`, one in each namespace, joined for as long as standard input is open. They are made in the
namespace of this process and given away: a device stays joined to its file wherever it is moved.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def opened(name: str, space: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "netns", space, "name", "wire"], check=True)
    return device


def main() -> None:
    one, other = (opened(f"end{number}", space) for number, space in enumerate(sys.argv[1:]))
    ends = {one: other, other: one}
    os.write(1, b"ready\n")
    while 0 not in (readable := select.select([0, *ends], [], [])[0]):
        for device in readable:
            os.write(ends[device], os.read(device, 65536))


if __name__ == "__main__":
    main()
