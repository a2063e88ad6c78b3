"""RTP of a call: its streams by SSRC, the clocks they run at, and what these say of the service."""

import random
import struct

import numpy as np
import pytest

from correlate import pairs
from correlate.dataset import Dataset
from correlate.pairs import rtp
from correlate.pairs.frames import Frame
from correlate.pairs.rtp import Stream

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
AUDIO, VIDEO = (0.02, 48_000, 111), (0.05, 90_000, 118)
"""Seconds between packets, clock, payload type."""


def packet(sequence, timestamp, ssrc, payload_type=111, size=60):
    return struct.pack(">BBHII", 0x80, payload_type, sequence % 2**16, timestamp % 2**32, ssrc).ljust(size, b"\x2a")


def stream(kind, ssrc, at_s, last_s, size=60, first=0):
    """(time, RTP packet) from one moment to another, with sequence numbers from `first` on."""
    every_s, clock, payload_type = kind
    for number in range(round((last_s - at_s) / every_s) + 1):
        since_s = number * every_s
        yield at_s + since_s, packet(first + number, first + round(since_s * clock), ssrc, payload_type, size)


def put(side, source, target, packets, wrap=lambda packet: packet):
    for at_s, each in packets:
        side.put(at_s, *source, *target, wrap(each))


@pytest.fixture
def caller(tmp_path, build):
    """The caller's vantage of a call, with an Allocate at 0 s."""

    def of(*directions, wrap=lambda packet: packet):
        call = build.call()
        call.caller.relay(A, RELAY, 0.0)
        for source, target, packets in directions:
            put(call.caller, source, target, packets, wrap)
        dataset = Dataset(tmp_path / str(len(list(tmp_path.iterdir()))))
        dataset.path.mkdir()
        build.dataset(dataset.path, [call], analysis={"relay_ports": [3478]})
        return pairs.load(dataset, call.trial, dataset.info().apps, {}).a

    return of


def sent(*parts):
    return A, RELAY, [each for part in parts for each in part]


def received(*parts):
    return RELAY, A, [each for part in parts for each in part]


def shown(streams):
    return [
        (each.ssrc, each.sent, each.payload_type, each.packets, each.carried_bytes, each.clock_hz) for each in streams
    ]


VOICE_BOTH_WAYS = (sent(stream(AUDIO, 7, 1.0, 11.0)), received(stream(AUDIO, 8, 1.0, 11.0)))


def test_a_stream_is_an_ssrc_in_one_direction_with_its_packets_bytes_and_clock(caller):
    side = caller(
        sent(stream(AUDIO, 7, 1.0, 11.0, size=72), stream(VIDEO, 9, 2.0, 7.0, size=900)),
        received(stream(AUDIO, 7, 1.5, 6.5)),
    )
    streams = rtp.streams(side)
    assert shown(streams) == [
        (7, True, 111, 501, 501 * 60, 48_000),
        (7, False, 111, 251, 251 * 48, 48_000),
        (9, True, 118, 101, 101 * 888, 90_000),
    ]
    assert str(streams[2]) == "RTP 0x00000009 sent: payload type 118, 101 packets, 90000 Hz"
    assert (streams[2].last.time_ns - streams[2].first.time_ns) / 1e9 == 5.0


def test_sequence_numbers_and_timestamps_begin_anew_at_their_end(caller):
    side = caller(sent(stream(AUDIO, 7, 1.0, 11.0, first=2**32 - 100)))
    assert shown(rtp.streams(side)) == [(7, True, 111, 501, 501 * 48, 48_000)]


@pytest.mark.parametrize(("how", "around"), [("channel", 4), ("indication", 20 + 12 + 4 + 1)])
def test_rtp_is_found_inside_of_turn(caller, build, how, around):
    """In 99 bytes of RTP 87 are carried; the indication has a peer address, and a byte of padding."""

    def wrap(each):
        if how == "channel":
            return build.channel(0x4000, each)
        peer = build.xored(build.PEER, "198.51.100.20")
        return build.stun(build.DATA_INDICATION, peer, (build.DATA, each))

    side = caller(received(stream(VIDEO, 9, 1.0, 11.0, size=99)), wrap=wrap)
    streams = rtp.streams(side)
    assert shown(streams) == [(9, False, 118, 201, 201 * 87, 90_000)]
    assert streams[0].payload_bytes == 201 * (99 + around)


def test_channel_data_that_is_longer_than_its_datagram_is_none(caller, build):
    def wrap(each):
        return build.channel(0x4000, each)[:-1]

    assert rtp.streams(caller(received(stream(VIDEO, 9, 1.0, 11.0)), wrap=wrap)) == ()


def test_a_datagram_that_is_there_twice_counts_once_and_lost_and_late_ones_do_no_harm(caller):
    packets = list(stream(AUDIO, 7, 1.0, 11.0))
    for later_s in (0.0001, 0.0301):
        twice = [(at_s + later_s, each) for at_s, each in packets]
        assert shown(rtp.streams(caller(sent(packets, twice)))) == [(7, True, 111, 501, 501 * 48, 48_000)]
    rough = [
        (at_s + (0.03 if number % 9 == 0 else 0), each) for number, (at_s, each) in enumerate(packets) if number % 7
    ]
    assert shown(rtp.streams(caller(sent(rough)))) == [(7, True, 111, 429, 429 * 48, 48_000)]


def test_what_has_an_ssrc_by_chance_is_no_stream(caller):
    draw = random.Random(3)
    noise = [(1 + number / 50, packet(draw.getrandbits(16), number * 960, 7)) for number in range(500)]
    assert rtp.streams(caller(sent(noise))) == ()


def test_sequence_numbers_go_up_by_one_more_often_than_not(caller):
    """Of each three two are there: 20 steps of one and 19 of two, and without the last packet as many of each."""
    packets = [each for number, each in enumerate(stream(AUDIO, 8, 1.0, 2.18)) if number % 3 < 2]
    assert [each.packets for each in rtp.streams(caller(sent(packets)))] == [40]
    assert rtp.streams(caller(sent(packets[:-1]))) == ()


def test_nineteen_packets_are_no_stream_and_twenty_are(caller):
    assert rtp.streams(caller(sent(stream(AUDIO, 7, 1.0, 1.36)))) == ()
    assert shown(rtp.streams(caller(sent(stream(AUDIO, 7, 1.0, 1.38))))) == [(7, True, 111, 20, 960, None)]


@pytest.mark.parametrize(
    ("first", "second", "is_so"),
    [
        (0x80, 0, True),
        (0xBF, 63, True),
        (0x80, 63 | 0x80, True),
        (0x80, 64, False),
        (0x80, 200, False),  # a sender report: 72 with the marker
        (0x80, 95 | 0x80, False),
        (0x80, 96, True),
        (0x80, 111 | 0x80, True),
        (0x7F, 111, False),
        (0xC0, 111, False),
        (22, 254, False),
        (0, 1, False),
    ],
)
def test_rtp_is_told_by_its_first_two_bytes(first, second, is_so):
    head = np.array([[first, second, *bytes(10)]], np.uint8)
    assert rtp.is_rtp(head).tolist() == [is_so]


def times(count, every_s):
    return np.array([round(number * every_s * 1e9) for number in range(count)], np.int64)


@pytest.mark.parametrize(
    ("rate", "clock"),
    [(8_000, 8_000), (16_000, 16_000), (48_000, 48_000), (90_000, 90_000), (85_600, 90_000), (85_400, None),
     (94_400, 90_000), (94_600, None), (1_000, None), (44_100, None), (0, None), (-48_000, None)],
)  # fmt: skip
def test_the_clock_is_the_known_one_within_five_per_cent(rate, clock):
    time_ns = times(200, 0.02)
    assert rtp.clock_hz(time_ns, np.round(time_ns * (rate / 1e9)).astype(np.int64) % 2**32) == clock


def test_too_little_and_what_is_no_straight_line_have_no_clock():
    time_ns = times(101, 0.02)
    timestamps = time_ns * 48 // 1_000_000
    assert rtp.clock_hz(time_ns, timestamps) == 48_000
    assert rtp.clock_hz(time_ns[:-1], timestamps[:-1]) is None  # 1.98 s
    assert rtp.clock_hz(times(20, 0.5), times(20, 0.5) * 48 // 1_000_000) == 48_000
    assert rtp.clock_hz(times(19, 0.5), times(19, 0.5) * 48 // 1_000_000) is None
    bent = np.where(np.arange(101) < 50, 0, 2 * timestamps - timestamps[50])
    assert rtp.clock_hz(time_ns, bent) is None


@pytest.mark.parametrize(
    ("video_until_s", "said"),
    [
        (11.0, ("video", "")),
        (6.0, ("video", "")),
        (5.9, (None, "RTP with a video clock for 4.9 of 10.0 s of media")),
    ],
)
def test_video_is_a_video_clock_for_half_of_the_conversation(caller, video_until_s, said):
    """Even at a rate far below that of voice; keep-alives while it rings are no part of the conversation."""
    ringing = ((-0.5 + 0.2 * number, b"\0") for number in range(5))
    side = caller(
        sent(ringing, stream(AUDIO, 7, 1.0, 11.0), stream(VIDEO, 9, 1.0, video_until_s, size=70)), VOICE_BOTH_WAYS[1]
    )
    assert rtp.service(side, rtp.streams(side)) == said


def test_voice_is_audio_clocks_alone(caller):
    side = caller(*VOICE_BOTH_WAYS)
    assert rtp.service(side, rtp.streams(side)) == ("voice", "")


@pytest.mark.parametrize(("size", "said"), [(61, None), (62, "video")])
def test_a_video_stream_without_pictures_says_nothing_not_even_voice(caller, size, said):
    """20 packets a second of 50 bytes behind the header are 1,000 bytes/s; 201 of them in 10 s a little more."""
    side = caller(sent(stream(VIDEO, 9, 1.0, 11.0, size=size)), *VOICE_BOTH_WAYS)
    assert rtp.service(side, rtp.streams(side)) == (said, "")


@pytest.mark.parametrize(("last_bytes", "said"), [(140, "voice"), (141, None)])
def test_audio_beside_other_media_that_are_more_than_a_quarter_says_nothing(caller, last_bytes, said):
    """60,120 bytes of RTP, and 19,900 bytes of something else without the last of it."""
    other = [(1 + number / 50, b"\xc8" * 100) for number in range(199)]
    side = caller(sent(other, [(6.0, b"\xc8" * last_bytes)]), *VOICE_BOTH_WAYS)
    assert rtp.service(side, rtp.streams(side)) == (said, "")


@pytest.mark.parametrize(("until_s", "said"), [(6.0, "voice"), (5.9, None)])
def test_audio_for_less_than_half_of_the_conversation_says_nothing(caller, until_s, said):
    last = [(11.0, b"\xc8")]
    side = caller(sent(stream(AUDIO, 7, 1.0, until_s), last), received(stream(AUDIO, 8, 1.0, until_s), last))
    assert rtp.service(side, rtp.streams(side)) == (said, "")


def test_streams_of_an_unknown_clock_and_no_media_say_nothing(caller):
    odd = (0.02, 12_000, 111)
    side = caller(sent(stream(odd, 7, 1.0, 11.0)), received(stream(odd, 8, 1.0, 11.0)))
    assert [each.clock_hz for each in rtp.streams(side)] == [None, None]
    assert rtp.service(side, rtp.streams(side)) == (None, "")
    silent = caller()
    assert (rtp.streams(silent), rtp.service(silent, ())) == ((), (None, ""))


def test_streams_at_the_same_time_last_once_and_a_gap_between_them_does_not_count():
    def lasting(first_s, last_s):
        ends = (Frame(1, round(each * 1e9)) for each in (first_s, last_s))
        return Stream(0, True, 9, 118, 100, 10_000, 8_800, 90_000, *ends)

    assert rtp.covered_s([lasting(6, 9), lasting(1, 4), lasting(2, 3), lasting(3, 5)]) == 7.0
    assert rtp.covered_s([]) == 0.0
