"""The callee's address anywhere in the caller's capture is "exposed", or undecided with its reason, and never "no"; the
same capture without it is "no".

`exposure` says which places there are and prints the captures of a case. Every packet is built by `wire`, with nothing
of the code under test.
"""

import re
from collections import Counter
from ipaddress import ip_address

import pytest

from tests.correlate.exposure import BEYOND, PLACES, TARGETS, capture, control, drawn, finding_without, outcome
from tests.correlate.noise import CHANCE, CUT, NOISE
from tests.correlate.wire import COOKIE

QUICK, SOME, ALL = range(2), range(4), range(20)
MAY_BE_UNDECIDED = 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


def told(place, seed, what):
    return f"{place}, seed {seed}: {what}; python -m tests.correlate.exposure '{place}' {seed} FOLDER"


def missed(place, seeds, folder):
    """One line a case that is missed."""
    found = [(seed, outcome(drawn((PLACES | BEYOND)[place], seed), folder)) for seed in seeds]
    return "\n".join(told(place, seed, what) for seed, what in found if what not in ("found", "undecided"))


def controls(seeds, folder):
    """What is found of every place without the address, and where that was."""
    return [
        (name, control(drawn(place, seed), folder), told(name, seed, "without"))
        for name, place in PLACES.items()
        for seed in seeds
    ]


def hold(found):
    """No alarm at all, and hardly anything undecided where all bytes are there: neither of all nor of any place."""
    assert [told for _, what, told in found if "alarm" in what] == []
    total = sum(what in ("no", "undecided") for _, what, _ in found)
    undecided = [told for _, what, told in found if what == "undecided"]
    assert total > 0.5 * len(found)
    assert len(undecided) <= MAY_BE_UNDECIDED * total, "\n".join(undecided[:100])
    by_place = Counter((name, what) for name, what, _ in found)
    assert [name for name in PLACES if by_place[name, "undecided"] > 1 + by_place[name, "no"]] == []


def holds(data, address):
    """As bytes, XORed with the cookie, as text of its own."""
    packed, text = ip_address(address).packed, re.escape(address.encode())
    mixed = bytes(a ^ b for a, b in zip(packed, COOKIE.to_bytes(4), strict=False))
    shown = re.search(rb"(?i)(?<![0-9a-f.])" + text + rb"(?![0-9a-f])", data)
    return packed in data or (len(packed) == 4 and mixed in data) or shown is not None


def test_what_is_measured_holds_the_address_or_does_not():
    """The two captures of a case differ in the address alone."""
    for each in (PLACES | BEYOND).values():
        for seed in QUICK[:1]:
            case = drawn(each, seed)
            (with_it, place), (without, _) = (capture(case, disclosed) for disclosed in (True, False))
            assert len(with_it) > 0.9 * len(without)
            assert with_it != without or not place.whole, case
            assert not any(holds(without, address) for address in TARGETS.values()), case


@pytest.mark.parametrize("place", PLACES)
def test_an_address_is_never_missed(place, folder):
    assert not (lines := missed(place, QUICK, folder)), lines


OUTSIDE = pytest.mark.xfail(strict=True, reason="outside of what is looked at (docs/decisions/0010-unseen.md)")
MISSED = {
    "transport: TURN over TCP, begun before, unknown server",
    "transport: TURN over TCP, behind a hello, unknown server",
    "transport: TURN over TCP, behind an HTTP proxy",
    "transport: TURN over TCP, behind SOCKS",
    "transport: TURN over DTLS",
    "transport: UDP, behind a header of 4 bytes",
    "text over two segments",
}


@pytest.mark.parametrize("place", [pytest.param(name, marks=[OUTSIDE] * (name in MISSED)) for name in BEYOND])
def test_an_address_is_not_missed_where_nobody_promises_to_look(place, folder):
    assert not (lines := missed(place, SOME, folder)), lines


def test_without_the_address_it_is_a_no(folder):
    hold(controls(QUICK, folder))


@pytest.mark.parametrize("kind", NOISE)
def test_what_else_a_phone_sends_leaves_it_a_no(kind, folder):
    """Other apps' TLS with gaps, QUIC that looks like ChannelData, names, times."""
    assert [finding_without(NOISE[kind], seed, folder) for seed in SOME] == [(False, False, True)] * len(SOME)


@pytest.mark.parametrize("kind", CHANCE)
def test_four_bytes_by_chance_in_what_is_encrypted_leave_it_a_no(kind, folder):
    assert [finding_without(CHANCE[kind], seed, folder) for seed in SOME] == [(False, False, True)] * len(SOME)


@pytest.mark.parametrize("snaplen", [256, 640])
@pytest.mark.parametrize("kind", CUT)
def test_what_a_snaplen_cuts_of_media_and_of_other_apps_leaves_it_a_no(kind, snaplen, folder):
    assert [finding_without(CUT[kind], seed, folder, snaplen) for seed in SOME] == [(False, False, True)] * len(SOME)


@pytest.mark.full
@pytest.mark.parametrize("place", PLACES)
def test_in_2000_cases_an_address_is_never_missed(place, folder):
    assert len(PLACES) * len(ALL) >= 2_000
    assert not (lines := missed(place, ALL, folder)), lines


@pytest.mark.full
def test_in_2000_cases_without_the_address_it_is_a_no(folder):
    hold(controls(ALL, folder))
