"""A call's media, for as long as standard input is open: `traffic.py LOG RATE BYTES LOCAL PEER [COUNT]`.

Numbered datagrams from LOCAL to PEER, RATE a second (0: as quick as possible) with BYTES of payload each. LOG gets a
record for each datagram before it is sent: its number and the time, so that it is the sender's word and not a tool's.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time

PORT = 5004
MAGIC = b"im-call-lab-seq\0"
NUMBER = struct.Struct(">16sQ")
RECORD = struct.Struct("<QQ")


def main() -> None:
    log_path, rate, size_bytes, local, peer, *rest = sys.argv[1:]
    per_second, count = int(rate), int(rest[0]) if rest else sys.maxsize
    padding = bytes(int(size_bytes) - NUMBER.size)
    # What arrives here is never read: the full buffer drops it silently, and no ICMP answers the other side.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, open(log_path, "wb", buffering=0) as log:
        sock.bind((local, PORT))
        os.write(1, b"ready\n")
        started = time.monotonic()
        for number in range(count):
            wait_s = max(0.0, started + number / per_second - time.monotonic()) if per_second else 0.0
            if (per_second or number % 1000 == 0) and select.select([0], [], [], wait_s)[0]:
                return
            log.write(RECORD.pack(number, time.time_ns()))
            sock.sendto(NUMBER.pack(MAGIC, number) + padding, (peer, PORT))
        os.write(1, b"done\n")
        select.select([0], [], [])


if __name__ == "__main__":
    main()
