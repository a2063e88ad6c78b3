"""The paper's Table 3: whose addresses the other side's trace shows, and by which route the media go."""

from collections.abc import Mapping
from dataclasses import dataclass

from correlate.findings.cases import Case
from correlate.tables.layout import Cell, Row, Table, table
from correlate.tables.predicates import is_void, routed, tally
from correlate.tables.statistics import BOUND, why
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
ALL = "all"
"""Both directions together."""


@dataclass(frozen=True)
class Published:
    """A share of the paper; `inferred` where it prints no such zero and what it says of the others implies it."""

    n: int
    of: int
    inferred: bool


def table3(study: Study) -> Table:
    """Whose addresses the other side's trace shows, and the route, n/total by scenario, app and direction."""
    published = {
        (row["app"], row["scenario"], row["direction"], row["measure"]): Published(
            row["n"], row["of"], row.get("inferred", False)
        )
        for row in study.paper["table3"]
    }
    rows: list[Row] = []
    for scenario in study.scenarios:
        for app in study.apps:
            cases = study.select(app=app, scenario=scenario)
            talks = [case for case in cases if case.is_conversation]
            split = _directions(study, cases) if talks else [ALL]
            prints_both = any((app, scenario, ALL, name) in published for name in DISCLOSURES)
            for direction in ([ALL] if prints_both and split != [ALL] else []) + split:
                calls, conversations = (_in_direction(each, direction) for each in (cases, talks))
                counted: dict[str, Row] = {}
                if direction == ALL or not prints_both:
                    counted = {name: _counted(calls, *decides) for name, decides in DISCLOSURES.items()}
                if direction != ALL:
                    counted |= {name: _counted(conversations, "caller", "routing", name) for name in ROUTES}
                for name, counts in counted.items():
                    paper = published.get((app, scenario, direction, name))
                    key: Row = {"scenario": scenario, "app": app, "direction": direction, "measure": name}
                    rows.append({**key, **counts, **_beside(study, counts, paper)})
    columns = (
        "scenario app direction measure n total undecided wilson_low wilson_high paper_n paper_total inferred "
        "difference agreement reason"
    )
    notes = (
        "direction: `all` where nobody talked, and for addresses where the paper prints both directions together; no "
        "row is a total of others",
        "public, private: the role under which an address was learned; visible: in the other side's IP headers or STUN",
        "no_disclosure: no address of either phone in the other's trace, and none in STUN that nobody explains; with "
        "one that nobody explains the trial is undecided, and the cell is no 'no disclosure'",
        "undecided: an address nobody knew cannot be absent, nor one from STUN that was cut, lost or encrypted; TLS to "
        "others than STUN and TURN servers is outside of what is looked at",
        "p2p: at least half of the media payload goes directly; counted over conversations",
        BOUND,
        "inferred: the paper prints no such zero; it follows from what it says of the others",
        "agreement: with the paper's share where n/total and (n + undecided)/total both give that answer, else "
        "undecided; difference: of the shares",
        study.answered_note,
        *study.vantage_notes,
    )
    return table("table3", "Table 3: endpoint identifiability", columns, rows, notes, study.provenance)


def _in_direction(cases: list[Case], direction: str) -> list[Case]:
    return [case for case in cases if direction in (ALL, case.direction)]


def _counted(cases: list[Case], side: str, column: str, route: str = "") -> Row:
    """How many of the cases have true in a column of a side, or took a route."""
    counts = tally(cases, lambda case: routed(case, route) if route else getattr(case.endpoints[side], column))
    reasons = {_unknown(case, side, column) for case in cases}
    return counts | {"reason": why(counts, " or ".join(sorted(each for each in reasons if each)))}


def _unknown(case: Case, side: str, column: str) -> str | None:
    """Why a column of a side is null, as far as anybody knows."""
    if is_void(case) or (column == "routing" and case.contradiction):
        return case.contradiction
    return case.endpoints[side].reasons.get(column)


def _directions(study: Study, cases: list[Case]) -> list[str]:
    """Device 1's first."""
    found = {case.direction: study.device(case.phones["caller"]) or 0 for case in cases}
    return sorted(found, key=lambda direction: (found[direction], direction))


def _beside(study: Study, counts: Mapping[str, Cell], paper: Published | None) -> Row:
    if paper is None:
        return {"paper_n": None, "paper_total": None, "inferred": None, "difference": None, "agreement": ""}
    published: Row = {"paper_n": paper.n, "paper_total": paper.of, "inferred": "yes" if paper.inferred else None}
    if counts["n"] is None:
        return {**published, "difference": None, "agreement": "no trial"}
    n, undecided, total = (int(counts[key] or 0) for key in ("n", "undecided", "total"))
    least, most = n * paper.of, (n + undecided) * paper.of
    if undecided and least <= paper.n * total <= most:
        return {**published, "difference": None, "agreement": "undecided"}
    difference = None if undecided else n / total - paper.n / paper.of
    return {**published, "difference": difference, "agreement": study.compare(least == paper.n * total == most)}
