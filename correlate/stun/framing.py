"""STUN and TURN over TCP: messages and ChannelData one behind the other (RFC 8656 3.1, 12.5), or each behind its length
(RFC 4571, as ICE-TCP frames them: RFC 6544 3)."""

import struct
from collections.abc import Iterator, Set
from typing import Literal, NamedTuple

from correlate.stun.attributes import COOKIE_BYTES, DATA
from correlate.stun.decoding import CHANNEL_HEADER_BYTES, COOKIE_END, HEADER_BYTES, Contents, contents, frame_kind
from correlate.trace.streams import Hole, Stream

LENGTH_BYTES = 2
MAX_FRAME_BYTES = CHANNEL_HEADER_BYTES + 0xFFFF + 3
MAX_MISSING = 64
TLS_TYPES, TLS_MAJOR = range(20, 25), 3
CHAINED = 3
"""Frames of RFC 4571 in a row without a message among them: RTP and DTLS (RFC 7983 7), no chance."""
_DEMULTIPLEXED = (*range(0, 4), *range(20, 64), *range(128, 192))

Framing = Literal["stun", "rfc4571", "other"]


class Framed(NamedTuple):
    """One frame of a stream: what it holds, how long it is with its header, ChannelData rounded up to four bytes (RFC
    8656 12.5), what was captured of it behind the header, and the frame of the capture that completes it."""

    contents: Contents
    size: int
    body: bytes
    frame: int
    time_ns: int

    @property
    def carries_data(self) -> bool:
        """Whether it carries something that is no message: ChannelData, an indication, or what RFC 4571 frames."""
        found = self.contents.messages
        return not found or (len(found) == 1 and found[0].carries_data)

    @property
    def data(self) -> bytes:
        """What it carries, where that is no message, as far as it was captured."""
        inside = (value for message in self.contents.messages for kind, value in message.attributes if kind == DATA)
        return next(inside, self.body)


class Decoder:
    """Reads one direction of a TCP connection. `framing` is None as long as too little came to tell; `is_tls`: it
    begins as a TLS record does. `missing` are (frame, time, why) where bytes that may be STUN are not there;
    `is_whole`: no frame was lost in between."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.framing: Framing | None = None
        self.is_tls = False
        self.missing: list[tuple[int, int, str]] = []
        self.is_whole = True
        self._padding = 0
        self._numbers = set[int]()
        self._last = 0, -1

    def read(self, channels: Set[int], *, final: bool = False) -> Iterator[Framed]:
        """The frames that are there as a whole. `final`: nothing will follow, so what is missing is lost."""
        while final and self.stream.waits_since is not None:
            yield from self._frames(channels, final=False)
            self.stream.give_up()
        yield from self._frames(channels, final)
        if final and self.stream.stray:
            self._miss(*self.stream.stray, "a segment is far from all others")

    def _frames(self, channels: Set[int], final: bool) -> Iterator[Framed]:
        stream = self.stream
        if self.framing is None:
            self.framing = framing(bytes(stream.data), channels, final=final)
            self.is_tls = is_tls(stream.data)
        if self.framing == "other":
            for hole in stream.holes:
                self._note(_reason(hole))
            stream.drop(stream.end)
        while self.framing is not None and stream.data:
            least = LENGTH_BYTES if self.framing == "rfc4571" else self._padding + COOKIE_END
            if len(stream.data) < least and not final:
                return
            size = self._size(channels)
            if size is None:
                self._resynchronise()
            elif len(stream.data) >= size or final:
                yield self._framed(size, channels)
            else:
                return

    def _size(self, channels: Set[int]) -> int | None:
        """Bytes of the frame at the front; None where none begins there, or its first bytes are not there."""
        stream = self.stream
        head = LENGTH_BYTES if self.framing == "rfc4571" else CHANNEL_HEADER_BYTES + self._padding
        if len(stream.data) < head or any(hole.start < stream.base + head for hole in stream.holes):
            return None
        if self.framing == "rfc4571":
            return LENGTH_BYTES + int.from_bytes(stream.data[:LENGTH_BYTES])
        begin = self._begin(channels)
        if begin is None:
            return None
        stream.drop(stream.base + begin)
        self._padding = 0
        length = int.from_bytes(stream.data[2:4])
        return (HEADER_BYTES if stream.data[0] < 0x40 else CHANNEL_HEADER_BYTES) + length

    def _begin(self, channels: Set[int]) -> int | None:
        """Where the next frame begins: ChannelData is padded to four bytes (RFC 8656 12.5), and behind that of somebody
        who does not pad it begins at once. A message is no chance, nor is a channel that is known; any other may be."""
        places = list(dict.fromkeys((self._padding, 0)))
        data, known = self.stream.data, {*channels, *self._numbers}
        kinds = {place: frame_kind(data, place) for place in places}
        sure = [place for place in places if kinds[place] == "message"]
        sure += [each for each in places if kinds[each] == "channel" and int.from_bytes(data[each : each + 2]) in known]
        return next(iter([*sure, *(place for place in places if kinds[place])]), None)

    def _framed(self, size: int, channels: Set[int]) -> Framed:
        stream = self.stream
        start, end = stream.base, min(stream.base + size, stream.end)
        hole = min((each for each in stream.holes if each.start < end), default=None)
        there = bytes(stream.data[: (hole.start if hole else end) - start])
        frame, time_ns = self._completed(end)
        if self.framing == "rfc4571":
            found = contents(there[LENGTH_BYTES:], size - LENGTH_BYTES)
            if hole and len(there) < LENGTH_BYTES + COOKIE_END:
                found = found._replace(missing=_reason(hole))
        else:
            number = int.from_bytes(there[:2])
            if number >= 0x4000 and len(self._numbers) < MAX_MISSING:
                self._numbers.add(number)
            found = contents(there, size, {number, *channels})
            self._padding = -size & 3
        if found.missing:
            self._miss(frame, time_ns, _reason(hole) if hole else found.missing)
        stream.drop(end)
        header = LENGTH_BYTES if self.framing == "rfc4571" else CHANNEL_HEADER_BYTES
        return Framed(found, size + self._padding, there[header:], frame, time_ns)

    def _completed(self, end: int) -> tuple[int, int]:
        """The frame and the time of the segment that brought the last of the bytes before `end`."""
        brought = [(each.frame, each.time_ns) for each in self.stream.pieces if each.start < end and each.frame]
        self._last = max(brought, default=self._last)
        return self._last

    def _note(self, why: str) -> None:
        self._miss(*self._completed(self.stream.end), why)

    def _miss(self, frame: int, time_ns: int, why: str) -> None:
        if len(self.missing) < MAX_MISSING:
            self.missing.append((frame, time_ns, why))

    def _resynchronise(self) -> None:
        """Goes on where the next segment begins with a message, or with what is still to come."""
        stream = self.stream
        hole = stream.holes[0] if stream.holes else None
        if hole or len(stream.data) > self._padding:
            self.is_whole = False
            self._note(_reason(hole) if hole else "what follows a message is no STUN")
        self._padding = 0
        starts = (each.start for each in stream.pieces if each.frame and each.start > stream.base)
        at = next((start for start in starts if _begins(stream.data, start - stream.base, self.framing)), stream.end)
        stream.drop(at)


def _reason(hole: Hole) -> str:
    return f"{hole.size} bytes of a segment are cut" if hole.is_cut else f"{hole.size} bytes were not captured"


def _begins(data: bytearray, at: int, how: Framing | None) -> bool:
    if how == "rfc4571":
        return frame_kind(data, at + LENGTH_BYTES) == "message"
    return frame_kind(data, at) is not None


def is_tls(data: bytes | bytearray) -> bool:
    """Whether these bytes begin as a TLS record does (RFC 8446 5.1)."""
    return len(data) >= 2 and data[0] in TLS_TYPES and data[1] == TLS_MAJOR


def framing(data: bytes, channels: Set[int], *, final: bool) -> Framing | None:
    """How the first bytes of a stream are framed; None where more must come to tell. `final`: nothing will."""
    if len(data) < LENGTH_BYTES + COOKIE_END and not final:
        return None
    if frame_kind(data, 0) == "message":
        return "stun"
    if frame_kind(data, LENGTH_BYTES) == "message":
        return "rfc4571"
    of_channels, of_lengths = _channels(data, channels), _lengths(data)
    if of_channels:
        return "stun"
    if of_lengths:
        return "rfc4571"
    is_open = of_channels is None or of_lengths is None
    return None if is_open and not final and len(data) <= MAX_FRAME_BYTES else "other"


def _channels(data: bytes, channels: Set[int]) -> bool | None:
    """Whether a stream that was joined in the middle begins with ChannelData: of a bound channel, with a message in
    it, or with another frame behind it; None where it may."""
    if frame_kind(data, 0) != "channel":
        return False
    number, length = struct.unpack_from(">HH", data)
    end = CHANNEL_HEADER_BYTES + length
    padded = end + 3 & ~3
    if number in channels or data[8:12] == COOKIE_BYTES or len(data) in (end, padded):
        return True
    if any(frame_kind(data, at) == "message" or data[at : at + 2] == data[:2] for at in (padded, end)):
        return True
    return None if len(data) < padded + COOKIE_END else False


def _lengths(data: bytes) -> bool | None:
    """Whether frames of RFC 4571 follow each other; None where they may."""
    at = 0
    for _ in range(CHAINED):
        if at + LENGTH_BYTES >= len(data):
            return None
        length = int.from_bytes(data[at : at + LENGTH_BYTES])
        if not length or data[at + LENGTH_BYTES] not in _DEMULTIPLEXED:
            return False
        at += LENGTH_BYTES + length
    return None if at > len(data) else True
