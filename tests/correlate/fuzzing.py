"""What chance does to captures and STUN payloads, and what must be true of the answer whatever it did.

It is the same in blocks of any size, as a whole, and by the plain reader.

`python -m tests.correlate.fuzzing SEED COUNT` runs in a process of its own, so that memory can be held to a bound;
prints one JSON object. An input that breaks a promise ends it, with its number and its bytes.
"""

from __future__ import annotations

import gzip
import json
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from correlate import dns, flows, stun
from correlate.errors import Unreadable
from correlate.stun.suspects import candidates, may_hold
from correlate.trace import CaptureReader, Trace
from correlate.trace.links import READERS
from tests.correlate import plain
from tests.correlate.corpus import Pieces, captures, payloads

# An input has a kilobyte or two: what the process may grow by, and how much of a processor's time one may take.
MORE_BYTES = 32 << 20
MOST_S = 2.0
NUMBERS = [0, 1, 7, 8, 20, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def at(rng: random.Random, pieces: Pieces) -> int:
    """A piece, rather one of the later: without its first one a capture is not read at all."""
    return max(rng.randrange(len(pieces)), rng.randrange(len(pieces)))


def drop(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    del pieces[at(rng, pieces)]


def double(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    pieces.insert(at(rng, pieces), rng.choice(pieces))


def swap(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    one, other = at(rng, pieces), at(rng, pieces)
    pieces[one], pieces[other] = pieces[other], pieces[one]


def splice(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    pieces.insert(at(rng, pieces), rng.choice(spare))


def truncate(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    """Ends the file within a piece."""
    last = at(rng, pieces)
    pieces[last:] = [pieces[last][: rng.randrange(len(pieces[last]) + 1)]]


def shorten(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    """Takes a few bytes out of the middle, so that all behind them lie elsewhere than they should."""
    one = at(rng, pieces)
    where = rng.randrange(len(pieces[one]) + 1)
    pieces[one] = pieces[one][:where] + pieces[one][where + rng.choice([1, 2, 4, 30]) :]


def zeros(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    pieces.insert(rng.randrange(len(pieces) + 1), bytes(rng.randrange(1, 64)))


def repeat(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    one = at(rng, pieces)
    where = rng.randrange(len(pieces[one]) + 1)
    pieces[one] = pieces[one][:where] + pieces[one][max(where - rng.randrange(1, 100), 0) :]


def flip(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    one = at(rng, pieces)
    if content := bytearray(pieces[one]):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        pieces[one] = bytes(content)


def number(rng: random.Random, pieces: Pieces, size: int, where: list[int]) -> None:
    """Writes an extreme number of `size` bytes, or one a little off, over the one at one of these offsets."""
    one, order = at(rng, pieces), rng.choice(["little", "big"])
    content, offset = bytearray(pieces[one]), rng.choice(where)
    old = int.from_bytes(content[offset : offset + size], order)
    new = rng.choice([*NUMBERS, old + rng.choice([-4, -1, 1, 4]), rng.randrange(1 << 12)]) % (1 << 8 * size)
    content[offset : offset + size] = new.to_bytes(size, order)
    pieces[one] = bytes(content)


def lie(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    """Of a record, a block or a message about its own lengths: those stand in front and at the very end."""
    number(rng, pieces, *rng.choice([(4, [4, 8, 12, 16, 20, 24, -4]), (2, [2, 4, 6])]))


def number_within(rng: random.Random, pieces: Pieces, spare: Pieces) -> None:
    """Lengths of link headers, IP, UDP, STUN and attributes stand anywhere."""
    number(rng, pieces, 2, list(range(0, 120, 2)))


CHANGES = (drop, double, swap, splice, truncate, shorten, zeros, repeat, flip, flip, lie, lie, number_within)


def mutated(rng: random.Random, pieces: Pieces, spare: Pieces) -> Pieces:
    """One to six changes."""
    changed = list(pieces)
    for _ in range(rng.randrange(1, 7)):
        rng.choice(CHANGES)(rng, changed, spare)
        if not changed:
            break
    return changed


def capture(rng: random.Random, corpus: list[Pieces], large: bool) -> bytes:
    """A changed capture, now and then packed: as one member or two, and changed again behind that.

    A large one has so many records that the reader goes along them in many places at once.
    """
    pieces = rng.choice(corpus)
    if large:
        pieces = [*pieces[:4], *rng.choices(pieces[1:], k=1_000)]
    pieces = mutated(rng, pieces, rng.choice(corpus))
    if rng.randrange(10):
        return b"".join(pieces)
    half = rng.randrange(len(pieces) + 1)
    packed = [gzip.compress(b"".join(part), 1, mtime=0) for part in (pieces[:half], pieces[half:]) if part]
    return b"".join(mutated(rng, packed, packed) if packed and rng.randrange(2) else packed)


def answer(data: bytes, block_bytes: int) -> Any:
    """All that is told of a capture, or why it cannot be read."""
    stream, counter, messages = CaptureReader("fuzz", held=data, block_bytes=block_bytes), flows.Counter(), []
    reader, frames = stun.BlockReader(), list[int]()
    try:
        for one in stream:
            counter.add(one)
            frames += one.rows.frame.tolist()
            messages += [found[1:] for found in reader.add(one)]
        messages += [found[1:] for found in reader.rest()]
    except Unreadable as error:
        return error.what
    return counter.table(), messages, sorted(frames), *told(stream)


def told(read: CaptureReader | Trace) -> tuple[object, ...]:
    return read.damage, read.packets, read.first_ns, read.last_ns, read.kernel_dropped, read.link_types, read.format


def held(path: Path) -> object:
    """The same of a capture that is read as a whole, by the other code for flows; TCP and DNS are looked at too."""
    try:
        trace = Trace.read(path)
    except Unreadable as error:
        return error.what
    assert (trace.tcp.with_payload().payload_bytes > 0).all()
    for row in range(len(trace.udp)):
        dns.answers(trace.payload(row))
    json.dumps([flows.rows(trace), stun.rows(trace)])
    messages = [found[1:] for found in stun.messages(trace)]
    return flows.flows(trace.udp).table, messages, trace.udp.frame.tolist(), *told(trace)


def plainly(data: bytes) -> object:
    """Flows, messages and frame numbers by the plain reader, and how many packets; None for a link type that is not
    read here."""
    found = list(plain.packets(data))
    links = [packet.link for packet in found if packet.link is not None]
    if any(link not in READERS for link in links):
        return None
    datagrams = plain.datagrams(found)
    messages = [
        (*plain.ends(one), message[:-1])
        for one in datagrams
        if one.is_whole
        for message in plain.messages(one.payload, max(one.payload_bytes - len(one.payload), 0))
    ]
    return plain.flows(datagrams), messages, [one.frame for one in datagrams], len(links)


def in_fragments(data: bytes) -> set[int]:
    """The frames that are fragments."""
    found = list(plain.packets(data))
    if any(packet.link not in READERS for packet in found if packet.link is not None):
        return set()
    return {one.frame for one in plain.datagrams(found) if not one.is_whole}


def quickly(found: tuple[Any, ...], in_fragments: Collection[int]) -> object:
    """The same from an answer: messages over UDP, with a cookie, not in fragments, as padded: of what is cut nobody can
    say whether another reading would lead to its end."""
    table, messages, frames, _, packets, *_ = found
    every = [stun.Message(0, *each) for each in messages]
    ends = [
        (each.time_ns, (str(each.src), each.src_port), (str(each.dst), each.dst_port), each[7:-2])
        for each in every
        if each.transport == "udp" and each.cookie and each.frame not in in_fragments
    ]
    return [list(flows.row(flow).values()) for flow in table], ends, frames, packets


def decoded(payload: bytes) -> list[stun.Decoded]:
    """Twice the same, and what the plain reader tells; the vector test misses none; what is nested is bounded."""
    messages = stun.decode(payload)
    assert messages == plain.messages(payload)
    shown = [(one, one.username, one.addresses) for one in messages]
    assert shown == [(one, one.username, one.addresses) for one in stun.decode(payload)]
    head = np.frombuffer(payload[:16].ljust(16, b"\0"), np.uint8).reshape(1, 16)
    size, there = np.array([len(payload)]), np.array([len(payload)])
    assert not messages or candidates(head, size, there).tolist() == [0]
    lead = np.array([int.from_bytes(payload[:8].ljust(8, b"\0"))]).astype(np.uint64).view(np.int64)
    assert not messages or may_hold(lead, size, there).tolist() == [True]
    values = sum(4 + len(value) for one in messages for _, value in one.attributes)
    assert values <= stun.MAX_DEPTH * len(payload)
    dns.answers(payload)
    return messages


class Fuzz:
    """One run: inputs by `seed`, and what was found of them."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.captures, self.payloads = captures(seed), payloads()
        self.path = folder / "whole"
        self.seen: Counter[str] = Counter()

    def step(self, number: int) -> None:
        """One input of each kind. What breaks a promise raises, with the bytes that did it."""
        rng, large = self.rng, number % 100 == 0
        data = capture(rng, self.captures, large)
        payload = b"".join(mutated(rng, rng.choice(self.payloads), rng.choice(self.payloads)))
        # Small blocks are slow; a few of them are as small as can be.
        small = rng.choice([7_000, 70_000] if large else [100, 300, 700] if number % 20 else [1])
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        try:
            found = answer(data, 1 << 18 if large else 1 << 14)
            assert answer(data, small) == found
            if number % 10 == 0:
                self.path.write_bytes(data)
                assert held(self.path) == found
            if not isinstance(found, str) and not data.startswith(b"\x1f\x8b"):
                assert quickly(found, in_fragments(data)) == plainly(data)
            messages = decoded(payload)
        except Exception as error:
            error.add_note(f"input {number}, blocks of {small}: {data.hex()} and {payload.hex()}")
            raise
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.seen["refused" if isinstance(found, str) else "read"] += 1
        if not isinstance(found, str):
            self.seen.update(one.kind for one in found[3])
            self.seen["flows"] += len(found[0])
        self.seen["messages"] += len(messages)


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"an input took more than {MOST_S} s of processor time")


def memory(name: str) -> int:
    """VmSize (address space) or VmHWM (most memory ever held) of this process, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main(seed: int, count: int) -> None:
    signal.signal(signal.SIGPROF, too_long)
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(seed, Path(folder))
        for number in range(20):  # what is imported and kept once
            fuzz.step(number)
        most = memory("VmSize") + MORE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for number in range(20, count):
            fuzz.step(number)
    print(json.dumps({"held_bytes": memory("VmHWM"), "seen": dict(fuzz.seen)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
