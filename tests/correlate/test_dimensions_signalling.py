"""User ids on both wires, and packet counts that tell who called."""

import json

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import cases
from tests.records import record_anew

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAYS = [("192.0.2.50", 3478), ("192.0.2.51", 3478), ("192.0.2.52", 3478)]
ROLE = {"relay_ports": [3478], "role": {"port": 3478, "sessions": 3, "caller_at_least": 10}}


def with_ids(build, caller_name, callee_name):
    call = build.call()
    call.caller.put(1.0, *A, *RELAYS[0], build.stun(build.BINDING, (build.USERNAME, caller_name)))
    nested = build.stun(build.BINDING, (build.USERNAME, callee_name))
    call.callee.put(1.0, *RELAYS[0], *B, build.channel(0x4000, nested))
    return call


def test_user_ids_are_the_fragments_on_both_wires_in_any_order_nested_too(build, measure):
    facts = measure(with_ids(build, b"kSty:XpJs", b"XpJs:kSty"))["signalling"]
    assert facts["caller"]["user_ids"] == facts["callee"]["user_ids"] == ["XpJs", "kSty"]
    assert (facts["caller"]["user_id_bits"], facts["caller"]["own_fragments"]) == ([24, 24], 2)
    assert facts["caller"]["user_id_rule"] == "fragments of any length (generic)"


def test_fragments_of_another_length_are_no_user_ids(build, measure):
    call = with_ids(build, b"kSty:abcdefgh", b"kSty:abcdefgh")
    facts = measure(call, analysis={"relay_ports": [3478], "user_ids": {"lengths": [4]}})["signalling"]
    assert facts["caller"]["user_ids"] == ["kSty"]
    assert facts["caller"]["user_id_rule"] == "fragments of 4 characters"


def test_a_user_name_without_a_colon_and_one_seen_on_one_side_are_no_user_ids(build, measure):
    assert measure(with_ids(build, b"kSty", b"kSty"))["signalling"]["caller"]["user_ids"] == []


def test_a_fragment_on_one_wire_alone_is_no_user_id(build, measure):
    assert measure(with_ids(build, b"kSty:XpJs", b"aaaa:bbbb"))["signalling"]["caller"]["user_ids"] == []


def test_the_expiry_in_two_credentials_of_a_turn_server_is_no_user_id(build, measure):
    call = with_ids(build, b"kSty:XpJs", b"aaaa:bbbb")
    for capture, near, name in ((call.caller, A, b"1795914992:anna"), (call.callee, B, b"1795914992:bert")):
        credential = ((build.USERNAME, name), (0x0014, b"turn.example"), (0x0015, b"nonce"))
        capture.put(0.5, *near, *RELAYS[0], build.stun(0x0003, *credential))
    found = measure(call)["signalling"]["caller"]
    assert (found["user_ids"], found["own_fragments"], found["reasons"].get("user_ids")) == ([], 2, None)


@pytest.mark.parametrize(
    ("shared", "user_ids", "bits"),
    [
        (b"abc:d", ["abc", "d"], [18, 6]),
        (b"abc:", None, [18]),
        (b"abcd:", ["abcd"], [24]),
        ("é_:".encode(), ["é_"], [24]),
    ],
)
def test_ids_of_fewer_than_24_bits_together_are_undecided(build, measure, shared, user_ids, bits):
    facts = measure(with_ids(build, shared, shared))["signalling"]
    assert (facts["caller"]["user_ids"], facts["caller"]["user_id_bits"]) == (user_ids, bits)
    few = "the fragments that both sides show carry 18 bits, fewer than 24"
    for side in ("caller", "callee"):
        assert facts[side]["reasons"].get("user_ids") == (few if user_ids is None else None)


def test_fragments_of_another_length_alone_are_undecided_not_a_no(build, measure):
    call = with_ids(build, b"jH5s58d:TjPAVTd", b"jH5s58d:TjPAVTd")
    facts = measure(call, analysis={"relay_ports": [3478], "user_ids": {"lengths": [4]}})["signalling"]["caller"]
    assert (facts["user_ids"], facts["user_id_bits"]) == (None, [])
    assert facts["reasons"]["user_ids"] == "both sides show fragments, but none of a length that the app's have"


@pytest.mark.parametrize("of_callee", [False, True])
def test_no_id_on_both_sides_is_undecided_where_something_was_not_looked_into(build, measure, of_callee):
    call = with_ids(build, b"kSty:XpJs", b"aaaa:bbbb")
    cut = build.stun(build.BINDING, (build.USERNAME, b"zzzz:yyyy"))[:-4]
    if of_callee:
        call.callee.put(2.0, *RELAYS[0], *B, cut)
    else:
        call.caller.put(2.0, *A, *RELAYS[0], cut)
    facts = measure(call)["signalling"]
    phone = "bravo" if of_callee else "alpha"
    for side in ("caller", "callee"):
        assert facts[side]["user_ids"] is None
        assert facts[side]["reasons"]["user_ids"].startswith(
            f"no fragment on both sides, but not everything was looked into ({phone}: STUN: "
        )


def with_counts(build, caller_counts, callee_counts):
    """Each session has that many packets, two of them its Allocate."""
    call = build.call()
    for side, local, counts in ((call.caller, A, caller_counts), (call.callee, B, callee_counts)):
        for relay, count in zip(RELAYS, counts, strict=False):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 9.0, count - 2, 0)
    return call


def test_the_two_closest_sessions_tell_who_called(build, measure):
    facts = measure(with_counts(build, (25, 900, 26), (5, 880, 6)), analysis=ROLE)["signalling"]
    assert (facts["caller"]["calling"], facts["callee"]["calling"]) == (True, False)
    assert (facts["caller"]["pair_packets"], facts["callee"]["pair_packets"]) == ([25, 26], [5, 6])
    assert facts["caller"]["reason"] == ""
    assert facts["callee"]["role_rule"] == (
        "the two closest of 3 or more sessions on port 3478: 10 packets or more at the calling side, fewer at the "
        "called one"
    )


HIGH, LOW, MIXED = (10, 10), (9, 9), (9, 10)


@pytest.mark.parametrize(
    ("caller", "callee", "calling"),
    [
        (HIGH, LOW, (True, False)),
        (LOW, HIGH, (False, True)),
        (MIXED, LOW, (None, None)),
        (LOW, MIXED, (None, None)),
        (HIGH, MIXED, (None, None)),
        (MIXED, HIGH, (None, None)),
        (HIGH, HIGH, (None, None)),
        (LOW, LOW, (None, None)),
    ],
)
def test_ten_packets_in_both_sessions_are_a_callers_and_nine_in_both_a_callees(build, measure, caller, callee, calling):
    facts = measure(with_counts(build, (*caller, 900), (*callee, 880)), analysis=ROLE)["signalling"]
    assert [facts[side]["pair_packets"] for side in ("caller", "callee")] == [list(caller), list(callee)]
    assert (facts["caller"]["calling"], facts["callee"]["calling"]) == calling


def test_of_equally_close_sessions_those_with_the_fewest_packets_tell(build, measure):
    facts = measure(with_counts(build, (25, 27, 29), (5, 6, 7)), analysis=ROLE)["signalling"]
    assert (facts["caller"]["pair_packets"], facts["callee"]["pair_packets"]) == ([25, 27], [5, 6])


def test_the_wire_decides_even_against_what_was_asked(build, measure):
    facts = measure(with_counts(build, (5, 880, 6), (25, 900, 26)), analysis=ROLE)["signalling"]
    assert (facts["caller"]["calling"], facts["callee"]["calling"]) == (False, True)


def test_ten_packets_on_both_sides_tell_nothing(build, measure):
    facts = measure(with_counts(build, (25, 900, 26), (12, 880, 13)), analysis=ROLE)["signalling"]
    assert facts["caller"]["calling"] is None
    assert facts["caller"]["reason"] == "calling, role_rule: not 10 packets or more on one side and fewer on the other"


def test_too_few_sessions_tell_nothing(build, measure):
    facts = measure(with_counts(build, (25, 26), (5, 6, 7)), analysis=ROLE)["signalling"]
    assert facts["caller"]["reason"] == "calling, role_rule, pair_packets: fewer than 3 sessions on port 3478"


def test_an_app_without_a_role_rule_has_no_role(build, measure):
    facts = measure(with_counts(build, (25, 900, 26), (5, 880, 6)))["signalling"]
    assert (facts["caller"]["calling"], facts["caller"]["pair_packets"]) == (None, None)
    assert facts["caller"]["reason"] == "calling, role_rule, pair_packets: no rule for this app"


def test_a_user_id_with_other_characters_carries_eight_bits_a_byte(build, measure):
    facts = measure(with_ids(build, "k_é:a+/9".encode(), "a+/9:k_é".encode()))["signalling"]
    assert dict(zip(facts["caller"]["user_ids"], facts["caller"]["user_id_bits"], strict=True)) == {
        "a+/9": 24,
        "k_é": 32,
    }


def searched(build, tmp_path, callee):
    """The signalling of a call on whose callee's side `callee` was found; on the other nobody looked."""
    call = with_ids(build, b"kSty:XpJs", b"XpJs:kSty")
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, identifiers=["caller"])
    path = tmp_path / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    record["sides"]["callee"]["identifiers"] = callee
    path.write_text(json.dumps(record))
    record_anew(tmp_path)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    return case.signalling


NUMBER = {"identifier": "address of bravo in maple", "frames": [2], "count": 1}


@pytest.mark.parametrize(
    ("found", "cut", "told", "reason"),
    [
        ([], 0, (), None),
        ([], 3, None, "no identifier in what was captured, but 3 frames are cut"),
        ([NUMBER], 3, ("address of bravo in maple",), None),
    ],
)
def test_an_identifier_in_clear_is_told_and_none_only_where_all_frames_are_whole(
    build, tmp_path, found, cut, told, reason
):
    of = searched(build, tmp_path, {"found": found, "cut_frames": cut})
    assert (of["callee"].identifier_in_clear, of["callee"].reasons.get("identifier_in_clear")) == (told, reason)
    unlooked = "nobody looked for the lab's identifiers in this capture"
    assert (of["caller"].identifier_in_clear, of["caller"].reasons["identifier_in_clear"]) == (None, unlooked)
    proof = [(each.what, each.capture, each.frame) for each in of["callee"].evidence if "clear" in each.what]
    assert proof == ([("address of bravo in maple in clear: 1 frames", "callee", 2)] if found else [])


def test_a_frame_that_a_record_names_and_the_capture_has_not_proves_nothing(build, tmp_path):
    of = searched(build, tmp_path, {"found": [{**NUMBER, "frames": [99]}], "cut_frames": 0})
    assert of["callee"].identifier_in_clear == ("address of bravo in maple",)
    assert [each for each in of["callee"].evidence if "clear" in each.what] == []
