"""The conversation of an answered call: media through the relay or directly, candidates, and direct ICE checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lab.definitions.machines import Stimulus
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Address, Endpoint
from lab.virtual.network.datagrams import Integers
from lab.virtual.network.ice import IceSession
from lab.virtual.network.meaning import Meaning
from lab.virtual.network.media import Level, Packets, RtpStream, in_channel, in_indications
from lab.virtual.network.sessions import Leg, Session
from lab.virtual.network.stream import TcpStream
from lab.virtual.network.unrelayed import Unrelayed

_MILLISECOND_NS = 1_000_000
_SLOT_NS = 2_000_000_000
_MEDIA_AFTER_MS = (120, 260)
_CHECKS_EVERY_NS = 5_000_000_000
_BINDING_NS = 250_000_000
_PRIVATE_CHECKS = 3
_PRIVATE_SPACING_NS = 250_000_000


@dataclass(frozen=True)
class _Path:
    """How media pass one phone's wire."""

    socket: Endpoint
    remote: Endpoint
    meaning: Meaning
    framed: Callable[[Packets], Packets] | None = None
    stream: TcpStream | None = None


class Conversation:
    """Media and checks from the answer until `end`."""

    def __init__(self, ice: IceSession, stimuli: Mapping[str, Stimulus], direct: bool) -> None:
        self._ice, self._datapath, self._app, self._service = ice, ice.datapath, ice.app, ice.call.service
        self._group = f"{ice.key}/media"
        self._draw = ice.world.chance(f"network/{ice.key}/conversation")
        now_ns = ice.world.now_ns
        low, high = _MEDIA_AFTER_MS
        self._start_ns = now_ns + self._draw.randint(low, high) * _MILLISECOND_NS
        # PCAPdroid's proxy passes no datagram of a peer that the app has not written to from that very socket.
        proxied = any(leg.access is not ice.datapath.accesses[leg.phone] for leg in ice.legs)
        self._direct = direct and self._app.direct_capable and not proxied
        move = self._app.moves_to_direct
        moves_ns = now_ns + self._draw.randint(round(move.low_s * 1e9), round(move.high_s * 1e9))
        self._direct_from_ns = max(moves_ns, self._start_ns) if self._direct else None
        # None: media go in channels, or bare, from their beginning on.
        in_indications_ns = round(self._app.indications_s * 1e9)
        self._channels_from_ns = self._start_ns + _BINDING_NS + in_indications_ns if in_indications_ns else None
        self._streams = {leg.role: self._stream(leg, stimuli[leg.phone]) for leg in ice.legs}
        self._losses = {leg.role: ice.world.generator(f"{self._group}/{leg.role}") for leg in ice.legs}
        self._transactions = ice.world.generator(f"{self._group}/transactions")

    def start(self) -> None:
        """Begin: permissions and channels at once, candidates and ids soon, media by its slots."""
        after = self._ice.after
        if self._app.media_framing == "channel_data":
            self._ice.permit()
            self._bind()
        after(200 * _MILLISECOND_NS, self._show_candidates)
        ids = self._app.user_ids
        if ids is not None and ids.when == "conversation":
            after(260 * _MILLISECOND_NS, self._ice.start_checks)
        if self._direct:
            for leg in self._ice.legs:
                leg.gather()
            after(150 * _MILLISECOND_NS, self._check_directly)
            for number in range(_PRIVATE_CHECKS):
                after(180 * _MILLISECOND_NS + number * _PRIVATE_SPACING_NS, self._check_private)
        after(self._start_ns - self._ice.world.now_ns, lambda: self._slot(self._start_ns))

    def _bind(self) -> None:
        """Bind channels now, or a moment before media are to go in them."""
        if self._channels_from_ns is None:
            self._bind_channels()
            self._ice.channels_bound = True
        else:
            left_ns = self._channels_from_ns - self._ice.world.now_ns
            self._ice.after(left_ns - _BINDING_NS, self._bind_channels)
            self._ice.after(left_ns, partial(setattr, self._ice, "channels_bound", True))

    def _bind_channels(self) -> None:
        for leg in self._ice.legs:
            if isinstance(leg.media, Session):
                peer = self._ice.other(leg).media
                leg.media.channel_bind(peer.candidate, peer.shows)

    def end(self) -> None:
        """Take back what was to be sent from now on."""
        for leg in self._ice.legs:
            self._datapath.cut(leg.phone, self._group)

    def _show_candidates(self) -> None:
        if self._app.exposure.conversation in ("public", "all"):
            for leg in self._ice.legs:
                private = self._app.exposure.conversation == "all"
                self._ice.expose(leg, self._ice.other(leg), private=private)

    def _check_directly(self) -> None:
        """A Binding request each way and its answer, which tells the sender how the other sees it."""
        for leg in self._ice.legs:
            peer = self._ice.other(leg)
            check, ids = self._ice.check(leg, peer)
            arrives_ns = self._ice.across_ns(leg)
            self._direct_frame(leg, peer, check, True, 0, ids)
            self._direct_frame(peer, leg, check, False, arrives_ns, ids)
            reply = self._ice.reply(check, ids, leg.server_reflexive, peer)
            self._direct_frame(peer, leg, reply, True, arrives_ns + _MILLISECOND_NS)
            back_ns = arrives_ns + _MILLISECOND_NS + leg.access.delay_ns + peer.access.delay_ns
            self._direct_frame(leg, peer, reply, False, back_ns, mapped=leg.server_reflexive.address)
        self._ice.after(_CHECKS_EVERY_NS, self._check_directly)

    def _check_private(self) -> None:
        """Checks towards the other's interface address: they leave the phone and reach nobody."""
        if self._app.exposure.conversation not in ("all", "direct_only"):
            return
        for leg in self._ice.legs:
            peer = self._ice.other(leg)
            check, ids = self._ice.check(leg, peer)
            shows = ((peer.phone, peer.host.address),)
            meaning = Meaning("direct", True, True, bool(ids), peer=peer.host, shows=shows, user_ids=ids)
            self._datapath.forward(leg.phone, leg.socket, peer.host, check, meaning)

    def _direct_frame(
        self,
        leg: Leg,
        peer: Leg,
        payload: bytes,
        outgoing: bool,
        when_ns: int,
        ids: tuple[str, ...] = (),
        mapped: Address | None = None,
    ) -> None:
        shows = ((peer.phone, peer.server_reflexive.address),)
        meaning = Meaning("direct", outgoing, True, bool(ids), None, peer.server_reflexive, shows, mapped, ids)
        self._datapath.forward(leg.phone, leg.socket, peer.server_reflexive, payload, meaning, when_ns)

    def _stream(self, leg: Leg, stimulus: Stimulus) -> RtpStream:
        level: Level = "speech" if stimulus.sound == "speech" else "pause"
        if self._service == "video":
            level = stimulus.scene
        generator = self._ice.world.generator(f"network/{self._ice.key}/stream/{leg.role}")
        extension = leg.media.relay.framing == "warp"
        return RtpStream(generator, self._service, level, self._start_ns, extension=extension)

    def _slot(self, low_ns: int) -> None:
        """Generate the media of one slot, both ways, and ask for the next."""
        high_ns = low_ns + _SLOT_NS
        turn_ns = self._direct_from_ns
        for edge_ns in (turn_ns, self._channels_from_ns):
            if edge_ns is not None and low_ns < edge_ns < high_ns:
                high_ns = edge_ns
        direct = turn_ns is not None and low_ns >= turn_ns
        self._in_channels = self._channels_from_ns is None or low_ns >= self._channels_from_ns
        for leg in self._ice.legs:
            packets = self._streams[leg.role].slot(low_ns, high_ns)
            if len(packets.sizes):
                self._carry(leg, packets, direct)
        self._ice.after(high_ns - low_ns, lambda: self._slot(high_ns))

    def _carry(self, sender: Leg, packets: Packets, direct: bool) -> None:
        receiver = self._ice.other(sender)
        path = self._path(sender, receiver, direct, outgoing=True)
        self._pass(sender, path, packets, packets.sent_ns)
        generator = self._losses[sender.role]
        count = len(packets.sizes)
        jitter_ns = sender.access.jitter_ns + receiver.access.jitter_ns
        arrivals = packets.sent_ns + sender.access.delay_ns + receiver.access.delay_ns
        arrivals = arrivals + generator.integers(0, jitter_ns + 1, count)
        # What TCP carries is not lost.
        loss_ppm = sum(leg.access.loss_ppm for leg in (sender, receiver) if leg.media.stream is None or direct)
        kept = np.flatnonzero(generator.integers(0, 1_000_000, count) >= loss_ppm)
        order = kept[np.argsort(arrivals[kept], kind="stable")]
        arrived = Packets(packets.sent_ns[order], packets.sizes[order], packets.rows[order])
        self._pass(receiver, self._path(receiver, sender, direct, outgoing=False), arrived, arrivals[order])

    def _pass(self, leg: Leg, path: _Path, packets: Packets, times_ns: Integers) -> None:
        if path.framed is not None:
            packets = path.framed(packets)
        if path.stream is not None:
            path.stream.send_stream(packets, times_ns, path.meaning, self._group)
            return
        self._datapath.forward_stream(leg.phone, path.socket, path.remote, packets, times_ns, path.meaning, self._group)

    def _path(self, leg: Leg, peer: Leg, direct: bool, *, outgoing: bool) -> _Path:
        if direct:
            seen = ((peer.phone, peer.server_reflexive.address),)
            meaning = Meaning("direct", outgoing, peer=peer.server_reflexive, shows=seen)
            return _Path(leg.socket, peer.server_reflexive, meaning)
        session = leg.media
        meaning = Meaning("call", outgoing, server=session.server)
        if isinstance(session, Unrelayed) or self._app.media_framing == "rtp":
            return _Path(session.local, session.remote, meaning)
        align = 1 if session.stream is None else 4
        framed = partial(in_channel, channel=session.channel, align=align)
        shows: tuple[tuple[str, Address], ...] = ()
        if not self._in_channels:
            kind, address = stunwire.SEND if outgoing else stunwire.DATA, peer.media.candidate
            framed = partial(in_indications, kind=kind, peer=address, generator=self._transactions)
            shows = peer.media.shows
        meaning = replace(meaning, stun=not self._in_channels, marks=True, inside="media", shows=shows)
        return _Path(session.local, session.remote, meaning, framed, session.stream)
