"""Until when a night may begin trials."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands.show import expected_s
from lab.errors import BadInput
from lab.night.budgets import Data, End, Limit
from lab.night.plan import calls_by_account, data_by_network
from lab.night.until import NightClock, local, parse_until
from lab.run.options import Options
from lab.run.plan import Run, prepare

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    del os.environ["TZ"]
    time.tzset()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = str(tmp_path_factory.mktemp("until") / "dataset")
    return prepare(Options(matrix="smoke", dataset=folder, scenarios=str(ROOT / "scenarios")))


def at(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1e9)


@pytest.mark.parametrize(
    ("now", "until", "end"),
    [
        ("2026-11-28T21:30+01:00", "07:00", "2026-11-29T07:00+01:00"),
        ("2026-11-29T00:10+01:00", "07:00", "2026-11-29T07:00+01:00"),
        ("2026-11-28T17:00+01:00", "07:00", "2026-11-29T07:00+01:00"),
        ("2026-03-28T21:30+01:00", "07:00", "2026-03-29T07:00+02:00"),
        ("2026-10-24T21:30+02:00", "07:00", "2026-10-25T07:00+01:00"),
    ],
)
def test_until_is_the_next_such_time_of_day_on_the_wall(now: str, until: str, end: str) -> None:
    assert parse_until(until, at(now)) == at(end)


@pytest.mark.parametrize("now", ["2026-11-28T07:00+01:00", "2026-11-28T08:15+01:00", "2026-11-28T16:59+01:00"])
def test_a_night_whose_end_has_passed_is_refused(now: str) -> None:
    with pytest.raises(BadInput, match="has passed and the next is more than 14 hours away; nothing was begun"):
        parse_until("07:00", at(now))
    assert parse_until("07:00", at(now), is_plan=True) == at("2026-11-29T07:00+01:00")


@pytest.mark.parametrize("text", ["7:00", "24:00", "07:60", "07:00 ", "٠٧:٠٠", "seven"])
def test_a_text_that_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="write a time of day"):
        parse_until(text, at("2026-11-28T21:30+01:00"))


def test_no_trial_begins_that_would_end_later(run: Run) -> None:
    now = at("2026-11-28T21:30+01:00")
    item = run.planned[0]
    takes_ns = round(expected_s(run, item)[0] * 1e9)
    nothing = Data([], datetime.date(2026, 11, 28))
    clock = NightClock(run, lambda: now)
    assert Limit(run, clock.now_ns, End(now + takes_ns), nothing)(item)
    late = Limit(run, clock.now_ns, End(now + takes_ns - 1, "it is late"), nothing)
    assert (late(item), late.told()) == (False, ["1 trial is left: it is late"])
    assert Limit(run, clock.now_ns, End(None), nothing)(item)


def test_a_void_attempt_takes_its_time_of_the_virtual_night(run: Run) -> None:
    now = at("2026-11-28T21:30+01:00")
    clock, item = NightClock(run, lambda: now), run.planned[0]
    clock.voided(run, item.trial.id)
    clock.completed(run, item.trial.id)  # which has no record
    assert clock.now_ns() == now + round(expected_s(run, item)[0] * 1e9)


def test_the_plan_counts_calls_by_account_and_data_by_network(run: Run) -> None:
    missing = run.missing()
    placed, received = calls_by_account(run, missing)
    assert placed == received == {("pixel6", "whatsapp"): 10, ("pixel6pro", "whatsapp"): 10}
    # Two scenarios of four trials each have a conversation, of 20 s on average; the rest have none.
    talks_s = [expected_s(run, item)[1] for item in missing]
    voice = sum(talk for talk, item in zip(talks_s, missing, strict=True) if item.trial.service == "voice")
    assert sum(talk > 0 for talk in talks_s) == 8
    expected = voice * 2 * 50 * 150 + (sum(talks_s) - voice) * 2 * 150 * 1050
    assert data_by_network(run, missing) == {"lte": pytest.approx(expected), "fixed": pytest.approx(expected)}


def test_times_are_those_of_this_machine() -> None:
    assert local(at("2026-07-01T00:00+00:00")).isoformat() == "2026-07-01T02:00:00+02:00"
