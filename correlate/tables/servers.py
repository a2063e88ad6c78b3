"""The paper's Tables 4 and 5: the servers that both sides used, and the host names of relay servers."""

from collections.abc import Callable

from correlate.findings.cases import Case
from correlate.tables.layout import Row, Table, table
from correlate.tables.predicates import UNCOMPARED, tally
from correlate.tables.statistics import why
from correlate.tables.study import Study


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
            counts = tally(cases, _uses(trials))
            agreement = ""
            if paper["addresses"]:
                is_known = trials or not counts["undecided"]
                agreement = _listed(study, app, address, bool(trials), in_paper) if is_known else "undecided"
            rows.append(
                {
                    "app": app,
                    "address": address,
                    "name": study.names.get(address),
                    "ports": str(sorted(ports)),
                    **counts,
                    "paper_address": address if in_paper else None,
                    "paper_ports": str(sorted(paper["ports"])) if in_paper else None,
                    "agreement": agreement,
                    "erratum": paper.get("errata", {}).get(address),
                    "reason": why(counts, UNCOMPARED),
                }
            )
    columns = (
        "app address name ports n total undecided wilson_low wilson_high paper_address paper_ports agreement erratum "
        "reason"
    )
    notes = (
        "n/total: trials in which both sides used the server, or its twin, at the same time",
        "the paper's ports are those of the app; a twin of a published server has a name of the same cluster",
        *(note for note in study.paper["errata"] if "Table 4" in note),
    )
    return table("table4", "Table 4: shared servers and ports", columns, rows, notes, study.provenance)


def _uses(trials: set[str]) -> Callable[[Case], bool | None]:
    """Whether a trial is one of these; undecided where its clocks do not tell what both sides used at one time."""
    return lambda case: None if case.servers["caller"].shared is None else case.trial in trials


def _listed(study: Study, app: str, address: str, is_used: bool, in_paper: bool) -> str:
    """How one of our servers stands to the paper's list, whose Table 4 has no IPv6 although its Table 5 has."""
    if is_used and not in_paper:
        cluster = study.rules[app].cluster
        own = cluster(study.names.get(address))
        published = next(row["addresses"] for row in study.paper["table4"] if row["app"] == app)
        names = [row["name"] for row in study.paper["table5"] if row["app"] == app and row["address"] in published]
        if own is not None and own in {cluster(name) for name in names}:
            return "twin of a published server" + study.meaning.proviso
    return study.compare(is_used == in_paper)


def _shared_by_address(cases: list[Case]) -> dict[str, tuple[set[str], set[int]]]:
    used: dict[str, tuple[set[str], set[int]]] = {}
    for case in cases:
        for side in case.servers.values():
            for server in side.shared or ():
                trials, ports = used.setdefault(server.address, (set(), set()))
                trials.add(case.trial)
                ports.add(server.port)
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
                    **tally(cases, lambda case, trials=trials: case.trial in trials),  # type: ignore[misc]
                    "paper_address": paper,
                    "agreement": study.compare(bool(trials) and paper == address) if paper else "",
                    "erratum": errata.get((app, str(name))),
                }
            )
    columns = "app name address cluster n total undecided wilson_low wilson_high paper_address agreement erratum"
    notes = (
        "names come from PTR look-ups after the run, else from DNS answers in the captures",
        "hosts of one cluster are twins",
        *(note for note in study.paper["errata"] if "Table 5" in note),
    )
    return table("table5", "Table 5: host names of relay servers", columns, rows, notes, study.provenance)


def _trials_by_server(cases: list[Case]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = {}
    for case in cases:
        for side in case.servers.values():
            for server in side.servers:
                seen.setdefault(server.address, set()).add(case.trial)
    return seen
