"""Durations and volumes under the four rules."""

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
B_PUBLIC, A_PUBLIC = "198.51.100.20", "203.0.113.7"
RELAY, SECOND = ("192.0.2.50", 3478), ("192.0.2.60", 3478)


def call_with_two_relays(build):
    call = build.call()
    for side, local, late_s in ((call.caller, A, 0.0), (call.callee, B, 1.5)):
        side.relay(local, RELAY, late_s)
        side.talk(local, RELAY, late_s + 1, 40.0, 120, 110)
    call.caller.relay(A, SECOND, 2.0)
    call.caller.talk(A, SECOND, 3.0, 12.0, 5, 0)
    call.callee.relay(B, SECOND, 2.0)
    call.callee.talk(B, SECOND, 3.0, 12.5, 4, 0)
    return call


def test_the_longest_relayed_session_is_the_headline(build, measure):
    facts = measure(call_with_two_relays(build))["duration"]
    assert facts["caller"]["longest_relay_duration_ns"] == 40_000_000_000
    assert facts["callee"]["longest_relay_duration_ns"] == 38_500_000_000
    assert facts["caller"]["longest_relay_remote"] == "192.0.2.50 port 3478"


def test_the_best_match_takes_the_pair_that_differs_least(build, measure):
    facts = measure(call_with_two_relays(build))["duration"]
    assert facts["caller"]["best_match_duration_ns"] == 40_000_000_000
    assert facts["callee"]["best_match_duration_ns"] == 38_500_000_000


def test_p2p_is_null_with_a_reason_without_a_direct_conversation(build, measure):
    facts = measure(call_with_two_relays(build))["duration"]
    assert facts["caller"]["p2p_duration_ns"] is None
    assert facts["caller"]["reason"] == "p2p: no direct conversation with packets both ways on alpha and bravo"


def test_p2p_and_media_union_of_a_call_with_two_routes(build, measure):
    call = call_with_two_relays(build)
    call.caller.talk(A, (B_PUBLIC, 6001), 10.0, 50.0, 21, 21)
    call.callee.talk(B, (A_PUBLIC, 5001), 10.5, 50.0, 21, 20)
    facts = measure(call)
    assert facts["duration"]["caller"]["p2p_duration_ns"] == 40_000_000_000
    assert facts["duration"]["callee"]["p2p_duration_ns"] == 39_500_000_000
    assert facts["duration"]["caller"]["media_union_duration_ns"] == 49_000_000_000
    volume = facts["volume"]["caller"]
    assert (volume["media_tx_packets"], volume["media_rx_packets"]) == (120 + 5 + 21, 110 + 21)
    assert (volume["p2p_tx_payload_bytes"], volume["p2p_tx_frame_bytes"]) == (2100, 21 * 128)
    assert volume["crosswise_tx_less_rx_packets"] == 146 - (110 + 20)
    assert volume["crosswise_tx_less_rx_payload_bytes"] == 1600


def test_volumes_count_whole_conversations_stun_included(build, measure):
    volume = measure(call_with_two_relays(build))["volume"]["caller"]
    assert (volume["longest_relay_tx_packets"], volume["longest_relay_rx_packets"]) == (121, 111)
    assert volume["longest_relay_tx_payload_bytes"] == 12_020
    assert volume["longest_relay_tx_frame_bytes"] == 12_020 + 121 * 28


def test_media_are_zero_not_null_in_a_call_without_media(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    facts = measure(call)
    volume = facts["volume"]["caller"]
    names = ("tx_packets", "rx_packets", "tx_payload_bytes", "rx_payload_bytes")
    assert [volume[f"media_{name}"] for name in names] == [0, 0, 0, 0]
    assert volume["media_union_tx_packets"] is None
    assert "media_union: no media on alpha and bravo" in volume["reason"]
    assert facts["duration"]["caller"]["longest_relay_duration_ns"] == 0


def test_times_are_the_controllers(build, measure):
    call = call_with_two_relays(build)
    call.callee.offset_ns = -7_000_000_000
    facts = measure(call)["duration"]
    assert facts["caller"]["longest_relay_first_ns"] == build.T0_NS
    assert facts["callee"]["longest_relay_first_ns"] == build.T0_NS + 1_500_000_000
    assert facts["callee"]["bound_ns"] == 1_000_000


def test_of_equally_long_sessions_both_sides_take_the_one_that_carries_the_call(build, measure):
    """Relays stay open to the last moment; by microseconds each side would pick another (paper, Figure 3)."""
    call = build.call()
    for side, local, last_s in ((call.caller, A, 40.0), (call.callee, B, 40.00001)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 40.000005, 200, 200)
        side.relay(local, SECOND, 0.0)
        side.talk(local, SECOND, 1.0, last_s, 12, 0)
    facts = measure(call)
    assert {facts["duration"][side]["longest_relay_remote"] for side in facts["duration"]} == {"192.0.2.50 port 3478"}
    assert [facts["volume"][side]["longest_relay_rx_packets"] for side in ("caller", "callee")] == [201, 201]


def test_a_session_that_is_more_than_a_second_shorter_is_not_the_longest(build, measure):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 38.9, 200, 200)
        side.relay(local, SECOND, 0.0)
        side.talk(local, SECOND, 1.0, 40.0, 12, 0)
    assert measure(call)["duration"]["caller"]["longest_relay_remote"] == "192.0.2.60 port 3478"


def test_all_relayed_sessions_are_counted_together(build, measure):
    volume = measure(call_with_two_relays(build))["volume"]["caller"]
    assert (volume["relayed_tx_packets"], volume["relayed_rx_packets"]) == (120 + 5 + 2, 110 + 2)
