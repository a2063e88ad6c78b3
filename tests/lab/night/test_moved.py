from __future__ import annotations

import pytest

from lab.night.moved import moves
from tests.lab.night.nights import covariates, phone

ALL = ("phones", "app version", "OS build", "Android patch", "carrier", "radio", "NAT class", "IPv6", "egress class",
       "resolver", "YAML", "harness", "hour")  # fmt: skip


def between(then=None, now=None, app: str = "whatsapp"):
    return moves(then or covariates(), now or covariates(), app, "callee_rejects")


def phones(**changed):
    return covariates(phones={"pixel6": phone(**changed), "pixel6pro": phone()})


def test_nothing_moved_leaves_servers_network_or_chance():
    assert (between().moved, between().unchanged, between().unknown) == ((), ALL, ())
    assert between().sentence() == (
        "Nothing that we record moved: the app's servers, the network or chance. "
        f"Unchanged: {', '.join(ALL)}. In time, no proof."
    )


@pytest.mark.parametrize(
    ("now", "moved", "name"),
    [
        (phones(version="2.2"), "whatsapp on pixel6 2.1 -> 2.2", "app version"),
        (phones(patch="2026-11-05"), "Android patch on pixel6 2026-10-05 -> 2026-11-05", "Android patch"),
        (phones(nat="cone"), "NAT class on pixel6 cg-nat -> cone", "NAT class"),
        (phones(ipv6=False), "IPv6 on pixel6 yes -> no", "IPv6"),
        (covariates(resolver="192.0.2.1"), "resolver 192.0.2.53 -> 192.0.2.1", "resolver"),
        (covariates(harness="0.3.0"), "harness 0.2.0 -> 0.3.0", "harness"),
        (covariates(hour=1), "hour 23 -> 1", "hour"),
        (covariates(phones={"pixel6": phone()}), "phones pixel6, pixel6pro -> pixel6", "phones"),
    ],
)
def test_each_thing_that_moves_is_named_and_the_others_are_unchanged(now, moved, name):
    found = between(now=now)
    assert (found.moved, found.unknown) == ((moved,), ())
    assert found.unchanged == tuple(each for each in ALL if each != name)
    assert found.sentence().startswith(f"Since then moved: {moved}. Unchanged: ")


def test_an_app_that_moved_alike_on_both_phones_moved_once_and_else_twice():
    alike = between(now=covariates(phones={"pixel6": phone("2.2"), "pixel6pro": phone("2.2")}))
    assert alike.moved == ("whatsapp on pixel6 and pixel6pro 2.1 -> 2.2",)
    apart = between(now=covariates(phones={"pixel6": phone("2.2"), "pixel6pro": phone("2.3")}))
    assert apart.sentence().startswith(
        "Since then moved, and cannot be told apart: whatsapp on pixel6 2.1 -> 2.2; whatsapp on pixel6pro 2.1 -> 2.3. "
    )


def test_what_is_of_another_app_or_scenario_did_not_move_for_this_cell():
    other = {"apps/whatsapp.yaml": "a" * 64, "apps/maple.yaml": "0" * 64, "calls/callee_rejects.yaml": "c" * 64}
    assert between(now=covariates(yaml=other)).moved == ()
    assert between(now=covariates(yaml=other), app="maple").moved == (f"apps/maple.yaml {'b' * 12} -> {'0' * 12}",)
    gone = {"apps/whatsapp.yaml": "a" * 64, "apps/maple.yaml": "b" * 64, "benches/pixels.yaml": "d" * 64}
    assert between(now=covariates(yaml=gone)).moved == (
        f"benches/pixels.yaml none -> {'d' * 12}",
        f"calls/callee_rejects.yaml {'c' * 12} -> none",
    )


def test_what_is_not_known_is_neither_moved_nor_unchanged():
    found = between(now=phones(nat=None, version=None))
    assert (found.moved, found.unknown) == ((), ("app version", "NAT class"))
    assert "Unchanged: phones, OS build, " in found.sentence()
    assert " Not known: app version, NAT class. In time, no proof." in found.sentence()


def test_an_hour_is_another_one_from_two_hours_apart_around_midnight_too():
    assert between(covariates(hour=23), covariates(hour=0)).moved == ()
    assert between(covariates(hour=0), covariates(hour=23)).moved == ()
    assert between(covariates(hour=22), covariates(hour=0)).moved == ("hour 22 -> 0",)


def test_a_sentence_names_ten_moves_and_counts_the_others():
    many = covariates(yaml={f"benches/b{number}.yaml": "e" * 64 for number in range(15)})
    assert "; 7 more. Unchanged: " in between(now=many).sentence()
