"""What a night costs each phone, as the dataset's records tell it, and what a phone says of its battery."""

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from correlate.dataset import Dataset
from correlate.dataset.anchors import Kept
from correlate.dataset.record import Document, Name, TrialRecord
from correlate.errors import CorrelateError
from lab.definitions import BenchSpec
from lab.errors import LabError, one_line
from lab.phone.phone import Phone

Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Word = Annotated[str, AfterValidator(lambda text: one_line(text, 60))]

HEALTH = {1: "unknown", 2: "good", 3: "overheat", 4: "dead", 5: "over voltage", 6: "failure", 7: "cold"}
"""Android's BatteryManager.BATTERY_HEALTH_*."""

FULL_FROM_PERCENT = 50
"""From such a level on the charge counter tells what a full charge is: below, a per cent of the level is too much."""


class Spent(Document):
    """What the trials of a dataset took of one phone in one night."""

    phone: Name
    """The phone"""
    date: datetime.date
    """The date on which that night began"""
    trials: Count
    """So many trials and void attempts it took part in"""
    calls: Count
    """So many calls it placed or received"""
    load_s: Count
    """So long its complete trials took, in seconds; of void attempts nobody keeps how long they took"""
    data_bytes: Count
    """So much it sent and received: of each trial what Android counted of the app, or its capture's file where that is
    larger; of a void attempt its capture's file"""
    flash_bytes: Count
    """So much was written to its storage by captures on the phone itself"""


NUMBERS = ("trials", "calls", "load_s", "data_bytes", "flash_bytes")


class Battery(Document):
    """What `dumpsys battery` said; null where it did not."""

    level: Annotated[int, Field(ge=0, le=100)] | None
    """Per cent"""
    health: Word | None
    """In Android's words"""
    charge_uah: Count | None
    """What is in it, in µAh"""
    cycles: Count | None
    """How often it was charged"""

    @property
    def full_uah(self) -> int | None:
        """About how much it holds when it is full; None where that cannot be told."""
        if not self.charge_uah or self.level is None or self.level < FULL_FROM_PERCENT:
            return None
        return self.charge_uah * 100 // self.level


def battery(said: str) -> Battery:
    """Of what `dumpsys battery` printed. AOSP prints no cycles; some makers do."""

    def number(key: str) -> int | None:
        found = re.search(rf"^\s*{key}: (\d{{1,15}})\s*$", said, re.MULTILINE | re.ASCII)
        return None if found is None else int(found[1])

    level, health = number("level"), number("health")
    return Battery(
        level=level if level is not None and level <= 100 else None,
        health=None if health is None else HEALTH.get(health, "unknown"),
        charge_uah=number("Charge counter"),
        cycles=number("[Cc]ycle [Cc]ount"),
    )


class Batteries:
    """Asks each phone that the doctor reaches; `found` is by phone what it said."""

    def __init__(self) -> None:
        self.found: dict[str, Battery] = {}

    def __call__(self, phone: Phone) -> None:
        try:
            self.found[phone.spec.name] = battery(phone.device.run("dumpsys battery").text)
        except LabError:
            return  # The doctor tells of a phone that does not answer.


def data_bytes(record: TrialRecord) -> Iterator[tuple[str, int]]:
    """By phone what a complete trial took of its data."""
    for side in record.sides.values():
        yield side.phone, max(side.bytes, side.app_bytes or 0)


def of_dataset(dataset: Dataset, spec: BenchSpec) -> dict[str, Counter[str]]:
    """By phone the sums of all that there is of a dataset, by `NUMBERS`. What cannot be read adds nothing."""
    sums: dict[str, Counter[str]] = {phone.name: Counter() for phone in spec.phones}
    try:
        plan = {entry.id: entry for entry in dataset.plan()} if dataset.info_path.exists() else {}
    except CorrelateError:
        plan = {}
    on_phone = {phone.name for phone in spec.phones if phone.vantage != "hotspot"}
    for trial in filter(lambda trial: dataset.trial_dir(trial).is_dir(), plan):
        try:
            record = dataset.record(trial)
        except CorrelateError:
            continue
        load_s = max(0, (record.ended_ns or 0) - (record.started_ns or 0)) // 10**9
        for name, count in data_bytes(record):
            sums.setdefault(name, Counter()).update(trials=1, load_s=load_s, data_bytes=count)
        for side in record.sides.values():
            sums[side.phone]["flash_bytes"] += side.bytes if side.phone in on_phone else 0
    for kept, folder in _void(dataset):
        for role, name in plan[kept.trial].phones.items() if kept.trial in plan else ():
            size = _captured(folder, role)
            flash = size if name in on_phone else 0
            sums.setdefault(name, Counter()).update(trials=1, data_bytes=size, flash_bytes=flash)
    for trial, calls in _calls(dataset):
        for name in plan[trial].phones.values() if trial in plan else ():
            sums.setdefault(name, Counter())["calls"] += calls
    return sums


def _void(dataset: Dataset) -> Iterator[tuple[Kept, Path]]:
    folders = sorted(dataset.attempts_dir.iterdir()) if dataset.attempts_dir.is_dir() else []
    yield from ((kept, path) for path in folders if (kept := Kept.of(path.name)) is not None)


def _captured(folder: Path, side: str) -> int:
    """Bytes of a side's capture; 0 where there is none."""
    files = [path for path in (folder / f"{side}.pcap", folder / f"{side}.pcapng") if not path.is_symlink()]
    return sum(path.stat().st_size for path in files if path.is_file())


def _calls(dataset: Dataset) -> Iterator[tuple[str, int]]:
    try:
        lines = dataset.journal.read()
    except CorrelateError:
        return
    for line in lines:
        if line.trial is not None and line.calls:
            yield line.trial, line.calls


def went_on(before: Iterable[Spent], sums: Mapping[str, Mapping[str, int]], today: datetime.date) -> list[Spent]:
    """What earlier nights of a dataset took, and what is more by now, which is this night's."""
    kept, entries = [each for each in before if each.date != today], []
    known: dict[str, Counter[str]] = {}
    for each in kept:
        known.setdefault(each.phone, Counter()).update({key: getattr(each, key) for key in NUMBERS})
    for phone, total in sorted(sums.items()):
        more = {key: max(0, total.get(key, 0) - known.get(phone, Counter())[key]) for key in NUMBERS}
        if any(more.values()):
            entries.append(Spent(phone=phone, date=today, **more))
    return kept + entries
