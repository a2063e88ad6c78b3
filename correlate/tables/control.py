"""Every claim that relates the two sides beside its chance level: how often wrong pairs satisfy it, and what it tells.

A likelihood ratio is the share of true pairs that satisfy a claim over that of wrong pairs: so much more likely do two
legs belong to one call once it is seen that they satisfy it. 1 says nothing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from correlate.findings.cases import Case
from correlate.findings.wrong_pairs import KIND
from correlate.tables.claim_list import Claim
from correlate.tables.layout import DOES_NOT, Row
from correlate.tables.predicates import is_void
from correlate.tables.study import Study

RESAMPLES = 1000
INTERVAL = (0.025, 0.975)

RELATING = (
    "shared_server",
    "duration_matched_session",
    "p2p_duration_matched",
    "asymmetry_before_answer",
    "symmetry_in_conversation",
    "same_user_ids",
)
"""The claims that relate what two sides show. Wrong pairs are the control of these alone."""

ONE_SIDE = "one side"
"""Why a claim has no control: it counts what each side shows by itself, and of two calls that is the same."""
SAME_PHONES = "same phones"
"""Why exposure has none: all calls of a lab are of the same two phones, whose addresses the legs of any two show."""
NO_WRONG_PAIR = "no wrong pair"
CONTROL_COLUMNS = (
    "control wrong_pairs_n wrong_pairs wrong_pairs_undecided likelihood_ratio likelihood_low likelihood_high "
    "discriminates"
)
CONTROL_NOTES = (
    "wrong pairs: the caller's leg of one trial beside the callee's of another of the same app, service, scenario and "
    "direction; undecided ones are in neither of the two numbers",
    "LR, likelihood ratio: (k + 0.5) / (n + 1) of the decided true pairs over the same of the decided wrong pairs; "
    f"95% interval by bootstrap over trials, {RESAMPLES} resamples; a claim does not discriminate where it contains 1",
    f"no control, {ONE_SIDE}: the claim counts what each side shows by itself; {SAME_PHONES}: all calls are of the "
    "same two phones, whose addresses the legs of any two show",
)

Crossed = tuple[str, str, bool | None]
"""A wrong pair: the trials of the caller's and of the callee's leg, and whether it satisfies a claim."""


@dataclass(frozen=True)
class Likelihood:
    """A likelihood ratio and its 95% interval."""

    ratio: float
    low: float
    high: float

    @property
    def discriminates(self) -> bool:
        """Whether the interval leaves 1 out."""
        return not self.low <= 1 <= self.high


def likelihood(true: Mapping[str, bool | None], wrong: Sequence[Crossed], seed: str) -> Likelihood | None:
    """How much more often true pairs (by trial) satisfy a claim than wrong ones: (k + 0.5) / (n + 1) over the same of
    wrong pairs, of those that are decided. None where no true or no wrong pair is.

    The interval is by bootstrap over trials: a wrong pair is there as often as both its trials together. Trials that
    only have a leg in wrong pairs are drawn among themselves. Where all verdicts are alike no draw differs, and the
    interval would have no width: so the half a yes and the half a no that each share begins with (Jeffreys' prior) are
    drawn as well, from gamma distributions with that mean.
    """
    decided = [verdict for verdict in true.values() if verdict is not None]
    crossed = [verdict for *_, verdict in wrong if verdict is not None]
    if not decided or not crossed:
        return None
    chance = np.random.default_rng(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()))
    others = sorted({trial for pair in wrong for trial in pair[:2]} - true.keys())
    drawn = np.hstack([_drawn(chance, len(true)), _drawn(chance, len(others))])
    column = {trial: number for number, trial in enumerate([*true, *others])}
    pairs = drawn[:, [column[a] for a, _, _ in wrong]] * drawn[:, [column[b] for _, b, _ in wrong]]
    shares = [
        _shares(chance, drawn[:, : len(true)], list(true.values())),
        _shares(chance, pairs, [verdict for *_, verdict in wrong]),
    ]
    low, high = np.quantile(shares[0] / shares[1], INTERVAL)
    return Likelihood(_share(decided) / _share(crossed), float(low), float(high))


def _share(verdicts: Sequence[bool]) -> float:
    return (sum(verdicts) + 0.5) / (len(verdicts) + 1)


def _drawn(chance: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    """How often each of so many trials is drawn, in each resample."""
    if not count:
        return np.zeros((RESAMPLES, 0), np.int64)
    return chance.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)


def _shares(
    chance: np.random.Generator, weights: npt.NDArray[np.int64], verdicts: Sequence[bool | None]
) -> npt.NDArray[np.float64]:
    """The share that satisfies the claim, in each resample."""
    yes, no = (
        weights @ np.array([verdict is wanted for verdict in verdicts], np.int64) + chance.gamma(0.5, size=RESAMPLES)
        for wanted in (True, False)
    )
    shares: npt.NDArray[np.float64] = yes / (yes + no)
    return shares


def control(study: Study, claim: Claim, cases: Sequence[Case]) -> Row:
    """The cells of CONTROL_COLUMNS for a claim about these cases."""
    empty: Row = dict.fromkeys(CONTROL_COLUMNS.split())
    if claim.name not in RELATING:
        return {**empty, "control": SAME_PHONES if claim.section == "4.1" else ONE_SIDE}
    of_claim = {case.trial for case in cases}
    wrong = [
        each
        for each in study.crossed
        if each.caller.trial in of_claim and claim.applies(each.caller, study) and claim.applies(each.callee, study)
    ]
    if not wrong:
        return {**empty, "control": NO_WRONG_PAIR}
    true = {case.trial: _verdict(study, claim, case, case) for case in cases}
    crossed = [
        (each.caller.trial, each.callee.trial, _verdict(study, claim, each.as_case, each.caller, each.callee))
        for each in wrong
    ]
    decided = [verdict for *_, verdict in crossed if verdict is not None]
    found = likelihood(true, crossed, f"{study.info.seed}/likelihood")
    return {
        "control": _made_of([each.paired for each in wrong]),
        "wrong_pairs_n": sum(decided) if decided else None,
        "wrong_pairs": len(decided),
        "wrong_pairs_undecided": len(wrong) - len(decided),
        "likelihood_ratio": found.ratio if found else None,
        "likelihood_low": found.low if found else None,
        "likelihood_high": found.high if found else None,
        "discriminates": None if found is None else "yes" if found.discriminates else DOES_NOT,
    }


def of_cases(study: Study, cases: Sequence[Case], holds: Callable[[Case], bool | None]) -> tuple[int, int, bool | None]:
    """How many of the decided wrong pairs of these cases hold, how many there are, and whether it discriminates: None
    where there is nothing to compare."""
    verdicts = {case.trial: holds(case) for case in cases}
    crossed = [
        (each.caller.trial, each.callee.trial, None if is_void(each.callee) else holds(each.as_case))
        for each in study.crossed
        if {each.caller.trial, each.callee.trial} <= verdicts.keys()
    ]
    decided = [verdict for *_, verdict in crossed if verdict is not None]
    found = likelihood(verdicts, crossed, f"{study.info.seed}/likelihood")
    return sum(decided), len(decided), None if found is None else found.discriminates


def of_cells(study: Study, app: str, wrong: Sequence[bool | None] | None) -> Row:
    """The cells of CONTROL_COLUMNS for a claim that counts cells: in how many of those of wrong pairs it holds; `wrong`
    is None for a claim that does not relate the two sides. Cells are no sample, so there is no ratio."""
    empty: Row = dict.fromkeys(CONTROL_COLUMNS.split())
    paired = [each.paired for each in study.crossed if each.caller.app == app]
    decided = [verdict for verdict in wrong or () if verdict is not None]
    if wrong is None or not paired:
        return {**empty, "control": ONE_SIDE if wrong is None else NO_WRONG_PAIR}
    return {
        **empty,
        "control": _made_of(paired),
        "wrong_pairs_n": sum(decided) if decided else None,
        "wrong_pairs": len(decided),
        "wrong_pairs_undecided": len(wrong) - len(decided),
    }


def _verdict(study: Study, claim: Claim, case: Case, *trials: Case) -> bool | None:
    """Whether a case, of this or these trials, satisfies a claim; undecided where one of them is void."""
    return None if any(is_void(trial) for trial in trials) else claim.holds(case, study)


def _made_of(paired: Sequence[str]) -> str:
    over = paired.count(KIND)
    if over == len(paired):
        return f"wrong pairs over {KIND}"
    return f"wrong pairs ({over} of {len(paired)} over {KIND})" if over else "wrong pairs"
