"""Media streams: rates, sizes by stimulus, RTP headers, and slots that make up the same stream."""

import numpy as np
import pytest

from lab.virtual.network.media import WIDTH, RtpStream, in_channel

SECOND = 1_000_000_000


def stream(service="voice", level="speech", *, extension=False, seed=3) -> RtpStream:
    generator = np.random.Generator(np.random.PCG64(seed))
    return RtpStream(generator, service, level, 5 * SECOND, extension=extension)


@pytest.mark.parametrize(
    ("service", "level", "count", "low", "high"),
    [
        ("voice", "speech", 500, 48, 136),
        ("voice", "pause", 500, 48, 68),
        ("video", "bright", 1501, 880, 1140),
        ("video", "dark", 1501, 260, 360),
    ],
)
def test_ten_seconds_have_their_packets_and_sizes(service, level, count, low, high):
    packets = stream(service, level).slot(5 * SECOND, 15 * SECOND)
    assert len(packets.sizes) == count
    assert low <= packets.sizes.min()
    assert packets.sizes.max() <= high
    assert (np.diff(packets.sent_ns) > 0).all()


def test_a_dark_scene_stays_above_and_voice_below_twenty_thousand_bytes_a_second():
    dark = stream("video", "dark").slot(5 * SECOND, 15 * SECOND).sizes.sum() / 10
    voice = stream("voice", "speech").slot(5 * SECOND, 15 * SECOND).sizes.sum() / 10
    assert dark > 2 * 20_000
    assert voice < 20_000 / 2


def test_speech_alternates_with_pauses():
    sizes = stream().slot(5 * SECOND, 35 * SECOND).sizes
    assert 0.5 < (sizes >= 100).mean() < 0.9
    assert 10 < np.count_nonzero(np.diff((sizes >= 100).astype(int))) < 60


def test_headers_are_rtp_with_running_numbers_and_zeros_behind_short_packets():
    packets = stream("voice", "pause").slot(5 * SECOND, 6 * SECOND)
    rows = packets.rows
    assert set(rows[:, 0].tolist()) == {0x80}
    assert set(rows[:, 1].tolist()) == {120}
    numbers = rows[:, 2].astype(int) << 8 | rows[:, 3]
    assert (np.diff(numbers) % 65536 == 1).all()
    assert len({row[8:12].tobytes() for row in rows}) == 1
    assert all(not row[size:].any() for row, size in zip(rows, packets.sizes, strict=True))
    assert rows.shape == (50, WIDTH)


def test_an_extension_sets_its_bit_and_profile():
    row = stream(extension=True).slot(5 * SECOND, 6 * SECOND).rows[0]
    assert row[0] == 0x90
    assert row[12:16].tobytes() == bytes.fromhex("debe0000")


def test_slots_continue_each_other():
    made = stream()
    parts = [
        made.slot(5 * SECOND, 7 * SECOND),
        made.slot(7 * SECOND, 7_300_000_000),
        made.slot(7_300_000_000, 9 * SECOND),
    ]
    assert sum(len(part.sizes) for part in parts) == 200
    numbers = np.concatenate([part.rows[:, 3] for part in parts]).astype(int)
    assert (np.diff(numbers) % 256 == 1).all()


def test_channel_data_puts_channel_and_length_before_each_packet():
    packets = stream().slot(5 * SECOND, 6 * SECOND)
    framed = in_channel(packets, 0x4ABC)
    assert (framed.sizes == packets.sizes + 4).all()
    assert framed.rows[0, :4].tobytes() == bytes.fromhex("4abc") + int(packets.sizes[0]).to_bytes(2, "big")
    assert (framed.rows[:, 4:] == packets.rows).all()
