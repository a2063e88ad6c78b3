"""A bench that keeps 256 bytes of a frame: what its findings may say, and how a dataset begun with it is finished."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset
from tests.end_to_end.runs import BIN, ROOT, invoke
from tests.end_to_end.test_matrix import differences, truth_of

SIDES = ("caller_public", "caller_private", "callee_public", "callee_private")
LONG, SHORT = ("whatsapp", "alder"), ("messenger",)
"""Apps of which messages are cut with 256 bytes of a frame, and an app of which none is (test_stun_lengths.py)."""
ONE_WAY = ("--only", "direction=lte_to_fixed")
FINISH = "or finish it with its own scenarios: "


def bench_of(folder: Path, snaplen: int, apps: tuple[str, ...], calls: str) -> Path:
    """Scenarios with the virtual bench at this snaplen, and a matrix `few` of voice calls."""
    scenarios = Path(shutil.copytree(ROOT / "scenarios", folder / "scenarios"))
    set_snaplen(scenarios, snaplen)
    (scenarios / "matrices" / "few.yaml").write_text(
        f"name: few\napps: [{', '.join(apps)}]\nservices: [voice]\nscenarios: [{calls}]\nrepetitions: 1\n"
    )
    return scenarios


def set_snaplen(scenarios: Path, snaplen: int) -> None:
    file = scenarios / "benches" / "virtual.yaml"
    file.write_text(re.sub(r"(?m)^snaplen_bytes: \d+$", f"snaplen_bytes: {snaplen}", file.read_text()))


def run(scenarios: Path, dataset: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return invoke("run-matrix", "--matrix", "few", "--scenarios", str(scenarios), "--dataset", str(dataset), *words)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A rejected and a held voice call of each app, with 256 bytes of each frame."""
    folder = tmp_path_factory.mktemp("cut")
    done = run(bench_of(folder, 256, LONG + SHORT, "callee_rejects, caller_hangs_up"), folder / "d", *ONE_WAY)
    assert (done.returncode, done.stderr) == (0, "")
    return Dataset(folder / "d")


def exposures(dataset: Dataset) -> dict[tuple[str, str], tuple[bool | None, bool | None]]:
    """What findings and truth say of each exposure: (trial, which) -> both."""
    found = report.read_findings(dataset)
    return {
        (trial, which): (found[trial]["exposed"][which], truth_of(dataset, trial)[f"exposed.{which}"])
        for trial in dataset.trial_ids()
        for which in SIDES
    }


def test_trials_with_256_bytes_of_a_frame_are_complete(cut: Dataset) -> None:
    assert len(cut.trial_ids()) == 2 * len(LONG + SHORT)
    sides = [side for trial in cut.trial_ids() for side in cut.record(trial).sides.values()]
    assert {side.snaplen_bytes for side in sides} == {256}
    assert cut.verify() == []


def test_with_256_no_exposure_is_wrong_and_what_may_lie_behind_a_cut_is_undecided(cut: Dataset) -> None:
    said = exposures(cut)
    assert {key: both for key, both in said.items() if both[0] not in (None, both[1])} == {}
    assert {trial.split("-")[0] for (trial, _), (found, _) in said.items() if found is None} == set(LONG)
    # Of alder's calls an address lies there, of WhatsApp's rejected one there is none.
    assert {truth for found, truth in said.values() if found is None} == {True, False}


def test_what_is_undecided_with_256_has_its_reason(cut: Dataset) -> None:
    with (cut.findings_dir / "endpoints.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    empty = [(row, name) for row in rows for name in ("exposed_public", "exposed_private") if row[name] == ""]
    assert len(empty) >= len(LONG)
    assert [(row["trial"], row["side"], name) for row, name in empty if not json.loads(row["reasons"]).get(name)] == []


def test_an_app_with_short_messages_is_decided_with_256_too(cut: Dataset) -> None:
    said = [both for (trial, _), both in exposures(cut).items() if trial.split("-")[0] in SHORT]
    assert (len(said), {found for found, _ in said}) == (2 * len(SIDES), {True, False})
    assert [both for both in said if both[0] != both[1]] == []


@pytest.mark.full
def test_with_640_findings_of_these_apps_equal_the_truth(tmp_path: Path) -> None:
    done = run(bench_of(tmp_path, 640, LONG + SHORT, "callee_rejects, caller_hangs_up"), tmp_path / "d")
    assert (done.returncode, done.stderr) == (0, "")
    assert differences(Dataset(tmp_path / "d")) == []


@pytest.mark.full
def test_a_dataset_that_was_begun_with_256_is_finished_by_the_command_of_its_refusal(tmp_path: Path) -> None:
    scenarios, dataset = bench_of(tmp_path, 256, ("whatsapp",), "callee_rejects"), tmp_path / "begun with 256"
    begun = run(scenarios, dataset, *ONE_WAY)
    assert (begun.returncode, begun.stderr) == (0, "")
    set_snaplen(scenarios, 640)
    refused = run(scenarios, dataset)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    command, shell = refused.stderr.partition(FINISH)[2], {"PATH": f"{BIN}:/usr/bin:/bin"}
    assert command.startswith("invoke run-matrix --scenarios ")
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"2 of 2 trials are complete, 0 attempts were void, 0 undecided: {dataset}/report.html" in done.stdout
    finished = Dataset(dataset)
    assert {finished.record(trial).sides["caller"].snaplen_bytes for trial in finished.trial_ids()} == {256}
    assert finished.verify() == []


LOCAL = """
phones:
  - {name: pixel6, serial: serial-a, contacts: [{app: whatsapp, address: "15555550101"}]}
  - {name: pixel6pro, serial: serial-b, contacts: [{app: whatsapp, address: "15555550102"}]}
allowed_callees: ["15555550101", "15555550102"]
"""


@pytest.mark.full
def test_a_dataset_of_a_real_bench_is_planned_by_the_command_of_its_refusal(tmp_path: Path) -> None:
    from lab.definitions import Lab
    from lab.run.calls import both_ways
    from lab.run.description import create
    from lab.run.introductions import introduce
    from lab.run.options import Options
    from lab.run.plan import prepare

    scenarios, dataset = bench_of(tmp_path / "my lab", 640, ("whatsapp",), "callee_rejects"), tmp_path / "my data"
    (scenarios / "benches" / "pixels.local.yaml").write_text(LOCAL)
    file = scenarios / "benches" / "pixels.yaml"
    file.write_text(file.read_text().replace("snaplen_bytes: 1600\n", "snaplen_bytes: 256\n"))
    create(prepare(Options("pixels", "few", str(dataset), scenarios=str(scenarios))))
    file.write_text(file.read_text().replace("snaplen_bytes: 256\n", "snaplen_bytes: 1600\n"))
    refused = run(scenarios, dataset, "--bench", "pixels")
    command = shlex.split(refused.stderr.partition(FINISH)[2])
    planned = invoke(*command[1:], "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "2 of 2 trials to run: 2 calls" in planned.stdout
    # With the local file contacts and callees are there; nobody has been there to see who rings.
    strangers = invoke(*command[1:])
    assert (strangers.returncode, strangers.stderr.count("was never introduced; be there and type: ")) == (2, 2)
    lab = Lab.load(scenarios)
    for way in both_ways(lab.bench("pixels"), "whatsapp"):
        introduce(lab, lab.bench("pixels"), way, 2.0)
    # What lacks then is the bench itself.
    tried = invoke(*command[1:])
    lacking = "bench pixels has no agent token; run invoke install-agent --bench pixels\n"
    assert (tried.returncode, tried.stderr) == (4, lacking)
