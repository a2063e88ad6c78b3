"""A tcpdump for a phone: whose program a file is, by its ELF header, and which versions do."""

import struct

import pytest

from lab.phone.push import abi, judged
from lab.programs.shell import ShellOutput


def elf(kind: int = 3, machine: int = 183, width: int = 2, order: int = 1, rest: bytes = b"") -> bytes:
    return b"\x7fELF" + bytes([width, order, 1]) + bytes(9) + struct.pack("<HH", kind, machine) + rest


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (elf(), "arm64-v8a"),
        (elf(kind=2), "arm64-v8a"),
        (elf(machine=40, width=1), "armeabi-v7a"),
        (elf(machine=62), "x86_64"),
        (elf(machine=3, width=1), "x86"),
    ],
)
def test_the_header_of_a_program_tells_its_abi(data, name):
    assert abi(data) == name


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is no ELF program"),
        (b"#!/bin/sh\n" + bytes(20), "is no ELF program"),
        (elf()[:19], "is no ELF program"),
        (elf(order=2), "is a big-endian ELF program, which no Android runs"),
        (elf(kind=1), "is an ELF file, but no program"),
        (elf(machine=243), "is an ELF program of machine 243, which no Android runs on"),
        (elf(machine=40, width=2), "is an ELF program of machine 40, which no Android runs on"),
    ],
)
def test_what_is_no_program_of_a_phone_says_why(data, text):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        abi(data)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("text", "code", "judgement"),
    [
        ("tcpdump version 4.99.5\nlibpcap version 1.10.5\n", 0, (True, "tcpdump version 4.99.5")),
        ("tcpdump version 4.9.2-1\n", 0, (True, "tcpdump version 4.9.2-1")),
        ("tcpdump version 3.9.8\n", 1, (False, "tcpdump version 3.9.8 is older than 4.9")),
        (
            "sh: tcpdump: inaccessible or not found\n",
            127,
            (False, "sh: tcpdump: inaccessible or not found"),
        ),
        ("", 137, (False, "no answer to --version, exit code 137")),
    ],
)
def test_a_version_is_judged(text, code, judgement):
    assert judged(ShellOutput(text, code)) == judgement
