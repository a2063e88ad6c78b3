from __future__ import annotations

from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.night.evidence import log_bayes_factor
from lab.night.watch import LOUD, Ask, Seen, Watch, told, zeros_that_close

CELL = "seen/callee_public/whatsapp/callee_rejects"
RATE = "claim/symmetry_in_conversation/whatsapp/caller_hangs_up"


def after(*nights: Seen, cell: str = CELL) -> Watch:
    """A watch that has lived through these nights of one cell, with what it told itself."""
    watch = Watch()
    for night in nights:
        live(watch, {cell: night})
    return watch


def live(watch: Watch, tonight: dict[str, Seen]) -> list[tuple[str, str, int]]:
    found, _ = watch.look(tonight)
    watch.learn(tonight, told(found))
    return [(each.kind, each.cell, each.change.nights) for each in found]


def kinds(watch: Watch, seen: Seen, cell: str = CELL) -> list[str]:
    return [each.kind for each in watch.look({cell: seen})[0]]


NONE, ALL = Seen(0, 12, versions="2.1"), Seen(12, 12, versions="2.1")


def test_a_sighting_in_a_closed_cell_asks_for_twelve_fresh_trials_of_the_same_night():
    watch = after(NONE, NONE, NONE)
    found, asked = watch.look({CELL: Seen(1, 12)})
    assert [(each.kind, each.change.nights_before, each.change.of_before) for each in found] == [("unconfirmed", 3, 36)]
    assert asked == [Ask(CELL, 12, "tonight")]
    assert watch.look({CELL: Seen(1, 12, 0, 5)})[1] == [Ask(CELL, 7, "tonight")]


@pytest.mark.parametrize(
    ("again", "kind"), [((0, 12), "seen_once"), ((1, 12), "seen_once"), ((2, 12), "opened"), ((2, 3), "opened")]
)
def test_two_of_twelve_fresh_trials_open_a_cell_and_fewer_leave_it_seen_once(again, kind):
    assert kinds(after(NONE, NONE, NONE), Seen(1, 12, *again)) == [kind]


def test_29_zeros_make_a_cell_that_one_trial_opens_and_28_do_not():
    assert kinds(after(Seen(0, 14), Seen(0, 14)), Seen(1, 12)) == []
    assert kinds(after(Seen(0, 14), Seen(0, 15)), Seen(1, 12)) == ["unconfirmed"]
    # A claim has no such rule: it holds more or less often.
    assert kinds(after(NONE, NONE, NONE, cell=RATE), Seen(1, 12, 2, 12), RATE) == []


def test_what_was_seen_once_leaves_the_cell_closed():
    watch = after(NONE, NONE, NONE, Seen(1, 12, 0, 12), NONE)
    assert kinds(watch, Seen(1, 12, 2, 12)) == ["opened"]
    # Told as seen once or not, the same counts: what was never told is no zero.
    silent = Watch()
    for seen in (NONE, NONE, NONE, Seen(1, 12, 0, 12)):
        silent.learn({CELL: seen}, {})
    assert kinds(silent, Seen(1, 12, 2, 12)) == []


def test_an_opening_that_fresh_trials_confirm_begins_tonight_though_it_was_seen_once_before():
    watch = after(*[NONE] * 11, Seen(1, 12, 1, 12))
    assert live(watch, {CELL: Seen(1, 12, 2, 12)}) == [("opened", CELL, 1)]
    assert watch.look({CELL: Seen(12, 12)})[0] == []


@pytest.mark.parametrize("nights", [1, 3, 12])
def test_flips_are_told_the_same_night_from_the_second_night_on(nights):
    assert kinds(after(*[NONE] * nights), ALL) == ["opened"]
    assert kinds(after(*[ALL] * nights), NONE) == ["not_seen_any_more"]
    assert kinds(after(*[NONE] * nights, cell=RATE), ALL, RATE) == ["rose"]
    assert kinds(after(*[ALL] * nights, cell=RATE), NONE, RATE) == ["fell"]


def test_a_flip_takes_as_many_trials_as_its_bayes_factor_says():
    assert (kinds(after(NONE), Seen(4, 4)), kinds(after(NONE), Seen(5, 5))) == ([], ["opened"])
    assert (kinds(after(NONE, NONE), Seen(2, 2)), kinds(after(NONE, NONE), Seen(3, 3))) == ([], ["opened"])


def test_what_is_told_is_told_once_and_its_history_begins_anew():
    watch = after(*[NONE] * 12)
    assert live(watch, {CELL: ALL}) == [("opened", CELL, 1)]
    assert [live(watch, {CELL: ALL}) for _ in range(12)] == [[]] * 12
    # Only the thirteen nights since are compared with.
    found, _ = watch.look({CELL: NONE})
    assert [(each.kind, each.change.nights_before, each.change.of_before) for each in found] == [
        ("not_seen_any_more", 13, 156)
    ]


def test_59_zeros_of_the_same_versions_close_and_58_do_not():
    assert zeros_that_close() == 59
    for last, closed in ((10, []), (11, ["closed"])):
        watch = after(ALL, ALL, *[NONE] * 4)
        assert kinds(watch, Seen(0, last, versions="2.1")) == closed
    # In one night with 47 more, or in none without knowing the versions.
    watch = after(ALL, ALL, NONE)
    assert kinds(watch, Seen(0, 47, versions="2.1")) == ["closed"]
    assert kinds(watch, Seen(0, 47, versions=None)) == []
    assert kinds(watch, Seen(0, 12, 0, 35, "2.1")) == ["closed"]


def test_an_update_begins_the_zeros_anew_and_closed_is_told_once():
    watch = after(ALL, ALL, *[NONE] * 4)
    newer = Seen(0, 12, versions="2.2")
    assert [live(watch, {CELL: newer}) for _ in range(6)] == [[], [], [], [], [("closed", CELL, 1)], []]
    # What was never seen is closed without a word.
    assert [live(watch, {RATE: NONE}) for _ in range(6)] == [[]] * 6


def test_a_cell_that_is_gone_opens_by_one_trial_however_few_its_zeros():
    watch = after(ALL, ALL, NONE)
    assert kinds(watch, Seen(1, 12, 2, 12)) == ["opened"]
    assert kinds(watch, Seen(1, 12, 0, 12)) == ["seen_once"]


def test_rates_are_told_from_the_eleventh_night_on():
    half, most = Seen(6, 12), Seen(12, 12)
    early, late = after(*[half] * 9, cell=RATE), after(*[half] * 10, cell=RATE)
    for watch in (early, late):
        watch.learn({}, {})
    assert late.nights == 11
    assert early.rho_known() == late.rho_known() == 0.0
    assert after(*[half] * 9, cell=RATE).rho_known() is None
    assert [live(late, {RATE: most}) for _ in range(3)] == [[], [("rose", RATE, 2)], []]
    learning = after(*[half] * 7, cell=RATE)
    assert [live(learning, {RATE: most}) for _ in range(3)] == [[], [], []]


def test_a_rate_that_may_have_moved_buys_24_trials_of_the_next_night():
    watch = after(*[Seen(6, 12)] * 11, cell=RATE)
    watch.learn({RATE: Seen(12, 12)}, {})
    # The last two nights have Bayes factors of 26, 819 and 9,373.
    factors = [exp(log_bayes_factor(12 + yes, 24, 66, 132)) for yes in (8, 10, 11)]
    assert (factors[0] < 100, 100 < factors[1] < 2000, factors[2] > 2000) == (True, True, True)
    assert watch.look({RATE: Seen(8, 12)}) == ([], [])
    assert watch.look({RATE: Seen(10, 12)}) == ([], [Ask(RATE, 24, "next night")])
    assert kinds(watch, Seen(11, 12), RATE) == ["rose"]


def test_the_luck_that_trials_of_a_night_share_makes_a_rate_speak_less():
    calm, wild = [Seen(6, 12)] * 12, [Seen(2, 12), Seen(10, 12)] * 6
    assert kinds(after(*calm, cell=RATE), Seen(36, 36), RATE) == ["rose"]
    assert kinds(after(*wild, cell=RATE), Seen(36, 36), RATE) == []
    assert after(*wild, cell=RATE).rho() == pytest.approx((12 * 16 / 3 / 11 - 1) / 11)


def test_a_cell_that_was_not_tried_or_not_decided_says_nothing():
    watch = after(NONE, NONE, NONE)
    before = kinds(watch, Seen(1, 12))
    assert live(watch, {CELL: Seen(0, 0)}) == live(watch, {}) == []
    assert kinds(watch, Seen(1, 12)) == before
    assert watch.look({CELL: Seen(1, 12)})[0][0].change.nights_before == 3


COUNTS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: Seen(min(pair), max(pair)))
MONTH = st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=1, max_size=16)


FEW = settings(max_examples=30)


@FEW
@given(MONTH, st.permutations(range(3)))
def test_the_order_of_cells_says_nothing(month, order):
    names = [CELL, RATE, "seen/user_ids/maple/caller_cancels"]
    one, other = Watch(), Watch()
    for night in month:
        cells = dict(zip(names, night, strict=True))
        first = live(one, cells)
        again = live(other, {names[each]: cells[names[each]] for each in order})
        assert sorted(first) == sorted(again)


@FEW
@given(st.lists(COUNTS, min_size=1, max_size=16), st.integers(0, 11))
def test_more_sightings_never_tell_less_of_a_closed_cell(nights, yes):
    watch = after(NONE, NONE, NONE, *[Seen(0, each.of) for each in nights])
    loud = [bool({*kinds(watch, Seen(each, 12, 2, 12))} & {*LOUD}) for each in (yes, yes + 1)]
    assert loud[0] <= loud[1]


@FEW
@given(st.lists(COUNTS, max_size=16), COUNTS)
def test_looking_changes_nothing(nights, tonight):
    watch = after(*nights)
    assert watch.look({CELL: tonight}) == watch.look({CELL: tonight})
