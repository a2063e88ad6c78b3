"""Do the media that one side sends arrive at the other? A dot a conversation (the paper's Tables 7 and 8)."""

from collections.abc import Sequence

from correlate.findings.cases import Case
from correlate.report.figures.axes import LINE, Scale, decades, fitted, points, x_axis, y_axis
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Dot, Label, Mark, Path
from correlate.tables.layout import Row
from correlate.tables.predicates import is_void
from correlate.tables.statistics import summary
from correlate.tables.study import Study

COLUMNS = "app trial service sent_bytes received_bytes lost_share drawn reason"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 264, 276, 48, 250, 30, 232
DOTS = {"voice": "fg-o", "video": "fg-d"}


def media(study: Study) -> Figure:
    """The figure `media`."""
    of = study.speaking_of("answered", "service")
    rows = [_row(case) for case in of.cases if case.is_conversation and not is_void(case)]
    drawn = [row for row in rows if row["drawn"] == "yes"]
    panels: list[Panel] = []
    if drawn:
        values = [float(row[key] or 1) for row in drawn for key in ("sent_bytes", "received_bytes")]
        x, y = decades(values, LEFT, RIGHT), decades(values, BOTTOM, TOP)
        panels = [_panel(app, mine, x, y) for app in of.apps if (mine := [row for row in drawn if row["app"] == app])]
    says = [_say(app, mine) for app in of.apps if (mine := [row for row in rows if row["app"] == app])]
    return figure(
        "media",
        "Does what the caller sends arrive at the callee?",
        "A dot a conversation, both axes by powers of ten: media bytes that the caller sent, media bytes that the "
        "callee received. On the dashed line everything arrived. Filled: video; hollow: voice; dashed: not known.",
        panels, says or ["No conversation counts yet."], COLUMNS, rows,
    )  # fmt: skip


def _row(case: Case) -> Row:
    sent, received = case.volume["caller"].media.tx_payload_bytes, case.volume["callee"].media.rx_payload_bytes
    reason = "" if sent and received else "not known" if None in (sent, received) else "none"
    return {
        "app": case.app,
        "trial": case.trial,
        "service": case.service,
        "sent_bytes": sent,
        "received_bytes": received,
        "lost_share": 1 - received / sent if sent and received is not None else None,
        "drawn": "no" if reason else "yes",
        "reason": reason,
    }


def _panel(app: str, rows: Sequence[Row], x: Scale, y: Scale) -> Panel:
    marks: list[Mark] = [Label(0, 14, fitted(f"{app} (n {len(rows)})", WIDTH), "fg-b")]
    marks += [*x_axis(x, TOP, BOTTOM, "caller sent, bytes"), *y_axis(y, LEFT, RIGHT)]
    marks += [
        Path(points([(x.start, y.start), (x.end, y.end)]), "fg-zero"),
        Label(0, BOTTOM + 15 + LINE, "callee received"),
    ]
    marks += [
        Dot(x.at(float(row["sent_bytes"] or 1)), y.at(float(row["received_bytes"] or 1)),
            DOTS.get(str(row["service"]), "fg-u"),
            f"{row['trial']}: sent {row['sent_bytes']}, received {row['received_bytes']} bytes", str(row["trial"]))
        for row in rows
    ]  # fmt: skip
    desc = f"A dot for each of {len(rows)} conversations: media bytes sent by the caller and received by the callee"
    return Panel(app, f"{app}: media sent beside media received", desc, WIDTH, HEIGHT, marks)


def _say(app: str, rows: Sequence[Row]) -> str:
    found = [float(row["lost_share"] or 0) for row in rows if row["drawn"] == "yes"]
    missing = len(rows) - len(found)
    rest = f"; {missing} of {len(rows)} conversations have none or are not known" if missing else ""
    if not found:
        return f"{app}: no conversation with media known on both sides{rest}."
    return (
        f"{app}: the callee received {100 * (1 - (summary(found).median or 0)):.1f} % of what the caller sent in the "
        f"median of {len(found)} conversations, {100 * (1 - max(found)):.1f} % at the least{rest}."
    )
