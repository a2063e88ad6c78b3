"""Another client's datagrams, for as long as standard input is open: `stranger.py FROM_MAC TO_MAC FROM TO`.

Whole Ethernet frames on `wire`, 200 a second, whoever has the MACs and addresses; prints `ready` once the first is out.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from ipaddress import IPv4Address

PORT = 5006
RATE = 200


def datagram(source_mac: str, target_mac: str, source: str, target: str) -> bytes:
    ethernet = bytes.fromhex((target_mac + source_mac).replace(":", "")) + b"\x08\x00"
    udp = struct.pack("!4H", PORT, PORT, 8 + 32, 0) + b"im-call-lab-stranger".ljust(32, b"\0")
    addresses = IPv4Address(source).packed + IPv4Address(target).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return ethernet + head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + udp


def main() -> None:
    frame = datagram(*sys.argv[1:])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("wire", 0))
        sock.send(frame)
        os.write(1, b"ready\n")
        while not select.select([0], [], [], 1 / RATE)[0]:
            sock.send(frame)


if __name__ == "__main__":
    main()
