"""What a stranger reads of the coming night, at 80 columns."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from lab.commands.checks import Check
from lab.definitions.budgets import Budgets, DataPlan, Sim
from lab.night import budgets
from lab.night.costs import Battery, Spent
from lab.night.folders import Place, replace
from lab.night.history import History
from lab.night.plan import Ahead, folded
from lab.run.options import Options
from lab.run.plan import Run, prepare
from tests.lab.night.nights import night

ROOT = Path(__file__).parents[3]
EVENING = round(datetime.datetime(2026, 11, 28, 21, 30).astimezone().timestamp() * 1e9)


@pytest.fixture
def ahead(tmp_path: Path) -> Ahead:
    place = Place(tmp_path / "2026-11-28", tmp_path / "2026-11-28/dataset", 1)
    run = prepare(Options(matrix="smoke", dataset="nights/2026-11-28/dataset", scenarios=str(ROOT / "scenarios")))
    sims = [Sim(name="pixel6", data_plan=DataPlan(mb=100), sim_expires=datetime.date(2026, 12, 2))]
    run: Run = replace(run, spec=run.spec.model_copy(update={"budgets": Budgets(hours=0.1, sims=sims)}))
    took = {"trials": 60, "calls": 58, "load_s": 5400, "data_bytes": 60_000_000, "flash_bytes": 30_000_000}
    spent = Spent(phone="pixel6", date=datetime.date(2026, 11, 27), **took)
    nights = (night(0, {}, dataset="2026-11-26"), night(1, {}, dataset="2026-11-27", spent=[spent]))
    until_ns = EVENING + 9 * 3600 * 10**9
    ahead = Ahead(run, place, History(nights, ()), EVENING, until_ns)
    ahead.account.batteries.found["pixel6"] = Battery(level=90, health="good", charge_uah=4_140_000, cycles=None)
    return ahead


def test_the_plan_is_whole_at_80_columns(ahead: Ahead) -> None:
    checks = [
        Check("reachable", "pixel6pro", False, "pixel6pro: device unauthorized", "connect it and accept its prompt"),
        Check("parked", "virtual", False, "whatsapp: logged_out", "mend it, then type invoke unpark APP"),
        Check("battery", "pixel6", False, "12%", "charge it"),
        Check("agent", "pixel6", True, "tells what is on the screen", ""),
    ]
    told = list(folded([*ahead.lines(), *ahead.for_a_person(checks)], 80))
    assert max(map(len, told)) <= 80
    assert told == [
        "Night     bench virtual, matrix smoke, into nights/2026-11-28/dataset",
        "Trials    6 of 20 that are missing",
        "          14 trials are left: they would end after the 0.1 hours of a night",
        "          (budgets)",
        "Time      about 6 min of the 6 min until 21:36, bench time, which the virtual",
        "          bench does not wait for",
        "Data      on fixed about 20 MB of calls",
        "          on lte about 20 MB of calls",
        "Calls     whatsapp on pixel6: 2 placed, 4 received",
        "          whatsapp on pixel6pro: 4 placed, 2 received",
        "          at most 12 an hour and 80 a day of an app (caps)",
        "SIMs      pixel6: used about 72 of 100 MB of its data plan from 2026-11-01 to",
        "          2026-11-30; after the night about 97 of 100 MB",
        "          pixel6: works until 2026-12-02",
        "Wear      pixel6: nights of 1 date, 60 trials, 58 calls, 1.5 h in trials, 30 MB",
        "          of captures on its storage; battery: health good, a full charge about",
        "          4600 mAh, cycles unknown, dumpsys battery has none",
        "          pixel6pro: nights of 0 dates, 0 trials, 0 calls, 0.0 h in trials, 0 MB",
        "          of captures on its storage; battery: unknown, it was not asked",
        "          unknown: 2026-11-26: its line is of an earlier version, and its",
        "          dataset is no more",
        "To do     log in, or mend what an app says:",
        "          - virtual: whatsapp: logged_out: mend it, then type invoke unpark APP",
        "          - invoke unpark APP --bench virtual --dataset",
        "            nights/2026-11-28/dataset",
        "          accept a key:",
        "          - pixel6pro: device unauthorized: connect it and accept its prompt",
        "          top up:",
        "          - pixel6: after the night it has used about 97 of 100 MB of its data",
        "            plan from 2026-11-01 to 2026-11-30; top it up, or let trials wait",
        "          - pixel6: its SIM works until 2026-12-02 alone; renew it",
        "          mend (battery):",
        "          - pixel6: 12%: charge it",
    ]


def test_where_all_is_well_nothing_is_left_to_do(ahead: Ahead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "notes", lambda *_: iter(()))
    ok = [Check("agent", "pixel6", True, "tells what is on the screen", "")]
    assert list(ahead.for_a_person(ok)) == [("To do", "nothing for a person: all 1 checks are ok")]


def test_the_trials_that_fit_are_those_that_the_night_would_begin(ahead: Ahead) -> None:
    assert ahead.fit == [item for item in ahead.missing if item in ahead.fit]
    assert len(ahead.fit) + len(ahead.account.limit.refused) == len(ahead.missing)
