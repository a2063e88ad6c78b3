"""Does the rate of the media tell voice from video? A strip an app and service (the paper's Figures 7 and 8)."""

from collections.abc import Sequence

from correlate.dataset.record.analysis import VIDEO_BYTES_PER_S
from correlate.findings.cases import SERVICES, Case
from correlate.report.figures.axes import BOLD, Scale, decades, fitted, hline, short, vline, x_axis
from correlate.report.figures.figure import Figure, Panel, chunks, figure
from correlate.report.figures.marks import Dot, Label, Mark, Path
from correlate.tables.layout import Row
from correlate.tables.predicates import is_void, media_bytes_per_s, tells_service
from correlate.tables.statistics import summary
from correlate.tables.study import Study

COLUMNS = "app service trial media_bytes_per_s threshold_bytes_per_s told told_rightly drawn"
WIDTH, LEFT, RIGHT, TOP, ROW = 340, 128, 326, 34, 30
PER_PANEL = 4
JITTER = (0, -5, 5, -2.5, 2.5, -7.5, 7.5)
"""Where the dots of a strip stand in turn, so that equal ones are seen; it means nothing."""


def rate(study: Study) -> Figure:
    """The figure `rate`."""
    of = study.speaking_of("answered", "service")
    rows = [_row(of, case) for case in of.cases if case.is_conversation and not is_void(case)]
    rates = [float(row["media_bytes_per_s"] or 1) for row in rows if row["drawn"] == "yes"]
    panels: list[Panel] = []
    shown = [app for app in of.apps if any(row["app"] == app and row["drawn"] == "yes" for row in rows)]
    if rates:
        scale = decades([*rates, *(_threshold(of, app) for app in of.apps)], LEFT, RIGHT)
        panels = [_panel(of, list(apps), rows, scale, index) for index, apps in enumerate(chunks(shown, PER_PANEL), 1)]
    says = [_say(app, mine) for app in of.apps if (mine := [row for row in rows if row["app"] == app])]
    return figure(
        "rate",
        "Does the rate of the media tell voice from video?",
        "A dot a conversation: media bytes a second of the side that has more, by powers of ten. The dashed line is "
        "the app's threshold: right of it is taken for video where no RTP tells. Filled: told rightly; hollow: "
        "wrongly; dashed: not told. What stands above or below another "
        "dot means nothing.",
        panels, says or ["No conversation counts yet."], COLUMNS, rows,
    )  # fmt: skip


def _threshold(study: Study, app: str) -> int:
    rules = study.rules.get(app)
    return rules.video_bytes_per_s if rules else VIDEO_BYTES_PER_S


def _row(study: Study, case: Case) -> Row:
    found = media_bytes_per_s(case)
    return {
        "app": case.app,
        "service": case.service,
        "trial": case.trial,
        "media_bytes_per_s": found,
        "threshold_bytes_per_s": _threshold(study, case.app),
        "told": case.service_type["caller"].service,
        "told_rightly": {True: "yes", False: "no", None: "undecided"}[tells_service(case)],
        "drawn": "yes" if found and case.service in SERVICES else "no",
    }


def _panel(study: Study, apps: list[str], rows: Sequence[Row], scale: Scale, index: int) -> Panel:
    bottom = TOP + ROW * 2 * len(apps)
    marks: list[Mark] = [*x_axis(scale, TOP, bottom, "media bytes a second")]
    is_one = len({_threshold(study, app) for app in apps}) == 1
    for place, app in enumerate(apps):
        top = TOP + 2 * ROW * place
        threshold, text = scale.at(_threshold(study, app)), f"threshold {short(_threshold(study, app))}"
        marks.append(Path(vline(threshold, top, top + 2 * ROW), "fg-zero"))
        if not place and is_one:
            marks.append(Label(min(threshold, RIGHT - 50), TOP - 8, text, "fg-t", "middle"))
        elif not is_one:
            marks.append(Label(min(threshold + 4, RIGHT - 90), top + ROW + 4, text, "fg-t"))
        if place:
            marks.append(Path(hline(0, RIGHT, top), "fg-ax"))
        for number, service in enumerate(SERVICES):
            mine = [row for row in rows if (row["app"], row["service"], row["drawn"]) == (app, service, "yes")]
            y = top + ROW * (number + 0.5)
            if not number:
                marks.append(Label(0, y + 4, fitted(app, LEFT - 50, BOLD), "fg-b"))
            marks.append(Label(LEFT - 8, y + 4, service, "fg-t", "end"))
            marks += [_dot(row, scale, y, turn) for turn, row in enumerate(mine)]
    desc = "Strips of dots, one a conversation, by media bytes a second; voice and video of each app"
    return Panel(f"apps-{index}", f"Media rates of {', '.join(apps)}", desc, WIDTH, bottom + 36, marks)


def _dot(row: Row, scale: Scale, y: float, turn: int) -> Dot:
    value = float(row["media_bytes_per_s"] or 1)
    css = {"yes": "fg-d", "no": "fg-o", "undecided": "fg-u"}[str(row["told_rightly"])]
    title = f"{row['trial']}: {value:.0f} bytes/s, taken for {row['told'] or 'neither'}"
    return Dot(scale.at(value), round(y + JITTER[turn % len(JITTER)], 1), css, title, str(row["trial"]))


def _say(app: str, rows: Sequence[Row]) -> str:
    right, undecided = (sum(row["told_rightly"] == each for row in rows) for each in ("yes", "undecided"))
    medians = {
        service: summary([float(row["media_bytes_per_s"] or 0) for row in rows if row["drawn"] == "yes"
                          and row["service"] == service]).median for service in SERVICES
    }  # fmt: skip
    voice, video = medians["voice"], medians["video"]
    ratio = f"; video has {video / voice:.1f} times the rate of voice (medians)" if voice and video else ""
    missing = sum(row["drawn"] == "no" for row in rows)
    ratio += f"; {missing} without a rate or a service that anybody wrote down" if missing else ""
    return f"{app}: told rightly in {right} of {len(rows)} conversations, {undecided} undecided; a coin: half{ratio}."
