"""The verdict of an app in a few sentences: what its calls give away, to whom, and how often."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from correlate.dataset import SIDES
from correlate.dimensions.endpoints import ROLES, UNRECORDED
from correlate.findings.cases import NO_ANSWER, Case
from correlate.tables import predicates
from correlate.tables.control import of_cases
from correlate.tables.statistics import TRIALS, bounds, summary
from correlate.tables.study import Study

UNRECORDED_OF_ONE = "its addresses were not recorded, or are not those of its capture"
ENOUGH_WRONG_PAIRS = 10
"""With fewer, that a leak does not discriminate may be for want of trials."""
Level = Literal["always", "sometimes", "never", "unknown", "chance"]
"""`chance`: seen, but legs of two different calls show it as often."""


@dataclass(frozen=True)
class Leak:
    """One question, its answer in words, and how often it leaks; `what` is what leaks, in a few words.

    It leaks in `hits` of `total` trials, `undecided` cannot be told, and `trials` are these (`statistics.sorted_out`);
    and in so many of so many `wrong_pairs`, where it relates both sides."""

    what: str
    question: str
    answer: str
    level: Level
    hits: int = 0
    total: int = 0
    wrong_pairs: tuple[int, int] = (0, 0)
    undecided: int = 0
    trials: str = ""


@dataclass(frozen=True)
class Phase:
    """The leaks of one part of the trials: before anybody answers, in conversations, or in all calls."""

    name: str
    trials: int
    leaks: tuple[Leak, ...]


@dataclass(frozen=True)
class AppVerdict:
    """All leaks of one app; `trials` is what they rest on, `headlines` all of it in a sentence a phase. `version` is
    what the phones had, `other_version` says in words that the app's file says another."""

    app: str
    version: str
    other_version: str
    trials: int
    planned: int
    phases: tuple[Phase, ...]

    @property
    def headlines(self) -> list[str]:
        """What is given away always and what sometimes, phase by phase."""
        return [_headline(phase) for phase in self.phases if phase.trials]


def verdicts(study: Study) -> list[AppVerdict]:
    """One verdict an app, in the order of the tables."""
    return [_verdict(study, app) for app in study.apps]


def _verdict(study: Study, app: str) -> AppVerdict:
    cases = study.select(app=app)
    by_answer, by_service = study.speaking_of("answered"), study.speaking_of("answered", "service")
    talks, silent = (_phase(by_answer, app, answered) for answered in (True, False))
    rules = study.rules[app]
    told_before = _service(_phase(by_service, app, False), bool(rules.unanswered_service))
    before = (*_seen(silent), _ids(by_answer, silent), told_before)
    question = "Do the media go directly between the phones?"
    route = _share("a direct path", question, talks, lambda case: predicates.routed(case, "p2p"), "do")
    told = _service(_phase(by_service, app, True), True)
    during = (*_seen(talks), route, _ids(by_answer, talks), told)
    question = "Do both sides use the same servers at the same time?"
    shared = _share("shared servers", question, cases, predicates.shares_a_server, "do")
    shared = _beside_chance(shared, study, cases, predicates.shares_a_server)
    always = (shared, _role(cases, bool(rules.role)), _beside_chance(_durations(cases), study, cases, _is_matched))
    phases = (
        Phase("Before anyone answers", len(silent), before),
        Phase("In conversations", len(talks), during),
        Phase("In every call", len(cases), always),
    )
    planned = sum(entry.app == app for entry in study.info.plan)
    version = study.version(app) or ""
    return AppVerdict(app, version, study.other_version(app), len(cases), planned, phases)


def _phase(study: Study, app: str, is_conversation: bool) -> list[Case]:
    return [case for case in study.select(app=app) if case.is_conversation is is_conversation]


def _headline(phase: Phase) -> str:
    always, sometimes, unknown, chance = (
        ", ".join(leak.what for leak in phase.leaks if leak.level == level)
        for level in ("always", "sometimes", "unknown", "chance")
    )
    said = [f"always gives away {always}"] if always else []
    said += [f"sometimes {sometimes}"] if sometimes else []
    said = said or (["gives nothing away that was looked for"] if not unknown else ["nothing was seen for sure"])
    said += [f"no more than two different calls: {chance}"] if chance else []
    said += [f"not decided: {unknown}"] if unknown else []
    return f"{phase.name}: {'; '.join(said)}."


def _level(hits: int, total: int) -> Level:
    if not total:
        return "unknown"
    return "always" if hits == total else "sometimes" if hits else "never"


def _share(what: str, question: str, cases: list[Case], holds: Callable[[Case], bool | None], words: str) -> Leak:
    """`holds` is None where a trial cannot be decided: then what was not seen is no "never"."""
    counted = predicates.tally(cases, holds)
    trials = str(counted[TRIALS])
    hits, undecided = int(counted["n"] or 0), int(counted["undecided"] or 0)
    interval = bounds(hits, undecided, len(cases))
    if interval is None or undecided == len(cases):
        return Leak(what, question, "no trial to tell", "unknown", 0, len(cases), (0, 0), undecided, trials)
    low, high = (f"{100 * bound:.0f}" for bound in interval)
    answer = f"{hits} of {len(cases)} trials {words} (95%: {low} to {high}%)"
    answer += f"; {undecided} undecided" if undecided else ""
    level = _level(hits, len(cases))
    level = "unknown" if level == "never" and undecided else level
    return Leak(what, question, answer, level, hits, len(cases), (0, 0), undecided, trials)


def _beside_chance(leak: Leak, study: Study, cases: list[Case], holds: Callable[[Case], bool | None]) -> Leak:
    """With how many wrong pairs show the same; what does not discriminate is no leak (`correlate.tables.control`)."""
    hits, total, discriminates = of_cases(study, cases, holds)
    if not total or leak.level not in ("always", "sometimes"):
        return leak
    answer = f"{leak.answer}; {hits} of {total} wrong pairs do too"
    leak = replace(leak, wrong_pairs=(hits, total))
    if discriminates is False and total >= ENOUGH_WRONG_PAIRS:
        return replace(leak, answer=f"{answer}: it does not discriminate", level="chance")
    return replace(leak, answer=answer)


def _seen(cases: list[Case]) -> Iterator[Leak]:
    for side, other in (("caller", "callee"), ("callee", "caller")):
        yield _addresses(side, f"Does the {other}'s network see the {side}?", cases)


def _addresses(side: str, question: str, cases: list[Case]) -> Leak:
    """Public and private addresses of one side; where directions differ, direction by direction."""
    what = f"the {side}'s address"
    if not cases:
        return Leak(what, question, "no trial to tell", "unknown")
    void = [case for case in cases if predicates.is_void(case)]
    told = [case for case in cases if case not in void]
    hits = {role: [case for case in told if case.endpoints[side].exposed[role]] for role in ROLES}
    shown = [role for role in ROLES if hits[role]]
    answer = ", ".join(f"{role} address in {len(hits[role])}" for role in ROLES) + f" of {len(cases)} trials"
    either = [case for case in cases if any(case in hits[role] for role in ROLES)]
    if 0 < len(either) < len(cases):
        answer += f" ({_by_direction(either, cases)})"
    unknown = [case for case in told if None in case.endpoints[side].exposed.values()]
    unrecorded = [case for case in unknown if UNRECORDED in case.endpoints[side].reason]
    undecided = [case for case in told if case.call.no_disclosure is None and case not in unknown]
    blocked = [case for case in undecided if any(case.endpoints[each].unexplained for each in SIDES)]
    unseen = len(unknown) - len(unrecorded)
    answer += f"; {len(blocked)} with an address that nobody explains" if blocked else ""
    answer += f"; {len(unrecorded)} where {UNRECORDED_OF_ONE}" if unrecorded else ""
    answer += f"; {unseen} where not everything could be looked at" if unseen else ""
    answer += f"; {len(void)} with {NO_ANSWER}" if void else ""
    level = _level(len(either), len(cases))
    level = "unknown" if level == "never" and (blocked or unknown or void) else level
    counted = predicates.tally(cases, lambda case: case in either or (None if case in (*unknown, *blocked) else False))
    what = f"the {side}'s {' and '.join(shown)} address" if shown else what
    return Leak(
        what,
        question,
        answer,
        level,
        len(either),
        len(cases),
        (0, 0),
        int(counted["undecided"] or 0),
        str(counted[TRIALS]),
    )


def _by_direction(hits: list[Case], cases: list[Case]) -> str:
    return ", ".join(
        f"{direction.replace('_', ' ')}: {sum(case.direction == direction for case in hits)}"
        f"/{sum(case.direction == direction for case in cases)}"
        for direction in sorted({case.direction for case in cases})
    )


def _ids(study: Study, cases: list[Case]) -> Leak:
    question = "Do both traces show the same user ids?"
    leak = _share("shared user ids", question, cases, predicates.shares_user_ids, "do")
    return _beside_chance(leak, study, cases, predicates.shares_user_ids)


def _role(cases: list[Case], has_rule: bool) -> Leak:
    what, question = "who called", "Do packet counts tell who called?"
    if not has_rule:
        return Leak(what, question, "no rule is known for this app", "unknown")
    return _share(what, question, cases, predicates.tells_role, "tell, and rightly")


def _service(cases: list[Case], has_rule: bool) -> Leak:
    what, question = "voice or video", "Does the wire tell voice from video?"
    if not has_rule:
        return Leak(what, question, "no rule is known for this app without a conversation", "unknown")
    if cases and not any(case.is_service_known for case in cases):
        found = _share(what, question, cases, predicates.tells_service, "")
        return replace(found, answer=predicates.SERVICE_UNKNOWN, level="unknown")
    leak = _share(what, question, cases, predicates.tells_service, "tell, and rightly")
    return replace(leak, answer=leak.answer + _louder(cases))


def _louder(talks: list[Case]) -> str:
    """How many times the bytes of a voice call a video call carries; empty unless there are both."""
    medians = {}
    for service in ("voice", "video"):
        rates = [predicates.media_bytes_per_s(case) for case in talks if case.service == service]
        medians[service] = summary([rate for rate in rates if rate is not None]).median
    if not medians["voice"] or medians["video"] is None:
        return ""
    ratio = medians["video"] / medians["voice"]
    return f"; video carries {ratio:.1f} times the media bytes a second of voice (medians)"


def _is_matched(case: Case) -> bool | None:
    """None where the longest sessions of both sides are not known to be the same one."""
    is_same = case.duration["caller"].longest_relay.identity is not None
    difference_s = predicates.duration_difference_s(case, "longest_relay") if is_same else None
    return None if difference_s is None else difference_s <= predicates.MATCHED_S


def _durations(cases: list[Case]) -> Leak:
    what, question = "matching durations", "Does the longest relayed session last equally long on both sides?"
    told = [case for case in cases if not predicates.is_void(case)]
    same = [case for case in told if _is_matched(case) is not None]
    differences = [predicates.duration_difference_s(case, "longest_relay") for case in same]
    found = summary([each for each in differences if each is not None])
    if found.median is None:
        return Leak(what, question, "no trial to tell", "unknown")
    matched, other = sum(_is_matched(case) is True for case in same), len(told) - len(same)
    answer = (
        f"{matched} of {len(cases)} trials to within {predicates.MATCHED_S:g} s; median difference {found.median:.3f} s"
    )
    answer += f", at most {found.maximum:.3f} s"
    answer += f"; {other} whose longest sessions are not the same" if other else ""
    level = _level(matched, len(cases))
    counted = predicates.tally(cases, _is_matched)
    level = "unknown" if level == "never" and other else level
    return Leak(
        what, question, answer, level, matched, len(cases), (0, 0), int(counted["undecided"] or 0), str(counted[TRIALS])
    )
