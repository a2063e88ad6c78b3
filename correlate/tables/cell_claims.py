"""Claims of the paper that are not of a trial but of a cell: of a median, of a spread, of two groups of calls.
`total` counts cells; these are no sample of anything, so they have no interval."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from correlate.dataset import SIDES
from correlate.findings.cases import SERVICES, Case
from correlate.tables.control import of_cells
from correlate.tables.layout import Cell, Row
from correlate.tables.predicates import both_ways, is_void
from correlate.tables.statistics import rank_sum
from correlate.tables.study import Study
from correlate.tables.symmetry import table6

ALL = "all"
MEDIAN_S = 1.4
SIGNIFICANT = 0.05
FEW = "too few trials, or none with a session on both sides"

Verdicts = list[bool | None]
Cells = Iterator[tuple[str, str, Verdicts]]


@dataclass(frozen=True)
class CellClaim:
    """One claim: `cells` gives by app and scenario (or `all`) whether it holds in each of its cells, `rule` says how in
    words, and `of` picks the trials that they are of. One that `relates` the two sides has a control: the same cells of
    wrong pairs."""

    name: str
    section: str
    rule: str
    cells: Callable[[Study], Cells]
    of: Callable[[Study], Study]
    relates: bool = False


def _of_table6(study: Study) -> Study:
    return study.of_paper.speaking_of("service")


def _of_scenarios(study: Study) -> Study:
    return study.speaking_of("scenario", "service")


def _durations(study: Study, rows: Sequence[Mapping[str, Cell]], app: str) -> dict[tuple[int, str], Mapping[str, Cell]]:
    """(number of the caller's device, service) -> the row of Table 6, absolute, under the headline rule."""
    found = {}
    for row in rows:
        if row["app"] == app and (row["measure"], row["session"]) == ("absolute", "longest_relay"):
            number = next(
                n for n, name in enumerate(study.devices, 1) if row["caller_device"] == f"Device {n} ({name})"
            )
            found[number, str(row["service"])] = row
    return found


def _medians(study: Study) -> Cells:
    of_all = table6(study).rows
    for app in study.apps:
        medians = [row["median"] for (_, service), row in _durations(study, of_all, app).items() if service in SERVICES]
        yield app, ALL, [None if median is None else round(float(median), 9) < MEDIAN_S for median in medians]


def _spread(study: Study) -> Cells:
    of_all = table6(study).rows
    for app in study.apps:
        rows = _durations(study, of_all, app)
        pairs = [(rows.get((1, service)), rows.get((2, service))) for service in SERVICES]
        yield app, ALL, [_is_wider(second, first) for first, second in pairs if first and second]


def _is_wider(one: Mapping[str, Cell], other: Mapping[str, Cell]) -> bool | None:
    """Whether median and IQR of one cell are above those of another; None where one of them is not known."""
    ends = [(one[key], other[key]) for key in ("median", "iqr")]
    if any(None in both for both in ends):
        return None
    return all(float(mine or 0) > float(theirs or 0) for mine, theirs in ends)


def _no_difference(study: Study) -> Cells:
    for app in study.apps:
        for scenario in study.scenarios:
            cases = study.select(app=app, scenario=scenario)
            silent = [case for case in cases if case.is_conversation is False and not is_void(case)]
            if silent:
                yield app, scenario, [_is_alike(silent, side) for side in SIDES]


def _is_alike(cases: list[Case], side: str) -> bool | None:
    """Whether one side's packets do not tell voice from video, within each direction; None where trials are too few."""
    strata = []
    for direction in sorted({case.direction for case in cases}):
        groups = []
        for service in SERVICES:
            sent = (
                each.volume[side].relayed for each in cases if (each.service, each.direction) == (service, direction)
            )
            packets = (both_ways(each.tx_packets, each.rx_packets) for each in sent)
            groups.append([each for each in packets if each is not None])
        strata.append((groups[0], groups[1]))
    p, least = rank_sum(strata)
    return None if least >= SIGNIFICANT else p >= SIGNIFICANT


CELL_CLAIMS = (
    CellClaim(
        "medians_below_1_4_s", "4.3",
        f"Table 6, longest_relay, device by service: the median absolute difference is below {MEDIAN_S:g} s",
        _medians, _of_table6, relates=True,
    ),
    CellClaim(
        "device_2_spreads", "4.3",
        "Table 6, longest_relay, by service: median and IQR of the absolute difference are larger where device 2 calls",
        _spread, _of_table6, relates=True,
    ),
    CellClaim(
        "voice_and_video_alike_before_answer", "4.5",
        "unanswered, side by side: packets of all sessions with servers do not tell voice from video (exact rank sum "
        f"within each direction, p at least {SIGNIFICANT:g}); not seen to differ is not shown to be alike",
        _no_difference, _of_scenarios,
    ),
)  # fmt: skip


def rows(study: Study, holds: Callable[[int, int, int], bool | None]) -> Iterator[Row]:
    """A row a claim, app and scenario; `holds` decides by n, undecided and total whether a claim of all does."""
    for claim in CELL_CLAIMS:
        of = claim.of(study)
        wrong = replace(of, read=tuple(each.as_case for each in of.crossed), out={})
        crossed = claim.cells(wrong) if claim.relates else ()
        of_wrong = {(app, scenario): verdicts for app, scenario, verdicts in crossed}
        for app, scenario, verdicts in claim.cells(of):
            n, undecided, total = sum(map(bool, verdicts)), verdicts.count(None), len(verdicts)
            decided = holds(n, undecided, total) if total else None
            is_claimed = scenario in study.paper["claims"][claim.name].get(app, [])
            yield {
                **dict.fromkeys(("wilson_low", "wilson_high")),
                "claim": claim.name,
                "section": claim.section,
                "app": app,
                "scenario": scenario,
                "unit": "cells",
                "n": n,
                "total": total,
                "undecided": undecided,
                "quantifier": "always",
                "holds": {True: "yes", False: "no", None: None}[decided],
                "paper_claims": "yes" if is_claimed else None,
                "agreement": "" if not is_claimed else "undecided" if decided is None else study.compare(decided),
                **of_cells(of, app, of_wrong.get((app, scenario), []) if claim.relates else None),
                "reason": f"{undecided} of {total} cells undecided: {FEW}" if undecided else "",
                "rule": claim.rule,
            }
