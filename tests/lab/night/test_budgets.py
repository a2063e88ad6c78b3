"""What a night may still take: which trials a data plan, a SIM's last day and the hours leave for another night."""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path

import pytest

from lab.commands import lab_checks
from lab.commands.show import expected_s
from lab.definitions.budgets import Budgets, DataPlan, Sim
from lab.night import budgets
from lab.night.budgets import ON_TOP, Data, End, Ledger, Limit, expected_bytes
from lab.night.costs import Spent
from lab.night.folders import Place, replace
from lab.night.history import History
from lab.run.options import Options
from lab.run.plan import Run, prepare
from tests.lab.night.nights import night

ROOT = Path(__file__).parents[3]
TODAY = datetime.date(2026, 11, 28)
EVENING = round(datetime.datetime(2026, 11, 28, 21, 30).astimezone().timestamp() * 1e9)
MB = 10**6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = str(tmp_path_factory.mktemp("budgets") / "dataset")
    return prepare(Options(matrix="smoke", dataset=folder, scenarios=str(ROOT / "scenarios")))


def having(run: Run, **given: object) -> Run:
    return replace(run, spec=run.spec.model_copy(update={"budgets": Budgets(**given)}))


def spent(phone: str, day: int, data_bytes: int) -> Spent:
    date = datetime.date(2026, 11, day)
    return Spent(phone=phone, date=date, trials=1, calls=1, load_s=60, data_bytes=data_bytes, flash_bytes=0)


def test_a_trial_that_would_exceed_a_data_plan_is_left_and_a_cheaper_one_is_not(run: Run) -> None:
    dear = max(run.planned, key=lambda item: expected_bytes(run, item))
    cheap = min(run.planned, key=lambda item: expected_bytes(run, item))
    assert expected_bytes(run, dear) > 10 * expected_bytes(run, cheap)
    now = having(run, sims=[Sim(name="pixel6", data_plan=DataPlan(mb=100, from_day=15))])
    # 100 MB hold 83.3 MB of what is recorded.
    ledger = Ledger((spent("pixel6", 15, 30 * MB), spent("pixel6", 14, 90 * MB), spent("pixel6pro", 20, 90 * MB)))
    data = Data.of(now.spec, ledger, TODAY)
    assert (data.used["pixel6"], [text for _, _, text in data.told()]) == (
        30 * MB,
        ["about 36 of 100 MB of its data plan from 2026-11-15 to 2026-12-14"],
    )
    limit = Limit(now, lambda: EVENING, End(None), data)
    assert limit(dear)
    data.used["pixel6"] = round(100 * MB / ON_TOP) - expected_bytes(run, dear) + 1
    assert (limit(dear), limit(cheap)) == (False, True)
    why = "the data plan of pixel6, 100 MB a month, would be exceeded; it is new on 2026-12-15"
    assert limit.told() == [f"1 trial is left: {why}"]
    data.used["pixel6"] -= 1
    assert (limit(dear), limit.told()) == (True, [])


def test_an_attempt_that_is_void_counts_as_it_was_expected_until_the_night_is_over(run: Run) -> None:
    now = having(run, sims=[Sim(name="pixel6", data_plan=DataPlan(mb=100))])
    data, item = Data.of(now.spec, Ledger(), TODAY), run.planned[0]
    data.voided(now, item.trial.id)
    data.completed(now, item.trial.id)  # which has no record
    assert data.used == Counter({name: 2 * expected_bytes(run, item) for name in ("pixel6", "pixel6pro")})


def test_no_trial_begins_that_would_end_after_the_last_day_of_a_sim(run: Run) -> None:
    item = run.planned[0]
    midnight = round(datetime.datetime(2026, 11, 29).astimezone().timestamp() * 1e9)
    takes_ns = round(expected_s(run, item)[0] * 1e9)
    now = having(run, sims=[Sim(name="pixel6pro", sim_expires=TODAY)])
    nothing = Data.of(now.spec, Ledger(), TODAY)
    assert Limit(now, lambda: midnight - takes_ns - 10**9, End(None), nothing)(item)
    late = Limit(now, lambda: midnight - takes_ns, End(None), nothing)
    assert (late(item), late.told()) == (False, ["1 trial is left: the SIM of pixel6pro works until 2026-11-28 alone"])


@pytest.mark.parametrize(
    ("hours", "until_h", "end_h", "why"),
    [
        (8, None, 8, "they would end after the 8 hours of a night (budgets)"),
        (8, 9, 8, "they would end after the 8 hours of a night (budgets)"),
        (8, 7, 7, "they would end after 04:30"),
        (None, 7, 7, "they would end after 04:30"),
        (None, None, None, ""),
    ],
)
def test_a_night_ends_by_what_is_earlier(
    run: Run, hours: float | None, until_h: int | None, end_h: int | None, why: str
) -> None:
    now = having(run, hours=hours)
    until_ns = None if until_h is None else EVENING + until_h * 3600 * 10**9
    expected = None if end_h is None else EVENING + end_h * 3600 * 10**9
    assert budgets.ends(now.spec, EVENING, until_ns) == End(expected, why)


def test_what_nights_took_stands_in_their_lines_and_one_of_which_nobody_can_tell_is_named(
    run: Run, tmp_path: Path
) -> None:
    place = Place(tmp_path / "2026-11-28", tmp_path / "2026-11-27/dataset", 1)
    lines = [
        night(0, {}, dataset="2026-11-25", spent=[spent("pixel6", 25, 5)]),
        night(1, {}, dataset="2026-11-26"),
        night(2, {}, dataset="2026-11-27", spent=[spent("pixel6", 27, 7)]),
    ]
    found = Ledger.of(run.spec, place, History(tuple(lines), ()))
    assert (found.others, found.own) == ((spent("pixel6", 25, 5),), (spent("pixel6", 27, 7),))
    assert found.unknown == ("2026-11-26: its line is of an earlier version, and its dataset is no more",)
    since = [found.data_bytes("pixel6", datetime.date(2026, 11, day)) for day in (25, 26, 28)]
    assert since == [12, 7, 0]


def test_a_sim_that_expires_soon_and_a_plan_that_is_nearly_used_up_are_told(run: Run) -> None:
    sims = [
        Sim(name="pixel6", sim_expires=TODAY, data_plan=DataPlan(mb=100)),
        Sim(name="pixel6pro", sim_expires=datetime.date(2026, 12, 6), data_plan=DataPlan(mb=100)),
    ]
    data = Data(sims, TODAY, Counter({"pixel6": 70 * MB, "pixel6pro": 66 * MB}))
    assert list(budgets.notes(sims, data, datetime.date(2026, 11, 29))) == [
        "pixel6: now it has used about 84 of 100 MB of its data plan from 2026-11-01 to 2026-11-30; top it up, or let "
        "trials wait",
        "pixel6: its SIM works until 2026-11-28, the night goes on to 2026-11-29; renew it",
    ]
    # Six days before it is told, seven days before it is not.
    last = [text for _, text in budgets.expiring(sims, datetime.date(2026, 11, 30))]
    assert "its SIM works until 2026-12-06 alone" in last


def test_the_doctor_fails_a_sim_that_does_not_work_through_the_coming_night() -> None:
    ends = [datetime.date(2026, 11, day) for day in (27, 28, 29)]
    checks = [next(lab_checks.sims([Sim(name="pixel6", sim_expires=day)], TODAY)) for day in ends]
    assert [check.ok for check in checks] == [False, False, True]
    assert checks[1].found == "works until 2026-11-28"
    assert list(lab_checks.sims([Sim(name="pixel6")], TODAY)) == []
