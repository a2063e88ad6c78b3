"""What tcpdump in immediate mode has room for, with and without link header, and that a trial on a mobile link is kept.

The slots of its ring are sized for a link header that is longer than any of these (`lab.capture.protocol.SLOT_BYTES`).
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from correlate.trace import Trace
from lab.capture.protocol import DRAIN_S, SLOT_BYTES
from lab.capture.tcpdump import PhoneTcpdump
from lab.capture.verified import verified
from lab.programs.processes import Program
from lab.virtual.network.capturefile import slot_bytes
from tests.integrity.rig import LAPTOP, PHONE, RATES, Rig, captured, inside, sent_between

ASKED = [64, 236, *range(250, 270), 524, 525, 640, 656]
"""Snaplens: each remainder of 16, and those around what benches have."""


@pytest.fixture(scope="module")
def mobile(namespaces):
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("no /dev/net/tun: modprobe tun")
    with Rig(1, raw=True) as made:
        yield made.lanes[0]


def kept(lane, snaplens):
    """Snaplen asked for -> the lengths at which a tcpdump in immediate mode, one for each, cut frames of 1028 bytes."""
    found = {}
    with ExitStack() as stack:
        tools = {}
        for snaplen in snaplens:
            path = lane.root / f"slots.{snaplen}.pcap"
            options = ("-Z", "root", "-i", "wire", "-U", "--immediate-mode", "-B", "1024", "-s", str(snaplen))
            argv = inside(lane.phone_space, "tcpdump", *options, "-w", str(path), "udp")
            tools[path] = stack.enter_context(Program(argv, read_from="stderr"))
            while b"listening on" not in tools[path].read_line(10.0):
                pass
        with lane.traffic(50, 1000):
            lane.clock.sleep(0.5)
        for snaplen, (path, tool) in zip(snaplens, tools.items(), strict=True):
            tool.interrupt()
            tool.wait(10.0)
            udp = Trace.read(path).udp
            found[snaplen] = set(udp.captured_bytes[udp.payload_bytes == 1000].tolist())
    return found


def test_without_link_header_a_slot_has_room_for_1_to_16_bytes_less_than_the_snaplen(mobile):
    found = kept(mobile, ASKED)
    assert found == {snaplen: {slot_bytes(snaplen, "raw")} for snaplen in ASKED}
    assert {snaplen - min(lengths) for snaplen, lengths in found.items()} == set(range(1, 17))
    assert (found[256], found[640], found[656]) == ({252}, {636}, {652})


def test_with_an_ethernet_header_it_is_up_to_2_bytes_less(rig):
    found = kept(rig.lanes[0], ASKED)
    assert found == {snaplen: {slot_bytes(snaplen, "ethernet")} for snaplen in ASKED}
    assert {snaplen - min(lengths) for snaplen, lengths in found.items()} == {0, 1, 2}


def test_what_is_asked_for_has_room_for_what_is_wanted_of_every_frame_on_both_links():
    for wanted in range(64, 4096):
        assert min(slot_bytes(wanted + SLOT_BYTES, link) for link in ("raw", "ethernet")) >= wanted
    assert any(slot_bytes(wanted + SLOT_BYTES - 1, "raw") < wanted for wanted in range(64, 80))


@pytest.mark.parametrize("snaplen", [640, *(pytest.param(full, marks=pytest.mark.full) for full in (252, 253, 256))])
def test_a_phones_capture_on_a_mobile_link_is_kept_and_lacks_nothing(mobile, snaplen):
    capture = PhoneTcpdump(mobile.adb, mobile.clock, "wire", snaplen, str(mobile.root / "phone"), f"raw{snaplen}")
    path = mobile.root / "raw.pcap"
    with mobile.traffic(*RATES["video"]) as logs:
        try:
            capture.start()
            _, begin_ns = mobile.mark("begin", capture)
            mobile.clock.sleep(0.5)
            end_ns, _ = mobile.mark("end", capture)
            mobile.clock.sleep(DRAIN_S)
            counters = capture.stop()
            verified(path, counters, capture.fetch(path), snaplen)
        finally:
            capture.discard()
    trace = Trace.read(path)
    assert int.from_bytes(path.read_bytes()[20:24], "little") == 101
    assert trace.udp.captured_bytes[trace.udp.payload_bytes == 1000].min() >= snaplen
    for source in (PHONE, LAPTOP):
        sent = sent_between(logs[source], begin_ns, end_ns)
        assert len(sent) > 150
        assert sent - captured(trace, source).keys() == set()
