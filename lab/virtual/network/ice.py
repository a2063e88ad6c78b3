"""ICE between the two legs of one call (RFC 8445): candidates, connectivity checks and the user names in them."""

from collections.abc import Callable
from functools import partial

from lab.virtual.handset.exchange import Call
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Address, Endpoint
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.sessions import Leg, Session
from lab.virtual.network.unrelayed import Unrelayed

_IDS_EVERY_NS = 5_000_000_000
_ANSWER_NS = 1_000_000


class IceSession:
    """The legs of one call until it is `over`; `channels_bound` once each has bound a channel to the other's relay."""

    def __init__(self, datapath: Datapath, call: Call, key: str) -> None:
        self.datapath, self.world, self.call, self.key = datapath, datapath.world, call, key
        self.app = call.app.network
        self.over = self.channels_bound = False
        self._draw = datapath.world.chance(f"network/{key}/checks")
        package = call.app.package
        self.caller = Leg(datapath, self.app, package, call.caller, "caller", key)
        self.callee = Leg(datapath, self.app, package, call.callee, "callee", key)
        self.legs = (self.caller, self.callee)
        for leg in self.legs:
            if isinstance(leg.media, Unrelayed):
                leg.media.meets(self.other(leg).media.candidate)

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Have something done later, unless the call is over by then."""
        self.world.after(delay_ns, lambda: None if self.over else action())

    def other(self, leg: Leg) -> Leg:
        """The other leg."""
        return self.callee if leg is self.caller else self.caller

    def expose(self, viewer: Leg, owner: Leg, *, private: bool) -> None:
        """The viewer asks its relay for permissions towards the owner's addresses, and sends checks there."""
        session = viewer.candidates
        if session is None:
            return
        for endpoint in (owner.server_reflexive, owner.host) if private else (owner.server_reflexive,):
            shows = ((owner.phone, endpoint.address),)
            session.create_permission(endpoint, shows)
            check, ids = self.check(viewer, owner)
            session.to_peer(endpoint, check, bound=False, shows=shows, user_ids=ids)

    def check(self, sender: Leg, receiver: Leg) -> tuple[bytes, tuple[str, ...]]:
        """An ICE check (RFC 8445 section 7.2.2) and the fragments in it; without names where the app has no ids yet."""
        transaction = stunwire.new_transaction(sender.draw)
        ids = self.app.user_ids
        carried = ids is not None and (ids.when == "always" or self.call.answered_ns is not None)
        if not carried or sender.fragment is None or receiver.fragment is None:
            return stunwire.sealed(stunwire.BINDING, transaction, [], receiver.key), ()
        name = f"{receiver.fragment}:{sender.fragment}".encode()
        role = stunwire.ICE_CONTROLLING if sender.role == "caller" else stunwire.ICE_CONTROLLED
        attributes = [
            (stunwire.USERNAME, name),
            (stunwire.GOOG_NETWORK_INFO, bytes([0, 1, 0, 10])),
            (stunwire.PRIORITY, (0x6E7F1EFF).to_bytes(4, "big")),
            (role, sender.key[:8]),
        ]
        text = stunwire.protected(stunwire.BINDING, transaction, attributes, receiver.key)
        return text, (receiver.fragment, sender.fragment)

    def reply(self, check: bytes, ids: tuple[str, ...], mapped: Endpoint, receiver: Leg) -> bytes:
        """What the receiver of a check answers: where it came from (RFC 8445 section 7.3.1.2)."""
        seal = stunwire.protected if ids else stunwire.sealed
        address = stunwire.xor_address(stunwire.XOR_MAPPED_ADDRESS, mapped, check[8:20])
        return seal(stunwire.BINDING | stunwire.SUCCESS, check[8:20], [address], receiver.key)

    def start_checks(self) -> None:
        """Have the legs tell each other their user ids from now on, in the way of the app."""
        (self.exchange_ids if self.app.consent is None else self._check_path)()

    def permit(self) -> None:
        """Each relay is told that the other leg may send to it."""
        for leg in self.legs:
            if isinstance(leg.media, Session):
                leg.media.create_permission(self.other(leg).media.candidate, self.other(leg).media.shows)

    def _check_path(self) -> None:
        """A check each way over the path of the media and its answer, again and again (RFC 7675 section 5.1)."""
        for leg in self.legs:
            peer = self.other(leg)
            check, ids = self.check(leg, peer)
            arrives_ns = self._carry(leg, check, user_ids=ids)
            reply = self.reply(check, ids, leg.media.candidate, peer)
            self.after(arrives_ns + _ANSWER_NS - self.world.now_ns, partial(self._answer, peer, reply))
        if self.app.consent is not None:
            low, high = (round(edge * 1e9) for edge in (self.app.consent.low_s, self.app.consent.high_s))
            self.after(self._draw.randint(low, high), self._check_path)

    def _answer(self, leg: Leg, reply: bytes) -> None:
        asked = self.other(leg).media
        mapped = asked.candidate.address if asked.shows else None
        self._carry(leg, reply, shows=asked.shows, mapped=mapped)

    def _carry(
        self,
        sender: Leg,
        text: bytes,
        user_ids: tuple[str, ...] = (),
        shows: tuple[tuple[str, Address], ...] = (),
        mapped: Address | None = None,
    ) -> int:
        """Have STUN go from one leg to the other as media do; returns when it is there.

        `shows` is what the text lets be read, `mapped` what it tells its receiver of itself.
        """
        receiver, bound, arrives_ns = self.other(sender), self.channels_bound, self.across_ns(sender)
        # XOR-PEER-ADDRESS of an indication shows the other one's address.
        outer, inner = (() if bound else leg.media.shows for leg in (receiver, sender))
        sender.media.to_peer(receiver.media.candidate, text, bound, shows=(*shows, *outer), user_ids=user_ids)
        receiver.media.from_peer(
            sender.media.candidate, text, bound, arrives_ns, shows=(*shows, *inner), mapped=mapped, user_ids=user_ids
        )
        return arrives_ns

    def exchange_ids(self) -> None:
        """Checks with user names both ways: to the relay itself, in DATA attributes, and in channels once talking."""
        for sender in self.legs:
            receiver = self.other(sender)
            local, remote = sender.candidates, receiver.candidates
            if local is None or remote is None:
                return
            self._outer_check(local, receiver)
            self._relayed_check(local, remote)
            if self.channels_bound:
                self._channel_check(local, remote)
        self.after(_IDS_EVERY_NS, self.exchange_ids)

    def _outer_check(self, session: Session, receiver: Leg) -> None:
        check, ids = self.check(session.leg, receiver)
        session.send(check, user_ids=ids)
        mapped = session.mapped
        reply = self.reply(check, ids, mapped, receiver)
        session.receive(reply, session.leg.answer_ns(), marks=False, mapped=mapped.address)

    def _relayed_check(self, local: Session, remote: Session) -> None:
        check, ids = self.check(local.leg, remote.leg)
        local.to_peer(remote.relayed, check, bound=False, user_ids=ids)
        remote.from_peer(local.relayed, check, False, self.across_ns(local.leg), user_ids=ids)

    def _channel_check(self, local: Session, remote: Session) -> None:
        check, ids = self.check(local.leg, remote.leg)
        local.to_peer(remote.relayed, check, bound=True, user_ids=ids)
        remote.from_peer(local.relayed, check, True, self.across_ns(local.leg), user_ids=ids)

    def across_ns(self, sender: Leg) -> int:
        """When a datagram that this leg sends now reaches the other one."""
        remote = self.other(sender).access
        return self.world.now_ns + sender.access.delay(sender.draw) + remote.delay(sender.draw)
