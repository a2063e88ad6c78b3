"""The same user id in both captures, its bytes marked (the paper's Figures 9 and 10)."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from correlate.dataset import SIDES
from correlate.findings.cases import Case
from correlate.report.figures.axes import fitted
from correlate.report.figures.figure import Figure, Panel, figure, hexed
from correlate.report.figures.marks import Label, Mark, Path
from correlate.report.figures.sources import Bytes, Sources, chosen
from correlate.tables.control import of_cases
from correlate.tables.layout import Row
from correlate.tables.predicates import shares_user_ids
from correlate.tables.study import Study

COLUMNS = "app trial side frame offset user_id bits hex"
BYTES = 8
"""Bytes a line: it fits a narrow page."""
AROUND = 8
"""Bytes shown before the first user id and behind the last one."""
MOST_BYTES = 96
WIDTH, LINE, MONO = 340, 17, 7.25

Parts = list[tuple[str, bool]]


def user_ids(study: Study, sources: Sources) -> Figure:
    """The figure `user_ids`."""
    cases = {case.trial: case for case in study.cases}
    panels: list[Panel] = []
    rows: list[Row] = []
    cards: list[Markup] = []
    for app, trial in chosen(study).items():
        case = cases[trial]
        for side in SIDES:
            frame = sources.frames.get(trial, {}).get(side)
            marked = places(frame, case) if frame else []
            if frame is None or not marked:
                continue
            head = f"{app}, {side}: frame {frame.number}"
            lines = dump(frame.data, marked)
            cards.append(hexed(head, trial, lines))
            panels.append(_panel(f"{app}-{side}", head, lines))
            rows += _rows(case, side, frame, marked)
    says = list(_says(study, sources, rows))
    made = figure(
        "user_ids",
        "Is the same user id on both networks?",
        "The bytes of one frame at each end of one trial an app: place in the frame, bytes, text. Marked: the user ids "
        "of STUN that both captures show.",
        panels, says, COLUMNS, rows,
    )  # fmt: skip
    head = Markup('<div class="fg-panels">%s</div>\n') % Markup("\n").join(cards) if cards else Markup("")
    text = Markup("\n").join(Markup('<p class="fg-say">%s</p>') % each for each in says)
    return Figure(made.name, made.question, made.how_to_read, head + text, made.columns, made.rows, made.svgs)


def places(frame: Bytes, case: Case) -> list[tuple[int, str]]:
    """Where the shared user ids of a trial begin in a frame, each at its first place; in order."""
    found = [(frame.data.find(each.encode()), each) for each in case.signalling["caller"].user_ids or ()]
    return sorted((at, each) for at, each in found if at >= 0)


def dump(data: bytes, marked: Sequence[tuple[int, str]]) -> list[Parts]:
    """The lines of a dump around the marked places, in parts that are marked or not; the bytes between are all there,
    at most MOST_BYTES of them."""
    hit = {place for at, text in marked for place in range(at, at + len(text.encode()))}
    low = max(0, min(hit) - AROUND) // BYTES * BYTES
    high = min(len(data), low + MOST_BYTES, -(-(max(hit) + 1 + AROUND) // BYTES) * BYTES)
    return [list(_line(data, start, min(start + BYTES, high), hit)) for start in range(low, high, BYTES)]


def _line(data: bytes, start: int, end: int, hit: set[int]) -> Iterator[tuple[str, bool]]:
    yield f"{start:04x}  ", False
    for place in range(start, end):
        yield f"{data[place]:02x}", place in hit
        yield " ", False
    yield "   " * (BYTES - (end - start)) + " ", False
    for place in range(start, end):
        yield chr(data[place]) if 32 < data[place] < 127 else ".", place in hit


def _panel(name: str, head: str, lines: Sequence[Parts]) -> Panel:
    marks: list[Mark] = [Label(0, 14, fitted(head, WIDTH), "fg-b")]
    for number, parts in enumerate(lines):
        y = 36 + LINE * number
        at = 0
        for text, is_marked in parts:
            if text.strip():
                marks.append(Label(round(at * MONO, 1), y, text.strip(), "fg-mono"))
            if is_marked:
                marks.append(Path(f"M{at * MONO:.1f} {y + 3}h{len(text) * MONO:.1f}", "fg-lk"))
            at += len(text)
    return Panel(
        name, head, "Bytes of a frame with the shared user ids underlined", WIDTH, 44 + LINE * len(lines), marks
    )


def _rows(case: Case, side: str, frame: Bytes, marked: Sequence[tuple[int, str]]) -> Iterator[Row]:
    found = case.signalling[side]
    bits = dict(zip(found.user_ids or (), found.user_id_bits, strict=False))
    for at, text in marked:
        yield {
            "app": case.app, "trial": case.trial, "side": side, "frame": frame.number, "offset": at, "user_id": text,
            "bits": bits.get(text), "hex": text.encode().hex(),
        }  # fmt: skip


def _says(study: Study, sources: Sources, rows: Sequence[Row]) -> Iterator[str]:
    if not study.cases:
        yield "No trial counts yet."
    shown = {row["app"] for row in rows}
    for app in study.apps:
        cases = study.select(app=app)
        if not cases:
            continue
        verdicts = [shares_user_ids(case) for case in cases]
        text = f"{app}: {sum(each is True for each in verdicts)} of {len(cases)} trials show the same user ids on both "
        text += f"sides, {verdicts.count(None)} undecided"
        hits, total, _ = of_cases(study, cases, shares_user_ids)
        text += f"; by chance (legs of two different calls) {hits} of {total}" if total else "; no wrong pair"
        trial = chosen(study).get(app)
        if trial and trial in sources.no_frames:
            text += f"; the bytes of {trial} could not be read ({sources.no_frames[trial]})"
        elif trial and app not in shown:
            text += f"; the bytes of {trial} do not show them as they are written"
        yield f"{text}."
