"""Cables with delay, jitter and loss: pairs of TUN interfaces joined in user space (not every kernel has netem).

`python -m lab.virtual.rig.cable A:B ...` makes the interfaces A and B of each cable in its own network namespace and
says `ready`; whoever started it moves them where they belong. A line `INDEX DELAY_US JITTER_US LOSS_PPM SEED` on
standard input sets a cable from then on. It ends when its input ends. Packets keep their order, as on LTE.
"""

import asyncio
import fcntl
import os
import random
import struct
import sys
from collections import deque

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LONGEST_PACKET, PACKETS_AT_ONCE = 65536, 64
EARLY_S = 0.0002
"""A packet is handed on this much before its time rather than wait for another round of the loop."""


def tun(name: str) -> int:
    """A descriptor of a new TUN interface without packet information. Raises OSError."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


class Conditions:
    """What a cable does to packets: delay and the spread of its jitter in seconds, the share that is lost."""

    def __init__(self, delay_us: int = 0, jitter_us: int = 0, loss_ppm: int = 0, seed: int = 0) -> None:
        self.delay_s, self._jitter_s, self._loss = delay_us / 1e6, jitter_us / 1e6, loss_ppm / 1e6
        self._chance = random.Random(seed)

    def loses(self) -> bool:
        """Whether the next packet is lost."""
        return self._chance.random() < self._loss

    def delay(self) -> float:
        """How long the next packet takes."""
        return max(0.0, self.delay_s + self._chance.gauss(0.0, self._jitter_s))


class Line:
    """One direction of a cable."""

    def __init__(self, source: int, target: int) -> None:
        self._source, self._target = source, target
        self.conditions = Conditions()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(source, self._read)

    def _read(self) -> None:
        idle = not self._waiting
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = os.read(self._source, LONGEST_PACKET)
            except BlockingIOError:
                break
            except OSError:  # The interface has gone.
                self._loop.remove_reader(self._source)
                break
            if not self.conditions.loses():
                due = self._loop.time() + self.conditions.delay()
                self._waiting.append((max(due, self._waiting[-1][0] if self._waiting else due), packet))
        if idle and self._waiting:
            self._loop.call_at(self._waiting[0][0], self._hand_on)

    def _hand_on(self) -> None:
        now = self._loop.time() + EARLY_S
        while self._waiting and self._waiting[0][0] <= now:
            _, packet = self._waiting.popleft()
            try:
                os.write(self._target, packet)
            except OSError:
                continue  # An interface that is down, or full: the packet is lost.
        if self._waiting:
            self._loop.call_at(self._waiting[0][0], self._hand_on)


async def main(cables: list[str]) -> None:
    lines: list[tuple[Line, Line]] = []
    for cable in cables:
        a, b = (tun(name) for name in cable.split(":"))
        lines.append((Line(a, b), Line(b, a)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    requests = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    while text := await requests.readline():
        index, delay_us, jitter_us, loss_ppm, seed = map(int, text.split())
        for offset, line in enumerate(lines[index]):
            line.conditions = Conditions(delay_us, jitter_us, loss_ppm, 2 * seed + offset)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
