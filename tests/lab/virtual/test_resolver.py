"""The bench's resolver, asked with dnspython's own queries and with bytes by hand."""

from ipaddress import ip_address
from types import SimpleNamespace

import dns.message
import dns.rcode
import dns.reversename
import pytest

from lab.definitions.virtual_network import Relay
from lab.virtual.network.resolver import PtrResponder, server_names

NAMES = {"192.0.2.21": "turn-01-a.example.net", "2001:db8:b1::21": "turn6-01-a.example.net"}


def asked(address: str, kind: str = "PTR") -> dns.message.Message:
    query = dns.message.make_query(dns.reversename.from_address(address), kind)
    return dns.message.from_wire(PtrResponder(NAMES).reply(query.to_wire()))


@pytest.mark.parametrize("address", NAMES)
def test_a_server_with_a_name_is_answered_by_either_address(address):
    reply = asked(address)
    assert reply.rcode() == dns.rcode.NOERROR
    assert [str(item.target) for rrset in reply.answer for item in rrset] == [NAMES[address] + "."]


def test_any_other_address_does_not_exist():
    assert asked("192.0.2.22").rcode() == dns.rcode.NXDOMAIN
    assert asked("2001:db8:b1::22").answer == []


def test_any_other_kind_of_record_does_not_exist():
    assert asked("192.0.2.21", "TXT").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"\0" * 5,
        bytes.fromhex("123401000001000000000000ff"),
        bytes.fromhex("123481000000000000000000"),
        bytes.fromhex("123401000000000000000000"),
    ],
    ids=["empty", "short", "cut name", "a reply", "no question"],
)
def test_what_is_no_query_gets_no_answer(query):
    assert PtrResponder(NAMES).reply(query) is None


def test_a_datagram_is_answered_to_its_sender():
    sent = []
    responder = PtrResponder(NAMES)
    query = dns.message.make_query(dns.reversename.from_address("192.0.2.21"), "PTR")
    responder._transport = SimpleNamespace(sendto=lambda data, peer: sent.append((data, peer)))
    responder.datagram_received(query.to_wire(), ("127.0.0.1", 4000))
    responder.datagram_received(b"junk", ("127.0.0.1", 4000))
    assert [peer for _, peer in sent] == [("127.0.0.1", 4000)]
    assert dns.message.from_wire(sent[0][0]).id == query.id


def test_names_come_from_the_relays_by_both_addresses():
    common = {"port": 443, "framing": "turn", "purpose": "media"}
    relays = [
        Relay(name="a.example.net", ipv6_name="a6.example.net", ipv4="192.0.2.1", ipv6="2001:db8::1", **common),
        Relay(ipv4="192.0.2.2", ipv6="2001:db8::2", **common),
    ]
    app = SimpleNamespace(network=SimpleNamespace(relays=relays))
    assert server_names([app]) == {"192.0.2.1": "a.example.net", "2001:db8::1": "a6.example.net"}
    assert ip_address("2001:db8::1") == relays[0].ipv6
