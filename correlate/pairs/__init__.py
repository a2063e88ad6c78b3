"""CallPair: one trial's two traces on one time line, with nothing in it that tells who called whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from correlate.dataset import Dataset, clocks, record
from correlate.dataset.clocks import ClockLine
from correlate.dataset.record import Analysis, AppEntry, Markers, Searched
from correlate.dataset.record.analysis import GENERIC
from correlate.errors import BadDataset, Unreadable
from correlate.files import LINK, first_link
from correlate.flows import Flows, flows
from correlate.pairs import addresses, window
from correlate.pairs.addresses import Learned, Role
from correlate.pairs.alone import Alone, alone
from correlate.pairs.connections import connections
from correlate.pairs.conversations import Conversation, conversations
from correlate.pairs.edges import edge_packets
from correlate.pairs.established import Holds, Shown, established, holds, unclaimed
from correlate.pairs.frames import Frame
from correlate.pairs.known_bytes import Hit, hits
from correlate.pairs.media import MediaUnits, answered, units
from correlate.pairs.mixed_up import mixed_up, two_calls
from correlate.pairs.negotiated import Negotiated, negotiated
from correlate.pairs.round_trip import round_trip_ns
from correlate.pairs.transport import Transport, transport
from correlate.pairs.unseen import Unseen, unseen
from correlate.pairs.window import Amounts, Sighting, Window, emptied, total
from correlate.stun import Carried, Message
from correlate.trace import Trace, duplicates
from correlate.trace.addresses import Address
from correlate.trace.duplicates import Repeats

T = TypeVar("T")


@dataclass(frozen=True)
class SideRecord:
    """What was recorded about one phone, role left out: enough to read its capture. `recorded`: whether its addresses
    were, and are those of its capture (`checked`). `seen_at` is where its traffic was captured: `interface`,
    `hotspot`, `vpn`, None where nobody wrote it down; `identifiers` of the lab that it shows, None where nobody looked.
    """

    phone: str
    capture: Path
    interface: frozenset[Address]
    probed: frozenset[Address]
    clock: ClockLine
    recorded: bool = True
    seen_at: str | None = None
    identifiers: Searched | None = None


@dataclass(frozen=True)
class Vantage:
    """One phone's view of a call.

    `trace` holds the rows strictly between the begin and the end marker (`window_ns`, by this side's clock), the
    harness' datagrams left out; `messages` and `flows` are of these rows. `own` are the phone's addresses by role, as
    the pair knows them; `visible` are the addresses its trace shows, with where; `unseen` is what was not looked into
    although an address may be in it, `hits` are addresses of the other phone in bytes that nothing decodes. From the
    frame `answered` on the media of the call flow both ways; None where they never do. `repeats` says how many
    datagrams are there twice; where these are so many that it is flagged, amounts count each once. `media_units` are
    the media of the call, `carried` what TCP connections with STUN carry; `unclaimed` are conversations that may be the
    call's and that no rule says are. The longest answer to a STUN request took `round_trip_ns`; None without any. All
    of this may rest on what the other capture tells; `alone` does not."""

    phone: str
    trace: Trace
    messages: tuple[Message, ...]
    flows: Flows
    clock: ClockLine
    own: Mapping[Address, Role]
    visible: Mapping[Address, tuple[Sighting, ...]]
    unseen: tuple[Unseen, ...]
    hits: tuple[Hit, ...]
    conversations: tuple[Conversation, ...]
    transport: Transport
    recorded: bool
    seen_at: str | None
    identifiers: Searched | None
    window_ns: tuple[int, int]
    answered: Frame | None
    repeats: Repeats
    alone: Alone
    media_units: MediaUnits
    carried: tuple[Carried, ...]
    unclaimed: tuple[Conversation, ...]
    round_trip_ns: int | None

    @property
    def of_call(self) -> tuple[Conversation, ...]:
        """The conversations with servers of the call and with the other phone."""
        return tuple(conversation for conversation in self.conversations if conversation.kind != "other")

    @property
    def media(self) -> tuple[Amounts, Amounts]:
        """Sent and received in the conversations of the call."""
        media = [conversation.media for conversation in self.of_call]
        return total(each.tx for each in media), total(each.rx for each in media)

    @property
    def holds(self) -> Holds:
        """What this side by itself shows of a conversation."""
        return holds(self.media, self.transport, self.unclaimed)

    def of_kind(self, kind: str) -> tuple[Conversation, ...]:
        """The conversations that are `server`, `direct` or `other`."""
        return tuple(conversation for conversation in self.conversations if conversation.kind == kind)

    def frame(self, row: int) -> Frame:
        """The frame of a row of `trace`."""
        return Frame.of(self.trace.udp, row)

    def recorded_frame(self, number: int) -> Frame | None:
        """A frame of the capture by its number, in the window or not; None where it has no such frame."""
        times = self.trace.records.time_ns
        return Frame(number, int(times[number - 1])) if 1 <= number <= len(times) else None

    def span_ns(self, conversation: Conversation) -> tuple[int, int]:
        """First and last packet in the controller's time."""
        first, last = conversation.first, conversation.last
        return self.clock.to_controller(first.time_ns), self.clock.to_controller(last.time_ns)

    def without_packets(self) -> Vantage:
        """The conversations, the addresses and of the messages those that say something new alone: a user name, or an
        address between two ends. Some KB."""
        trace = emptied(self.trace)
        told = {each.username: each for each in self.messages if each.username} | {
            (each.src, each.src_port, each.dst, each.dst_port, each.type, each.nested, addresses): each
            for each in self.messages
            if (addresses := each.addresses)
        }
        messages, media_units = tuple(dict.fromkeys(told.values())), self.media_units.within(())
        few = replace(self, trace=trace, messages=messages, flows=flows(trace.udp), carried=())
        return replace(few, media_units=media_units)


@dataclass(frozen=True)
class CallPair:
    """Two vantages `a` and `b`, in the order of the phones' names, and what both share. `edge_packets`: media packets
    from `a` to `b`, and the other way, that the capture at the other end may have missed; None where a clock was never
    compared. `mixed_up` says why the two captures are not the two sides of one call; empty where nothing says so."""

    a: Vantage
    b: Vantage
    servers: frozenset[Address]
    names: Mapping[str, str]
    analysis: Analysis
    edge_packets: tuple[int, int] | None
    mixed_up: str

    @property
    def established(self) -> bool | None:
        """Whether there is a conversation (`correlate.pairs.established`); None where `undecided` says why."""
        return self._established[0]

    @property
    def undecided(self) -> str:
        """Why nobody can say whether there is a conversation; empty where that is known."""
        return self._established[1]

    @property
    def _established(self) -> tuple[bool | None, str]:
        return established(*(Shown(each.phone, each.holds, each.unclaimed, bool(each.of_call)) for each in self.sides))

    @property
    def sides(self) -> tuple[Vantage, Vantage]:
        """Both of them."""
        return self.a, self.b

    @property
    def has_media(self) -> bool:
        """A conversation of which one side at least shows the media."""
        return self.established is True and any(side.holds == "media" for side in self.sides)

    @property
    def media_not_udp(self) -> bool:
        """A conversation of which neither side shows the media: each has a TCP connection that nobody can look into."""
        return self.established is True and not self.has_media

    def without_packets(self) -> CallPair:
        """What is left when the captures are let go of: enough for names to be put in later."""
        return replace(self, a=self.a.without_packets(), b=self.b.without_packets())


@dataclass(frozen=True)
class Sided(Generic[T]):
    """The same facts about side `a` and side `b` of a `CallPair`; each is a frozen dataclass that ends in `reason`."""

    a: T
    b: T


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
    for side in sides:
        if link := first_link(dataset.path, side.capture):
            raise Unreadable(link, f"is {LINK}, a dataset has none; put there what it leads to")
    sides.sort(key=lambda side: side.phone)
    return pair(sides[0], sides[1], trial.markers, names, app.analysis or GENERIC)


def pair(
    a: SideRecord, b: SideRecord, markers: Markers | None, names: Mapping[str, str], analysis: Analysis
) -> CallPair:
    """The `CallPair` of two recorded sides, already in neutral order. Raises `Unreadable` and `Damaged`."""
    windows = [window.read(side.capture, markers) for side in (a, b)]
    mixed = mixed_up((a, b), windows)
    a, b = (checked(side, of, mixed) for side, of in zip((a, b), windows, strict=True))
    learned = [addresses.learn(of, side.interface, side.probed) for of, side in zip(windows, (a, b), strict=True)]
    known, of_call = addresses.attribute(*learned), negotiated(*windows)
    vantage_a = _vantage(a, windows[0], learned[0], known.a, known.b, of_call, analysis)
    vantage_b = _vantage(b, windows[1], learned[1], known.b, known.a, of_call, analysis)
    edges, mixed = edge_packets(vantage_a, vantage_b), mixed or two_calls(vantage_a, vantage_b)
    return CallPair(vantage_a, vantage_b, known.servers, names, analysis, edges, mixed)


def checked(side: SideRecord, of: Window, mixed: str) -> SideRecord:
    """The side as recorded, if its interface addresses are those of its capture. Else `recorded` is False, and they are
    what the capture itself tells; others that were recorded with wrong ones may be wrong as well and are left out.

    Raises `Unreadable` where the capture does not tell either: then nothing in it can be counted as the phone's, and
    what is `mixed` up may be why.
    """
    if side.recorded and addresses.fits(of, side.interface):
        return side
    inferred, probed = addresses.inferred(of), frozenset[Address]() if side.interface else side.probed
    if addresses.is_blind(of, inferred | probed):
        text = "does not tell which end is the phone, and no address that was recorded for it is; record its addresses"
        raise Unreadable(side.capture, f"{text} ({mixed})" if mixed else text)
    return replace(side, interface=inferred, probed=probed, recorded=False)


def _vantage(
    side: SideRecord,
    of: Window,
    learned: Learned,
    roles: Mapping[Address, Role],
    others: Mapping[Address, Role],
    of_call: Negotiated,
    analysis: Analysis,
) -> Vantage:
    own = addresses.own_addresses(learned.interface, learned.probed | roles.keys())
    repeated = duplicates.repeated(of.trace)
    repeats = duplicates.repeats(of.trace.udp, repeated, addresses.is_sent(of.trace.udp, own))
    of = replace(of, repeated=repeated if repeats.flagged else None)
    over_tcp = connections(of, own)
    media = units(of, own, over_tcp)
    peers = frozenset(others) - learned.interface
    found = conversations(of, own, peers, analysis.relay_ports, of_call, over_tcp, media)
    media_of_call = media.within(each.flow for each in found if each.kind != "other")
    return Vantage(
        phone=side.phone,
        trace=of.trace,
        messages=of.messages,
        flows=of.flows,
        clock=side.clock,
        own=roles,
        visible=of.visible,
        unseen=unseen(of, own, analysis.relay_ports),
        hits=hits(of, others.keys() - roles.keys() - of.visible.keys()),
        conversations=found,
        transport=transport(of, own, over_tcp),
        recorded=side.recorded,
        seen_at=side.seen_at,
        identifiers=side.identifiers,
        window_ns=of.window_ns,
        answered=answered(media_of_call),
        repeats=repeats,
        alone=alone(of, repeated, learned, analysis.relay_ports),
        media_units=media_of_call,
        carried=of.carried,
        unclaimed=tuple(unclaimed(found, media)),
        round_trip_ns=round_trip_ns(of.messages, own),
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
        identifiers=side.identifiers,
    )
