"""The claims of sections 4.1 to 4.7, counted."""

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.tables.cell_claims import CELL_CLAIMS
from correlate.tables.claim_list import CLAIMS
from correlate.tables.claims import _holds, claims
from correlate.tables.study import Study, published

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAYS = [("192.0.2.50", 3478), ("192.0.2.51", 3478), ("192.0.2.52", 3478)]
ANALYSIS = {"relay_ports": [3478], "role": {"port": 3478, "sessions": 3, "caller_at_least": 10}}


def call_of(build, size_bytes, **keys):
    call = build.call(**keys)
    for side, local, small in ((call.caller, A, 20), (call.callee, B, 5)):
        for relay, count in zip(RELAYS, (200, small, small), strict=True):
            side.relay(local, relay, 0.0)
            side.talk(
                local, relay, 1.0, 11.0, count, count if count == 200 else 0, payload=b"\x80" + bytes(size_bytes - 1)
            )
    return call


@pytest.fixture
def counted(tmp_path, build):
    cancelled = build.call(scenario="caller_cancels")
    cancelled.caller.relay(A, RELAYS[0], 0.0)
    cancelled.caller.talk(A, RELAYS[0], 1.0, 3.0, 20, 0)
    cancelled.callee.relay(B, RELAYS[0], 0.0)
    calls = [call_of(build, 100), call_of(build, 1250, service="video"), cancelled]
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    made = claims(Study.of(Dataset(tmp_path)))
    return {(row["claim"], row["scenario"]): (row["n"], row["total"], row["holds"]) for row in made.rows}


def test_conversations_are_counted_by_claim(counted):
    talk = "caller_hangs_up"
    assert counted["three_udp_servers", talk] == (2, 2, "yes")
    assert counted["shared_server", talk] == (2, 2, "yes")
    assert counted["duration_matched_session", talk] == (2, 2, "yes")
    assert counted["symmetry_in_conversation", talk] == (2, 2, "yes")
    assert counted["service_told_in_conversation", talk] == (2, 2, "yes")
    assert counted["video_louder_than_voice", talk] == (1, 1, "yes")
    assert counted["role_told_by_packet_counts", talk] == (2, 2, "yes")
    assert counted["ipv6_majority_on_device_1", talk] == (0, 2, "no")
    assert counted["same_user_ids", talk] == (0, 2, "no")
    assert counted["all_addresses_exposed", talk] == (0, 2, "no")


def test_unanswered_calls_are_counted_by_claim(counted):
    assert counted["no_disclosure_before_answer", "caller_cancels"] == (1, 1, "yes")
    assert counted["caller_exposed_before_answer", "caller_cancels"] == (0, 1, "no")
    assert counted["asymmetry_before_answer", "caller_cancels"] == (1, 1, "yes")
    assert counted["duration_matched_session", "caller_cancels"] == (0, 1, "no")
    assert ("symmetry_in_conversation", "caller_cancels") not in counted


def test_every_claim_has_its_rule_and_its_place_in_the_paper():
    every = [*CLAIMS, *CELL_CLAIMS]
    assert {claim.name for claim in every} == set(published()["claims"])
    assert {claim.section for claim in every} == {"4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7"}
    assert all(claim.rule for claim in every)


def test_a_claim_without_a_rule_of_the_app_is_undecided_and_not_a_no(tmp_path, build):
    build.dataset(tmp_path, [call_of(build, 100)], analysis={"relay_ports": [3478]})
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = next(row for row in claims(Study.of(Dataset(tmp_path))).rows if row["claim"] == "role_told_by_packet_counts")
    assert (row["n"], row["total"], row["undecided"], row["holds"]) == (0, 1, 1, None)
    assert row["reason"] == "1 of 1 trials undecided: the app's analysis has no role"


@pytest.mark.parametrize(
    ("quantifier", "hits", "undecided", "holds"),
    [
        ("always", 12, 0, True),
        ("always", 11, 0, False),
        ("always", 11, 1, None),
        ("always", 10, 1, False),
        ("generally", 7, 0, True),
        ("generally", 6, 0, False),
        ("generally", 6, 1, None),
        ("generally", 7, 5, True),
    ],
)
def test_a_claim_holds_by_the_papers_own_quantifier(quantifier, hits, undecided, holds):
    assert _holds(quantifier, hits, undecided, 12) is holds


def test_no_payload_to_any_server_decides_no_majority(tmp_path, build):
    silent = build.call(scenario="caller_cancels")
    build.dataset(tmp_path, [silent], analysis=ANALYSIS)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = next(row for row in claims(Study.of(Dataset(tmp_path))).rows if row["claim"] == "ipv6_majority_on_device_1")
    assert (row["n"], row["total"], row["undecided"]) == (0, 1, 1)


def test_packets_joined_by_the_capturing_machine_decide_no_symmetry(tmp_path, build):
    call = call_of(build, 100)
    call.caller.put(5.0, *A, "192.0.2.99", 9999, bytes(1473))
    build.dataset(tmp_path, [call], analysis=ANALYSIS)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = next(row for row in claims(Study.of(Dataset(tmp_path))).rows if row["claim"] == "symmetry_in_conversation")
    assert (row["n"], row["total"], row["undecided"]) == (0, 1, 1)


def test_asymmetry_is_of_all_relayed_sessions_together(tmp_path, build):
    """One session that both sides fill alike does not hide that the others differ (Figure 7)."""
    call = build.call(scenario="system_timeout")
    for side, local, small in ((call.caller, A, 25), (call.callee, B, 5)):
        for relay, sent in zip(RELAYS, (40, small, small), strict=True):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 40.0, sent, 0)
    build.dataset(tmp_path, [call], analysis=ANALYSIS)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = next(row for row in claims(Study.of(Dataset(tmp_path))).rows if row["claim"] == "asymmetry_before_answer")
    assert (row["n"], row["total"]) == (1, 1)


def rows_of(tmp_path):
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return {row["claim"]: row for row in claims(Study.of(Dataset(tmp_path))).rows}


def test_a_shared_server_is_undecided_not_a_no_where_a_clock_was_never_compared(tmp_path, build):
    call = call_of(build, 100)
    build.dataset(tmp_path, [call], analysis=ANALYSIS)
    build.forget(tmp_path, call, clocks=["caller", "callee"])
    row = rows_of(tmp_path)["shared_server"]
    assert (row["n"], row["undecided"], row["holds"]) == (0, 1, None)
    assert row["reason"] == "1 of 1 trials undecided: a clock was never compared"


def test_a_service_that_nobody_wrote_down_is_undecided_not_a_no(tmp_path, build):
    known, unknown = call_of(build, 100), call_of(build, 100, service="unknown")
    cancelled = build.call(scenario="caller_cancels", service="unknown")
    cancelled.caller.relay(A, RELAYS[0], 0.0)
    cancelled.caller.relay(A, RELAYS[1], 0.0)
    build.dataset(tmp_path, [known, unknown], analysis=ANALYSIS)
    row = rows_of(tmp_path)["service_told_in_conversation"]
    assert (row["n"], row["total"], row["undecided"], row["holds"]) == (1, 2, 1, None)
    assert row["reason"] == "1 of 2 trials undecided: service unknown"
    build.dataset(
        tmp_path / "unanswered",
        [cancelled],
        analysis={"relay_ports": [3478], "unanswered_service": "identical_sessions"},
    )
    row = rows_of(tmp_path / "unanswered")["service_told_before_answer"]
    assert (row["n"], row["total"], row["undecided"], row["holds"]) == (0, 1, 1, None)
    assert row["reason"] == "1 of 1 trials undecided: service unknown"


def test_sessions_that_differ_and_ids_that_are_too_short_are_undecided_not_a_no(tmp_path, build):
    call = build.call(scenario="caller_cancels", service="video")
    short = build.stun(build.BINDING, (build.USERNAME, b"ab:"))
    for side, local in ((call.caller, A), (call.callee, B)):
        for number, relay in enumerate(RELAYS[:2]):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 3.0, 5 + number, 0)
        side.put(4.0, *local, *RELAYS[0], short)
    build.dataset(tmp_path, [call], analysis={"relay_ports": [3478], "unanswered_service": "identical_sessions"})
    found = rows_of(tmp_path)
    for claim in ("service_told_before_answer", "same_user_ids"):
        row = found[claim]
        assert (row["n"], row["total"], row["undecided"], row["holds"]) == (0, 1, 1, None), claim
        assert row["reason"] == "1 of 1 trials undecided: the wire does not tell"


def test_what_an_unrecorded_address_could_still_turn_is_undecided(tmp_path, build):
    """The caller's public address is seen; whether the callee has another one that is seen too nobody knows."""
    call = call_of(build, 100)
    for address in call.caller.interface[:1] + call.caller.probed[:1]:
        call.callee.put(2.0, *RELAYS[0], *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, address)))
    build.dataset(tmp_path, [call], analysis=ANALYSIS)
    build.forget(tmp_path, call, addresses=["callee"])
    found = rows_of(tmp_path)
    assert found["all_addresses_exposed"]["undecided"] == 1
    assert (found["only_public_addresses_exposed"]["n"], found["only_public_addresses_exposed"]["undecided"]) == (0, 0)
    assert found["p2p_and_all_exposed_when_device_1_calls"]["n"] == 0


def relayed(build, sent, received, **keys):
    """One relayed session a side, with so many media packets each way by side, its Allocate beside them."""
    call = build.call(**keys)
    for number, (side, local) in enumerate(((call.caller, A), (call.callee, B))):
        side.relay(local, RELAYS[0], 0.0)
        side.talk(local, RELAYS[0], 1.0, 11.0, sent[number], received[number])
    return call


def counts_of(tmp_path, build, claim, *calls):
    """n, N and whether the claim holds, of a dataset of these calls."""
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    row = rows_of(tmp_path)[claim]
    return row["n"], row["total"], row["holds"]


YES, NO = (1, 1, "yes"), (0, 1, "no")


@pytest.mark.parametrize(("callee_last_s", "matched"), [(8.0, YES), (7.999999, NO)])
def test_sessions_match_up_to_a_difference_of_three_seconds(tmp_path, build, callee_last_s, matched):
    call = build.call()
    for side, local, last_s in ((call.caller, A, 11.0), (call.callee, B, callee_last_s)):
        side.relay(local, RELAYS[0], 0.0)
        side.talk(local, RELAYS[0], 1.0, last_s, 9, 9)
    assert counts_of(tmp_path, build, "duration_matched_session", call) == matched


@pytest.mark.parametrize(("callee_last_s", "matched"), [(10.5, YES), (10.499999, NO)])
def test_direct_sessions_match_up_to_a_difference_of_half_a_second(tmp_path, build, callee_last_s, matched):
    call = build.call()
    call.caller.talk(A, ("198.51.100.20", 6001), 1.0, 11.0, 9, 9)
    call.callee.talk(B, ("203.0.113.7", 5001), 1.0, callee_last_s, 9, 9)
    assert counts_of(tmp_path, build, "p2p_duration_matched", call) == matched


@pytest.mark.parametrize(("caller", "symmetric"), [((164, 164), YES), ((164, 165), NO)])
def test_a_conversation_is_symmetric_up_to_a_tenth(tmp_path, build, caller, symmetric):
    """330 and 270 packets, the Allocates among them, differ by 60 of 600."""
    call = relayed(build, (caller[0], 134), (caller[1], 134))
    assert counts_of(tmp_path, build, "symmetry_in_conversation", call) == symmetric


@pytest.mark.parametrize(("sent", "asymmetric"), [(9, NO), (10, YES)])
def test_an_unanswered_call_is_asymmetric_above_a_tenth(tmp_path, build, sent, asymmetric):
    """11 and 9 packets, the Allocates among them, differ by 2 of 20."""
    call = relayed(build, (sent, 7), (0, 0), scenario="caller_cancels")
    assert counts_of(tmp_path, build, "asymmetry_before_answer", call) == asymmetric


@pytest.mark.parametrize(("more", "majority"), [(b"", NO), (b"\x80", YES)])
def test_as_much_over_ipv6_as_over_ipv4_is_no_majority(tmp_path, build, more, majority):
    call, six = build.call(), (("2001:db8:a::7", 5000), ("2001:db8:5::50", 3478))
    for local, remote, payload in ((A, RELAYS[0], bytes(9)), (*six, bytes(9) + more)):
        call.caller.relay(local, remote, 0.0)
        call.caller.talk(local, remote, 1.0, 5.0, 1, 0, payload=payload)
    assert counts_of(tmp_path, build, "ipv6_majority_on_device_1", call) == majority


@pytest.mark.parametrize(("voices", "louder"), [([100, 199], YES), ([100, 200], NO), ([200, 100], NO)])
def test_a_video_call_is_louder_than_every_voice_call(tmp_path, build, voices, louder):
    calls = [call_of(build, size, repetition=number) for number, size in enumerate(voices, 1)]
    calls.append(call_of(build, 200, service="video"))
    assert counts_of(tmp_path, build, "video_louder_than_voice", *calls) == louder


def test_port_3478_has_to_be_on_both_sides(tmp_path, build):
    call = build.call()
    call.caller.relay(A, RELAYS[0], 0.0)
    call.callee.relay(B, ("192.0.2.50", 443), 0.0)
    build.dataset(tmp_path, [call])
    row = rows_of(tmp_path)["port_3478_on_both_sides"]
    assert (row["n"], row["total"], row["unit"]) == (0, 1, "trials")


@pytest.mark.parametrize(("end_s", "equal"), [(10.0, YES), (9.999999, NO)])
def test_three_sessions_a_side_are_equal_to_within_a_second_of_the_longest(tmp_path, build, end_s, equal):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        for relay, last_s in zip(RELAYS, (11.0, 10.5, end_s), strict=True):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, last_s, 2, 2)
    assert counts_of(tmp_path, build, "three_equal_sessions", call) == equal


def silent(build, counts, **keys):
    """An unanswered call; by side the packets sent on each of two sessions."""
    call = build.call(scenario="caller_cancels", ring_s=4.0, **keys)
    for side, local, sent in ((call.caller, A, counts[0]), (call.callee, B, counts[1])):
        for relay, number in zip(RELAYS, sent, strict=False):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 4.0, number, 0)
    return call


@pytest.mark.parametrize(
    ("service", "counts", "found"),
    [
        ("voice", ((9, 9), (3, 4)), YES),
        ("voice", ((9, 9), (3, 3)), NO),
        ("voice", ((9, 8), (3, 4)), NO),
        ("video", ((9, 8), (3, 4)), YES),
        ("video", ((9, 9), (3, 4)), NO),
        ("voice", ((9, 9), (3,)), (0, 1, None)),
    ],
)
def test_sessions_are_identical_at_the_caller_of_a_voice_call_and_nowhere_else(tmp_path, build, service, counts, found):
    call = silent(build, counts, service=service)
    assert counts_of(tmp_path, build, "identical_sessions_at_the_voice_caller_alone", call) == found


def test_exposure_among_relayed_calls_leaves_the_direct_ones_out_and_the_undecided_ones_open(tmp_path, build):
    """Relayed and seen, relayed and not seen, direct, and answered without a conversation."""
    seen, unseen, other = (
        relayed(build, (150, 150), (150, 150), ring_s=4.0, talk_s=9.0, repetition=n) for n in (1, 2, 3)
    )
    direct = build.call(ring_s=4.0, talk_s=9.0, repetition=4)
    direct.caller.talk(A, ("198.51.100.20", 6001), 1.0, 11.0, 150, 150)
    direct.callee.talk(B, ("203.0.113.7", 5001), 1.0, 11.0, 150, 150)
    other.caller.packets, other.callee.packets = other.caller.packets[:9], other.callee.packets[:9]
    for side, addresses, local in ((seen.callee, ("203.0.113.7",), B), (seen.caller, ("198.51.100.20",), A)):
        for address in addresses:
            side.put(2.0, *RELAYS[0], *local, build.stun(build.DATA_INDICATION, build.xored(build.PEER, address)))
    build.dataset(tmp_path, [seen, unseen, other, direct], analysis=ANALYSIS)
    rows = rows_of(tmp_path)
    public, every = (rows[f"{name}_addresses_exposed_when_relayed"] for name in ("only_public", "all"))
    assert (public["n"], public["total"], public["undecided"], public["holds"]) == (1, 3, 1, None)
    assert (every["n"], every["total"], every["undecided"], every["holds"]) == (0, 3, 1, "no")
    assert public["reason"] == "1 of 3 trials undecided: answered, but no conversation on the wire"
    assert rows["all_addresses_exposed"]["total"] == 4
