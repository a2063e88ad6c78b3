"""What a capturing tool's words say that it counted, and which counts void an attempt."""

import pytest

from lab.capture.counters import Counters, all_counters, last_counters, require_all
from lab.errors import AttemptVoid


def test_counters_of_both_tools_are_read_and_no_counters_are_none():
    assert last_counters(
        "Capturing on 'hot0'\nFile: x\nPackets captured: 12\nPackets received/dropped on interface 'hot0': 12/3 "
        "(pcap:3/dumpcap:0/flushed:0/ps_ifdrop:0) (80.0%)\n"
    ) == Counters(12, 12, 3)
    assert last_counters(
        "12 packets captured\n13 packets received by filter\n1 packet dropped by kernel\n"
    ) == Counters(12, 13, 1)
    assert last_counters("Capturing on 'hot0'\nFile: x\n") is None


def test_of_several_counters_the_last_ones_count():
    answer = "tcpdump: {} packets captured, {} packets received by filter, 0 packets dropped by kernel\n"
    said = answer.format(3, 4) + answer.format(5, 6)
    assert all_counters(said) == [Counters(3, 4, 0), Counters(5, 6, 0)]
    assert last_counters(said) == Counters(5, 6, 0)


@pytest.mark.parametrize(
    ("counters", "caught_up", "voids"),
    [
        (Counters(12, 12, 0), False, False),
        (Counters(12, 12, 0), True, False),
        (Counters(12, 13, 0), True, False),
        (Counters(12, 13, 0), False, True),
        (Counters(12, 12, 1), False, True),
        (Counters(12, 12, 1), True, True),
    ],
)
def test_packets_that_were_dropped_or_are_missing_void_unless_the_tool_had_caught_up(counters, caught_up, voids):
    if not voids:
        assert require_all(counters, "dumpcap", "words", caught_up=caught_up) is counters
        return
    with pytest.raises(AttemptVoid) as raised:
        require_all(counters, "dumpcap", "words\n", caught_up=caught_up)
    assert (raised.value.reason, str(raised.value)) == ("capture_lost_packets", "dumpcap: words")
