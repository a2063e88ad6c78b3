"""Which datagrams of a capture are the markers of a trial, and whose."""

import struct
from ipaddress import ip_address

import pytest

from correlate import markers
from correlate.dataset.record import Markers
from correlate.errors import Unreadable
from correlate.trace import Trace
from tests.correlate.conftest import frame

CALLER, CALLEE, LAPTOP = "10.42.0.2", "10.42.0.3", "10.42.0.1"
KNOWN_BY = Markers(address=markers.ADDRESS, port=markers.PORT, nonce="n0nce")


@pytest.fixture
def read(tmp_path):
    """The trace of datagrams (time in ns or None, source, destination, port, text); without any time a pcapng of simple
    packet blocks."""

    def trace(*datagrams):
        packets = [(at_ns, frame(src, 40_000, dst, port, text)) for at_ns, src, dst, port, text in datagrams]
        path = tmp_path / "capture"
        if packets[0][0] is None:
            data = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
            data += struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
            for _, packet in packets:
                body = struct.pack("<I", len(packet)) + packet + bytes(-len(packet) % 4)
                data += struct.pack("<II", 3, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))
        else:
            data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)
            for at_ns, packet in packets:
                data += struct.pack("<IIII", *divmod(at_ns, 10**9), len(packet), len(packet)) + packet
        path.write_bytes(data)
        return Trace.read(path)

    return trace


def mark(at_ns, text, *, src=CALLER, dst="192.0.2.1", port=9):
    return at_ns, src, dst, port, text


def stamp(at_ns, kind, number, dst=CALLEE):
    return at_ns, LAPTOP, dst, 9, f"im-call-lab n0nce stamp-{kind} {number}".encode()


def test_a_marker_says_whose_attempt_it_marks_and_what():
    assert markers.text("00ff", "begin") == "im-call-lab 00ff begin"
    assert markers.stamp_text("00ff", "end") == "im-call-lab 00ff stamp-end"
    assert (str(markers.ADDRESS), markers.PORT) == ("192.0.2.1", 9)


def test_of_both_phones_markers_the_first_is_the_callers_the_last_the_callees_and_the_call_lies_between_all(read):
    trace = read(
        mark(1, b"im-call-lab n0nce begin"),
        mark(2, b"im-call-lab n0nce begin", src=CALLEE),
        mark(3, b"between"),
        mark(4, b"im-call-lab n0nce end"),
        mark(5, b"im-call-lab n0nce end", src=CALLEE),
    )
    assert markers.times_ns(trace, KNOWN_BY, "caller") == {"begin": 1, "end": 4}
    assert markers.times_ns(trace, KNOWN_BY, "callee") == {"begin": 2, "end": 5}
    assert markers.window(trace, KNOWN_BY) == (0, 4)


def test_markers_of_this_trial_alone_count(read):
    trace = read(
        mark(1, b"im-call-lab old begin"),
        mark(2, b"im-call-lab n0nce begin", dst="192.0.2.2"),
        mark(3, b"im-call-lab n0nce begin", port=10),
        mark(4, b"im-call-lab n0nce"),
        mark(5, b"im-call-lab n0nce begin 0"),
        mark(6, b"other-lab n0nce begin"),
        mark(7, b"im-call-lab n0nce begin"),
        mark(8, b"im-call-lab n0nce begin\n"),
        mark(9, b"im-call-lab n0nce end\0"),
    )
    assert markers.times_ns(trace, KNOWN_BY, "caller") == {"begin": 7, "end": 9}
    assert markers.times_ns(trace, KNOWN_BY, "callee") == {"begin": 8, "end": 9}
    assert markers.window(trace, KNOWN_BY) == (6, 8)


@pytest.mark.parametrize("address", ["64:ff9b::c000:201", "::ffff:192.0.2.1"])
def test_a_marker_is_known_below_a_clat_too(read, address):
    ends = [
        mark(at_ns, f"im-call-lab n0nce {kind}".encode(), src="2001:db8::7", dst=address)
        for at_ns, kind in ((1, "begin"), (2, "end"))
    ]
    trace = read(*ends)
    assert markers.times_ns(trace, KNOWN_BY, "caller") == {"begin": 1, "end": 2}
    assert markers.window(trace, KNOWN_BY) == (0, 1)
    assert markers.is_harness(trace.udp, KNOWN_BY).tolist() == [True, True]


@pytest.mark.parametrize(("kind", "other"), [("begin", "end"), ("end", "begin")])
def test_a_capture_without_one_of_the_markers_is_refused_by_name(read, kind, other):
    trace = read(mark(1, f"im-call-lab n0nce {other}".encode()))
    with pytest.raises(Unreadable, match=rf"capture: has no {kind} marker of this trial"):
        markers.window(trace, KNOWN_BY)


def test_a_marker_at_the_very_epoch_has_a_time(read):
    trace = read(mark(0, b"im-call-lab n0nce begin"), mark(1, b"im-call-lab n0nce end"))
    assert markers.times_ns(trace, KNOWN_BY, "caller") == {"begin": 0, "end": 1}


def test_a_marker_without_a_time_bounds_the_call_and_tells_no_clock(read):
    trace = read(mark(None, b"im-call-lab n0nce begin"), mark(None, b"im-call-lab n0nce end"))
    assert markers.window(trace, KNOWN_BY) == (0, 1)
    assert markers.times_ns(trace, KNOWN_BY, "caller") == {}


def test_what_goes_where_markers_go_or_comes_back_is_the_harness_own(read):
    trace = read(
        mark(1, b"anything"),
        (2, "192.0.2.1", CALLER, 9, b"not from the port of markers"),
        mark(3, b"another port", port=10),
        mark(4, b"another address", dst=CALLEE),
    )
    back = Markers(address=ip_address("192.0.2.1"), port=40_000, nonce="n0nce")
    assert markers.is_harness(trace.udp, KNOWN_BY).tolist() == [True, False, False, False]
    assert markers.is_harness(trace.udp, back).tolist() == [False, True, False, False]


def test_the_first_stamp_of_each_of_the_laptops_datagrams_counts_and_no_marker_is_among_them(read):
    trace = read(
        stamp(1, "begin", 0),
        stamp(2, "begin", 0),
        stamp(3, "begin", 1),
        stamp(4, "begin", 2, dst="10.42.0.9"),
        mark(5, b"im-call-lab n0nce begin"),
        mark(6, b"im-call-lab n0nce stamp-begin nonsense", dst=CALLEE),
        stamp(7, "end", 0),
    )
    assert markers.stamps_ns(trace, KNOWN_BY, ip_address(CALLEE)) == {"begin": {0: 1, 1: 3}, "end": {0: 7}}
    assert markers.times_ns(trace, KNOWN_BY, "callee") == {"begin": 5}
