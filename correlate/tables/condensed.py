"""Tables 1 to 8 and the claims in the shapes that the paper prints them in, its cells beside ours.

Everything here is read out of a `Table`'s rows, so that what people read is what the CSV says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from correlate.tables import chance
from correlate.tables.layout import Cell, Grid, Line, Table, grid, plain, text
from correlate.tables.statistics import TRIALS, joined
from correlate.tables.study import BY_APP

Row = Mapping[str, Cell]

HEADLINE = "longest_relay"
EXPOSURES = {
    "caller_public": "caller's public",
    "caller_private": "caller's private",
    "callee_public": "callee's public",
    "callee_private": "callee's private",
}
ROUTES = {"p2p": "P2P", "relay": "server relay"}
UNITS = {"table6": "s", "table7": "packets", "table8": "KB"}


def grids(of: Table) -> list[Grid]:
    """A table as people read it: what is folded comes last, and with it the scenarios that the paper does not have."""
    if not of.rows or of.name not in SHAPES:
        return [plain(of)]
    if of.name not in BY_APP:
        return SHAPES[of.name](of)
    shown = []
    for scenario in dict.fromkeys(text(row["scenario"]) for row in of.rows):
        made = SHAPES[of.name](replace(of, rows=tuple(row for row in of.rows if text(row["scenario"]) == scenario)))
        shown += [_apart(each, scenario) for each in made] if scenario else made
    return shown


def _apart(shape: Grid, scenario: str) -> Grid:
    caption = ": ".join(part for part in (f"Scenario {_words(scenario)}", shape.caption) if part)
    return replace(shape, caption=caption, is_folded=True)


def _table1(of: Table) -> list[Grid]:
    rows: list[list[str | list[Line]]] = [
        [
            text(row["item"]),
            [Line(text(row[key])) for key in ("model", "os", "tools", "network") if row[key]]
            or "not part of this bench",
            [Line(text(row[f"paper_{key}"])) for key in ("model", "os", "tools", "network") if row[f"paper_{key}"]],
            text(row["agreement"]),
        ]
        for row in of.rows
    ]
    return [grid("device|here|paper|agreement", rows)]


def _table2(of: Table) -> list[Grid]:
    rows = [
        [*(text(row[key]) for key in ("app", "package", "version", "paper_version", "services", "paper_services"))]
        for row in of.rows
    ]
    revised = [grid("app|trials by revision", [[text(row["app"]), text(row["revisions"])] for row in of.rows])]
    return [grid("app|package|version|paper|services|paper", rows), *(revised if _is_revised(of) else [])]


def _is_revised(table2: Table) -> bool:
    """Whether there is more than one revision of the YAML."""
    return any(row["revisions"] for row in table2.rows)


def _table3(of: Table) -> list[Grid]:
    """The paper's shape: a row a scenario, a column an app, in a cell what is visible and how the media went."""
    apps = list(dict.fromkeys(text(row["app"]) for row in of.rows))
    scenarios = dict.fromkeys(text(row["scenario"]) for row in of.rows)
    rows: list[list[str | list[Line]]] = []
    for scenario in scenarios:
        cells = [
            _disclosure([row for row in of.rows if (row["scenario"], row["app"]) == (scenario, app)]) for app in apps
        ]
        rows.append([_words(scenario), *cells])
    return [grid("|".join(["scenario", *apps]), rows)]


def _disclosure(rows: Sequence[Row]) -> list[Line]:
    addresses = [row for row in rows if row["measure"] not in ROUTES]
    is_split = any(row["paper_n"] is not None for row in addresses) or any(map(_is_mixed, summed(addresses)))
    if not is_split:
        addresses = summed(addresses)
    lines: list[Line] = []
    for direction in sorted(
        {text(row["direction"]): None for row in (*addresses, *rows)}, key=lambda each: each != "all"
    ):
        prefix = "" if direction == "all" else f"{_words(direction)}: "
        visible = {text(row["measure"]): row for row in addresses if row["direction"] == direction}
        lines += _visible(visible, prefix) if visible else []
        if direction != "all":
            lines += _routes({text(row["measure"]): row for row in rows if row["direction"] == direction}, prefix)
    return lines


def summed(rows: Sequence[Row]) -> list[Row]:
    """Both directions together, a row a measure."""
    found: list[Row] = []
    for measure in dict.fromkeys(row["measure"] for row in rows):
        mine = [row for row in rows if row["measure"] == measure]
        counts = {key: sum(int(row[key] or 0) for row in mine) for key in ("n", "total", "undecided")}
        n = None if all(row["n"] is None for row in mine) else counts["n"]
        found.append({**mine[0], **counts, "n": n, "direction": "all", TRIALS: joined(map(_trials, mine))})
    return found


def _routes(by_measure: Mapping[str, Row], prefix: str) -> list[Line]:
    """P2P and relay on one line; nothing for a scenario without conversations."""
    both = [_counted(name, by_measure[key]) for key, name in ROUTES.items() if key in by_measure]
    if not both:
        return []
    remark = next((line.remark for line in both if line.remark), "")
    papers = ", ".join(f"{name} {line.paper}" for name, line in zip(ROUTES.values(), both, strict=True) if line.paper)
    return [Line(prefix + ", ".join(line.ours for line in both), papers, remark, both[0].trials)]


def _is_mixed(row: Row) -> bool:
    return row["measure"] in EXPOSURES and row["n"] not in (None, 0, row["total"])


def _visible(by_measure: Mapping[str, Row], prefix: str) -> list[Line]:
    """No disclosure, or whose addresses; those with the same counts share a line."""
    silent = by_measure["no_disclosure"]
    is_published = any(by_measure[key]["paper_n"] is not None for key in EXPOSURES)
    speaks = _speaks(silent) and (not is_published or silent["undecided"] or silent["paper_n"] is not None)
    lines = [_counted(f"{prefix}no disclosure", silent)] if speaks else []
    alike: dict[tuple[Cell, ...], list[str]] = {}
    for key in EXPOSURES:
        if key in by_measure and _speaks(by_measure[key]):
            counts = tuple(by_measure[key][name] for name in ("n", "total", "undecided", "paper_n", "paper_total"))
            alike.setdefault(counts, []).append(key)
    for keys in alike.values():
        lines.append(_counted(f"{prefix}{_whose(keys)} visible", by_measure[keys[0]]))
    return lines


def _speaks(row: Row) -> bool:
    return bool(row["n"] or row["undecided"] or row["paper_n"] is not None)


def _whose(keys: Sequence[str]) -> str:
    if len(keys) == len(EXPOSURES):
        return "public and private addresses of both"
    for role in ("public", "private"):
        if set(keys) == {f"caller_{role}", f"callee_{role}"}:
            return f"{role} addresses of both"
    for side in ("caller", "callee"):
        if set(keys) == {f"{side}_public", f"{side}_private"}:
            return f"{side}'s public and private address"
    return " and ".join(EXPOSURES[key] for key in keys) + " address"


def _counted(label: str, row: Row) -> Line:
    """`label n/total`, the paper's n/total beside it, and how many trials nobody could decide."""
    ours = f"{label} {_counts(row)}"
    paper = _share(row["paper_n"], row["paper_total"]) if row.get("paper_n") is not None else ""
    paper += " inferred" if row.get("inferred") else ""
    remark = f"{row['undecided']} undecided" if row["undecided"] else ""
    differs = "differs" if text(row.get("agreement")).startswith("differs") else ""
    return Line(ours, paper, ", ".join(part for part in (differs, remark) if part), _trials(row))


def _counts(row: Row) -> str:
    """n/total; a dash for n where every trial is undecided: a zero would read as a no."""
    is_open = row["undecided"] and row["undecided"] == row["total"]
    return _share(None if is_open else row["n"], row["total"])


def _trials(row: Row) -> str:
    return text(row.get(TRIALS))


def _share(n: Cell, total: Cell) -> str:
    return f"{'–' if n is None else n}/{total}"


def _table4(of: Table) -> list[Grid]:
    rows: list[list[str | Line | list[Line]]] = [
        [
            text(row["app"]),
            [Line(text(row["address"])), *([Line(text(row["name"]))] if row["name"] else [])],
            text(row["ports"]).strip("[]"),
            Line(_counts(row), trials=_trials(row)),
            text(row["paper_address"]) or "–",
            text(row["paper_ports"]).strip("[]") or "–",
            text(row["agreement"]),
        ]
        for row in of.rows
    ]
    return [grid("app|server of both sides|ports|trials|paper's address|paper's ports of the app|agreement", rows)]


def _table5(of: Table) -> list[Grid]:
    rows: list[list[str | Line]] = [
        [
            text(row["app"]),
            text(row["name"]),
            text(row["address"]) or "not seen",
            Line(_counts(row), trials=_trials(row)),
            text(row["paper_address"]) or "–",
            text(row["agreement"]),
        ]
        for row in of.rows
    ]
    return [grid("app|host name|address|trials|paper's address|agreement", rows)]


def _symmetry(of: Table) -> list[Grid]:
    """The headline rule first, as the paper prints it; the other rules, and volumes that it does not print, folded."""
    volumes = list(dict.fromkeys(text(row["volume"]) for row in of.rows))
    published = next((text(row["volume"]) for row in of.rows if row["paper_median"] is not None), volumes[-1])
    columns = f"app|caller device|service|session|n/total|absolute ({UNITS[of.name]})|paper|normalised|paper"
    shown = []
    for volume in sorted(volumes, key=lambda volume: volume != published):
        of_volume = [row for row in of.rows if text(row["volume"]) == volume]
        suffix = f", {volume}" if len(volumes) > 1 else ""
        for is_headline in (True, False):
            chosen = [row for row in of_volume if (row["session"] == HEADLINE) == is_headline]
            rule = f"Session rule {HEADLINE}, the headline" if is_headline else "The other session rules"
            made = grid(columns, _symmetry_rows(chosen), f"{rule}{suffix}: median (IQR), [minimum, maximum]")
            shown.append(replace(made, is_folded=volume != published or not is_headline))
    return shown


def _symmetry_rows(rows: Sequence[Row]) -> Iterator[list[str | list[Line]]]:
    keys = ("app", "caller_device", "service", "session")
    for cell in dict.fromkeys(tuple(text(row[key]) for key in keys) for row in rows):
        both = {row["measure"]: row for row in rows if tuple(text(row[key]) for key in keys) == cell}
        first = both["absolute"]
        yield [
            *cell,
            [Line(_share(first["n"], first["total"]), remark=_bounded(first), trials=_trials(first))],
            *(part for measure in ("absolute", "normalised") for part in _beside(both[measure])),
        ]


def _bounded(row: Row) -> str:
    return f"{row['within_bound']} within the clocks' bound" if row.get("within_bound") else ""


def _beside(row: Row) -> tuple[list[Line], list[Line]]:
    outside = "outside the paper's range" if text(row["agreement"]).startswith("outside") else ""
    erratum = f"erratum: {text(row['erratum'])}" if row["erratum"] else ""
    return _summary(row, "", outside), _summary(row, "paper_", erratum)


def _summary(row: Row, prefix: str, remark: str) -> list[Line]:
    """median (IQR) on the first line and [min, max] on the second, as the paper prints them."""
    median, iqr, low, high = (row[f"{prefix}{key}"] for key in ("median", "iqr", "minimum", "maximum"))
    if median is None:
        return [Line("–", remark=remark)]
    figures = [Line(f"{text(median)} ({'–' if iqr is None else text(iqr)})"), Line(f"[{text(low)}, {text(high)}]")]
    return [*figures, Line("", remark=remark)] if remark else figures


def _figure(of: Table) -> list[Grid]:
    """A grid an app: the sessions of its trials, the caller's first."""
    first = [column for column in ("service", "side", "rank", "kind") if column in of.columns]
    last = [
        column for column in of.columns if column in ("packets", "bytes", "duration_s") or column[:3] in ("tx_", "rx_")
    ]
    shown = []
    for app in dict.fromkeys(row["app"] for row in of.rows):
        mine = [row for row in of.rows if row["app"] == app]
        rows: list[list[str | list[Line]]] = [
            [*(text(row[column]) for column in first), _far_end(row), *(text(row[column]) for column in last)]
            for row in mine
        ]
        columns = "|".join(map(_words, [*first, "far end", *last]))
        trials = dict.fromkeys(text(row["trial"]) for row in mine)
        shown.append(grid(columns, rows, f"{text(app)}: {', '.join(trials)}"))
    return shown


def _far_end(row: Row) -> list[Line]:
    return [Line(text(row[key])) for key in ("remote", "name") if row[key]]


def _claims(of: Table) -> list[Grid]:
    """A row a claim, a column an app; scenarios with the same counts share a line, and have their control below it."""
    apps = list(dict.fromkeys(text(row["app"]) for row in of.rows))
    rows: list[list[str | list[Line]]] = []
    for name in dict.fromkeys(row["claim"] for row in of.rows):
        mine = [row for row in of.rows if row["claim"] == name]
        about = [Line(_words(text(name))), Line(f"{text(mine[0]['rule'])} ({text(mine[0]['quantifier'])})")]
        about += [Line(none)] if (none := chance.why_none(mine[0])) else []
        rows.append(
            [text(mine[0]["section"]), about, *(_claim([row for row in mine if row["app"] == app]) for app in apps)]
        )
    return [grid("|".join(["section", "claim", *apps]), rows, chance.not_discriminating(of))]


def _claim(rows: Sequence[Row]) -> list[Line]:
    alike: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        says = "claims it" if row["paper_claims"] else ""
        holds = {"yes": "holds", "no": "does not hold"}.get(text(row["holds"]), text(row["reason"]))
        unit = " cells" if row["unit"] == "cells" else ""
        key = (_counts(row) + unit, says, holds if says or not row["holds"] else "")
        alike.setdefault(key, []).append(row)
    found: list[Line] = []
    for (share, says, remark), same in alike.items():
        where = _where([_words(text(row["scenario"])) for row in same], share, len(alike))
        found += [Line(where, says, remark, joined(map(_trials, same))), *chance.lines(same)]
    return found or [Line("–")]


def _where(scenarios: Sequence[str], share: str, lines: int) -> str:
    if lines > 1:
        return f"{', '.join(scenarios)}: {share}"
    return f"{share} in each of {len(scenarios)} scenarios" if len(scenarios) > 1 else share


def _words(name: str) -> str:
    return name.replace("_", " ")


SHAPES: dict[str, Callable[[Table], list[Grid]]] = {
    "table1": _table1,
    "table2": _table2,
    "table3": _table3,
    "table4": _table4,
    "table5": _table5,
    "table6": _symmetry,
    "table7": _symmetry,
    "table8": _symmetry,
    "figure6": _figure,
    "figure7": _figure,
    "figure8": _figure,
    "claims": _claims,
}
