"""STUN and TURN bytes against the vectors and layouts of the RFCs, written by hand."""

import hashlib
import hmac
import random
import zlib
from ipaddress import ip_address

from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Endpoint

RFC5769 = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def test_an_ipv4_address_is_xored_as_in_rfc_5769():
    endpoint = Endpoint(ip_address("192.0.2.1"), 32853)
    found = stunwire.xor_address(stunwire.XOR_MAPPED_ADDRESS, endpoint, RFC5769)
    assert found == (0x0020, bytes.fromhex("0001a147e112a643"))


def test_an_ipv6_address_is_xored_as_in_rfc_5769():
    endpoint = Endpoint(ip_address("2001:db8:1234:5678:11:2233:4455:6677"), 32853)
    found = stunwire.xor_address(stunwire.XOR_PEER_ADDRESS, endpoint, RFC5769)
    assert found == (0x0012, bytes.fromhex("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"))


def test_attributes_are_padded_to_four_bytes_and_keep_their_length():
    text = stunwire.message(stunwire.BINDING, RFC5769, [(stunwire.USERNAME, b"a:b"), (stunwire.REALM, b"abcd")])
    assert text == bytes.fromhex("00010010 2112a442 b7e7a701bc34d686fa87dfae 00060003 613a6200 00140004 61626364")


def test_a_binding_success_is_thirty_two_bytes():
    reply = stunwire.binding_success(RFC5769, Endpoint(ip_address("192.0.2.1"), 32853))
    assert reply == bytes.fromhex("0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643")


def test_integrity_and_fingerprint_cover_what_stands_before_them():
    text = stunwire.protected(stunwire.BINDING, RFC5769, [(stunwire.USERNAME, b"evtj:h6vY")], b"secret")
    assert text[:4] == bytes.fromhex("00010030")
    assert len(text) == 20 + 0x30
    assert text[-8:-4] == bytes.fromhex("80280004")
    assert int.from_bytes(text[-4:], "big") == zlib.crc32(text[:-8]) ^ 0x5354554E
    assert text[-32:-28] == bytes.fromhex("00080014")
    covered = text[:2] + (0x28).to_bytes(2, "big") + text[4:-32]
    assert text[-28:-8] == hmac.new(b"secret", covered, hashlib.sha1).digest()


def test_channel_data_has_four_bytes_of_header_and_no_padding():
    assert stunwire.channel_data(0x4001, b"abc") == bytes.fromhex("40010003616263")


def test_a_fragment_has_the_asked_length_and_only_ice_characters():
    fragment = stunwire.new_fragment(random.Random("key"), 16)
    assert len(fragment) == 16
    assert fragment.isascii()
    assert all(character.isalnum() or character in "+/" for character in fragment)
    assert fragment == stunwire.new_fragment(random.Random("key"), 16)


def test_only_a_whole_binding_request_with_the_cookie_is_one():
    request = stunwire.message(stunwire.BINDING, RFC5769)
    assert stunwire.is_binding_request(request)
    assert not stunwire.is_binding_request(request[:-1])
    assert not stunwire.is_binding_request(request + b"\0")
    assert not stunwire.is_binding_request(request[:4] + bytes(4) + request[8:])
    assert not stunwire.is_binding_request(stunwire.message(stunwire.ALLOCATE, RFC5769))


def test_the_warp_methods_are_0x0800_to_0x0805():
    assert (stunwire.WARP_HELLO, stunwire.WARP_PING, stunwire.WARP_PONG) == (0x0800, 0x0801, 0x0802)
    assert stunwire.WARP_BYE_REPLY == 0x0805
