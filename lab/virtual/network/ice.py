"""ICE between the two legs of one call (RFC 8445): candidates, connectivity checks and the user names in them."""

from collections.abc import Callable

from lab.virtual.handset.exchange import Call
from lab.virtual.network import stunwire
from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.sessions import Leg, Session

_IDS_EVERY_NS = 5_000_000_000


class IceSession:
    """The legs of one call until it is `over`; `channels_bound` once each has bound a channel to the other's relay."""

    def __init__(self, datapath: Datapath, call: Call, key: str) -> None:
        self.datapath, self.world, self.call, self.key = datapath, datapath.world, call, key
        self.app = call.app.network
        self.over = self.channels_bound = False
        package = call.app.package
        self.caller = Leg(datapath, self.app, package, call.caller, "caller", key)
        self.callee = Leg(datapath, self.app, package, call.callee, "callee", key)
        self.legs = (self.caller, self.callee)

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
            session.send(session.indication(stunwire.SEND, endpoint, check), shows=shows, user_ids=ids)

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
        local.send(local.indication(stunwire.SEND, remote.relayed, check), user_ids=ids)
        remote.receive(remote.indication(stunwire.DATA, local.relayed, check), self.across_ns(local.leg), user_ids=ids)

    def _channel_check(self, local: Session, remote: Session) -> None:
        check, ids = self.check(local.leg, remote.leg)
        local.send(stunwire.channel_data(local.channel, check), stun=False, user_ids=ids)
        remote.receive(
            stunwire.channel_data(remote.channel, check), self.across_ns(local.leg), stun=False, user_ids=ids
        )

    def across_ns(self, sender: Leg) -> int:
        """When a datagram that this leg sends now reaches the other one."""
        remote = self.other(sender).access
        return self.world.now_ns + sender.access.delay(sender.draw) + remote.delay(sender.draw)
