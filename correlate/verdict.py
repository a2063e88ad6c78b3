"""The verdict of an app in a few sentences: what its calls give away, to whom, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from correlate.findings import Case
from correlate.statistics import summary, wilson
from correlate.study import Study

Level = Literal["always", "sometimes", "never", "unknown"]


@dataclass(frozen=True)
class Leak:
    """One question, its answer in words, and how often it leaks."""

    question: str
    answer: str
    level: Level


@dataclass(frozen=True)
class AppVerdict:
    """All leaks of one app; `trials` is what they rest on."""

    app: str
    version: str
    trials: int
    planned: int
    leaks: tuple[Leak, ...]


def verdicts(study: Study) -> list[AppVerdict]:
    """One verdict an app, in the order of the tables."""
    return [_verdict(study, app) for app in study.apps]


def _verdict(study: Study, app: str) -> AppVerdict:
    cases = study.select(app=app)
    talks = [case for case in cases if case.of("endpoints", "established")]
    unanswered = [case for case in cases if case.of("endpoints", "established") is False]
    leaks = (
        _addresses("Before anyone answers, does the callee's network see the caller?", unanswered, "caller"),
        _addresses("In a conversation, does the callee's network see the caller?", talks, "caller"),
        _addresses("In a conversation, does the caller's network see the callee?", talks, "callee"),
        _share("Do the media go directly between the phones?", talks, _is_direct, "conversations go directly"),
        _share("Do both sides use the same servers at the same time?", cases, _shares_server, "trials show it"),
        _share("Do both sides show the same user ids?", cases, _same_ids, "trials show them"),
        _share("Does the wire tell who called?", cases, _role, "trials tell, and rightly"),
        _share("Does the wire tell voice from video?", cases, _service, "trials tell, and rightly"),
        _durations(cases),
    )
    version = str(study.info["apps"].get(app, {}).get("version", ""))
    planned = sum(entry["app"] == app for entry in study.info["plan"])
    return AppVerdict(app, version, len(cases), planned, leaks)


def _level(hits: int, total: int) -> Level:
    if not total:
        return "unknown"
    return "always" if hits == total else "sometimes" if hits else "never"


def _share(question: str, cases: list[Case], holds: Callable[[Case], bool], words: str) -> Leak:
    hits = sum(holds(case) for case in cases)
    interval = wilson(hits, len(cases))
    if interval is None:
        return Leak(question, "no trial to tell", "unknown")
    low, high = (f"{100 * bound:.0f}" for bound in interval)
    return Leak(question, f"{hits} of {len(cases)} {words} (95%: {low} to {high}%)", _level(hits, len(cases)))


def _addresses(question: str, cases: list[Case], side: str) -> Leak:
    if not cases:
        return Leak(question, "no trial to tell", "unknown")
    public, private = (
        sum(bool(case.of("endpoints", f"exposed_{role}", side)) for case in cases) for role in ("public", "private")
    )
    blocked = sum(case.of("endpoints", "no_disclosure") is None for case in cases)
    answer = f"public address in {public} of {len(cases)} trials, private address in {private}"
    answer += f"; {blocked} with an address that nobody explains" if blocked else ""
    return Leak(question, answer, _level(max(public, private), len(cases)))


def _is_direct(case: Case) -> bool:
    return bool(case.of("endpoints", "routing") == "p2p")


def _shares_server(case: Case) -> bool:
    return bool(case.of("servers", "shared"))


def _same_ids(case: Case) -> bool:
    return bool(case.of("signalling", "user_ids"))


def _role(case: Case) -> bool:
    return case.of("signalling", "calling", "caller") is True


def _service(case: Case) -> bool:
    return bool(case.of("service", "service") == case.service)


def _durations(cases: list[Case]) -> Leak:
    question = "How far do the call's durations differ between both sides?"
    ends = [
        tuple(case.of("duration", "longest_relay_duration_ns", side) for side in ("caller", "callee")) for case in cases
    ]
    found = summary([abs(caller - callee) / 1e9 for caller, callee in ends if None not in (caller, callee)])
    if found.median is None:
        return Leak(question, "no trial to tell", "unknown")
    words = (
        f"median {found.median:.3f} s, at most {found.maximum:.3f} s, over {found.n} trials (longest relayed session)"
    )
    return Leak(question, words, _level(found.n, len(cases)))
