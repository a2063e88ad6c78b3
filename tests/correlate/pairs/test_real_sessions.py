"""The sessions of real calls (../shared/calls): which join, and which are the same on both sides."""

import json
from ipaddress import ip_address
from pathlib import Path

import pytest

from correlate.dataset.clocks import UNKNOWN
from correlate.dataset.record.analysis import GENERIC
from correlate.pairs import SideRecord, pair
from correlate.pairs.sessions import RULES, sessions

CALLS = Path(__file__).parents[4] / "shared/calls"
PHONE = frozenset(map(ip_address, ("100.72.13.5", "2001:b400:e2d1:1::5"))), frozenset({ip_address("111.71.50.10")})
LAPTOP = frozenset({ip_address("192.168.137.231")}), frozenset({ip_address("118.163.20.77")})
absent = pytest.mark.skipif(not CALLS.is_dir(), reason="needs the calls in ../shared/calls, which are absent")


def loaded(name, swapped=False):
    paths = [CALLS / f"{name}.lap.pcapng", CALLS / f"{name}.ph1.pcap"]
    sides = [
        SideRecord(who, path, *addresses, UNKNOWN)
        for who, path, addresses in zip(
            ("fixed", "lte"), paths[::-1] if swapped else paths, (LAPTOP, PHONE), strict=True
        )
    ]
    return pair(*sides, None, {}, GENERIC)


@absent
def test_an_ice_restart_is_one_direct_session_on_both_sides_and_its_old_relay_is_not_joined():
    call = loaded("restart_voice")
    assert [
        [[each.local_port for each in session.segments] for session in sessions(side, "direct") if session.is_two_way]
        for side in (call.a, call.b)
    ] == [[[57199, 52254]], [[37952, 44100]]]
    found = RULES["p2p"](call)
    assert found.identity == "direct"
    # Some 10 s by each of the two paths; the counters of the truth are of the second alone.
    assert (found.a.rx.packets, found.b.tx.packets) == (667 + 607, 667 + 607)
    assert json.loads((CALLS / "truth.json").read_text())["restart_voice"]["selected"]["caller"]["tx_packets"] == 591
    assert all(len(session.segments) == 1 for side in (call.a, call.b) for session in sessions(side, "server"))


@absent
@pytest.mark.parametrize("name", ["baresip_voice_a", "p2p_video_a"])
def test_two_components_and_a_relay_before_the_direct_path_are_sessions_by_themselves(name):
    call = loaded(name)
    for side in (call.a, call.b):
        for kind in ("server", "direct"):
            assert all(len(session.segments) == 1 for session in sessions(side, kind))
    assert RULES["p2p"](call).identity == "direct"


@absent
def test_captures_of_a_real_call_that_are_swapped_are_told():
    assert loaded("relay_voice_a").mixed_up == ""
    assert loaded("relay_voice_a", swapped=True).mixed_up.startswith("swapped: the addresses recorded of fixed")
