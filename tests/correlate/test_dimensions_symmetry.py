"""Durations and volumes under the four rules."""

import json

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import cases

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
    assert facts["caller"]["reason"] == (
        "p2p: no direct conversation with packets both ways on alpha and bravo; "
        "round_trip: no request of alpha with its response; 0.4 s are assumed (ITU-T G.114); "
        "media_span: media do not flow both ways on alpha and bravo"
    )


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


def test_all_relayed_sessions_are_counted_together(build, measure):
    volume = measure(call_with_two_relays(build))["volume"]["caller"]
    assert (volume["relayed_tx_packets"], volume["relayed_rx_packets"]) == (120 + 5 + 2, 110 + 2)


def test_both_sides_stand_on_one_time_line_with_the_bounds_of_both_clocks(build, measure):
    call = call_with_two_relays(build)
    call.callee.offset_ns = -7_000_000_000
    facts = measure(call)["duration"]
    assert facts["caller"]["longest_relay_start_difference_ns"] == -1_500_000_000
    assert facts["callee"]["longest_relay_start_difference_ns"] == 1_500_000_000
    assert facts["caller"]["longest_relay_duration_difference_ns"] == 1_500_000_000
    assert facts["caller"]["longest_relay_start_within_bound"] is False
    assert (facts["caller"]["start_bound_ns"], facts["caller"]["duration_bound_ns"]) == (2_000_000, 4_000_000)


def test_a_difference_that_the_clocks_cannot_tell_is_said_to_be_within_the_bound(build, measure):
    call = build.call()
    for side, local, late_s in ((call.caller, A, 0.0), (call.callee, B, 0.002)):
        side.relay(local, RELAY, late_s)
        side.talk(local, RELAY, 1.0, 40.006, 120, 110)
    facts = measure(call)["duration"]["caller"]
    assert (facts["longest_relay_start_difference_ns"], facts["longest_relay_start_within_bound"]) == (-2_000_000, True)
    assert facts["longest_relay_duration_difference_ns"] == 2_000_000
    assert facts["longest_relay_duration_within_bound"] is True


def test_without_clocks_durations_are_compared_and_their_bound_is_unknown(tmp_path, build):
    call = call_with_two_relays(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, clocks=["callee"])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    facts = build.facts(case)
    duration, volume = facts["duration"]["caller"], facts["volume"]["caller"]
    assert duration["longest_relay_duration_difference_ns"] == 1_500_000_000
    assert [duration[f"longest_relay_{name}"] for name in ("start_difference_ns", "duration_within_bound")] == [
        None
    ] * 2
    assert duration["reason"].startswith(
        "start, within_bound, bound, media_span: the other side's clock was never compared; "
    )
    assert (volume["crosswise_tx_less_rx_packets"], volume["crosswise_edge_packets"]) == (15, None)
    assert volume["reason"].startswith("crosswise_edge_packets, crosswise_received_more: a clock was never compared; ")
    assert [facts["duration"][side]["bound_ns"] for side in ("caller", "callee")] == [1_000_000, None]
    assert [facts["duration"][side]["longest_relay_first_ns"] is None for side in ("caller", "callee")] == [False, True]


@pytest.mark.parametrize(("at_s", "more_at_the_edge"), [(10.502, 0), (10.501999, 1)])
def test_the_crosswise_difference_says_how_many_packets_the_other_capture_may_not_have_seen(
    tmp_path, build, at_s, more_at_the_edge
):
    """Without markers a capture begins and ends with its own packets; the callee's began at 10.5 s, give or take the
    2 ms of both clocks."""
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    call.caller.talk(A, RELAY, 1.0, 40.0, 40, 0)
    call.caller.put(at_s, *A, *RELAY, b"\x80")
    call.callee.relay(B, RELAY, 10.5)
    call.callee.talk(B, RELAY, 11.0, 40.0, 0, 30)
    build.dataset(tmp_path, [call])
    captures = {"caller": call.caller, "callee": call.callee}
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text()) | {"markers": None}
    path.write_text(json.dumps(record))
    for name, side in captures.items():
        (path.parent / f"{name}.pcap").write_bytes(without_markers(side.pcap()))
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    volume = build.facts(case)["volume"]["caller"]
    assert volume["crosswise_tx_less_rx_packets"] == 11
    # Ten were sent before 10.5 s; the last one, and the callee's last, stand on the captures' ends.
    assert volume["crosswise_edge_packets"] == 10 + 1 + 1 + more_at_the_edge


def test_in_a_call_whose_media_lie_within_both_captures_no_packet_is_at_the_edge(build, measure):
    assert measure(call_with_two_relays(build))["volume"]["caller"]["crosswise_edge_packets"] == 0


def test_without_media_there_is_nothing_to_compare_crosswise(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    volume = measure(call)["volume"]["caller"]
    assert [volume[f"crosswise_{name}"] for name in ("tx_less_rx_packets", "edge_packets")] == [None, None]
    assert "crosswise: no media on either side" in volume["reason"]


@pytest.mark.parametrize("silent", ["caller", "callee"])
def test_media_on_one_side_alone_are_all_missing_at_the_other(build, measure, silent):
    call = build.call()
    for name, side, local in (("caller", call.caller, A), ("callee", call.callee, B)):
        side.relay(local, RELAY, 0.0)
        if name != silent:
            side.talk(local, RELAY, 1.0, 3.0, 20, 3)
    volume = measure(call)["volume"]
    less = [volume[side]["crosswise_tx_less_rx_packets"] for side in ("caller", "callee")]
    assert less == ([-3, 20] if silent == "caller" else [20, -3])
    assert "crosswise: no media on either side" not in volume["caller"]["reason"]


@pytest.mark.parametrize(("payload_bytes", "is_above"), [(1472, False), (1473, True)])
def test_frames_above_the_mtu_are_told_of_the_side_whose_capture_has_them(build, measure, payload_bytes, is_above):
    call = call_with_two_relays(build)
    call.callee.put(5.0, *B, *RELAY, bytes(payload_bytes))
    volume = measure(call)["volume"]
    assert [volume[side]["above_mtu"] for side in ("caller", "callee")] == [False, is_above]


def test_no_more_is_received_than_was_sent_but_at_the_edges(build, measure):
    """A packet of the callee's that the caller never sent."""
    call = call_with_two_relays(build)
    call.callee.put(20.0, *RELAY, *B, b"\x80" + bytes(99))
    volume = measure(call)["volume"]
    # 125 sent and 111 received the one way, 124 and 110 the other.
    assert [volume[side]["crosswise_tx_less_rx_packets"] for side in ("caller", "callee")] == [14, 14]
    assert [volume[side]["crosswise_received_more"] for side in ("caller", "callee")] == [False, False]


@pytest.mark.parametrize(("received", "is_more"), [(120, False), (121, True)])
def test_media_that_nobody_sent_are_told_with_the_reason_and_stay(build, measure, received, is_more):
    call = build.call()
    for side, local, packets in ((call.caller, A, (120, 110)), (call.callee, B, (120, received))):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 40.0, *packets)
    volume = measure(call)["volume"]["caller"]
    text = "crosswise_received_more: bravo received 1 packets more than alpha sent, 0 at the edges"
    assert (volume["crosswise_received_more"], text in volume["reason"]) == (is_more, is_more)
    assert (volume["crosswise_tx_less_rx_packets"], volume["longest_relay_tx_packets"]) == (120 - received, 121)


def test_without_a_conversation_nothing_is_said_of_media_that_nobody_sent(build, measure):
    call = build.call()
    for side, local, packets in ((call.caller, A, (3, 3)), (call.callee, B, (3, 5))):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 40.0, *packets)
    volume = measure(call)["volume"]["caller"]
    assert (volume["crosswise_tx_less_rx_packets"], volume["crosswise_received_more"]) == (-2, None)
    assert volume["reasons"]["crosswise_received_more"] == "no conversation"


def talking(build, late_s=0.0, early_s=0.0, answer_s=0.0):
    """A conversation whose media begin so much later and end so much earlier at the callee, where a server answers a
    request so late."""
    call = build.call()
    for side, local, begin_s, end_s in ((call.caller, A, 2.0, 40.0), (call.callee, B, 2.0 + late_s, 40.0 - early_s)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, begin_s, end_s, 400, 400)
        for at_s, ends, kind in (
            (1.0, (*local, *RELAY), build.BINDING),
            (1.0 + answer_s, (*RELAY, *local), build.BOUND),
        ):
            side.put(at_s, *ends, build.stun(kind, transaction=b"request no 2"))
    return call


@pytest.mark.parametrize(("early_s", "differs"), [(0.102, False), (0.102001, True)])
def test_media_end_on_both_sides_within_the_clocks_bounds_and_a_round_trip(build, measure, early_s, differs):
    """The bounds are 2 ms together, each side's request takes 50 ms."""
    found = measure(talking(build, early_s=early_s, answer_s=0.05))["duration"]
    caller = {name[11:]: value for name, value in found["caller"].items() if name.startswith("media_span_")}
    assert caller == {
        "first_difference_ns": 0,
        "last_difference_ns": round(early_s * 1e9),
        "bound_ns": 102_000_000,
        "differs": differs,
    }
    assert [found[side]["round_trip_ns"] for side in ("caller", "callee")] == [50_000_000] * 2
    assert found["callee"]["media_span_last_difference_ns"] == -round(early_s * 1e9)
    text = "alpha's begin +0.000 s and end +0.102 s after bravo's; clocks and a round trip allow 0.102 s"
    assert (f"media_span_differs: {text}" in found["caller"]["reason"]) == differs


@pytest.mark.parametrize(("late_s", "differs"), [(1.102, False), (1.102001, True)])
def test_media_begin_on_both_sides_within_a_second_more(build, measure, late_s, differs):
    found = measure(talking(build, late_s=late_s, answer_s=0.05))["duration"]
    assert [found[side]["media_span_differs"] for side in ("caller", "callee")] == [differs] * 2
    assert found["callee"]["media_span_first_difference_ns"] == round(late_s * 1e9)


def test_of_a_side_without_a_request_that_was_answered_a_round_trip_is_assumed(build, measure):
    call = talking(build, early_s=0.5, answer_s=0.05)
    call.callee.packets = [each for each in call.callee.packets if each[5][:1] != b"\x01"]
    found = measure(call)["duration"]
    assert [found[side]["media_span_bound_ns"] for side in ("caller", "callee")] == [452_000_000] * 2
    assert found["callee"]["round_trip_ns"] is None
    assert found["callee"]["reasons"]["round_trip_ns"].endswith("0.4 s are assumed (ITU-T G.114)")


def test_without_a_conversation_there_is_no_media_span(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    found = measure(call)["duration"]["caller"]
    assert found["media_span_differs"] is None
    assert found["reasons"]["media_span_bound_ns"] == "no conversation"


def without_markers(data):
    """The capture without datagrams to 192.0.2.1."""
    out, at = data[:24], 24
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        record = data[at : at + 16 + length]
        out += b"" if record[32:36] == bytes([192, 0, 2, 1]) else record
        at += 16 + length
    return out
