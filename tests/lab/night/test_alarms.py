from __future__ import annotations

import pytest

from lab.night.alarms import judge
from lab.night.history import Asked, Tally, Told
from tests.lab.night.nights import CLAIM, SEEN, TRIAL, counts, covariates, lived, night, phone

QUIET = {SEEN: counts(0), CLAIM: counts(12)}
UPDATED = covariates(phones={"pixel6": phone("2.2"), "pixel6pro": phone()})
UNCHANGED = (
    "phones, OS build, Android patch, carrier, radio, NAT class, IPv6, egress class, resolver, YAML, harness, hour"
)


def told(judgement) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.cell) for alarm in judgement.alarms]


def test_an_opening_is_told_the_same_night_with_what_else_moved():
    tonight = night(14, {SEEN: counts(12, again=(12, 12)), CLAIM: counts(12)}, covariates=UPDATED)
    found = judge(lived(*[QUIET] * 14), tonight)
    (alarm,) = found.alarms
    assert (alarm.kind, alarm.cell, alarm.is_loud, found.asked) == ("opened", SEEN, True, ())
    assert alarm.sentence == (
        "whatsapp, callee_rejects: the callee's public address was seen in 12 of 12 trials last night and 12 of 12 "
        "more; in the 14 nights before in 0 of 168. Since then moved: whatsapp on pixel6 2.1 -> 2.2. "
        f"Unchanged: {UNCHANGED}. In time, no proof."
    )
    assert alarm.as_told() == Told(kind="opened", cell=SEEN, nights=1)


def test_one_verified_trial_asks_for_twelve_and_none_of_them_leaves_it_seen_once_with_its_frame():
    history = lived(*[QUIET] * 3)
    first = judge(history, night(3, {SEEN: counts(1, frame=124)}))
    assert first.asked == (Asked(cell=SEEN, trials=12, when="tonight"),)
    assert [(each.kind, each.is_loud) for each in first.alarms] == [("unconfirmed", False)]
    again = judge(history, night(3, {SEEN: counts(1, frame=124, again=(0, 12))}))
    assert again.asked == ()
    assert [(each.kind, each.is_loud, each.sentence) for each in again.alarms] == [
        (
            "seen_once",
            False,
            "whatsapp, callee_rejects: the callee's public address was seen in 1 of 12 trials last night and 0 of 12 "
            "more; in the 3 nights before in 0 of 36. Seen once, in frame 124 of the caller's capture of "
            + TRIAL
            + ".",
        )
    ]


def test_what_was_seen_once_before_is_said_and_opens_all_the_same():
    history = lived(*[QUIET] * 3, {SEEN: counts(1, again=(0, 12))}, QUIET)
    once = judge(history, night(5, {SEEN: counts(1, again=(1, 12))})).alarms[0]
    assert once.sentence.endswith("in 1 of 72. Seen once. So it was in 1 of the 5 nights before.")
    assert told(judge(history, night(5, {SEEN: counts(1, again=(2, 12))}))) == [("opened", SEEN)]


def test_a_leak_that_closes_is_not_seen_any_more_and_then_closed_with_its_versions():
    leak = {SEEN: counts(12)}
    history = lived(*[leak] * 2)
    nights = [night(number, {SEEN: counts(0)}, covariates=UPDATED) for number in range(2, 9)]
    said = []
    for tonight in nights:
        found = judge(history, tonight)
        said += [(tonight.dataset, alarm.kind, alarm.sentence) for alarm in found.alarms]
        history.append(tonight.model_copy(update={"told": [alarm.as_told() for alarm in found.alarms]}))
    assert said == [
        (
            "night-2",
            "not_seen_any_more",
            "whatsapp, callee_rejects: the callee's public address was seen in 0 of 12 trials last night; in the 2 "
            "nights before in 24 of 24. It is closed after 47 more trials without it in these versions. Since then "
            f"moved: whatsapp on pixel6 2.1 -> 2.2. Unchanged: {UNCHANGED}. In time, no proof.",
        ),
        (
            "night-6",
            "closed",
            "whatsapp, callee_rejects: the callee's public address is closed: seen in 0 of 60 trials of whatsapp 2.2 "
            "on pixel6, 2.1 on pixel6pro, so in less than 5% of trials (one-sided, 95%).",
        ),
    ]


def test_what_was_told_is_not_told_again_as_long_as_the_nights_remember_it():
    history = lived(*[QUIET] * 12, {SEEN: counts(12, again=(12, 12)), CLAIM: counts(0)})
    assert [(each.kind, each.cell) for each in history[-1].told] == [("fell", CLAIM), ("opened", SEEN)]
    assert judge(history, night(13, {SEEN: counts(12), CLAIM: counts(0)})).alarms == ()
    over = night(13, {SEEN: counts(0), CLAIM: counts(0)})
    (alarm,) = judge(history, over).alarms
    assert (alarm.kind, alarm.cell) == ("not_seen_any_more", SEEN)
    assert "; in the night before in 24 of 24. It is closed after 47 more trials " in alarm.sentence
    forgotten = [each.model_copy(update={"told": []}) for each in history]
    assert told(judge(forgotten, over)) == []


def test_a_rate_is_told_with_the_nights_since_when_and_what_moved_before_them():
    half, most = {CLAIM: counts(6)}, {CLAIM: counts(12)}
    history = lived(*[half] * 11, covariates=covariates())
    history += [night(11, most, covariates=UPDATED)]
    (alarm,) = judge(history, night(12, most, covariates=UPDATED)).alarms
    assert (alarm.kind, alarm.nights) == ("rose", 2)
    assert alarm.sentence.startswith(
        "whatsapp, caller_hangs_up: symmetry_in_conversation held in 24 of 24 trials of the last 2 nights; in the 11 "
        "nights before in 66 of 132. Since then moved: whatsapp on pixel6 2.1 -> 2.2. "
    )


def test_nights_of_another_bench_matrix_or_provenance_and_tonights_own_line_are_not_compared():
    tonight = night(9, {SEEN: counts(12)})
    for changed in ({"bench": "virtual"}, {"matrix": "smoke"}, {"provenance": "modelled"}):
        assert judge(lived(*[QUIET] * 3, **changed), tonight).alarms == ()
    assert told(judge(lived(*[QUIET] * 3), tonight)) == [("opened", SEEN)]
    assert told(judge([*lived(*[QUIET] * 3), tonight], tonight)) == [("opened", SEEN)]


def test_trials_that_nobody_can_decide_are_no_zeros():
    blind = {SEEN: counts(0, 12, undecided=12)}
    history = lived(*[{SEEN: counts(12)}] * 3, blind, blind)
    assert [each.told for each in history] == [[]] * 5
    (alarm,) = judge(history, night(5, {SEEN: counts(0, 12, undecided=4)})).alarms
    assert alarm.sentence.startswith(
        "whatsapp, callee_rejects: the callee's public address was seen in 0 of 8 trials last night (4 undecided); in "
        "the 3 nights before in 36 of 36. It is closed after 51 more trials "
    )
    fresh = counts(1).model_copy(update={"again": Tally(yes=0, of=12, undecided=12)})
    assert judge(lived(*[QUIET] * 3), night(3, {SEEN: fresh})).asked[0].trials == 12


def test_alarms_come_before_notes_and_a_hostile_version_stays_on_its_line():
    once = "seen/user_ids/maple/caller_cancels"
    odd = covariates(phones={"pixel6": phone("9\x1b]0;x\n", carrier="<b>"), "pixel6pro": phone()})
    history = lived(*[{**QUIET, once: counts(0)}] * 3)
    tonight = night(3, {once: counts(1, again=(0, 12)), SEEN: counts(9, again=(9, 12))}, covariates=odd)
    found = judge(history, tonight).alarms
    assert [(each.kind, each.cell) for each in found] == [("opened", SEEN), ("seen_once", once)]
    assert "cannot be told apart: whatsapp on pixel6 2.1 -> 9\\x1b]0;x; carrier on pixel6 operator a -> <b>." in (
        found[0].sentence
    )
    assert all(each.sentence.isprintable() and len(each.sentence) <= 4000 for each in found)


@pytest.mark.parametrize(("nights", "known"), [(9, False), (10, True)])
def test_how_alike_the_trials_of_a_night_are_is_known_after_ten_nights(nights, known):
    history = [night(number, {CLAIM: counts(2 + 8 * (number % 2))}) for number in range(nights)]
    assert (judge(history, night(nights, {})).rho is not None) is known


def test_the_first_night_tells_nothing():
    assert judge([], night(0, {SEEN: counts(12), CLAIM: counts(3)})).alarms == ()
