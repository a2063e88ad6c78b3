"""The other phone's addresses as bytes, below all decoding: what no table of attributes knows is still seen here.

16 bytes and text are looked for in every payload that was captured; 4 bytes, plain and XORed with STUN's cookie, where
they are no chance: in a payload's first bytes, in STUN and in text, never in RTP, SRTP and TLS records.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

import numpy as np

from correlate.pairs.frames import Frame
from correlate.pairs.quoted import other_rows
from correlate.pairs.window import Window
from correlate.stun import CHANNEL_HEADER_BYTES, COOKIE, DATA, HEADER_BYTES
from correlate.stun.decoding import attributes, frame_kind, kind_and_length
from correlate.trace import Datagrams
from correlate.trace.addresses import MAPPED, NAT64, Address
from correlate.trace.datagrams import HEAD_BYTES
from correlate.trace.records import Column, Mask, Octets, u16

FIRST_BYTES = 64
"""Of a payload of an unknown protocol: its header stands there, behind it contents that may be anything."""
NO_CHANCE = 0.001
"""Fewer hits than this are expected by chance: then one of them is none."""
MAX_HITS = 64
TLS_TYPES, TLS_MAJORS = range(20, 27), (3, 254)
"""TLS and DTLS records (RFC 8446 5.1, RFC 9147 4): a type, and the first byte of a version."""
RTCP_TYPES = range(200, 208)
SAME_SSRC = 3
DNS_PORTS = (53, 5353)
_BEFORE = {4: re.compile(rb"[0-9.]\Z"), 6: re.compile(rb"[0-9A-Fa-f:]\Z")}
_BEHIND = {4: re.compile(rb"[0-9]|\.[0-9]"), 6: re.compile(rb"[0-9A-Fa-f:]")}
"""192.0.2.7 is no part of 192.0.2.77."""


class Hit(NamedTuple):
    """An address (folded) of the other phone in bytes that nothing decodes: in which form, in which frame, how far into
    its payload, and how many such hits chance would give in the window. `is_chance`: it is neither fewer than NO_CHANCE
    nor does the form stand there in another datagram too."""

    address: Address
    form: str
    frame: Frame
    offset: int
    expected: float
    is_chance: bool

    def __str__(self) -> str:
        number = f"{self.expected:.1g}" if self.expected else "0"
        return f"{self.address} as {self.form}, frame {self.frame.number} byte {self.offset}, {number} by chance"


def hits(window: Window, addresses: Iterable[Address]) -> tuple[Hit, ...]:
    """Where the window shows these addresses as bytes, by frame; at most MAX_HITS. Those that decoding shows are not to
    be asked for: they are exposed already."""
    low, high = _span(window)
    data = bytes(window.trace.data[low:high])
    apart, places = _values_apart(window), None
    bytes_there = b"".join((data, *(value for _, value in apart)))
    found = list[Hit]()
    for address in sorted(set(addresses), key=str):
        for form, needle in _forms(address, bytes_there):
            raw = list(_all(data, needle, address.version if form == "text" else None))
            at = [(frame, offset) for frame, value in apart if (offset := value.find(needle)) >= 0]
            if not raw and not at:
                continue
            places = places or _Places(window)
            is_short = len(needle) == 4
            placed = (places.find(low + offset, len(needle), is_short=is_short) for offset in raw)
            at = [*(place for place in placed if place is not None), *at]
            repeated = Counter(offset for _, offset in at)
            expected = (places.positions if is_short else high - low) / 256.0 ** len(needle)
            found += [
                Hit(address, form, frame, offset, expected, expected >= NO_CHANCE and repeated[offset] < 2)
                for frame, offset in at[:MAX_HITS]
            ]
    return tuple(sorted(found, key=lambda each: (each.frame, each.offset, each.form))[:MAX_HITS])


def _span(window: Window) -> tuple[int, int]:
    """The bytes of the file in which the frames of the window lie."""
    records = window.trace.records
    first, last = window.frames
    mine = np.arange(1, len(records) + 1)
    mine = np.flatnonzero((mine > first) & (mine < last))
    if not len(mine):
        return 0, 0
    low, high = int(mine[0]), int(mine[-1])
    return int(records.start[low]), int(records.start[high] + records.captured[high])


def _forms(address: Address, data: bytes) -> Iterator[tuple[str, bytes]]:
    """What an address may look like in these bytes; without forms of which a part is not even there."""
    if isinstance(address, IPv4Address):
        yield "4 bytes", address.packed
        yield "4 bytes XORed with the cookie", (int(address) ^ COOKIE).to_bytes(4)
        for network in (MAPPED, NAT64) if address.packed in data else ():
            yield "16 bytes", network.network_address.packed[:12] + address.packed
        yield "text", str(address).encode()
        return
    yield "16 bytes", address.packed
    short = ":".join(group.lstrip("0") or "0" for group in address.exploded.split(":"))
    begin = short[: short.index(":") + 1]
    if any(each.encode() in data for each in dict.fromkeys((begin, begin.upper()))):
        for text in dict.fromkeys((address.compressed, short, address.exploded)):
            yield from dict.fromkeys((("text", text.encode()), ("text", text.upper().encode())))


def _all(data: bytes, needle: bytes, text_of: int | None) -> Iterator[int]:
    """Every place of a needle; of the text of an address of an IP version where it is no part of a longer one."""
    at = data.find(needle)
    while at >= 0:
        behind = at + len(needle)
        is_part = text_of and (
            _BEFORE[text_of].search(data[max(at - 1, 0) : at]) or _BEHIND[text_of].match(data[behind : behind + 2])
        )
        if not is_part:
            yield at
        at = data.find(needle, at + 1)


def _values_apart(window: Window) -> list[tuple[Frame, bytes]]:
    """The attributes of messages that came in several segments or fragments: in the file their bytes may lie apart. A
    hit's offset is that in the value."""
    in_fragments = {each.frame for each in window.trace.fragments}
    return [
        (Frame(each.frame, each.time_ns), value)
        for each in window.messages
        if each.transport == "tcp" or each.frame in in_fragments
        for _, value in each.attributes
    ]


class _Payloads(NamedTuple):
    """Payloads of a window by their place in the file, and how many of their first bytes count for 4 bytes."""

    frame: Column
    time_ns: Column
    start: Column
    captured: Column
    reach: Column


class _Places:
    """Where in a payload an offset of the file lies. `positions` is how many of the window's count for 4 bytes."""

    def __init__(self, window: Window) -> None:
        udp, self._media = _udp(window)
        every = [
            np.concatenate(each) for each in zip(udp, _fragments(window), _tcp(window), _others(window), strict=True)
        ]
        order = np.argsort(every[2], kind="stable")
        self._of = _Payloads(*(column[order] for column in every))
        media = sum(end - start for spans in self._media.values() for start, end in spans)
        self.positions = int(self._of.reach.sum()) - media

    def find(self, at: int, length: int, *, is_short: bool) -> tuple[Frame, int] | None:
        """The frame, and the offset in its payload, of `length` bytes at an offset of the file; None where they lie in
        no payload, or where 4 bytes are likely to be chance."""
        of = self._of
        row = int(np.searchsorted(of.start, at, side="right")) - 1
        if row < 0:
            return None
        offset = at - int(of.start[row])
        if offset + length > int((of.reach if is_short else of.captured)[row]):
            return None
        spans = self._media.get(int(of.start[row]), [])
        if is_short and any(start <= offset < end for start, end in spans):
            return None
        return Frame(int(of.frame[row]), int(of.time_ns[row])), offset


def _udp(window: Window) -> tuple[_Payloads, dict[int, list[tuple[int, int]]]]:
    """Datagrams; and by their place in the file the media in those that hold messages."""
    trace, rows = window.trace, np.flatnonzero(window.trace.udp.payload_offset >= 0)
    udp, of = trace.udp.take(rows), window.flows.of
    captured = udp.payload_captured
    with_stun = np.isin(of, of[[each.row for each in window.messages if each.row >= 0]])[rows]
    is_dns = np.isin(udp.src_port, DNS_PORTS) | np.isin(udp.dst_port, DNS_PORTS)
    channel = _is_channel(udp.head, udp.payload_bytes)
    is_media = np.where(channel, _looks_like_media(udp.head[:, 4:]), _is_rtp(udp, with_stun) | _is_tls(udp.head))
    whole = is_dns | _is_text(udp.head)
    reach = np.where(is_media & ~is_dns, 0, np.where(whole, captured, np.minimum(captured, FIRST_BYTES)))
    with_messages = np.isin(udp.frame, [each.frame for each in window.messages if each.transport == "udp"])
    reach = np.where(with_messages, captured, reach)
    spans = {}
    for start, size in zip(udp.payload_offset[with_messages].tolist(), captured[with_messages].tolist(), strict=True):
        if found := _media_in(bytes(trace.data[start : start + size])):
            spans[start] = found
    return _Payloads(udp.frame, udp.time_ns, udp.payload_offset, captured, reach), spans


def _fragments(window: Window) -> _Payloads:
    """Later fragments: what they hold the first one tells, so 4 bytes do not count."""
    low, high = window.frames
    later = [each for each in window.trace.fragments if each.at and low < each.frame < high]
    table = [(each.frame, each.time_ns, each.offset, each.captured, 0) for each in later]
    return _Payloads(*np.array(table, np.int64).reshape(-1, 5).T)


def _tcp(window: Window) -> _Payloads:
    """Segments: of a connection of STUN whole but for media, of one of TLS nothing, since its records go on from
    segment to segment."""
    segments, data = window.segments.with_payload(), window.trace.data
    kinds = {each.ends: "tls" if each.is_tls else each.framing for each in window.connections}
    kinds |= {(*ends[2:], *ends[:2]): kind for ends, kind in kinds.items() if kind == "tls"}
    of, rows = segments.addresses, segments.rows
    ends = zip(
        *(each.tolist() for each in (segments.src, segments.src_port, segments.dst, segments.dst_port)), strict=True
    )
    places = zip(rows.payload_offset.tolist(), rows.payload_captured.tolist(), strict=True)
    reach = list[int]()
    for (src, src_port, dst, dst_port), (offset, captured) in zip(ends, places, strict=True):
        kind = kinds.get((of[src], src_port, of[dst], dst_port), "other")
        first = bytes(data[offset : offset + min(captured, HEAD_BYTES)])
        behind = {"stun": CHANNEL_HEADER_BYTES * (first[:1] >= b"\x40"), "rfc4571": 2}.get(kind, 0)
        if kind == "tls" or (kind != "other" and _begins_media(first[behind:])):
            reach.append(0)
        else:
            is_whole = kind != "other" or bool(_is_text(np.frombuffer(first, np.uint8)[None, :])[0])
            reach.append(captured if is_whole else min(captured, FIRST_BYTES))
    reached = np.array(reach, np.int64)
    return _Payloads(rows.frame, rows.time_ns, rows.payload_offset, rows.payload_captured, reached)


def _others(window: Window) -> _Payloads:
    """Frames that are neither UDP nor TCP, from their first byte on."""
    records = window.trace.records
    mine = other_rows(window.trace, window.frames, window.udp_frames)
    captured = records.captured[mine]
    reach = np.minimum(captured, FIRST_BYTES)
    return _Payloads(mine + 1, records.time_ns[mine], records.start[mine], captured, reach)


def _is_channel(head: Octets, size: Column) -> Mask:
    """ChannelData that is as long as it says (RFC 8656 12.4)."""
    behind = size - CHANNEL_HEADER_BYTES - u16(head, 2)
    mask: Mask = (head[:, 0] >> 6 == 1) & (behind >= 0) & (behind < 4)
    return mask


def _is_tls(head: Octets) -> Mask:
    mask: Mask = np.isin(head[:, 0], TLS_TYPES) & np.isin(head[:, 1], TLS_MAJORS)
    return mask


def _looks_like_media(head: Octets) -> Mask:
    """RTP, RTCP or TLS among what STUN carries, by its first byte (RFC 7983 7)."""
    mask: Mask = (head[:, 0] >> 6 == 2) | _is_tls(head)
    return mask


def _is_rtp(udp: Datagrams, with_stun: Mask) -> Mask:
    """Version 2 of RTP (RFC 3550 5.1) in a flow with STUN, or in several datagrams of a sender that have one SSRC; and
    RTCP (6.4) that is as long as it says."""
    head = udp.head
    version: Mask = head[:, 0] >> 6 == 2
    ssrc = np.ascontiguousarray(head[:, 8:12]).view(">u4")[:, 0].astype(np.int64)
    ends = np.stack([udp.src, udp.src_port, udp.dst, udp.dst_port, ssrc])[:, version]
    _, of, counts = np.unique(ends, axis=1, return_inverse=True, return_counts=True)
    rtp = version & with_stun
    rtp[np.flatnonzero(version)] |= counts[of.reshape(-1)] >= SAME_SSRC
    rtcp = version & np.isin(head[:, 1], RTCP_TYPES) & (4 * (u16(head, 2) + 1) <= udp.payload_bytes)
    mask: Mask = rtp | rtcp
    return mask


def _is_text(head: Octets) -> Mask:
    return np.asarray((((head >= 0x20) & (head < 0x7F)) | np.isin(head, (9, 10, 13))).all(axis=1))


def _begins_media(data: bytes) -> bool:
    return bool(data) and (data[0] >> 6 == 2 or (data[0] in TLS_TYPES and data[1:2] in (b"\x03", b"\xfe")))


def _media_in(payload: bytes) -> list[tuple[int, int]]:
    """Where media lie in a datagram of STUN: the values of ChannelData and of DATA that are none of it themselves."""
    found, todo = list[tuple[int, int]](), [(0, len(payload))]
    while todo:
        at, end = todo.pop()
        if _begins_media(payload[at:end]):
            found.append((at, end))
        while kind := frame_kind(payload[:end], at):
            _, length = kind_and_length(payload, at)
            header = CHANNEL_HEADER_BYTES if kind == "channel" else HEADER_BYTES
            inside = payload[at + header : min(at + header + length, end)]
            values = (
                [inside]
                if kind == "channel"
                else [value for number, value, _ in attributes(inside, len(inside))[0] if number == DATA]
            )
            todo += [(place, place + len(value)) for value in values if (place := payload.find(value, at + 4)) > 0]
            at += header + length
            at += -at & 3 if frame_kind(payload[:end], at) is None else 0
    return found
