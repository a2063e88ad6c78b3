"""Voice or video: by rate in a conversation, by the app's rule without one."""

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


@pytest.mark.parametrize(("size_bytes", "service"), [(1000, "video"), (999, "voice")])
def test_the_media_rate_tells_video_from_voice(build, measure, size_bytes, service):
    facts = measure(conversation(build, 200, b"\x80" + bytes(size_bytes - 1)))["service"]
    assert facts["caller"]["media_bytes_per_s"] == size_bytes * 20.0
    assert (facts["caller"]["service"], facts["caller"]["established"]) == (service, True)
    assert facts["caller"]["margin"] == size_bytes / 1000
    assert facts["caller"]["rule"] == "media rate, video from 20000 bytes/s (generic)"


def test_an_answered_call_with_silent_media_is_a_voice_conversation(build, measure):
    facts = measure(conversation(build, 100, b"\x80\x00"))
    assert facts["service"]["caller"]["service"] == "voice"
    assert facts["service"]["caller"]["media_bytes_per_s"] == 20.0
    assert facts["endpoints"]["caller"]["routing"] == "relay"


def test_ninety_nine_datagrams_one_way_are_no_conversation(build, measure):
    facts = measure(conversation(build, 99, b"\x80\x00"))
    assert facts["service"]["caller"]["established"] is False
    assert facts["service"]["caller"]["service"] is None
    assert facts["service"]["caller"]["reason"].startswith(
        "service, rule, margin: no conversation, and no rule for calls without one; "
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
    assert (facts["caller"]["service"], facts["callee"]["service"]) == ("voice", "voice")
    assert (facts["caller"]["sessions_identical"], facts["callee"]["sessions_identical"]) == (True, False)
    assert (facts["caller"]["rule"], facts["caller"]["margin"]) == ("identical sessions: voice", None)
    assert facts["caller"]["reason"] == "margin: sessions decide, not a rate"


def test_sessions_that_differ_on_both_sides_are_video(build, measure):
    facts = measure(unanswered(build, (12, 12, 13), (2, 3, 4)), analysis=UNANSWERED)["service"]
    assert facts["caller"]["service"] == "video"


def test_single_sessions_tell_nothing(build, measure):
    facts = measure(unanswered(build, (12,), (2,)), analysis=UNANSWERED)["service"]
    assert facts["caller"]["service"] is None
    assert facts["caller"]["reason"] == (
        "service, rule, margin: no conversation, and fewer than two sessions on each side; "
        "sessions_identical: fewer than two sessions with servers"
    )
