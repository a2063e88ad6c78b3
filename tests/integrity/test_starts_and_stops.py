"""Nothing between the markers is missing at the rates of voice and video, with media flowing through start and stop."""

from __future__ import annotations

import os
import signal

import pytest

from lab.clock import wait_until
from lab.errors import AttemptVoid
from tests.integrity.cycles import cycles, plain_tcpdump
from tests.integrity.rig import Rig


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
        os.kill(capture._program.pid, signal.SIGKILL)
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
