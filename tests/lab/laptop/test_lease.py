"""The phone's lease on the hotspot: its address and its MAC, by what the laptop's neighbour table says, or one line."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from lab.clocks.bench_time import WallClock
from lab.clocks.stop import Stop
from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.bash import BashLaptop
from lab.laptop.lease import Lease, find_lease, parse_neighbours
from lab.laptop.protocol import Hotspot
from lab.programs.shell import ShellOutput

HOTSPOT = Hotspot("wlan1", IPv4Address("10.42.0.1"))
MINE = [IPv6Address("fe80::7"), IPv4Address("100.64.3.4"), IPv4Address("10.42.0.7")]
LEASE = Lease(IPv4Address("10.42.0.7"), "02:00:5e:10:00:07")
ENTRY = "10.42.0.7 lladdr 02:00:5e:10:00:07 STALE\n"


class Answers(BashLaptop):
    """A laptop whose shell says these things in turn, and remembers what it was told."""

    def __init__(self, *answers):
        super().__init__([], "captures", WallClock(Stop()))
        self.answers, self.told = list(answers), []

    def run(self, command, timeout_s=10.0):
        self.told.append(command)
        code, text = self.answers.pop(0)
        return ShellOutput(text, code)


def test_neighbours_are_read_by_address_and_unanswered_ones_are_no_leases():
    text = (
        "10.42.0.7 lladdr 02:00:5e:10:00:07 REACHABLE \n"
        "10.42.0.8 INCOMPLETE\n"
        "10.42.0.9 lladdr 02:00:5e:10:00:09 FAILED\n"
        "10.42.0.10 FAILED\n"
        "10.42.0.11 lladdr 02:00:5e:10:00:0b router proxy STALE proto zebra\n"
        "\n"
        "fe80::5eff:fe10:7 lladdr 02:00:5e:10:00:07 router STALE\n"
    )
    assert {str(address): mac for address, mac in parse_neighbours(text).items()} == {
        "10.42.0.7": "02:00:5e:10:00:07",
        "10.42.0.11": "02:00:5e:10:00:0b",
    }
    assert parse_neighbours("") == {}


@pytest.mark.parametrize(
    "mac", ["02:00:5e:10:00", "02-00-5e-10-00-07", "01:00:5e:00:00:fb", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "a"]
)
def test_what_is_no_clients_mac_is_refused(mac):
    with pytest.raises(LaptopTrouble, match=f"neighbour table has '{mac}', which is no client's MAC"):
        parse_neighbours(f"10.42.0.7 lladdr {mac} REACHABLE\n")


def test_an_answer_of_another_kind_is_refused():
    with pytest.raises(LaptopTrouble, match="`ip neigh` has a line that cannot be read: 'Object \"neigh\" is unknown'"):
        parse_neighbours('Object "neigh" is unknown\n')


def test_the_address_that_the_hotspot_knows_is_the_lease_and_nobody_is_asked():
    laptop = Answers((0, ENTRY))
    assert find_lease("pixel6pro", MINE, HOTSPOT, laptop) == LEASE
    assert laptop.told == ["ip neigh show dev wlan1"]
    assert LEASE.filter == "ether host 02:00:5e:10:00:07"


def test_an_entry_that_has_aged_is_asked_for_once():
    laptop = Answers((0, "10.42.0.7 FAILED\n"), (1, ""), (0, ""), (0, ENTRY))
    assert find_lease("pixel6pro", MINE, HOTSPOT, laptop) == LEASE
    asked = ["ping -c 1 -W 1 100.64.3.4", "ping -c 1 -W 1 10.42.0.7"]
    assert laptop.told == ["ip neigh show dev wlan1", *asked, "ip neigh show dev wlan1"]


@pytest.mark.parametrize(
    ("own", "table", "reason", "text"),
    [
        (
            MINE,
            "10.42.0.8 lladdr 02:00:5e:10:00:08 STALE\n",
            "no_lease",
            "pixel6pro has no lease of the hotspot (its addresses: 100.64.3.4, 10.42.0.7): join it to the hotspot",
        ),
        (
            MINE[:1],
            ENTRY,
            "no_lease",
            "pixel6pro has no lease of the hotspot (its addresses: none of IPv4): join it to the hotspot",
        ),
        (
            [*MINE, IPv4Address("10.42.0.8")],
            f"{ENTRY}10.42.0.8 lladdr 02:00:5e:10:00:08 STALE\n",
            "lease_unclear",
            "pixel6pro has several leases of the hotspot: 10.42.0.7 at 02:00:5e:10:00:07, "
            "10.42.0.8 at 02:00:5e:10:00:08; have it join again",
        ),
    ],
)
def test_a_phone_without_exactly_one_lease_voids_the_attempt(own, table, reason, text):
    laptop = Answers((0, table), *[(1, "")] * (len(own) - 1), (0, table))
    with pytest.raises(AttemptVoid) as raised:
        find_lease("pixel6pro", own, HOTSPOT, laptop)
    assert (raised.value.reason, str(raised.value)) == (reason, text)


def test_a_laptop_that_lacks_a_program_says_which():
    with pytest.raises(LaptopTrouble, match=r"Cannot find device .*; install iproute2"):
        find_lease("pixel6pro", MINE, HOTSPOT, Answers((1, 'Cannot find device "wlan1"')))
    with pytest.raises(LaptopTrouble, match="there is no ping on the laptop; install iputils-ping"):
        find_lease("pixel6pro", MINE, HOTSPOT, Answers((0, ""), (127, "bash: ping: command not found")))
