from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab.definitions.lab import Lab, check
from lab.errors import BadInput

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    target = tmp_path / "scenarios"
    shutil.copytree(SCENARIOS, target, ignore=shutil.ignore_patterns("*.local.yaml"))
    return target


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def position(scenarios: Path, words: str, times_before: int = 0) -> str:
    """LINE:COLUMN of words in benches/virtual.yaml, the first of which is a key."""
    text = (scenarios / "benches" / "virtual.yaml").read_text()
    start = [found.start() for found in re.finditer(re.escape(words), text)][times_before]
    return f"{text.count(chr(10), 0, start) + 1}:{start - text.rfind(chr(10), 0, start)}"


def found(scenarios: Path, file: Path | None = None) -> list[str]:
    return [str(mistake).removeprefix(f"{scenarios}/") for mistake in check(scenarios, file)]


def test_what_is_shipped_has_no_mistake(scenarios: Path):
    assert check(scenarios) == []


def test_mistakes_of_all_files_are_reported_together(scenarios: Path):
    edit(scenarios / "calls" / "callee_rejects.yaml", "do: reject", "do: regect")
    edit(scenarios / "apps" / "cedar.yaml", "version:", "vresion:")
    (scenarios / "matrices" / "broken.yaml").write_text("name: [")
    lines = found(scenarios)
    assert len(lines) == 3
    assert lines[0].startswith("apps/cedar.yaml:5:1: unknown key 'vresion'; did you mean 'version'?")
    assert lines[1] == "calls/callee_rejects.yaml:10:5: no verb 'regect'; did you mean 'reject'?"
    assert lines[2].startswith("matrices/broken.yaml:")


def test_checks_across_files_wait_until_every_file_is_right(scenarios: Path):
    edit(scenarios / "matrices" / "paper.yaml", "messenger", "mesenger")
    edit(scenarios / "calls" / "callee_rejects.yaml", "do: reject", "do: regect")
    assert found(scenarios) == ["calls/callee_rejects.yaml:10:5: no verb 'regect'; did you mean 'reject'?"]


def test_a_matrix_with_an_unknown_app_or_scenario_is_a_mistake(scenarios: Path):
    edit(scenarios / "matrices" / "paper.yaml", "messenger", "mesenger")
    edit(scenarios / "matrices" / "paper.yaml", "callee_rejects", "callee_regects")
    assert found(scenarios) == [
        "matrices/paper.yaml:3:18: no app 'mesenger'; did you mean 'messenger'?",
        "matrices/paper.yaml:5:29: no scenario 'callee_regects'; did you mean 'callee_rejects'?",
    ]


def test_a_contact_for_an_unknown_app_is_a_mistake(scenarios: Path):
    edit(scenarios / "benches" / "virtual.yaml", "app: cedar", "app: sedar")
    lines = found(scenarios)
    assert any(line.endswith("no app 'sedar'; did you mean 'cedar'?") for line in lines)
    assert any("no contact of phone 'pixel6' for app 'cedar'" in line for line in lines)


def test_a_callee_of_a_virtual_bench_must_be_allowed(scenarios: Path):
    edit(scenarios / "benches" / "virtual.yaml", '  - "lab_pixel6pro"\n', "")
    where = position(scenarios, 'address: "lab_pixel6pro"')
    assert found(scenarios) == [f"benches/virtual.yaml:{where}: this address is not in allowed_callees"]


def test_two_phones_cannot_share_an_account(scenarios: Path):
    edit(
        scenarios / "benches" / "virtual.yaml", 'snapchat, address: "lab_pixel6pro"', 'snapchat, address: "lab_pixel6"'
    )
    where = position(scenarios, 'address: "lab_pixel6"', 1)
    text = "both phones have this address in app 'snapchat'"
    assert found(scenarios) == [f"benches/virtual.yaml:{where}: {text}"]


def test_a_label_that_makes_a_direction_too_long_for_a_name_is_a_mistake_at_that_label(scenarios: Path):
    label, bench = "a" * 57, scenarios / "benches" / "virtual.yaml"
    edit(bench, "network: fixed", f"network: {label}")
    assert found(scenarios) == []
    edit(bench, label, f"a{label}")
    what = f"direction 'lte_to_a{label}' has 65 characters, a name at most 64; shorten this label"
    assert found(scenarios) == [f"benches/virtual.yaml:65:5: {what}"]


def test_names_that_together_make_a_trial_id_too_long_are_a_mistake_of_the_matrix(scenarios: Path):
    app, call, label = "b" * 64, "c" * 64, "a" * 53
    edit(scenarios / "benches" / "pixels.yaml", "network: lte", f"network: {label}")
    for old, new in ((f"apps/{app}", "apps/alder"), (f"calls/{call}", "calls/callee_rejects")):
        (scenarios / f"{old}.yaml").write_text((scenarios / f"{new}.yaml").read_text())
    edit(scenarios / "apps" / f"{app}.yaml", "name: alder", f"name: {app}")
    edit(scenarios / "calls" / f"{call}.yaml", "name: callee_rejects", f"name: {call}")
    matrix = scenarios / "matrices" / "long.yaml"
    head = f"name: long\napps: [alder, {app}]\nservices: [video]\nscenarios: [caller_cancels, {call}]\nrepetitions: "
    matrix.write_text(f"{head}9\n")
    assert found(scenarios) == []
    matrix.write_text(f"{head}10\n")
    name = f"{app}-video-{label}_to_fixed-{call}-10"
    what = f"trial id '{name}' has 201 characters, an id at most 200; shorten a name in it"
    assert found(scenarios) == [f"matrices/long.yaml:4:29: {what}"]


def test_an_emulated_app_needs_its_app_file(scenarios: Path):
    (scenarios / "apps" / "cedar.yaml").unlink()
    lines = found(scenarios)
    assert any(line.startswith("virtual/cedar.yaml:") and "no app 'cedar'" in line for line in lines)
    assert any(line.startswith("matrices/invented.yaml:") for line in lines)


def test_a_service_without_ways_cannot_be_in_a_matrix(scenarios: Path):
    path = scenarios / "apps" / "alder.yaml"
    edit(path, '  video:\n    - tap: {id: "com.example.alder:id/start_video", seen_on: "4.7.1, invented"}\n', "")
    edit(path, '  video:\n    - tap: {id: "com.example.alder:id/accept_call", seen_on: "4.7.1, invented"}\n', "")
    assert found(scenarios) == ["matrices/invented.yaml:3:8: app 'alder' has no way to place and answer a video call"]


def test_a_file_must_be_named_like_what_it_defines(scenarios: Path):
    (scenarios / "matrices" / "smoke.yaml").rename(scenarios / "matrices" / "smoky.yaml")
    assert found(scenarios) == ["matrices/smoky.yaml:2:1: name is 'smoke', but the file is smoky.yaml"]


def test_a_file_with_another_suffix_is_not_overlooked(scenarios: Path):
    (scenarios / "calls" / "extra.yml").write_text("name: extra\n")
    assert found(scenarios) == ["calls/extra.yml:1:1: is not read: name it *.yaml"]


def test_a_missing_local_file_is_no_mistake_and_a_wrong_one_is(scenarios: Path):
    local = scenarios / "benches" / "pixels.local.yaml"
    assert not local.exists()
    assert check(scenarios) == []
    local.write_text("phones:\n  - name: pixel7\n    serial: ABC\n")
    assert found(scenarios) == ["benches/pixels.local.yaml:2:5: no phone 'pixel7'; did you mean 'pixel6'?"]
    local.write_text("phone:\n  - name: pixel6\n    seriel: ABC\n")
    assert found(scenarios) == [
        "benches/pixels.local.yaml:1:1: unknown key 'phone'; did you mean 'phones'?",
        "benches/pixels.local.yaml:3:5: unknown key 'seriel'; did you mean 'serial'?",
    ]


def test_a_local_file_is_merged_over_its_bench(scenarios: Path):
    local = scenarios / "benches" / "pixels.local.yaml"
    local.write_text('phones:\n  - name: pixel6\n    serial: ABC\nallowed_callees: ["15555550101"]\n')
    bench = Lab.load(scenarios).bench("pixels")
    assert bench.phone("pixel6").serial == "ABC"
    assert bench.allowed_callees == ["15555550101"]


def test_one_file_can_be_checked_alone(scenarios: Path, tmp_path: Path):
    edit(scenarios / "calls" / "callee_rejects.yaml", "do: reject", "do: regect")
    edit(scenarios / "apps" / "cedar.yaml", "version:", "vresion:")
    assert len(found(scenarios, scenarios / "apps" / "cedar.yaml")) == 1
    assert found(scenarios, scenarios / "apps" / "birch.yaml") == []
    assert found(scenarios, scenarios / "apps" / "oak.yaml") == ["apps/oak.yaml:1:1: no such file"]
    other = tmp_path / "calls" / "x.yaml"
    other.parent.mkdir()
    other.write_text("name: y\n")
    assert [mistake.text for mistake in check(scenarios, other)] == [
        "missing key 'answered'",
        "missing key 'ring_s'",
        "missing key 'steps'",
    ]
    assert [mistake.text for mistake in check(scenarios, tmp_path / "x.yaml")] == [
        "cannot tell what this file defines: it lies in none of calls/, apps/, benches/, matrices/, virtual/, faults/"
    ]


def test_a_directory_that_is_not_there_is_a_mistake(tmp_path: Path):
    assert [mistake.text for mistake in check(tmp_path / "none")] == ["no such directory; name it with --scenarios"]


def test_an_unknown_name_on_the_command_line_gets_a_suggestion(scenarios: Path):
    lab = Lab.load(scenarios)
    with pytest.raises(BadInput, match=r"^no matrix 'papr'; did you mean 'paper'\?$"):
        lab.matrix("papr")
    with pytest.raises(
        BadInput, match=r"^no bench 'zzz'; there is lte_hotspot, pcapdroid, pixels, rig, virtual, virtual_constant$"
    ):
        lab.bench("zzz")


LOCAL = "phones:\n  - {name: pixel6, serial: serial-of-pixel6}\n"


def test_a_local_file_that_lies_elsewhere_is_merged_over_the_bench_that_names_it(scenarios: Path, tmp_path: Path):
    beside, elsewhere = scenarios / "benches" / "pixels.local.yaml", tmp_path / "else where" / "pixels.local.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(LOCAL)
    assert Lab.load(scenarios).bench("pixels").phones[0].serial is None
    assert Lab.load(scenarios).local_files == {}
    lab = Lab.load(scenarios, elsewhere)
    assert lab.bench("pixels").phones[0].serial == "serial-of-pixel6"
    assert lab.local_files == {"pixels": elsewhere}
    beside.write_text(LOCAL.replace("serial-of", "another-of"))
    assert Lab.load(scenarios, elsewhere).bench("pixels").phones[0].serial == "serial-of-pixel6"
    assert Lab.load(scenarios).local_files == {"pixels": beside}


def test_a_local_file_that_is_not_there_or_that_no_bench_names_is_refused(scenarios: Path, tmp_path: Path):
    path = tmp_path / "pixels.local.yaml"
    with pytest.raises(BadInput, match=rf"^--local {path}: no such file$"):
        Lab.load(scenarios, path)
    path.write_text(LOCAL)
    other = path.rename(tmp_path / "pixel.local.yaml")
    with pytest.raises(BadInput, match=rf"^--local {other}: no bench names it under 'local'$"):
        Lab.load(scenarios, other)


def test_the_bench_of_a_datasets_own_scenarios_may_have_contacts_for_apps_that_it_did_not_need(scenarios: Path):
    for app in ("apps/birch.yaml", "virtual/birch.yaml", "matrices/invented.yaml"):
        (scenarios / app).unlink()
    assert [line.partition(": ")[2] for line in found(scenarios)] == [
        "no app 'birch'; there is alder, cedar, dogwood, elder, messenger, snapchat, whatsapp"
    ] * 4
    (scenarios.parent / "dataset.json").touch()
    assert found(scenarios) == []
