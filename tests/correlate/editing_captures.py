"""Edits of a recorded trial in which something else is on the wire, or the captures are not what they should be."""

import random
from collections.abc import Callable
from dataclasses import replace

from tests.correlate import wire
from tests.correlate.editing import SIDES, Edit, S, Side, Trial
from tests.correlate.recorded import Packet, attributes, is_channel, is_media, kind_of, linked, packet
from tests.correlate.wire import End

SYN, SYN_ACK, PUSH = 0x02, 0x12, 0x18
ROUND_TRIP_NS = 40_000_000


def segment(
    like: Packet, ends: tuple[End, End], at_ns: int, seq: int, payload: bytes = b"", flags: int = PUSH
) -> Packet:
    return packet(at_ns, linked(like.link, ends[0]), wire.tcp(*ends, seq, payload, flags=flags))


def handshake(like: Packet, near: End, far: End, at_ns: int) -> list[Packet]:
    """Begun by the near end; the sequence numbers of the data are 1,001 and 9,001."""
    return [
        segment(like, (near, far), at_ns - 2 * ROUND_TRIP_NS, 1000, flags=SYN),
        segment(like, (far, near), at_ns - ROUND_TRIP_NS, 9000, flags=SYN_ACK),
        segment(like, (near, far), at_ns - ROUND_TRIP_NS + 1000, 1001, flags=0x10),
    ]


def over_tcp(*, port: int = 0, disorder: bool = False) -> Callable[[Side], None]:
    """TURN over TCP (RFC 8656 3.1, 12.5): each datagram of the call's conversation with its relay becomes a segment,
    the ChannelData padded to four bytes. With `disorder` every fortieth segment comes once more and every sixtieth
    after the next."""

    def edit(side: Side) -> None:
        near, far = side.call
        server = (far[0], port or far[1])
        turn = side.of((near, far))
        moved = {near: near, far: server}
        seqs = {near: 1001, far: 9001}
        found = handshake(turn[0], near, server, turn[0].at_ns)
        gone = {id(each) for each in turn}
        for number, each in enumerate(turn):
            assert each.ends is not None
            assert len(each.data) == each.size, "cut by the snapshot length"
            payload = each.payload + bytes(-len(each.payload) % 4 if is_channel(each.payload) else 0)
            source, target = each.ends
            sent = segment(each, (moved[source], moved[target]), each.at_ns, seqs[source], payload)
            seqs[source] += len(payload)
            found.append(sent.later(25_000_000 if disorder and number % 60 == 30 else 0))
            if disorder and number % 40 == 7:
                found.append(sent.later(30_000_000))
        side.keep(lambda each: id(each) not in gone)
        side.add(found)

    return edit


def tls(size: int, *, up: bool = False, both: bool = False, seconds: float = 8.0) -> Callable[[Side], None]:
    """A TLS connection of something else in the middle of the capture: a hello each way, then so many segments of 1,200
    bytes down or up, or of 300 both ways, evenly in so many seconds; the rest acknowledges."""

    def edit(side: Side) -> None:
        rng = random.Random("tls")
        like = side.udp()[0]
        own = next(near[0] for near, _ in map(side.pair, side.udp()) if near[0] in side.own and ":" not in near[0])
        near, far = (own, 51_443), ("192.0.2.77", 443)
        begin = side.packets[len(side.packets) // 3].at_ns
        found = handshake(like, near, far, begin)
        seqs = {near: 1001, far: 9001}

        def send(source: End, at_ns: int, payload: bytes) -> None:
            target = far if source == near else near
            found.append(segment(like, (source, target), at_ns, seqs[source], payload))
            seqs[source] += len(payload)

        send(near, begin, b"\x16\3\1\2\0" + rng.randbytes(512))
        send(far, begin + ROUND_TRIP_NS, b"\x16\3\3\4\0" + rng.randbytes(1024))
        for number in range(size):
            at_ns = begin + 2 * ROUND_TRIP_NS + round(number * seconds * S / size)
            for source in (near, far) if both else ((near,) if up else (far,)):
                record = rng.randbytes(295 if both else 1195)
                send(source, at_ns, b"\x17\3\3" + len(record).to_bytes(2) + record)
        side.add(found)

    return edit


def over_tls(port: int) -> Callable[[Side], None]:
    """TURN over TLS (RFC 8656 3.1): the segments are those of TURN over TCP, each a record of TLS 1.3 whose content is
    chance."""

    def edit(side: Side) -> None:
        rng, (near, far) = random.Random("turns"), side.call
        over_tcp(port=port)(side)
        seqs, hello = {near: 1001, (far[0], port): 9001}, {near: b"\x16\3\1", (far[0], port): b"\x16\3\3"}

        def sealed(each: Packet) -> Packet:
            if each.ends is None or set(each.ends) != seqs.keys() or not each.payload:
                return each
            source = each.ends[0]
            content = rng.randbytes(len(each.payload) + 17)
            record = hello.pop(source, b"\x17\3\3") + len(content).to_bytes(2) + content
            sent = segment(each, each.ends, each.at_ns, seqs[source], record)
            seqs[source] += len(record)
            return sent

        side.change(sealed)

    return edit


def lossy(part: float) -> Callable[[Side], None]:
    """The capture lost this part of all media datagrams."""

    def edit(side: Side) -> None:
        rng = random.Random("lossy")
        side.keep(lambda each: not is_media(each.payload) or is_marker(each) or rng.random() > part)

    return edit


def another_phone(side: Side) -> None:
    """A second phone behind the same hotspot makes a call of its own: all that this one's call has, elsewhere."""
    near, far = side.call
    other = ("192.168.137.99" if ":" not in near[0] else "2001:db8:99::99", near[1])
    away = {far: ("203.0.113.250" if ":" not in far[0] else "2001:db8:98::98", far[1]), near: other}
    found = [each.between(*(away[end] for end in each.ends)) for each in side.of((near, far)) if each.ends]
    side.add([each.later(1_700_000) for each in found])


def call_beside(other: str) -> Edit:
    """In the middle of the caller's capture there is a call of another app by the same phone."""

    def edit(trial: Trial) -> None:
        side, found = trial.caller, trial.find(other)
        theirs = next(each for each in found.sides if bool(each.packets[0].link) == bool(side.packets[0].link))
        near, far = theirs.call
        own = (next(each for each in sorted(side.own) if (":" in each) == (":" in near[0])), near[1])
        talk = theirs.of((near, far))
        by_ns = side.packets[len(side.packets) // 3].at_ns - talk[0].at_ns
        moved = {near: own, far: far}
        side.add([each.between(*(moved[end] for end in each.ends)).later(by_ns) for each in talk if each.ends])

    return edit


def noise_of_udp(side: Side) -> None:
    """QUIC of something else: 2,000 datagrams down and 400 up, both with a long header first."""
    rng, (near, _) = random.Random("quic"), side.call
    own, far, like = (near[0], 52_443), ("192.0.2.99" if ":" not in near[0] else "2001:db8:99::9", 443), side.udp()[0]
    begin = side.at(0.2)
    found = []
    for number in range(2000):
        at_ns, long = begin + number * 4_000_000, number < 4
        first = b"\xc3\0\0\0\1\x08" if long else b"\x43"
        data = wire.udp(far, own, first + rng.randbytes(1150))
        found.append(packet(at_ns, linked(like.link, far), data))
        if number % 5 == 0:
            data = wire.udp(own, far, first + rng.randbytes(60))
            found.append(packet(at_ns + 500_000, linked(like.link, own), data))
    side.add(found)


def cut_end(part: float) -> Callable[[Side], None]:
    """The capture was stopped at this part of the call."""

    def edit(side: Side) -> None:
        until = side.at(part)
        side.keep(lambda each: each.at_ns < until)

    return edit


def cut_begin(part: float) -> Callable[[Side], None]:
    """The capture was begun at this part of the call."""

    def edit(side: Side) -> None:
        since = side.at(part)
        side.keep(lambda each: each.at_ns >= since)

    return edit


def snapped(size: int) -> Callable[[Side], None]:
    """Of each frame so many bytes were kept."""

    def edit(side: Side) -> None:
        side.snaplen = size

    return edit


def twice(side: Side) -> None:
    """Each frame is there a second time, 40 us later, as on the interface `any`."""
    side.packets = [copy for each in side.packets for copy in (each, each.later(40_000))]


def shuffled(side: Side) -> None:
    """The file is not in the order of times: of each four records two are exchanged, times kept."""
    packets = side.packets
    for at in range(200, len(packets) - 4, 4):
        if not any(is_marker(each) for each in packets[at : at + 4]):
            packets[at + 1], packets[at + 2] = packets[at + 2], packets[at + 1]


def stepped(seconds: float, part: float) -> Callable[[Side], None]:
    """The clock that stamps the capture was set on by so much at this part of the call."""

    def edit(side: Side) -> None:
        since = side.at(part)
        side.change(lambda each: each.later(round(seconds * S)) if each.at_ns >= since else each)

    return edit


def moved_by(seconds: float) -> Callable[[Side], None]:
    """All stamps of a capture by so much."""

    def edit(side: Side) -> None:
        side.change(lambda each: each.later(round(seconds * S)))

    return edit


def is_marker(each: Packet) -> bool:
    return each.ends is not None and each.ends[1][1] == 9 and b"im-call-lab" in each.data


def marker_at(what: str, part: float) -> Callable[[Side], None]:
    """The begin or the end marker was sent at this part of the call."""

    def edit(side: Side) -> None:
        at_ns = side.at(part)
        (marker,) = (each for each in side.packets if is_marker(each) and each.data.endswith(what.encode()))
        side.keep(lambda each: each is not marker)
        side.add([replace(marker, at_ns=at_ns)])

    return edit


def clocks_unknown(*names: str) -> Edit:
    """Nobody compared these clocks."""

    def edit(trial: Trial) -> None:
        trial.clocks += names

    return edit


def exchanged(trial: Trial) -> None:
    """The files of the two sides were mixed up."""
    trial.caller, trial.callee = trial.callee, trial.caller


def one_file(which: str) -> Edit:
    """The capture of this side was stored as both."""

    def edit(trial: Trial) -> None:
        side = getattr(trial, which)
        trial.caller, trial.callee = replace(side), replace(side)

    return edit


def one_capture_as_two(which: str) -> Edit:
    """This side's capture, and the same packets as another tool wrote them in the same place: stamps 3 us later, one
    packet missing."""

    def edit(trial: Trial) -> None:
        side = getattr(trial, which)
        again = [each.later(3_000) for each in side.packets]
        del again[len(again) // 2]
        setattr(trial, SIDES[which == "caller"], replace(side, packets=again))

    return edit


def captures_of(other: str, sides: str = "both") -> Edit:
    """In place of this trial's captures there are those of another."""

    def edit(trial: Trial) -> None:
        for name in SIDES if sides == "both" else (sides,):
            setattr(trial, name, replace(getattr(trial.find(other), name)))

    return edit


def relayed_address(side: Side) -> End:
    """The IPv4 relayed transport address that the server of the call allocated to this side (RFC 8656 18.5)."""
    for each in side.of(side.call):
        if kind_of(each.payload) == wire.ALLOCATED:
            value = next(value for kind, value in attributes(each.payload) if kind == wire.RELAYED)
            port = int.from_bytes(value[2:4]) ^ wire.COOKIE >> 16
            packed = bytes(a ^ b for a, b in zip(value[4:8], wire.COOKIE.to_bytes(4), strict=True))
            return ".".join(map(str, packed)), port
    raise AssertionError("no Allocate success")
