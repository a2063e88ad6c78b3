"""Two captures of one relayed call, the callee's address put into one place of the caller's, and what is found of it.

`python -m tests.correlate.exposure` prints how often each place is found, undecided and missed; with a place's name, a
seed and a folder it writes the captures of that one case there, with the address and without.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from correlate import pairs
from correlate.dataset import clocks
from correlate.dataset.record import Analysis, Markers
from correlate.dimensions import endpoints
from correlate.pairs import SideRecord
from tests.correlate import header_places, plain_places, wire
from tests.correlate.noise import NOISE, Frames
from tests.correlate.places import BEYOND_PLACES, STUN_PLACES, Filled, Place, fill
from tests.correlate.wire import End, attribute, ethernet, stun, udp, xored

PLACES = {place.name: place for place in (*STUN_PLACES, *plain_places.PLACES, *header_places.PLACES)}
BEYOND = {place.name: place for place in (*BEYOND_PLACES, *plain_places.BEYOND_PLACES, *header_places.BEYOND_PLACES)}
"""Where nobody promises to look."""
STEP_US, MEDIA = 20_000, 102
SERVER = ("198.51.100.2", 3478)
TARGETS = {
    "public 4": "203.0.113.77", "private 4": "192.168.7.7",
    "public 6": "2001:db8:b::77", "private 6": "fd00:b::7", "private 6 of the link": "fe80::7:77ff:fe77:7777",
    "unprobed 6": "2001:db8:b::beef",
}  # fmt: skip
"""Role and IP version of the callee's addresses; `unprobed`: a global one of its interface that no probe confirmed."""
MARKERS = Markers(address=ip_address("192.0.2.1"), port=9, nonce="n0nce")
BEGIN_US, END_US, BEFORE_US = -2_000, MEDIA * STEP_US + 20_000, -900_000
Timed = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Case:
    """One case: what was put where, and what the other phone's own records say."""

    place: Place
    seed: int
    target: str
    probed: bool

    @property
    def role(self) -> str:
        return self.target.split()[0]

    @property
    def version(self) -> int:
        return int(self.target.split()[1])


def drawn(place: Place, seed: int) -> Case:
    rng = random.Random(f"{place.name}/{seed}")
    target = rng.choice([name for name in TARGETS if int(name.split()[1]) in place.versions])
    # Without a probe the own trace tells the public address, of IPv4 alone here.
    return Case(place, seed, target, probed="6" in target or bool(rng.randrange(2)))


@cache
def call(local: End, mapped: str, relayed: tuple[str, ...]) -> Timed:
    """One phone's side of a call: an allocation, then media each way every 20 ms; markers around it."""
    transaction = bytes(range(12))
    request = [attribute(wire.USERNAME, b"abcd:efgh"), attribute(0x0019, b"\x11\0\0\0")]
    response = [attribute(wire.RELAYED, xored(each, 50000, transaction)) for each in relayed]
    response.append(attribute(wire.XOR_MAPPED, xored(mapped, local[1], transaction)))
    marked = [(at_us, f"im-call-lab n0nce {what}") for at_us, what in ((BEGIN_US, "begin"), (END_US, "end"))]
    found = [(at_us, ethernet(udp((local[0], 50000), ("192.0.2.1", 9), text.encode()))) for at_us, text in marked]
    found += [
        (0, ethernet(udp(local, SERVER, stun(wire.ALLOCATE, request, transaction)))),
        (7_000, ethernet(udp(SERVER, local, stun(wire.ALLOCATED, response, transaction)), outbound=False)),
    ]
    rng = random.Random(mapped)
    for number in range(1, MEDIA + 1):
        found.append((number * STEP_US, ethernet(udp(local, SERVER, wire.rtp(rng)))))
        found.append((number * STEP_US + 7_000, ethernet(udp(SERVER, local, wire.rtp(rng)), outbound=False)))
    return sorted(found)


def callers() -> Timed:
    return call(("192.168.1.10", 40000), "203.0.113.10", ("198.51.100.2",))


def callees() -> Timed:
    return call(("192.168.7.7", 41000), "203.0.113.77", ("198.51.100.9", "2001:db8:5::9", "2001:db8:5::2"))


def spread(rng: random.Random, frames: Frames, early: int = 0) -> Timed:
    """Frames in their order, at any times during the call, so many of them before its marker."""
    times_us = sorted(rng.randrange(8_000, MEDIA * STEP_US) for _ in frames)
    before_us = sorted(rng.randrange(BEFORE_US, BEGIN_US) for _ in frames[:early])
    return list(zip(before_us + times_us[early:], frames, strict=True))


def capture(case: Case, disclosed: bool) -> tuple[bytes, Filled]:
    """The caller's capture with the address or, all else alike, without it."""
    rng = random.Random(f"{case.place.name}/{case.seed}/frames")
    place = fill(case.place, rng, TARGETS[case.target] if disclosed else None, case.version)
    rng = random.Random(f"{case.place.name}/{case.seed}/noise")
    others = [spread(rng, NOISE[name](rng)) for name in rng.sample(sorted(NOISE), 3)]
    frames = sorted(sum(others, callers() + spread(rng, place.frames, place.early)), key=lambda each: each[0])
    return wire.pcap(frames, place.snaplen), place


def side(phone: str, capture: Path, interface: list[str], probed: list[str]) -> SideRecord:
    addresses = (frozenset(map(ip_address, each)) for each in (interface, probed))
    return SideRecord(phone, capture, *addresses, clock=clocks.UNKNOWN, seen_at="interface")


def measured(case: Case, disclosed: bool, folder: Path) -> tuple[Any, bool]:
    """The callee's finding, and whether all bytes of the place are there."""
    data, place = capture(case, disclosed)
    return evaluated(case, data, folder), place.whole


def evaluated(case: Case, data: bytes, folder: Path) -> Any:
    """The callee's finding where the caller's capture is this."""
    (folder / "a.pcap").write_bytes(data)
    callee = folder / "b.pcap"
    if not callee.exists():
        callee.write_bytes(wire.pcap(callees()))
    names = ["alpha", "bravo"] if case.seed % 5 else ["bravo", "alpha"]
    a = side(names[0], folder / "a.pcap", ["192.168.1.10", "2001:db8:a::10"], ["203.0.113.10", "2001:db8:a::10"])
    b = side(names[1], callee, *own(case))
    is_ruled = case.seed % 3 or "of the app's" in case.place.name
    rules = Analysis.model_construct(relay_ports=[3478]) if is_ruled else pairs.GENERIC
    is_marked = (case.seed % 2 and case.place.cut == "none") or case.place.early  # A cut may leave nothing of a marker.
    markers = MARKERS if is_marked else None
    one, other = sorted([a, b], key=lambda each: each.phone)
    finding = endpoints.measure(pairs.pair(one, other, markers, {}, rules))
    return finding.b if other is b else finding.a


def own(case: Case) -> tuple[list[str], list[str]]:
    """The callee's addresses as recorded: of its interfaces, and probed."""
    if case.role == "unprobed":
        return [TARGETS["private 4"], TARGETS["unprobed 6"]], [TARGETS["public 4"]]
    if not case.probed:
        return [TARGETS["private 4"]], []
    interface = [TARGETS[name] for name in ("private 4", "public 6", "private 6", "private 6 of the link")]
    return interface, [TARGETS["public 4"], TARGETS["public 6"]]


def outcome(case: Case, folder: Path) -> str:
    """`found`, `undecided`, or how an address that is there was missed."""
    finding, _ = measured(case, True, folder)
    if finding.no_disclosure is True:
        return "missed: no disclosure"
    if case.role == "unprobed":  # It is of neither role.
        return "found" if finding.no_disclosure is False else "undecided"
    exposed = finding.exposed[case.role]
    if exposed is False:
        return "missed: not exposed"
    if exposed is None and not finding.reasons.get(f"exposed_{case.role}"):
        return "missed: no reason"
    return "found" if exposed else "undecided"


def control(case: Case, folder: Path) -> str:
    """`no`, `undecided`, or `alarm`, where nothing is disclosed; `partly` before it where bytes are not there."""
    finding, whole = measured(case, False, folder)
    known = [*finding.exposed.values(), finding.no_disclosure and False]
    # An address that no probe confirmed may leave a phone's public address unknown.
    lead = "" if whole and case.role != "unprobed" else "partly "
    if True in finding.exposed.values() or finding.no_disclosure is False:
        return f"{lead}alarm"
    return f"{lead}undecided" if None in known else f"{lead}no"


def finding_without(
    noise: Callable[[random.Random], Frames], seed: int, folder: Path, snaplen: int = 262_144
) -> tuple[bool | None, ...]:
    """Public, private, no disclosure of a call beside which something else was sent, many times."""
    rng = random.Random(f"{noise.__name__}/{seed}")
    others = [spread(rng, noise(rng)) for _ in range(5)]
    data = wire.pcap(sorted(sum(others, list(callers())), key=lambda each: each[0]), snaplen)
    finding = evaluated(Case(PLACES["order: only"], seed, "public 4", probed=bool(seed % 2)), data, folder)
    return finding.exposed_public, finding.exposed_private, finding.no_disclosure


def table(folder: Path, seeds: int) -> None:
    for place in (PLACES | BEYOND).values():
        cases = [drawn(place, seed) for seed in range(seeds)]
        found, controls = (Counter(of(case, folder) for case in cases) for of in (outcome, control))
        print(f"{place.name:<48} {dict(found)} | without: {dict(controls)}")


def main(name: str = "", seed: str = "0", folder: str = "") -> None:
    """Writes the captures of one case, or prints the table."""
    if not folder:
        with tempfile.TemporaryDirectory() as scratch:
            table(Path(scratch), int(seed or 0) or 20)
        return
    case, where = drawn((PLACES | BEYOND)[name], int(seed)), Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    (where / "callee.pcap").write_bytes(wire.pcap(callees()))
    for disclosed in (True, False):
        (where / f"caller-{'with' if disclosed else 'without'}.pcap").write_bytes(capture(case, disclosed)[0])
    print(
        f"{case.target}, {TARGETS[case.target]}; probed: {case.probed}; {outcome(case, where)}, {control(case, where)}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
