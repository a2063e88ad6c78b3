"""The real programs behind a phone's shell: which forms of them there are, and the stamps of their captures."""

from __future__ import annotations

import struct
from functools import partial

import pytest

from lab.virtual.commands.tables import COMMON
from lab.virtual.rig import programs
from lab.virtual.shell.machine import Software
from tests.lab.virtual.tiny import CLOCK, TinyMachine, run

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


@pytest.fixture
def machine(tmp_path):
    return TinyMachine(tmp_path)


def shell(machine, script):
    """What a script says and its code, where the real programs would be `echo`."""
    echo = {"ip": partial(programs.ip, said), "nc": partial(programs.nc, said)}
    return run(machine, script, software=Software({**COMMON, **echo}))


def said(*argv):
    return ["echo", *argv]


def record(seconds, microseconds, data):
    return struct.pack("<IIII", seconds, microseconds, len(data), len(data)) + data


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("ip addr", "ip addr show"),
        ("ip -o -4 addr show dev wlan0", "ip -o -4 addr show dev wlan0"),
        ("ip route get 192.0.2.1", "ip route get 192.0.2.1"),
        ("printf x | nc -u -w 1 192.0.2.1 9", "toybox nc -u -w 1 192.0.2.1 9"),
    ],
)
def test_the_forms_that_the_harness_types_reach_the_real_programs(machine, script, argv):
    assert shell(machine, script) == (f"{argv}\n".encode(), b"", 0)
    assert machine.refused == []


@pytest.mark.parametrize(
    "script",
    [
        "ip netns exec laptop sh",
        "ip link set wlan0 down",
        "ip addr show dev wlan0 up",
        "ip -batch /data/local/tmp/file",
        "ip addr show -details",
        "ip route get 192.0.2.1 from 192.0.2.2",
        "ip route get -6",
        "nc -l -p 80",
        "nc -u 192.0.2.1",
        "nc -u -w 1x 192.0.2.1 9",
        "nc -u -e sh 192.0.2.1 9",
    ],
)
def test_no_other_form_does(machine, script):
    assert shell(machine, f"{script} </dev/null")[0] == b""
    assert [script in each for each in machine.refused] == [True]


def test_a_name_is_no_address(machine):
    assert shell(machine, "nc -u localhost 9 </dev/null") == (
        b"",
        b"nc: localhost: No address associated with hostname\n",
        1,
    )


@pytest.mark.parametrize("word", ["-z sh", "-r /etc/passwd", "-F file", "-Z nobody -V files", "port 53"])
def test_tcpdump_runs_nothing_reads_nothing_and_has_no_filter(machine, word):
    software = Software(COMMON | {"tcpdump": partial(programs.tcpdump, machine, said, lambda name: None)})
    assert run(machine, f"tcpdump -i wlan0 -w out.pcap {word}", software=software)[2] != 0
    assert len(machine.refused) == 1


def test_stamps_become_those_of_the_phones_own_clock(machine, tmp_path):
    path = tmp_path / "capture.pcap"
    path.write_bytes(HEAD + record(1_000_000_000, 999_999, b"one") + record(1_000_000_001, 0, b"") + b"\x01\x02")
    assert programs.restamp(path, machine.clock) == 2
    offset_us = CLOCK.offset_ns // 1000
    expected = [record(1_000_000_001, 0, b"one"), record(1_000_000_001, offset_us, b"")]
    assert offset_us == 1
    assert path.read_bytes() == HEAD + b"".join(expected) + b"\x01\x02"


def test_stamps_in_nanoseconds_are_moved_by_nanoseconds(machine, tmp_path):
    path = tmp_path / "capture.pcap"
    head = struct.pack("<I", 0xA1B23C4D) + HEAD[4:]
    path.write_bytes(head + record(1_000_000_000, 5, b"one"))
    assert programs.restamp(path, machine.clock) == 1
    assert path.read_bytes() == head + record(1_000_000_000, 5 + CLOCK.offset_ns, b"one")


def test_a_file_of_another_form_stays_as_it_is(machine, tmp_path):
    path = tmp_path / "capture.pcapng"
    path.write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(60))
    assert programs.restamp(path, machine.clock) == 0
    assert path.read_bytes() == b"\x0a\x0d\x0d\x0a" + bytes(60)
    assert programs.restamp(tmp_path / "none", machine.clock) == 0
