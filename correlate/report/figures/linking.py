"""How surely does a caller's leg find its callee's among many calls? Precision at 1 by load, then by clock skew."""

from collections.abc import Callable, Iterator, Sequence

from correlate.link import BASELINES
from correlate.link.features import FEATURES
from correlate.report.figures.axes import LINE, Scale, apart, points, short, vline, y_axis
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Dot, Label, Mark, Path
from correlate.report.figures.sources import Sources
from correlate.tables.layout import Row

COLUMNS = "panel score load skew_s calls_an_hour n precision_at_1 precision_at_1_low precision_at_1_high chance"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 270, 40, 180, 30, 220
Y = Scale(0, 100, BOTTOM, TOP)
WHOLE = "all dimensions"


def linking(sources: Sources) -> Figure:
    """The figure `linking`."""
    rows = [row for name, picks in _panels() for row in _rows(sources, name, picks)]
    panels = [_panel(name, mine) for name, _ in _panels() if (mine := [row for row in rows if row["panel"] == name])]
    why = sources.not_linked or "link.csv has no rows"
    return figure(
        "linking",
        "How surely is a caller's leg matched with its callee's?",
        "The share of caller's legs whose true partner is ranked first among all callee's legs of an hour (precision "
        "at 1). The thick line uses all dimensions, the others less; each name stands at the end of its line.",
        panels, list(_says(sources, rows)) if panels else [f"Nothing was linked: {why}."], COLUMNS, rows,
    )  # fmt: skip


Picks = Callable[[str, float, float, float], bool]


def _panels() -> list[tuple[str, Picks]]:
    """The panels, and which scores and points (score, load, skew, largest load) each has."""
    single = {WHOLE, *(f"only {name}" for name in FEATURES)}
    plain = {WHOLE, *BASELINES}
    return [
        ("load", lambda score, load, skew, most: score in single and not skew),
        ("baselines", lambda score, load, skew, most: score in plain and not skew),
        ("skew", lambda score, load, skew, most: load == most and score in {WHOLE, "only duration", "start only"}),
    ]


def _rows(sources: Sources, name: str, picks: Picks) -> Iterator[Row]:
    most = max((row.load for row in sources.linked), default=0)
    mine = [row for row in sources.linked if picks(row.score, row.load, row.skew_s, most)]
    if name == "skew" and len({row.skew_s for row in mine}) < 2:
        return
    for row in mine:
        yield {
            "panel": name,
            "score": row.score,
            "load": row.load,
            "skew_s": row.skew_s,
            "calls_an_hour": row.calls_an_hour,
            "n": row.n,
            "precision_at_1": row.precision_at_1,
            "precision_at_1_low": row.low,
            "precision_at_1_high": row.high,
            "chance": 1 / row.calls_an_hour if row.calls_an_hour > 0 else None,
        }


TITLES = {
    "load": ("One dimension alone", "calls in progress"),
    "baselines": ("One plain feature alone", "calls in progress"),
    "skew": ("Clocks that are off", "clock skew, s"),
}


def _panel(name: str, rows: Sequence[Row]) -> Panel:
    title, axis = TITLES[name]
    key = "skew_s" if name == "skew" else "load"
    values = sorted({float(row[key] or 0) for row in rows})
    x = Scale(0, max(1, len(values) - 1), LEFT + 8, RIGHT)
    marks: list[Mark] = [Label(0, 14, title, "fg-b"), *y_axis(Y, LEFT, RIGHT)]
    for place, value in enumerate(values):
        marks += [Path(vline(x.at(place), TOP, BOTTOM), "fg-ax"),
                  Label(x.at(place), BOTTOM + 15, short(value), anchor="middle")]  # fmt: skip
    marks += [Label(RIGHT, BOTTOM + 15 + LINE, axis, anchor="end"), Label(0, BOTTOM + 15 + LINE, "% first")]
    lines = {
        str(score): [row for row in rows if row["score"] == score]
        for score in dict.fromkeys(row["score"] for row in rows)
    }
    ends = [Y.at(100 * float(of[-1]["precision_at_1"] or 0)) + 4 for of in lines.values()]
    for (score, of), y in zip(lines.items(), apart(ends, 15, TOP + 4, BOTTOM + 4), strict=True):
        is_whole = score == WHOLE
        xy = [(x.at(values.index(float(row[key] or 0))), Y.at(100 * float(row["precision_at_1"] or 0))) for row in of]
        marks.append(Path(points(xy), "fg-lk" if is_whole else "fg-l"))
        marks += [Dot(*place, "fg-k" if is_whole else "fg-o", _title(row)) for place, row in zip(xy, of, strict=True)]
        marks.append(Path(points([(xy[-1][0] + 4, xy[-1][1]), (RIGHT + 14, y - 4)]), "fg-thin"))
        text = f"{score.removeprefix('only ')} {100 * float(of[-1]['precision_at_1'] or 0):.0f}"
        marks.append(Label(RIGHT + 17, y, text, "fg-hot" if is_whole else "fg-t"))
    desc = f"Lines of the share of legs whose partner is ranked first, by {axis}: {', '.join(lines)}"
    return Panel(name, f"Linking: {title.lower()}", desc, WIDTH, HEIGHT, marks)


def _title(row: Row) -> str:
    low, high = (100 * float(row[f"precision_at_1_{end}"] or 0) for end in ("low", "high"))
    share = 100 * float(row["precision_at_1"] or 0)
    return (
        f"{row['score']}: {share:.1f} % (95 %: {low:.1f} to {high:.1f}) of {row['n']} legs, "
        f" {row['load']:g} calls in progress, skew {row['skew_s']:g} s"
    )


def _says(sources: Sources, rows: Sequence[Row]) -> Iterator[str]:
    whole = [row for row in rows if row["panel"] == "load" and row["score"] == WHOLE]
    if whole:
        last = whole[-1]
        yield (
            f"With {last['load']:g} calls in progress ({last['calls_an_hour']} an hour) all dimensions rank the true "
            f"partner first for {100 * float(last['precision_at_1'] or 0):.1f} % of {last['n']} legs; by chance it is "
            f"{100 * float(last['chance'] or 0):.3f} %."
        )
    if sources.linked:
        first = sources.linked[0]
        yield f"Assumes: {first.assumes}; learned on the other apps only; {first.left_out} trials left out."
