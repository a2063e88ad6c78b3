"""One app's Tables 3 to 8 a second time, by tshark and plain Python, beside those of a dataset.

`python benchmarks/tshark_tables.py DATASET [APP] [--all]`

Each cell on a line: its place, ours, tshark's, `agrees` or `DIFFERS`; without `--all` only the second kind. Ends with 1
where a cell differs. The definitions are those of docs/dataset.md and of the notes below the tables, for conversations
over UDP; windows, addresses and clocks are those of each trial.json. tshark reads the captures and dissects STUN; what
it leaves as bytes inside of ChannelData and indications is read here. Nothing of this project is imported.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tshark_reader import Conversation, Datagram, End, Side, read_side

SIDES = ("caller", "callee")
PAPERS = ("caller_cancels", "callee_rejects", "system_timeout", "caller_hangs_up", "callee_hangs_up", "unknown", None)
"""The scenarios of the paper's tables, and what stands for one that nobody wrote down."""
NEEDS = {
    "table3": {"calls", "nothing_else", "rang", "answered", "ended_by"},
    "table4": {"calls", "nothing_else"},
    "table6": {"calls", "nothing_else", "service"},
    "table7": {"calls", "nothing_else", "service", "answered"},
    "table8": {"calls", "nothing_else", "service", "answered"},
}
"""The claims that a table needs proven of a trial (docs/dataset.md)."""
BINDING = (0x0001, 0x0101, 0x0111)
CLAT = ip_network("192.0.0.0/29")


@dataclass
class Trial:
    """Both sides of one trial, looked at by the definitions of docs/dataset.md."""

    id: str
    scenario: str
    direction: str
    service: str
    caller_phone: str
    answered: bool
    unproven: frozenset[str]
    sides: dict[str, Side]
    ports: frozenset[int]
    twins: str | None
    names: dict[str, str]

    def __post_init__(self) -> None:
        for side in self.sides.values():
            talks: dict[tuple[End, End], Conversation] = {}
            for each in side.datagrams:
                near, far = (
                    (each.source, each.target) if each.source[0] in side.interface else (each.target, each.source)
                )
                if near[0] in side.interface:
                    talks.setdefault((near, far), Conversation(far)).datagrams.append(each)
            side.conversations = list(talks.values())
        # The far ends of a phone's own conversations that are not the other phone's, and what STUN says is a server's.
        known = {name: set.union(*side.own.values()) for name, side in self.sides.items()}
        for name, other in (SIDES, SIDES[::-1]):
            self.sides[name].own["public"] |= self.mapped(name, known[other])
        for name, other in (SIDES, SIDES[::-1]):
            side, theirs = self.sides[name], set.union(*self.sides[other].own.values())
            side.direct = [each for each in side.conversations if each.far[0] in theirs]
            side.servers = [
                each
                for each in side.conversations
                if each.far[0] not in theirs and each.far[1] in self.ports and any(map(beyond_binding, each.datagrams))
            ]

    def mapped(self, name: str, others: set[str]) -> set[str]:
        """What success responses that reached the phone map it to, servers' addresses excepted."""
        side = self.sides[name]
        servers = {each.far[0] for each in side.conversations} - others
        servers |= {
            text
            for each in (*self.sides["caller"].datagrams, *self.sides["callee"].datagrams)
            for kind, text in each.shown
            if kind in ("RELAYED", "ALTERNATE")
        }
        return {
            text
            for each in side.datagrams
            if each.kind is not None and each.kind & 0x0110 == 0x0100 and each.target[0] in side.interface
            for kind, text in each.shown
            if kind == "MAPPED" and text not in servers
        }

    def media(self, side: Side) -> list[Datagram]:
        found = [each for talk in (*side.servers, *side.direct) for each in talk.datagrams if each.is_media]
        return sorted(found, key=lambda each: each.number)

    @property
    def established(self) -> bool:
        ways = [Counter(each.source[0] in side.interface for each in self.media(side)) for side in self.sides.values()]
        return all(way[True] >= 100 and way[False] >= 100 for way in ways)

    @property
    def routing(self) -> str | None:
        directly, in_all = 0, 0
        for side in self.sides.values():
            directly += sum(each.payload_bytes for talk in side.direct for each in talk.datagrams if each.is_media)
            in_all += sum(each.payload_bytes for each in self.media(side))
        return None if not self.established else "p2p" if 2 * directly >= in_all else "relay"

    def exposed(self, name: str, role: str) -> bool:
        """Whether the other side's trace shows an address of this phone with that role, which neither the other phone
        nor a server has."""
        other = self.sides[SIDES[name == "caller"]]
        servers = {talk.far[0] for side in self.sides.values() for talk in side.servers}
        seen = {
            text
            for each in other.datagrams
            for text in (each.source[0], each.target[0], *(text for _, text in each.shown))
            if ip_address(text) not in CLAT
        }
        return bool(seen & (self.sides[name].own[role] - set().union(*other.own.values()) - servers))

    def cluster(self, address: str) -> str | None:
        match = re.match(self.twins, self.names.get(address) or "") if self.twins else None
        return "|".join(match.groups()) if match else None

    def shared(self) -> set[End]:
        """The servers of either side that the other used at the same time, or its twin on the same port."""
        found = set()
        caller, callee = self.sides["caller"], self.sides["callee"]
        for one in caller.servers:
            for two in callee.servers:
                alike = one.far[0] == two.far[0] or (self.cluster(one.far[0]) or "") == self.cluster(two.far[0])
                if alike and one.far[1] == two.far[1] and self.overlap(caller, one, callee, two):
                    found |= {one.far, two.far}
        return found

    @staticmethod
    def overlap(side: Side, one: Conversation, other: Side, two: Conversation) -> bool:
        first = max(side.controller(one.datagrams[0].time_ns), other.controller(two.datagrams[0].time_ns))
        last = min(side.controller(one.datagrams[-1].time_ns), other.controller(two.datagrams[-1].time_ns))
        return last - first >= -(side.bound() + other.bound())


def beyond_binding(each: Datagram) -> bool:
    """STUN that a server of a call has and a bare Binding is not."""
    return each.is_turn or (each.kind is not None and (each.kind not in BINDING or each.has_user))


def longest(talks: Iterable[Conversation]) -> list[Datagram]:
    """Of those that last within 1 s as long as the longest the one with most payload; of equal ones the longest."""
    kept = list(talks)
    if not kept:
        return []
    most = max(each.duration_ns for each in kept)
    return max(
        (each for each in kept if most - each.duration_ns <= 10**9), key=lambda each: (each.payload(), each.duration_ns)
    ).datagrams


def session(trial: Trial, side: Side, rule: str) -> list[Datagram]:
    if rule == "longest_relay":
        return longest(side.servers)
    if rule == "media_union":
        return trial.media(side)
    return longest(
        each for each in side.direct if len({part.source[0] in side.interface for part in each.datagrams}) == 2
    )


MEASURES: dict[tuple[str, str], Callable[[list[Datagram]], float]] = {
    ("table6", ""): lambda found: (max(e.time_ns for e in found) - min(e.time_ns for e in found)) / 1e9,
    ("table7", "packets"): len,
    ("table8", "payload"): lambda found: sum(each.payload_bytes for each in found) / 1000,
    ("table8", "frames"): lambda found: sum(each.frame_bytes for each in found) / 1000,
}
RULES = ("longest_relay", "p2p", "media_union")


def quartile(ordered: Sequence[float], part: float) -> float:
    """By the place part * (n + 1) among the ordered, from 1 on, straight between neighbours (weibull)."""
    place = min(max(part * (len(ordered) + 1), 1), len(ordered))
    below = int(place)
    above = min(below + 1, len(ordered))
    return ordered[below - 1] + (place - below) * (ordered[above - 1] - ordered[below - 1])


def difference(pairs: Sequence[tuple[float, float]], measure: str) -> dict[str, str]:
    """The cells of one row of Tables 6 to 8."""
    signed = [
        one - two if measure == "absolute" else (one - two) / (one + two) if one + two else 0 for one, two in pairs
    ]
    ordered = sorted(map(abs, signed))
    if not ordered:
        return dict.fromkeys(("median", "iqr", "minimum", "maximum", "signed_median"), "")
    spread = quartile(ordered, 0.75) - quartile(ordered, 0.25)
    found = {
        "median": quartile(ordered, 0.5),
        "iqr": spread if len(ordered) > 1 else None,
        "minimum": ordered[0],
        "maximum": ordered[-1],
        "signed_median": quartile(sorted(signed), 0.5),
    }
    return {name: "" if value is None else f"{value:.4f}" for name, value in found.items()}


def dataset(root: Path, app: str) -> list[Trial]:
    """The complete trials of an app, two captures at a time."""
    info = json.loads((root / "dataset.json").read_text())
    analysis = info["apps"][app]["analysis"]
    ports = frozenset(analysis["relay_ports"])
    named = json.loads((root / "names.json").read_text()) if (root / "names.json").exists() else {}
    names = {address: entry["name"] for address, entry in named.items() if entry["name"]}

    def read(path: Path) -> Trial:
        record = json.loads(path.read_text())
        asked = record["asked"]
        sides = {side: read_side(path.parent, record, side, ports) for side in SIDES}
        claims = record.get("observed") or {}
        answered = claims["answered"]["value"] is True if claims else asked["talk_s"] is not None
        unproven = frozenset(name for name, claim in claims.items() if claim["verdict"] != "proven")
        call = (record["observed_scenario"], asked["direction"], asked["service"], record["sides"]["caller"]["phone"])
        return Trial(record["trial"], *call, answered, unproven, sides, ports, analysis["twins"], names)

    ids = [entry["id"] for entry in info["plan"] if entry["app"] == app]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(read, [path for each in ids if (path := root / "trials" / each / "trial.json").exists()]))


Cells = Mapping[str, str]


def among(trials: Sequence[Trial], table: str, scenario: str) -> list[Trial]:
    """The trials of a scenario, or without one of all of the paper's, that are proven to be what a table speaks of."""
    of = [t for t in trials if t.scenario == scenario or (not scenario and t.scenario in PAPERS)]
    return [trial for trial in of if not trial.unproven & NEEDS[table]]


def table3(trials: Sequence[Trial], row: Cells) -> Cells:
    """`n` and `N` of one row; no n of no trial."""
    of = [t for t in among(trials, "table3", row["scenario"]) if row["direction"] in ("all", t.direction)]
    measure = row["measure"]
    if measure == "no_disclosure":
        roles = [(side, role) for side in SIDES for role in ("public", "private")]
        holds = [not any(trial.exposed(*each) for each in roles) for trial in of]
    elif measure in ("p2p", "relay"):
        holds = [trial.routing == measure for trial in of]
    else:
        side, _, role = measure.partition("_")
        holds = [trial.exposed(side, role) for trial in of]
    return {"n": str(sum(holds)) if of else "", "total": str(len(of))}


def tables4_and_5(trials: Sequence[Trial]) -> tuple[dict[str, Cells], dict[str, Cells]]:
    """Rows by address, and by host name those of a cluster."""
    ports: dict[str, set[int]] = {}
    count: Counter[str] = Counter()
    for trial in trials:
        shared = trial.shared()
        count.update({address for address, _ in shared})
        for address, port in shared:
            ports.setdefault(address, set()).add(port)
    if not trials:
        return {}, {}
    names = trials[0].names
    four: dict[str, Cells] = {
        address: {
            "name": names.get(address, ""),
            "ports": str(sorted(ports[address])),
            "n": str(count[address]),
            "total": str(len(trials)),
        }
        for address in ports
    }
    five: dict[str, Cells] = {
        names[address]: {"address": address, "cluster": cluster, "n": row["n"], "total": row["total"]}
        for address, row in four.items()
        if (cluster := trials[0].cluster(address))
    }
    return four, five


def differences(trials: Sequence[Trial], table: str, row: Cells) -> Cells:
    """A row of Tables 6 to 8: N counts those of the cell, n those with the session on both sides. Volumes are of
    answered calls alone."""
    phone = row["caller_device"].split("(")[-1].rstrip(")")
    of = [t for t in among(trials, table, row["scenario"]) if (t.caller_phone, t.service) == (phone, row["service"])]
    if table != "table6":
        of = [trial for trial in of if trial.answered]
    both = [[session(trial, trial.sides[side], row["session"]) for side in SIDES] for trial in of]
    measure = MEASURES[table, row["volume"]]
    pairs = [(measure(one), measure(two)) for one, two in both if one and two]
    return {"n": str(len(pairs)), "total": str(len(of)), **difference(pairs, row["measure"])}


def rows(root: Path, table: str, app: str) -> list[Cells]:
    with (root / "tables" / f"{table}.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["app"] == app]


def compared(root: Path, app: str) -> Iterator[tuple[str, str, str]]:
    """Place, ours and tshark's of every cell."""
    trials = dataset(root, app)
    for row in rows(root, "table3", app):
        place = f"table3 {row['scenario']} {row['direction']} {row['measure']}"
        for column, value in table3(trials, row).items():
            yield f"{place} {column}", row[column], value
    for scenario in sorted({"", *(row["scenario"] for row in rows(root, "table4", app))}):
        yield from compared_servers(root, app, scenario, tables4_and_5(among(trials, "table4", scenario)))
    for table in ("table6", "table7", "table8"):
        for row in rows(root, table, app):
            if row["session"] in RULES:
                names = (row[each] for each in ("scenario", "caller_device", "service", "measure", "volume", "session"))
                place = " ".join((table, *(each for each in names if each)))
                for column, value in differences(trials, table, row).items():
                    yield f"{place} {column}", row[column], value


def compared_servers(
    root: Path, app: str, scenario: str, tables: tuple[dict[str, Cells], dict[str, Cells]]
) -> Iterator[tuple[str, str, str]]:
    """The cells of Tables 4 and 5 that are of a scenario."""
    for table, key, found in zip(("table4", "table5"), ("address", "name"), tables, strict=True):
        of_app = (row for row in rows(root, table, app) if row["scenario"] == scenario)
        ours = {row[key]: row for row in of_app if row[key] and row["n"] not in ("", "0")}
        place = " ".join(each for each in (table, scenario) if each)
        columns = sorted({column for row in found.values() for column in row})
        for name in sorted(ours.keys() | found.keys()):
            for column in columns:
                cell, theirs = (of.get(name, {}).get(column, "-") for of in (ours, found))
                yield f"{place} {name} {column}", cell, theirs


def agrees(ours: str, theirs: str) -> bool:
    """Numbers within what four decimals leave open."""
    try:
        return abs(float(ours) - float(theirs)) <= 1.01e-4
    except ValueError:
        return ours == theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("app", nargs="?", default="messenger")
    parser.add_argument("--all", action="store_true", help="the cells that agree as well")
    options = parser.parse_args()
    count: Counter[bool] = Counter()
    for place, ours, theirs in compared(options.dataset, options.app):
        same = agrees(ours, theirs)
        count[same] += 1
        if options.all or not same:
            print(f"{place}: {ours}, tshark {theirs}: {'agrees' if same else 'DIFFERS'}")
    print(f"{options.app}: {sum(count.values())} cells, {count[True]} agree, {count[False]} differ")
    return 1 if count[False] else 0


if __name__ == "__main__":
    sys.exit(main())
