"""From a cell of Table 3 to a trial to a frame, as Wireshark's own programs see it."""

from __future__ import annotations

import csv
import os
import shutil
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from correlate import findings
from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import Case
from correlate.report.merged import Merged, merge
from correlate.report.trial import trial_section, trial_summary
from correlate.report.trial.proofs import Proof, clock_lines, proofs
from correlate.tables.study import Study
from lab.commands import wireshark_profile
from lab.commands.import_trials import import_trials
from tests.end_to_end.runs import ROOT, invoke

pytestmark = pytest.mark.full
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark, which is not installed")

MOST_BYTES, MOST_CPU_S = 5000, 2.0
ADDRESSES = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "stun.att.ipv4", "stun.att.ipv6")


@pytest.fixture(scope="module")
def study(paper: Dataset) -> Study:
    return Study.of(paper)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    wireshark_profile.write(folder)
    return folder


def said(*argv: object, config: Path | None = None) -> list[str]:
    """The lines of a program of Wireshark's that has nothing to complain of."""
    environment = dict(os.environ) if config is None else {**os.environ, "XDG_CONFIG_HOME": str(config)}
    done = subprocess.run(
        [str(each) for each in argv], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
    assert (complaints, done.returncode) == ([], 0)
    return done.stdout.splitlines()


def exposing(case: Case, dataset: Dataset) -> list[Proof]:
    return [each for each in proofs(case, clock_lines(dataset, case.trial)) if each.exposes]


def of_each_app(study: Study, dataset: Dataset) -> dict[str, Case]:
    """App -> of its trials that a cell of Table 3 counts as giving something away the one with the smallest captures,
    which tshark reads soonest."""
    found: dict[str, list[tuple[int, str, Case]]] = {}
    for case in study.cases:
        if any(case.endpoints[side].exposed[role] for side in SIDES for role in ("public", "private")):
            size_bytes = sum(side.bytes for side in dataset.record(case.trial).sides.values())
            found.setdefault(case.app, []).append((size_bytes, case.trial, case))
    return {app: min(cases)[2] for app, cases in found.items()}


def shown_by_tshark(merged: Merged, config: Path) -> dict[int, set[str]]:
    """Number of each frame whose comment says that it exposes something -> the addresses that tshark reads in it."""
    fields = [argument for name in ADDRESSES for argument in ("-e", name)]
    rows = said(
        *("tshark", "-r", merged.path, "-C", wireshark_profile.NAME, "-Y", 'frame.comment contains "exposes"'),
        *("-T", "fields", "-e", "frame.number", *fields),
        config=config,
    )
    cells = [row.split("\t") for row in rows]
    return {int(number): {each for cell in found for each in cell.split(",") if each} for number, *found in cells}


def test_a_section_has_five_kilobytes_on_average_and_all_take_two_seconds(paper: Dataset, study: Study) -> None:
    began = time.process_time()
    sizes = [len(trial_section(study, case, paper).encode()) for case in study.read]
    assert (len(sizes), time.process_time() - began < MOST_CPU_S) == (180, True)
    assert fmean(sizes) <= MOST_BYTES
    assert fmean(len(trial_summary(study, case).encode()) for case in study.read) <= 250


def test_every_exposure_that_a_cell_counts_has_its_frame_in_the_section(paper: Dataset, study: Study) -> None:
    counted = Counter[str]()
    for case in study.cases:
        section, frames = str(trial_section(study, case, paper)), exposing(case, paper)
        for side in SIDES:
            finding = case.endpoints[side]
            for role in ("public", "private"):
                words = f"exposes the {side}'s {role} address "
                shown = [each for each in frames if each.what.startswith(words)]
                assert bool(shown) == bool(finding.exposed[role])
                counted[case.app] += bool(shown)
            # The other side's capture shows it.
            assert {each.side for each in frames if f"the {side}'s" in each.what} <= {*SIDES} - {side}
        assert all(f"<code>{each.place}</code>" in section for each in frames)
    assert counted.keys() == {"whatsapp", "messenger", "snapchat"}
    assert min(counted.values()) > 10


@needs_tshark
def test_tshark_shows_the_address_that_the_cell_counts(
    paper: Dataset, study: Study, profile: Path, tmp_path: Path
) -> None:
    cases = of_each_app(study, paper)
    assert cases.keys() == {"whatsapp", "messenger", "snapchat"}
    for case in cases.values():
        merged = merge(paper, case.trial, tmp_path / f"{case.app}.pcapng")
        shown, found = shown_by_tshark(merged, profile), exposing(case, paper)
        assert shown.keys() == {merged.number(each.place) for each in found}
        assert [each.place for each in found if each.address not in shown[merged.number(each.place)]] == []
        told = said("capinfos", "-M", merged.path)
        assert "Strict time order:   True" in told
        assert [line.split("=")[1].strip() for line in told if line.strip().startswith("Name =")] == [*SIDES]
        packets = sum(paper.record(case.trial).sides[side].packets for side in SIDES)
        assert f"Number of packets:   {packets}" in told


@needs_tshark
def test_a_profile_colours_what_is_evidence_and_names_the_phones(
    paper: Dataset, study: Study, profile: Path, tmp_path: Path
) -> None:
    case = of_each_app(study, paper)["messenger"]
    merged = merge(paper, case.trial, tmp_path / "merged.pcapng")
    asked = ("tshark", "-r", merged.path, "-C", wireshark_profile.NAME)
    rules = Counter(
        said(*asked, "--color", "-T", "fields", "-e", "frame.coloring_rule.name", config=profile),
    )
    numbers = {merged.number(each.place) for each in exposing(case, paper)}
    assert rules["exposes an address"] == len(numbers) > 0
    assert rules["shows a user id"] > 0
    assert rules["step of the call"] >= 4
    assert rules["STUN"] > 10
    assert set(rules) <= {"", *(name for name, _, _ in wireshark_profile.FILTERS)}
    for name, rule, _ in wireshark_profile.FILTERS:
        assert said(*asked, "-Y", rule, "-c", "100000", config=profile) is not None, name
    first = said(*asked, "-Y", f"frame.number == {min(numbers)}", config=profile)
    # No., time, end, source, ...: the columns of the profile, the phone by the name that the file gives it.
    assert first[0].split()[2] in SIDES
    assert any(f"{side}-" in first[0] and ".invalid" in first[0] for side in SIDES)


def pcapng_exposes(case: Case, dataset: Dataset) -> bool:
    return any(dataset.capture(case.trial, each.side).suffix == ".pcapng" for each in exposing(case, dataset))


def with_custom_blocks(path: Path) -> bytes:
    """A pcapng with a custom block before its first packet and one at its end."""
    data, at = path.read_bytes(), 0
    custom = struct.pack("<IIII", 0xBAD, 20, 32473, 0x41424344) + struct.pack("<I", 20)
    while struct.unpack_from("<I", data, at)[0] != 6:
        at += struct.unpack_from("<I", data, at + 4)[0]
    return data[:at] + custom + data[at:] + custom


@needs_tshark
def test_an_imported_pcapng_with_custom_blocks_is_opened_at_its_frame(
    paper: Dataset, study: Study, profile: Path, tmp_path: Path
) -> None:
    case = next(each for each in study.cases if each.app == "messenger" and pcapng_exposes(each, paper))
    record = paper.record(case.trial)
    row = {"app": case.app, "service": case.service, "scenario": case.scenario, "offset_bound_s": "0.001"}
    for side, recorded in record.sides.items():
        source, line = paper.capture(case.trial, side), clock_lines(paper, case.trial)[side]
        target = tmp_path / f"{side}{source.suffix}"
        target.write_bytes(with_custom_blocks(source) if source.suffix == ".pcapng" else source.read_bytes())
        own = [*(recorded.addresses.interface or ()), *(f"public:{each}" for each in recorded.addresses.probed or ())]
        row |= {f"{side}_capture": target.name, f"{side}_phone": recorded.phone}
        row |= {f"{side}_addresses": " ".join(map(str, own)), f"{side}_offset_s": f"{line.before.offset_ns / 1e9:.9f}"}
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    dataset = Dataset(tmp_path / "imported")
    import_trials(tmp_path / "list.csv", dataset, ROOT / "scenarios")
    findings.write(dataset, findings.measure_all(dataset))
    (imported,) = Study.of(dataset).read
    merged, found = merge(dataset, imported.trial, tmp_path / "merged.pcapng"), exposing(imported, dataset)
    shown = shown_by_tshark(merged, profile)
    assert [each.place for each in found if each.address not in shown[merged.number(each.place)]] == []
    # A custom block is a frame to Wireshark, so that every frame of that side is one later than in the trial itself.
    moved = {side: 1 if paper.capture(case.trial, side).suffix == ".pcapng" else 0 for side in SIDES}
    before = {(each.side, each.frame + moved[each.side], each.address) for each in exposing(case, paper)}
    assert {(each.side, each.frame, each.address) for each in found} == before
    assert any(moved[each.side] for each in found)


def test_a_command_opens_the_frame_that_the_section_names(paper: Dataset, study: Study, tmp_path: Path) -> None:
    case = of_each_app(study, paper)["messenger"]
    (first, *_) = exposing(case, paper)
    out = tmp_path / "merged.pcapng"
    opened = ("open-trial", case.trial, "--frame", first.place, "--dataset", paper.path, "--out", out)
    done = invoke(*map(str, opened))
    assert (done.returncode, done.stderr) == (0, "")
    number = merge(paper, case.trial, tmp_path / "again.pcapng").number(first.place)
    assert done.stdout.splitlines()[0] == f"{out}, frame {number}"
    assert out.read_bytes() == (tmp_path / "again.pcapng").read_bytes()
    told = invoke("show-trial", case.trial, "--dataset", str(paper.path))
    assert (told.returncode, told.stderr) == (0, "")
    assert f"  {first.place} " in told.stdout
