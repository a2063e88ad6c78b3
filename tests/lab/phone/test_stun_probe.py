"""Public addresses of a phone by STUN from its own path: who is asked, how often, and what an answer must be."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import cast

import pytest

from lab.definitions import StunServer
from lab.errors import AttemptVoid, NeedsPerson
from lab.phone.adb import Adb
from lab.phone.interfaces import Address
from lab.phone.stun_probe import probe
from lab.programs.shell import ShellOutput
from tests.lab.phone.handset import Handset, Stun

SERVER = StunServer(address=IPv4Address("198.51.100.250"))
SILENT = StunServer(address=IPv4Address("192.0.2.250"))
V4, V6 = IPv4Address("100.64.12.34"), IPv6Address("2001:db8::7")


def probed(handset: Handset, servers: list[StunServer], own: tuple[Address, ...] = (V4,)) -> list[Address]:
    return probe(cast(Adb, handset), own, servers, handset.clock.now_ns)


def test_public_addresses_come_from_stun_on_the_phones_own_path_each_once() -> None:
    stun = Stun()
    assert probed(stun, [SERVER, SILENT, SERVER]) == [IPv4Address("203.0.113.7")]
    assert len(stun.done) == 5


def test_a_lost_probe_is_repeated() -> None:
    stun = Stun()
    stun.silent = 2
    assert probed(stun, [SERVER]) == [IPv4Address("203.0.113.7")]
    assert len(set(stun.done)) == 3


def test_no_answer_from_any_server_voids_the_attempt() -> None:
    stun = Stun()
    with pytest.raises(AttemptVoid, match=r"^no STUN server answered: 192\.0\.2\.250 port 3478$") as caught:
        probed(stun, [SILENT])
    assert caught.value.reason == "no_public_address"
    assert probed(stun, []) == []


def test_a_server_of_a_family_that_the_phone_has_only_on_its_link_is_not_asked() -> None:
    stun = Stun()
    of_v6 = StunServer(address=IPv6Address("2001:db8::250"))
    assert probed(stun, [of_v6, SERVER], (V4, IPv6Address("fe80::1"))) == [IPv4Address("203.0.113.7")]
    assert len(stun.done) == 1
    assert probed(stun, [SERVER], (V6,)) == []


def test_a_phone_without_room_for_a_request_is_not_said_to_be_unanswered() -> None:
    class Full(Stun):
        def run(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput:
            return ShellOutput("sh: printf: write: No space left on device\n", 0)

    with pytest.raises(NeedsPerson, match=r"^pixel6: no space is left in /data/local/tmp; make room on the phone"):
        probed(Full(), [SERVER])


@pytest.mark.parametrize("text", ["sh: od: inaccessible or not found", "01 01 00 0c", "0a" * 32])
def test_an_answer_that_is_no_response_to_the_request_is_none(text: str) -> None:
    class Other(Stun):
        def run(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput:
            self.done.append(command)
            return ShellOutput(text, 0)

    other = Other()
    with pytest.raises(AttemptVoid, match="no STUN server answered"):
        probed(other, [SERVER])
    assert len(other.done) == 3


def test_the_response_to_another_request_is_none() -> None:
    class Late(Stun):
        """Answers each request with the response to the one before."""

        late = ShellOutput("", 124)

        def run(self, command: str, *, root: bool = False, timeout_s: float = 10.0) -> ShellOutput:
            self.clock.sleep(1)
            answer, self.late = self.late, super().run(command)
            return answer

    with pytest.raises(AttemptVoid, match="no STUN server answered"):
        probed(Late(), [SERVER])
