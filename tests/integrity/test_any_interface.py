"""The real tcpdump on `any` shows a packet on each interface that it crosses: here a bridge and the port below it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from lab.capture.counters import last_counters
from lab.capture.verified import verified
from lab.errors import AttemptVoid
from tests.integrity.rig import inside, ip

PHONE, FAR = "192.0.2.1", "192.0.2.2"
SEND = """
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind((sys.argv[1], 5000))
for number in range(int(sys.argv[3])):
    sender.sendto(b"%d" % number + bytes(100), (sys.argv[2], 5000))
    time.sleep(0.004)
"""


@pytest.fixture(scope="module")
def bridged(namespaces):
    """A phone whose address is a bridge's, above the wire to the far end."""
    phone, far = (f"imcl-{os.getpid()}-{end}" for end in ("bridge", "far"))
    try:
        for space in (phone, far):
            ip("netns", "add", space)
        ip("-n", phone, "link", "add", "port", "type", "veth", "peer", "name", "wire", "netns", far)
        ip("-n", phone, "link", "add", "bridge", "type", "bridge")
        ip("-n", phone, "link", "set", "port", "master", "bridge")
        for space, name, address in ((phone, "bridge", PHONE), (far, "wire", FAR)):
            ip("-n", space, "addr", "add", f"{address}/24", "dev", name)
            ip("-n", space, "link", "set", name, "up")
        ip("-n", phone, "link", "set", "port", "up")
        yield phone, far
    finally:
        for space in (phone, far):
            subprocess.run(["ip", "netns", "del", space], check=False)


@contextmanager
def captured(space, interface, path):
    """tcpdump as the phone has it, live and then stopped; at the end what it said is in the list."""
    argv = [
        "tcpdump",
        "-Z",
        "root",
        "-U",
        "--immediate-mode",
        "-B",
        "16384",
        "-s",
        "640",
        "-i",
        interface,
        "-w",
        str(path),
        "udp and port 5000",
    ]
    said = []
    with subprocess.Popen(inside(space, *argv), stderr=subprocess.PIPE, text=True) as tool:
        while "listening on" not in (line := tool.stderr.readline()):
            assert line, said
            said.append(line)
        yield said
        time.sleep(0.5)  # What has arrived is in the file at once (immediate mode); a busy machine needs a moment.
        tool.send_signal(signal.SIGINT)
        said.append(tool.stderr.read())


@pytest.mark.parametrize("interface", ["any", "bridge"])
def test_a_capture_on_any_is_void_and_one_on_one_interface_is_not(bridged, interface, tmp_path):
    phone, far = bridged
    path = tmp_path / "caller.pcap"
    with captured(phone, interface, path) as said:
        for space, words in ((phone, (PHONE, FAR, "150")), (far, (FAR, PHONE, "100"))):
            subprocess.run(inside(space, sys.executable, "-c", SEND, *words), check=True)
    counters = last_counters("".join(said))
    given = path, counters, hashlib.sha256(path.read_bytes()).hexdigest(), 256, [ip_address(PHONE)]
    if interface == "bridge":
        assert verified(*given).packets == counters.captured == 250
        return
    assert (counters.captured, counters.dropped) == (500, 0)
    with pytest.raises(AttemptVoid) as void:
        verified(*given)
    told = "150 of 300 datagrams that the phone sent and 100 of 200 that it received are there a second time"
    assert (void.value.reason, str(void.value).split(", the first")[0]) == ("captured_twice", f"caller.pcap: {told}")
