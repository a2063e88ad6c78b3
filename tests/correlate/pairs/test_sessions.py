"""Which conversation is the session of a call, under each of the four rules."""

import pytest

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
B_PUBLIC, A_PUBLIC = "198.51.100.20", "203.0.113.7"
RELAY, SECOND = ("192.0.2.50", 3478), ("192.0.2.60", 3478)


@pytest.mark.parametrize(("last_s", "remote"), [(39.0, RELAY), (38.999999, SECOND)])
def test_a_session_that_is_more_than_a_second_shorter_is_not_the_longest(build, measure, last_s, remote):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, last_s, 200, 200)
        side.relay(local, SECOND, 0.0)
        side.talk(local, SECOND, 1.0, 40.0, 12, 0)
    found = measure(call)["duration"]["caller"]["longest_relay_remote"]
    assert found == f"{remote[0]} port {remote[1]}"


def test_of_equally_long_sessions_the_fullest_has_most_payload_not_most_packets(build, measure):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 40.0, 20, 20, payload=bytes(1000))
        side.relay(local, SECOND, 0.0)
        side.talk(local, SECOND, 1.0, 40.0, 200, 100, payload=b"\x80")
    assert measure(call)["duration"]["caller"]["longest_relay_remote"] == "192.0.2.50 port 3478"


def test_a_longer_direct_conversation_of_one_way_alone_is_not_the_p2p_session(build, measure):
    call = build.call()
    call.caller.talk(A, (B_PUBLIC, 6001), 10.0, 20.0, 21, 21)
    call.caller.talk(A, (B_PUBLIC, 6002), 10.0, 50.0, 21, 0)
    call.callee.talk(B, (A_PUBLIC, 5001), 10.0, 20.0, 21, 21)
    found = measure(call)["duration"]["caller"]
    assert (found["p2p_duration_ns"], found["p2p_remote"]) == (10_000_000_000, f"{B_PUBLIC} port 6001")


def test_of_pairs_that_differ_alike_the_longest_match_best_and_by_the_share_of_their_length(build, measure):
    call = build.call()
    for side, local, late_s in ((call.caller, A, 0.0), (call.callee, B, 1.0)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 9.0 + late_s / 2, 5, 0)
        side.relay(local, SECOND, 0.0)
        side.talk(local, SECOND, 1.0, 39.0 + late_s, 5, 0)
    # 39 and 40 s differ by 1/79 of their length, 9 and 9.5 s by 1/37.
    assert measure(call)["duration"]["callee"]["best_match_duration_ns"] == 40_000_000_000


def test_of_two_pairs_without_any_difference_the_longer_matches_best(build, measure):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        for relay, last_s in ((RELAY, 10.0), (SECOND, 20.0)):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, last_s, 5, 0)
    assert measure(call)["duration"]["caller"]["best_match_duration_ns"] == 20_000_000_000


@pytest.mark.parametrize("lonely", ["caller", "callee"])
def test_a_conversation_at_one_instant_matches_nothing(build, measure, lonely):
    call = build.call()
    for name, side, local in (("caller", call.caller, A), ("callee", call.callee, B)):
        side.relay(local, RELAY, 0.0)
        if name != lonely:
            side.talk(local, RELAY, 1.0, 10.0, 5, 0)
    found = measure(call)["duration"]["caller"]
    assert found["best_match_duration_ns"] is None
    assert "best_match: no two conversations to compare" in found["reason"]


def test_checks_of_half_a_second_match_nothing_though_they_last_equally_long_on_both_sides(build, measure):
    call = build.call()
    for side, local, remote, late_s in (
        (call.caller, A, (B_PUBLIC, 6001), 0.0),
        (call.callee, B, (A_PUBLIC, 5001), 1.0),
    ):
        side.relay(local, RELAY, late_s)
        side.talk(local, RELAY, 1.0, 40.0, 120, 120)
        for at_s in (2.0, 2.5):
            check = build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh"))
            side.put(at_s, *local, *remote, check)
            side.put(at_s, *remote, *local, check)
    found = measure(call)["duration"]["callee"]
    assert (found["best_match_duration_ns"], found["best_match_identity"]) == (39_000_000_000, "address")
    assert found["p2p_duration_ns"] == 500_000_000


def test_a_session_of_one_direction_matches_nothing(build, measure):
    call = build.call()
    for side, local, late_s in ((call.caller, A, 0.0), (call.callee, B, 1.0)):
        side.put(0.0, *local, *SECOND, build.stun(build.ALLOCATE))
        side.talk(local, SECOND, 0.0, 30.0, 5, 0)
        side.relay(local, RELAY, late_s)
        side.talk(local, RELAY, 1.0, 40.0, 120, 120)
    assert measure(call)["duration"]["caller"]["best_match_remote"] == "192.0.2.50 port 3478"


def test_a_session_of_several_segments_has_their_ends_their_volumes_and_their_far_ends(build, measure):
    call = build.call()
    for side, local, moves in ((call.caller, A, True), (call.callee, B, False)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 10.0 if moves else 40.0, 60, 50)
        if moves:
            side.talk((local[0], 5001), SECOND, 10.0, 40.0, 70, 80)
            side.relay((local[0], 5001), SECOND, 9.5)
    facts = measure(call)
    caller, volume = facts["duration"]["caller"], facts["volume"]["caller"]
    assert caller["longest_relay_duration_ns"] == 40_000_000_000
    assert caller["longest_relay_remote"] == "192.0.2.50 port 3478, 192.0.2.60 port 3478"
    assert (volume["longest_relay_tx_packets"], volume["longest_relay_rx_packets"]) == (60 + 70 + 2, 50 + 80 + 2)
    assert (caller["best_match_identity"], facts["duration"]["callee"]["best_match_duration_ns"]) == (
        "address",
        40_000_000_000,
    )


def test_the_identity_of_all_media_together_is_that_of_the_fullest_conversations(build, measure):
    call = build.call()
    for side, local, full, other in ((call.caller, A, RELAY, SECOND), (call.callee, B, SECOND, RELAY)):
        for relay, packets in ((full, 120), (other, 110)):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 10.0, packets, packets)
    found = measure(call)["duration"]["caller"]
    assert (found["media_union_identity"], found["best_match_identity"]) == (None, "address")
