"""Budgets of a bench: months of a data plan, and what does not fit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.definitions import Lab
from lab.definitions.budgets import Budgets, DataPlan, Retention, Sim
from lab.definitions.lab import check
from lab.definitions.local import LocalBench, merged
from lab.definitions.secrets import secrets

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("plan", "today", "first", "then"),
    [
        ({}, "2026-11-28", "2026-11-01", "2026-12-01"),
        ({"from_day": 28}, "2026-11-28", "2026-11-28", "2026-12-28"),
        ({"from_day": 28}, "2027-03-27", "2027-02-28", "2027-03-28"),
        ({"from_day": 15}, "2027-01-14", "2026-12-15", "2027-01-15"),
        ({"per": "day"}, "2026-12-31", "2026-12-31", "2027-01-01"),
    ],
)
def test_a_month_of_a_data_plan_begins_on_its_day(plan: dict, today: str, first: str, then: str) -> None:
    of, day = DataPlan(mb=1, **plan), date.fromisoformat(today)
    assert (of.first_day(day).isoformat(), of.next_day(day).isoformat()) == (first, then)


@pytest.mark.parametrize(
    ("model", "given", "text"),
    [
        (Budgets, {"hours": 14.5}, "less than or equal to 14"),
        (Budgets, {"hours": 0}, "greater than 0"),
        (Budgets, {"sims": [{"name": "a"}, {"name": "a"}]}, "a second SIM of phone 'a'"),
        (Sim, {"name": "a", "sim_expires": "1790000000"}, "write a date, e.g. 2027-01-31"),
        (Sim, {"name": "a", "sim_expires": "2027-02-30"}, "valid date"),
        (DataPlan, {"mb": 0}, "greater than or equal to 1"),
        (DataPlan, {"mb": 1, "from_day": 29}, "less than or equal to 28"),
        (Retention, {"keep_nights": 0, "archive": "/a"}, "greater than or equal to 1"),
        (Retention, {"keep_nights": 1, "archive": "archive"}, "String should match pattern"),
    ],
)
def test_what_is_no_budget_is_refused(model: type, given: dict, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        model(**given)


def bench(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "benches/virtual.yaml"
    file.parent.mkdir()
    file.write_text((ROOT / "scenarios/benches/virtual.yaml").read_text() + text)
    return file


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "budgets: {sims: [{name: pixel7, sim_expires: 2027-01-31}]}",
            "the bench has no phone 'pixel7', it has pixel6",
        ),
        ("budgets: {sims: [{name: pixel6, sim_expires: tomorrow}]}", "write a date, e.g. 2027-01-31"),
        ("budgets: {hour: 8}", "unknown key 'hour'; did you mean 'hours'?"),
        ("budgets: {hours: 8, sims: [{name: pixel6, data_plan: {mb: 2000, from_day: 12}}]}", ""),
    ],
)
def test_a_mistake_in_a_budget_is_told_at_its_line(tmp_path: Path, text: str, mistake: str) -> None:
    file = bench(tmp_path, text)
    line = len(file.read_text().splitlines())
    found = [str(each) for each in check(ROOT / "scenarios", file)]
    assert [f"virtual.yaml:{line}:" in each and mistake in each for each in found] == ([True] if mistake else [])


def test_the_budgets_of_a_local_file_stand_for_those_of_the_bench_and_where_the_archive_is_is_secret() -> None:
    of_bench = Lab.load(ROOT / "scenarios").bench("virtual").model_copy(update={"budgets": Budgets(hours=8)})
    assert merged(of_bench, LocalBench()).budgets == Budgets(hours=8)
    local = LocalBench(budgets=Budgets(hours=6), retention=Retention(keep_nights=30, archive="/srv/archive/nights"))
    both = merged(of_bench, local)
    assert (both.budgets, both.retention) == (Budgets(hours=6), local.retention)
    assert ("archive of retention", "/srv/archive/nights") in [(each.field, each.value) for each in secrets(both)]
