"""Voice or video: by RTP or by rate in a conversation, by the app's rule without one."""

import struct

import pytest

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAYS = [("192.0.2.50", 3478), ("192.0.2.51", 3478), ("192.0.2.52", 3478)]
UNANSWERED = {"relay_ports": [3478], "unanswered_service": "identical_sessions"}


def conversation(build, count, payload):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAYS[0], 0.0)
        side.talk(local, RELAYS[0], 1.0, 11.0, count, count, payload=payload)
    return call


NEAR = "the media rate is not 1.25 times above or below the threshold of 20000 bytes/s"


@pytest.mark.parametrize(
    ("size_bytes", "service"), [(1250, "video"), (1249, None), (1000, None), (801, None), (800, "voice")]
)
def test_the_media_rate_tells_video_from_voice_but_not_near_the_threshold(build, measure, size_bytes, service):
    facts = measure(conversation(build, 200, b"\x80" + bytes(size_bytes - 1)))["service"]["caller"]
    assert facts["media_bytes_per_s"] == size_bytes * 20.0
    assert (facts["service_found"], facts["established"], facts["margin"]) == (service, True, size_bytes / 1000)
    assert facts["rule"] == (service and "media rate, video from 20000 bytes/s (generic)")
    assert facts["reasons"].get("service_found") == facts["reasons"].get("rule") == (None if service else NEAR)


def test_the_faster_direction_of_the_faster_side_decides(build, measure):
    """10 s of media: 1,250 bytes 20 times a second sent by the callee alone; all else is slower."""
    call = build.call()
    for side, local, sent in ((call.caller, A, 100), (call.callee, B, 200)):
        side.relay(local, RELAYS[0], 0.0)
        side.talk(local, RELAYS[0], 1.0, 11.0, sent, 100, payload=bytes(1250))
    facts = measure(call)["service"]
    assert [facts[side]["media_bytes_per_s"] for side in ("caller", "callee")] == [12_500.0, 25_000.0]
    assert {(facts[side]["service_found"], facts[side]["margin"]) for side in ("caller", "callee")} == {("video", 1.25)}


def test_the_margin_has_four_decimals(build, measure):
    analysis = {"relay_ports": [3478], "video_bytes_per_s": 30_000}
    facts = measure(conversation(build, 200, bytes(1000)), analysis=analysis)["service"]["caller"]
    assert (facts["service_found"], facts["margin"]) == ("voice", 0.6667)
    assert facts["rule"] == "media rate, video from 30000 bytes/s"


def test_media_at_one_instant_have_no_rate(build, measure):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAYS[0], 0.0)
        for number in range(100):  # each another one, or they would be one datagram that is captured twice
            payload = b"\x80" + bytes([number]) * 99
            side.talk(local, RELAYS[0], 1.0, 1.0, 1, 1, payload)
    facts = measure(call)["service"]["caller"]
    assert (facts["established"], facts["service_found"], facts["media_bytes_per_s"]) == (True, None, None)
    assert facts["reason"].startswith("service_found, rule, margin: all media at one instant, so no media rate; ")


def test_an_answered_call_with_silent_media_is_a_voice_conversation(build, measure):
    facts = measure(conversation(build, 100, b"\x80\x00"))
    assert facts["service"]["caller"]["service_found"] == "voice"
    assert facts["service"]["caller"]["media_bytes_per_s"] == 20.0
    assert facts["endpoints"]["caller"]["routing"] == "relay"


def test_ninety_nine_datagrams_one_way_are_no_conversation(build, measure):
    facts = measure(conversation(build, 99, b"\x80\x00"))
    assert facts["service"]["caller"]["established"] is False
    assert facts["service"]["caller"]["service_found"] is None
    assert facts["service"]["caller"]["reason"].startswith(
        "service_found, rule, margin: no conversation, and no rule for calls without one; "
    )


def unanswered(build, caller_counts, callee_counts):
    call = build.call()
    for side, local, counts in ((call.caller, A, caller_counts), (call.callee, B, callee_counts)):
        for relay, count in zip(RELAYS, counts, strict=False):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 9.0, count, count)
    return call


def test_identical_sessions_on_one_side_of_an_unanswered_call_are_voice(build, measure):
    facts = measure(unanswered(build, (12, 12, 12), (2, 3, 4)), analysis=UNANSWERED)["service"]
    assert (facts["caller"]["service_found"], facts["callee"]["service_found"]) == ("voice", "voice")
    assert (facts["caller"]["sessions_identical"], facts["callee"]["sessions_identical"]) == (True, False)
    assert (facts["caller"]["rule"], facts["caller"]["margin"]) == ("identical sessions: voice", None)
    assert facts["caller"]["reason"] == "margin: sessions decide, not a rate"


def test_sessions_that_differ_on_both_sides_tell_nothing(build, measure):
    facts = measure(unanswered(build, (12, 12, 13), (2, 3, 4)), analysis=UNANSWERED)["service"]["caller"]
    assert (facts["service_found"], facts["rule"], facts["sessions_identical"]) == (None, None, False)
    assert (
        facts["reason"]
        == "service_found, rule, margin: no conversation, and sessions that are not identical tell nothing"
    )


def test_single_sessions_tell_nothing(build, measure):
    facts = measure(unanswered(build, (12,), (2,)), analysis=UNANSWERED)["service"]
    assert facts["caller"]["service_found"] is None
    assert facts["caller"]["reason"] == (
        "service_found, rule, margin: no conversation, and fewer than two sessions on each side; "
        "sessions_identical: fewer than two sessions with servers"
    )


def test_two_sessions_are_enough_and_of_one_side_too(build, measure):
    facts = measure(unanswered(build, (12, 12), (2,)), analysis=UNANSWERED)["service"]
    assert [facts[side]["sessions_identical"] for side in ("caller", "callee")] == [True, None]
    assert facts["callee"]["service_found"] == "voice"


AUDIO, VIDEO = (50, 48_000), (20, 90_000)


def with_rtp(build, caller, callee):
    """RTP, by side a list of (packets a second and clock, size in bytes, how long: 10 s), sent and received alike."""
    call = build.call()
    for side, local, streams in ((call.caller, A, caller), (call.callee, B, callee)):
        side.relay(local, RELAYS[0], 0.0)
        for ssrc, ((rate, clock), size, *lasts_s) in enumerate(streams):
            for number in range((lasts_s or [10])[0] * rate + 1):
                head = struct.pack(">BBHII", 0x80, 100 + ssrc, number, number * clock // rate, ssrc)
                for ends in ((*local, *RELAYS[0]), (*RELAYS[0], *local)):
                    side.put(1.0 + number / rate, *ends, head.ljust(size, b"\x2a"))
    return call


@pytest.mark.parametrize(
    ("streams", "service", "rule"),
    [
        ([(AUDIO, 60), (VIDEO, 100)], "video", "RTP clocks: 48000 Hz, 90000 Hz"),
        ([(AUDIO, 1200)], "voice", "RTP clocks: 48000 Hz"),
    ],
)
def test_rtp_tells_the_service_whatever_the_rate(build, measure, streams, service, rule):
    """5,010 bytes/s would be voice, 60,120 bytes/s video."""
    facts = measure(with_rtp(build, streams, streams))["service"]
    assert {(facts[side]["service_found"], facts[side]["rule"], facts[side]["margin"]) for side in facts} == {
        (service, rule, None)
    }
    assert facts["caller"]["reasons"]["margin"] == "RTP decides, not a rate"
    first = "RTP 0x00000000 sent: payload type 100, 501 packets, 48000 Hz"
    assert [each["what"] for each in facts["caller"]["evidence"]][2] == first


def test_the_rtp_of_one_side_is_enough(build, measure):
    odd = [((50, 12_000), 60)]
    facts = measure(with_rtp(build, [(AUDIO, 60)], odd))["service"]
    assert {(facts[side]["service_found"], facts[side]["rule"]) for side in facts} == {
        ("voice", "RTP clocks: 48000 Hz")
    }
    assert facts["callee"]["evidence"][2]["what"].endswith("501 packets, no known clock")


def test_two_sides_whose_rtp_says_different_things_tell_nothing(build, measure):
    facts = measure(with_rtp(build, [(AUDIO, 60)], [(VIDEO, 900)]))["service"]["caller"]
    assert (facts["service_found"], facts["rule"], facts["margin"]) == (None, None, None)
    assert facts["reasons"]["service_found"] == "the RTP of one side says voice, that of the other video"


def test_a_voice_call_that_had_video_for_a_while_is_neither_at_whatever_rate(build, measure):
    turned = [(AUDIO, 60), (VIDEO, 900, 4)]
    facts = measure(with_rtp(build, [(AUDIO, 60)], turned))["service"]["caller"]
    assert (facts["service_found"], facts["rule"], facts["margin"]) == (None, None, None)
    assert facts["reasons"]["service_found"] == "RTP with a video clock for 4.0 of 10.0 s of media"


def test_rtp_of_no_known_clock_leaves_it_to_the_rate(build, measure):
    odd = [((50, 12_000), 600)]
    facts = measure(with_rtp(build, odd, odd))["service"]["caller"]
    assert (facts["service_found"], facts["margin"]) == ("video", 1.503)
    assert facts["rule"] == "media rate, video from 20000 bytes/s (generic)"


def test_where_nobody_knows_whether_there_is_a_conversation_nobody_knows_its_service(build, measure):
    """Media on one side alone; the sessions of both are identical, which would be voice without a conversation."""
    call = build.call()
    for side, local, count in ((call.caller, A, 200), (call.callee, B, 2)):
        for relay in RELAYS[:2]:
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 11.0, count, count)
    facts = measure(call, analysis=UNANSWERED)["service"]["caller"]
    assert (facts["established"], facts["service_found"], facts["sessions_identical"]) == (None, None, True)
    assert facts["reasons"]["service_found"] == "media both ways on one side only, not on bravo"
