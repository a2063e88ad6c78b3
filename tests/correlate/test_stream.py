"""Streaming gives what reading as a whole gives, wherever a file is cut into blocks."""

import gzip
import io
import os
import random
import struct
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pytest

from correlate import flows, stun
from correlate.errors import Unreadable
from correlate.trace import Trace, blocks, chain
from correlate.trace import pcap as classic
from correlate.trace.chain import walk
from correlate.trace.tuples import Tuples

ROOT = Path(__file__).resolve().parents[2]
TRACES = ROOT.parent / "shared" / "traces"
CAPTURES = sorted(path for folder in ("", "odd") for path in (TRACES / folder).glob("*.pcap*"))
START_S = 1_700_000_000


def ipv4(payload, src="192.0.2.1", sport=40000, dst="198.51.100.7", dport=3478, number=0, fragment=0):
    udp = struct.pack(">HHHH", sport, dport, len(payload) + 8, 0) + payload if not fragment & 0x1FFF else payload
    ends = IPv4Address(src).packed + IPv4Address(dst).packed
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), number, fragment, 64, 17, 0) + ends + udp


def record(data, seconds=START_S, fraction=0, order="<"):
    return struct.pack(f"{order}IIII", seconds, fraction, len(data), len(data)) + data


def pcap(records, order="<", link_type=101):
    return struct.pack(f"{order}IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type) + b"".join(records)


def streamed(path, block_bytes):
    """Everything that streaming tells of a file, or why it cannot be read."""
    stream, counter, messages, packets = blocks(path, block_bytes=block_bytes), flows.Counter(), [], 0
    reader = stun.BlockReader()
    try:
        for block in stream:
            counter.add(block)
            messages += map(stun.row, reader.add(block))
            packets += block.packets
        messages += map(stun.row, reader.rest())
    except Unreadable as error:
        return error.what
    assert packets == stream.packets
    table = list(map(flows.row, counter.table()))
    return table, messages, stream.damage, packets, stream.first_ns, stream.last_ns, stream.kernel_dropped


def whole(path):
    try:
        trace = Trace.read(path)
    except Unreadable as error:
        return error.what
    times = trace.first_ns, trace.last_ns
    return flows.rows(trace), stun.rows(trace), trace.damage, trace.packets, *times, trace.kernel_dropped


def largest_record(path):
    trace = Trace.read(path)
    return int(trace.udp.captured_bytes.max(initial=0)) + 16


def sizes(path):
    """So small that every kind of boundary occurs, and some that are not."""
    least = largest_record(path) + 64
    return [1, least, least + 1, 3 * least, 1 << 16, 4 << 20]


@pytest.mark.skipif(not CAPTURES, reason="needs the captures in ../shared/traces, which are absent")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_every_capture_streams_to_what_it_is_as_a_whole(path):
    told = whole(path)
    for size in sizes(path):
        assert streamed(path, size) == told, size


@pytest.fixture
def file(tmp_path):
    def file(data, name="one.pcap"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return file


def fragments(payload, number):
    data = struct.pack(">HHHH", 40000, 3478, len(payload) + 8, 0) + payload
    pieces = [data[at : at + 400] for at in range(0, len(data), 400)]
    ends = IPv4Address("192.0.2.1").packed + IPv4Address("198.51.100.7").packed
    for at, piece in enumerate(pieces):
        flags = (0x2000 if at < len(pieces) - 1 else 0) | at * 50
        yield struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(piece), number, flags, 64, 17, 0) + ends + piece


def test_fragments_of_one_datagram_may_lie_in_blocks_apart_the_first_one_last(file):
    one = list(fragments(bytes(1500), 7))
    other = [ipv4(b"x" * 300, sport=n) for n in range(40)]
    frames = [*reversed(one[1:]), *other, one[0], *other]
    path = file(pcap(map(record, frames)))
    for size in (1, 500, 1000, 4 << 20):
        table, _, damage, packets, *_ = streamed(path, size)
        assert (packets, damage) == (len(frames), ())
        flow = table[0]  # the first packet of the file is its: a later fragment
        assert (flow["a_port"], flow["packets_ab"], flow["payload_ab"]) == (40000, len(one), 1500)
        assert len(table) == 41
    assert streamed(path, 500) == whole(path)


def test_fragments_that_wait_for_ever_do_not_take_memory_for_ever(file):
    lost = [list(fragments(bytes(700), n))[1] for n in range(20_000)]
    late = next(fragments(bytes(700), 19_999))
    path = file(pcap(map(record, [*lost, late])))
    table = streamed(path, 4 << 20)[0]
    assert table == streamed(path, 5000)[0] == whole(path)[0]
    assert [row["packets_ab"] for row in table] == [2]


def test_time_running_backwards_from_block_to_block_is_said(file):
    frames = [record(ipv4(b"x" * 100, sport=n), START_S + (n if n < 50 else n - 10), n) for n in range(100)]
    path = file(pcap(frames))
    told = whole(path)
    (damage,) = told[2]
    assert (damage.kind, damage.frame, damage.offset) == ("time_backwards", 51, 24 + 50 * 144 + 16)
    for size in (1, 150, 144 * 10, 144 * 10 + 5):
        assert streamed(path, size) == told


@pytest.mark.parametrize("tail", [bytes(5), bytes(17), bytes(100_000), record(bytes(300))[:-1], b"\xff" * 5000])
def test_a_damaged_tail_is_told_the_same_in_blocks(file, tail):
    path = file(pcap([record(ipv4(b"x" * 100, sport=n)) for n in range(20)]) + tail)
    told = whole(path)
    assert (told[3], len(told[2])) == (20, 1)
    for size in (1, 144, 1000, 1 << 17):
        assert streamed(path, size) == told


def test_gzip_streams_without_a_bound_on_what_it_unpacks_to(file):
    path = file(gzip.compress(pcap([record(ipv4(bytes(60_000), sport=n % 5)) for n in range(1700)]), 1))
    table, messages, damage, packets, *_ = streamed(path, 1 << 20)
    assert (len(table), messages, packets) == (5, [], 1700)
    assert [one.kind for one in damage] == ["above_mtu"]
    with pytest.raises(Unreadable, match="unpacks to 96 MiB or more"):
        Trace.read(path)


def test_standard_input_is_a_file_as_well(file):
    data = pcap([record(ipv4(b"x" * 100, sport=n)) for n in range(3000)])
    code = "from correlate import flows, trace; s = trace.blocks('-'); print(len(flows.read(s)), s.packets, s.damage)"
    for content in (data, gzip.compress(data)):
        done = subprocess.run(
            [sys.executable, "-c", code], input=content, capture_output=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.stdout == b"3000 3000 ()\n"


def random_frames(rng, count):
    return [ipv4(rng.randbytes(rng.randrange(1, 1200)), sport=rng.randrange(1000, 1004)) for _ in range(count)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_many_cursors_find_the_records_that_one_finds(order):
    rng = random.Random(3)
    data = pcap([record(one, START_S + n, n, order) for n, one in enumerate(random_frames(rng, 1500))], order)
    at = 2 if order == "<" else 0
    form = chain.Form(order, 8, 16, 16, 16, at, 2, classic._plausible)
    held = bytearray(data + bytes(128))
    octets = np.frombuffer(held, np.uint8)
    for high in (len(data), len(data) - 7, len(data) - 700):
        starts = chain._starts(held, octets, 24, high, form, 600)
        assert len(starts) > 50
        told = chain._plain(held, 24, high, form, high)
        assert chain._lockstep(octets, starts, high, form)[0].tolist() == told
        assert walk(held, octets, 24, high, form).tolist() == told


def test_a_capture_of_a_capture_is_not_taken_for_its_records(file):
    rng = random.Random(5)
    inner = b"".join(record(one, START_S + n) for n, one in enumerate(random_frames(rng, 4000)))
    carried = [inner[at : at + 1300] for at in range(0, len(inner), 1300)]
    data = pcap([record(ipv4(one, sport=n % 3), START_S + n) for n, one in enumerate(carried)])
    assert len(carried) > 4 * chain.STRETCH * chain.FEW_CURSORS
    path = file(data)
    table, _, damage, packets, *_ = streamed(path, 4 << 20)
    assert (len(table), damage, packets) == (3, (), len(carried))
    assert streamed(path, 5000) == whole(path)


def test_a_wrong_start_is_given_up_and_the_walk_goes_on_in_lockstep(monkeypatch):
    held = bytearray(pcap([record(bytes(184), START_S)] * 1000) + bytes(128))
    octets = np.frombuffer(held, np.uint8)
    form = chain.Form("<", 8, 16, 16, 16, 2, 2, classic._plausible)
    right = 24 + 200 * np.arange(0, 1000, 50)
    wrong = right.copy()
    wrong[7] += 4
    found, missed = chain._lockstep(octets, right, len(held) - 128, form)
    assert (found.tolist(), missed.tolist()) == (list(range(24, 200_024, 200)), [])
    # Where the wrong one runs to nobody knows, so the start behind it may be given up with it.
    found, missed = chain._lockstep(octets, wrong, len(held) - 128, form)
    assert found is None
    assert 7 in missed.tolist()
    monkeypatch.setattr(chain, "_starts", lambda *_: wrong)
    monkeypatch.setattr(chain, "_plain", lambda *those: those[4] > 32 or list(range(24, 24 + 200 * 32, 200)))
    assert walk(held, octets, 24, len(held) - 128, form).tolist() == list(range(24, 200_024, 200))


def ng(kind, body):
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def test_pcapng_of_many_blocks_streams_across_sections_and_kinds(file):
    rng = random.Random(9)
    section, interface = (
        ng(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        ng(1, struct.pack("<HHI", 101, 0, 0)),
    )
    parts = [section, interface]
    for n, one in enumerate(random_frames(rng, 2000)):
        time = START_S * 10**6 + n
        body = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(one), len(one)) + one
        parts.append(ng(3, struct.pack("<I", len(one)) + one) if n % 97 == 0 else ng(6, body))
        parts += [ng(0x0BAD, bytes(4 + n % 60))] if n % 41 == 0 else []
        parts += [section, interface] if n == 1000 else [interface] if n == 1500 else []
    path = file(b"".join(parts))
    told = whole(path)
    assert (told[3], told[2]) == (2000, ())
    for size in (1, 1300, 70_000, 1 << 18):
        assert streamed(path, size) == told


def test_a_block_that_nobody_writes_is_an_impossible_length(file):
    section = ng(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    path = file(section + ng(0x0BAD, bytes(16 << 20)))
    (damage,) = whole(path)[2]
    assert (damage.kind, damage.offset, damage.frame) == ("impossible_length", 28, 1)
    assert streamed(path, 4096) == whole(path)


def test_tuples_that_meet_in_one_slot_stay_apart():
    rng = np.random.default_rng(1)
    tuples, told = Tuples(), {}
    for _ in range(30):
        ends = rng.integers(0, 1 << 40, 5000, np.uint64)
        ports = rng.integers(0, 4, 5000, np.uint64)
        numbers = tuples.numbers(4, [ends], ports).tolist()
        for key, number in zip(zip(ends.tolist(), ports.tolist(), strict=True), numbers, strict=True):
            assert told.setdefault(key, number) == number
    assert sorted(told.values()) == list(range(1, len(tuples)))
    assert (tuples.numbers(4, [ends], ports) == numbers).all()


def test_tuples_of_one_hash_are_compared_in_full(monkeypatch):
    monkeypatch.setattr(Tuples, "_hashed", lambda self, keys: np.full(len(keys[4]), 65_535))
    tuples = Tuples()
    ends, ports = np.array([1, 2, 1, 3, 2], np.uint64), np.zeros(5, np.uint64)
    assert tuples.numbers(4, [ends], ports).tolist() == [1, 2, 1, 3, 2]
    six = tuples.numbers(6, [ends, ends, ends, ends], ports).tolist()
    assert six == [4, 5, 4, 6, 5]
    assert tuples.numbers(4, [ends], ports).tolist() == [1, 2, 1, 3, 2]


def test_a_block_gives_its_datagrams(file):
    path = file(pcap([record(ipv4(b"abc")), record(ipv4(b"defg", sport=5))]))
    (block,) = blocks(path)
    udp = block.datagrams()
    assert [block.payload(*one) for one in zip(udp.payload_offset, udp.payload_captured, strict=True)] == [
        b"abc",
        b"defg",
    ]
    assert udp.src_port.tolist() == [40000, 5]


def test_what_standard_input_holds_may_be_read_as_a_whole(monkeypatch, tmp_path):
    path = tmp_path / "in"
    path.write_bytes(pcap([record(ipv4(b"abc"))]))
    with path.open("rb") as standard_input:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(standard_input))
        assert Trace.read("-").payload(0) == b"abc"


HELD = """
import sys
from correlate import flows, stun, trace
stream, counter, reader = trace.blocks("-"), flows.Counter(), stun.BlockReader()
for block in stream:
    counter.add(block)
    messages = list(reader.add(block))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(stream.packets, len(counter.table()), int(peak.split()[1]) * 1024 < 64 << 20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from Linux's /proc")
@pytest.mark.parametrize(("payload_bytes", "times"), [(1000, 100), (12, 400)])
def test_a_process_stays_below_64_mib_whatever_the_size_of_the_file(payload_bytes, times):
    rng = random.Random(1)
    part = b"".join(record(ipv4(rng.randbytes(payload_bytes), sport=n % 500)) for n in range(1000))
    program = subprocess.Popen(
        [sys.executable, "-c", HELD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with program:
        program.stdin.write(pcap([]))
        for _ in range(times):
            program.stdin.write(part)
        program.stdin.close()
        assert program.stdout.read() == f"{1000 * times} 500 True\n".encode()
