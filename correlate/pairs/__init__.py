"""CallPair: one trial's two traces on one time line, with nothing in it that tells who called whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from correlate.dataset import Dataset, clocks, record
from correlate.dataset.clocks import ClockLine
from correlate.dataset.record import AppEntry, Markers
from correlate.errors import BadDataset, Unreadable
from correlate.flows import Flows, flows
from correlate.pairs import addresses
from correlate.pairs.addresses import Learned, Role
from correlate.pairs.amounts import total
from correlate.pairs.analysis import Rules
from correlate.pairs.answer import answered
from correlate.pairs.frames import Frame
from correlate.pairs.sightings import Sighting
from correlate.pairs.transport import Transport, transport
from correlate.pairs.vantage import Conversation, View, conversations, emptied, learn, near, view
from correlate.pairs.whole import at_home, fits, is_blind
from correlate.stun import Message
from correlate.trace import Trace
from correlate.trace.addresses import Address

ESTABLISHED_DATAGRAMS = 100


@dataclass(frozen=True)
class SideRecord:
    """What was recorded about one phone, role left out: enough to read its capture. `recorded`: whether its addresses
    were, and are those of its capture (`whole.told`). `seen_at` is where its traffic was captured: `interface`,
    `hotspot`, `vpn`, None where nobody wrote it down."""

    phone: str
    capture: Path
    interface: frozenset[Address]
    probed: frozenset[Address]
    clock: ClockLine
    recorded: bool = True
    seen_at: str | None = None


@dataclass(frozen=True)
class Vantage:
    """One phone's view of a call.

    `trace` holds the rows strictly between the begin and the end marker (`window_ns`, by this side's clock), the
    harness' datagrams left out; `messages` and `flows` are of these rows. `own` are the phone's addresses by role, as
    the pair knows them; `visible` are the addresses its trace shows, with where. From the frame `answered` on the
    media of the call flow both ways; None where they never do.
    """

    phone: str
    trace: Trace
    messages: tuple[Message, ...]
    flows: Flows
    clock: ClockLine
    own: Mapping[Address, Role]
    visible: Mapping[Address, tuple[Sighting, ...]]
    conversations: tuple[Conversation, ...]
    transport: Transport
    recorded: bool
    seen_at: str | None
    window_ns: tuple[int, int]
    answered: Frame | None

    @property
    def of_call(self) -> tuple[Conversation, ...]:
        """The conversations with servers of the call and with the other phone."""
        return tuple(conversation for conversation in self.conversations if conversation.kind != "other")

    def of_kind(self, kind: str) -> tuple[Conversation, ...]:
        """The conversations that are `server`, `direct` or `other`."""
        return tuple(conversation for conversation in self.conversations if conversation.kind == kind)

    def frame(self, row: int) -> Frame:
        """The frame of a row of `trace`."""
        return Frame(int(self.trace.udp.frame[row]), int(self.trace.udp.time_ns[row]))

    def span_ns(self, conversation: Conversation) -> tuple[int, int]:
        """First and last packet in the controller's time."""
        return self.clock.to_controller(conversation.first_ns), self.clock.to_controller(conversation.last_ns)

    def without_packets(self) -> Vantage:
        """The conversations, the addresses and one message of each user name alone, a few KB."""
        trace = emptied(self.trace)
        named = {message.username: message for message in self.messages if message.username}
        return replace(self, trace=trace, messages=tuple(named.values()), flows=flows(trace.udp))


@dataclass(frozen=True)
class CallPair:
    """Two vantages `a` and `b`, in the order of the phones' names, and what both share."""

    a: Vantage
    b: Vantage
    servers: frozenset[Address]
    names: Mapping[str, str]
    analysis: Rules

    @property
    def established(self) -> bool:
        """A conversation: at least 100 media datagrams each way on both sides, or as many TCP segments."""
        return self.media_udp or self.media_not_udp

    @property
    def media_udp(self) -> bool:
        """A conversation whose media are UDP datagrams."""
        return all(
            total(each.media.tx for each in side.of_call).packets >= ESTABLISHED_DATAGRAMS
            and total(each.media.rx for each in side.of_call).packets >= ESTABLISHED_DATAGRAMS
            for side in (self.a, self.b)
        )

    @property
    def media_not_udp(self) -> bool:
        """A conversation without a UDP session: on each side one TCP connection has at least 100 segments with payload
        each way. What these segments hold is not looked at."""
        return not self.media_udp and all(
            side.transport.may_hold_media(ESTABLISHED_DATAGRAMS) for side in (self.a, self.b)
        )

    def without_packets(self) -> CallPair:
        """What is left when the captures are let go of: enough for names to be put in later."""
        return replace(self, a=self.a.without_packets(), b=self.b.without_packets())


def load(dataset: Dataset, trial_id: str, apps: Mapping[str, AppEntry], names: Mapping[str, str]) -> CallPair:
    """Reads both captures of a complete trial.

    `apps` is dataset.json's, `names` maps folded addresses to host names. Raises `BadDataset` for records that do not
    fit, `Unreadable` for captures that cannot be read, are damaged, or lack their markers.
    """
    trial = dataset.record(trial_id)
    app = apps.get(trial.asked.app)
    if app is None:
        raise BadDataset(f"trials/{trial_id}/trial.json: asked.app: '{trial.asked.app}' is no app of dataset.json")
    sides = [_side(dataset.trial_dir(trial_id), side, trial.clocks[side.clock]) for side in trial.sides.values()]
    sides.sort(key=lambda side: side.phone)
    return pair(sides[0], sides[1], trial.markers, names, Rules.of(app.analysis))


def pair(a: SideRecord, b: SideRecord, markers: Markers | None, names: Mapping[str, str], analysis: Rules) -> CallPair:
    """The `CallPair` of two recorded sides, already in neutral order. Raises `Unreadable` and `Damaged`."""
    views = [view(side.capture, markers) for side in (a, b)]
    a, b = (told(side, seen) for side, seen in zip((a, b), views, strict=True))
    learned = [learn(seen, side.interface, side.probed) for seen, side in zip(views, (a, b), strict=True)]
    known = addresses.attribute(*learned)
    return CallPair(
        a=_vantage(a, views[0], learned[0], known.a, known.b, analysis),
        b=_vantage(b, views[1], learned[1], known.b, known.a, analysis),
        servers=known.servers,
        names=names,
        analysis=analysis,
    )


def told(side: SideRecord, seen: View) -> SideRecord:
    """The side as recorded, if its interface addresses are those of its capture. Else `recorded` is False, and they are
    what the capture itself tells; others that were recorded with wrong ones may be wrong as well and are left out.

    Raises `Unreadable` where the capture does not tell either: then nothing in it can be counted as the phone's.
    """
    if side.recorded and fits(seen, side.interface):
        return side
    home, probed = at_home(seen), frozenset[Address]() if side.interface else side.probed
    if is_blind(seen, home | probed):
        text = "does not tell which end is the phone, and no address that was recorded for it is; record its addresses"
        raise Unreadable(side.capture, text)
    return replace(side, interface=home, probed=probed, recorded=False)


def _vantage(
    side: SideRecord,
    seen: View,
    learned: Learned,
    own: Mapping[Address, Role],
    others: Mapping[Address, Role],
    analysis: Rules,
) -> Vantage:
    here = near(learned.interface, learned.probed | own.keys())
    peers = frozenset(others) - learned.interface
    talks = conversations(seen, here, peers, analysis.relay_ports)
    return Vantage(
        phone=side.phone,
        trace=seen.trace,
        messages=seen.messages,
        flows=seen.flows,
        clock=side.clock,
        own=own,
        visible=seen.visible,
        conversations=talks,
        transport=transport(seen.segments, seen.trace.udp, seen.flows, here),
        recorded=side.recorded,
        seen_at=side.seen_at,
        window_ns=seen.window_ns,
        answered=answered(seen, here, [each for each in talks if each.kind != "other"]),
    )


def _side(folder: Path, side: record.Side, clock: record.Clock | None) -> SideRecord:
    interface = side.addresses.interface
    return SideRecord(
        phone=side.phone,
        capture=folder / side.capture,
        interface=addresses.folded(interface or ()),
        probed=addresses.folded(side.addresses.probed or ()),
        clock=clocks.of(clock),
        recorded=interface is not None,
        seen_at=side.vantage,
    )
