"""The paper's Table 3: whose addresses the other side's trace shows, and by which route the media go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from correlate.findings.cases import Case
from correlate.tables.layout import Cell, Row, Table, table
from correlate.tables.predicates import routed
from correlate.tables.statistics import count, why
from correlate.tables.study import Study


@dataclass(frozen=True)
class Measure:
    """What is counted, and the column and side of endpoints.csv that say so, or why it is undecided."""

    column: str
    side: str
    holds: Callable[[Case], bool | None]


DISCLOSURES = {
    "no_disclosure": Measure("no_disclosure", "caller", lambda case: case.call.no_disclosure),
    "caller_public": Measure("exposed_public", "caller", lambda case: case.endpoints["caller"].exposed_public),
    "caller_private": Measure("exposed_private", "caller", lambda case: case.endpoints["caller"].exposed_private),
    "callee_public": Measure("exposed_public", "callee", lambda case: case.endpoints["callee"].exposed_public),
    "callee_private": Measure("exposed_private", "callee", lambda case: case.endpoints["callee"].exposed_private),
}
ROUTES = {
    "p2p": Measure("routing", "caller", lambda case: routed(case, "p2p")),
    "relay": Measure("routing", "caller", lambda case: routed(case, "relay")),
}


def table3(study: Study) -> Table:
    """Whose addresses the other side's trace shows, and the route, n/N by scenario, app and direction."""
    published = {
        (row["app"], row["scenario"], row["direction"], row["measure"]): (row["n"], row["of"])
        for row in study.paper["table3"]
    }
    rows: list[Row] = []
    for scenario in study.scenarios:
        for app in study.apps:
            cases = study.select(app=app, scenario=scenario)
            talks = [case for case in cases if case.call.established]
            directions = _directions(study, cases) if talks else []
            for direction in ["all", *directions]:
                calls, conversations = (_in_direction(each, direction) for each in (cases, talks))
                counted = {name: _counted(calls, measure) for name, measure in DISCLOSURES.items()}
                counted |= {name: _counted(conversations, ROUTES[name]) for name in ROUTES if talks}
                for name, counts in counted.items():
                    paper = published.get((app, scenario, direction, name))
                    key: Row = {"scenario": scenario, "app": app, "direction": direction, "measure": name}
                    rows.append({**key, **counts, **_beside(study, counts, paper)})
    columns = (
        "scenario app direction measure n N undecided wilson_low wilson_high paper_n paper_N difference agreement "
        "reason"
    )
    notes = (
        "public, private: the role under which an address was learned; visible: in the other side's IP headers or STUN",
        "no_disclosure: no address of either phone in the other's trace, and none in STUN that nobody explains; with "
        "one that nobody explains the trial is undecided, and the cell is no 'no disclosure'",
        "p2p: at least half of the media payload goes directly; counted over conversations",
        "wilson: 95% interval of n/N; difference: of the shares",
        *study.vantage_notes,
    )
    return table("table3", "Table 3: endpoint identifiability", columns, rows, notes, study.provenance)


def _in_direction(cases: list[Case], direction: str) -> list[Case]:
    return [case for case in cases if direction in ("all", case.direction)]


def _counted(cases: list[Case], measure: Measure) -> Row:
    counts, reasons = count(cases, measure.holds), [case.endpoints[measure.side].reasons for case in cases]
    undecided = " or ".join(sorted({each[measure.column] for each in reasons if measure.column in each}))
    return counts | {"reason": why(counts, undecided)}


def _directions(study: Study, cases: list[Case]) -> list[str]:
    """Device 1's first."""
    found = {case.direction: study.device(case.phones["caller"]) or 0 for case in cases}
    return sorted(found, key=lambda direction: (found[direction], direction))


def _beside(study: Study, counts: Mapping[str, Cell], paper: tuple[int, int] | None) -> Row:
    if paper is None:
        return {"paper_n": None, "paper_N": None, "difference": None, "agreement": ""}
    published: Row = {"paper_n": paper[0], "paper_N": paper[1]}
    if counts["n"] is None:
        return {**published, "difference": None, "agreement": "undecided" if counts["N"] else "no trial"}
    n, total = int(counts["n"]), int(counts["N"] or 0)
    equal = study.compare(n * paper[1] == paper[0] * total)
    return {**published, "difference": n / total - paper[0] / paper[1], "agreement": equal}
