"""An old night's dataset goes only where its copy is whole; every way in which it is not, nothing goes."""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset, documents
from lab.definitions.budgets import Retention
from lab.errors import Interrupted
from lab.night import retention
from lab.night.record import NightRecord, ToldAlarm
from lab.night.retention import Keeping, retain
from lab.run.options import holding
from tests.correlate.conftest import _disk_that_need_not_last, new_call, write_dataset

__all__ = ["_disk_that_need_not_last"]

TODAY = datetime.date(2026, 11, 28)
OLD, NEWER = "2026-10-01", "2026-10-02"
ALARM = {"kind": "opened", "cell": "seen/caller_public/maple/caller_cancels", "nights": 1, "sentence": "x"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "dataset"
    root.mkdir()
    write_dataset(root, [new_call(scenario="caller_cancels", ring_s=5.0)], analysis={"relay_ports": [3478]})
    report.build(Dataset(root))
    assert Dataset(root).verify() == []
    return root


@dataclass
class Place:
    """Two nights, of which the older may go, and an archive with copies of both."""

    keeping: Keeping
    archive: Path

    @property
    def old(self) -> Path:
        return self.keeping.nights / OLD

    @property
    def copy(self) -> Path:
        return self.archive / OLD / "dataset"

    def retained(self) -> list[str]:
        return list(retain(self.keeping))


@pytest.fixture
def place(finished: Path, tmp_path: Path) -> Place:
    nights, archive = tmp_path / "nights", tmp_path / "archive"
    for name in (OLD, NEWER):
        shutil.copytree(finished, nights / name / "dataset")
        told(nights / name)
    (nights / "history.jsonl").write_text("x\n")
    shutil.copytree(nights, archive)
    rule = Retention(keep_nights=1, archive=str(archive))
    return Place(Keeping(nights, rule, frozenset(), TODAY), archive)


def told(folder: Path, **changed: object) -> None:
    usual = {
        "night": 1, "date": folder.name, "bench": "virtual", "matrix": "smoke", "seed": 7, "verdict": 0,
        "dataset": f"{folder.name}/dataset", "begun": "x", "until": None,
    }  # fmt: skip
    documents.write(folder / "night.json", NightRecord(**{**usual, **changed}))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_old_dataset_whose_copy_is_whole_goes_and_the_newest_and_all_else_of_its_night_stay(place: Place) -> None:
    shutil.copytree(place.old / "dataset", place.old / "again")
    shutil.copytree(place.old / "dataset", place.archive / OLD / "again")
    before = files(place.archive)
    (first, second) = place.retained()
    assert first.startswith(f"{OLD}/dataset is removed, ")
    assert second.startswith(f"{OLD}/again is removed, ")
    assert first.endswith("its copy in the archive is whole")
    assert sorted(path.name for path in place.old.iterdir()) == ["night.json"]
    assert (place.keeping.nights / "history.jsonl").exists()
    assert Dataset(place.keeping.nights / NEWER / "dataset").verify() == []
    assert files(place.archive) == before
    assert place.retained() == []


FULL = pytest.mark.full


def damage_bytes(place: Place) -> None:
    capture = next(place.copy.glob("trials/*/caller.pcap"))
    data = bytearray(capture.read_bytes())
    data[len(data) // 2] ^= 1
    capture.write_bytes(data)


def sign_damage_anew(place: Place) -> None:
    damaged = place.copy / "report.html"
    digest = Dataset(place.copy).manifest_path.read_text()
    before = hashlib.sha256(damaged.read_bytes()).hexdigest()
    damaged.write_bytes(damaged.read_bytes() + b" ")
    now = hashlib.sha256(damaged.read_bytes()).hexdigest()
    Dataset(place.copy).manifest_path.write_text(digest.replace(before, now))


def link_to_ours(place: Place) -> None:
    shutil.rmtree(place.copy)
    place.copy.symlink_to(place.old / "dataset")


def link_on_the_way(place: Place) -> None:
    shutil.move(place.archive / OLD, place.archive / "moved")
    (place.archive / OLD).symlink_to(place.archive / "moved")


def link_to_the_archive(place: Place) -> None:
    shutil.move(place.archive, place.archive.with_name("elsewhere"))
    place.archive.symlink_to(place.archive.with_name("elsewhere"))


def same_files(place: Place) -> None:
    shutil.rmtree(place.copy)
    shutil.copytree(place.old / "dataset", place.copy, copy_function=os.link)


def link_in_the_copy(place: Place) -> None:
    (place.copy / "report.html").unlink()
    (place.copy / "report.html").symlink_to(place.old / "dataset/report.html")


def link_in_the_night(place: Place) -> None:
    shutil.move(place.old / "dataset", place.old / "moved")
    (place.old / "dataset").symlink_to(place.old / "moved")


def another_journal(place: Place) -> None:
    Dataset(place.copy).journal.append("output_lost", text="x")
    assert Dataset(place.copy).verify() == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damage_bytes, "its copy does not verify: trials/"),
        pytest.param(
            sign_damage_anew, "its copy does not verify: manifest-sha256.txt: differs from the journal", marks=FULL
        ),
        pytest.param(
            lambda place: next(place.copy.glob("trials/*/callee.pcap")).unlink(),
            "its copy does not verify: trials/",
            marks=FULL,
        ),
        pytest.param(
            lambda place: (place.copy / "manifest-sha256.txt").unlink(),
            "its copy has no manifest, it is not finished",
            marks=FULL,
        ),
        pytest.param(
            lambda place: (place.old / "dataset/manifest-sha256.txt").unlink(),
            "it has no manifest, it is not finished",
            marks=FULL,
        ),
        pytest.param(
            lambda place: (place.old / "dataset/report.html").write_text("y"),
            "it does not verify: report.html",
            marks=FULL,
        ),
        (another_journal, "journal.jsonl of its copy is another one"),
        pytest.param(
            lambda place: (place.old / "dataset/.notes").write_text("y"), ".notes is in no manifest", marks=FULL
        ),
        pytest.param(lambda place: shutil.rmtree(place.copy), "it has no copy in the archive", marks=FULL),
        pytest.param(lambda place: shutil.rmtree(place.archive), "there is no archive", marks=FULL),
        pytest.param(link_to_ours, "its copy in the archive is reached through a symbolic link", marks=FULL),
        pytest.param(link_on_the_way, "its copy in the archive is reached through a symbolic link", marks=FULL),
        pytest.param(link_to_the_archive, "there is no archive", marks=FULL),
        pytest.param(link_in_the_copy, "its copy does not verify: report.html: is a symbolic link", marks=FULL),
        pytest.param(link_in_the_night, "it is reached through a symbolic link", marks=FULL),
        (same_files, "of its copy is the same file and no copy"),
        pytest.param(lambda place: told(place.old, verdict=None), "its night was never finished", marks=FULL),
        pytest.param(lambda place: (place.old / "night.json").write_text("{"), "night.json", marks=FULL),
        pytest.param(
            lambda place: told(place.old, told=[ToldAlarm(**ALARM, loud=True)]), "its night told an alarm", marks=FULL
        ),
        pytest.param(
            lambda place: told(
                place.keeping.nights / NEWER, dataset=f"{OLD}/dataset", told=[ToldAlarm(**ALARM, loud=True)]
            ),
            "its night told an alarm",
            marks=FULL,
        ),
        pytest.param(
            lambda place: (place.old / "dataset.removing").write_text("y"),
            "dataset.removing is in the way",
            marks=FULL,
        ),
    ],
)
def test_where_anything_is_not_as_it_should_be_nothing_goes_and_it_is_said_why(
    place: Place, spoil: Callable[[Place], object], why: str
) -> None:
    spoil(place)
    before = files(place.keeping.nights)
    told = [line for line in place.retained() if line.startswith(f"{OLD}/dataset stays: ")]
    assert len(told) == 1
    assert why in told[0]
    assert files(place.keeping.nights) == before


def test_a_night_that_may_be_gone_on_with_or_is_named_stays_and_one_whose_alarm_was_a_note_goes(place: Place) -> None:
    told(place.old, left=["a-voice-b-c-1"])
    recent = replace(place.keeping, today=datetime.date(2026, 10, 8))
    assert list(retain(recent)) == [f"{OLD}/dataset stays: it has trials that are still to be made"]
    assert list(retain(replace(place.keeping, named=frozenset({OLD})))) == []
    told(place.old, told=[ToldAlarm(**ALARM, loud=False)])
    assert place.retained()[0].startswith(f"{OLD}/dataset is removed")


@FULL
def test_alarms_go_where_it_is_said(place: Place) -> None:
    told(place.old, told=[ToldAlarm(**ALARM, loud=True)])
    rule = place.keeping.rule.model_copy(update={"alarms_too": True})
    assert next(retain(replace(place.keeping, rule=rule))).startswith(f"{OLD}/dataset is removed")


@FULL
def test_one_that_somebody_holds_stays(place: Place) -> None:
    with holding(Dataset(place.old / "dataset")):
        (line,) = place.retained()
    assert "is held by" in line
    assert Dataset(place.old / "dataset").verify() == []


def test_what_was_killed_between_renaming_and_deleting_is_gone_on_with(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(path: Path) -> None:
            (path / "report.html").unlink()
            raise KeyboardInterrupt

        patch.setattr(retention, "_delete", killed)
        with pytest.raises(KeyboardInterrupt):
            place.retained()
    assert sorted(path.name for path in place.old.iterdir()) == ["dataset.removing", "night.json"]
    shutil.rmtree(place.archive)
    assert place.retained() == [f"{OLD}/dataset.removing, which an earlier night had begun to remove, is removed"]
    assert sorted(path.name for path in place.old.iterdir()) == ["night.json"]


def test_a_link_that_is_called_so_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (place.old / "again.removing").symlink_to(tmp_path / "precious")
    assert place.retained()[0] == f"{OLD}/again.removing stays: it is no folder of a night"
    assert (tmp_path / "precious").is_dir()


@FULL
def test_it_ends_where_the_night_is_asked_to(place: Place) -> None:
    def asked() -> None:
        raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        list(retain(place.keeping, asked))
    assert Dataset(place.old / "dataset").verify() == []
