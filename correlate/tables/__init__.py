"""The paper's Tables 1 to 5, beside the published cells. Tables 6 to 8 are in `symmetry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from correlate.dataset.record import Device, Machine
from correlate.findings import Case
from correlate.tables import symmetry
from correlate.tables.layout import Cell, Table, table
from correlate.tables.study import Study, because, count, why

Row = dict[str, Cell]

MEASURES = {
    "no_disclosure": ("no_disclosure", "caller"),
    "caller_public": ("exposed_public", "caller"),
    "caller_private": ("exposed_private", "caller"),
    "callee_public": ("exposed_public", "callee"),
    "callee_private": ("exposed_private", "callee"),
}
ROUTES = ("p2p", "relay")
UNCOMPARED = "a clock was never compared"


def tables(study: Study) -> list[Table]:
    """table1 to table8, in order."""
    return [table1(study), table2(study), table3(study), table4(study), table5(study), *symmetry.tables(study)]


def table1(study: Study) -> Table:
    """Devices and tools as recorded, beside those of the paper: phones in order, the laptop beside the hotspot's."""
    ours = study.info.devices
    published = list(study.paper["table1"])
    phones, laptops, router = published[:2], published[2:4], published[4:]
    rows = [
        _device(study, ours[index] if index < len(ours) else None, phones[index] if index < len(phones) else {})
        for index in range(max(len(ours), len(phones)))
    ]
    rows += [_device(study, None, laptops[0]), _device(study, study.info.laptop, laptops[1])]
    rows += [_device(study, None, each) for each in router]
    columns = "item name model os tools network paper_model paper_os paper_tools paper_network agreement"
    notes = ("agreement: the same model and the same system",)
    return table("table1", "Table 1: devices and tools", columns, rows, notes, study.provenance)


def _device(study: Study, ours: Machine | None, paper: Mapping[str, Any]) -> Row:
    same = ours is not None and ours.model in paper.get("models", []) and ours.os == paper.get("os")
    phone = ours if isinstance(ours, Device) else None
    return {
        "item": paper.get("device") or "further device",
        "name": phone.name if phone else None,
        "model": ours.model if ours else None,
        "os": ours.os if ours else None,
        "tools": ", ".join(ours.tools if ours else ()),
        "network": phone.network if phone else None,
        "paper_model": next(iter(paper.get("models", [])), None),
        "paper_os": paper.get("os"),
        "paper_tools": ", ".join(paper.get("tools", [])),
        "paper_network": paper.get("network"),
        "agreement": study.compare(same) if ours and paper else "",
    }


def table2(study: Study) -> Table:
    """Versions, as the phones had them in the trials, and call services of the apps."""
    published = {row["app"]: row for row in study.paper["table2"]}
    rows: list[Row] = []
    for app in study.apps:
        ours, paper = study.info.apps[app], published.get(app, {})
        version = study.version(app)
        same = version == paper.get("version") and ours.services == paper.get("services")
        rows.append(
            {
                "app": app,
                "package": ours.package,
                "version": version,
                "services": ", ".join(ours.services),
                "paper_version": paper.get("version"),
                "paper_services": ", ".join(paper.get("services", [])),
                "agreement": study.compare(same) if paper else "",
            }
        )
    columns = "app package version services paper_version paper_services agreement"
    notes = tuple(f"{app}: {text}" for app in study.apps if (text := study.other_version(app)))
    return table("table2", "Table 2: apps, versions and call services", columns, rows, notes, study.provenance)


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
            talks = [case for case in cases if case.of("endpoints", "established")]
            directions = _directions(study, cases) if talks else []
            for direction in ["all", *directions]:
                here = [case for case in cases if direction in ("all", case.direction)]
                spoken = [case for case in talks if direction in ("all", case.direction)]
                counted = {name: _disclosed(here, *of) for name, of in MEASURES.items()}
                counted |= {name: _routed(spoken, name) for name in ROUTES} if talks else {}
                for measure, counts in counted.items():
                    paper = published.get((app, scenario, direction, measure))
                    key: Row = {"scenario": scenario, "app": app, "direction": direction, "measure": measure}
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


def _disclosed(cases: list[Case], column: str, side: str) -> Row:
    counts = count(cases, lambda case: case.of("endpoints", column, side))
    return counts | {"reason": why(counts, _whys(cases, column, side))}


def _routed(cases: list[Case], route: str) -> Row:
    def holds(case: Case) -> bool | None:
        routing = case.of("endpoints", "routing")
        return None if routing is None else routing == route

    counts = count(cases, holds)
    return counts | {"reason": why(counts, _whys(cases, "routing", "caller"))}


def _whys(cases: list[Case], column: str, side: str) -> str:
    """Why a column of endpoints is null in these cases."""
    nulls = (case for case in cases if case.of("endpoints", column, side) is None)
    return " or ".join(sorted({because(case, "endpoints", column) for case in nulls}))


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


def table4(study: Study) -> Table:
    """Servers and ports that both sides used at the same time, by app."""
    published = {row["app"]: row for row in study.paper["table4"]}
    rows: list[Row] = []
    for app in study.apps:
        cases = study.select(app=app)
        paper = published.get(app, {"addresses": [], "ports": []})
        used = _shared_by_address(cases)
        for address in [*sorted(used), *(each for each in paper["addresses"] if each not in used)]:
            trials, ports = used.get(address, (set(), set()))
            in_paper = address in paper["addresses"]
            counts = count(cases, _uses(trials))
            agreement = ""
            if paper["addresses"]:
                is_known = counts["n"] is not None
                agreement = _listed(study, app, address, bool(trials), in_paper) if is_known else "undecided"
            rows.append(
                {
                    "app": app,
                    "address": address,
                    "name": study.names.get(address),
                    "ports": " ".join(str(port) for port in sorted(ports)),
                    **counts,
                    "paper_address": address if in_paper else None,
                    "paper_ports": " ".join(str(port) for port in paper["ports"]) if in_paper else None,
                    "agreement": agreement,
                    "erratum": paper.get("errata", {}).get(address),
                    "reason": why(counts, UNCOMPARED),
                }
            )
    columns = (
        "app address name ports n N undecided wilson_low wilson_high paper_address paper_ports agreement erratum reason"
    )
    notes = (
        "n/N: trials in which both sides used the server, or its twin, at the same time",
        "the paper's ports are those of the app; a twin of a published server has a name of the same cluster",
        *(note for note in study.paper["errata"] if "Table 4" in note),
    )
    return table("table4", "Table 4: shared servers and ports", columns, rows, notes, study.provenance)


def _uses(trials: set[str]) -> Callable[[Case], bool | None]:
    """Whether a trial is one of these; undecided where its clocks do not tell what both sides used at one time."""
    return lambda case: None if case.of("servers", "shared") is None else case.trial in trials


def _listed(study: Study, app: str, address: str, is_used: bool, in_paper: bool) -> str:
    """How one of our servers stands to the paper's list, whose Table 4 has no IPv6 although its Table 5 has."""
    if is_used and not in_paper:
        cluster = study.rules[app].cluster
        mine = cluster(study.names.get(address))
        published = next(row["addresses"] for row in study.paper["table4"] if row["app"] == app)
        names = [row["name"] for row in study.paper["table5"] if row["app"] == app and row["address"] in published]
        if mine is not None and mine in {cluster(name) for name in names}:
            return "twin of a published server" + study.by_construction
    return study.compare(is_used == in_paper)


def _shared_by_address(cases: list[Case]) -> dict[str, tuple[set[str], set[int]]]:
    used: dict[str, tuple[set[str], set[int]]] = {}
    for case in cases:
        for side in ("caller", "callee"):
            for server in case.of("servers", "shared", side) or []:
                trials, ports = used.setdefault(server["address"], (set(), set()))
                trials.add(case.trial)
                ports.add(server["port"])
    return used


def table5(study: Study) -> Table:
    """Host names that have twins, and their addresses, for apps whose analysis says what twins are."""
    published = {(row["app"], row["name"]): row["address"] for row in study.paper["table5"]}
    errata = {(row["app"], row["name"]): row.get("erratum") for row in study.paper["table5"]}
    rows: list[Row] = []
    for app in study.apps:
        rules = study.rules[app]
        cases = study.select(app=app)
        seen = _trials_by_server(cases)
        named = {(name, address) for address in seen if rules.cluster(name := study.names.get(address))}
        missing = {(name, address) for (of, name), address in published.items() if of == app} - named
        for name, address in sorted(named | missing):
            paper = published.get((app, str(name)))
            trials = seen.get(address, set())
            rows.append(
                {
                    "app": app,
                    "name": name,
                    "address": address if trials else None,
                    "cluster": rules.cluster(name),
                    **count(cases, lambda case, trials=trials: case.trial in trials),  # type: ignore[misc]
                    "paper_address": paper,
                    "agreement": study.compare(bool(trials) and paper == address) if paper else "",
                    "erratum": errata.get((app, str(name))),
                }
            )
    columns = "app name address cluster n N undecided wilson_low wilson_high paper_address agreement erratum"
    notes = (
        "names come from PTR look-ups after the run, else from DNS answers in the captures",
        "hosts of one cluster are twins",
        *(note for note in study.paper["errata"] if "Table 5" in note),
    )
    return table("table5", "Table 5: host names of relay servers", columns, rows, notes, study.provenance)


def _trials_by_server(cases: list[Case]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = {}
    for case in cases:
        for side in ("caller", "callee"):
            for server in case.of("servers", "servers", side) or []:
                seen.setdefault(server["address"], set()).add(case.trial)
    return seen
