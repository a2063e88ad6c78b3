"""Where a record of a virtual bench and its truth differ: what it calls proven, and the truth denies.

Nothing here knows how a claim was made. What lies outside of the markers counts as far as it reaches into them: a call
that was placed before and goes on, say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from correlate.dataset import Dataset
from correlate.dataset.record import TrialRecord

Truth = Mapping[str, Any]

PAPERS = ("caller_cancels", "callee_rejects", "system_timeout", "caller_hangs_up", "callee_hangs_up")
"""The scenarios that the truth names; any other one is compared by its claims alone."""

MADE_OF = ("calls", "answered", "ended_by")
"""The claims that a scenario's name is made of."""


def all_differences(dataset: Dataset) -> list[str]:
    """Those of every committed trial, each with its trial before it."""
    return [f"{trial}: {one}" for trial in dataset.trial_ids() for one in differences(dataset, trial)]


def differences(dataset: Dataset, trial: str) -> list[str]:
    """What one trial's record says, and its truth denies; one short line each."""
    truth = json.loads((dataset.truth_dir / f"{trial}.json").read_text(encoding="utf-8"))
    return denied(dataset.record(trial), truth)


def denied(record: TrialRecord, truth: Truth) -> list[str]:
    """The same of a record and a truth."""
    true, found = truths(record, truth), []
    claims = {} if record.observed is None else dict(record.observed)
    for name, claim in claims.items():
        if claim.verdict == "proven" and claim.value != true[name]:
            found.append(f"{name}: {claim.value} is called proven, the truth says {true[name]}")
    if truth["caller"] != record.asked.caller:
        found.append(f"caller: asked {record.asked.caller}, the truth says {truth['caller']}")
    explained = any(text.startswith(MADE_OF) for text in found)
    doubted = any(claims[name].verdict != "proven" for name in MADE_OF if name in claims)
    named, true_name = record.observed_scenario, truth["observed_scenario"]
    if named in PAPERS and named != true_name and not explained and not doubted:
        found.append(f"observed_scenario: {named}, the truth says {true_name}")
    return found


def truths(record: TrialRecord, truth: Truth) -> dict[str, Any]:
    """What each claim would have to say. All null without a call between the markers."""
    begun_ns, ended_ns = truth["marked"]["begin_ns"], truth["marked"]["end_ns"]
    inside = list(_overlapping(truth["calls"], "placed_ns", begun_ns, ended_ns))
    own = [call for call in inside if call["app"] == record.asked.app]
    beside = [one for one in truth["interruptions"] if one["what"] != "locked"]
    others = [call for call in inside if call["app"] != record.asked.app]
    others += _overlapping(beside, "begun_ns", begun_ns, ended_ns)
    # The truth's own call: the first that was placed after the begin markers, else one that reaches into them.
    call = next((one for one in own if begun_ns is not None and one["placed_ns"] >= begun_ns), own[-1] if own else None)
    if call is None:
        return {"calls": 0, "nothing_else": not others} | dict.fromkeys(
            ("rang", "answered", "ended_by", "service", "in_front")
        )
    return {
        "calls": len(own),
        "rang": call["rung_ns"] is not None,
        "answered": call["answered_ns"] is not None,
        "ended_by": call["ended_by"],
        "service": "+".join(call["services"]),
        "nothing_else": not others,
        "in_front": not any(hidden_by(one, call) for one in truth["interruptions"]),
    }


def _overlapping(
    found: Iterable[Mapping[str, Any]], begins: str, from_ns: int | None, to_ns: int | None
) -> Iterable[Mapping[str, Any]]:
    """Those that were there at some instant of the span; an end that is null never came."""
    for one in found:
        if (to_ns is None or one[begins] <= to_ns) and (
            from_ns is None or one["ended_ns"] is None or one["ended_ns"] >= from_ns
        ):
            yield one


def hidden_by(one: Mapping[str, Any], call: Mapping[str, Any]) -> bool:
    """Whether a phone was locked while its call should have been in front: from dialling, or from the answer on."""
    from_ns = call["placed_ns"] if one["phone"] == call["caller"] else call["answered_ns"]
    if one["what"] != "locked" or from_ns is None or one["begun_ns"] < from_ns:
        return False
    return call["ended_ns"] is None or one["begun_ns"] < call["ended_ns"]
