import re
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.real_outputs.index import HERE, Output, outputs, text

TESTS = HERE.parent
NEUTRAL = [
    ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "224.0.0.0/4"),
        *("0.0.0.0/8", "255.255.255.255/32"),
        *("64:ff9b::/96", "fe80::/10", "fc00::/7", "2001:db8::/32", "3fff::/20", "ff00::/8", "::/127"),
    )
]
"""Documentation, private, CG-NAT, NAT64, link-local, loopback, multicast and broadcast."""
_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_V6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAC = re.compile(r"(?<![0-9a-fA-F:-])(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:-])")
_NUMBER = re.compile(r"\+[1-9]\d{7,14}\b")


def public_addresses(given: str) -> list[str]:
    """The addresses in a text that are in none of the neutral ranges."""
    found = []
    for word in (*_V4.findall(given), *_V6.findall(given)):
        try:
            address = ip_address(word)
        except ValueError:  # a time of day, a version
            continue
        if not any(address in network for network in NEUTRAL if network.version == address.version):
            found.append(word)
    return found


def strange_macs(given: str) -> list[str]:
    """The hardware addresses in a text that are not 02:00:..., nobody's (00 and ff), or multicast."""
    macs = [mac.lower().replace("-", ":") for mac in _MAC.findall(given)]
    neutral = ("02:00:", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:", "33:33:")
    return [mac for mac in macs if not mac.startswith(neutral)]


ALL = outputs()


def test_every_file_here_stands_in_one_index_once() -> None:
    listed = Counter(output.file for output in ALL)
    assert [file for file, count in listed.items() if count > 1] == []
    there = {
        path.relative_to(HERE).as_posix()
        for path in HERE.rglob("*")
        if path.is_file() and path.parent != HERE and "__pycache__" not in path.parts
    }
    assert sorted(there ^ set(listed)) == []


@pytest.mark.parametrize("output", ALL, ids=lambda output: output.file)
def test_an_output_is_parsed_by_a_test_and_holds_nothing_personal(output: Output) -> None:
    printed = text(output.file)
    assert printed.strip()
    assert len(printed) < 20_000, "a short extract is enough"
    assert public_addresses(printed) == []
    assert strange_macs(printed) == []
    assert _NUMBER.findall(printed) == []
    assert "/home/" not in printed
    assert "/Users/" not in printed
    assert readers(output.file), f"no test reads {output.file}"


def readers(file: str) -> list[Path]:
    return [path for path, source in TESTS_TEXT.items() if file in source]


TESTS_TEXT = {path: path.read_text() for path in TESTS.rglob("test_*.py")}


def test_at_least_sixty_outputs_were_seen_by_somebody_and_have_an_address() -> None:
    addressed = [output for output in ALL if output.sure in ("verbatim", "quoted", "run")]
    assert len(addressed) >= 60
    assert [output.file for output in addressed if "/search?" in output.source] == []


def test_what_is_personal_is_found() -> None:
    """What the checks above look for, so that they can fail."""
    assert public_addresses("inet 8.8.8.8/24 via 192.0.2.1, 10.1.2.3; at 12:34:56 and 05-08 16:27:49:267") == [
        "8.8.8.8"
    ]
    assert public_addresses("inet6 2a00:1450::200e/64 and 2001:db8::1, fe80::1, 64:ff9b::808:808") == [
        "2a00:1450::200e"
    ]
    assert public_addresses("the version 2.26.2.70 of an app is no address") == ["2.26.2.70"]
    assert strange_macs("02:00:00:00:00:01 00-1a-2b-3c-4d-5e ff:ff:ff:ff:ff:ff") == ["00:1a:2b:3c:4d:5e"]
    assert _NUMBER.findall("call +4915112345678 at +0200, x+100") == ["+4915112345678"]
