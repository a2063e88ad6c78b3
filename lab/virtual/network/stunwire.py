"""STUN and TURN messages as bytes (RFC 8489, RFC 8656, RFC 8445): an encoder only; nothing here reads a capture."""

import hashlib
import hmac
import random
import struct
import zlib
from collections.abc import Sequence
from ipaddress import IPv4Address

from lab.virtual.network.addresses import Endpoint

COOKIE = 0x2112A442
HEADER_BYTES = 20

# Requests and indications; the class bits that make a response of a request (RFC 8489 section 5, RFC 8656 section 17).
BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND = 0x0001, 0x0003, 0x0004, 0x0008, 0x0009
BINDING_INDICATION, SEND, DATA = 0x0011, 0x0016, 0x0017
SUCCESS, ERROR = 0x0100, 0x0110
# The messages of WARP relays, as captures show them.
WARP_HELLO, WARP_PING, WARP_PONG, WARP_HELLO_REPLY, WARP_BYE, WARP_BYE_REPLY = range(0x0800, 0x0806)

# Attributes (RFC 8489 section 18.3, RFC 8656 section 18, RFC 8445 section 16.1).
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0006, 0x0008, 0x0009
CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA_ATTRIBUTE = 0x000C, 0x000D, 0x0012, 0x0013
REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_TRANSPORT, XOR_MAPPED_ADDRESS = 0x0014, 0x0015, 0x0016, 0x0019, 0x0020
PRIORITY, USE_CANDIDATE, SOFTWARE, FINGERPRINT = 0x0024, 0x0025, 0x8022, 0x8028
ICE_CONTROLLED, ICE_CONTROLLING = 0x8029, 0x802A
GOOG_NETWORK_INFO = 0xC057
# Those of WARP relays; the names are ours.
WARP_PARAMETERS, WARP_TOKEN, WARP_STATE, WARP_NUMBER = 0x0022, 0x4000, 0x4002, 0x4003
WARP_PADDING, WARP_REASON = 0x4004, 0x4007

_FRAGMENT_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

Attribute = tuple[int, bytes]


def message(kind: int, transaction: bytes, attributes: Sequence[Attribute] = ()) -> bytes:
    """A message with its attributes, each padded to four bytes with zeros (RFC 8489 section 14)."""
    body = b"".join(
        struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4) for number, value in attributes
    )
    return struct.pack("!HHI", kind, len(body), COOKIE) + transaction + body


def sealed(kind: int, transaction: bytes, attributes: Sequence[Attribute], key: bytes) -> bytes:
    """A message with MESSAGE-INTEGRITY (HMAC-SHA1 under `key`, RFC 8489 section 14.5)."""
    plain = message(kind, transaction, attributes)
    plain = _with_length(plain, len(plain) + 4)
    digest = hmac.new(key, plain, hashlib.sha1).digest()
    return plain + struct.pack("!HH", MESSAGE_INTEGRITY, 20) + digest


def protected(kind: int, transaction: bytes, attributes: Sequence[Attribute], key: bytes) -> bytes:
    """A `sealed` message with FINGERPRINT (RFC 8489 section 14.7)."""
    text = sealed(kind, transaction, attributes, key)
    text = _with_length(text, len(text) - HEADER_BYTES + 8)
    return text + struct.pack("!HHI", FINGERPRINT, 4, zlib.crc32(text) ^ 0x5354554E)


def _with_length(text: bytes, length: int) -> bytes:
    return text[:2] + struct.pack("!H", length) + text[4:]


def xor_address(number: int, endpoint: Endpoint, transaction: bytes) -> Attribute:
    """An XOR-MAPPED, XOR-PEER or XOR-RELAYED ADDRESS attribute (RFC 8489 section 14.2)."""
    port = endpoint.port ^ COOKIE >> 16
    if isinstance(endpoint.address, IPv4Address):
        return number, struct.pack("!xBHI", 1, port, int(endpoint.address) ^ COOKIE)
    mask = int.from_bytes(struct.pack("!I", COOKIE) + transaction, "big")
    return number, struct.pack("!xBH", 2, port) + (int(endpoint.address) ^ mask).to_bytes(16, "big")


def channel_data(channel: int, payload: bytes) -> bytes:
    """ChannelData over UDP: four bytes of header, no padding (RFC 8656 section 12.4)."""
    return struct.pack("!HH", channel, len(payload)) + payload


def new_transaction(draw: random.Random) -> bytes:
    """Twelve bytes of transaction id."""
    return draw.randbytes(12)


def new_fragment(draw: random.Random, length: int) -> str:
    """An ICE username fragment: characters of RFC 8445 section 5.3."""
    return "".join(draw.choice(_FRAGMENT_CHARACTERS) for _ in range(length))


def binding_success(transaction: bytes, mapped: Endpoint) -> bytes:
    """The answer of a STUN server to a Binding request."""
    return message(BINDING | SUCCESS, transaction, [xor_address(XOR_MAPPED_ADDRESS, mapped, transaction)])


def is_binding_request(payload: bytes) -> bool:
    """Whether a STUN server would answer this datagram: a whole Binding request with the magic cookie."""
    if len(payload) < HEADER_BYTES:
        return False
    kind, length, cookie = struct.unpack_from("!HHI", payload)
    return bool(kind == BINDING and cookie == COOKIE and length + HEADER_BYTES == len(payload))
