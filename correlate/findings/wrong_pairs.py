"""findings/wrong_pairs.csv, the negative control: the caller's leg of one trial beside the callee's leg of another.

What two calls that have nothing to do with each other show as well links nobody. A wrong pair is made of the legs of
two trials that differ in nothing that was asked, and is measured by the code that measures trials: the callee's leg is
shifted so that both begin markers are at one instant of the controller's time; window, bounds, host names and rules
stay as they are. Of each leg stays what its own call made of it: which conversations are with servers, which with the
other phone. So a direct path is one here too, as in a lab, whose two phones have the same addresses in every trial.
"""

import csv
import io
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from correlate.columns import cells, columns_of, parse
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.dataset.record import PlanEntry
from correlate.dimensions import servers, signalling
from correlate.dimensions.duration import Timing
from correlate.dimensions.servers import Server
from correlate.dimensions.volume import Relayed, Traffic, relayed_of, traffic_of
from correlate.errors import BadDataset
from correlate.findings import rows
from correlate.findings.cases import Case
from correlate.pairs import CallPair, Vantage
from correlate.pairs.sessions import RULES, Session

PARTNERS = 6
"""So many callee legs each caller leg meets at most: all of up to 7 repetitions, a sample of more."""

REPETITIONS, KIND = "repetitions", "scenarios of one kind"
MARKERS, FIRST_PACKETS, NOT_ALIGNED = "begin markers", "first packets", "a clock was never compared"


@dataclass(frozen=True)
class Call:
    """A trial that could be read: its place in the plan, whether it is a conversation (`Case.is_conversation`), whether
    markers bound its window, its pair without packets, and which vantage of it (`a`, `b`) is which side."""

    entry: PlanEntry
    is_conversation: bool | None
    marked: bool
    pair: CallPair
    sides: Mapping[str, str]

    @property
    def matter(self) -> tuple[str, ...]:
        """What both trials of a wrong pair have in common, whatever their scenarios."""
        return self.entry.app, self.entry.service, self.entry.direction, self.entry.caller, self.entry.callee

    def leg(self, side: str) -> Vantage:
        """The vantage of the `caller` or the `callee`."""
        vantage: Vantage = getattr(self.pair, self.sides[side])
        return vantage


@dataclass(frozen=True)
class Leg:
    """What one leg of a wrong pair shows under rules that may look at both; None where it has no such session."""

    best_match_duration_ns: int | None
    p2p_duration_ns: int | None
    relayed_tx_packets: int | None
    relayed_rx_packets: int | None
    longest_relay_tx_packets: int | None
    longest_relay_rx_packets: int | None


@dataclass(frozen=True)
class WrongPair:
    """The caller's leg of `caller_trial` beside the callee's of `callee_trial`.

    `paired` says over what: REPETITIONS of one scenario, or, for a trial that has none, scenarios of one KIND (both
    conversations or both not). `aligned` says which instants were made one. `shared`, `user_ids` and the signs by which
    both sides' sessions are the same are as in servers.csv, signalling.csv and duration.csv; where one cannot be told
    it is None, and `reason` says why.
    """

    caller_trial: str
    callee_trial: str
    paired: str
    aligned: str
    shared: tuple[Server, ...] | None
    user_ids: tuple[str, ...] | None
    longest_relay_identity: str | None
    best_match_identity: str | None
    p2p_identity: str | None
    caller: Leg
    callee: Leg
    reason: str = ""


def chosen(calls: Sequence[Call], seed: str) -> Iterator[tuple[Call, Call, str]]:
    """The wrong pairs to measure, caller's trial and callee's, and over what they are paired; by the order of `calls`.

    Every other repetition of a trial; where there is none every trial of another scenario that is a conversation
    as well, or none as well. Of more than PARTNERS a sample by the seed.
    """
    cells: dict[tuple[str, ...], list[Call]] = {}
    kinds: dict[tuple[object, ...], list[Call]] = {}
    for call in calls:
        cells.setdefault((*call.matter, call.entry.scenario), []).append(call)
        kinds.setdefault((*call.matter, call.is_conversation), []).append(call)
    for call in calls:
        partners, paired = _others(call, cells[*call.matter, call.entry.scenario]), REPETITIONS
        if not partners and call.is_conversation is not None:
            partners, paired = _others(call, kinds[*call.matter, call.is_conversation]), KIND
        if len(partners) > PARTNERS:
            chance = random.Random(f"{seed}/{call.entry.id}/wrong pairs")
            partners = [partners[index] for index in sorted(chance.sample(range(len(partners)), PARTNERS))]
        yield from ((call, partner, paired) for partner in partners)


def _others(call: Call, calls: Sequence[Call]) -> list[Call]:
    return [each for each in calls if each is not call]


def crossed(caller: Call, callee: Call, names: Mapping[str, str]) -> CallPair:
    """The caller's leg of one trial and the callee's of another as a `CallPair` that begins where the first did."""
    own, other = caller.leg("caller"), callee.leg("callee")
    begin_ns, other_begin_ns = (each.clock.to_controller(each.window_ns[0]) for each in (own, other))
    shifted = replace(other, clock=other.clock.shifted(begin_ns - other_begin_ns))
    a, b = (own, shifted) if caller.sides["caller"] == "a" else (shifted, own)
    # Which packets the other capture may have missed, and whether it is the other one's, was told of the true pair.
    return replace(caller.pair, a=a, b=b, names=names, edge_packets=None, mixed_up="")


def measure(caller: Call, callee: Call, paired: str, names: Mapping[str, str]) -> WrongPair:
    """One wrong pair under the dimensions' own rules."""
    pair, own, other = crossed(caller, callee, names), caller.sides["caller"], caller.sides["callee"]
    used, signals = (getattr(dimension.measure(pair), own) for dimension in (servers, signalling))
    choices = {rule: RULES[rule](pair) for rule in ("longest_relay", "best_match", "p2p")}
    reasons = {
        "shared": used.reasons.get("shared"),
        "user_ids": signals.reasons.get("user_ids"),
        **{rule: choice.reason for rule, choice in choices.items()},
    }
    return WrongPair(
        caller_trial=caller.entry.id,
        callee_trial=callee.entry.id,
        paired=paired,
        aligned=_aligned(caller, callee),
        shared=used.shared,
        user_ids=signals.user_ids,
        longest_relay_identity=choices["longest_relay"].identity,
        best_match_identity=choices["best_match"].identity,
        p2p_identity=choices["p2p"].identity,
        caller=_leg(getattr(pair, own), {rule: getattr(choice, own) for rule, choice in choices.items()}),
        callee=_leg(getattr(pair, other), {rule: getattr(choice, other) for rule, choice in choices.items()}),
        reason="; ".join(f"{name}: {text}" for name, text in reasons.items() if text),
    )


def _leg(side: Vantage, sessions: Mapping[str, Session | None]) -> Leg:
    relayed, longest = relayed_of(side), traffic_of(side, sessions["longest_relay"])
    return Leg(
        best_match_duration_ns=_duration_ns(sessions["best_match"]),
        p2p_duration_ns=_duration_ns(sessions["p2p"]),
        relayed_tx_packets=relayed.tx_packets,
        relayed_rx_packets=relayed.rx_packets,
        longest_relay_tx_packets=longest.tx_packets,
        longest_relay_rx_packets=longest.rx_packets,
    )


def _duration_ns(session: Session | None) -> int | None:
    return session.duration_ns if session else None


def _aligned(caller: Call, callee: Call) -> str:
    if not (caller.leg("caller").clock.known and callee.leg("callee").clock.known):
        return NOT_ALIGNED
    return MARKERS if caller.marked and callee.marked else FIRST_PACKETS


def write(dataset: Dataset, calls: Sequence[Call], names: Mapping[str, str]) -> None:
    """Writes findings/wrong_pairs.csv: a row an ordered wrong pair."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns_of(WrongPair)), lineterminator="\n")
    writer.writeheader()
    for caller, callee, paired in chosen(calls, str(dataset.info().seed)):
        writer.writerow(cells(measure(caller, callee, paired, names)))
    write_text(dataset.findings_dir / "wrong_pairs.csv", text.getvalue())


def read(dataset: Dataset) -> tuple[WrongPair, ...]:
    """What `write` wrote. Raises `BadDataset` where the file is missing, does not fit, or is of other trials than those
    that are complete."""
    path, found = dataset.findings_dir / "wrong_pairs.csv", list[WrongPair]()
    rows.read(path, dataset.path, lambda row: found.append(parse(row, WrongPair)))
    trials = {trial for each in found for trial in (each.caller_trial, each.callee_trial)}
    if others := sorted(trials - set(dataset.trial_ids())):
        raise BadDataset(f"{path}: has rows of {others[0]}, which is not complete; correlate again")
    return tuple(found)


@dataclass(frozen=True)
class Crossed:
    """A wrong pair of two cases, and over what it is `paired`; `as_case` is what decides a claim about it: each side is
    that of its own trial, and all that a wrong pair measures is that of the wrong pair. What else relates two sides is
    not to be asked of it."""

    caller: Case
    callee: Case
    as_case: Case
    paired: str


Made = dict[int, Crossed]
"""What was made before for other cells of the same dataset, by the identity of its wrong pair."""


def crossed_cases(wrong_pairs: Iterable[WrongPair], cases: Iterable[Case], made: Made) -> tuple[Crossed, ...]:
    """The wrong pairs of which both trials are among these cases. Those that are among `made` of the same two cases are
    taken from there, the others are put there."""
    known = {case.trial: case for case in cases}
    return tuple(
        _crossed(each, known, made) for each in wrong_pairs if {each.caller_trial, each.callee_trial} <= known.keys()
    )


def _crossed(wrong: WrongPair, known: Mapping[str, Case], made: Made) -> Crossed:
    caller, callee = known[wrong.caller_trial], known[wrong.callee_trial]
    before = made.get(id(wrong))
    if before is None or before.caller is not caller or before.callee is not callee:
        before = made[id(wrong)] = Crossed(caller, callee, _as_case(wrong, known), wrong.paired)
    return before


def _as_case(wrong: WrongPair, cases: Mapping[str, Case]) -> Case:
    caller, callee = cases[wrong.caller_trial], cases[wrong.callee_trial]
    of = {"caller": (caller, wrong.caller), "callee": (callee, wrong.callee)}
    return replace(
        caller,
        sessions={side: case.sessions[side] for side, (case, _) in of.items()},
        endpoints={side: case.endpoints[side] for side, (case, _) in of.items()},
        service_type={side: case.service_type[side] for side, (case, _) in of.items()},
        servers={side: replace(case.servers[side], shared=wrong.shared) for side, (case, _) in of.items()},
        signalling={side: replace(case.signalling[side], user_ids=wrong.user_ids) for side, (case, _) in of.items()},
        duration={
            side: replace(
                case.duration[side],
                longest_relay=replace(case.duration[side].longest_relay, identity=wrong.longest_relay_identity),
                best_match=Timing(leg.best_match_duration_ns, identity=wrong.best_match_identity),
                p2p=Timing(leg.p2p_duration_ns, identity=wrong.p2p_identity),
            )
            for side, (case, leg) in of.items()
        },
        volume={
            side: replace(
                case.volume[side],
                relayed=Relayed(leg.relayed_tx_packets, leg.relayed_rx_packets),
                longest_relay=Traffic(leg.longest_relay_tx_packets, leg.longest_relay_rx_packets),
            )
            for side, (case, leg) in of.items()
        },
    )
