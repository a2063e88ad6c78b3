"""What each end of a call is told, app by app, and what the operator hands on."""

from __future__ import annotations

from typing import Any

import pytest

from lab.definitions.base import Role
from lab.virtual.rig.policy import options, signalled
from tests.lab.virtual.emulated_apps import emulated

HOST = "candidate:1 1 udp 2113937151 100.72.13.5 45398 typ host generation 0 ufrag +4Cd"
REFLEXIVE = "candidate:2 1 udp 1677729535 198.51.100.9 45398 typ srflx raddr 100.72.13.5 rport 45398 generation 0"
RELAYED = "candidate:3 1 udp 41885439 31.13.87.50 41458 typ relay raddr 198.51.100.9 rport 40211 generation 0"
PHONES = {"mobile": ("lte", "raw"), "hotspot": ("fixed", "ethernet")}


def told(app: str, side: Role, phone: str, *, direct: bool = False, service: str = "voice") -> dict[str, Any]:
    rig = emulated(app).rig
    assert rig is not None
    return options(rig, side, *PHONES[phone], service, direct, lambda: {"username": "u", "credential": "c"})


def urls(app: str, side: Role, phone: str, *, direct: bool = False) -> list[str]:
    (server,) = told(app, side, phone, direct=direct)["servers"]
    assert ("username" in server) == server["urls"][0].startswith("turn")
    return list(server["urls"])


def test_whatsapp_is_told_a_relay_alone_or_none():
    assert urls("whatsapp", "caller", "mobile") == ["turn:31.13.87.50:3478?transport=udp"]
    assert urls("whatsapp", "callee", "hotspot", direct=True) == ["stun:31.13.87.50:3478"]
    assert [told("whatsapp", "caller", "mobile", direct=direct)["relay_only"] for direct in (False, True)] == [
        True,
        False,
    ]


def test_messenger_is_told_relays_by_its_network_and_may_use_all():
    assert urls("messenger", "caller", "mobile") == [
        "turn:[2a03:2880:f217:ce:face:b00c:0:74fd]:3478?transport=udp",
        "turn:31.13.87.54:40003?transport=udp",
    ]
    assert urls("messenger", "callee", "hotspot") == ["turn:31.13.87.128:3478?transport=udp"]
    assert not told("messenger", "caller", "mobile")["relay_only"]


def test_dogwood_is_told_tcp_on_the_hotspot_whoever_calls():
    assert urls("dogwood", "caller", "hotspot") == urls("dogwood", "callee", "hotspot")
    assert urls("dogwood", "callee", "hotspot") == ["turn:192.0.2.41:443?transport=tcp"]
    assert urls("dogwood", "callee", "mobile") == ["turn:192.0.2.41:443?transport=udp"]


def test_elders_callee_alone_is_told_a_relay_and_uses_nothing_else():
    assert urls("elder", "caller", "mobile") == ["stun:192.0.2.51:3480"]
    assert urls("elder", "callee", "mobile") == ["turn:192.0.2.51:3480?transport=udp"]
    assert [told("elder", side, "hotspot")["relay_only"] for side in ("caller", "callee")] == [False, True]


def test_a_video_call_and_a_longer_fragment_are_asked_for():
    assert told("snapchat", "caller", "mobile", service="video") == {
        "servers": [{"urls": ["turn:13.200.139.250:443?transport=udp"], "username": "u", "credential": "c"}],
        "relay_only": False,
        "video": True,
        "ufrag_characters": 16,
    }


@pytest.mark.parametrize(
    ("app", "handed_on"),
    [
        ("messenger", [HOST, REFLEXIVE, RELAYED]),
        (
            "snapchat",
            [
                None,
                REFLEXIVE.replace("100.72.13.5 rport 45398", "0.0.0.0 rport 0"),
                RELAYED.replace("198.51.100.9 rport 40211", "0.0.0.0 rport 0"),
            ],
        ),
        ("dogwood", [None, None, RELAYED.replace("198.51.100.9 rport 40211", "0.0.0.0 rport 0")]),
    ],
)
def test_where_host_candidates_are_kept_back_so_is_the_related_address(app, handed_on):
    rig = emulated(app).rig
    assert [signalled(rig, candidate) for candidate in (HOST, REFLEXIVE, RELAYED)] == handed_on


def test_a_line_that_is_no_candidate_is_kept_back():
    assert signalled(emulated("messenger").rig, "end-of-candidates") is None
