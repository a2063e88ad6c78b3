"""Linking: known legs with known answers, and that the tested app teaches nothing."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest

from correlate import link, report
from correlate.dataset import Dataset
from correlate.link import choice, measures, population
from correlate.link.features import FEATURES, NAMES, Ids, Pairing, chosen, crowd, skewed
from correlate.link.legs import Call, Leg, groups
from correlate.pairs.window import Amounts

T0_NS = 1_700_000_000_000_000_000
QUIET = Leg(
    first_ns=T0_NS, last_ns=T0_NS + 20_000_000_000, bound_ns=1_000_000,
    tx=Amounts(900, 90_000), rx=Amounts(900, 90_000), media_bytes_per_s=4_500.0, servers=frozenset({"192.0.2.50"}),
    groups=frozenset({"192.0.0.0/16"}), ports=frozenset({3478}), user_ids=frozenset(), own=frozenset(),
    shown=frozenset(),
)  # fmt: skip


def distinct(count, app):
    """Calls that everything tells apart: lengths, volumes, user ids, addresses."""
    made = []
    for index in range(count):
        last_ns = T0_NS + (20 + index) * 1_000_000_000
        size = 50_000 * (index + 1)
        mine, theirs = f"{app}: 203.0.113.{index}", f"{app}: 198.51.100.{index}"
        leg = dataclasses.replace(
            QUIET, last_ns=last_ns, tx=Amounts(900, size), rx=Amounts(900, size + 7), media_bytes_per_s=size / 20,
            user_ids=frozenset({f"{app}{index:04}"}), own=frozenset({mine}), shown=frozenset({theirs}),
        )  # fmt: skip
        other = dataclasses.replace(
            leg, tx=Amounts(900, size + 7), rx=Amounts(900, size), own=frozenset({theirs}), shown=frozenset({mine})
        )
        made.append(Call(f"{app}-{index:02}", app, leg, other))
    return made


def identical(count, app):
    """Calls that nothing but their start tells apart."""
    return [Call(f"{app}-{index:02}", app, QUIET, QUIET) for index in range(count)]


def noisy(count, app):
    """Calls whose two legs are alike, but not the same."""
    chance, made = np.random.default_rng(population.number(app)), []
    for index in range(count):
        length_s, size = chance.uniform(10, 40), chance.lognormal(11, 0.6)

        def leg(late_s, length_s=length_s, size=size):
            bytes_each_way = [int(size * chance.lognormal(0, 0.05)) for _ in range(2)]
            tx, rx = (Amounts(size // 100, size) for size in bytes_each_way)
            first_ns = T0_NS + int(late_s * 1e9)
            last_ns = first_ns + int((length_s + chance.normal(0, 0.3)) * 1e9)
            rate = rx.payload_bytes / length_s
            return dataclasses.replace(QUIET, first_ns=first_ns, last_ns=last_ns, tx=tx, rx=rx, media_bytes_per_s=rate)

        made.append(Call(f"{app}-{index:02}", app, leg(0.0), leg(chance.exponential(0.4))))
    return made


def rows_of(calls, load=1, app="all", skew_s=0.0):
    return {row["score"]: row for row in link.rank_all(calls, "7", [(load, skew_s)]) if row["app"] == app}


def test_legs_that_everything_tells_apart_are_linked_at_once():
    rows = rows_of(distinct(20, "maple") + distinct(20, "birch"))
    best = rows["all dimensions"]
    assert (best["n"], best["precision_at_1"], best["precision_at_10"], best["rank"]) == (40, 1.0, 1.0, 1.0)
    assert best["precision_at_1_low"] == pytest.approx(0.94, abs=0.01)
    assert best["precision_at_1_high"] == 1.0
    assert best["tpr_at_fpr_1e3"] == 1.0
    assert best["anonymity_bits"] < 0.1
    assert best["top_posterior"] > 0.99
    assert rows["only endpoints"]["precision_at_1"] == 1.0
    assert rows["user id equality"]["precision_at_1"] == 1.0
    assert rows["only servers"]["precision_at_1"] < 0.1


def test_identical_legs_rank_as_chance_does():
    calls = identical(20, "maple") + identical(20, "birch")
    size = population.calls_an_hour(calls, 1)
    assert size == 180
    row = rows_of(calls)["without duration"]
    assert row["rank"] == (size + 1) / 2
    assert row["rank_low"] < row["rank"] < row["rank_high"]
    assert row["precision_at_1"] == row["top_posterior"] == pytest.approx(1 / size)
    assert row["precision_at_10"] == pytest.approx(10 / size)
    assert row["anonymity_bits"] == pytest.approx(math.log2(size))
    assert row["tpr_at_fpr_1e3"] == pytest.approx(1e-3)


def test_the_entropy_of_a_uniform_posterior_is_the_logarithm_of_its_size():
    assert measures.entropy_bits(choice.posterior(np.zeros(64))) == pytest.approx(6.0)
    assert measures.entropy_bits(np.array([1.0, 0.0, 0.0])) == 0.0


def test_ranks_and_precision_break_ties_by_expectation():
    above, tied = measures.place(np.array([[9.0, 5.0, 5.0, 5.0, 1.0], [1.0, 2.0, 3.0, 0.0, 0.0]]), 2)
    assert (above.tolist(), tied.tolist()) == ([1, 0], [2, 0])
    assert measures.rank(above, tied).tolist() == [3.0, 1.0]
    assert measures.precision_at(1, above, tied).tolist() == [0.0, 1.0]
    assert measures.precision_at(2, above, tied).tolist() == [pytest.approx(1 / 3), 1.0]
    assert measures.precision_at(10, above, tied).tolist() == [1.0, 1.0]


def accepted(true, negatives, rate, parts=1):
    threshold = measures.Threshold(len(negatives), rate)
    for part in np.array_split(negatives, parts):
        threshold.add(part)
    return threshold.accepted(true).tolist()


def test_true_positives_at_a_false_positive_rate_of_a_hand_made_list():
    negatives = np.array([9.0, 7.0, 5.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    true = np.array([10.0, 8.0, 7.0, 6.0, 0.0])
    assert accepted(true, negatives, 0.1) == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert accepted(true, negatives, 0.2) == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert accepted(true, negatives, 0.7) == [1.0, 1.0, 1.0, 1.0, pytest.approx(0.4)]
    assert accepted(true, negatives, 1.0) == [1.0, 1.0, 1.0, 1.0, 1.0]


def test_the_threshold_is_the_same_however_the_scores_come():
    chance = np.random.default_rng(7)
    for rate in (0.0, 0.001, 0.03, 0.5):
        negatives = np.round(chance.normal(size=4000), 1)  # with many ties
        true = np.round(chance.normal(2, 1, size=50), 1)
        at_once = np.sort(negatives)[::-1][int(rate * 4000)]
        passed = [1.0 if one > at_once else 0.0 for one in true if one != at_once]
        assert [
            share for share, one in zip(accepted(true, negatives, rate), true, strict=True) if one != at_once
        ] == passed
        for order in (negatives, np.sort(negatives), np.sort(negatives)[::-1]):
            assert accepted(true, order, rate, parts=130) == accepted(true, negatives, rate)


@pytest.mark.parametrize(
    ("ones", "low", "high"), [(0, 0.0, 0.217), (1, 0.011, 0.381), (5, 0.224, 0.776), (10, 0.783, 1.0)]
)
def test_the_interval_of_zeros_and_ones_is_jeffreys_and_has_width_at_the_edges(ones, low, high):
    """n = 10: Brown, Cai and DasGupta 2001, table 5."""
    found = measures.interval([1.0] * ones + [0.0] * (10 - ones), seed=3)
    assert found == pytest.approx((low, high), abs=0.02)


def test_the_interval_of_equal_values_has_width_and_holds_their_mean():
    low, high = measures.interval([0.25] * 12, seed=3)
    assert 0.2 < low < 0.25 < high < 0.45
    low, high = measures.interval([1.0] * 12, seed=3, ends=(1.0, 101.0))
    assert (low, 10 < high < 30) == (1.0, True)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.5]
    assert measures.interval(values, seed=3) == measures.interval(values, seed=3)
    assert measures.interval(values, seed=3) != measures.interval(values, seed=4)


def learned(calls, tested, skew_s=0.0):
    return link.Lesson.without(tested, calls, 1, "7").learned(skew_s)


def test_the_tested_app_is_never_learned_from():
    others, tested = distinct(8, "birch"), distinct(8, "maple")
    poison = dataclasses.replace(QUIET, tx=Amounts(900, 10**12), media_bytes_per_s=float("nan"))
    poisoned = [dataclasses.replace(call, caller=poison, callee=poison) for call in tested]
    clean = learned(others + tested, "maple")
    for one, other in zip(clean, learned(others + poisoned, "maple"), strict=True):
        assert one.weights.tolist() == other.weights.tolist()
        assert np.isfinite(one.weights).all()
    assert not np.isfinite(learned(others + poisoned, "birch")[0].weights).all()


def test_a_dimension_that_is_off_has_no_weight():
    scores = dict(zip(link.CHOICES, learned(distinct(8, "a") + distinct(8, "b"), "a"), strict=True))
    on = chosen(["signalling"])
    assert (scores["only signalling"].weights[~on] == 0).all()
    assert (scores["without signalling"].weights[on] == 0).all()
    assert scores["only signalling"].weights[on].sum() > 0


def test_every_feature_belongs_to_one_dimension_and_has_a_column():
    calls = distinct(3, "a")
    (hour,) = population.hours(calls, 1, "7")
    assert Pairing(calls).features(hour, 0, Ids(calls, hour)).shape == (len(NAMES), len(hour))
    assert chosen(FEATURES).all()


def test_hours_hold_as_many_calls_as_the_load_takes_and_every_call_once_as_recorded():
    calls = identical(30, "maple")
    made = population.hours(calls, 0.1, "7")
    assert [len(hour) for hour in made] == [18, 18]
    assert sorted(of for hour in made for of in hour.of[: hour.queries].tolist()) == list(range(30))
    assert all((hour.copy[: hour.queries] == 0).all() and (hour.copy[hour.queries :] > 0).all() for hour in made)
    again = population.hours(calls, 0.1, "7")
    assert all((one.start_s == other.start_s).all() for one, other in zip(made, again, strict=True))
    assert (population.hours(calls, 0.1, "8")[0].start_s != made[0].start_s).all()


def test_copies_of_a_call_are_calls_of_other_people():
    assert population.pseudonyms(["abcd"], 0) == population.pseudonyms(["abcd"], 0)
    assert population.pseudonyms(["abcd"], 0) != population.pseudonyms(["abcd"], 1)
    calls = distinct(4, "maple")
    (hour,) = population.hours(calls, 1, "7")
    ids = Ids(calls, hour)
    for query in range(hour.queries):
        rows = np.arange(len(hour))
        (seen, _), (shared, _) = ids.endpoints(query, rows), ids.shared_user_ids(query, rows)
        assert np.flatnonzero(seen).tolist() == np.flatnonzero(shared).tolist() == [query]


@pytest.mark.parametrize(("load", "skew_s"), [(1, 0.0), (10, 0.0), (10, 1.0), (10, 4.0)])
def test_the_largest_posterior_is_on_average_as_large_as_the_first_is_often_right(monkeypatch, load, skew_s):
    monkeypatch.setattr(link, "CHOICES", {"all dimensions": tuple(FEATURES)})
    calls = [call for app in ("maple", "birch", "alder") for call in noisy(40, app)]
    row = rows_of(calls, load, skew_s=skew_s)["all dimensions"]
    assert row["top_posterior"] == pytest.approx(row["precision_at_1"], abs=0.05)
    assert row["top_posterior_low"] < row["top_posterior"] < row["top_posterior_high"]


def test_without_its_one_factor_the_posterior_is_too_even(monkeypatch):
    calls = [call for app in ("maple", "birch", "alder") for call in noisy(40, app)]
    monkeypatch.setattr(link, "CHOICES", {"all dimensions": tuple(FEATURES)})
    monkeypatch.setattr(choice, "_sharper", lambda scores, weight: 0.5)
    row = rows_of(calls, 10, skew_s=1.0)["all dimensions"]
    assert row["top_posterior"] < row["precision_at_1"] - 0.05


def test_the_more_the_collectors_clocks_are_off_the_fewer_legs_are_linked():
    calls = noisy(20, "maple") + noisy(20, "birch")
    rows = [rows_of(calls, 10, skew_s=skew_s) for skew_s in (0.0, 2.0, 20.0)]
    found = [row["only duration"]["precision_at_1"] for row in rows]
    assert found[0] > found[1] > 0.7 > found[2]
    assert [set(row) for row in rows[1:]] == [{*link.choices(2.0), "start only"}] * 2


def test_both_times_of_a_leg_are_off_by_its_own_collectors_clock():
    calls = distinct(3, "maple")
    pairing = Pairing(calls)
    ((exact, ids),) = crowd(calls, 1, "7")
    ((hour, _),) = skewed([(exact, ids)], 2.0)
    rows = np.arange(len(hour))
    for query in range(3):
        shift_s = 2.0 * (hour.off[1] - hour.off[0, query])
        for off, right in zip(pairing._apart_s(hour, query, rows), pairing._apart_s(exact, query, rows), strict=True):
            assert off == pytest.approx(right + shift_s)
    features, right = pairing.features(hour, 0, ids), pairing.features(exact, 0, ids)
    lengths = [NAMES.index(name) for name in ("length_100_ms", "length_1_s", "length_10_s")]
    assert features[lengths].tolist() == right[lengths].tolist()
    assert right[lengths[1]][:3] == pytest.approx(
        np.log((np.abs(hour.of[:3] - hour.of[0]) + 0.002 + 1) / (41 + hour.of[:3] + hour.of[0]))
    )
    apart_s = pairing._apart_s(hour, 0, rows)[0]
    width_s = 0.002 + 2.0 * math.sqrt(2)
    assert features[NAMES.index("start_1_s")] == pytest.approx(np.log(np.abs(apart_s) + width_s + 1.0))
    assert features[NAMES.index("in_order")].tolist() == (apart_s >= -width_s).astype(float).tolist()


def test_the_offsets_of_many_collectors_are_normal_and_the_same_at_every_skew():
    ((hour, _),) = crowd(identical(30, "maple"), 10, "7")
    assert hour.off.shape == (2, 1800)
    assert (np.mean(hour.off), np.std(hour.off)) == (pytest.approx(0.0, abs=0.05), pytest.approx(1.0, abs=0.05))
    assert np.corrcoef(hour.off)[0, 1] == pytest.approx(0.0, abs=0.05)


def test_wrong_partners_are_drawn_from_the_likely_and_stand_for_all():
    calls = distinct(4, "maple")
    calls[2] = dataclasses.replace(
        calls[2], callee=dataclasses.replace(calls[2].callee, user_ids=frozenset({"maple0001"}))
    )
    pairing, chance = Pairing(calls), np.random.default_rng(7)
    ((hour, ids),) = crowd(calls, 2, "7")
    query, sharer = hour.of.tolist().index(1), hour.of.tolist().index(2)
    likely = pairing.likely(hour, query, ids, choice.LIKELY).tolist()
    nearest = np.argsort(np.abs(pairing._apart_s(hour, query, np.arange(len(hour)))[0]), kind="stable").tolist()
    nearest = [row for row in nearest if row not in (query, sharer)]
    assert set(likely) == {sharer, *nearest[: choice.LIKELY - 1]}
    rows, weight = choice._drawn(pairing, hour, query, ids, chance)
    assert (rows[0], set(rows[1 : choice.LIKELY + 1].tolist())) == (query, set(likely))
    assert len(set(rows.tolist())) == len(rows) < len(hour)
    assert np.exp(weight).sum() == pytest.approx(len(hour))


def test_where_there_are_few_others_each_is_a_wrong_partner_once():
    calls = distinct(3, "maple")
    ((hour, ids),) = crowd(calls, 0.1, "7")
    rows, weight = choice._drawn(Pairing(calls), hour, 0, ids, np.random.default_rng(7))
    assert len(hour) < choice.LIKELY
    assert sorted(rows[np.isfinite(weight)].tolist()) == list(range(len(hour)))
    assert weight[np.isfinite(weight)].tolist() == [0.0] * len(hour)


def test_a_server_without_a_name_is_grouped_by_its_network_and_twins_by_their_name():
    names = {"192.0.2.50": "relay6-shv-01.example.org", "2001:db8::50": "relay-shv-02.example.org"}
    assert set(groups(["192.0.2.50", "2001:db8::50"], names)) == {"relay-shv-.example.org"}
    assert set(groups(["192.0.2.50", "2001:db8::50"], {})) == {"192.0.0.0/16", "2001:db8::/32"}


A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def talk(build, **keys):
    call = build.call(**keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 111.0, 120, 110)  # long, so that few calls begin in an hour
    return call


def test_a_dataset_of_two_apps_and_twenty_conversations_gets_its_rows(tmp_path, build):
    calls = [talk(build, app=app, repetition=number) for app in ("maple", "birch") for number in range(1, 11)]
    build.dataset(tmp_path, calls)
    report.build(Dataset(tmp_path))
    rows = link.read(Dataset(tmp_path))
    of_times = [name for name, used in link.CHOICES.items() if "duration" in used]
    assert (len(link.CHOICES), len(of_times)) == (13, 7)
    assert len(rows) == (3 * (13 + 3) + 3 * (7 + 1)) * 3
    assert {(row["load"], row["skew_s"]) for row in rows} == {
        ("1", "0"), ("10", "0"), ("100", "0"), ("100", "0.5"), ("100", "2"), ("100", "5"),
    }  # fmt: skip
    assert {row["assumes"] for row in rows} == {
        "strangers are copies of the lab's own calls, each with a partner, at most 100 in progress"
    }
    assert {row["provenance"] for row in rows} == {"modelled"}
    assert [row["n"] for row in rows if row["app"] == "all"] == ["20"] * 72
    first = (tmp_path / "findings/link.csv").read_bytes()
    link.write(Dataset(tmp_path))
    assert (tmp_path / "findings/link.csv").read_bytes() == first
    page = (tmp_path / "report.html").read_text()
    assert 'id="linking"' in page
    assert (
        "It assumes: strangers are copies of the lab&#39;s own calls, each with a partner, at most 100 in progress."
        in page
    )


def test_a_small_dataset_says_why_it_is_not_linked(tmp_path, build):
    build.dataset(tmp_path, [talk(build)])
    report.build(Dataset(tmp_path))
    (row,) = link.read(Dataset(tmp_path))
    assert row["reason"] == "1 of the 2 apps it takes: the tested app is left out of learning"
    assert row["precision_at_1"] == ""
    assert f"Not computed: {row['reason']}." in (tmp_path / "report.html").read_text()


def test_nineteen_conversations_are_too_few(tmp_path, build):
    calls = [talk(build, app=app, repetition=n) for app in ("maple", "birch") for n in range(1, 11)]
    build.dataset(tmp_path, calls[:-1])
    link.write(Dataset(tmp_path))
    assert link.read(Dataset(tmp_path))[0]["reason"] == "19 of the 20 conversations it takes"


def test_every_column_is_explained():
    page = (Path(__file__).parents[2] / "docs/dataset.md").read_text().split("### link.csv")[1].split("\n## ")[0]
    plain = {re.sub(r"_(low|high)$", "", column) for column in link.COLUMNS}
    assert plain - set(re.findall(r"`(\w+)`", page)) == set()
