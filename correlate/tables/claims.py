"""claims.csv: what the paper's sections 4.1 to 4.7 claim, counted by app and scenario.

A claim that the paper makes of every trial holds in all of them; one that it words as "generally", "typically" or "in
most" holds in more than half. What an app's analysis has no rule for is undecided, never a no.
"""

from collections.abc import Iterator

from correlate.findings.cases import Case
from correlate.tables import cell_claims
from correlate.tables.claim_list import CLAIMS, Claim
from correlate.tables.control import CONTROL_COLUMNS, CONTROL_NOTES, control
from correlate.tables.layout import Row, Table, table
from correlate.tables.predicates import is_void, tally
from correlate.tables.statistics import BOUND, why
from correlate.tables.study import Study
from correlate.tables.with_left_out import unproven_notes


def claims(study: Study) -> Table:
    """Every claim for every app and scenario where it applies: n/total, whether it holds, and the rule. Each is of the
    trials that are proven to be what it speaks of."""
    columns = (
        "claim section app scenario unit n total undecided wilson_low wilson_high quantifier holds paper_claims "
        f"agreement {CONTROL_COLUMNS} reason rule"
    )
    notes = (
        "quantifier: the paper's; always: holds in all trials that the claim speaks of; generally: in more than half",
        "paper_claims: whether the paper claims it for this app and scenario",
        "unit: what n and total count; of cells, as of medians, there is no interval",
        BOUND,
        *unproven_notes(study.speaking_of("scenario", "service")),
        "a claim that compares with the service that was called needs `service` proven, the others do not; those with "
        "the scenario `all` need nothing of the scenario",
        study.answered_note,
        "holds is empty where the app's analysis has no rule for it, or undecided trials could turn it",
        *CONTROL_NOTES,
    )
    rows = [*_rows(study), *cell_claims.rows(study, lambda *counts: _holds("always", *counts))]
    rows.sort(key=lambda row: str(row["section"]))
    return table("claims", "Claims of sections 4.1 to 4.7", columns, rows, notes, study.provenance)


def _rows(study: Study) -> Iterator[Row]:
    by_scenario, by_service = study.speaking_of("scenario"), study.speaking_of("scenario", "service")
    for claim in CLAIMS:
        of = by_service if claim.is_of_service else by_scenario
        for app in of.apps:
            for scenario in of.scenarios:
                cases = [case for case in of.select(app=app, scenario=scenario) if claim.applies(case, of)]
                if cases:
                    yield _row(of, claim, app, scenario, cases)


def _row(study: Study, claim: Claim, app: str, scenario: str, cases: list[Case]) -> Row:
    has_rule = not claim.needs or bool(getattr(study.rules[app], claim.needs))
    counted = tally(cases, lambda case: claim.holds(case, study) if has_rule else None)
    holds = _holds(claim.quantifier, int(counted["n"] or 0), int(counted["undecided"] or 0), len(cases))
    is_claimed = scenario in study.paper["claims"][claim.name].get(app, [])
    undecided = [case for case in cases if is_void(case) or claim.holds(case, study) is None]
    whys = (
        sorted({case.contradiction if is_void(case) else claim.unknown(case) for case in undecided})
        if has_rule
        else [f"the app's analysis has no {claim.needs}"]
    )
    return {
        "claim": claim.name,
        "section": claim.section,
        "app": app,
        "scenario": scenario,
        "unit": "trials",
        **counted,
        "quantifier": claim.quantifier,
        "holds": {True: "yes", False: "no", None: None}[holds],
        "paper_claims": "yes" if is_claimed else None,
        "agreement": "" if not is_claimed else "undecided" if holds is None else study.compare(holds),
        **control(study, claim, cases),
        "reason": why(counted, " or ".join(whys)),
        "rule": claim.rule,
    }


def _holds(quantifier: str, hits: int, undecided: int, total: int) -> bool | None:
    """None where it depends on trials that nobody can decide."""

    def verdict(count: int) -> bool:
        return count == total if quantifier == "always" else 2 * count > total

    return verdict(hits) if verdict(hits) == verdict(hits + undecided) else None
