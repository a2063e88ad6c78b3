"""What people hand to `flows` and `stun`: folders, pipes, texts, files that are cut, and what they are told."""

import json
import os
import struct
import subprocess
import sys
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from correlate import flows, stun
from correlate import trace as traces
from correlate.errors import Unreadable
from correlate.trace import Trace

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


def fed(path, data):
    """A thread that writes `data` into a pipe with a name."""
    os.mkfifo(path)
    feeder = threading.Thread(target=path.write_bytes, args=(data,))
    feeder.start()
    return feeder


def test_a_pipe_is_read_until_it_ends(tmp_path):
    path = tmp_path / "pipe"
    feeder = fed(path, capture(2000))
    trace = Trace.read(path)
    feeder.join()
    assert (len(stun.rows(trace)), trace.damage) == (2000, ())


def test_a_pipe_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "MAX_HELD_BYTES", 1 << 20)
    with pytest.raises(Unreadable, match="/dev/zero: has more than 1 MiB; cut it with editcap -c first"):
        Trace.read("/dev/zero")


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
    ],
)
def test_a_task_says_in_one_line_what_it_cannot_read(path, code, message):
    found, out, err = invoke("flows", "--pcap", path)
    assert (found, out, err.rstrip("\n") + "\n") == (code, "", message)


def test_a_task_prints_what_it_could_read_of_a_damaged_capture_and_exits_3():
    code, out, err = invoke("stun", "--pcap", "-", "--json", given=capture()[:-1])
    assert (code, len(json.loads(out))) == (3, 2)
    assert err.rstrip("\n") == "-: byte 152, frame 3: a record is cut: 47 of 48 bytes"


def test_a_file_too_large_to_hold_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 5 << 30)
    with pytest.raises(Unreadable, match="sparse: has more than 512 MiB; cut it with editcap -c first"):
        Trace.read(path)
