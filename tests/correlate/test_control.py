"""Likelihood ratios of claims: what wrong pairs say of them."""

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.tables import chance
from correlate.tables.claim_list import CLAIMS
from correlate.tables.claims import claims
from correlate.tables.condensed import grids
from correlate.tables.control import RELATING, likelihood
from correlate.tables.layout import table
from correlate.tables.study import Study
from tests.correlate.test_wrong_pairs import conversation


def all_pairs(trials, holds):
    return [(a, b, holds(a, b)) for a in trials for b in trials if a != b]


TWELVE = [f"t{number}" for number in range(12)]


def cells_of_three(holds):
    """The 24 wrong pairs of twelve trials in four cells of three."""
    return [pair for start in range(0, 12, 3) for pair in all_pairs(TWELVE[start : start + 3], holds)]


def test_a_ratio_is_of_decided_pairs_with_half_a_yes_and_half_a_no_more():
    true = {"a": True, "b": True, "c": True, "d": False, "e": None}
    wrong = [("a", "b", True), ("b", "c", False), ("c", "a", False), ("e", "a", None)]
    found = likelihood(true, wrong, "seed")
    assert found.ratio == pytest.approx((3.5 / 5) / (1.5 / 4))
    assert found.low < found.ratio < found.high


@pytest.mark.parametrize(
    ("true", "wrong"),
    [({"a": None}, [("a", "b", True)]), ({"a": True}, [("a", "b", None)]), ({}, []), ({"a": True}, [])],
)
def test_there_is_no_ratio_where_nothing_is_decided_on_one_hand(true, wrong):
    assert likelihood(true, wrong, "seed") is None


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    true, wrong = dict.fromkeys(TWELVE, True), cells_of_three(lambda a, b: a < b)
    assert likelihood(true, wrong, "1") == likelihood(true, wrong, "1")
    assert likelihood(true, wrong, "1").low != likelihood(true, wrong, "2").low


def test_what_all_pairs_satisfy_does_not_discriminate_although_no_draw_differs():
    """(12.5 / 13) / (24.5 / 25) is not 1, and that of every resample would lie below 1."""
    found = likelihood(dict.fromkeys(TWELVE, True), cells_of_three(lambda a, b: True), "seed")
    assert found.ratio == pytest.approx((12.5 / 13) / (24.5 / 25))
    assert (found.low, found.high) == (pytest.approx(0.845, abs=0.01), pytest.approx(1.1, abs=0.02))
    assert not found.discriminates


def test_what_no_wrong_pair_satisfies_discriminates():
    found = likelihood(dict.fromkeys(TWELVE, True), cells_of_three(lambda a, b: False), "seed")
    assert found.ratio == pytest.approx((12.5 / 13) / (0.5 / 25))
    assert (found.low > 5, found.discriminates) == (True, True)


def test_what_wrong_pairs_satisfy_more_often_discriminates_as_well():
    found = likelihood(dict.fromkeys(TWELVE, False), cells_of_three(lambda a, b: True), "seed")
    assert (found.high < 0.3, found.discriminates) == (True, True)


def test_trials_are_drawn_and_not_pairs():
    """Half of the wrong pairs each time: of half of the callers all, or of every caller half."""
    true = dict.fromkeys(TWELVE, True)
    clustered = likelihood(true, all_pairs(TWELVE, lambda a, b: a in TWELVE[:6]), "seed")
    scattered = all_pairs(TWELVE, lambda a, b: (TWELVE.index(a) + TWELVE.index(b)) % 2 == 0)
    even = likelihood(true, scattered, "seed")
    assert clustered.ratio == pytest.approx(even.ratio, rel=0.1)
    assert clustered.high - clustered.low > 1.5 * (even.high - even.low)


def test_a_trial_of_another_scenario_is_drawn_among_its_like():
    """One trial that is drawn alone is there in every resample, whatever it is paired with."""
    alone = likelihood({"a": True}, [("a", "x", False), ("a", "y", True)], "seed")
    assert alone.ratio == pytest.approx((1.5 / 2) / (1.5 / 3))
    assert alone.low < 1 < alone.high


@pytest.fixture(scope="module")
def rows(tmp_path_factory, build):
    """Four calls of one cell, each with user ids of its own, all by one relay; and two that have no repetition."""
    calls = [conversation(build, number, 10 * number, 100 + 50 * number) for number in (1, 2, 3, 4)]
    calls += [conversation(build, 1, 30, 100, scenario="callee_hangs_up", service="video")]
    calls += [build.call(scenario="caller_cancels", service="video")]
    root = tmp_path_factory.mktemp("rows")
    build.dataset(root, calls, analysis={"relay_ports": [3478]})
    findings.write(Dataset(root), findings.measure_all(Dataset(root)))
    return claims(Study.of(Dataset(root)))


def of(made, claim, scenario="caller_hangs_up"):
    (row,) = (row for row in made.rows if (row["claim"], row["scenario"]) == (claim, scenario))
    return row


def shares(row):
    return row["n"], row["total"], row["wrong_pairs_n"], row["wrong_pairs"], row["discriminates"]


def test_a_planted_id_discriminates_and_a_relay_that_everybody_uses_does_not(rows):
    assert shares(of(rows, "same_user_ids")) == (4, 4, 0, 12, "yes")
    assert shares(of(rows, "shared_server")) == (4, 4, 12, 12, "does not discriminate")
    assert of(rows, "same_user_ids")["likelihood_ratio"] == pytest.approx((4.5 / 5) / (0.5 / 13))
    assert of(rows, "shared_server")["likelihood_ratio"] == pytest.approx((4.5 / 5) / (12.5 / 13))
    assert of(rows, "same_user_ids")["likelihood_low"] > 1 > of(rows, "shared_server")["likelihood_low"]


def test_wrong_pairs_are_judged_by_the_rule_of_the_claim(rows):
    """Durations differ by 9, 11 and more seconds; packets by 210 to 250 and 260 to 300 at least, which is alike."""
    assert shares(of(rows, "duration_matched_session"))[:4] == (4, 4, 0, 12)
    assert shares(of(rows, "symmetry_in_conversation"))[:4] == (4, 4, 2, 12)


def test_a_claim_of_one_side_and_one_of_addresses_have_no_control_and_say_why(rows):
    empty = ("wrong_pairs_n", "wrong_pairs", "wrong_pairs_undecided", "likelihood_ratio", "discriminates")
    for claim, why in (("three_udp_servers", "one side"), ("all_addresses_exposed", "same phones")):
        row = of(rows, claim)
        assert (row["control"], [row[key] for key in empty]) == (why, [None] * 5)
    assert of(rows, "same_user_ids")["control"] == "wrong pairs"
    assert of(rows, "same_user_ids", "callee_hangs_up")["control"] == "no wrong pair"


def test_a_claim_of_medians_stands_beside_the_medians_of_wrong_pairs_without_a_ratio(rows):
    """Each call is a second longer at its caller; callers of other calls are 9 s off and more."""
    medians = of(rows, "medians_below_1_4_s", "all")
    assert (medians["n"], medians["total"], medians["undecided"]) == (2, 4, 2)
    assert (medians["control"], *shares(medians)[2:]) == ("wrong pairs", 0, 1, None)
    assert (medians["likelihood_ratio"], medians["wrong_pairs_undecided"]) == (None, 3)
    alike = of(rows, "voice_and_video_alike_before_answer", "caller_cancels")
    assert (alike["control"], alike["wrong_pairs"]) == ("one side", None)


def test_cells_of_wrong_pairs_are_read_as_cells():
    cells = shown(unit="cells", wrong_pairs_n=1, wrong_pairs=4, likelihood_low=None, discriminates=None)
    assert [str(line) for line in chance.lines([cells])] == ["wrong pairs 1/4 cells"]


def test_one_repetition_is_paired_over_scenarios_of_its_kind_and_says_so(tmp_path, build):
    calls = [conversation(build, 1, 11, 120), conversation(build, 1, 20, 120, scenario="callee_hangs_up")]
    build.dataset(tmp_path, calls, analysis={"relay_ports": [3478]})
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = of(claims(Study.of(Dataset(tmp_path))), "shared_server")
    assert (row["control"], *shares(row)) == (
        "wrong pairs over scenarios of one kind",
        *(1, 1, 1, 1, "does not discriminate"),
    )


def test_a_row_says_how_many_of_its_wrong_pairs_are_over_scenarios(tmp_path, build):
    """A cell of two repetitions and one of a single trial, voice and video, in one row."""
    calls = [conversation(build, number, 11, 120, scenario="caller_hangs_up") for number in (1, 2)]
    calls += [
        conversation(build, 1, 11, 120, service="video"),
        conversation(build, 1, 9, 120, scenario="callee_hangs_up"),
    ]
    calls += [conversation(build, 1, 9, 120, scenario="callee_hangs_up", service="video")]
    build.dataset(tmp_path, calls, analysis={"relay_ports": [3478]})
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    made = claims(Study.of(Dataset(tmp_path)))
    assert of(made, "shared_server")["control"] == "wrong pairs (1 of 3 over scenarios of one kind)"
    assert of(made, "shared_server", "callee_hangs_up")["control"] == "wrong pairs over scenarios of one kind"
    assert [of(made, "shared_server", each)["wrong_pairs"] for each in ("caller_hangs_up", "callee_hangs_up")] == [3, 3]


def test_both_trials_of_a_wrong_pair_are_of_those_that_the_claim_speaks_of(tmp_path, build):
    calls = [conversation(build, number, 11, 120) for number in (1, 2)] + [build.call(repetition=3)]
    build.dataset(tmp_path, calls, analysis={"relay_ports": [3478]})
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    made = claims(Study.of(Dataset(tmp_path)))
    symmetry = of(made, "symmetry_in_conversation")
    assert (*shares(symmetry)[:4], symmetry["wrong_pairs_undecided"]) == (2, 2, 2, 2, 0)
    assert shares(of(made, "shared_server"))[:4] == (2, 3, 2, 6)


def test_a_conversation_that_nobody_answered_decides_no_wrong_pair(tmp_path, build):
    calls = [conversation(build, 1, 11, 120, ring_s=9.0), *(conversation(build, number, 11, 120) for number in (2, 3))]
    build.dataset(tmp_path, calls, analysis={"relay_ports": [3478]})
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    row = of(claims(Study.of(Dataset(tmp_path))), "shared_server")
    assert (row["n"], row["undecided"]) == (2, 1)
    assert (row["wrong_pairs_n"], row["wrong_pairs"], row["wrong_pairs_undecided"]) == (2, 2, 4)
    assert row["likelihood_ratio"] == pytest.approx((2.5 / 3) / (2.5 / 3))


def test_every_claim_that_relates_two_sides_is_one():
    assert set(RELATING) <= {claim.name for claim in CLAIMS}
    assert {claim.section for claim in CLAIMS if claim.name in RELATING} == {"4.2", "4.3", "4.4", "4.6"}


def shown(**keys):
    row = {"claim": "shared_server", "app": "maple", "scenario": "caller_cancels", "n": 4, "control": "wrong pairs"}
    row |= {"wrong_pairs_n": 12, "wrong_pairs": 12, "wrong_pairs_undecided": 0, "likelihood_ratio": 0.936}
    return row | {"likelihood_low": 0.7041, "likelihood_high": 1.12, "discriminates": "does not discriminate"} | keys


def test_scenarios_with_the_same_share_of_wrong_pairs_have_one_line_with_the_outermost_ends():
    rows = [shown(), shown(scenario="callee_rejects", likelihood_low=0.6, likelihood_high=1.1)]
    assert [str(line) for line in chance.lines(rows)] == [
        "wrong pairs 12/12, LR 0.936 [0.6, 1.12] [does not discriminate]"
    ]


def test_other_shares_have_lines_of_their_own_with_the_scenario():
    yes = {"wrong_pairs_n": 0, "likelihood_ratio": 23.4, "likelihood_low": 3.0, "likelihood_high": 4e5}
    rows = [shown(), shown(scenario="callee_rejects", **yes, discriminates="yes", wrong_pairs_undecided=2)]
    assert [str(line) for line in chance.lines(rows)] == [
        "caller cancels: wrong pairs 12/12, LR 0.936 [0.704, 1.12] [does not discriminate]",
        "callee rejects: wrong pairs 0/12, LR 23.4 [3, > 1000] [2 undecided]",
    ]


def test_what_no_pair_satisfies_has_no_ratio_to_read_and_what_has_no_control_has_no_line():
    assert [line.ours for line in chance.lines([shown(n=0, wrong_pairs_n=0)])] == ["wrong pairs 0/12"]
    nothing = shown(control="no wrong pair", wrong_pairs_n=None, wrong_pairs=None, discriminates=None)
    assert [str(line) for line in chance.lines([nothing])] == ["no wrong pair"]
    assert chance.lines([shown(control="one side")]) == []


def test_the_claims_that_do_not_discriminate_are_listed_with_the_apps():
    rows = [
        shown(),
        shown(app="oak"),
        shown(app="oak", scenario="callee_rejects", discriminates="yes"),
        shown(claim="same_user_ids", n=0),
        shown(claim="p2p_duration_matched", discriminates="yes"),
        shown(claim="three_udp_servers", control="one side", discriminates=None),
    ]
    assert chance.not_discriminating(table("claims", "C", "claim", rows, [], "measured")) == (
        "Do not discriminate, legs of two different calls (wrong pairs) may satisfy these as often (the interval of "
        "the likelihood ratio LR contains 1): shared server (maple, oak in 1 of 2 scenarios)"
    )
    assert chance.not_discriminating(table("claims", "C", "claim", rows[3:], [], "measured")) == ""


def test_the_shape_to_read_has_the_control_below_each_share_and_the_list_above(rows):
    (shape,) = grids(rows)
    cells = {str(row[1][0]): row for row in shape.rows}
    assert shape.caption.startswith("Do not discriminate, ")
    assert shape.caption.endswith(": shared server (maple)")
    shared = [str(line) for line in cells["shared server"][2]]
    assert [line.partition(" [")[0] for line in shared] == [
        "caller cancels: 0/1",
        "no wrong pair",
        "caller hangs up: 4/4",
        "wrong pairs 12/12, LR 0.936",
        "callee hangs up: 1/1",
        "no wrong pair",
    ]
    assert str(cells["three udp servers"][1][-1]) == "no control: one side"
