"""The documents are true: every task, key and verb has its heading, every link a target, every command runs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml

from correlate.dataset import Dataset

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]


def headings(path: Path) -> set[str]:
    return {line.lstrip("#").strip().strip("`") for line in path.read_text().splitlines() if line.startswith("#")}


def commands(path: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_every_task_has_its_heading_in_the_tour() -> None:
    listed = subprocess.run([BIN / "invoke", "--list", "--list-format=flat"], cwd=ROOT, capture_output=True, check=True)
    tasks = set(re.findall(r"^\s{2}([a-z-]+)\s", listed.stdout.decode(), re.MULTILINE))
    assert {"run-matrix", "run-trial", "show-trial", "doctor", "check", "correlate", "report", "verify"} <= tasks
    assert tasks - headings(ROOT / "docs/tour.md") == set()


def test_every_verb_has_its_heading() -> None:
    from lab.definitions.scenario import Verb

    assert set(get_args(Verb)) - headings(ROOT / "docs/verbs.md") == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_between_documents_has_a_target(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_path_of_the_tour_is_there() -> None:
    tour = (ROOT / "docs/tour.md").read_text()
    paths = set(re.findall(r"`((?:lab|correlate|scenarios|tests|docs)/[\w/.]*|tasks\.py)`", tour))
    assert len(paths) > 50
    # `x.yaml` stands for a file that is yet to be written.
    there = {path: ROOT / path if Path(path).stem != "x" else (ROOT / path).parent for path in paths}
    assert sorted(path for path, place in there.items() if not place.exists()) == []


def test_the_tour_says_where_ten_changes_go() -> None:
    table = (ROOT / "docs/tour.md").read_text().partition("## Ten changes")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert (len(rows), [row for row in rows if "`" not in row]) == (10, [])


def test_every_line_that_only_windows_runs_has_its_status() -> None:
    """Every method of the agent that only Windows runs, and every test that is named, by its name."""
    status = (ROOT / "docs/hardware-status.md").read_text()
    calls = ast.parse((ROOT / "lab/laptop/agent/calls.py").read_text()).body
    branch = next(node for node in calls if isinstance(node, ast.If))
    programs = ast.parse((ROOT / "lab/laptop/agent/windows.py").read_text()).body
    classes = [node for node in [*branch.body, *programs] if isinstance(node, ast.ClassDef)]
    methods = [f"{one.name}.{node.name}" for one in classes for node in one.body if isinstance(node, ast.FunctionDef)]
    assert (len(methods), {one.name for one in classes}) == (16, {"Calls", "Windows"})
    assert [method for method in [*methods, "START_HOTSPOT", "RSC"] if f"`{method}`" not in status] == []
    tests = "".join(path.read_text() for path in ROOT.glob("tests/**/*.py"))
    assert [name for name in re.findall(r"`(test_\w+)`", status) if f"def {name}(" not in tests] == []
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", status) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_decision_has_its_date_its_status_and_its_alternatives(path: Path) -> None:
    title, empty, dated, *rest = path.read_text().splitlines()
    assert re.match(rf"# {path.stem[:4]} [A-Z]", title)
    assert empty == ""
    assert re.fullmatch(r"Date: 20\d\d-\d\d-\d\d\. Status: (accepted|superseded by \[\d{4}\]\(.+\))\.", dated)
    assert [line for line in rest if line.startswith("**Alternatives.** ")] != []


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.stem[:4] for path in RECORDS]
    assert (sorted(set(numbers)), numbers[:1]) == (numbers, ["0001"])


def test_contributing_names_commands_paths_and_packages_that_are_there() -> None:
    path = ROOT / "CONTRIBUTING.md"
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    marks = {mark.partition(":")[0] for mark in settings["markers"]}
    named = set()
    for command in commands(path):
        program, *words = command.split()
        if program == "make":
            assert words[0] in targets, command
            named.add(words[0])
        else:
            assert program == ".venv/bin/pytest", command
            assert [word for word in words if word not in ("-m", *marks) and not (ROOT / word).exists()] == [], command
    assert named == {"setup", "test", "check", "full"}
    paths = set(re.findall(r"`((?:tests|lab|correlate|docs|\.ci|\.github)/[\w/.]*|pyproject\.toml)`", path.read_text()))
    assert len(paths) > 8
    assert sorted(one for one in paths if not (ROOT / one).exists()) == []
    assert re.findall(r"apt install ([^`]+)`", path.read_text()) == [packages_of_ci()]


def packages_of_ci() -> str:
    """What .ci/run installs where it may."""
    (packages,) = re.findall(r"apt-get install -q -y \\\n\s+(.+)\n", (ROOT / ".ci/run").read_text())
    return packages


def test_a_commit_is_checked_by_what_make_check_calls() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    assert (repository["repo"], hook["language"], hook["always_run"]) == ("local", "system", True)
    assert (hook["entry"], hook["pass_filenames"]) == ("make check", False)
    assert re.search(r"^check: ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_hosted_ci_runs_what_ci_runs_and_may_read_alone() -> None:
    workflow = yaml.load((ROOT / ".github/workflows/ci.yml").read_text(), yaml.BaseLoader)
    assert (workflow["permissions"], list(workflow["jobs"])) == ({"contents": "read"}, ["run"])
    job = workflow["jobs"]["run"]
    assert (job["timeout-minutes"], "permissions" in job) == ("50", False)
    assert [step["run"] for step in job["steps"] if "run" in step] == ['sudo env "PATH=$PATH" .ci/run']
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert len(actions) == 2
    assert [action for action in actions if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)] == []
    assert (ROOT / ".ci/run").stat().st_mode & 0o111 == 0o111


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (\d+\.\d+\.\d+) - 20\d\d-\d\d-\d\d$", text, re.MULTILINE)
    assert (versions[0], versions[-1]) == (version, "0.1.0")
    assert versions == sorted(versions, key=lambda text: [int(part) for part in text.split(".")], reverse=True)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds - {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"} == set()


README_COMMANDS = commands(ROOT / "README.md")
# `make test` is what runs this; the paper's matrix and every scenario are other tests', and here `smoke` is short.
ELSEWHERE = ("make ", "python3 -m venv", ".venv/bin/pip", ".venv/bin/pytest")


def test_the_readme_gives_the_two_commands() -> None:
    assert README_COMMANDS[:2] == ["make run-matrix", "make test"]


def test_the_readmes_commands_run_in_their_order(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    smoke = tmp_path / "scenarios/matrices/smoke.yaml"
    lines = [line for line in smoke.read_text().splitlines() if not line.startswith(("services:", "scenarios:"))]
    smoke.write_text("\n".join([*lines, "services: [voice]", "scenarios: [callee_rejects, callee_hangs_up]\n"]))
    (tmp_path / "tasks.py").symlink_to(ROOT / "tasks.py")
    ran = []
    for command in README_COMMANDS:
        if command.startswith(ELSEWHERE):
            continue
        argv = command.split()
        assert argv[0] == ".venv/bin/invoke"
        if argv[1:] == ["run-matrix"]:
            argv += ["--matrix=smoke", "--only=scenario=callee_rejects"]
        done = subprocess.run([BIN / "invoke", *argv[1:]], cwd=tmp_path, capture_output=True, timeout=240, check=False)
        assert (command, done.returncode, done.stderr.decode()) == (command, 0, "")
        ran.append(argv[1])
    assert ran == [
        "run-matrix",
        "--list",
        "run-matrix",
        "run-matrix",
        "run-matrix",
        "show-trial",
        "doctor",
        "check",
        "verify",
        "compare",
    ]
    assert len(Dataset(tmp_path / "datasets/virtual-smoke").trial_ids()) == 4
    assert (tmp_path / "datasets/virtual-smoke/report.html").is_file()


def test_each_of_the_fifty_faults_is_held_by_tests_that_are_there() -> None:
    text = (ROOT / "docs/faults.md").read_text()
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if re.match(r"\| \d", line)]
    assert [row[0] for row in rows] == [f"| {number}" for number in range(1, 51)]
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for number, row in enumerate(rows, 1):
        named = re.findall(r"`(test_\w+)`", row[3])
        assert named, number
        assert [name for name in named if f"def {name}(" not in sources] == [], number
