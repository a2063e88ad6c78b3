"""What people hand to `flows` and `stun`: folders, pipes, texts, files that are cut, and what they are told."""

import gzip
import json
import os
import struct
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from correlate import flows, stun
from correlate import trace as traces
from correlate.errors import Unreadable
from correlate.trace import Trace
from correlate.trace.formats import START_BYTES
from correlate.trace.source import READ_BYTES, whole

ROOT = Path(__file__).parents[2]
INVOKE = Path(sys.executable).with_name("invoke")
START_S = 1_700_000_000


def capture(packets=3):
    """A classic pcap, raw IP: one conversation of STUN Binding requests."""
    request = struct.pack(">HHI", 1, 0, 0x2112A442) + bytes(12)
    udp = struct.pack(">HHHH", 40000, 3478, 8 + len(request), 0) + request
    ends = IPv4Address("192.0.2.1").packed + IPv4Address("198.51.100.7").packed
    packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    return head + b"".join(
        struct.pack("<IIII", START_S + n, 0, len(packet), len(packet)) + packet for n in range(packets)
    )


@pytest.mark.parametrize("rows", [flows.rows, stun.rows])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.write_text("no capture\n"), "is neither a pcap nor a pcapng file"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
        (os.mkfifo, "cannot be read: Is a FIFO; only regular files are read"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read: Is a device; only regular files are read"),
    ],
)
def test_what_is_no_capture_is_refused_in_one_line(tmp_path, make, message, rows):
    path = tmp_path / "given"
    make(path)
    with pytest.raises(Unreadable) as caught:
        rows(Trace.read(path))
    assert (str(caught.value), caught.value.exit_code) == (f"{path}: {message}", 2)


def test_an_empty_file_is_damaged_and_has_no_rows(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    trace = Trace.read(path)
    assert (flows.rows(trace), stun.rows(trace), trace.stops) == ([], [], True)
    assert [damage.text for damage in trace.damage] == ["the file is empty"]


def test_a_cut_capture_keeps_what_comes_before_the_cut(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(capture()[:-1])
    trace = Trace.read(path)
    assert [row["packets_ab"] for row in flows.rows(trace)] == [2]
    assert (len(stun.rows(trace)), trace.stops) == (2, True)


def test_a_capture_that_a_link_leads_to_is_read(tmp_path):
    (tmp_path / "there.pcap").write_bytes(capture())
    (tmp_path / "link.pcap").symlink_to("there.pcap")
    assert Trace.read(tmp_path / "link.pcap").packets == 3


def test_what_is_no_capture_is_known_by_its_beginning(tmp_path, monkeypatch):
    """A file of any size, and what a small one unpacks to: no more than a piece is read of either."""
    taken = []
    monkeypatch.setattr(traces, "whole", lambda *words: taken.append(len(found := whole(*words))) or found)
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 5 << 30)
    (tmp_path / "zeros.gz").write_bytes(gzip.compress(bytes(50 << 20)))
    for name in ("sparse", "zeros.gz"):
        with pytest.raises(Unreadable, match=f"{name}: is neither a pcap nor a pcapng file"):
            Trace.read(tmp_path / name)
    assert (taken[0], max(taken), taken[1], taken[3]) == (READ_BYTES, READ_BYTES, START_BYTES, START_BYTES)


HELD = """
import resource, sys
from correlate import trace
from correlate.errors import CorrelateError
most_bytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before = most_bytes()
try:
    if sys.argv[1] == "blocks":
        print([block.packets for block in trace.blocks(sys.argv[2])])
    else:
        print(trace.Trace.read(sys.argv[2]).damage[0].kind)
except CorrelateError as error:
    print(error)
print(most_bytes() - before)
"""
SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
GIANT = {
    "record.pcap": capture(0) + struct.pack("<IIII", START_S, 0, 1 << 31, 1 << 31),
    "block.pcapng": SECTION + struct.pack("<II", 6, 1 << 31),
    "largest.pcapng": SECTION + struct.pack("<II", 6, 16 << 20),
}


def held(how, path, given=None):
    """What reading it says, and how many bytes more the process then held at most."""
    with open(given or os.devnull, "rb") as stdin:
        argv = [sys.executable, "-c", HELD, how, path]
        done = subprocess.run(argv, cwd=ROOT, stdin=stdin, capture_output=True, text=True, timeout=60, check=True)
    *said, most_bytes = done.stdout.splitlines()
    return said, int(most_bytes)


@pytest.mark.parametrize("how", ["blocks", "whole"])
def test_zeros_without_end_on_standard_input_cost_no_memory(how):
    said, most_bytes = held(how, "-", "/dev/zero")
    assert said == ["-: is neither a pcap nor a pcapng file"]
    assert most_bytes < 12 << 20


@pytest.mark.parametrize("name", GIANT)
def test_a_record_that_claims_to_be_a_giant_costs_no_memory(tmp_path, name):
    (tmp_path / name).write_bytes(GIANT[name] + bytes(8))
    said, most_bytes = held("whole", str(tmp_path / name))
    assert said == ["cut_record" if name == "largest.pcapng" else "impossible_length"]
    assert most_bytes < 12 << 20


def invoke(*words, given=b""):
    done = subprocess.run([INVOKE, *words], cwd=ROOT, input=given, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("task", ["flows", "stun"])
def test_a_task_reads_standard_input(task):
    code, out, err = invoke(task, "--pcap", "-", "--json", given=capture())
    assert (code, len(json.loads(out)), err) == (0, {"flows": 1, "stun": 3}[task], "")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/", 2, "/: cannot be read: Is a directory\n"),
        ("README.md", 2, "README.md: is neither a pcap nor a pcapng file\n"),
        ("nowhere.pcap", 2, "nowhere.pcap: cannot be read: No such file or directory\n"),
        ("-", 3, "-: byte 0: the file is empty\n"),
        ("/dev/zero", 2, "/dev/zero: cannot be read: Is a device; only regular files are read\n"),
        ("FIFO", 2, "FIFO: cannot be read: Is a FIFO; only regular files are read\n"),
    ],
)
def test_a_task_says_in_one_line_what_it_cannot_read(path, code, message, tmp_path):
    if path == "FIFO":
        path = str(tmp_path / "FIFO")
        os.mkfifo(path)
    found, out, err = invoke("flows", "--pcap", path)
    assert (found, out, err.rstrip("\n").removeprefix(f"{tmp_path}/") + "\n") == (code, "", message)


def test_a_task_prints_what_it_could_read_of_a_damaged_capture_and_exits_3():
    code, out, err = invoke("stun", "--pcap", "-", "--json", given=capture()[:-1])
    assert (code, len(json.loads(out))) == (3, 2)
    assert err.rstrip("\n") == "-: byte 152, frame 3: a record is cut: 47 of 48 bytes"


def test_a_file_too_large_to_hold_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse"
    path.write_bytes(capture())
    os.truncate(path, 5 << 30)
    with pytest.raises(Unreadable, match="sparse: has more than 512 MiB; cut it with editcap -c first"):
        Trace.read(path)
