"""TLS 1.3 as an observer sees it (RFC 8446): records with a readable ClientHello and ServerHello, the rest is noise."""

import random
import struct

_HANDSHAKE, _APPLICATION_DATA = 22, 23
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")
_SUITES = bytes.fromhex("130113021303c02bc02fc02cc030")
_CHOSEN_SUITE = _SUITES[:2]
_SERVER_NAME, _GROUPS, _SIGNATURES, _PROTOCOLS, _VERSIONS, _MODES, _KEY_SHARE = 0, 10, 13, 16, 43, 45, 51
_X25519 = bytes.fromhex("001d")
_TAG_BYTES = 17
"""What AEAD and the inner content type add to a record."""


def _counted(text: bytes, width: int = 2) -> bytes:
    return len(text).to_bytes(width, "big") + text


def _record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack("!BH", kind, version) + _counted(body)


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack("!H", number) + _counted(body)


def _share(draw: random.Random) -> bytes:
    return _X25519 + _counted(draw.randbytes(32))


def client_hello(name: str, draw: random.Random) -> bytes:
    """The first flight of a client that wants the server `name`."""
    extensions = [
        _extension(_SERVER_NAME, _counted(b"\0" + _counted(name.encode("ascii")))),
        _extension(_GROUPS, _counted(_X25519 + bytes.fromhex("00170018"))),
        _extension(_SIGNATURES, _counted(bytes.fromhex("0403080404010503080505010806"))),
        _extension(_PROTOCOLS, _counted(_counted(b"h2", 1) + _counted(b"http/1.1", 1))),
        _extension(_VERSIONS, _counted(bytes.fromhex("03040303"), 1)),
        _extension(_MODES, _counted(b"\1", 1)),
        _extension(_KEY_SHARE, _counted(_share(draw))),
    ]
    body = b"\3\3" + draw.randbytes(32) + _counted(draw.randbytes(32), 1) + _counted(_SUITES) + b"\1\0"
    body += _counted(b"".join(extensions))
    return _record(_HANDSHAKE, bytes([_CLIENT_HELLO]) + _counted(body, 3), 0x0301)


def server_flight(hello: bytes, draw: random.Random) -> bytes:
    """What a server answers a ClientHello with: ServerHello, and its certificate, which nobody else can read."""
    session = hello[44:76]
    extensions = _extension(_VERSIONS, bytes.fromhex("0304")) + _extension(_KEY_SHARE, _share(draw))
    body = b"\3\3" + draw.randbytes(32) + _counted(session, 1) + _CHOSEN_SUITE + b"\0" + _counted(extensions)
    shown = _record(_HANDSHAKE, bytes([_SERVER_HELLO]) + _counted(body, 3))
    return shown + _CHANGE_CIPHER_SPEC + application_data(draw.randrange(1800, 2600), draw)


def client_finished(draw: random.Random) -> bytes:
    """What ends the handshake."""
    return _CHANGE_CIPHER_SPEC + application_data(36, draw)


def application_data(size: int, draw: random.Random) -> bytes:
    """One encrypted record with so many bytes of content."""
    return _record(_APPLICATION_DATA, draw.randbytes(size + _TAG_BYTES))
