"""A rehearsed dataset beside its truth, field by field: `python benchmarks/rehearsal.py DATASET` prints what differs.

The truth is that of `lab.virtual.rig`: what the operator, two browsers and coturn say, never a packet. Compared are

- findings, each equal to the truth. One that is null has its reason in findings/; where the truth is null the finding
  is not judged, and the truth has the reason (`UNTOLD`, or `rig.unplayed`).
- media: a finding less what the browser counted is 0 to 8. The browser is asked before it closes, the capture goes on.
- clocks: each reading in trial.json is within its bound of the true offset.
- instants, each within the clock's bound and 0.3 s of the browser's event (`moments`).
- captures: captured = received = what is in the file, none dropped.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from correlate import report
from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import Case, cases

SURPLUS = range(9)
"""How many datagrams of media more than the browser counted may be found: those between its count and its end."""
NEAR_NS = 300_000_000
SESSIONS = ("longest_relay", "best_match", "p2p")
OTHER = {"caller": "callee", "callee": "caller"}
UNTOLD = {
    f"media.{side}.{way}_payload_bytes": "browsers count bytes without the framing of a relay"
    for side in SIDES
    for way in ("tx", "rx")
}

Truth = Mapping[str, Any]


@dataclass
class Compared:
    """What came out for some trials. A line of `differences` begins with its trial; distances are in ns."""

    differences: list[str] = field(default_factory=list)
    trials: int = 0
    equal: int = 0
    undecided: Counter[tuple[str, str]] = field(default_factory=Counter)
    unjudged: Counter[tuple[str, str]] = field(default_factory=Counter)
    surplus: Counter[tuple[str, int]] = field(default_factory=Counter)
    readings: int = 0
    wrong_clocks: list[str] = field(default_factory=list)
    worst_clock: dict[str, float] = field(default_factory=dict)
    distances: dict[str, list[int]] = field(default_factory=dict)
    packets: int = 0

    def say(self) -> Iterator[str]:
        """A few lines of figures."""
        yield f"{self.trials} trials, {self.equal} findings equal to the truth, {len(self.differences)} differ"
        yield from (f"null, {n} times: {name}: {why}" for (name, why), n in sorted(self.undecided.items()))
        yield from (f"not judged, {n} times: {name}: {why}" for (name, why), n in sorted(self.unjudged.items()))
        for way in sorted({way for way, _ in self.surplus}):
            found = sorted((more, n) for (each, more), n in self.surplus.items() if each == way)
            yield f"media found less counted, {way}: " + ", ".join(f"{more:+d} {n}x" for more, n in found)
        right = self.trials - len(self.wrong_clocks)
        worst_clocks = ", ".join(f"{name} {part:.2f}" for name, part in sorted(self.worst_clock.items()))
        yield f"clocks: {right} of {self.trials} trials within their bounds, {self.readings} readings"
        yield f"worst reading, in parts of its bound: {worst_clocks}"
        for name, each in sorted(self.distances.items()):
            worst = max(each, key=abs)
            yield f"{name}: {len(each)} instants, worst {worst / 1e6:+.0f} ms from the browser's"
        yield f"captured = received: {self.packets} packets"


def compare(dataset: Dataset) -> Compared:
    """All complete trials of a dataset whose findings are there. Raises `BadDataset`."""
    out = Compared()
    found, read = report.read_findings(dataset), {case.trial: case for case in cases(dataset).read}
    out.differences += report.unread(dataset)
    for trial, values in found.items():
        out.trials += 1
        truth = json.loads((dataset.truth_dir / f"{trial}.json").read_text())
        if trial in read:
            differences = _of_trial(out, dataset, read[trial], values, truth)
            out.differences += [f"{trial}: {text}" for text in differences]
    return out


def _of_trial(out: Compared, dataset: Dataset, case: Case, values: Truth, truth: Truth) -> list[str]:
    record = dataset.record(case.trial).model_dump(mode="json")
    texts = [f"{kind}: {text}" for kind in ("contradictions", "failures") for text in truth["rig"][kind]]
    texts += observed(record, truth)
    if "browsers" not in truth["rig"]:
        return [*texts, "the browsers had no call"]
    texts += findings(out, case, values, truth)
    texts += media(out, values, truth)
    texts += captures(out, record)
    clocks(out, case.trial, record, truth)
    return [*texts, *instants(out, case, truth)]


# -- findings


def flat(values: Truth) -> dict[str, Any]:
    """`exposed.caller_public`, `media.caller.tx_packets` and so on; servers as sorted lists."""
    named = {name: values[name] for name in ("established", "routing", "p2p_observed", "service", "role", "user_ids")}
    named |= {f"exposed.{name}": value for name, value in values["exposed"].items()}
    for name, listed in values["servers"].items():
        named[f"servers.{name}"] = None if listed is None else sorted(listed, key=place)
    return named | {f"media.{side}.{name}": count for side in SIDES for name, count in values["media"][side].items()}


def place(server: Truth) -> tuple[str, int]:
    return server["address"], server["port"]


def reason(case: Case, name: str) -> str:
    """Why findings/ have null there; empty where they do not say."""
    first, _, rest = name.partition(".")
    side, _, column = rest.partition("." if first == "media" else "_")
    places: dict[str, tuple[Mapping[str, Any], str, str]] = {
        "service": (case.service_type, "caller", "service_found"),
        "role": (case.signalling, "caller", "calling"),
        "user_ids": (case.signalling, "caller", "user_ids"),
        "exposed": (case.endpoints, side, f"exposed_{column}"),
        "servers": (case.servers, "caller" if rest == "shared" else side, "shared" if rest == "shared" else "servers"),
        "media": (case.volume, side, f"media_{column}"),
    }
    sides, of, where = places.get(first, (case.endpoints, "caller", first))
    return str(sides[of].reasons.get(where, ""))


def findings(out: Compared, case: Case, values: Truth, truth: Truth) -> Iterator[str]:
    """Every field but the counts of media, which `media` compares."""
    found, true, unplayed = flat(values), flat(truth), truth["rig"]["unplayed"]
    for name, value in found.items():
        if value is None:
            why = reason(case, name)
            if not why:
                yield f"{name} is null without a reason"
            elif true[name] is None:
                out.equal += 1
            else:
                out.undecided[name, why] += 1
        elif true[name] is None:
            if why := UNTOLD.get(name) or unplayed.get(name):
                out.unjudged[name, why] += 1
            else:
                yield f"{name} is {value}, the truth has null without a reason"
        elif name.endswith("_packets"):
            continue
        elif value == true[name]:
            out.equal += 1
        else:
            yield f"{name} is {value}, the truth {true[name]}"


def media(out: Compared, values: Truth, truth: Truth) -> Iterator[str]:
    """The counts of both sides and ways."""
    for side in SIDES:
        pair = truth["rig"]["browsers"][side]["pair"]
        way = "none" if pair is None else "relayed" if "relay" in (pair["local"], pair["remote"]) else "direct"
        for name in ("tx_packets", "rx_packets"):
            found, counted = values["media"][side][name], truth["media"][side][name]
            if found is None or counted is None:
                continue
            out.surplus[way, found - counted] += 1
            if found - counted in SURPLUS:
                out.equal += 1
            else:
                yield f"media.{side}.{name} is {found}, the browser counted {counted} ({way})"


# -- what the harness recorded


def observed(record: Truth, truth: Truth) -> Iterator[str]:
    """What was seen of the phones."""
    pairs = {
        "observed_scenario": record["observed_scenario"],
        "caller": record["asked"]["caller"],
        "capture_restarts": record["capture_restarts"],
        "attempt": record["attempt"],
    }
    yield from (f"{name} is {value}, the truth {truth[name]}" for name, value in pairs.items() if value != truth[name])


def captures(out: Compared, record: Truth) -> Iterator[str]:
    """The counters of both tools."""
    for side in SIDES:
        taken = record["sides"][side]
        counters, packets = taken["counters"], taken["packets"]
        out.packets += packets
        if counters != {"captured": packets, "received": packets, "dropped": 0}:
            yield f"{side}: {packets} packets in the capture, its tool says {counters}"


def clocks(out: Compared, trial: str, record: Truth, truth: Truth) -> None:
    """Readings of all clocks, those of captures by stamps too: a capture shows the clock of whoever took it."""
    whose = {name: name for name in ("caller", "callee", "laptop")}
    whose |= {f"{side}_capture": record["sides"][side]["clock"] for side in SIDES}
    texts = []
    for name, line in record["clocks"].items():
        true = truth["clocks"][whose[name]]
        for when in ("before", "after"):
            off = line[when]["offset_ns"] - true[f"offset_{when}_ns"]
            out.readings += 1
            out.worst_clock[name] = max(out.worst_clock.get(name, 0), abs(off) / line[when]["bound_ns"])
            if abs(off) > line[when]["bound_ns"]:
                texts.append(f"{name} {when} is {off} ns off, its bound {line[when]['bound_ns']} ns")
    if texts:
        out.wrong_clocks.append(f"{trial}: {'; '.join(texts)}")


# -- instants


@dataclass(frozen=True)
class Moment:
    """When something should be seen on the wire: not before `first_ns`, not after `last_ns`."""

    first_ns: int
    last_ns: int

    def distance(self, at_ns: int) -> int:
        """How far an instant is from it; negative before it."""
        return min(0, at_ns - self.first_ns) or max(0, at_ns - self.last_ns)


def takings(truth: Truth, side: str) -> dict[str, int]:
    """`ADDRESS port PORT` of each candidate of the other end that this one was given, and when."""
    found: dict[str, int] = {}
    for text, at_ns in truth["rig"]["browsers"][side]["taken"].items():
        words = text.split()
        place = f"{words[4]} port {words[5]}"
        found[place] = min(at_ns, found.get(place, at_ns))
    return found


def beginning(truth: Truth, side: str, remote: str) -> Moment | None:
    """When the first datagram between a phone and `remote` should be seen; None where no event says it.

    With a candidate of the other end: when this end was given it, or as much earlier as the other end was given this
    one's, since its checks may come in first. With a server of its own: when it began to gather.
    """
    browsers, taken = truth["rig"]["browsers"], takings(truth, side)
    if remote in taken:
        there = takings(truth, OTHER[side]).values()
        return Moment(min([taken[remote], *there]), taken[remote])
    servers = {f"{each['address']} port {each['port']}" for each in truth["servers"][side]}
    gathering_ns = browsers[side]["gathering_ns"]
    return Moment(gathering_ns, gathering_ns) if remote in servers and gathering_ns else None


def moments(case: Case, truth: Truth, side: str) -> Iterator[tuple[str, int, Moment]]:
    """What is seen in the controller's time, and when it should be: name, instant, moment.

    Sessions begin as `beginning` says, of several servers with the first. Media begin with the handshake of DTLS, when
    either end has found a pair, and the end is connected when that is over. All end while the end closes: what follows
    was on its way.
    """
    browser = truth["rig"]["browsers"][side]
    closed = Moment(browser["closing_ns"], browser["closed_ns"]) if browser["closed_ns"] else None
    paired = [each["ice_ns"] for each in truth["rig"]["browsers"].values() if each["ice_ns"]]
    connected = Moment(min(paired), browser["connected_ns"]) if browser["connected_ns"] else None
    for rule in (*SESSIONS, "media_union"):
        timing = case.duration[side].under(rule)
        if timing.first_ns is None or timing.last_ns is None:
            continue
        begun = [beginning(truth, side, remote) for remote in (timing.remote or "").split(", ")]
        each_begun = [connected] if rule == "media_union" else begun
        known = [each for each in each_begun if each is not None]
        if known and len(known) == len(each_begun):
            yield f"{rule} begins", timing.first_ns, min(known, key=lambda each: each.last_ns)
        if closed is not None:
            yield f"{rule} ends", timing.last_ns, closed


def instants(out: Compared, case: Case, truth: Truth) -> Iterator[str]:
    """Begin and end of each session of both sides."""
    for side in SIDES:
        bound_ns = case.duration[side].bound_ns or 0
        for name, at_ns, moment in moments(case, truth, side):
            distance = moment.distance(at_ns)
            out.distances.setdefault(name, []).append(distance)
            if abs(distance) > bound_ns + NEAR_NS:
                yield f"{side}: {name} {distance / 1e6:+.0f} ms from the browser's, bound {bound_ns / 1e6:.3f} ms"


def main() -> int:
    compared = compare(Dataset(Path(sys.argv[1])))
    print(*compared.say(), *compared.wrong_clocks, *compared.differences, sep="\n")
    return 1 if compared.differences else 0


if __name__ == "__main__":
    sys.exit(main())
