import struct
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate import stun
from correlate.stun.decoding import contents
from correlate.stun.suspects import candidates

COOKIE = bytes.fromhex("2112a442")
TRANSACTION = bytes(range(12))


def attribute(kind, value, length=None):
    size = len(value) if length is None else length
    return struct.pack(">HH", kind, size) + value + bytes(-len(value) % 4)


def message(*attributes, kind=0x0001, length=None, transaction=TRANSACTION):
    body = b"".join(attributes)
    return struct.pack(">HH", kind, len(body) if length is None else length) + COOKIE + transaction + body


def channel(payload, number=0x4001, length=None):
    return struct.pack(">HH", number, len(payload) if length is None else length) + payload


def head(*payloads):
    return np.array([list(payload[:16].ljust(16, b"\0")) for payload in payloads], np.uint8).reshape(-1, 16)


def test_every_attribute_that_is_read_stands_in_one_table():
    """Numbers as IANA's STUN registry has them."""
    table = {(each.number, each.name, each.named) for each in stun.ATTRIBUTES}
    assert table == {
        (0x0001, "MAPPED-ADDRESS", "client"), (0x0006, "USERNAME", None), (0x0012, "XOR-PEER-ADDRESS", "peer"),
        (0x0013, "DATA", None), (0x0016, "XOR-RELAYED-ADDRESS", "relay"), (0x0020, "XOR-MAPPED-ADDRESS", "client"),
        (0x8020, "XOR-MAPPED-ADDRESS", "client"), (0x8023, "ALTERNATE-SERVER", "relay"),
        (0x0002, "RESPONSE-ADDRESS", "peer"), (0x000B, "REFLECTED-FROM", "peer"), (0x0004, "SOURCE-ADDRESS", "server"),
        (0x0005, "CHANGED-ADDRESS", "server"), (0x802B, "RESPONSE-ORIGIN", "server"),
        (0x802C, "OTHER-ADDRESS", "server"),
    }  # fmt: skip
    assert stun.CLIENT_ADDRESSES == (0x0020, 0x8020, 0x0001)
    assert set(stun.RELAY_ADDRESSES) == {0x0016, 0x8023}
    assert set(stun.SERVER_ADDRESSES) == {0x0004, 0x0005, 0x802B, 0x802C}
    assert (stun.USERNAME, stun.DATA) == (0x0006, 0x0013)
    assert all((each.named is None) == ("address" not in each.form) for each in stun.ATTRIBUTES)


def test_a_type_is_a_method_and_a_class():
    """RFC 8489 5: the class bits stand between those of the method."""
    types = (0x0001, 0x0101, 0x0111, 0x0003, 0x0103, 0x0017, 0x0110, 0x3EEF, 0x3FFF)
    assert [stun.method(kind) for kind in types] == [1, 1, 1, 3, 3, 7, 0, 0xFFF, 0xFFF]
    assert [stun.is_success(kind) for kind in types] == [False, True, False, False, True, False, False, False, False]
    assert (stun.ALLOCATED, stun.TURN_REQUESTS) == (0x0103, (0x0003, 0x0004, 0x0008, 0x0009))


def test_of_several_mapped_addresses_the_xored_one_counts_by_its_number_and_of_one_number_the_first():
    one, two, three = (IPv4Address(f"203.0.113.{number}") for number in (1, 2, 3))
    plain = attribute(0x0001, struct.pack(">BBH", 0, 1, 1) + one.packed)
    draft, first, second = (
        attribute(kind, xored(end, 2)) for kind, end in ((0x8020, two), (0x0020, three), (0x0020, one))
    )
    assert stun.mapped_address(message(plain, draft, first, second, kind=0x0101)) == (three, 2)
    assert stun.mapped_address(message(plain, draft, kind=0x0101)) == (two, 2)


def test_a_binding_request_is_these_20_bytes():
    assert stun.binding_request(TRANSACTION).hex() == "00010000" + "2112a442" + "000102030405060708090a0b"


def test_a_transaction_of_another_length_is_refused():
    with pytest.raises(ValueError, match="a transaction id has 12 bytes, this one 11"):
        stun.binding_request(bytes(11))


# RFC 5769 2.2 and 2.3: sample responses, of which the mapped addresses are given in the text.
RFC5769_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC5769_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_sample_responses_of_rfc_5769_map_to_their_addresses():
    assert stun.mapped_address(RFC5769_IPV4) == (IPv4Address("192.0.2.1"), 32853)
    assert stun.mapped_address(RFC5769_IPV6) == (IPv6Address("2001:db8:1234:5678:11:2233:4455:6677"), 32853)
    (decoded,) = stun.decode(RFC5769_IPV4)
    assert [kind for kind, _ in decoded.attributes] == [0x8022, 0x0020, 0x0008, 0x8028]
    assert decoded.transaction.hex() == "b7e7a701bc34d686fa87dfae"


def test_only_a_binding_success_response_gives_a_mapped_address():
    mapped = attribute(0x0001, struct.pack(">BBH4B", 0, 1, 3478, 198, 51, 100, 7))
    assert stun.mapped_address(message(mapped, kind=0x0101)) == (IPv4Address("198.51.100.7"), 3478)
    assert stun.mapped_address(message(mapped, kind=0x0111)) is None
    assert stun.mapped_address(message(kind=0x0101)) is None
    assert stun.mapped_address(channel(message(mapped, kind=0x0101))) is None
    assert stun.mapped_address(b"") is None


def xored(address, port, transaction=TRANSACTION):
    key = COOKIE + transaction
    packed = bytes(one ^ other for one, other in zip(address.packed, key, strict=False))
    return struct.pack(">BBH", 0, 1 if address.version == 4 else 2, port ^ 0x2112) + packed


@pytest.mark.parametrize("address", [IPv4Address("203.0.113.9"), IPv6Address("2001:db8::9")])
@pytest.mark.parametrize("kind", [0x0012, 0x0016, 0x0020, 0x8020])
def test_xor_addresses_come_out_plain(kind, address):
    (decoded,) = stun.decode(message(attribute(kind, xored(address, 40003))))
    assert decoded.addresses == ((kind, address, 40003),)


@pytest.mark.parametrize("address", [IPv4Address("203.0.113.9"), IPv6Address("2001:db8::9")])
@pytest.mark.parametrize("kind", [0x0001, 0x8023])
def test_plain_addresses_stay_plain(kind, address):
    value = struct.pack(">BBH", 0, 1 if address.version == 4 else 2, 40003) + address.packed
    (decoded,) = stun.decode(message(attribute(kind, value)))
    assert decoded.addresses == ((kind, address, 40003),)


def test_half_an_address_and_an_unknown_family_are_no_address():
    short = attribute(0x0001, struct.pack(">BBH3B", 0, 1, 3478, 198, 51, 100))
    family = attribute(0x0020, struct.pack(">BBH4B", 0, 3, 3478, 198, 51, 100, 7))
    (decoded,) = stun.decode(message(short, family))
    assert decoded.addresses == ()


@pytest.mark.parametrize(
    ("value", "username"),
    [
        (b"kSty:XpJs", "kSty:XpJs"),
        ("Ωmega".encode(), "Ωmega"),
        (b"\xff\xfe\x00\x01", None),
        (b"abc\x00", "abc"),
        (b"ab\x00c", None),
        (b"a\x1b[31m", None),
        (b"", ""),
    ],
)
def test_a_username_is_text_only_where_it_is_printable_utf_8(value, username):
    (decoded,) = stun.decode(message(attribute(6, value)))
    assert decoded.username == username


def test_the_first_username_counts():
    (decoded,) = stun.decode(message(attribute(6, b"one"), attribute(6, b"two")))
    assert decoded.username == "one"


def test_any_method_counts_and_zero_attributes_are_listed():
    (decoded,) = stun.decode(message(*[attribute(0, b"")] * 118, kind=0x0802))
    assert (decoded.type, decoded.attributes) == (0x0802, ((0, b""),) * 118)


def test_without_cookie_or_with_a_first_byte_of_64_it_is_no_message():
    assert stun.decode(bytes.fromhex("00010000" + "2112a443") + TRANSACTION) == []
    assert stun.decode(bytes.fromhex("50010000" + "2112a442") + TRANSACTION) == []


def test_a_message_in_data_is_listed_behind_its_outer_one():
    outer = message(attribute(0x0013, message(attribute(6, b"kSty:XpJs"))), kind=0x0016)
    decoded = stun.decode(outer)
    assert [(one.type, one.nested, one.channel, one.username) for one in decoded] == [
        (0x0016, None, None, None),
        (0x0001, "data", None, "kSty:XpJs"),
    ]


def test_a_message_in_channel_data_knows_its_channel():
    (decoded,) = stun.decode(channel(message(attribute(6, b"XpJs:kSty")), number=0x4003))
    assert (decoded.nested, decoded.channel, decoded.username) == ("channel", 0x4003, "XpJs:kSty")


def test_containers_in_containers_name_the_innermost():
    inner = channel(message(attribute(0x0013, message(kind=0x0101)), kind=0x0017), number=0x4002)
    found = [(one.type, one.nested, one.channel) for one in stun.decode(channel(inner, number=0x4001))]
    assert found == [(0x0017, "channel", 0x4002), (0x0101, "data", 0x4002)]


def test_nesting_deeper_than_the_bound_is_left():
    payload = message()
    for _ in range(stun.MAX_DEPTH - 1):
        payload = channel(payload)
    assert len(stun.decode(payload)) == 1
    assert stun.decode(channel(payload)) == []


@pytest.mark.parametrize("first", [channel, lambda inner: message(attribute(0x0013, inner), kind=0x0016)])
def test_data_in_channel_data_in_data_is_followed_to_the_bound(first):
    payload = message(attribute(6, b"deep"), kind=0x0001)
    second = channel if first is not channel else lambda inner: message(attribute(0x0013, inner), kind=0x0016)
    for depth in range(stun.MAX_DEPTH - 1):
        payload = (first if depth % 2 else second)(payload)
    assert [one.username for one in stun.decode(payload)][-1] == "deep"
    outer = second(payload) if stun.MAX_DEPTH % 2 else first(payload)
    assert "deep" not in [one.username for one in stun.decode(outer)]
    assert len(stun.decode(outer)) == stun.MAX_DEPTH // 2


def test_padding_behind_channel_data_is_no_payload():
    assert stun.decode(channel(message(), length=4)) == []


def test_lengths_that_lie_are_clipped():
    too_long = message(attribute(6, b"abcd"), length=0xFFFF)
    assert [one.attributes for one in stun.decode(too_long)] == [((6, b"abcd"),)]
    too_short = message(attribute(6, b"abcd"), attribute(8, bytes(20)), length=8)
    assert [one.attributes for one in stun.decode(too_short)] == [((6, b"abcd"),)]
    inside = message(attribute(6, b"abcd", length=0xFFFF))
    assert [one.attributes for one in stun.decode(inside)] == [((6, b"abcd"),)]


def test_a_message_that_the_snapshot_length_cut_still_counts():
    (decoded,) = stun.decode(message(attribute(6, b"abcd"))[:18])
    assert (decoded.type, decoded.transaction, decoded.attributes) == (1, TRANSACTION[:10], ())


@pytest.mark.parametrize(
    ("size", "name"),
    [(33, "abcd:efgh"), (32, None), (29, None), (28, None), (24, None)],
    ids=[
        "its last byte is there",
        "its last byte is not",
        "up to the colon",
        "a part of the first",
        "its header alone",
    ],
)
def test_a_username_that_the_snapshot_length_cut_is_none(size, name):
    whole = message(attribute(6, b"abcd:efgh"))
    for head, payload in ((0, whole), (24, message(attribute(0x13, whole), kind=0x0016)), (4, channel(whole))):
        *_, found = contents(payload[: head + size], len(payload)).messages
        assert (found.type, found.username) == (1, name)
        *_, every = contents(payload, len(payload)).messages
        assert every.username == "abcd:efgh"


def test_ipv6_under_a_cut_transaction_cannot_be_told():
    (decoded,) = stun.decode(message()[:16])
    assert decoded.addresses == ()


def pieces():
    kinds = st.sampled_from([0x0001, 0x0006, 0x0012, 0x0013, 0x0016, 0x0020, 0x8020, 0x8023, 0])
    attributes = st.builds(attribute, kinds, st.binary(max_size=40), st.none() | st.integers(0, 0xFFFF))
    plain = st.builds(lambda parts: message(*parts), st.lists(attributes, max_size=4))
    return st.recursive(
        plain | st.binary(max_size=60),
        lambda inner: (
            st.builds(channel, inner, st.integers(0x4000, 0x4FFF), st.none() | st.integers(0, 0xFFFF))
            | st.builds(lambda one: message(attribute(0x0013, one)), inner)
        ),
        max_leaves=6,
    )


@settings(max_examples=300, deadline=None)
@given(pieces(), st.data())
def test_no_payload_raises_and_the_vector_test_misses_none(payload, data):
    cut = payload[: data.draw(st.integers(0, len(payload)))]
    for one in (payload, cut):
        decoded = stun.decode(one)
        size = np.array([len(one)])
        assert not decoded or candidates(head(one), size, size).tolist() == [0]
        for found in decoded:
            assert found.type < 0x4000
            assert (found.nested == "channel") <= (found.channel is not None)
            assert isinstance(found.username, str | None)
            assert all(0 <= port < 65536 for _, _, port in found.addresses)
    assert stun.mapped_address(cut) is None or cut[:2] == b"\x01\x01"
