"""A side by itself: what the other capture holds changes nothing of it."""

import pytest

from correlate import pairs
from correlate.dataset import Dataset
from correlate.link.legs import leg
from correlate.pairs.conversations import Conversation

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
A_OUTSIDE, B_OUTSIDE = ("203.0.113.7", 5000), ("198.51.100.20", 6000)
RELAY, OTHER_RELAY, UNLISTED = ("192.0.2.50", 3478), ("192.0.2.51", 3478), ("192.0.2.52", 40003)
PEER, SERVER = ("198.51.100.99", 7000), ("192.0.2.60", 3478)
ANALYSIS = {"relay_ports": [3478]}


def relayed(build):
    call = build.call()
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
    return call


def direct(build):
    """Both sides check each other, and talk."""
    call = build.call(repetition=2)
    for side, local, outside, remote in (
        (call.caller, A, A_OUTSIDE, B_OUTSIDE),
        (call.callee, B, B_OUTSIDE, A_OUTSIDE),
    ):
        side.probed = []
        side.relay(local, RELAY, 0.0, mapped=outside[0])
        side.put(0.5, *remote, *local, build.stun(build.BINDING))
        side.talk(local, remote, 1.0, 11.0, 130, 140)
    return call


def unchecked(build):
    """Both sides talk where nothing on the wire says that they are one call, but for the other side's address."""
    call = build.call(repetition=3)
    for side, local, outside, remote in (
        (call.caller, A, A_OUTSIDE, B_OUTSIDE),
        (call.callee, B, B_OUTSIDE, A_OUTSIDE),
    ):
        side.probed = []
        side.relay(local, RELAY, 0.0, mapped=outside[0])
        side.talk(local, remote, 1.0, 11.0, 150, 160)
    return call


def reflected(build):
    """The caller is mapped to an address that the callee alone shows to be a relay's."""
    call = build.call(repetition=4)
    call.caller.relay(A, RELAY, 0.0, mapped=OTHER_RELAY[0])
    call.callee.relay(B, RELAY, 0.0, relayed=OTHER_RELAY[0])
    for side, local in ((call.caller, A), (call.callee, B)):
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
    return call


def to_relayed(build):
    """The caller sends to an address and port that the callee alone shows to be its relayed ones."""
    call = build.call(repetition=5)
    call.caller.relay(A, RELAY, 0.0)
    call.callee.relay(B, RELAY, 0.0, relayed=OTHER_RELAY[0])
    call.caller.talk(A, (OTHER_RELAY[0], 1000), 1.0, 11.0, 120, 110)
    call.callee.talk(B, RELAY, 1.0, 11.0, 120, 110)
    return call


BUILDERS = (relayed, reflected, direct, unchecked, to_relayed)


def sides_of(folder, build, calls):
    """{trial: {phone: its vantage}}."""
    build.dataset(folder, calls, analysis=ANALYSIS)
    dataset = Dataset(folder)
    found = {trial: pairs.load(dataset, trial, dataset.info().apps, {}) for trial in dataset.trial_ids()}
    return {trial: {side.phone: side for side in (pair.a, pair.b)} for trial, pair in found.items()}, dataset


def legs_of(sides, dataset):
    analysis = dataset.info().apps["maple"].analysis
    return {trial: {phone: leg(side, analysis, {}) for phone, side in each.items()} for trial, each in sides.items()}


@pytest.mark.parametrize("exchanged", ["caller", "callee"])
@pytest.mark.parametrize("what", ["another call's", "empty"])
def test_exchanging_one_sides_capture_changes_no_leg_of_the_other_side(tmp_path, build, exchanged, what):
    sides, dataset = sides_of(tmp_path / "as recorded", build, [make(build) for make in BUILDERS])
    calls, donors = ([make(build) for make in BUILDERS] for _ in range(2))
    for call, donor in zip(calls, donors[1:] + donors[:1], strict=True):
        getattr(call, exchanged).packets = [] if what == "empty" else getattr(donor, exchanged).packets
    others, other_dataset = sides_of(tmp_path / "exchanged", build, calls)
    legs, other_legs = legs_of(sides, dataset), legs_of(others, other_dataset)
    kept = "alpha" if exchanged == "callee" else "bravo"
    assert len(legs) == len(BUILDERS)
    assert {trial: each[kept] for trial, each in other_legs.items()} == {
        trial: each[kept] for trial, each in legs.items()
    }
    assert None not in [each[kept] for each in legs.values()]
    # What both tell together does change: the far ends of `unchecked` and `to_relayed`, the own of `reflected`.
    of_pair = [{trial: (each[kept].of_call, each[kept].own) for trial, each in of.items()} for of in (sides, others)]
    changed = {int(trial[-1]) for trial in of_pair[0] if of_pair[0][trial] != of_pair[1][trial]}
    assert changed >= ({3, 4, 5} if exchanged == "callee" else {3})


def alone(folder, build, call) -> dict[str, Conversation]:
    """The caller's conversations of the call by itself: {far end: its kind}."""
    sides, _ = sides_of(folder, build, [call])
    return {str(each.remote): each.kind for each in sides[call.trial]["alpha"].alone.conversations}


def test_who_sends_binding_requests_is_a_peer_and_who_answers_them_is_none(tmp_path, build):
    call = build.call()
    call.caller.put(0.1, *PEER, *A, build.stun(build.BINDING))
    call.caller.put(0.2, *A, *UNLISTED, build.stun(build.BINDING))
    call.caller.put(0.3, *UNLISTED, *A, build.stun(build.BOUND))
    assert alone(tmp_path, build, call) == {PEER[0]: "direct"}


def test_who_is_sent_two_fragments_is_a_peer_and_who_is_sent_another_user_name_is_none(tmp_path, build):
    call = build.call()
    call.caller.put(0.1, *A, *PEER, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    call.caller.put(0.2, *A, *UNLISTED, build.stun(build.BINDING, (build.USERNAME, b"abcdefgh")))
    assert alone(tmp_path, build, call) == {PEER[0]: "direct"}


def test_a_relay_that_checks_is_a_server(tmp_path, build):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0, relayed=SERVER[0])
    for relay in (RELAY, SERVER):
        call.caller.put(0.1, *relay, *A, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    assert alone(tmp_path, build, call) == {RELAY[0]: "server", SERVER[0]: "server"}


def test_a_check_that_a_relay_passes_on_makes_it_no_peer(tmp_path, build):
    call = build.call()
    for at_s in (0.1, 0.2):
        check = build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh"))
        call.caller.put(at_s, *RELAY, *A, build.channel(0x4000, check))
    assert alone(tmp_path, build, call) == {RELAY[0]: "server"}


def test_datagrams_that_are_there_twice_count_once(tmp_path, build):
    call = build.call()
    call.caller.relay(A, RELAY, 0.0)
    for start_s in (1.0, 1.0001):
        call.caller.talk(A, RELAY, start_s, start_s + 10.0, 120, 110)
    sides, dataset = sides_of(tmp_path, build, [call])
    found = legs_of(sides, dataset)[call.trial]["alpha"]
    assert (found.tx.packets, found.rx.packets) == (121, 111)


def test_a_leg_has_global_addresses_alone(tmp_path, build):
    call = relayed(build)
    call.caller.put(0.1, *PEER, *A, build.stun(build.BINDING))
    call.caller.put(0.2, "192.168.1.9", 7000, *A, build.stun(build.BINDING))
    sides, dataset = sides_of(tmp_path, build, [call])
    found = legs_of(sides, dataset)[call.trial]["alpha"]
    assert found.own == {"203.0.113.7", "2001:db8:a::7"}
    assert found.shown == {PEER[0], RELAY[0]}
