"""Dogwood and Elder: TURN over TCP and a one-sided relay, their truth against counts of tshark's and of `struct`."""

import re
import struct
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.definitions.virtual_network import AppNetwork
from tests.lab.virtual.test_traffic import (
    ANSWERED,
    FIXED,
    MOBILE,
    NONE,
    PHONES,
    PUBLIC,
    UNANSWERED,
    Bench,
    app,
    recorded,
)
from tests.lab.virtual.witness import fields, needs_tshark

COOKIE = bytes.fromhex("2112a442")
SEND, DATA = 0x16, 0x17
KEYS = ("tx_packets", "rx_packets", "tx_payload_bytes", "rx_payload_bytes")
CALLER_PUBLIC = NONE | {"caller_public": True}


def other(phone: str) -> str:
    return FIXED if phone == MOBILE else MOBILE


@pytest.mark.parametrize("service", ["voice", "video"])
@pytest.mark.parametrize("caller", PHONES)
@pytest.mark.parametrize("scenario", [*UNANSWERED, *ANSWERED])
@pytest.mark.parametrize("name", ["dogwood", "elder"])
def test_a_call_shows_what_its_way_through_the_relay_shows(name, scenario, caller, service):
    answered = scenario in ANSWERED
    truth = Bench().call(name, service, caller, scenario, talk_s=8.0)
    assert (truth["established"], truth["routing"]) == ((True, "relay") if answered else (False, None))
    assert (truth["service"], truth["role"], truth["p2p_observed"]) == (service if answered else None, None, False)
    # Elder's callee is told the caller's address as soon as it may be reached from there; Dogwood's tell each other.
    assert truth["exposed"] == (CALLER_PUBLIC if name == "elder" else PUBLIC if answered else NONE)
    lengths = [len(found) for found in truth["user_ids"]]
    assert lengths == ([5, 5] if name == "elder" else [8, 8] if answered else [])


@pytest.mark.parametrize("caller", PHONES)
def test_the_one_sided_relay_is_two_servers_of_which_none_is_shared(caller):
    servers = Bench().call("elder", "voice", caller, "callee_rejects")["servers"]
    name = "turn-01-e.example.net"
    assert servers["callee"] == [{"address": "192.0.2.51", "port": 3480, "name": name}]
    assert [(one["address"], one["name"]) for one in servers["caller"]] == [("192.0.2.51", name)]
    assert 40_100 <= servers["caller"][0]["port"] < 60_000
    assert servers["shared"] == []


@pytest.mark.parametrize("caller", PHONES)
def test_over_tcp_and_over_udp_both_phones_reach_the_same_servers(caller):
    servers = Bench().call("dogwood", "voice", caller, "callee_rejects")["servers"]
    assert [(one["address"], one["port"]) for one in servers["shared"]] == [("192.0.2.41", 443), ("192.0.2.42", 5349)]
    assert servers["caller"] == servers["callee"] == servers["shared"]


@cache
def call(name: str, service: str, caller: str) -> tuple[Bench, dict]:
    """A call that was answered, as whole frames, and its truth."""
    return recorded(name, service, caller, "caller_hangs_up", talk_s=9.0, snaplen=2000)


def captured(folder: Path, name: str, service: str, caller: str, phone: str) -> Path:
    path = folder / phone
    path.write_bytes(bytes(call(name, service, caller)[0].files[phone]))
    return path


def messages(stream: bytes) -> list[bytes]:
    """TURN messages of one direction of a TCP connection, as framed (RFC 8656 section 12.5, RFC 8489 section 6.2.2)."""
    found, at = [], 0
    while at < len(stream):
        first, length = struct.unpack_from("!HH", stream, at)
        size = 20 + length if first < 0x4000 else 4 + length + -length % 4
        found.append(stream[at : at + size])
        at += size
    assert at == len(stream)
    return found


def carries_media(message: bytes) -> bool:
    """Whether a message is media, ChannelData with them, or an indication with them."""
    first = int.from_bytes(message[:2], "big")
    if first in (SEND, DATA):
        return message[40:44] != COOKIE
    if 0x4000 <= first < 0x5000:
        return message[8:12] != COOKIE
    return message[4:8] != COOKIE


def counted(found: dict[bool, list[bytes]]) -> list[int]:
    media = {outgoing: [one for one in texts if carries_media(one)] for outgoing, texts in found.items()}
    sums = [len(media[way]) for way in (True, False)]
    return sums + [sum(map(len, media[way])) for way in (True, False)]


def told(name: str, service: str, caller: str, phone: str) -> list[int]:
    side = "caller" if phone == caller else "callee"
    return [call(name, service, caller)[1]["media"][side][key] for key in KEYS]


CALLS = [("voice", MOBILE), ("video", FIXED)]


@needs_tshark
@pytest.mark.parametrize(("service", "caller"), CALLS)
def test_messages_over_tcp_are_those_of_the_reassembled_stream(tmp_path, service, caller):
    capture = captured(tmp_path, "dogwood", service, caller, FIXED)
    found = {True: b"", False: b""}
    rows = fields(
        capture,
        "tcp && ip.addr==192.0.2.41",
        "tcp.dstport",
        "tcp.payload",
        "tcp.flags",
        "tcp.analysis.flags",
        "tcp.checksum.status",
    )
    for port, payload, _, analysis, checksum in rows:
        found[port == "443"] += bytes.fromhex(payload)
        assert (analysis, checksum) == ("", "1")
    assert counted({way: messages(text) for way, text in found.items()}) == told("dogwood", service, caller, FIXED)
    assert [flags for _, _, flags, _, _ in rows[:3]] == ["0x0002", "0x0012", "0x0010"]
    assert [flags for _, _, flags, _, _ in rows[-3:]] == ["0x0011", "0x0011", "0x0010"]
    assert [text[:2].hex() for text in messages(found[True])[:2]] == ["0003", "0003"]
    assert [text[:2].hex() for text in messages(found[False])[:2]] == ["0113", "0103"]


@needs_tshark
@pytest.mark.parametrize(
    ("name", "service", "caller", "phone", "port"),
    [
        ("dogwood", "voice", MOBILE, MOBILE, 443),
        ("dogwood", "video", FIXED, MOBILE, 443),
        ("elder", "voice", MOBILE, FIXED, 3480),
        ("elder", "video", FIXED, MOBILE, 3480),
        ("elder", "voice", MOBILE, MOBILE, None),
        ("elder", "video", FIXED, FIXED, None),
    ],
)
def test_datagrams_of_media_are_those_that_are_neither_stun_nor_carry_it(tmp_path, name, service, caller, phone, port):
    capture = captured(tmp_path, name, service, caller, phone)
    server = call(name, service, caller)[1]["servers"]["caller" if phone == caller else "callee"][0]
    assert port in (None, server["port"])
    address = int(ip_address(server["address"]))
    nat64 = f"64:ff9b::{address >> 16:x}:{address & 0xFFFF:x}"
    only = f"udp.port=={server['port']} && (ip.addr=={server['address']} || ipv6.addr=={nat64})"
    found: dict[bool, list[bytes]] = {True: [], False: []}
    for towards, payload in fields(capture, only, "udp.dstport", "udp.payload"):
        found[towards == str(server["port"])].append(bytes.fromhex(payload))
    assert counted(found) == told(name, service, caller, phone)
    inside = [text for texts in found.values() for text in texts if 0x40 <= text[0] < 0x50 and text[8:12] == COOKIE]
    indications = [
        text for texts in found.values() for text in texts if text[1] in (SEND, DATA) and carries_media(text)
    ]
    assert (len(inside) > 2, len(indications) > 20) == (port is not None, port is not None)


@needs_tshark
def test_without_a_relay_of_its_own_a_phone_sends_no_turn_and_names_itself_in_its_checks(tmp_path):
    capture = captured(tmp_path, "elder", "voice", MOBILE, MOBILE)
    port = call("elder", "voice", MOBILE)[1]["servers"]["caller"][0]["port"]
    rows = fields(capture, f"stun && udp.port=={port}", "stun.type", "stun.att.username")
    assert {kind for kind, _ in rows} == {"0x0001", "0x0101"}
    ids = set(call("elder", "voice", MOBILE)[1]["user_ids"])
    assert {frozenset(name.split(":")) for kind, name in rows if kind == "0x0001"} == {frozenset(ids)}


def test_checks_of_the_path_go_on_through_the_call_inside_channel_data():
    bench, truth = recorded("elder", "voice", MOBILE, "caller_hangs_up", talk_s=40.0, snaplen=400)
    assert truth["media"]["callee"]["tx_packets"] == pytest.approx(2000, rel=0.01)
    checks = re.findall(rb"\x00\x01\x00[^\x00]" + COOKIE, bytes(bench.files[FIXED]))
    assert 7 * 2 <= len(checks) <= 12 * 2


@pytest.mark.parametrize("name", ["dogwood", "elder"])
def test_the_same_key_gives_the_same_bytes_however_time_moves(name):
    files = [
        {
            phone: bytes(text)
            for phone, text in recorded(name, "voice", FIXED, "caller_hangs_up", **how)[0].files.items()
        }
        for how in ({}, {"step_ns": 33_000_001})
    ]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"turn_over_tcp": "hotspot", "media_framing": "rtp"}, "turn_over_tcp needs media_framing channel_data"),
        ({"turn_over_tcp": "hotspot", "keep_alive": {"every_s": "3", "form": "raw"}}, "keep_alive of form stun"),
        ({"consent": {"low_s": "0", "high_s": "5"}}, "consent needs a low_s above 0"),
        ({"indications_s": "1", "peer_address": "last"}, "indications_s needs media_framing channel_data"),
        ({"relayed": "nobody"}, "relayed must name a phone"),
        ({"relayed": "caller", "exposure": {"unanswered": "none", "conversation": "public"}}, "relayed on one side"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    network = app("elder").network.model_dump(mode="json") | changes
    if changes.get("media_framing") == "rtp":
        network |= {"consent": None, "indications_s": 0, "relayed": "both"}
    with pytest.raises(ValueError, match=message):
        AppNetwork.model_validate(network)
