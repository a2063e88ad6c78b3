"""Tables that do not tell scenarios apart are of the paper's scenarios; the others of a plan stand below, each alone.

A call that is answered after 40 s, or cancelled before it rings, would move a cell that the paper's stands beside.
"""

from collections.abc import Callable
from dataclasses import replace

from correlate.tables.layout import Row, Table
from correlate.tables.study import Study


def apart(make: Callable[[Study], Table]) -> Callable[[Study], Table]:
    """What makes the table with a first column `scenario`, empty in the paper's rows. Rows of another scenario have
    nothing of the paper beside them, and there are none without a trial."""

    def made(study: Study) -> Table:
        of_paper = make(study.of_paper)
        rows: list[Row] = [{"scenario": None, **row} for row in of_paper.rows]
        for scenario in study.others:
            rows += [{"scenario": scenario, **row} for row in make(study.of_other(scenario)).rows if row["total"]]
        notes = of_paper.notes
        if study.others:
            counts = ", ".join(f"{name} ({len(study.select(scenario=name))} trials)" for name in study.others)
            notes = (*notes, f"scenarios that the paper does not have stand apart, each by itself: {counts}")
        return replace(of_paper, columns=("scenario", *of_paper.columns), rows=tuple(rows), notes=notes)

    return made
