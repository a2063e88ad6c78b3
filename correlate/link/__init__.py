"""Linking: which caller leg belongs to which callee leg? (paper 2.4.3, the goal of the attack)

Every caller leg is ranked against all callee legs of an hour in which a stated number of calls is in progress, by a
score that was learned on the other apps only. A dataset of this lab is the only input.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from correlate import files, workers
from correlate.columns import inert
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.errors import BadDataset
from correlate.link import measures
from correlate.link.choice import Score, examples, learn, posterior, scored
from correlate.link.features import FEATURES, PAYLOAD, START, USER_IDS, Crowd, Matrix, Pairing, chosen, crowd, skewed
from correlate.link.legs import Call, calls
from correlate.link.population import Hour, calls_an_hour, number
from correlate.pairs import CallPair

LOADS = (1, 10, 100)
SKEWS_S = (0.0, 0.5, 2.0, 5.0)
POINTS = (*((load, 0.0) for load in LOADS), *((LOADS[-1], skew_s) for skew_s in SKEWS_S[1:]))
"""Calls in progress, and how far the collectors' clocks are off: at the largest load alone, where it matters most."""
ASSUMES = "strangers are copies of the lab's own calls, each with a partner, at most 100 in progress"
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

MEASURES = ("precision_at_1", "top_posterior", "precision_at_10", "rank", "tpr_at_fpr_1e3", "anonymity_bits")
COLUMNS = (
    "load", "skew_s", "calls_an_hour", "copies", "app", "score", "n",
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    "rank_median", "anonymity_set_median", "left_out", "reason", "assumes", "provenance",
)  # fmt: skip
KINDS: Mapping[str, type] = {
    **dict.fromkeys(COLUMNS, float),
    **dict.fromkeys(("load", "calls_an_hour", "copies", "n", "left_out"), int),
    **dict.fromkeys(("app", "score", "reason", "assumes", "provenance"), str),
}
"""The type of each column."""
NO_POSTERIOR = "top_posterior, anonymity: a baseline gives no probabilities"

Row = dict[str, Any]
Point = tuple[float, float]


@dataclass(frozen=True)
class Ranked:
    """Caller legs under every score, (scores, legs) each: how many wrong partners score above the true one, how many
    the same, the chance that the true pair passes the threshold of the app's wrong pairs, and of the posterior, which
    the last rows, those of the baselines, do not have, the largest probability and the entropy."""

    above: NDArray[np.int64]
    tied: NDArray[np.int64]
    accepted: Matrix
    top_posterior: Matrix
    entropy_bits: Matrix

    @staticmethod
    def joined(parts: Sequence[Ranked]) -> Ranked:
        """All legs of several, in their order."""
        return Ranked(
            *(np.concatenate([getattr(part, each.name) for part in parts], axis=1) for each in fields(Ranked))
        )


def write(dataset: Dataset, measured: Mapping[str, CallPair | None] | None = None) -> None:
    """Writes findings/link.csv: a row for each load, score and tested app, or one row that says why there is none.

    `measured` has the trials' pairs where they were read already, None for a trial that cannot be read.
    """
    info = dataset.info()
    reason = too_few(dataset)
    found, left_out = ([], 0) if reason else calls(dataset, measured)
    reason = reason or why_not(found)
    if reason and left_out:
        reason += f"; {left_out} trials have no two legs with conversations of a proven call and known clocks"
    rows = [{"reason": reason}] if reason else list(rank_all(found, str(info.seed)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        whole = {**row, "left_out": left_out, "assumes": ASSUMES, "provenance": info.provenance}
        writer.writerow([_cell(whole.get(column)) for column in COLUMNS])
    write_text(dataset.findings_dir / "link.csv", text.getvalue())


def section(dataset: Dataset) -> dict[str, Any]:
    """What the page shows of link.csv: the rows of all apps together, or the reason why there are none.

    Raises `BadDataset` where link.csv is missing or is not of the complete trials.
    """
    path, rows = dataset.findings_dir / "link.csv", read(dataset)
    reason = rows[0]["reason"] if rows and not rows[0]["load"] else ""
    shown = [row for row in rows if row["app"] == ALL]
    complete = len(dataset.trial_ids())
    try:
        counted = {int(row["n"]) + int(row["left_out"]) for row in shown}
    except ValueError as error:
        raise BadDataset(f"{path}: does not fit: {error}; correlate again") from error
    if not reason and counted != {complete}:
        raise BadDataset(f"{path}: is not of the {complete} complete trials; correlate again")
    return {"reason": reason, "rows": shown, "baselines": list(BASELINES), "assumes": ASSUMES}


def read(dataset: Dataset) -> list[dict[str, str]]:
    """The rows of findings/link.csv as text. Raises `BadDataset` where it is missing or has other columns."""
    path = dataset.findings_dir / "link.csv"
    try:
        with files.text(path, dataset.path) as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except OSError as error:
        raise BadDataset(f"{path}: cannot be read: {error.strerror}; correlate first") from error
    except (ValueError, csv.Error) as error:
        raise BadDataset(f"{path}: does not fit: {error!r}; correlate again") from error
    if tuple(reader.fieldnames or ()) != COLUMNS or any(None in row or None in row.values() for row in rows):
        raise BadDataset(f"{path}: has other columns than these: {', '.join(COLUMNS)}; correlate again")
    return rows


def too_few(dataset: Dataset) -> str:
    """Why nothing can be linked whatever the captures show; empty where that has to be seen."""
    complete = set(dataset.trial_ids())
    apps = {entry.app for entry in dataset.plan() if entry.id in complete}
    return _few(len(apps), len(complete))


def why_not(found: Sequence[Call]) -> str:
    """Why these calls cannot be linked to learn anything; empty where they can."""
    talking = sum(call.caller.media_bytes_per_s > 0 and call.callee.media_bytes_per_s > 0 for call in found)
    return _few(len({call.app for call in found}), talking)


def _few(apps: int, conversations: int) -> str:
    if apps < MIN_APPS:
        return f"{apps} of the {MIN_APPS} apps it takes: the tested app is left out of learning"
    return (
        ""
        if conversations >= MIN_CONVERSATIONS
        else f"{conversations} of the {MIN_CONVERSATIONS} conversations it takes"
    )


def rank_all(found: Sequence[Call], seed: str, points: Sequence[Point] = POINTS) -> Iterator[Row]:
    """Every load and skew, score and tested app. The same calls and seed give the same rows."""
    apps, loads = sorted({call.app for call in found}), sorted({load for load, _ in points})
    pairing, asked = Pairing(found), {load: crowd(found, load, f"{seed}/{load}") for load in loads}
    lessons = {(load, app): Lesson.without(app, found, load, seed) for load in loads for app in apps}

    def ranked(task: tuple[Point, str]) -> Ranked:
        (load, skew_s), app = task
        scores = lessons[load, app].learned(skew_s)
        return _ranked(pairing, skewed(asked[load], skew_s), app, scores, baselines(skew_s))

    tasks = [(point, app) for point in sorted(points, reverse=True) for app in apps]  # what takes longest first
    done = dict(zip(tasks, workers.each(ranked, tasks), strict=True))
    for load, skew_s in points:
        size = calls_an_hour(found, load)
        common = {"load": load, "skew_s": float(skew_s), "calls_an_hour": size}
        common["copies"] = int(sum((hour.copy > 0).sum() for hour, _ in asked[load]))
        of_app = {app: done[(load, skew_s), app] for app in apps}
        of_app = {ALL: Ranked.joined(list(of_app.values())), **of_app}
        for column, name in enumerate([*choices(skew_s), *baselines(skew_s)]):
            for app, legs in of_app.items():
                measured = _summary(legs, column, size, f"{seed}/{load}/{app}")
                yield {**common, "app": app, "score": name, **measured}


def choices(skew_s: float) -> dict[str, tuple[str, ...]]:
    """The dimensions of each learned score: with skew those with times alone, as the others do not change by it."""
    return {name: used for name, used in CHOICES.items() if not skew_s or "duration" in used}


def baselines(skew_s: float) -> dict[str, tuple[int, float]]:
    """The baselines, with skew those with times alone."""
    return {name: (index, sign) for name, (index, sign) in BASELINES.items() if not skew_s or index == START}


@dataclass(frozen=True)
class Lesson:
    """What is learned from at one load: the calls of all apps but the tested one."""

    pairing: Pairing
    crowd: Crowd
    seed: str

    @staticmethod
    def without(tested: str, found: Sequence[Call], load: float, seed: str) -> Lesson:
        """All calls but those of one app."""
        others, seed = [call for call in found if call.app != tested], f"{seed}/{load}/without {tested}"
        return Lesson(Pairing(others), crowd(others, load, seed), seed)

    def learned(self, skew_s: float = 0.0) -> list[Score]:
        """A score for each of `choices`."""
        given = examples(self.pairing, skewed(self.crowd, skew_s), self.seed)
        return [learn(given, chosen(dimensions)) for dimensions in choices(skew_s).values()]


def _ranked(
    pairing: Pairing,
    made: Crowd,
    app: str,
    scores: Sequence[Score],
    plain: Mapping[str, tuple[int, float]],
) -> Ranked:
    """Every caller leg of an app, in the order of the hours."""
    asked = [(hour, ids, query) for hour, ids in made for query in _queries(pairing, hour, app)]
    count = sum(len(hour) - 1 for hour, _, _ in asked)
    thresholds = [measures.Threshold(count, FALSE_POSITIVE_RATE) for _ in range(len(scores) + len(plain))]
    true, above, tied, top, bits = [], [], [], [], []
    for hour, ids, query in asked:
        features = pairing.features(hour, query, ids)
        table = np.stack([*scored(scores, features), *(features[index] * sign for index, sign in plain.values())])
        places = measures.place(table, query)
        above.append(places[0])
        tied.append(places[1])
        shares = posterior(table[: len(scores)])
        top.append(shares.max(axis=1))
        bits.append(measures.entropy_bits(shares))
        true.append(table[:, query].copy())
        table[:, query] = -np.inf  # no wrong pair
        for threshold, row in zip(thresholds, table, strict=True):
            threshold.add(row)
    mine = zip(thresholds, np.transpose(true), strict=True)
    accepted = np.stack([threshold.accepted(column) for threshold, column in mine])
    return Ranked(np.transpose(above), np.transpose(tied), accepted, np.transpose(top), np.transpose(bits))


def _queries(pairing: Pairing, hour: Hour, app: str) -> list[int]:
    """The caller legs of an app that an hour asks for."""
    return [query for query in range(hour.queries) if pairing.calls[int(hour.of[query])].app == app]


def _summary(legs: Ranked, column: int, size: int, seed: str) -> Row:
    """Means over trials with their intervals under one score among `size` candidates; the threshold of the TPR is held
    fixed."""
    above, tied = legs.above[column], legs.tied[column]
    ranks, has_posterior = measures.rank(above, tied), column < len(legs.entropy_bits)
    share = (0.0, 1.0)
    values = {
        "precision_at_1": (measures.precision_at(1, above, tied), share),
        "precision_at_10": (measures.precision_at(10, above, tied), share),
        "rank": (ranks, (1.0, float(size))),
        "tpr_at_fpr_1e3": (legs.accepted[column], share),
    }
    row: Row = {
        "n": len(ranks),
        "rank_median": float(np.median(ranks)),
        "reason": "" if has_posterior else NO_POSTERIOR,
    }
    if has_posterior:
        bits = legs.entropy_bits[column]
        values["top_posterior"] = legs.top_posterior[column], share
        values["anonymity_bits"] = bits, (0.0, float(np.log2(size)))
        row["anonymity_set_median"] = float(np.median(np.exp2(bits)))
    for name, (each, ends) in values.items():
        row[name] = float(np.mean(each))
        row[f"{name}_low"], row[f"{name}_high"] = measures.interval(each, number(seed), ends)
    return row


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else inert(value) if isinstance(value, str) else str(value)
