"""Whose addresses the other side sees, and which way the media go."""

import csv

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.findings.cases import cases

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
A_PUBLIC, B_PUBLIC = "203.0.113.7", "198.51.100.20"
RELAY = ("192.0.2.50", 3478)


def exposed(facts):
    return {
        f"{side}_{role}": facts["endpoints"][side][f"exposed_{role}"]
        for side in ("caller", "callee")
        for role in ("public", "private")
    }


def place(address, role, where, nested=None, answer="after"):
    return {"address": address, "role": role, "where": where, "nested": nested, "answer": answer}


def relayed_call(build, count=150):
    call = build.call()
    for side, local, mapped in ((call.caller, A, A_PUBLIC), (call.callee, B, B_PUBLIC)):
        side.relay(local, RELAY, 0.0, mapped=mapped)
        side.talk(local, RELAY, 1.0, 31.0, count, count)
    return call


def test_a_relayed_conversation_without_candidates_discloses_nothing(build, measure):
    facts = measure(relayed_call(build))
    caller = facts["endpoints"]["caller"]
    assert exposed(facts) == dict.fromkeys(exposed(facts), False)
    assert (caller["no_disclosure"], caller["established"], caller["routing"]) == (True, True, "relay")
    assert (caller["p2p_observed"], caller["reason"]) == (False, "")


def test_an_unanswered_call_has_no_routing_and_says_why(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    facts = measure(call)
    assert facts["endpoints"]["caller"]["routing"] is None
    assert facts["endpoints"]["caller"]["reason"] == "routing, answer: no conversation"


def test_a_candidate_nested_in_a_data_attribute_exposes_public_and_private(build, measure):
    call = relayed_call(build)
    inner = build.stun(build.BINDING, build.xored(build.PEER, A[0]), build.xored(build.XOR_MAPPED, A_PUBLIC))
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, (build.DATA, inner)))
    facts = measure(call)
    assert exposed(facts) == {
        "caller_public": True, "caller_private": True, "callee_public": False, "callee_private": False,
    }  # fmt: skip
    assert facts["endpoints"]["caller"]["seen"] == [
        place("100.64.0.7", "private", "XOR-PEER-ADDRESS", nested="data"),
        place("203.0.113.7", "public", "XOR-MAPPED-ADDRESS", nested="data"),
    ]
    assert facts["endpoints"]["caller"]["no_disclosure"] is False


def test_a_cgnat_that_maps_each_flow_to_another_address_is_learned_from_the_own_trace(build, measure):
    call = relayed_call(build)
    other = "203.0.113.99"
    direct = (B_PUBLIC, 6001)
    call.caller.put(2.0, *A, *direct, build.stun(build.BINDING, (build.USERNAME, b"x:y")))
    call.caller.put(2.1, *direct, *A, build.stun(build.BOUND, build.xored(build.XOR_MAPPED, other)))
    call.callee.put(2.0, other, 7000, *B, build.stun(build.BINDING, (build.USERNAME, b"x:y")))
    call.callee.put(2.1, *B, other, 7000, build.stun(build.BOUND, build.xored(build.XOR_MAPPED, other)))
    facts = measure(call)
    assert exposed(facts) == {
        "caller_public": True, "caller_private": False, "callee_public": True, "callee_private": False,
    }  # fmt: skip
    assert facts["endpoints"]["caller"]["seen"] == [
        place(other, "public", "IP header"),
        place(other, "public", "XOR-MAPPED-ADDRESS"),
    ]
    assert facts["endpoints"]["caller"]["p2p_observed"] is True
    assert facts["endpoints"]["callee"]["unexplained"] == []
    assert [server["address"] for server in facts["servers"]["callee"]["servers"]] == [RELAY[0]]


def test_an_ipv6_address_learned_both_ways_is_public(build, measure):
    call = relayed_call(build)
    indication = build.stun(build.DATA_INDICATION, build.xored(build.PEER, "2001:db8:a::7"))
    call.callee.put(2.0, *RELAY, *B, indication)
    facts = measure(call)
    assert facts["endpoints"]["caller"]["exposed_public"] is True
    assert facts["endpoints"]["caller"]["exposed_private"] is False


def test_a_clat_constant_is_a_class_of_its_own(build, measure):
    call = relayed_call(build)
    call.caller.interface.append("192.0.0.4")
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "192.0.0.4")))
    facts = measure(call)
    assert facts["endpoints"]["callee"]["clat"] == ["192.0.0.4"]
    assert exposed(facts) == dict.fromkeys(exposed(facts), False)
    assert facts["endpoints"]["caller"]["no_disclosure"] is True


def test_a_nat64_form_of_an_address_is_that_address(build, measure):
    call = relayed_call(build)
    folded = "64:ff9b::c633:6414"  # 198.51.100.20
    call.caller.put(2.0, *RELAY, *A, build.stun(build.DATA_INDICATION, build.xored(build.PEER, folded)))
    facts = measure(call)
    assert facts["endpoints"]["callee"]["seen"] == [
        place(B_PUBLIC, "public", "XOR-PEER-ADDRESS"),
    ]


def test_an_unexplained_global_address_blocks_no_disclosure(build, measure):
    call = relayed_call(build)
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.200")))
    facts = measure(call)
    assert facts["endpoints"]["callee"]["unexplained"] == ["203.0.113.200"]
    assert facts["endpoints"]["caller"]["no_disclosure"] is None
    assert facts["endpoints"]["caller"]["reason"] == (
        "no_disclosure: an unexplained address stands in a STUN attribute"
    )
    assert exposed(facts) == dict.fromkeys(exposed(facts), False)


def test_a_relayed_address_is_a_servers_even_when_a_check_through_it_maps_to_it(build, measure):
    call = relayed_call(build)
    relayed = "192.0.2.77"
    call.caller.relay(A, RELAY, 0.5, relayed=relayed)
    nested = build.stun(build.BOUND, build.xored(build.XOR_MAPPED, relayed))
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, (build.DATA, nested)))
    facts = measure(call)
    assert exposed(facts) == dict.fromkeys(exposed(facts), False)
    assert facts["endpoints"]["callee"]["unexplained"] == []


@pytest.mark.parametrize(("direct", "routing"), [(150, "p2p"), (149, "relay")])
def test_two_routes_in_one_call_are_p2p_from_half_of_the_payload(build, measure, direct, routing):
    call = relayed_call(build)
    call.caller.talk(A, (B_PUBLIC, 6001), 2.0, 9.0, direct, 150)
    call.callee.talk(B, (A_PUBLIC, 5001), 2.0, 9.0, 150, 150)
    facts = measure(call)
    assert facts["endpoints"]["caller"]["relayed_payload_bytes"] == 600 * 100
    assert facts["endpoints"]["caller"]["direct_payload_bytes"] == (450 + direct) * 100
    assert facts["endpoints"]["caller"]["routing"] == routing
    assert facts["endpoints"]["caller"]["p2p_observed"] is True


def test_one_way_checks_are_no_p2p(build, measure):
    call = relayed_call(build)
    call.caller.put(2.0, *A, B_PUBLIC, 6001, build.stun(build.BINDING, (build.USERNAME, b"x:y")))
    facts = measure(call)
    assert facts["endpoints"]["caller"]["p2p_observed"] is False
    assert facts["endpoints"]["callee"]["exposed_public"] is True


def test_side_and_column_names_do_not_depend_on_who_called(build, measure):
    call = relayed_call(build)
    call.caller, call.callee = call.callee, call.caller
    call.caller.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, A_PUBLIC)))
    facts = measure(call)
    assert facts["endpoints"]["callee"]["phone"] == "alpha"
    assert facts["endpoints"]["callee"]["exposed_public"] is True


def test_packets_of_an_address_that_nobody_recorded_are_counted_as_foreign(build, measure):
    call = build.call()
    call.caller.talk(A, RELAY, 1.0, 2.0, 7, 7)
    call.caller.talk(("100.64.9.9", 5000), RELAY, 1.0, 2.0, 7, 6)
    facts = measure(call)["endpoints"]
    assert (facts["caller"]["foreign_packets"], facts["callee"]["foreign_packets"]) == (13, 0)
    assert (facts["caller"]["exposed_private"], facts["caller"]["no_disclosure"]) == (False, True)


NOT_ITS_OWN = "exposed, no_disclosure: addresses of a phone were not recorded, or are not those of its capture"


@pytest.mark.parametrize("noted", [["100.64.0.70"], ["2001:db8:a::7"], []])
def test_recorded_addresses_that_are_not_those_of_the_capture_make_no_finding_false(build, measure, noted):
    """One of them mistyped, one of two IP versions, or only public ones: what the capture itself tells is used."""
    call = relayed_call(build)
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, A[0])))
    call.caller.noted = noted
    facts = measure(call)
    caller, callee = facts["endpoints"]["caller"], facts["endpoints"]["callee"]
    assert (caller["established"], caller["routing"], caller["foreign_packets"]) == (True, "relay", 0)
    assert (caller["exposed_private"], caller["exposed_public"]) == (True, None)
    assert (callee["exposed_private"], callee["exposed_public"]) == (False, False)
    assert caller["reason"] == NOT_ITS_OWN
    assert [each["address"] for each in facts["servers"]["caller"]["servers"]] == [RELAY[0]]


def test_nothing_is_undisclosed_where_the_addresses_are_not_those_of_the_capture(build, measure):
    call = relayed_call(build)
    call.caller.noted = ["100.64.0.70"]
    facts = measure(call)["endpoints"]
    assert (facts["caller"]["no_disclosure"], facts["caller"]["exposed_private"]) == (None, None)
    assert facts["caller"]["reason"] == NOT_ITS_OWN


def test_a_capture_that_shows_no_phone_is_not_read_as_a_call_that_nobody_answered(tmp_path, build):
    call = relayed_call(build)
    call.caller.interface = call.caller.noted = ["100.64.0.70"]
    call.caller.packets = []
    call.caller.talk(A, RELAY, 1.0, 31.0, 150, 150)
    build.dataset(tmp_path, [call])
    report.findings(Dataset(tmp_path))
    caller, _ = csv.DictReader((tmp_path / "findings/endpoints.csv").read_text().splitlines())
    assert (caller["established"], caller["no_disclosure"], caller["foreign_packets"]) == ("", "", "")
    assert cases(Dataset(tmp_path)).unread == {call.trial: caller["reason"]}
    assert caller["reason"].endswith(
        "/caller.pcap: does not tell which end is the phone, and no address that was recorded for it is; "
        "record its addresses"
    )


def behind_one_nat(build, probed):
    """A direct call of 400 media packets each way whose far end, on both sides, is the NAT's own public address."""
    call = build.call()
    public, local = "203.0.113.5", (("192.168.1.10", 5000), ("192.168.1.11", 6000))
    for side, own, port in ((call.caller, local[0], 6001), (call.callee, local[1], 5001)):
        side.interface, side.probed = [own[0]], list(probed)
        side.relay(own, RELAY, 0.0, mapped=public)
        side.put(0.5, *own, public, port, build.stun(build.BINDING, (build.USERNAME, b"x:y")))
        side.talk(own, (public, port), 1.0, 31.0, 400, 400)
    return call


@pytest.mark.parametrize("probed", [["203.0.113.5"], []])
def test_a_direct_call_behind_one_nat_is_direct_and_shows_the_public_address(build, measure, probed):
    facts = measure(behind_one_nat(build, probed))
    caller = facts["endpoints"]["caller"]
    assert (caller["established"], caller["routing"], caller["p2p_observed"]) == (True, "p2p", True)
    assert (caller["no_disclosure"], caller["foreign_packets"]) == (False, 0)
    assert exposed(facts) == {
        "caller_public": True, "caller_private": False, "callee_public": True, "callee_private": False,
    }  # fmt: skip
    assert caller["seen"] == [place("203.0.113.5", "public", "IP header", answer="at")]
    volume = facts["volume"]["caller"]
    assert (volume["media_tx_packets"], volume["media_rx_packets"]) == (400, 400)
    assert (volume["crosswise_tx_less_rx_packets"], facts["service"]["caller"]["service_found"]) == (0, "voice")


def test_a_relayed_call_behind_one_nat_discloses_nothing(build, measure):
    """Each side's own mapped address is the other's too; it is not the other's that is seen."""
    call = behind_one_nat(build, ["203.0.113.5"])
    for side, own in ((call.caller, ("192.168.1.10", 5000)), (call.callee, ("192.168.1.11", 6000))):
        side.packets = side.packets[:2]
        side.talk(own, RELAY, 1.0, 31.0, 150, 150)
    facts = measure(call)
    assert exposed(facts) == dict.fromkeys(exposed(facts), False)
    assert (facts["endpoints"]["caller"]["no_disclosure"], facts["endpoints"]["caller"]["routing"]) == (True, "relay")


def test_an_address_is_seen_before_at_or_after_the_answer(build, measure):
    """Media begin at 1 s of a relayed call; here it rings for ten seconds before."""
    call = relayed_call(build)
    shown = ((-0.5, A_PUBLIC), (0.5, A[0]), (2.0, "203.0.113.8"))
    call.caller.probed.append("203.0.113.8")
    for side in (call.caller, call.callee):
        side.packets = [(at_s + 10 if at_s >= 1 else at_s, *ends) for at_s, *ends in side.packets]
    for at_s, address in shown:
        at_s = at_s + 10 if at_s > 0 else at_s
        call.callee.put(at_s, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, address)))
    facts = measure(call)["endpoints"]["caller"]
    assert facts["seen"] == [
        place(A[0], "private", "XOR-PEER-ADDRESS", answer="at"),
        place(A_PUBLIC, "public", "XOR-PEER-ADDRESS", answer="before"),
        place("203.0.113.8", "public", "XOR-PEER-ADDRESS", answer="after"),
    ]


def test_keep_alives_while_it_rings_are_no_answer(build, measure):
    call = relayed_call(build)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.packets = [(at_s + 20, *ends) for at_s, *ends in side.packets]
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 0.1, 20.0, 20, 20, payload=b"\x80")
    call.callee.put(1.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, A_PUBLIC)))
    assert [each["answer"] for each in measure(call)["endpoints"]["caller"]["seen"]] == ["before"]


def test_without_a_conversation_there_is_no_answer_and_the_cell_says_so(build, measure):
    call = build.call()
    call.callee.relay(B, RELAY, 0.0)
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, A_PUBLIC)))
    facts = measure(call)["endpoints"]["caller"]
    assert facts["seen"] == [place(A_PUBLIC, "public", "XOR-PEER-ADDRESS", answer=None)]
    assert facts["reason"] == "routing, answer: no conversation"


def test_a_place_is_an_attribute_and_what_it_is_nested_in(build, measure):
    call = relayed_call(build)
    inner = build.stun(build.BINDING, build.xored(build.PEER, A_PUBLIC))
    call.callee.put(2.0, *RELAY, *B, inner)
    call.callee.put(2.1, *RELAY, *B, build.channel(0x4001, inner))
    call.callee.put(2.2, *RELAY, *B, build.stun(build.DATA_INDICATION, (build.DATA, inner)))
    seen = measure(call)["endpoints"]["caller"]["seen"]
    assert [(each["where"], each["nested"]) for each in seen] == [
        ("XOR-PEER-ADDRESS", None), ("XOR-PEER-ADDRESS", "channel"), ("XOR-PEER-ADDRESS", "data"),
    ]  # fmt: skip


def behind_one_vpn(build, shown_to_callee):
    """A call of two phones that both captured themselves in a VPN with one address for all."""
    call, vpn = build.call(), "10.215.173.1"
    for side, port, mapped in ((call.caller, 5000, A_PUBLIC), (call.callee, 6000, B_PUBLIC)):
        side.interface = [*side.interface, vpn]
        side.relay((vpn, port), RELAY, 0.0, mapped=mapped)
        side.talk((vpn, port), RELAY, 1.0, 31.0, 150, 150)
    inner = build.stun(build.BINDING, build.xored(build.PEER, shown_to_callee))
    call.callee.put(2.0, *RELAY, vpn, 6000, build.stun(build.DATA_INDICATION, (build.DATA, inner)))
    return call


@pytest.mark.parametrize(
    ("shown", "caller_private", "reason"),
    [
        ("10.215.173.1", None, "both phones have 10.215.173.1, which a STUN attribute shows"),
        ("100.64.0.7", True, ""),
        ("10.9.9.9", False, ""),
    ],
)
def test_a_private_address_that_both_phones_have_is_no_exposure_and_no_denial(
    build, measure, shown, caller_private, reason
):
    facts = measure(behind_one_vpn(build, shown))
    assert (exposed(facts)["caller_private"], exposed(facts)["callee_private"]) == (caller_private, False)
    caller = facts["endpoints"]["caller"]
    assert caller["no_disclosure"] is (None if caller_private is None else not caller_private)
    assert caller["reason"] == (f"exposed_private, no_disclosure: {reason}" if reason else "")


def test_the_vantage_is_the_record_s(build, measure):
    facts = measure(relayed_call(build))
    assert {facts["endpoints"][side]["vantage"] for side in ("caller", "callee")} == {"interface"}


def test_an_address_of_either_phone_that_is_seen_is_a_disclosure_of_the_trial(build, measure):
    call = relayed_call(build)
    call.caller.put(2.0, *RELAY, *A, build.stun(build.DATA_INDICATION, build.xored(build.PEER, B_PUBLIC)))
    facts = measure(call)
    assert (exposed(facts)["caller_public"], exposed(facts)["callee_public"]) == (False, True)
    assert [facts["endpoints"][side]["no_disclosure"] for side in ("caller", "callee")] == [False, False]


def shown_to_the_callee(build, at_s, *talks):
    """A relayed call in which the callee's media flow so, and a relay shows it the caller's address at that time."""
    call = relayed_call(build)
    call.callee.packets = []
    call.callee.relay(B, RELAY, 0.0)
    for talk in talks:
        call.callee.talk(B, RELAY, *talk)
    call.callee.put(at_s, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, A_PUBLIC)))
    return call


BOTH, SENT, RECEIVED = (150, 150), (150, 0), (0, 150)


@pytest.mark.parametrize(
    ("at_s", "talks", "answer"),
    [
        # Up to three seconds before media flow is at the answer.
        (8.0, [(11.0, 31.0, *BOTH)], "at"),
        (7.999999, [(11.0, 31.0, *BOTH)], "before"),
        # Media flow both ways from the later of the two.
        (2.0, [(1.0, 31.0, *SENT), (6.0, 31.0, *RECEIVED)], "before"),
        (2.0, [(1.0, 31.0, *RECEIVED), (6.0, 31.0, *SENT)], "before"),
        # Five within just a second flow; five in more than that do not, nor four.
        (1.5, [(1.0, 2.0, 5, 5), (20.0, 31.0, *BOTH)], "after"),
        (1.5, [(1.0, 2.000001, 5, 5), (20.0, 31.0, *BOTH)], "before"),
        (1.5, [(1.0, 2.0, 4, 5), (20.0, 31.0, *BOTH)], "before"),
        # Fewer than a hundred flow too, but are no conversation, so that nobody answered.
        (2.0, [(1.0, 31.0, 99, 99)], None),
    ],
)
def test_what_is_seen_is_before_at_or_after_the_answer_at_each_of_its_limits(build, measure, at_s, talks, answer):
    (seen,) = measure(shown_to_the_callee(build, at_s, *talks))["endpoints"]["caller"]["seen"]
    assert seen == place(A_PUBLIC, "public", "XOR-PEER-ADDRESS", answer=answer)


def test_the_frame_from_which_media_flow_both_ways_shows_an_address_after_the_answer(build, measure):
    """The callee sends by a relay and receives directly: the first direct datagram is the answer, and shows it."""
    call = relayed_call(build)
    call.callee.packets = []
    call.callee.relay(B, RELAY, 0.0)
    call.callee.talk(B, RELAY, 1.0, 31.0, *SENT)
    call.callee.talk(B, (A_PUBLIC, 5001), 2.0, 31.0, *RECEIVED)
    assert measure(call)["endpoints"]["caller"]["seen"] == [place(A_PUBLIC, "public", "IP header", answer="after")]


def test_media_that_never_flow_tell_no_answer_and_say_so_whichever_side_it_is(build, measure):
    call = relayed_call(build)
    call.callee.packets = []
    call.callee.relay(B, RELAY, 0.0)
    call.callee.talk(B, RELAY, 1.0, 301.0, 101, 101)
    facts = measure(call)["endpoints"]
    assert (facts["caller"]["established"], facts["caller"]["routing"]) == (True, "relay")
    reasons = {facts[side]["reason"] for side in ("caller", "callee")}
    assert reasons == {"answer: media do not flow both ways at once"}
    answers = [each for side in facts for each in facts[side]["evidence"] if each["what"].startswith("answer")]
    assert [each["capture"] for each in answers] == ["caller"]


def test_a_global_address_of_ip_headers_alone_is_foreign_and_not_unexplained(build, measure):
    call = relayed_call(build)
    call.caller.talk(("203.0.113.150", 1), ("203.0.113.151", 2), 1.0, 2.0, 3, 3)
    caller = measure(call)["endpoints"]["caller"]
    assert (caller["foreign_packets"], caller["unexplained"], caller["no_disclosure"]) == (6, [], True)


@pytest.mark.parametrize(("foreign", "no_disclosure"), [(6, True), (7, None)])
def test_addresses_of_half_of_the_packets_are_those_of_the_capture(build, measure, foreign, no_disclosure):
    call = build.call()
    call.caller.talk(A, RELAY, 1.0, 2.0, 3, 3)
    call.caller.talk(("100.64.9.9", 5000), RELAY, 1.0, 2.0, foreign, 0)
    assert measure(call)["endpoints"]["caller"]["no_disclosure"] is no_disclosure


def test_addresses_that_the_capture_tells_itself_need_not_be_an_end_of_every_packet(build, measure):
    call = relayed_call(build)
    call.caller.noted = ["100.64.0.70"]
    call.caller.talk(("100.64.9.9", 5000), RELAY, 1.0, 2.0, 3, 3)
    caller = measure(call)["endpoints"]["caller"]
    assert (caller["established"], caller["foreign_packets"], caller["no_disclosure"]) == (True, 6, None)


def test_a_vantage_that_nobody_wrote_down_is_null_and_says_so(tmp_path, build):
    call = relayed_call(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, vantages=["callee"])
    report.findings(Dataset(tmp_path))
    (case,) = cases(Dataset(tmp_path)).read
    facts = build.facts(case)["endpoints"]
    assert [facts[side]["vantage"] for side in ("caller", "callee")] == ["interface", None]
    assert facts["callee"]["reason"] == "vantage: where a phone was captured was not recorded"


def test_a_global_address_of_an_interface_that_nobody_confirmed_is_neither_private_nor_public(build, measure):
    call = relayed_call(build)
    call.caller.interface.append("2001:db8:b::9")
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "2001:db8:b::9")))
    facts = measure(call)["endpoints"]["caller"]
    assert (facts["exposed_public"], facts["exposed_private"], facts["no_disclosure"]) == (None, False, False)
    assert facts["seen"] == [place("2001:db8:b::9", "global", "XOR-PEER-ADDRESS")]
    text = "2001:db8:b::9 of an interface of alpha is seen, and no probe told whether it is public"
    assert facts["reasons"] == {"exposed_public": text}
    assert facts["reason"] == f"exposed_public: {text}"


def test_a_public_address_that_nobody_learned_is_not_absent(build, measure):
    call = relayed_call(build)
    call.caller.packets = [packet for packet in call.caller.packets if packet[5][:2] != b"\x01\x03"]
    call.caller.probed, call.caller.interface = [], ["100.64.0.7"]
    facts = measure(call)["endpoints"]
    assert (facts["caller"]["exposed_public"], facts["caller"]["exposed_private"]) == (None, False)
    text = "no public address of alpha is known: no probe and no response told one"
    assert facts["caller"]["reasons"] == {"exposed_public": text, "no_disclosure": text}
    assert (facts["callee"]["exposed_public"], facts["callee"]["no_disclosure"]) == (False, None)
    assert facts["callee"]["reason"] == f"no_disclosure: {text}"


def test_what_one_trace_does_not_show_as_a_whole_is_undecided_of_the_other_phone_alone(build, measure):
    call = relayed_call(build)
    lying = bytearray(build.stun(build.DATA_INDICATION, (0x8022, bytes(8))))
    lying[22:24] = (400).to_bytes(2)
    call.callee.put(2.0, *RELAY, *B, bytes(lying))
    facts = measure(call)["endpoints"]
    what = "STUN: its attributes do not fit its length"
    number = facts["callee"]["evidence"][0]["frame"]
    text = f"the trace of bravo was not looked at as a whole: frame {number}: {what}"
    columns = ("exposed_public", "exposed_private", "no_disclosure")
    assert [facts["caller"][name] for name in columns] == [None] * 3
    assert facts["caller"]["reason"] == f"exposed, no_disclosure: {text}"
    assert facts["callee"]["unseen"] == [f"frame {number}: {what}"]
    assert [facts["callee"][name] for name in columns] == [False, False, None]
    assert facts["callee"]["evidence"][0]["what"] == f"not looked at: {what}"


def test_an_address_as_bytes_is_unexplained_and_forbids_to_deny_it(build, measure):
    call = relayed_call(build)
    call.callee.put(2.0, "198.51.100.99", 4500, *B, b"\xee" * 20 + bytes((203, 0, 113, 7)))
    facts = measure(call)["endpoints"]
    assert (facts["caller"]["exposed_public"], facts["caller"]["exposed_private"]) == (None, False)
    (hit,) = facts["callee"]["unexplained"]
    assert hit.startswith("203.0.113.7 as 4 bytes, frame ")
    assert hit.endswith(" by chance")
    assert facts["caller"]["reasons"]["exposed_public"] == f"the trace of bravo has {hit}"
    assert facts["caller"]["no_disclosure"] is None
    (first, *_) = facts["callee"]["evidence"]
    assert (first["what"], first["time_ns"]) == (f"unexplained bytes: {hit}", build.T0_NS + 2_000_000_000)


def test_the_address_of_a_server_in_what_it_says_of_itself_is_explained(build, measure):
    call = relayed_call(build)
    other = (0x802C, b"\x00\x01\x0d\x97" + bytes((192, 0, 2, 51)))
    call.caller.put(0.5, *RELAY, *A, build.stun(build.BOUND, build.xored(0x0020, A_PUBLIC), other))
    assert measure(call)["endpoints"]["caller"]["no_disclosure"] is True


def test_an_address_in_an_attribute_that_nobody_named_counts_where_a_phone_has_it(build, measure):
    call = relayed_call(build)
    for number, text in ((0xC057, "203.0.113.7"), (0xC058, "203.0.113.200")):
        value = b"\x00\x01\x03\xe8" + bytes(map(int, text.split(".")))
        call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, (number, value)))
    facts = measure(call)
    assert facts["endpoints"]["caller"]["seen"] == [place("203.0.113.7", "public", "attribute 0xc057")]
    assert facts["endpoints"]["callee"]["unexplained"] == []
