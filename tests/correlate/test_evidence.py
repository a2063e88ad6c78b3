"""Each finding points to the frames that prove it, and each empty cell says why."""

import json

import pytest

from correlate.pairs.frames import MAX_CHARACTERS, MAX_FRAMES, Evidence, Frame, evidence

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAYS = [("192.0.2.50", 3478), ("192.0.2.51", 3478), ("192.0.2.52", 3478)]
RELAY = RELAYS[0]
ROLE = {"relay_ports": [3478], "role": {"port": 3478, "sessions": 3, "caller_at_least": 10}}
FIRST = 3
"""The frame behind two markers."""


def answered_call(build):
    """In each capture: Allocate and its response (frames 3, 4), then media in pairs from frame 5 at 1 s on."""
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 101, 101)
    call.callee.put(0.5, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    call.caller.put(0.5, *A, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    nested = build.stun(build.BINDING, (build.USERNAME, b"efgh:abcd"))
    call.callee.put(0.6, *RELAY, *B, build.stun(build.DATA_INDICATION, (build.DATA, nested)))
    return call


def facts(build, at_s, what, side, frame):
    return {"what": what, "capture": side, "frame": frame, "time_ns": build.T0_NS + round(at_s * 1e9)}


def test_an_exposed_address_is_proven_by_a_frame_of_the_other_sides_capture(build, measure):
    found = measure(answered_call(build))["endpoints"]
    assert found["caller"]["evidence"] == [
        facts(build, 0.5, "public address 203.0.113.7, XOR-PEER-ADDRESS", "callee", 5),
        facts(build, 1.0, "answer: media flow both ways from here", "callee", 8),
    ]
    assert found["callee"]["evidence"] == [facts(build, 1.0, "answer: media flow both ways from here", "caller", 7)]


def test_an_unexplained_address_is_proven_by_a_frame_of_its_own_capture(build, measure):
    call = answered_call(build)
    inner = build.stun(build.BINDING, build.xored(build.PEER, "203.0.113.200"))
    call.caller.put(0.7, *RELAY, *A, build.stun(build.DATA_INDICATION, (build.DATA, inner)))
    what = "unexplained address 203.0.113.200, XOR-PEER-ADDRESS, nested in DATA"
    assert facts(build, 0.7, what, "caller", 6) in measure(call)["endpoints"]["caller"]["evidence"]


def test_a_server_is_proven_by_its_first_message_and_a_shared_one_by_both_ends_of_the_overlap(build, measure):
    call = answered_call(build)
    call.callee.packets = [(at_s + 0.25, *ends) for at_s, *ends in call.callee.packets]
    found = measure(call)["servers"]
    begins = facts(build, 0.25, "overlap begins, 192.0.2.50 port 3478", "callee", FIRST)
    ends = facts(build, 11.0, "overlap ends, 192.0.2.50 port 3478", "caller", 207)
    assert found["caller"]["evidence"] == [
        facts(build, 0.0, "server 192.0.2.50 port 3478", "caller", FIRST), begins, ends,
    ]  # fmt: skip
    assert found["callee"]["evidence"][1:] == [begins, ends]


def test_durations_and_volumes_are_proven_by_first_and_last_frames(build, measure):
    found = measure(answered_call(build))
    assert found["duration"]["caller"]["evidence"] == [
        facts(build, 0.0, "longest_relay first", "caller", FIRST),
        facts(build, 11.0, "longest_relay last", "caller", 207),
        facts(build, 0.0, "best_match first", "caller", FIRST),
        facts(build, 11.0, "best_match last", "caller", 207),
        facts(build, 1.0, "media_union first", "caller", 6),
        facts(build, 11.0, "media_union last", "caller", 207),
    ]
    media = [facts(build, 1.0, "media first", "callee", 7), facts(build, 11.0, "media last", "callee", 208)]
    assert found["volume"]["callee"]["evidence"] == media
    assert found["service"]["callee"]["evidence"][:2] == media


def test_a_user_id_is_proven_by_its_first_username_on_each_side(build, measure):
    found = measure(answered_call(build))["signalling"]
    assert found["caller"]["evidence"] == [
        facts(build, 0.5, f"user id {user_id}", "caller", 5) for user_id in ("abcd", "efgh")
    ]
    assert [each["frame"] for each in found["callee"]["evidence"]] == [6, 6]


def test_a_role_is_proven_by_the_two_sessions(build, measure):
    call = build.call()
    for side, local, counts in ((call.caller, A, (24, 90, 25)), (call.callee, B, (4, 80, 5))):
        for relay, count in zip(RELAYS, counts, strict=True):
            side.relay(local, relay, 0.0)
            side.talk(local, relay, 1.0, 9.0, count, 0)
    found = measure(call, analysis=ROLE)["signalling"]["caller"]
    assert [each["what"] for each in found["evidence"]] == [
        "session 192.0.2.50 port 3478: 26 packets", "session 192.0.2.52 port 3478: 27 packets",
    ]  # fmt: skip
    assert [each["frame"] for each in found["evidence"]] == [3, 7]


def test_evidence_is_bounded_and_leaves_out_what_has_no_frame():
    many = [("x" * 500, "alpha", Frame(number, 7)) for number in range(100)]
    found = evidence([("nothing", "alpha", None), *many])
    assert len(found) == MAX_FRAMES
    assert found[0] == Evidence("x" * MAX_CHARACTERS, "alpha", 0, 7)


def silent(build):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    return call


def direct(build):
    call = answered_call(build)
    for side, local, peer in ((call.caller, A, ("198.51.100.20", 6001)), (call.callee, B, ("203.0.113.7", 5001))):
        side.talk(local, peer, 2.0, 9.0, 150, 150)
    return call


@pytest.mark.parametrize("unknown", [{}, {"clocks": ["callee"]}, {"addresses": ["callee"]}, {"vantages": ["callee"]}])
@pytest.mark.parametrize("analysis", [None, ROLE | {"unanswered_service": "identical_sessions"}])
@pytest.mark.parametrize("made", [answered_call, silent, direct])
def test_every_empty_cell_of_every_finding_is_named_with_its_reason(tmp_path, build, made, analysis, unknown):
    from correlate import findings
    from correlate.dataset import Dataset
    from correlate.findings.cases import cases

    call = made(build)
    build.dataset(tmp_path, [call], analysis=analysis)
    build.forget(tmp_path, call, **unknown)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    (case,) = cases(Dataset(tmp_path)).read
    unsaid = []
    for dimension, sides in build.facts(case).items():
        for side, row in sides.items():
            parts = [part.partition(": ")[0].split(", ") for part in row["reason"].split("; ")]
            named = [name for names in parts for name in names if name]
            nulls = [column for column, value in row.items() if value is None]
            assert list(row["reasons"]) == nulls
            assert all(row["reasons"].values())
            nulls += [key for key in ("answer", "overlap_ns") if f'"{key}": null' in json.dumps(row)]
            unsaid += [(dimension, side, null) for null in nulls if not any(name in null for name in named)]
    assert unsaid == []
