"""A call as traffic: the sessions of its two legs, their requests and keep-alives, and the media between them.

Everything happens by events of bench time from the instants that the exchange tells; media are generated two seconds
ahead at most and taken back from the instant at which the call ends.
"""

import random
from collections.abc import Mapping
from functools import partial

from lab.definitions.machines import Stimulus
from lab.definitions.virtual_network import Seconds
from lab.virtual.handset.exchange import Call
from lab.virtual.network.conversation import Conversation
from lab.virtual.network.datapath import Datapath
from lab.virtual.network.ice import IceSession
from lab.virtual.network.sessions import Leg, Plan, Session, secondary_plan

_MILLISECOND_NS = 1_000_000
_FAREWELL_MS = (15, 110)
_REPORT = bytes([0x80, 0xC9, 0x00, 0x01])


def drawn_ns(span: Seconds, draw: random.Random) -> int:
    """A duration of a span in nanoseconds."""
    return draw.randint(round(span.low_s * 1e9), round(span.high_s * 1e9))


class CallTraffic:
    """One call from placing on. With `direct` allowed, media may leave the relay where the app can do so."""

    def __init__(
        self, datapath: Datapath, stimuli: Mapping[str, Stimulus], call: Call, number: int, direct: bool
    ) -> None:
        self.call, self._app, self._stimuli, self._direct = call, call.app.network, stimuli, direct
        self._ice = IceSession(datapath, call, f"call/{number}")
        self._draw = datapath.world.chance(f"network/{self._ice.key}")
        self._plans: dict[Session, Plan] = {}
        self._conversation: Conversation | None = None
        self._ice.after(drawn_ns(self._app.caller_starts, self._draw), lambda: self._start(self._ice.caller))

    @property
    def over(self) -> bool:
        return self._ice.over

    def rung(self) -> None:
        """The callee rings."""
        self._ice.after(drawn_ns(self._app.callee_starts, self._draw), lambda: self._start(self._ice.callee))

    def answered(self) -> None:
        """The conversation begins; sessions that are not open yet open now."""
        for leg in self._ice.legs:
            self._start(leg)
        self._conversation = Conversation(self._ice, self._stimuli, self._direct)
        self._conversation.start()

    def ended(self) -> None:
        """The call is over: media not yet sent are never sent, open sessions say farewell."""
        self._ice.over = True
        if self._conversation is not None:
            self._conversation.end()
        for leg in (leg for leg in self._ice.legs if leg.started):
            low, high = _FAREWELL_MS
            delay_ns = self._draw.randint(low * _MILLISECOND_NS, high * _MILLISECOND_NS)
            # The session that carries the call is the last to end, whatever the jitter of the answers.
            last_ns = leg.access.jitter_ns + _MILLISECOND_NS
            for session in (session for session in leg.sessions if session in self._plans):
                later_ns = last_ns if session is leg.media else 0
                self._ice.world.after(delay_ns + later_ns, partial(session.farewell, self._plans[session]))

    def _start(self, leg: Leg) -> None:
        if leg.started:
            return
        leg.started = True
        leg.plans = self._plan(leg)
        if not leg.sessions:
            self._ice.after(20 * _MILLISECOND_NS, leg.gather)
        both = self._ice.caller.started and self._ice.callee.started
        for one in self._ice.legs if both else (leg,):
            self._open_sessions(one, both)
        if self._app.exposure.unanswered == "caller" or self._app.exposure.conversation in ("public", "all"):
            self._ice.after(40 * _MILLISECOND_NS, leg.gather)
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
        period_ns = round(self._app.keep_alive.every_s * 1e9)
        size = self._app.warp.padding_bytes + 4 * leg.draw.randint(0, 3)
        shared = Plan(leg.draw.randint(6, 9), None, size, period_ns)
        if self._app.secondary is not None:
            packets = self._app.secondary.caller if leg.role == "caller" else self._app.secondary.callee
            shared = secondary_plan(packets, leg.draw, size, period_ns)
        alike = leg.role == "caller" and self.call.service == self._app.identical_unanswered
        plans = []
        for session in leg.sessions:
            # Paper 4.4: before the answer the caller's side sends more than the callee's.
            early = leg.draw.randint(4, 6) if leg.role == "caller" else leg.draw.randint(2, 3)
            if session.relay.framing == "warp":
                early = shared.early + (early if leg.role == "caller" else 1)
            more = Plan(early, None, size + 4 * leg.draw.randint(1, 6), period_ns)
            plans.append(shared if alike or session.relay.purpose == "secondary" else more)
        return plans

    def _open(self, session: Session, plan: Plan) -> None:
        for index in range(plan.early):
            self._ice.after(session.leg.early_ns(index), lambda: session.request(plan))
        pause_ns = session.leg.early_ns(plan.early) + self._period_ns(session, plan)
        self._ice.after(pause_ns, lambda: self._keep_alive(session, plan))

    def _period_ns(self, session: Session, plan: Plan) -> int:
        """How long after a keep-alive the next one is due."""
        ringing, answered = self._app.keep_alive.ringing, self._conversation is not None
        if ringing is None or answered or plan.most is not None or session is not session.leg.media:
            return plan.period_ns
        every_s = ringing.caller_every_s if session.leg.role == "caller" else ringing.callee_every_s
        return round(every_s * 1e9)

    def _keep_alive(self, session: Session, plan: Plan) -> None:
        if plan.most is not None and session.requests + 1 >= plan.most:
            return
        if self._app.keep_alive.form == "stun" or plan.most is not None:
            session.request(plan)
        else:
            self._report(session)
        self._ice.after(self._period_ns(session, plan), lambda: self._keep_alive(session, plan))

    def _report(self, session: Session) -> None:
        """A raw keep-alive and its echo, either of which may be lost on the way."""
        leg = session.leg
        payload = (_REPORT + leg.draw.randbytes(1196))[: self._app.keep_alive.payload_bytes]
        session.send(payload, stun=False, marks=False)
        if leg.draw.randrange(1_000_000) >= leg.access.loss_ppm:
            session.receive(payload, leg.answer_ns(), stun=False, marks=False)

    def _meet(self) -> None:
        """Both legs are there: what unanswered calls show already."""
        if self._app.exposure.unanswered == "caller":
            self._ice.after(
                300 * _MILLISECOND_NS, lambda: self._ice.expose(self._ice.callee, self._ice.caller, private=True)
            )
        if self._app.user_ids is not None and self._app.user_ids.when == "always":
            if self._app.relayed != "both":
                self._ice.after(400 * _MILLISECOND_NS, self._ice.permit)
            self._ice.after(500 * _MILLISECOND_NS, self._ice.start_checks)
