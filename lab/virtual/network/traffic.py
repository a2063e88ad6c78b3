"""A call as traffic: two legs, their sessions, candidates and user ids, and the media between them.

Everything happens by events of bench time from the instants that the exchange tells; media are generated two seconds
ahead at most and taken back from the instant at which the call ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.definitions.virtual_network import Seconds
from lab.virtual.network import stunwire
from lab.virtual.network.conversation import Conversation
from lab.virtual.network.sessions import Leg, Plan, Session, secondary_plan

if TYPE_CHECKING:
    from lab.virtual.handset.exchange import Call
    from lab.virtual.network import Network

_MILLISECOND_NS = 1_000_000
_FAREWELL_MS = (15, 110)
_IDS_EVERY_NS = 5_000_000_000
_REPORT = bytes([0x80, 0xC9, 0x00, 0x01])


def drawn_ns(span: Seconds, draw: random.Random) -> int:
    """A duration of a span in nanoseconds."""
    return draw.randint(round(span.low_s * 1e9), round(span.high_s * 1e9))


class CallTraffic:
    """One call from placing on; `over` from its end on."""

    def __init__(self, network: Network, call: Call, number: int) -> None:
        self.network, self.call, self.app = network, call, call.app.network
        self.key = f"call/{number}"
        self.over = False
        self._draw = network.draw(self.key)
        self._plans: dict[Session, Plan] = {}
        package = call.app.package
        self.caller = Leg(network, self.app, package, call.caller, "caller", self.key)
        self.callee = Leg(network, self.app, package, call.callee, "callee", self.key)
        self.legs = (self.caller, self.callee)
        self.conversation: Conversation | None = None
        self.after(drawn_ns(self.app.caller_starts, self._draw), lambda: self._start(self.caller))

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Have something done later, unless the call is over by then."""
        self.network.world.after(delay_ns, lambda: None if self.over else action())

    def rung(self) -> None:
        """The callee rings."""
        self.after(drawn_ns(self.app.callee_starts, self._draw), lambda: self._start(self.callee))

    def answered(self) -> None:
        """The conversation begins; sessions that are not open yet open now."""
        for leg in self.legs:
            self._start(leg)
        self.conversation = Conversation(self)
        self.conversation.start()

    def ended(self) -> None:
        """The call is over: media not yet sent are never sent, open sessions say farewell."""
        self.over = True
        if self.conversation is not None:
            self.conversation.end()
        for leg in (leg for leg in self.legs if leg.started):
            low, high = _FAREWELL_MS
            delay_ns = self._draw.randint(low * _MILLISECOND_NS, high * _MILLISECOND_NS)
            # The session that carries the call is the last to end, whatever the jitter of the answers.
            last_ns = leg.access.jitter_ns + _MILLISECOND_NS
            for session in (session for session in leg.sessions if session in self._plans):
                later_ns = last_ns if session is leg.media else 0
                self.network.world.after(delay_ns + later_ns, self._farewell_of(session))

    def other(self, leg: Leg) -> Leg:
        """The other leg."""
        return self.callee if leg is self.caller else self.caller

    def _farewell_of(self, session: Session) -> Callable[[], None]:
        return lambda: session.farewell(self._plans[session])

    def _start(self, leg: Leg) -> None:
        if leg.started:
            return
        leg.started = True
        leg.plans = self._plan(leg)
        both = self.caller.started and self.callee.started
        for one in self.legs if both else (leg,):
            self._open_sessions(one, both)
        if self.app.exposure.unanswered == "caller" or self.app.exposure.conversation in ("public", "all"):
            self.after(40 * _MILLISECOND_NS, leg.gather)
        if both:
            self._meet()

    def _open_sessions(self, leg: Leg, both: bool) -> None:
        """Open those of a leg's sessions whose time has come."""
        for session, plan in zip(leg.sessions, leg.plans, strict=True):
            if session not in self._plans and (both or session.relay.opens == "placing"):
                self._plans[session] = plan
                self._open(session, plan)

    def _plan(self, leg: Leg) -> list[Plan]:
        """The plans of a leg's sessions: one for all secondary ones, and for all in a call whose sessions are alike."""
        period_ns = round(self.app.keep_alive.every_s * 1e9)
        size = 4 * leg.draw.randint(20, 30)
        shared = Plan(leg.draw.randint(6, 9), None, size, period_ns)
        if self.app.secondary is not None:
            packets = self.app.secondary.caller if leg.role == "caller" else self.app.secondary.callee
            shared = secondary_plan(packets, leg.draw, size, period_ns)
        alike = leg.role == "caller" and self.call.service == self.app.identical_unanswered
        plans = []
        for session in leg.sessions:
            # Paper 4.4: before the answer the caller's side sends more than the callee's.
            early = leg.draw.randint(4, 6) if leg.role == "caller" else leg.draw.randint(2, 3)
            if session.relay.framing == "warp":
                early = shared.early + (early if leg.role == "caller" else 1)
            more = Plan(early, None, size + 4 * leg.draw.randint(1, 9), period_ns)
            plans.append(shared if alike or session.relay.purpose == "secondary" else more)
        return plans

    def _open(self, session: Session, plan: Plan) -> None:
        for index in range(plan.early):
            self.after(session.leg.early_ns(index), lambda: session.ask(plan))
        pause_ns = session.leg.early_ns(plan.early) + self._period_ns(session, plan)
        self.after(pause_ns, lambda: self._keep_alive(session, plan))

    def _period_ns(self, session: Session, plan: Plan) -> int:
        """How long after a keep-alive the next one is due."""
        ringing, answered = self.app.keep_alive.ringing, self.conversation is not None
        if ringing is None or answered or plan.most is not None or session is not session.leg.media:
            return plan.period_ns
        every_s = ringing.caller_every_s if session.leg.role == "caller" else ringing.callee_every_s
        return round(every_s * 1e9)

    def _keep_alive(self, session: Session, plan: Plan) -> None:
        if plan.most is not None and session.asked + 1 >= plan.most:
            return
        if self.app.keep_alive.form == "stun" or plan.most is not None:
            session.ask(plan)
        else:
            self._report(session)
        self.after(self._period_ns(session, plan), lambda: self._keep_alive(session, plan))

    def _report(self, session: Session) -> None:
        """A raw keep-alive and its echo, either of which may be lost on the way."""
        leg = session.leg
        payload = (_REPORT + leg.draw.randbytes(1196))[: self.app.keep_alive.payload_bytes]
        session.send(payload, stun=False, marks=False)
        if leg.draw.randrange(1_000_000) >= leg.access.loss_ppm:
            session.receive(payload, leg.answer_ns(), stun=False, marks=False)

    def _meet(self) -> None:
        """Both legs are there: what unanswered calls show already."""
        if self.app.exposure.unanswered == "caller":
            self.after(300 * _MILLISECOND_NS, lambda: self.expose(self.callee, self.caller, private=True))
        if self.app.user_ids is not None and self.app.user_ids.when == "always":
            self.after(500 * _MILLISECOND_NS, self.exchange_ids)

    def expose(self, viewer: Leg, owner: Leg, *, private: bool) -> None:
        """The viewer asks its relay for permissions towards the owner's addresses, and sends checks there."""
        session = viewer.candidates
        if session is None:
            return
        for endpoint in (owner.public, owner.private) if private else (owner.public,):
            shows = ((owner.phone, endpoint.address),)
            session.permit(endpoint, shows)
            check, ids = self.check(viewer, owner)
            session.send(session.indication(stunwire.SEND, endpoint, check), shows=shows, user_ids=ids)

    def check(self, sender: Leg, receiver: Leg) -> tuple[bytes, tuple[str, ...]]:
        """An ICE check (RFC 8445 section 7.2.2) and the fragments in it; bare where the app has no ids yet."""
        transaction = stunwire.new_transaction(sender.draw)
        ids = self.app.user_ids
        carried = ids is not None and (ids.when == "always" or self.call.answered_ns is not None)
        if not carried or sender.fragment is None or receiver.fragment is None:
            return stunwire.message(stunwire.BINDING, transaction), ()
        name = f"{receiver.fragment}:{sender.fragment}".encode()
        role = stunwire.ICE_CONTROLLING if sender.role == "caller" else stunwire.ICE_CONTROLLED
        attributes = [
            (stunwire.USERNAME, name),
            (stunwire.PRIORITY, (0x6E7F1EFF).to_bytes(4, "big")),
            (role, sender.key[:8]),
        ]
        text = stunwire.protected(stunwire.BINDING, transaction, attributes, receiver.key)
        return text, (receiver.fragment, sender.fragment)

    def exchange_ids(self) -> None:
        """Checks with user names both ways: to the relay itself, in DATA attributes, and in channels once talking."""
        for sender in self.legs:
            receiver = self.other(sender)
            here, there = sender.candidates, receiver.candidates
            if here is None or there is None:
                return
            self._outer_check(here, receiver)
            self._relayed_check(here, there)
            if self.conversation is not None and self.conversation.channels_bound:
                self._channel_check(here, there)
        self.after(_IDS_EVERY_NS, self.exchange_ids)

    def _outer_check(self, session: Session, receiver: Leg) -> None:
        check, ids = self.check(session.leg, receiver)
        session.send(check, user_ids=ids)
        mapped = session.mapped
        reply = stunwire.binding_success(check[8:20], mapped)
        session.receive(reply, session.leg.answer_ns(), marks=False, mapped=mapped.address)

    def _relayed_check(self, here: Session, there: Session) -> None:
        check, ids = self.check(here.leg, there.leg)
        here.send(here.indication(stunwire.SEND, there.relayed, check), user_ids=ids)
        there.receive(there.indication(stunwire.DATA, here.relayed, check), self.across_ns(here.leg), user_ids=ids)

    def _channel_check(self, here: Session, there: Session) -> None:
        check, ids = self.check(here.leg, there.leg)
        here.send(stunwire.channel_data(here.channel, check), stun=False, user_ids=ids)
        there.receive(stunwire.channel_data(there.channel, check), self.across_ns(here.leg), stun=False, user_ids=ids)

    def across_ns(self, sender: Leg) -> int:
        """When a datagram that this leg sends now reaches the other one."""
        there = self.other(sender).access
        return self.network.world.now_ns + sender.access.delay(sender.draw) + there.delay(sender.draw)
