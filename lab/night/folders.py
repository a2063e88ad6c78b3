"""Where a night stands: NIGHTS/DATE, which of them tonight goes on with, and which was the last good one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from correlate.dataset import Dataset, documents
from correlate.errors import CorrelateError
from lab.errors import BadInput
from lab.night.history import Night
from lab.night.record import NightRecord
from lab.run.description import check_fits
from lab.run.options import Options
from lab.run.plan import Run, prepare

GOES_ON_DAYS = 7
"""A night goes on with the trials that one of the last days left; older ones are given up."""

GOOD = (0, 3, 6, 7)
"""The exit codes of a night that later ones are compared with."""


@dataclass(frozen=True)
class Place:
    """Tonight's folder, and its dataset, which an earlier night may have begun, with that one's seed; `why_new` says
    why an earlier one is not gone on with, empty where there is none."""

    folder: Path
    dataset: Path
    seed: int
    why_new: str = ""

    @classmethod
    def new(cls, nights: Path, today: date, why_new: str = "") -> "Place":
        """A folder that is not there yet: DATE, or DATE-02 and so on where there was a night on that date. The seed is
        its name, so that each night has an order, and on an emulated bench calls, of its own."""
        names = (today.isoformat() if number == 1 else f"{today.isoformat()}-{number:02}" for number in count(1))
        name = next(name for name in names if not (nights / name).exists())
        return cls(nights / name, nights / name / "dataset", int(name.replace("-", "")), why_new)

    @property
    def name(self) -> str:
        """The name of the dataset among all nights: that of the folder in which it began."""
        return self.dataset.parent.name


def choose(nights: Path, options: Options, today: date) -> Place:
    """Tonight's place. Raises `BadInput` where the nights are of another bench or matrix."""
    earlier = list(records(nights))
    for record in earlier:
        if (record.bench, record.matrix) != (options.bench, options.matrix):
            raise BadInput(
                f"{nights}: has nights of bench {record.bench} and matrix {record.matrix}; "
                "give each bench and matrix its own folder with --nights"
            )
    if not earlier or not may_go_on(nights, earlier[-1], today):
        return Place.new(nights, today)
    last, begun = earlier[-1], nights / earlier[-1].dataset
    # One that was killed is gone on with in its own folder.
    folder = nights / last.date if last.verdict is None else Place.new(nights, today).folder
    place = Place(folder, begun, last.seed)
    try:
        check_fits(run_at(options, place))
    except (BadInput, CorrelateError) as error:
        return Place.new(nights, today, f"{begun} is not gone on with: {error}")
    return place


def run_at(options: Options, place: Place) -> Run:
    """The run of a night there. Raises `BadInput`."""
    return prepare(replace(options, dataset=str(place.dataset), seed=place.seed))


def last_good(nights: Path, earlier: list[Night], tonight: str) -> tuple[str, Dataset] | None:
    """Name and dataset of the newest earlier night that can be compared with."""
    for night in reversed(earlier):
        dataset = Dataset(nights / night.dataset / "dataset")
        if night.dataset != tonight and night.verdict in GOOD and dataset.manifest_path.exists():
            return night.dataset, dataset
    return None


def records(nights: Path) -> Iterator[NightRecord]:
    """The nights so far, the oldest first; what nobody can read is no night."""
    for path in sorted(nights.glob("*/night.json")):
        try:
            yield documents.read(path, str(path), NightRecord)
        except CorrelateError:
            continue


def may_go_on(nights: Path, record: NightRecord, today: date) -> bool:
    """Whether a night that begins today goes on with that one's dataset, as far as its record tells."""
    try:
        began = date.fromisoformat(record.date[:10])
    except ValueError:
        return False
    is_recent = timedelta(0) <= today - began <= timedelta(days=GOES_ON_DAYS)
    is_left = record.verdict is None or bool(set(record.left) - set(record.held))
    return is_recent and is_left and (nights / record.dataset).is_dir()
