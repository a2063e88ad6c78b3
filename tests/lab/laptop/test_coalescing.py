"""What joins packets before a capture sees them: read from the laptop's own programs, or said to be unknown."""

import pytest

from lab.clocks.bench_time import WallClock
from lab.clocks.stop import Stop
from lab.commands.doctor import _joined
from lab.laptop.agent.coalescing import OFF, joining
from lab.laptop.agent.posix import Posix
from lab.laptop.bash import BashLaptop
from lab.programs.shell import ShellOutput

# ethtool 6.1 on a veth, Linux 6.18, shortened.
FEATURES = """\
Features for wlan1:
rx-checksumming: on
scatter-gather: on
\ttx-scatter-gather: on
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-vlan-offload: on
rx-gro-hw: off [requested on]
rx-gro-list: off
rx-udp-gro-forwarding: on
"""


class Says(BashLaptop):
    def __init__(self, text, code=0):
        super().__init__([], "captures", WallClock(Stop()))
        self._answer, self.told = ShellOutput(text, code), []

    def run(self, command, timeout_s=10.0):
        self.told.append(command)
        return self._answer


def test_what_is_on_is_told_and_what_does_not_join_is_not():
    assert joining(FEATURES) == ["generic-receive-offload", "rx-udp-gro-forwarding"]
    assert joining(FEATURES.replace(": on", ": off")) == []
    assert joining("Features for wlan1:\n") is None


def test_a_laptop_with_bash_is_asked_by_ethtool_wherever_it_lies_and_one_without_it_cannot_tell():
    laptop = Says(FEATURES)
    assert laptop.coalescing("wlan1") == ["generic-receive-offload", "rx-udp-gro-forwarding"]
    assert laptop.told == ["PATH=$PATH:/usr/sbin:/sbin ethtool -k wlan1"]
    assert Says("bash: ethtool: command not found\n", 127).coalescing("wlan1") is None
    assert Says("netlink error: No such device\n", 1).coalescing("wlan1") is None


def test_the_agent_asks_ethtool_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for code, found in ((0, ["generic-receive-offload", "rx-udp-gro-forwarding"]), (1, None)):
        (tmp_path / "ethtool").write_text(
            f'#!/bin/sh\necho "{FEATURES}"\ntest "$*" = "-k hot0" && exit {code}\nexit 9\n'
        )
        (tmp_path / "ethtool").chmod(0o755)
        assert Posix().coalescing("hot0") == found


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "nobody can tell what joins packets on wlan1; on Linux install ethtool"),
        ([], "nothing joins packets on wlan1"),
        (
            ["generic-receive-offload", "rx-gro-list"],
            "generic-receive-offload, rx-gro-list may join packets into frames above the MTU (flagged in findings); "
            "against it: ethtool -K wlan1 gro off; ethtool -K wlan1 rx-gro-list off",
        ),
        (
            ["rsc-ipv4", "uro"],
            "rsc-ipv4, uro may join packets into frames above the MTU (flagged in findings); "
            "against it: Disable-NetAdapterRsc -Name * -IPv4; netsh int udp set global uro=disabled",
        ),
    ],
)
def test_doctor_says_what_joins_packets_and_what_to_do(found, text):
    assert _joined(found, "wlan1") == text
    assert all(name in OFF for name in found or ())
