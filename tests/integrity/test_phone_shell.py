"""What a phone is asked, by the shell and the commands that Android has: mksh and toybox, in a namespace."""

from __future__ import annotations

import struct
import sys
import time
from ipaddress import IPv4Address

import pytest

from correlate import markers
from lab.clocks.offsets import measure_offset
from lab.definitions import StunServer
from lab.phone.datagram import datagram_command
from lab.phone.stun_probe import probe
from lab.programs.processes import Program
from tests.integrity.rig import LAPTOP, PHONE, Rig, inside, ip

# Receives one datagram on its port and prints it; with `stun` it answers it as a STUN server does (RFC 8489), else not.
RECEIVER = """
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
data, source = server.recvfrom(2000)
if sys.argv[3:]:
    address = struct.unpack(">I", socket.inet_aton(source[0]))[0] ^ 0x2112A442
    value = struct.pack(">xBHI", 1, source[1] ^ 0x2112, address)
    head = struct.pack(">HHI", 0x0101, 12, 0x2112A442) + data[8:20]
    server.sendto(head + struct.pack(">HH", 0x20, 8) + value, source)
print(data.hex(), flush=True)
server.settimeout(0.5)
try:
    print("and", server.recvfrom(2000)[0].hex(), flush=True)
except TimeoutError:
    print("no other", flush=True)
"""


@pytest.fixture(scope="module")
def lane(namespaces):
    with Rig(1) as rig:
        yield rig.lanes[0]


def received(lane, port, *stun):
    receiver = Program(inside(lane.laptop_space, sys.executable, "-c", RECEIVER, LAPTOP, str(port), *stun))
    assert receiver.read_line(10.0) == b"ready"
    return receiver


def test_a_marker_is_one_datagram_and_its_command_ends_in_a_second(lane):
    with received(lane, 4000) as receiver:
        began = time.monotonic()
        output = lane.adb.run(lane.datagram("im-call-lab 00ff begin", LAPTOP, 4000))
        assert (output.text, output.code) == ("", 124)
        assert 1.0 <= time.monotonic() - began < 2.0
        assert bytes.fromhex(receiver.read_line(5.0).decode()) == b"im-call-lab 00ff begin"
        assert receiver.read_line(5.0) == b"no other"


def test_a_marker_that_an_icmp_error_answers_ends_as_well(lane):
    closed = lane.datagram("im-call-lab 00ff begin", LAPTOP, 4001)
    assert lane.adb.run(closed, timeout_s=5.0).code == 124


def test_a_marker_without_a_route_says_so(lane):
    ip("-n", lane.phone_space, "route", "del", "default")
    try:
        output = lane.adb.run(lane.datagram("im-call-lab 00ff begin", markers.ADDRESS, markers.PORT))
    finally:
        ip("-n", lane.phone_space, "route", "add", "default", "via", LAPTOP)
    assert (output.code in (1, 127), "Network is unreachable" in output.text) == (True, True)


def test_a_stun_server_tells_the_phone_its_address(lane, monkeypatch):
    monkeypatch.setattr(datagram_command, "__defaults__", (str(lane.root / "datagram"),))
    with received(lane, 3478, "stun") as receiver:
        found = probe(lane.adb, [IPv4Address(PHONE)], [StunServer(address=IPv4Address(LAPTOP))], time.monotonic_ns)
        assert found == [IPv4Address(PHONE)]
        request = bytes.fromhex(receiver.read_line(5.0).decode())
        assert struct.unpack(">HHI", request[:8]) == (0x0001, len(request) - 20, 0x2112A442)


def test_the_phones_clock_is_read_by_its_shell_alone(lane):
    offset = measure_offset(lane.clock, lane.adb.read_clock_ns)
    assert abs(offset.offset_ns) <= offset.bound_ns < 5_000_000


def test_a_marker_is_found_wherever_in_a_capture_it_lies(lane):
    capture, file = lane.tcpdump("t"), lane.root / "phone" / "t.pcap"
    file.parent.mkdir(exist_ok=True)
    for before in (b"\n\0\0", b"\0", b"\n", b"\xff\xfe\n\n\0\n"):
        file.write_bytes(before + b"im-call-lab 00ff begin\0\n")
        assert (capture.holds("im-call-lab 00ff begin"), capture.holds("im-call-lab 00ff end")) == (True, False)
    file.unlink()
    assert not capture.holds("im-call-lab 00ff begin")
