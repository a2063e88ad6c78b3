"""The paper's Tables 6 to 8: how far both sides differ in duration and volume, under four rules for a session."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from correlate.findings.cases import NO_ANSWER, SERVICES, Case
from correlate.pairs.sessions import RULES
from correlate.tables.layout import Cell, Row, Table, table
from correlate.tables.predicates import SERVICE_UNKNOWN, both_ways, is_above_mtu, is_captured_twice, is_void
from correlate.tables.statistics import TRIALS, Summary, normalised, sorted_out, summary
from correlate.tables.study import Study

Ends = tuple[float, float]

KB = 1000
COLUMNS = (
    "app caller_device service measure volume session n total median iqr minimum maximum signed_median "
    "paper_median paper_iqr paper_minimum paper_maximum difference agreement erratum reason"
)
BY_CLOCK = COLUMNS.replace(" n total ", " n total within_bound ")
BOUND = "within_bound: of the n differences so many are no larger than what the clocks' readings and drift leave open"
QUARTILES = (
    "n of total: trials that have the session on both sides; median, IQR: quartiles by numpy's method weibull; signed "
    "median: of caller minus callee"
)
SESSIONS = (
    "session: longest_relay (the headline), best_match (selects on the outcome), p2p, media_union; the paper does not "
    "say which of these its sessions are"
)
RANGE = "agreement: whether our median lies within the paper's range; difference: of the medians"
COALESCED = (
    "a trial with UDP frames above the MTU in a capture has no packets here: the capturing machine joined or had not "
    "yet split them; its bytes stay in Table 8"
)


@dataclass(frozen=True)
class Quantity:
    """What a table compares: `of` gives a side's value under a rule, or None; `volume` names it where there are two."""

    volume: str
    of: Callable[[Case, str, str], float | None]
    published: bool


def table6(study: Study) -> Table:
    """Duration differences over all scenarios, in s."""
    rows = list(_rows(study, "table6", [Quantity("", _duration_s, True)], lambda case: True))
    notes = (
        QUARTILES,
        SESSIONS,
        RANGE,
        BOUND,
        "absolute in s; duration: last minus first packet of a UDP conversation",
    )
    return table("table6", "Table 6: call duration differences", BY_CLOCK, rows, notes, study.provenance)


def table7(study: Study) -> Table:
    """Volume differences of conversations, in packets."""
    rows = list(_rows(study, "table7", [Quantity("packets", _packets, True)], _is_conversation))
    notes = (
        QUARTILES,
        SESSIONS,
        RANGE,
        "conversations only; volume: packets sent plus received",
        COALESCED,
        study.answered_note,
    )
    return table("table7", "Table 7: traffic volume differences, packets", COLUMNS, rows, notes, study.provenance)


def table8(study: Study) -> Table:
    """Volume differences of conversations, in KB of UDP payload and in KB of whole frames."""
    quantities = [Quantity("payload", _payload_kb, False), Quantity("frames", _frames_kb, True)]
    rows = list(_rows(study, "table8", quantities, _is_conversation))
    notes = (
        *(QUARTILES, SESSIONS, RANGE, f"conversations only; 1 KB = {KB} B; volume: sent plus received"),
        "payload: UDP payload, the canonical volume, because link and IP headers differ between the vantage points",
        "frames: whole frames, as the paper's tool counts them; only these rows stand beside its cells",
        study.answered_note,
        *(note for note in study.paper["errata"] if "Table 8" in note),
    )
    return table("table8", "Table 8: traffic volume differences, KB", COLUMNS, rows, notes, study.provenance)


def _rows(study: Study, name: str, quantities: list[Quantity], counts: Callable[[Case], bool]) -> Iterator[Row]:
    published = {(row["app"], row["device"], row["service"], row["measure"]): row for row in study.paper[name]}
    for app in study.apps:
        for number, phone in enumerate(study.devices, 1):
            mine = [case for case in study.select(app=app) if case.phones["caller"] == phone and counts(case)]
            unknown = [case for case in mine if not case.is_service_known]
            for service in (*SERVICES, *sorted({case.service for case in unknown})):
                cases = [case for case in mine if case.service == service]
                for measure in ("absolute", "normalised"):
                    cell = published.get((app, number, service, measure), {})
                    key: Row = {"app": app, "caller_device": f"Device {number} ({phone})", "service": service}
                    for quantity in quantities:
                        paper = cell if quantity.published else {}
                        for rule in RULES:
                            of_trial = [(case.trial, _ends(case, quantity, rule)) for case in cases]
                            ends = [both for _, both in of_trial if both]
                            yield {
                                **key,
                                "measure": measure,
                                "volume": quantity.volume,
                                "session": rule,
                                **_cells(study, ends, measure, paper),
                                **_missing(cases, len(ends), quantity, rule, len(unknown)),
                                "within_bound": _within(cases, rule),
                                TRIALS: sorted_out((trial, both is not None) for trial, both in of_trial),
                            }


def _ends(case: Case, quantity: Quantity, rule: str) -> Ends | None:
    if is_void(case):
        return None
    caller, callee = quantity.of(case, rule, "caller"), quantity.of(case, rule, "callee")
    return None if caller is None or callee is None else (caller, callee)


def _cells(study: Study, ends: list[Ends], measure: str, paper: dict[str, Cell]) -> Row:
    if measure == "absolute":
        values = [abs(caller - callee) for caller, callee in ends]
        signed = summary([caller - callee for caller, callee in ends])
    else:
        values = [value for both in ends if (value := normalised(*both)) is not None]
        signed = summary([(caller - callee) / (caller + callee) for caller, callee in ends if caller + callee])
    ours = summary(values)
    row: Row = {
        "n": ours.n,
        "median": ours.median,
        "iqr": ours.iqr,
        "minimum": ours.minimum,
        "maximum": ours.maximum,
        "signed_median": signed.median,
    }
    row |= {f"paper_{key}": paper.get(key) for key in ("median", "iqr", "minimum", "maximum")}
    return row | {"erratum": paper.get("erratum")} | _agreement(study, ours, paper)


def _within(cases: list[Case], rule: str) -> int | None:
    """How many duration differences the clocks cannot tell from zero; None where no clock was compared."""
    within = [case.duration["caller"].under(rule).duration_within_bound for case in cases]
    known = [each for each in within if each is not None]
    return sum(known) if known else None


def _missing(cases: list[Case], found: int, quantity: Quantity, rule: str, unknown: int) -> Row:
    """`total`, the trials of the cell, and what became of those that are not among the `found` ones; without any, of
    the `unknown` ones, whose service nobody wrote down."""
    trials = len(cases)
    void = sum(map(is_void, cases))
    twice = sum(map(is_captured_twice, cases)) if quantity.of is not _duration_s else 0
    above = sum(is_above_mtu(each) and not is_captured_twice(each) for each in cases) if quantity.of is _packets else 0
    left_out = {NO_ANSWER: void, "datagrams captured twice": twice, "UDP frames above the MTU": above}
    counted = found + void + twice + above
    reasons = [f"no {rule} session on both sides in {trials - counted} of {trials} trials"]
    if counted == trials:
        none = f"{SERVICE_UNKNOWN} in {unknown} trials" if unknown else "no trial that could be read"
        reasons = [] if trials else [none]
    reasons += [f"{why} in {many} of {trials} trials" for why, many in left_out.items() if many]
    return {"total": trials, "reason": "; ".join(reasons)}


def _agreement(study: Study, ours: Summary, paper: dict[str, Cell]) -> Row:
    if not paper or ours.median is None:
        return {"difference": None, "agreement": "nothing to compare" if paper else ""}
    median, low, high = (float(paper[key] or 0) for key in ("median", "minimum", "maximum"))
    if not low <= median <= high:
        return {"difference": ours.median - median, "agreement": "erratum, not compared"}
    word = "within the paper's range" if low <= ours.median <= high else "outside the paper's range"
    return {"difference": ours.median - median, "agreement": word + study.meaning.proviso}


def _is_conversation(case: Case) -> bool:
    return case.is_conversation is True


def _duration_s(case: Case, rule: str, side: str) -> float | None:
    duration_ns = case.duration[side].under(rule).duration_ns
    return None if duration_ns is None else duration_ns / 1e9


def _packets(case: Case, rule: str, side: str) -> float | None:
    traffic = case.volume[side].under(rule)
    return None if is_above_mtu(case) else both_ways(traffic.tx_packets, traffic.rx_packets)


def _payload_kb(case: Case, rule: str, side: str) -> float | None:
    traffic = case.volume[side].under(rule)
    payload_bytes = both_ways(traffic.tx_payload_bytes, traffic.rx_payload_bytes)
    return None if payload_bytes is None else payload_bytes / KB


def _frames_kb(case: Case, rule: str, side: str) -> float | None:
    traffic = case.volume[side].under(rule)
    frame_bytes = both_ways(traffic.tx_frame_bytes, traffic.rx_frame_bytes)
    return None if frame_bytes is None else frame_bytes / KB
