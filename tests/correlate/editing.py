"""Edits of a recorded trial: what may happen to a call, or to its captures, done to captures that are there. None reads
how correlate decides."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.correlate import wire
from tests.correlate.recorded import UDP, Packet, carried, datagram, is_channel, is_media, kind_of
from tests.correlate.wire import End

SIDES = ("caller", "callee")
S = 10**9
RESPONSES = (0x0100, 0x0110)
"""The class bits of success and error responses (RFC 8489 5)."""


@dataclass
class Side:
    """The capture of one phone; `own` are the addresses of its interfaces."""

    packets: list[Packet]
    own: frozenset[str]
    snaplen: int = 262_144

    def keep(self, where: Callable[[Packet], bool]) -> None:
        self.packets = [each for each in self.packets if where(each)]

    def change(self, how: Callable[[Packet], Packet]) -> None:
        self.packets = [how(each) for each in self.packets]

    def add(self, packets: Iterable[Packet]) -> None:
        self.packets = sorted([*self.packets, *packets], key=lambda each: each.at_ns)

    def udp(self) -> list[Packet]:
        return [each for each in self.packets if each.protocol == UDP and each.ends]

    @property
    def call(self) -> tuple[End, End]:
        """Its own and the far end of the UDP conversation with most datagrams: in an answered call that of media."""
        ends, _ = Counter(self.pair(each) for each in self.udp()).most_common(1)[0]
        return ends

    def pair(self, each: Packet) -> tuple[End, End]:
        """The ends of a packet, its own first."""
        assert each.ends is not None
        return each.ends if each.ends[0][0] in self.own else each.ends[::-1]

    def of(self, ends: tuple[End, End]) -> list[Packet]:
        return [each for each in self.udp() if self.pair(each) == ends]

    def at(self, part: float) -> int:
        """The time when this part of the datagrams of the call has passed."""
        datagrams = self.of(self.call)
        return datagrams[min(int(part * len(datagrams)), len(datagrams) - 1)].at_ns

    def begins(self) -> int:
        """The time from which five media datagrams of the call lie within a second: the answer, nearly."""
        times = [each.at_ns for each in self.of(self.call) if is_media(each.payload)]
        return next(first for first, fifth in zip(times, times[4:], strict=False) if fifth - first < S)

    def renumber(self, ends: dict[End, End], since_ns: int = 0) -> None:
        """Other addresses and ports in the headers of all packets from then on."""

        def change(each: Packet) -> Packet:
            if each.ends is None or each.at_ns < since_ns or not (set(each.ends) & ends.keys()):
                return each
            source, target = each.ends
            return each.between(ends.get(source, source), ends.get(target, target))

        self.change(change)


@dataclass
class Trial:
    """Both captures of a call, what is right about it (cell -> value), and changes of its record: `clocks` lists those
    that nobody compared, `noted` by side addresses that were recorded as well (`public:` before those that a probe
    saw), `observed` a scenario. `find` gives the other trials by name."""

    caller: Side
    callee: Side
    right: dict[str, Any]
    find: Callable[[str], "Trial"]
    clocks: list[str] = field(default_factory=list)
    noted: dict[str, list[str]] = field(default_factory=dict)
    observed: str = ""

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.caller, self.callee


Edit = Callable[[Trial], None]


def everywhere(*edits: Edit) -> Edit:
    """One after the other."""

    def edit(trial: Trial) -> None:
        for each in edits:
            each(trial)

    return edit


def on(sides: str, how: Callable[[Side], None]) -> Edit:
    """On `caller`, on `callee`, or on `both`."""

    def edit(trial: Trial) -> None:
        for name in SIDES if sides == "both" else (sides,):
            how(getattr(trial, name))

    return edit


def without(kind: int, *, of_call: bool = False) -> Callable[[Side], None]:
    """No message of this type, of the call's conversation or of any."""

    def edit(side: Side) -> None:
        call = side.call
        side.keep(lambda each: kind_of(each.payload) != kind or (of_call and side.pair(each) != call))

    return edit


def without_any_response(side: Side) -> None:
    side.keep(lambda each: (kind_of(each.payload) or 0) & 0x0110 not in RESPONSES)


def without_the_last_response(side: Side) -> None:
    responses = [each for each in side.udp() if (kind_of(each.payload) or 0) & 0x0110 in RESPONSES]
    side.keep(lambda each: each is not responses[-1])


def without_nested_stun(side: Side) -> None:
    side.keep(lambda each: kind_of(carried(each.payload)) is None or carried(each.payload) == each.payload)


def far_port(part: float, port: int, address: str = "") -> Callable[[Side], None]:
    """From this part of the call on its far end has another port, and another address where one is given."""

    def edit(side: Side) -> None:
        far = side.call[1]
        side.renumber({far: (address or far[0], port)}, side.at(part))

    return edit


def near_port(part: float, port: int, address: str = "") -> Callable[[Side], None]:
    """The same of its own end."""

    def edit(side: Side) -> None:
        near = side.call[0]
        side.renumber({near: (address or near[0], port)}, side.at(part))

    return edit


def noted(side: str, *addresses: str) -> Edit:
    """These were recorded for the phone as well."""

    def edit(trial: Trial) -> None:
        trial.noted[side] = list(addresses)

    return edit


def server_port(port: int) -> Callable[[Side], None]:
    """The server of the call has this port from the beginning."""

    def edit(side: Side) -> None:
        far = side.call[1]
        side.renumber({far: (far[0], port)})

    return edit


def other_server(part: float, address: str) -> Callable[[Side], None]:
    """From this part on the relay is another, where the phone allocates anew from another port. The address is of the
    version of IP that the call has."""

    def edit(side: Side) -> None:
        (near, far), since = side.call, side.at(part)
        wanted = (wire.ALLOCATE, wire.ALLOCATED, wire.CHANNEL_BIND, 0x0109)
        again = [each for each in side.of((near, far)) if kind_of(each.payload) in wanted]
        first = again[0].at_ns
        side.renumber({near: (near[0], near[1] + 1), far: (address, far[1])}, since)
        moved = {near: (near[0], near[1] + 1), far: (address, far[1])}
        side.add(
            replace(each.between(moved[each.ends[0]], moved[each.ends[1]]), at_ns=since - S + each.at_ns - first)
            for each in again
            if each.ends
        )

    return edit


def restarted(part: float, new: tuple[str, str]) -> Edit:
    """An ICE restart (RFC 8445 9): other fragments and ports at both ends of a direct call from this part on."""

    def edit(trial: Trial) -> None:
        changed = list(zip(trial.right["user_ids"], new, strict=True))
        for number, side in enumerate(trial.sides):
            since = side.at(part)
            near, far = side.call
            more = (11, 23) if number == 0 else (23, 11)
            side.renumber({near: (near[0], near[1] + more[0]), far: (far[0], far[1] + more[1])}, since)

            def renamed(each: Packet, since: int = since) -> Packet:
                data = each.data
                for before, after in changed if each.at_ns >= since else ():
                    data = data.replace(before.encode(), after.encode())
                return replace(each, data=data)

            side.change(renamed)

    return edit


def silent(ways: str) -> Edit:
    """No media from caller to callee (`one`), or none at all (`both`): that direction's datagrams of media are gone."""

    def edit(trial: Trial) -> None:
        for name, side in zip(SIDES, trial.sides, strict=True):
            near = side.call[0]

            def gone(each: Packet, near: End = near, name: str = name) -> bool:
                if each.ends is None or near not in each.ends or not is_media(each.payload):
                    return False
                return ways == "both" or (each.ends[0] == near) == (name == "caller")

            side.keep(lambda each, gone=gone: not gone(each))

    return edit


def kept_alive(every: int, size: int) -> Edit:
    """Of the media every so many datagrams remain, as so many bytes of no content in the same framing."""

    def edit(trial: Trial) -> None:
        for side in trial.sides:
            media = [each for each in side.of(side.call) if is_media(each.payload)]
            kept = {id(each) for each in media[::every]}
            dropped = {id(each) for each in media} - kept

            def short(each: Packet, kept: set[int] = kept) -> Packet:
                framed = wire.channel(int.from_bytes(each.payload[:2]), bytes(size))
                return each.carrying(framed) if id(each) in kept else each

            side.packets = [short(each) for each in side.packets if id(each) not in dropped]

    return edit


def in_indications(side: Side) -> None:
    """No channel was bound: what ChannelData carried is in Send and Data indications (RFC 8656 11)."""
    near, far = side.call
    peer = wire.attribute(wire.PEER, wire.xored("31.13.87.128", 50_000, bytes(12)))

    def change(each: Packet) -> Packet:
        if each.ends is None or set(each.ends) != {near, far} or not is_channel(each.payload):
            return each
        kind = wire.SEND if each.ends[0] == near else wire.DATA_INDICATION
        attributes = [peer, wire.attribute(wire.DATA, carried(each.payload))]
        return each.carrying(wire.stun(kind, attributes, bytes(12)))

    side.change(change)


def of_another_kind(side: Side) -> None:
    """The media are not RTP: their first byte is one of DTLS (RFC 7983)."""
    call = set(side.call)

    def change(each: Packet) -> Packet:
        if set(each.ends or ()) != call or not is_channel(each.payload) or not is_media(each.payload):
            return each
        return replace(each, data=each.data[: each.body + 4] + b"\x17" + each.data[each.body + 5 :])

    side.change(change)


def observed(scenario: str) -> Edit:
    """What was seen on the phones, or is said in the list, is another scenario."""

    def edit(trial: Trial) -> None:
        trial.observed = scenario

    return edit


def late(seconds: float) -> Edit:
    """The first seconds after the answer are silent on both sides."""

    def edit(trial: Trial) -> None:
        for side in trial.sides:
            begin, call = side.begins(), side.call
            gone = {
                id(each) for each in side.of(call) if 0 <= each.at_ns - begin < seconds * S and is_media(each.payload)
            }
            side.keep(lambda each, gone=gone: id(each) not in gone)

    return edit


def fuller(part: float, copies: int, size: int) -> Edit:
    """From this part on so many larger datagrams follow each of the media on both sides, in the framing of the call."""

    def edit(trial: Trial) -> None:
        for side in trial.sides:
            rng, since = random.Random("fuller"), side.at(part)
            added = []
            for each in side.of(side.call):
                if each.at_ns >= since and is_media(each.payload):
                    for number in range(copies):
                        framed = wire.channel(int.from_bytes(each.payload[:2]), wire.rtp(rng, size))
                        added.append(each.carrying(framed).later(1_000_000 * (number + 1)))
            side.add(added)

    return edit


def thinner(part: float, least: int) -> Edit:
    """From this part on media datagrams of so many bytes or more are gone on both sides: the cameras are off."""

    def edit(trial: Trial) -> None:
        for side in trial.sides:
            since = side.at(part)
            large = [each for each in side.of(side.call) if each.payload_size >= least and is_media(each.payload)]
            gone = {id(each) for each in large if each.at_ns >= since}
            side.keep(lambda each, gone=gone: id(each) not in gone)

    return edit


def direct_to_relay(side: Side, relayed: End) -> None:
    """This side, which had a relay of its own, talks to the other's relayed transport address (IPv4) from its own port:
    what it sent through its relay goes there, unwrapped, and what came through it comes from there."""
    near, far = side.call
    again = (near[0] if ":" not in near[0] else next(each for each in side.own if ":" not in each), near[1])

    def change(each: Packet) -> Packet:
        inner = carried(each.payload)
        if each.protocol != UDP or each.ends is None or side.pair(each) != (near, far) or inner == each.payload:
            return each
        ends = (again, relayed) if each.ends[0] == near else (relayed, again)
        return datagram(each, *ends, inner)

    side.change(change)
