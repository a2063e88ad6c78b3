"""What `invoke flows` and `invoke stun` print, say and exit with, for each kind of damage."""

import gzip
import json
import struct
import zlib
from ipaddress import IPv4Address

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks

START_S = 1_700_000_000


def datagram(payload):
    udp = struct.pack(">HHHH", 40000, 3478, 8 + len(payload), 0) + payload
    ends = IPv4Address("192.0.2.1").packed + IPv4Address("198.51.100.7").packed
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp


BINDING = datagram(struct.pack(">HHI", 1, 0, 0x2112A442) + bytes(12))


def record(data=BINDING, seconds=START_S, wire=None, fraction=0):
    return struct.pack("<IIII", seconds, fraction, len(data), len(data) if wire is None else wire) + data


def pcap(*records, link=101, version=(2, 4)):
    return struct.pack("<IHHIIII", 0xA1B2C3D4, *version, 0, 0, 65535, link) + b"".join(records)


def ethernet(packet, kind=0x0800):
    return bytes(12) + struct.pack(">H", kind) + packet


def block(kind, body):
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def packet(time_us=START_S * 10**6):
    return block(6, struct.pack("<IIIII", 0, time_us >> 32, time_us & 0xFFFFFFFF, len(BINDING), len(BINDING)) + BINDING)


def pcapng(*blocks, application=b"Dumpcap (Wireshark) 4.0.17\0\0"):
    named = struct.pack("<HH", 4, 26) + application + bytes(4)
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + named)
    return section + block(1, struct.pack("<HHI", 101, 0, 0)) + b"".join(blocks)


STATISTICS = block(5, struct.pack("<III", 0, 0, 0))
TWO = pcap(record(), record())  # 24 + 2 * 64 bytes
NG = len(pcapng())
ABOVE = (
    "1 UDP frames above the MTU of 1500, the largest packet has 1501 bytes: the capturing machine joined or had not yet"
    " split them, so packet counts are not those of the wire"
)
UNFINISHED = "dumpcap wrote this section without interface statistics: it was not stopped cleanly, its tail may be lost"
BROKEN_CHECK = "its compression is broken: Error -3 while decompressing data: incorrect data check"


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# bytes of the file, Binding requests that are printed, exit code, what stderr says behind the path, line by line
CASES = {
    "whole": (TWO, 2, 0, []),
    "whole pcapng": (pcapng(packet(), STATISTICS), 1, 0, []),
    "empty": (b"", 0, 3, ["byte 0: the file is empty"]),
    "file header cut": (TWO[:23], 0, 3, ["byte 23: the file header is cut: 23 of 24 bytes"]),
    "record header cut": (TWO + record()[:15], 2, 3, ["byte 152, frame 3: a record header is cut: 15 of 16 bytes"]),
    "record cut": (TWO + record()[:-1], 2, 3, ["byte 152, frame 3: a record is cut: 47 of 48 bytes"]),
    "impossible length": (
        TWO + struct.pack("<IIII", START_S, 0, 262_145, 262_145) + record(), 2, 3,
        ["byte 152, frame 3: impossible length: a record of 262145 bytes; 80 bytes are not read"],
    ),
    "more captured than on the wire": (
        TWO + record(wire=47) + record(), 2, 3,
        ["byte 152, frame 3: impossible length: 48 bytes captured of 47 on the wire"],
    ),
    "zero-filled tail": (
        TWO + bytes(4096), 2, 3, ["byte 152, frame 3: zero bytes where a record should be; 4096 bytes are not read"],
    ),
    "time backwards": (
        pcap(*(record(seconds=START_S + at) for at in (9, 0, 10, 2, 11))), 5, 3,
        ["byte 104, frame 2: time runs backwards by 9.000000000 s, 2 times in this file"],
    ),
    "above the MTU": (pcap(record(), record(datagram(bytes(1473)))), 1, 0, [f"frame 2: {ABOVE}"]),
    "above the MTU and cut": (
        pcap(record(datagram(bytes(1473))), record(), record())[:-1], 1, 3,
        ["byte 1605, frame 3: a record is cut: 47 of 48 bytes", f"frame 1: {ABOVE}"],
    ),
    "a fraction of a second": (pcap(record(fraction=999_999)), 1, 0, []),
    "impossible fractions": (
        TWO + record(fraction=10**6) + record(fraction=2**31), 4, 3,
        ["byte 152, frame 3: 2 times with a fraction of a second or more"],
    ),
    "an impossible fraction and a cut": (
        TWO + record(fraction=10**6) + record()[:-1], 3, 3,
        [
            "byte 216, frame 4: a record is cut: 47 of 48 bytes",
            "byte 152, frame 3: 1 time with a fraction of a second or more",
        ],
    ),
    "impossible times": (
        pcapng(packet(), packet(2**63 // 1000 + 1), packet(2**63), STATISTICS), 3, 3,
        [f"byte {NG + 80 + 28}, frame 2: 2 times before 1970 or after 2262"],
    ),
    "behind MPLS labels": (
        pcap(*(record(ethernet(BINDING, kind)) for kind in (0x0800, 0x8848, 0x8847, 0x0806)), link=1), 1, 0,
        ["frame 2: 2 frames with packets in MPLS, which is not followed: UDP in there is not seen"],
    ),
    "dumpcap without statistics": (pcapng(packet(), packet()), 2, 3, [f"byte 0: {UNFINISHED}"]),
    "another tool without statistics": (pcapng(packet(), application=b"editcap".ljust(28, b"\0")), 1, 0, []),
    "block cut": (
        pcapng(packet(), packet())[:-1], 1, 3, [f"byte {NG + 80}, frame 2: a block is cut: 79 of 80 bytes"],
    ),
    "pcapng with a zero-filled tail": (
        pcapng(packet(), STATISTICS, bytes(100)), 1, 3,
        [f"byte {NG + 104}, frame 2: zero bytes where a block should be; 100 bytes are not read"],
    ),
    "pcapng backwards": (
        pcapng(packet(10_999), packet(999), STATISTICS), 2, 3,
        [f"byte {NG + 80 + 28}, frame 2: time runs backwards by 0.010000000 s, 1 time in this file"],
    ),
    "stamped by two processors": (
        pcapng(packet(10_999), packet(1000), STATISTICS), 2, 3,
        [f"byte {NG + 80 + 28}, frame 2: time runs backwards by 0.009999000 s, 1 time in this file"],
    ),
    "gzip of two members": (gzip.compress(TWO[:70]) + gzip.compress(TWO[70:]), 2, 0, []),
    "gzip without its end": (gzip.compress(TWO)[:-1], 2, 3, ["byte 152: its compression ends early"]),
    "gzip with a wrong check sum": (flipped(gzip.compress(TWO), -6), 2, 3, [f"byte 152: {BROKEN_CHECK}"]),
    "gzip with something behind": (
        gzip.compress(TWO) + b"more", 2, 3, ["byte 152: behind its compression stand bytes that are none"],
    ),
}  # fmt: skip


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a task on these bytes: exit code, the rows that it printed, the lines on stderr without the path."""

    def run(task, data):
        path, code = tmp_path / "given", 0
        path.write_bytes(data)
        try:
            task(Context(), pcap=str(path), json=True)
        except Exit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert all(line.startswith(f"{path}: ") for line in lines)
        return code, json.loads(out), [line.removeprefix(f"{path}: ") for line in lines]

    return run


@pytest.mark.parametrize("name", CASES)
def test_all_before_the_break_is_printed_and_the_rest_is_said_with_its_place(run, name):
    data, requests, exit_code, lines = CASES[name]
    code, messages, said = run(tasks.stun, data)
    assert (code, len(messages), said) == (exit_code, requests, lines)
    code, table, said = run(tasks.flows, data)
    above = sum("above the MTU" in line for line in lines)
    assert (code, sum(flow["packets_ab"] for flow in table), said) == (exit_code, requests + above, lines)


def test_an_impossible_time_is_none(run):
    _, table, _ = run(tasks.flows, pcap(record(), record(fraction=2**31)))
    assert [(flow["packets_ab"], flow["first_ns"], flow["last_ns"]) for flow in table] == [(2, *[START_S * 10**9] * 2)]
    _, (first, second), _ = run(tasks.stun, pcap(record(), record(fraction=2**31)))
    assert (first["time_ns"], second["time_ns"]) == (START_S * 10**9, None)


def test_a_gzip_file_that_breaks_in_its_middle_keeps_every_byte_before(run):
    data = pcap(*[record()] * 500)
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH) + b"\x07" + bytes(100)
    code, messages, said = run(tasks.stun, packed)
    broken = "its compression is broken: Error -3 while decompressing data: invalid block type"
    assert (code, len(messages), said) == (3, 500, [f"byte {len(data)}: {broken}"])


def test_a_link_type_that_is_refused_late_leaves_a_whole_list_of_what_came_before(tmp_path, capsys):
    path = tmp_path / "late.pcapng"
    sound = pcapng(*[packet(START_S * 10**6 + n) for n in range(5000)])
    user0 = block(1, struct.pack("<HHI", 147, 0, 0))
    path.write_bytes(sound + user0 + block(6, struct.pack("<IIIII", 1, 0, 0, 0, 0)) + STATISTICS)
    with pytest.raises(Exit) as stopped:
        tasks.stun(Context(), str(path), json=True)
    assert (stopped.value.code, "link type 147 (USER0)" in str(stopped.value)) == (2, True)
    assert 0 < len(json.loads(capsys.readouterr().out)) < 5000
