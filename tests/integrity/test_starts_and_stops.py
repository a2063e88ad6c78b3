"""Nothing between the markers is missing at the rates of voice and video, with media flowing through start and stop."""

from __future__ import annotations

import os
import shutil
import signal
from ipaddress import IPv4Address

import pytest

from correlate.trace import Trace
from lab.capture.protocol import DRAIN_S
from lab.capture.verified import verified
from lab.clocks.bench_time import wait_until
from lab.errors import AttemptVoid
from lab.laptop.lease import find_lease
from tests.integrity.cycles import TALK_S, cycles, plain_tcpdump
from tests.integrity.rig import (
    LAPTOP,
    OTHER,
    PATH,
    PHONE,
    RATES,
    SNAPLEN_BYTES,
    Rig,
    captured,
    ip,
    sent_between,
)


def check(done):
    counts = [count for one in done for count in one.counts]
    assert [count.void for count in counts if count.void] == []
    assert [count for count in counts if count.missing] == []
    assert {count.tool for count in counts} == {"tcpdump", "dumpcap"}
    for one in done:
        assert min(count.sent for count in one.counts) >= {"voice": 90, "video": 700}[one.rate]
        # The second capture is started once the first is live; both are live before the first marker.
        assert 0 < one.told_ns < 5e9
        assert 0 < one.seen_ns < 5e9


def test_three_starts_and_stops_lose_nothing(rig):
    check(cycles(rig, ["voice", "video", "video"]))


def of_another_client(trace):
    """How many datagrams from or to the other client a capture holds."""
    found = {number for number, address in enumerate(trace.udp.addresses) if str(address) == OTHER}
    return sum(row in found or column in found for row, column in zip(trace.udp.src, trace.udp.dst, strict=True))


@pytest.mark.full
def test_another_client_of_the_hotspot_is_in_neither_the_file_nor_the_counters(rig):
    lane = rig.lanes[0]
    _, laptop = captures = [lane.tcpdump("one"), lane.dumpcap("one")]
    try:
        with lane.traffic(*RATES["video"]) as logs, lane.another_client():
            for capture in captures:
                capture.start()
            _, begin_ns = lane.mark("begin", *captures)
            lane.clock.sleep(TALK_S)
            end_ns, _ = lane.mark("end", *captures)
            lane.clock.sleep(DRAIN_S)
            counters, paths = [capture.stop() for capture in captures], []
            for capture, counted in zip(captures, counters, strict=True):
                paths.append(lane.root / f"one.{capture.suffix}")
                verified(paths[-1], counted, capture.fetch(paths[-1]), SNAPLEN_BYTES)
    finally:
        for capture in captures:
            capture.discard()
    whole, filtered = map(Trace.read, paths)
    # The phone's end of the wire is captured whole: the other client was there.
    assert of_another_client(whole) > 100
    assert of_another_client(filtered) == 0
    for source in (PHONE, LAPTOP):
        sent = sent_between(logs[source], begin_ns, end_ns)
        assert len(sent) > 300
        assert sent - captured(filtered, source).keys() == set()
    assert (counters[1].received, counters[1].dropped) == (counters[1].captured, 0)
    assert laptop.lease.mac == lane.adb.run("cat /sys/class/net/wire/address").text.strip()


@pytest.mark.skipif(shutil.which("ping") is None, reason="no ping: apt install iputils-ping")
def test_a_lease_that_the_laptop_has_forgotten_is_asked_for_by_the_real_ping(rig):
    lane = rig.lanes[1]
    lease = lane.lease()
    ip("-n", lane.laptop_space, "neigh", "flush", "dev", "wire")
    hotspot = lane.laptop.hotspot(IPv4Address(LAPTOP))
    assert lane.laptop.neighbours(hotspot) == {}
    assert find_lease("phone", [lease.address], hotspot, lane.laptop) == lease
    with pytest.raises(AttemptVoid, match="phone has no lease of the hotspot"):
        find_lease("phone", [IPv4Address(OTHER)], hotspot, lane.laptop)


@pytest.mark.skipif(shutil.which("ethtool", path=PATH) is None, reason="no ethtool: apt install ethtool")
def test_what_joins_packets_is_told_by_the_real_ethtool(rig):
    lane = rig.lanes[1]
    for switches, found in (
        ({"gro": "on"}, ["generic-receive-offload"]),
        ({"gro": "on", "rx-udp-gro-forwarding": "on"}, ["generic-receive-offload", "rx-udp-gro-forwarding"]),
        ({"gro": "off", "rx-udp-gro-forwarding": "off"}, []),
    ):
        for name, state in switches.items():
            lane.laptop.run(f"PATH=$PATH:/usr/sbin ethtool -K wire {name} {state}")
        assert lane.laptop.coalescing("wire") == found
    assert lane.laptop.coalescing("wire9") is None


def tools_left(lane):
    """Numbers of the dumpcaps that capture into this lane's folder."""
    return lane.laptop.run(f"pgrep -f 'dumpcap.*{lane.root}/lapto[p]'").text


@pytest.mark.full
def test_a_laptop_behind_sshd_loses_nothing_and_keeps_no_tool(namespaces):
    with Rig(1, ssh=True) as rig:
        check(cycles(rig, ["video"]))
        assert tools_left(rig.lanes[0]) == ""


@pytest.mark.full
def test_a_laptop_whose_ssh_is_cut_is_found_and_keeps_no_tool(namespaces):
    with Rig(1, ssh=True) as rig:
        lane, capture = rig.lanes[0], rig.lanes[0].dumpcap("cut")
        capture.start()
        assert tools_left(lane) != ""
        os.kill(lane.dumpcap_program("cut").pid, signal.SIGKILL)
        lane.clock.sleep(0.3)
        with pytest.raises(AttemptVoid) as raised:
            capture.stop()
        capture.discard()
        assert raised.value.reason == "capture_died"
        assert wait_until(lane.clock, lambda: tools_left(lane) == "", 5.0)


@pytest.mark.full
@pytest.mark.parametrize("rate", ["voice", "video"])
def test_fifty_starts_and_stops_lose_nothing(rig, rate):
    done = cycles(rig, [rate] * 50)
    assert len(done) == 50
    check(done)


@pytest.mark.full
def test_plain_tcpdump_loses_the_end_of_the_call(rig):
    counts = [plain_tcpdump(rig.lanes[0], "plain", "video", 1.2 + 0.1 * n) for n in range(5)]
    assert sum(count.missing for count in counts) > 0
