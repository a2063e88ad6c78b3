"""What the commands answer, and with which exit code: one line where something is wrong."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INVOKE = str(Path(sys.executable).with_name("invoke"))
TRIAL = "whatsapp-voice-lte_to_fixed-caller_cancels-1"
ONE = ("--only", f"id={TRIAL}")


def invoke(*words: object, **environment: str) -> subprocess.CompletedProcess:
    argv = [INVOKE, *(str(word) for word in words)]
    return subprocess.run(
        argv, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def refused(*words: object, **environment: str) -> tuple[int, str]:
    """Exit code and the text on standard error; nothing may stand on standard output."""
    done = invoke(*words, **environment)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def scenarios(tmp_path):
    return Path(shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run-matrix", "--matrix", "smok"), "no matrix 'smok'; did you mean 'smoke'?\n"),
        (("run-matrix", "--bench", "virtuel"), "no bench 'virtuel'; did you mean 'virtual'?\n"),
        (("run-matrix", "--only", "ap=whatsapp"), "--only ap=whatsapp: write KEY=VALUE with KEY one of app, service, "
         "direction, scenario, repetition, id; did you mean 'app'?\n"),
        (("run-matrix", "--only", "app=whatsap"), "--only app=whatsap: no trial of this matrix; "
         "did you mean 'whatsapp'?\n"),
        (("run-matrix", "--seed", "one"), "--seed one: write a whole number of at most 18 digits, without a sign\n"),
        (("run-matrix", "--scenarios", "/nowhere"), "/nowhere:1:1: no such directory; name it with --scenarios\n"),
        (("run-matrix", "--dataset", "lab"), "lab: not empty and no dataset; name another folder with --dataset\n"),
        (("run-trial", "whatsapp-voice-lte_to_fixed-callee_rejects-9"),
         "no trial 'whatsapp-voice-lte_to_fixed-callee_rejects-9' in matrix paper; did you mean "
         "'whatsapp-voice-lte_to_fixed-callee_rejects-3'?\n"),
        (("verify", "--dataset", "/nowhere"), "/nowhere: no dataset.json here; name a dataset with --dataset\n"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_one_line_and_exit_code_2(words, text):
    assert refused(*words) == (2, text)


def test_every_mistake_in_the_yaml_is_named_with_its_place_by_every_command(scenarios):
    edit(scenarios / "calls" / "callee_rejects.yaml", "do: reject", "do: regect")
    edit(scenarios / "apps" / "messenger.yaml", "\npackage:", "\npakage:")
    for words in (("run-matrix",), ("check",), ("doctor", "--json")):
        code, text = refused(*words, "--scenarios", scenarios)
        assert code == 2
        first, second = text.splitlines()
        assert first.startswith(f"{scenarios}/apps/messenger.yaml:3:1: ")
        assert first.endswith("did you mean 'package'?")
        assert second.startswith(f"{scenarios}/calls/callee_rejects.yaml:")
        assert second.endswith("no verb 'regect'; did you mean 'reject'?")


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(tmp_path):
    done = invoke(
        "run-matrix", "--matrix", "smoke", "--only", "service=voice", "--dry-run", "--dataset", tmp_path / "d"
    )
    assert done.returncode == 0
    *trials, summary = done.stdout.splitlines()
    assert len(trials) == 10
    assert all(line.endswith("missing") for line in trials)
    # 10 x 30 s of idling and handling, 2 x 45 s until the system gives up, 8 x 5.5 s of other rings, 4 x 30 s of talk.
    assert summary.startswith("10 of 10 trials to run: 10 calls, about 9 min of bench time, which the virtual bench")
    assert list(tmp_path.iterdir()) == []


def test_the_time_of_a_call_that_the_system_ends_is_that_of_a_long_ring():
    from lab.commands import show
    from lab.run.options import Options
    from lab.run.plan import prepare

    run = prepare(Options(matrix="smoke", scenarios=str(ROOT / "scenarios")))
    expected = {item.trial.scenario: show.expected_s(run, item) for item in run.planned}
    rejects = run.lab.scenarios["callee_rejects"].ring_s
    assert expected["system_timeout"] == (5 + 45 + 25, 0.0)
    assert expected["callee_rejects"] == (5 + (rejects.low_s + rejects.high_s) / 2 + 25, 0.0)
    assert expected["caller_hangs_up"][1] == 30.0


def test_a_dataset_of_another_seed_matrix_or_scenario_is_refused(tmp_path, scenarios):
    from lab.run.description import create
    from lab.run.options import Options
    from lab.run.plan import prepare

    dataset = tmp_path / "d"
    create(prepare(Options(matrix="smoke", dataset=str(dataset), scenarios=str(scenarios))))
    given = ("run-matrix", "--dataset", dataset, "--scenarios", scenarios)
    begun = f"{dataset}/dataset.json: this dataset was begun with"
    end = "name another folder with --dataset\n"
    assert refused(*given, "--matrix", "smoke", "--seed", "2") == (2, f"{begun} seed 1, not 2; {end}")
    assert refused(*given) == (2, f"{begun} matrix smoke, not paper; {end}")
    edit(scenarios / "calls" / "caller_cancels.yaml", "high_s: 8", "high_s: 9")
    code, text = refused(*given, "--matrix", "smoke")
    other = f"{begun} calls/caller_cancels.yaml: ring_s.high_s 8, not 9; "
    assert (code, text.startswith(other), len(text.splitlines())) == (2, True, 1)


def test_a_dataset_that_another_run_holds_is_refused_naming_the_holder(tmp_path):
    from correlate.dataset import Dataset
    from lab.run.options import holding

    with holding(Dataset(tmp_path)):
        text = f"{tmp_path} is held by process {os.getpid()}; wait until it has ended, or end it\n"
        assert refused("run-matrix", "--matrix", "smoke", *ONE, "--dataset", tmp_path) == (5, text)


def test_a_contact_that_is_not_allowed_is_refused_before_anything_is_touched(tmp_path, scenarios):
    local = scenarios / "benches" / "pixels.local.yaml"
    local.write_text(
        "phones:\n"
        "  - {name: pixel6, contacts: [{app: whatsapp, address: '15555550101'}]}\n"
        "  - {name: pixel6pro, contacts: [{app: whatsapp, address: '15555550102'}]}\n"
        "allowed_callees: ['15555550101']\n"
    )
    given = ("run-matrix", "--bench", "pixels", "--matrix", "smoke", "--scenarios", scenarios)
    bench = f"{scenarios}/benches/pixels.yaml"
    text = f"{bench}: pixel6pro: its whatsapp contact is not in allowed_callees; nobody was called\n"
    assert refused(*given, "--dataset", tmp_path / "d") == (2, text)
    assert not (tmp_path / "d").exists()


def without_adb(folder: Path) -> dict[str, str]:
    """An environment in which neither the wheel's adb nor another one can be run."""
    (folder / "sitecustomize.py").write_text(
        "import os\n"
        "real = os.access\n"
        "os.access = lambda path, mode: not str(path).endswith('binaries/adb') and real(path, mode)\n"
    )
    return {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}", "PATH": str(folder)}


def test_a_bench_that_cannot_start_is_one_line_and_exit_code_4_and_doctor_says_the_same(tmp_path):
    environment = without_adb(tmp_path)
    why = "no adb: the adbutils wheel of this platform has none and PATH neither; install adb"
    code, text = refused("run-matrix", "--matrix", "smoke", *ONE, "--dataset", tmp_path / "d", **environment)
    assert (code, text) == (4, f"the virtual bench refuses: {why}\n")
    done = invoke("doctor", "--json", **environment)
    checks = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (4, f"1 of {len(checks)} checks failed\n")
    assert [check for check in checks if not check["ok"]] == [
        {
            "check": "bench",
            "subject": "virtual",
            "ok": False,
            "found": f"the virtual bench refuses: {why}",
            "fix": "mend what is named, then run doctor again",
        }
    ]


def test_an_app_that_was_updated_is_told_at_the_end_of_the_run_and_stands_in_table_2(tmp_path, scenarios):
    edit(scenarios / "virtual" / "whatsapp.yaml", 'version: "2.25.26.74"', 'version: "2.99.0.1"')
    dataset = tmp_path / "d"
    done = invoke("run-trial", TRIAL, "--matrix", "smoke", "--scenarios", scenarios, "--dataset", dataset)
    assert (done.returncode, done.stderr) == (0, "")
    told = "the app's file says 2.25.26.74, the trials ran with 2.99.0.1"
    assert f"version  whatsapp: {told}; tables and report name what was installed" in done.stdout.splitlines()
    (row,) = csv.DictReader((dataset / "tables" / "table2.csv").read_text().splitlines())
    assert (row["version"], row["agreement"]) == ("2.99.0.1", "differs (by construction)")
    assert "<h3>whatsapp 2.99.0.1</h3>" in (dataset / "report.html").read_text()


def test_doctor_finds_nothing_wrong_with_the_virtual_bench():
    done = invoke("doctor", "--matrix", "smoke")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert (
        "ok  root           pixel6                 uid=0(root) gid=0(root) groups=0(root) context=u:r:magisk:s0"
        in lines
    )


def test_doctor_names_all_that_is_wrong_one_line_each_with_its_fix(scenarios):
    edit(scenarios / "benches" / "virtual.yaml", "battery_percent: 87", "battery_percent: 7")
    edit(scenarios / "apps" / "whatsapp.yaml", "version: 2.25.26.74", "version: 2.25.26.75")
    # /proc has no room at all, whatever disk this runs on.
    done = invoke("doctor", "--matrix", "smoke", "--scenarios", scenarios, "--dataset", "/proc/none/yet")
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("ok")]
    other = "2.25.26.74 is installed, 2.25.26.75 is in the app's file"
    fix = "install com.whatsapp 2.25.26.75, or write the installed version into apps/whatsapp.yaml"
    room = "make room for the dataset, or name another --dataset"
    assert wrong == [
        f"no  disk           controller             0 MiB free in /proc: {room}",
        "no  battery        pixel6                 7%: charge it",
        f"no  app            pixel6/whatsapp        {other}: {fix}",
        f"no  app            pixel6pro/whatsapp     {other}: {fix}",
    ]
    assert (done.returncode, done.stderr) == (4, f"4 of {len(done.stdout.splitlines())} checks failed\n")


def test_doctor_looks_at_both_phones_of_a_real_bench_though_neither_is_there(scenarios):
    done = invoke("doctor", "--bench", "pixels", "--scenarios", scenarios, "--json", ANDROID_ADB_SERVER_PORT="1")
    found = {(check["check"], check["subject"]): check["ok"] for check in json.loads(done.stdout)}
    assert found[("reachable", "pixel6")] is False
    assert found[("reachable", "pixel6pro")] is False
    assert [(check, ok) for (check, subject), ok in found.items() if subject == "laptop"] == [("reachable", False)]
    assert done.returncode == 4
