"""What people read of the control of claims: a line beside each share, and which claims do not discriminate."""

from collections.abc import Mapping, Sequence

from correlate.tables.control import ONE_SIDE, SAME_PHONES
from correlate.tables.layout import DOES_NOT, Cell, Line, Table, text

Row = Mapping[str, Cell]

MORE_THAN = 1000
"""Where an end of an interval lies beyond, how far says nothing: few wrong pairs satisfied the claim, or none."""


def why_none(row: Row) -> str:
    """Why a claim has no control anywhere; empty for one that relates the two sides."""
    control = text(row["control"])
    return f"no control: {control}" if control in (ONE_SIDE, SAME_PHONES) else ""


def lines(rows: Sequence[Row]) -> list[Line]:
    """The controls of rows that have one share: those with one share of wrong pairs have a line."""
    alike: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        if not why_none(row):
            keys = ("control", "wrong_pairs_n", "wrong_pairs", "wrong_pairs_undecided", "discriminates")
            alike.setdefault(tuple(row[key] for key in keys), []).append(row)
    found = []
    for same in alike.values():
        where = ", ".join(text(row["scenario"]).replace("_", " ") for row in same)
        found.append(Line(f"{where}: {_line(same)}" if len(alike) > 1 else _line(same), remark=_remark(same[0])))
    return found


def _line(rows: Sequence[Row]) -> str:
    """`wrong pairs kw/nw, LR ratio [low, high]`: of several rows the lowest and the highest end. What no pair satisfies
    has no ratio to speak of."""
    row = rows[0]
    if row["wrong_pairs"] is None:
        return text(row["control"])
    hits = "–" if row["wrong_pairs_n"] is None else row["wrong_pairs_n"]
    share = f"{row['control']} {hits}/{row['wrong_pairs']}" + (" cells" if row.get("unit") == "cells" else "")
    ends = [(each["likelihood_low"], each["likelihood_high"]) for each in rows]
    low = min((low for low, _ in ends if isinstance(low, float)), default=None)
    high = max((high for _, high in ends if isinstance(high, float)), default=None)
    is_never = not row["n"] and not row["wrong_pairs_n"]
    if low is None or high is None or is_never:
        return share
    return f"{share}, LR {_digits(row['likelihood_ratio'])} [{_digits(low)}, {_digits(high)}]"


def _remark(row: Row) -> str:
    undecided = f"{row['wrong_pairs_undecided']} undecided" if row["wrong_pairs_undecided"] else ""
    return ", ".join(part for part in (undecided, DOES_NOT if row["discriminates"] == DOES_NOT else "") if part)


def _digits(value: Cell) -> str:
    if not isinstance(value, float):
        return "–"
    return f"> {MORE_THAN}" if value > MORE_THAN else f"{value:.3g}"


def not_discriminating(of: Table) -> str:
    """In one sentence the claims that some trial satisfies and that do not discriminate, with their apps."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in of.rows:
        if row["n"] and row["discriminates"]:
            apps = found.setdefault(text(row["claim"]), {})
            apps.setdefault(text(row["app"]), []).append(text(row["discriminates"]))
    parts = []
    for claim, apps in found.items():
        where = [_where(app, said) for app, said in apps.items() if DOES_NOT in said]
        parts += [f"{claim.replace('_', ' ')} ({', '.join(where)})"] if where else []
    if not parts:
        return ""
    why = "legs of two different calls (wrong pairs) may satisfy these as often"
    return f"Do not discriminate, {why} (the interval of the likelihood ratio LR contains 1): {'; '.join(parts)}"


def _where(app: str, said: Sequence[str]) -> str:
    silent = said.count(DOES_NOT)
    return app if silent == len(said) else f"{app} in {silent} of {len(said)} scenarios"
