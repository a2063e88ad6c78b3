"""Frames by hand: one datagram's bytes, and rows of many against the same datagrams one by one."""

from ipaddress import ip_address

import numpy as np
import pytest

from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.datagrams import Link, frame, frames, overhead_bytes

ETHERNET = Link(True, "02:00:00:00:00:01", "02:00:00:00:00:02")
RAW = Link(False, "02:00:00:00:00:01", "02:00:00:00:00:02")
HERE4, THERE4 = Endpoint(ip_address("192.0.2.1"), 4000), Endpoint(ip_address("192.0.2.9"), 9)
HERE6, THERE6 = Endpoint(ip_address("2001:db8::1"), 4000), Endpoint(ip_address("2001:db8::9"), 9)


def test_an_ipv4_datagram_has_its_checksums():
    found = frame(b"", HERE4, THERE4, b"abc", identification=0x1234, hop_limit=64)
    assert found[:10] == bytes.fromhex("4500001f123440004011")
    assert found[12:20] == bytes.fromhex("c0000201c0000209")
    words = np.frombuffer(found[:20], dtype=">u2").sum(dtype=np.int64)
    assert words % 0xFFFF == 0
    assert found[20:26] == bytes.fromhex("0fa00009000b")
    pseudo = found[12:20] + bytes([0, 17, 0, 11]) + found[20:] + b"\0"
    assert np.frombuffer(pseudo, dtype=">u2").sum(dtype=np.int64) % 0xFFFF == 0


def test_an_ipv6_datagram_has_its_checksum():
    found = frame(b"", HERE6, THERE6, b"abcd", identification=0, hop_limit=55)
    assert found[:8] == bytes.fromhex("60000000000c1137")
    pseudo = found[8:40] + bytes([0, 17, 0, 12]) + found[40:]
    assert np.frombuffer(pseudo, dtype=">u2").sum(dtype=np.int64) % 0xFFFF == 0


def test_ethernet_leads_to_the_gateway_and_back_and_to_multicast_groups():
    assert ETHERNET.header(THERE4.address, outgoing=True).hex() == "0200000000020200000000010800"
    assert ETHERNET.header(HERE6.address, outgoing=False).hex() == "02000000000102000000000286dd"
    assert ETHERNET.header(ip_address("224.0.0.251"), outgoing=True)[:6].hex() == "01005e0000fb"
    assert RAW.header(THERE4.address, outgoing=True) == b""


@pytest.mark.parametrize(("here", "there"), [(HERE4, THERE4), (HERE6, THERE6)])
@pytest.mark.parametrize("link", [RAW, ETHERNET])
def test_rows_are_the_datagrams_one_by_one(here, there, link):
    header = link.header(there.address, outgoing=True)
    sizes = np.array([1, 7, 20, 300], dtype=np.int64)
    payload = np.random.Generator(np.random.PCG64(5)).integers(0, 256, (4, 20)).astype(np.uint8)
    payload *= np.arange(20) < sizes[:, None]
    numbers = np.array([0, 5, 0xFFFF, 77])
    rows = frames(header, here, there, payload, sizes, identifications=numbers, hop_limit=64)
    for row, text, size, number in zip(rows, payload, sizes.tolist(), numbers.tolist(), strict=True):
        whole = text.tobytes()[:size].ljust(size, b"\0")
        alone = frame(header, here, there, whole, identification=number, hop_limit=64)
        assert len(alone) == overhead_bytes(header, here.address) + size
        assert row.tobytes()[: len(alone)] == alone[: len(row)]


def test_a_udp_checksum_of_zero_is_sent_as_all_ones():
    plain = frame(b"", HERE4, THERE4, b"\0\0", identification=0, hop_limit=64)
    payload = plain[26:28]
    found = frame(b"", HERE4, THERE4, payload, identification=0, hop_limit=64)
    assert found[26:28] == b"\xff\xff"
