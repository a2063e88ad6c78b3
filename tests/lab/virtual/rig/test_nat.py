"""The NATs of the rig as rules, by kind."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest

from lab.virtual.rig.nat import DIRECT, RELAYED, NatKind, Nats, drawn, rules

PHONE = IPv4Address("100.72.13.5")


def lines(kind: NatKind) -> list[str]:
    return [line.strip() for line in rules(kind, "wan0", PHONE).splitlines()]


@pytest.mark.parametrize(
    ("kind", "translation"),
    [
        ("cone", "oifname wan0 masquerade"),
        ("port", "oifname wan0 masquerade"),
        ("symmetric", "oifname wan0 masquerade fully-random"),
    ],
)
def test_a_symmetric_nat_alone_draws_ports(kind, translation):
    assert [line for line in lines(kind) if "masquerade" in line] == [translation]


def test_only_a_cone_lets_anybody_send_to_the_phone():
    to_phone = "iifname wan0 meta l4proto udp dnat to 100.72.13.5"
    assert [to_phone in lines(kind) for kind in ("cone", "port", "symmetric")] == [True, False, False]


@pytest.mark.parametrize("kind", ["cone", "port", "symmetric"])
def test_what_nobody_asked_for_ends_at_the_nat_and_is_not_answered(kind):
    assert "iifname wan0 ct state new drop" in lines(kind)
    assert "iifname wan0 ct state new ct status & dnat == 0 drop" in lines(kind)
    assert lines(kind)[0] == "flush ruleset"


def test_the_plan_decides_between_nats_that_can_be_crossed_and_others_and_chance_among_them():
    for direct, kinds in ((True, DIRECT), (False, RELAYED)):
        found = {drawn(direct, random.Random(seed)) for seed in range(50)}
        assert found == {Nats(*each) for each in kinds}
    assert not set(DIRECT) & set(RELAYED)
