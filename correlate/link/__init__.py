"""Linking: which caller leg belongs to which callee leg? (paper 2.4.3, the goal of the attack)

Every caller leg is ranked against all callee legs of an hour in which a stated number of calls is in progress, by a
score that was learned on the other apps only. A dataset of this lab is the only input.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.link import measures
from correlate.link.choice import Score, examples, learn, posterior, scored
from correlate.link.features import FEATURES, PAYLOAD, START, USER_IDS, Ids, Matrix, Pairing, chosen
from correlate.link.legs import Call, calls
from correlate.link.population import Hour, calls_an_hour, hours, number
from correlate.pairs import CallPair

LOADS = (1, 10, 100)
FALSE_POSITIVE_RATE = 1e-3
MIN_APPS, MIN_CONVERSATIONS = 2, 20
ALL = "all"
CHOICES = {
    "all dimensions": tuple(FEATURES),
    **{f"only {name}": (name,) for name in FEATURES},
    **{f"without {name}": tuple(other for other in FEATURES if other != name) for name in FEATURES},
}
BASELINES = {"start only": (START, -1.0), "volume only": (PAYLOAD, -1.0), "user id equality": (USER_IDS, 1.0)}
"""A baseline is one feature, taken as it is: nothing is learned."""

MEASURES = ("precision_at_1", "precision_at_10", "rank", "tpr_at_fpr_1e3", "anonymity_bits")
COLUMNS = (
    "load", "calls_an_hour", "copies", "app", "score", "n",
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    "rank_median", "anonymity_set_median", "left_out", "reason", "provenance",
)  # fmt: skip
NO_POSTERIOR = "anonymity: a baseline gives no probabilities"

Row = dict[str, Any]


@dataclass(frozen=True)
class Ranked:
    """One caller leg under one score. `entropy_bits` is None where the score gives no probabilities."""

    trial: str
    app: str
    true: float
    above: int
    tied: int
    entropy_bits: float | None


def write(dataset: Dataset, measured: Mapping[str, CallPair | None] | None = None) -> None:
    """Writes findings/link.csv: a row for each load, score and tested app, or one row that says why there is none.

    `measured` has the trials' pairs where they were read already, None for a trial that cannot be read.
    """
    info = dataset.info()
    reason = too_few(dataset)
    found, left_out = ([], 0) if reason else calls(dataset, measured)
    reason = reason or why_not(found)
    if reason and left_out:
        reason += f"; {left_out} trials have no two legs with UDP conversations of the call and known clocks"
    rows = [{"reason": reason}] if reason else list(rank_all(found, f"{info.get('seed')}"))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        whole = {**row, "left_out": left_out, "provenance": info.get("provenance", "unknown")}
        writer.writerow([_cell(whole.get(column)) for column in COLUMNS])
    write_text(dataset.findings_dir / "link.csv", text.getvalue())


def section(dataset: Dataset) -> dict[str, Any]:
    """What the page shows of link.csv: the rows of all apps together, or the reason why there are none."""
    rows = read(dataset)
    reason = rows[0]["reason"] if rows and not rows[0]["load"] else ""
    return {"reason": reason, "rows": [row for row in rows if row["app"] == ALL], "baselines": list(BASELINES)}


def read(dataset: Dataset) -> list[dict[str, str]]:
    """The rows of findings/link.csv as text; none where it was not written."""
    path = dataset.findings_dir / "link.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def too_few(dataset: Dataset) -> str:
    """Why nothing can be linked whatever the captures show; empty where that has to be seen."""
    complete = set(dataset.trial_ids())
    apps = {entry.get("app") for entry in dataset.plan() if entry["id"] in complete}
    return _few_apps(len(apps)) or _few_conversations(len(complete))


def why_not(found: Sequence[Call]) -> str:
    """Why these calls cannot be linked to learn anything; empty where they can."""
    talking = sum(call.caller.media_bytes_per_s > 0 and call.callee.media_bytes_per_s > 0 for call in found)
    return _few_apps(len({call.app for call in found})) or _few_conversations(talking)


def _few_apps(count: int) -> str:
    return (
        "" if count >= MIN_APPS else f"{count} of the {MIN_APPS} apps it takes: the tested app is left out of learning"
    )


def _few_conversations(count: int) -> str:
    return "" if count >= MIN_CONVERSATIONS else f"{count} of the {MIN_CONVERSATIONS} conversations it takes"


def rank_all(found: Sequence[Call], seed: str, loads: Sequence[float] = LOADS) -> Iterator[Row]:
    """Every load, score and tested app. The same calls and seed give the same rows."""
    apps = sorted({call.app for call in found})
    for load in loads:
        scores = {app: learned(found, app, load, seed) for app in apps}
        made = hours(found, load, f"{seed}/{load}")
        pairing, ids = Pairing(found), [Ids(found, hour) for hour in made]
        common = {"load": load, "calls_an_hour": calls_an_hour(found, load)}
        common["copies"] = int(sum((hour.copy > 0).sum() for hour in made))
        ranked: dict[str, list[list[Ranked]]] = {}
        accepted: dict[tuple[int, str], float] = {}
        for app in apps:
            ranked[app], negatives = _ranked(pairing, list(zip(made, ids, strict=True)), app, scores[app])
            for column, others in enumerate(negatives):
                mine = [each[column] for each in ranked[app]]
                true = np.array([each.true for each in mine])
                shares = measures.true_positives(true, others, FALSE_POSITIVE_RATE).tolist()
                accepted |= {(column, each.trial): share for each, share in zip(mine, shares, strict=True)}
            del negatives, others  # before the next app's are made
        for column, name in enumerate([*CHOICES, *BASELINES]):
            for app in (ALL, *apps):
                mine = [each[column] for one in ([app] if app in ranked else apps) for each in ranked[one]]
                shares = [accepted[column, each.trial] for each in mine]
                yield {**common, "app": app, "score": name, **_summary(mine, shares, f"{seed}/{load}/{app}")}


def learned(found: Sequence[Call], tested: str, load: float, seed: str) -> list[Score]:
    """A score for each of CHOICES, learned on the calls of all apps but the tested one."""
    others = [call for call in found if call.app != tested]
    given = examples(others, load, f"{seed}/{load}/without {tested}")
    return [learn(given, chosen(dimensions)) for dimensions in CHOICES.values()]


def _ranked(
    pairing: Pairing, made: Sequence[tuple[Hour, Ids]], app: str, scores: Sequence[Score]
) -> tuple[list[list[Ranked]], Matrix]:
    """For each caller leg of an app its place under every score; and the scores of all its pairs that are none."""
    asked = [(hour, ids, query) for hour, ids in made for query in _queries(pairing, hour, app)]
    # Filled in place: at a load of 100 this is by far the largest thing in memory.
    negatives = np.empty((len(scores) + len(BASELINES), sum(len(hour) - 1 for hour, _, _ in asked)))
    ranked, filled = [], 0
    for hour, ids, query in asked:
        call = pairing.calls[int(hour.of[query])]
        features = pairing.features(hour, query, ids)
        baselines = [features[:, index] * sign for index, sign in BASELINES.values()]
        table = np.stack([*scored(scores, features).T, *baselines])
        negatives[:, filled : filled + len(hour) - 1] = np.delete(table, query, axis=1)
        filled += len(hour) - 1
        ranked.append([_place(call, column, query, index) for index, column in enumerate(table)])
    return ranked, negatives


def _queries(pairing: Pairing, hour: Hour, app: str) -> list[int]:
    """The caller legs of an app that an hour asks for."""
    return [query for query in range(hour.queries) if pairing.calls[int(hour.of[query])].app == app]


def _place(call: Call, scores: NDArray[np.float64], query: int, index: int) -> Ranked:
    true = float(scores[query])
    above, tied = measures.place(true, np.delete(scores, query))
    bits = measures.entropy_bits(posterior(scores)) if index < len(CHOICES) else None
    return Ranked(call.trial, call.app, true, above, tied, bits)


def _summary(mine: Sequence[Ranked], accepted: Sequence[float], seed: str) -> Row:
    """Means over trials with their bootstrap intervals; the threshold of the TPR is held fixed."""
    ranks = [measures.rank(each.above, each.tied) for each in mine]
    bits = [each.entropy_bits for each in mine if each.entropy_bits is not None]
    values: dict[str, Sequence[float]] = {
        "precision_at_1": [measures.precision_at(1, each.above, each.tied) for each in mine],
        "precision_at_10": [measures.precision_at(10, each.above, each.tied) for each in mine],
        "rank": ranks,
        "tpr_at_fpr_1e3": accepted,
        "anonymity_bits": bits,
    }
    row: Row = {"n": len(mine), "rank_median": float(np.median(ranks)), "reason": "" if bits else NO_POSTERIOR}
    for name, column in values.items():
        if column:
            row[name] = float(np.mean(column))
            row[f"{name}_low"], row[f"{name}_high"] = measures.interval(column, number(seed))
    if bits:
        row["anonymity_set_median"] = float(np.median(np.exp2(bits)))
    return row


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)
