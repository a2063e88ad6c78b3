"""The truth of a rig's call, from what its witnesses say (getStats of Chromium 156; only what is looked at is kept)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from lab.virtual.handset.exchange import Call
from lab.virtual.rig import truth
from lab.virtual.rig.calls import End
from lab.virtual.rig.coturn import Relayed
from tests.lab.virtual.emulated_apps import emulated

RELAYED = [
    {
        "id": "CPbNcPgkrL_rGx12s+v",
        "type": "candidate-pair",
        "localCandidateId": "IbNcPgkrL",
        "remoteCandidateId": "IrGx12s+v",
        "packetsReceived": 510,
        "packetsSent": 518,
        "requestsReceived": 5,
        "requestsSent": 6,
        "responsesReceived": 6,
        "state": "succeeded",
    },
    {"id": "IbNcPgkrL", "type": "local-candidate", "candidateType": "relay", "protocol": "udp", "relayProtocol": "tls"},
    {"id": "IrGx12s+v", "type": "remote-candidate", "candidateType": "relay", "protocol": "udp"},
    {
        "id": "T01",
        "type": "transport",
        "packetsReceived": 510,
        "packetsSent": 518,
        "selectedCandidatePairId": "CPbNcPgkrL_rGx12s+v",
    },
]
DIRECT = [
    *(each for each in RELAYED if not each["type"].endswith("-candidate")),
    {"id": "IbNcPgkrL", "type": "local-candidate", "candidateType": "srflx", "protocol": "udp"},
    {"id": "IrGx12s+v", "type": "remote-candidate", "candidateType": "prflx", "protocol": "udp"},
]
HOST = "candidate:1 1 udp 2113937151 100.72.13.5 45398 typ host generation 0"
REFLEXIVE = "candidate:2 1 udp 1677729535 198.51.100.9 45398 typ srflx raddr 100.72.13.5 rport 45398 generation 0"
RELAY = "candidate:3 1 udp 41885439 31.13.87.50 41458 typ relay raddr 198.51.100.9 rport 40211 generation 0"
OTHERS_RELAY = "candidate:4 1 udp 41885439 192.0.2.51 44330 typ relay raddr 203.0.113.1 rport 40000 generation 0"
ADDRESSES = {
    "pixel6": (frozenset([ip_address("100.72.13.5")]), frozenset([ip_address("198.51.100.9")])),
    "pixel6pro": (frozenset([ip_address("192.168.137.2")]), frozenset([ip_address("203.0.113.1")])),
}
NOTHING = Relayed(0, (), 0, 0)


def end(**known: Any) -> End:
    return End(None, "HeadlessChrome/156.0.8078.108", **known)  # type: ignore[arg-type]


@dataclass
class Played:
    """A call that is over."""

    call: Call
    ends: dict[str, End]
    connected: bool = True
    failures: list[str] = field(default_factory=list)


def played(caller: End, callee: End, app: str = "messenger", answered_ns: int | None = 2) -> Any:
    call = Call(emulated(app), "voice", "pixel6", "pixel6pro", 0, 1, answered_ns, 3, "caller")
    return Played(call, {"caller": caller, "callee": callee}, connected=answered_ns is not None)


def told(call: Any, relayed: Relayed = NOTHING) -> dict[str, Any]:
    return truth.truth(call, ADDRESSES, {"caller": relayed, "callee": NOTHING}, {"31.13.87.50": "relay.example"})


def test_the_pair_in_use_has_the_types_of_its_ends_and_the_protocol_to_the_relay():
    assert truth.selected(RELAYED) == {
        "local": "relay",
        "remote": "relay",
        "protocol": "tls",
        "sent": 518,
        "received": 510,
    }
    assert truth.selected(RELAYED[:3]) is None


def test_a_call_is_relayed_where_any_end_of_a_pair_is_a_relays():
    assert told(played(end(statistics=DIRECT), end(statistics=DIRECT)))["routing"] == "p2p"
    assert told(played(end(statistics=DIRECT), end(statistics=RELAYED)))["routing"] == "relay"


def test_a_call_that_nobody_answers_has_no_route_and_no_service():
    found = told(played(end(statistics=DIRECT), end(statistics=DIRECT), answered_ns=None))
    assert (found["established"], found["routing"], found["service"]) == (False, None, None)
    assert (found["observed_scenario"], found["p2p_observed"]) == ("caller_cancels", True)


def test_media_are_counted_by_the_browser_and_their_bytes_are_not_told():
    assert told(played(end(statistics=RELAYED), end()))["media"] == {
        "caller": {"tx_packets": 518, "rx_packets": 510, "tx_payload_bytes": None, "rx_payload_bytes": None},
        "callee": {"tx_packets": 0, "rx_packets": 0, "tx_payload_bytes": None, "rx_payload_bytes": None},
    }


def test_an_address_is_exposed_by_being_handed_to_the_other_end():
    found = told(played(end(), end(taken={HOST: 1, RELAY: 2})))
    assert found["exposed"] == {
        "caller_public": False,
        "caller_private": True,
        "callee_public": False,
        "callee_private": False,
    }
    assert told(played(end(), end(taken={REFLEXIVE: 1})))["exposed"]["caller_public"]


def test_servers_are_those_that_allocated_and_relayed_addresses_that_were_checked_without_a_relay():
    near = end(gathered={RELAY: "turn:31.13.87.50:3478?transport=udp"}, checked={("srflx", "192.0.2.51", 44330)})
    far = end(gathered={OTHERS_RELAY: None}, checked={("relay", "31.13.87.50", 41458)})
    asked = Relayed(1, ((ip_address("31.13.87.50"), 3478),), 10, 10)
    found = told(played(near, far), asked)["servers"]
    assert found["caller"] == [
        {"address": "192.0.2.51", "port": 44330, "name": None},
        {"address": "31.13.87.50", "port": 3478, "name": "relay.example"},
    ]
    assert found["callee"] == found["shared"] == []


def test_user_ids_are_fragments_of_the_apps_length_that_both_ends_checks_carried():
    ends = end(sdp="a=ice-ufrag:+4Cd\r\n", statistics=DIRECT), end(sdp="a=ice-ufrag:fzee\r\n", statistics=DIRECT)
    assert told(played(*ends))["user_ids"] == ["+4Cd", "fzee"]
    assert told(played(*ends, app="snapchat"))["user_ids"] == []
    assert told(played(ends[0], end(sdp=ends[1].sdp)))["user_ids"] == []


def test_what_is_not_played_is_there_with_its_reason():
    unplayed = told(played(end(), end(), app="whatsapp"))["rig"]["unplayed"]
    assert sorted(unplayed) == ["role", "service"]
    assert all(reason.startswith("libwebrtc ") for reason in unplayed.values())


def test_an_attempt_without_a_call_has_no_browsers():
    assert told(None) == {
        "observed_scenario": None,
        "caller": None,
        "established": False,
        "rig": {"failures": []},
    }


def test_coturn_contradicts_a_browser_that_says_it_was_relayed_when_nothing_was():
    found = told(played(end(statistics=RELAYED), end(statistics=DIRECT)))
    carried, idle = Relayed(1, ((ip_address("31.13.87.50"), 3478),), 510, 520), NOTHING
    assert truth.contradictions(found, {"caller": carried, "callee": idle}) == []
    assert [text[:26] for text in truth.contradictions(found, {"caller": idle, "callee": carried})] == [
        "the caller sent 518 packet",
        "the callee sent 518 packet",
    ]


def test_coturn_contradicts_a_call_without_conversation_that_it_carried():
    found = told(played(end(), end(), answered_ns=None))
    carried = Relayed(1, (), 100, 100)
    assert truth.contradictions(found, {"caller": carried, "callee": NOTHING}) == [
        "no conversation, and coturn relayed packets both ways for the caller"
    ]


def test_a_check_on_a_pair_that_failed_was_sent_though_the_last_statistics_have_it_no_longer():
    assert not truth.checked(end(statistics=[]))
    assert truth.checked(end(statistics=[], checked={("host", "192.0.2.51", 44330)}))
    assert truth.checked(end(statistics=RELAYED))
