"""What a night costs each phone by its records, what a phone says of its battery, and when it is worn."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from lab.definitions import Lab
from lab.night import wear
from lab.night.costs import NUMBERS, Battery, Spent, battery, of_dataset, went_on
from tests.correlate.conftest import new_call, write_dataset
from tests.lab.night.nights import night

ROOT = Path(__file__).parents[3]
TODAY = datetime.date(2026, 11, 28)


def full(mah: int, **changed: object) -> Battery:
    return Battery(**{"level": 100, "health": "good", "charge_uah": mah * 1000, "cycles": None, **changed})


def test_trials_and_void_attempts_are_counted_by_phone_and_what_a_phone_captured_itself_by_its_storage(
    tmp_path: Path,
) -> None:
    calls = [new_call(scenario="caller_cancels", repetition=number, ring_s=5.0) for number in (1, 2)]
    write_dataset(tmp_path, calls, analysis={"relay_ports": [3478]})
    dataset = Dataset(tmp_path)
    first = dataset.record(dataset.trial_ids()[0])
    names = {role: side.phone for role, side in first.sides.items()}
    spec = Lab.load(ROOT / "scenarios").bench("virtual")
    phones = [
        phone.model_copy(update={"name": names[role]})
        for role, phone in zip(("caller", "callee"), spec.phones, strict=True)
    ]
    assert [phone.vantage for phone in phones] == ["interface", "hotspot"]
    spec = spec.model_copy(update={"phones": phones})
    with dataset.attempt(first.trial) as folder:
        (folder.path / "caller.pcap").write_bytes(b"x" * 1000)
        (folder.path / "callee.pcapng").write_bytes(b"x" * 300)
        folder.calls = 1
        folder.void("noisy", "it was loud")
    found = of_dataset(dataset, spec)
    records = [dataset.record(trial) for trial in dataset.trial_ids()]
    for role, more, captured_itself in (("caller", 1000, True), ("callee", 300, False)):
        bytes_ = sum(record.sides[role].bytes for record in records)
        used = sum(max(record.sides[role].bytes, record.sides[role].app_bytes or 0) for record in records)
        sums = found[names[role]]
        assert (sums["trials"], sums["calls"], sums["data_bytes"]) == (3, 1, used + more)
        assert sums["flash_bytes"] == (bytes_ + more if captured_itself else 0)
    assert of_dataset(Dataset(tmp_path / "nowhere"), spec) == {name: {} for name in names.values()}


def test_a_night_has_what_is_more_than_the_nights_before_took_of_its_dataset() -> None:
    first = went_on([], {"pixel6": dict.fromkeys(NUMBERS, 10)}, TODAY)
    then = TODAY + datetime.timedelta(days=1)
    second = went_on(first, {"pixel6": {**dict.fromkeys(NUMBERS, 10), "data_bytes": 25, "calls": 12}}, then)
    assert [(each.date, each.data_bytes, each.calls, each.trials) for each in second] == [
        (TODAY, 10, 10, 10),
        (then, 15, 2, 0),
    ]
    # Another night of one date, and one in which nothing was made.
    again = went_on(second, {"pixel6": dict.fromkeys(NUMBERS, 30)}, then)
    assert [each.data_bytes for each in again] == [10, 20]
    assert went_on(again, {"pixel6": dict.fromkeys(NUMBERS, 30)}, then + datetime.timedelta(days=1)) == again


@pytest.mark.parametrize(
    ("file", "expected", "full_mah"),
    [
        ("battery_dragon.txt", (19, "good", 0, None), None),
        ("battery_samsung.txt", (100, "good", 2_967_000, None), 2967),
    ],
)
def test_a_real_phones_battery_is_read(file: str, expected: tuple, full_mah: int | None) -> None:
    found = battery((ROOT / "tests/real_outputs/dumpsys" / file).read_text())
    assert (found.level, found.health, found.charge_uah, found.cycles) == expected
    assert found.full_uah == (None if full_mah is None else full_mah * 1000)


def test_what_a_phone_does_not_say_of_its_battery_is_unknown() -> None:
    assert battery("nonsense\n  level: 300\n  health: 99\n") == Battery(
        level=None, health="unknown", charge_uah=None, cycles=None
    )
    assert battery("  level: 50\n  Charge counter: 2000000\n  cycle count: 812\n").full_uah == 4_000_000
    assert battery("  level: 49\n  Charge counter: 2000000\n").full_uah is None
    (line,) = [text for _, text in wear.lines([], {"a": battery("")}, ["a"])]
    assert "health unknown, dumpsys battery has none, a full charge unknown, its charge counter or level is " in line
    assert "battery: unknown, it was not asked" in next(wear.lines([], {}, ["a"]))[1]


def test_the_wear_of_a_phone_is_the_sum_of_its_nights() -> None:
    spent = [
        Spent(phone=phone, date=TODAY - datetime.timedelta(days=day), **dict.fromkeys(NUMBERS, number))
        for phone, day, number in (("a", 0, 1_800_000), ("a", 1, 1_800_000), ("b", 0, 7))
    ]
    (_, text), (_, other) = wear.lines(spent, {"a": full(4000, cycles=12)}, ["a", "b"])
    assert text.startswith("nights of 2 dates, 3600000 trials, 3600000 calls, 1000.0 h in trials, 4 MB of captures")
    assert text.endswith("health good, a full charge about 4000 mAh, 12 cycles")
    assert other.startswith("nights of 1 date, 7 trials")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (full(3200), []),
        (full(3199), ["a: its battery holds about 3199 mAh, it was 4000 once: below 80% it is worn"]),
        (full(0, level=20), []),
        (full(4000, health="overheat"), ["a: Android calls the health of its battery overheat; look at the phone"]),
        (full(4000, cycles=799), []),
        (full(4000, cycles=800), ["a: its battery was charged 800 times, 800 are what it is made for"]),
    ],
)
def test_a_battery_that_crosses_a_threshold_is_told(now: Battery, told: list[str]) -> None:
    earlier = [night(0, {}, batteries={"a": full(4000)}), night(1, {}, batteries={"a": full(3900)}), night(2, {})]
    assert list(wear.worn(earlier, {"a": now})) == told
