"""The paper's Table 3: whose addresses the other side's trace shows, and by which route the media go."""

from collections.abc import Mapping

from correlate.findings.cases import Case
from correlate.tables.layout import Cell, Row, Table, table
from correlate.tables.predicates import routed
from correlate.tables.statistics import count, why
from correlate.tables.study import Study

DISCLOSURES = {
    "no_disclosure": ("caller", "no_disclosure"),
    "caller_public": ("caller", "exposed_public"),
    "caller_private": ("caller", "exposed_private"),
    "callee_public": ("callee", "exposed_public"),
    "callee_private": ("callee", "exposed_private"),
}
"""Measure -> the side and the column of endpoints.csv that decide it, or say why it is undecided."""
ROUTES = ("p2p", "relay")


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
                counted = {name: _counted(calls, *decides) for name, decides in DISCLOSURES.items()}
                counted |= {name: _counted(conversations, "caller", "routing", name) for name in ROUTES if talks}
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
        "undecided: an address nobody knew cannot be absent, nor one from STUN that was cut, lost or encrypted; TLS to "
        "others than STUN and TURN servers is outside of what is looked at",
        "p2p: at least half of the media payload goes directly; counted over conversations",
        "wilson: 95% interval of n/N; difference: of the shares",
        *study.vantage_notes,
    )
    return table("table3", "Table 3: endpoint identifiability", columns, rows, notes, study.provenance)


def _in_direction(cases: list[Case], direction: str) -> list[Case]:
    return [case for case in cases if direction in ("all", case.direction)]


def _counted(cases: list[Case], side: str, column: str, route: str = "") -> Row:
    """How many of the cases have true in a column of a side, or took a route."""
    counts = count(cases, lambda case: routed(case, route) if route else getattr(case.endpoints[side], column))
    reasons = {case.endpoints[side].reasons.get(column) for case in cases}
    return counts | {"reason": why(counts, " or ".join(sorted(each for each in reasons if each is not None)))}


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
