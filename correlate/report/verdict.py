"""The verdict of an app in a few sentences: what its calls give away, to whom, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from correlate.findings import Case
from correlate.tables.claims import MATCHED_S
from correlate.tables.statistics import summary, wilson
from correlate.tables.study import Study

Level = Literal["always", "sometimes", "never", "unknown"]


@dataclass(frozen=True)
class Leak:
    """One question, its answer in words, and how often it leaks; `what` is what leaks, in a few words."""

    what: str
    question: str
    answer: str
    level: Level


@dataclass(frozen=True)
class AppVerdict:
    """All leaks of one app; `trials` is what they rest on, `headline` all of it in a sentence or two."""

    app: str
    version: str
    trials: int
    planned: int
    leaks: tuple[Leak, ...]

    @property
    def headline(self) -> str:
        """What is given away always and what sometimes."""
        always, sometimes = (
            ", ".join(leak.what for leak in self.leaks if leak.level == level) for level in ("always", "sometimes")
        )
        said = [f"Always given away: {always}."] if always else []
        said += [f"Sometimes: {sometimes}."] if sometimes else []
        return " ".join(said) or "Nothing was seen to be given away."


def verdicts(study: Study) -> list[AppVerdict]:
    """One verdict an app, in the order of the tables."""
    return [_verdict(study, app) for app in study.apps]


def _verdict(study: Study, app: str) -> AppVerdict:
    cases = study.select(app=app)
    talks = [case for case in cases if case.of("endpoints", "established")]
    unanswered = [case for case in cases if case.of("endpoints", "established") is False]
    before, callee_sees, caller_sees = (
        "Before anyone answers, does the callee's network see the caller?",
        "In a conversation, does the callee's network see the caller?",
        "In a conversation, does the caller's network see the callee?",
    )
    leaks = (
        _addresses("the caller's address before an answer", before, unanswered, "caller"),
        _addresses("the caller's address in conversations", callee_sees, talks, "caller"),
        _addresses("the callee's address in conversations", caller_sees, talks, "callee"),
        _share("a direct path", "Do the media go directly between the phones?", talks, _is_direct, "do"),
        _share("shared servers", "Do both sides use the same servers at the same time?", cases, _shares_server, "do"),
        _share("user ids", "Do both sides show the same user ids?", cases, _same_ids, "do"),
        _share("who called", "Does the wire tell who called?", cases, _role, "tell, and rightly"),
        _share("voice or video", "Does the wire tell voice from video?", cases, _service, "tell, and rightly"),
        _durations(cases),
    )
    version = str(study.info["apps"].get(app, {}).get("version", ""))
    planned = sum(entry["app"] == app for entry in study.info["plan"])
    return AppVerdict(app, version, len(cases), planned, leaks)


def _level(hits: int, total: int) -> Level:
    if not total:
        return "unknown"
    return "always" if hits == total else "sometimes" if hits else "never"


def _share(what: str, question: str, cases: list[Case], holds: Callable[[Case], bool], words: str) -> Leak:
    hits = sum(holds(case) for case in cases)
    interval = wilson(hits, len(cases))
    if interval is None:
        return Leak(what, question, "no trial to tell", "unknown")
    low, high = (f"{100 * bound:.0f}" for bound in interval)
    answer = f"{hits} of {len(cases)} trials {words} (95%: {low} to {high}%)"
    return Leak(what, question, answer, _level(hits, len(cases)))


def _addresses(what: str, question: str, cases: list[Case], side: str) -> Leak:
    if not cases:
        return Leak(what, question, "no trial to tell", "unknown")
    public, private = (
        sum(bool(case.of("endpoints", f"exposed_{role}", side)) for case in cases) for role in ("public", "private")
    )
    blocked = sum(case.of("endpoints", "no_disclosure") is None for case in cases)
    answer = f"public address in {public} of {len(cases)} trials, private address in {private}"
    answer += f"; {blocked} with an address that nobody explains" if blocked else ""
    level = _level(max(public, private), len(cases))
    return Leak(what, question, answer, "unknown" if level == "never" and blocked else level)


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
    what, question = "matching durations", "Does the call last equally long on both sides?"
    ends = [
        tuple(case.of("duration", "longest_relay_duration_ns", side) for side in ("caller", "callee")) for case in cases
    ]
    differences_s = [abs(caller - callee) / 1e9 for caller, callee in ends if None not in (caller, callee)]
    found = summary(differences_s)
    if found.median is None:
        return Leak(what, question, "no trial to tell", "unknown")
    near = sum(difference_s <= MATCHED_S for difference_s in differences_s)
    answer = f"{near} of {len(cases)} trials to within {MATCHED_S:g} s; median difference {found.median:.3f} s"
    return Leak(what, question, f"{answer}, at most {found.maximum:.3f} s", _level(near, len(cases)))
