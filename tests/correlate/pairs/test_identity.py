"""Is a session of one side the same as one of the other?"""

import pytest

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
A_PUBLIC, B_PUBLIC = "203.0.113.7", "198.51.100.20"
RELAY, SECOND = ("192.0.2.50", 3478), ("192.0.2.60", 3478)
ANALYSIS = {"relay_ports": [3478], "twins": r"(relay)6?-([a-z]{3})\.example\.org"}


def with_servers(build, of_caller, of_callee):
    call = build.call()
    for side, local, remote in ((call.caller, A, of_caller), (call.callee, B, of_callee)):
        side.relay(local, remote, 0.0)
        side.talk(local, remote, 1.0, 20.0, 120, 120)
    return call


def identity(measure, call, rule="longest_relay", **keys):
    found = measure(call, **keys)["duration"]
    signs = [found[side][f"{rule}_identity"] for side in ("caller", "callee")]
    assert signs[0] == signs[1]
    return signs[0]


@pytest.mark.parametrize(("of_callee", "sign"), [(RELAY, "address"), (SECOND, None), ((RELAY[0], 3479), None)], ids=str)
def test_one_server_is_one_address_and_port(build, measure, of_callee, sign):
    assert identity(measure, with_servers(build, RELAY, of_callee)) == sign


def test_sessions_without_identity_say_so_and_match_nothing(build, measure):
    found = measure(with_servers(build, RELAY, SECOND))["duration"]["caller"]
    assert found["reasons"]["longest_relay_identity"] == "nothing says that both sides' are one session"
    assert found["longest_relay_duration_ns"] == 20_000_000_000
    assert found["best_match_duration_ns"] is None
    assert "best_match: no session of one side is the same as one of the other" in found["reason"]


@pytest.mark.parametrize(("site", "sign"), [("tpe", "group"), ("nrt", None)])
def test_twins_are_one_server_by_the_group_of_their_host_names(build, measure, site, sign):
    names = {
        RELAY[0]: {"name": "relay-tpe.example.org", "how": "dig", "when_ns": 0},
        SECOND[0]: {"name": f"relay6-{site}.example.org", "how": "dig", "when_ns": 0},
    }
    call = with_servers(build, RELAY, SECOND)
    assert identity(measure, call, analysis=ANALYSIS, names=names) == sign


def with_checks(side, local, remote, at_s, build):
    side.put(at_s, *local, *remote, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))


@pytest.mark.parametrize(("port", "sign"), [(40362, "relayed"), (40363, None)])
def test_a_transport_address_that_is_relayed_for_one_side_is_the_far_end_of_the_other(build, measure, port, sign):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    call.caller.put(0.5, *RELAY, *A, build.stun(build.ALLOCATED, build.xored(build.RELAYED, SECOND[0], 40362)))
    call.caller.talk(A, RELAY, 1.0, 20.0, 120, 120)
    with_checks(call.callee, B, (SECOND[0], port), 0.5, build)
    call.callee.talk(B, (SECOND[0], port), 1.0, 20.0, 120, 120)
    assert identity(measure, call) == sign


@pytest.mark.parametrize(("packets", "named", "sign"), [(120, 40712, "relayed"), (0, 40712, None), (120, 40713, None)])
def test_two_relays_carry_one_path_where_one_is_told_of_the_others_and_both_have_media(
    build, measure, packets, named, sign
):
    """A relay is told of every candidate of the other phone, so that by itself says nothing."""
    call = build.call()
    for side, local, remote in ((call.caller, A, RELAY), (call.callee, B, SECOND)):
        side.relay(local, remote, 0.0)
        side.talk(local, remote, 1.0, 20.0, packets, packets)
    call.caller.put(0.5, *RELAY, *A, build.stun(build.ALLOCATED, build.xored(build.RELAYED, RELAY[0], 40394)))
    call.callee.put(0.5, *SECOND, *B, build.stun(build.ALLOCATED, build.xored(build.RELAYED, SECOND[0], 40712)))
    call.caller.put(0.6, *A, *RELAY, build.stun(0x0008, build.xored(build.PEER, SECOND[0], named)))
    assert identity(measure, call) == sign


def test_a_check_through_turn_tells_the_relayed_address_where_the_allocation_was_not_captured(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    answer = build.stun(build.BOUND, build.xored(build.XOR_MAPPED, RELAY[0], 40362))
    call.caller.put(0.5, *RELAY, *A, build.channel(0x4001, answer))
    call.caller.talk(A, RELAY, 1.0, 20.0, 120, 120)
    with_checks(call.callee, B, (RELAY[0], 40362), 0.5, build)
    call.callee.talk(B, (RELAY[0], 40362), 1.0, 20.0, 120, 120)
    assert identity(measure, call) == "relayed"


@pytest.mark.parametrize(("seen_as", "sign"), [(6001, "direct"), (6002, None), (None, "direct")])
def test_a_direct_path_is_one_where_each_far_end_is_the_other_phone_as_others_see_it(build, measure, seen_as, sign):
    """Where nobody told the callee its port the address alone counts."""
    call = build.call()
    call.caller.talk(A, (B_PUBLIC, 6001), 1.0, 20.0, 120, 120)
    call.callee.talk(B, (A_PUBLIC, 5001), 1.0, 20.0, 120, 120)
    if seen_as:
        answer = build.stun(build.BOUND, build.xored(build.XOR_MAPPED, B_PUBLIC, seen_as))
        call.callee.put(1.0, A_PUBLIC, 5001, *B, answer)
    assert identity(measure, call, "p2p") == sign


def test_two_components_of_a_direct_path_are_matched_each_with_itself(build, measure):
    """The second component of the callee lasts as long as the caller's first."""
    call = build.call()
    for port, of_caller_s, of_callee_s in ((5000, 20.0, 19.0), (5001, 19.5, 20.0)):
        remote = (B_PUBLIC, port + 1000)
        call.caller.talk((A[0], port), remote, 0.0, of_caller_s, 120, 120)
        call.callee.talk((B[0], port + 1000), (A_PUBLIC, port), 0.0, of_callee_s, 120, 120)
        answer = build.stun(build.BOUND, build.xored(build.XOR_MAPPED, *remote))
        call.callee.put(1.0, A_PUBLIC, port, B[0], port + 1000, answer)
    found = measure(call)["duration"]
    durations = [found[side]["best_match_duration_ns"] for side in ("caller", "callee")]
    assert durations == [19_500_000_000, 20_000_000_000]
    assert found["caller"]["best_match_identity"] == "direct"


def test_a_server_and_the_other_phone_are_never_one_session(build, measure):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    call.caller.talk(A, RELAY, 0.0, 20.0, 120, 120)
    call.callee.talk(B, (A_PUBLIC, 5001), 0.0, 20.0, 120, 120)
    found = measure(call)["duration"]["caller"]
    assert (found["best_match_identity"], found["media_union_identity"]) == (None, None)
    assert found["media_union_duration_ns"] == 20_000_000_000


def silent(build, relayed):
    """Both phones keep a session with one server; the callee also checks, as long as the caller's session lasts, an
    address that is relayed for the caller, and is answered."""
    call = build.call()
    for side, local, last_s in ((call.caller, A, 20.0), (call.callee, B, 19.0)):
        for at_s in (0.0, last_s):
            side.relay(local, RELAY, at_s)
    call.caller.put(0.5, *RELAY, *A, build.stun(build.ALLOCATED, build.xored(build.RELAYED, *relayed)))
    for at_s in (0.5, 20.5):
        with_checks(call.callee, B, relayed, at_s, build)
        call.callee.put(at_s, *relayed, *B, build.stun(build.BOUND))
    return call


def test_checks_of_a_relayed_address_match_nothing_however_long_they_go_on(build, measure):
    found = measure(silent(build, (RELAY[0], 40362)))["duration"]["callee"]
    assert (found["best_match_duration_ns"], found["best_match_identity"]) == (19_000_000_000, "address")


def test_a_server_that_names_itself_as_the_relayed_address_is_no_path_to_the_other_phone(build, measure):
    """As WhatsApp's relays are named; the sessions of an unanswered call carry no media, and match."""
    found = measure(silent(build, RELAY))["duration"]["caller"]
    assert (found["best_match_duration_ns"], found["best_match_identity"]) == (20_000_000_000, "address")
