"""Nothing between the markers is missing at the rates of voice and video, with media flowing through start and stop."""

from __future__ import annotations

import pytest

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


@pytest.mark.full
def test_a_laptop_behind_sshd_loses_nothing_and_keeps_no_tool(namespaces):
    with Rig(1, ssh=True) as rig:
        check(cycles(rig, ["video"]))
        assert rig.lanes[0].laptop.run(f"pgrep -f 'dumpcap.*{rig.lanes[0].root}/lapto[p]'").text == ""


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
