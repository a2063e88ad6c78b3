"""What the house is built on, checked on the files themselves. Import directions: import-linter, in `make check`."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.conftest import ALONE, LAST, LONGEST, NOT_QUICK

ROOT = Path(__file__).parent.parent
AGENT = ROOT / "lab/laptop/agent"
MODULES = sorted([*ROOT.glob("lab/**/*.py"), *ROOT.glob("correlate/**/*.py"), ROOT / "tasks.py"])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file, which no test here changes; the agent's as Python 3.9 reads it."""
    return ast.parse(path.read_text(), feature_version=(3, 9) if path.is_relative_to(AGENT) else None)


@pytest.mark.parametrize("package", ["adbutils", "uiautomator2"])
def test_the_clients_are_those_of_their_wheels_unmodified(package: str) -> None:
    files = [file for file in distribution(package).files or () if file.hash is not None and file.suffix == ".py"]
    assert len(files) > 10
    changed = []
    for file in files:
        assert file.hash is not None
        digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            changed.append(str(file))
    assert changed == []


def test_no_apps_name_stands_in_correlates_code() -> None:
    apps = {path.stem for path in (ROOT / "scenarios/apps").glob("*.yaml")}
    assert {"whatsapp", "messenger", "snapchat"} <= apps
    named = [
        (name(path), app) for path in MODULES if "correlate" in path.parts for app in apps if app in path.read_text()
    ]
    assert named == []


def test_asyncio_lives_in_the_virtual_bench_alone() -> None:
    users = {name(path) for path in MODULES if imports(path, "asyncio")}
    assert users
    assert {user for user in users if not user.startswith("lab/virtual/")} == set()


def imports(path: Path, module: str) -> bool:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == module for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module:
            return True
    return False


@cache
def imported() -> dict[str, set[str]]:
    """By module of lab/ and correlate/: those of them that it imports, wherever in the file, for types alone too."""
    paths = {name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in MODULES}
    found = {}
    for module, path in paths.items():
        names = set()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                names |= {member if member in paths else node.module or "" for member in members}
        found[module] = (names & paths.keys()) - {module}
    return found


def circles(imports: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """The sets of modules that reach each other, each sorted."""
    reached = {module: set(direct) for module, direct in imports.items()}
    for middle in imports:
        for module in imports:
            if middle in reached[module]:
                reached[module] |= reached[middle]
    return sorted({tuple(sorted(one for one in reached[m] if m in reached[one])) for m in imports if m in reached[m]})


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [("a", "b")]),
        (
            {"d": {"c"}, "a": {"b"}, "b": {"c"}, "c": {"d", "a"}, "e": {"f"}, "f": {"e"}},
            [("a", "b", "c", "d"), ("e", "f")],
        ),
    ],
)
def test_circles_are_found(imports: dict[str, set[str]], found: list[tuple[str, ...]]) -> None:
    assert circles(imports) == found


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = imported()
    assert len(imports) > 150
    assert circles(imports) == []


def test_the_emulator_imports_of_lab_its_definitions_errors_and_processes_alone() -> None:
    """So no codec and no client is tested against itself; a list of who may, not of who may not."""
    allowed = re.compile(r"lab\.(virtual|definitions|errors|process|programs\.processes)(\.|$)")
    emulator = {module: names for module, names in imported().items() if module.startswith("lab.virtual")}
    others = [(module, other) for module, names in emulator.items() for other in names if not allowed.match(other)]
    assert len(emulator) > 60
    assert others == []


def test_the_laptop_stand_in_is_one_file_of_the_standard_library() -> None:
    tree = parsed(ROOT / "lab/virtual/standin/program.py")
    used = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    used |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert used <= set(sys.stdlib_module_names)


def test_the_laptops_agent_is_of_the_standard_library_of_python_3_9() -> None:
    files = sorted(AGENT.glob("*.py"))
    assert len(files) == 11
    for path in files:
        tree = parsed(path)
        used = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        used |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        used -= {module for module in used if module.startswith("lab.laptop.agent.")}
        assert {module.partition(".")[0] for module in used} <= set(sys.stdlib_module_names)


def test_a_function_fits_on_a_screen_and_a_module_is_one_idea() -> None:
    long: list[str] = []
    for path in MODULES:
        text = path.read_text()
        if text.count("\n") > 350:
            long.append(f"{name(path)}: {text.count(chr(10))} lines")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > 50:
                    long.append(f"{name(path)}: {node.name} has {lines} lines")
    assert long == []


def test_a_task_only_parses_calls_and_prints() -> None:
    tree = parsed(ROOT / "tasks.py")
    long = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any("task" in ast.dump(one) for one in node.decorator_list):
            body = [line for line in node.body if not isinstance(line, ast.ImportFrom | ast.Expr)]
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > 12:
                long.append(f"{node.name}: {lines} lines")
    assert long == []


def test_two_guards_alone_catch_everything_and_nothing_evaluates_text() -> None:
    found = []
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") == "Exception"
            ):
                found.append(f"{name(path)}: catch-all")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("eval", "exec"):
                found.append(f"{name(path)}: eval")
    # Around an attempt, and around a command: both keep the traceback.
    assert found == ["lab/commands/exits.py: catch-all", "lab/run/guard.py: catch-all"]


def test_every_verb_of_the_scenarios_has_its_function() -> None:
    from typing import get_args

    from lab.definitions.scenario import Verb
    from lab.run.steps import VERBS

    assert set(VERBS) == set(get_args(Verb))


def test_each_pinned_version_is_installed_by_its_hashes_and_no_lock_file_names_a_package_host() -> None:
    texts = {name: (ROOT / name).read_text() for name in ("constraints.txt", "requirements.txt")}
    assert [name for name, text in texts.items() if "://" in text] == []

    def named(pin: str) -> tuple[str, str]:
        name, version = pin.split("==")
        return re.sub("[-_.]+", "-", name).lower(), version

    pinned = dict(named(line) for line in texts["constraints.txt"].splitlines())
    hashed: dict[tuple[str, str], int] = {}
    for entry in re.split(r"\n(?=[a-z])", texts["requirements.txt"])[1:]:
        hashed[named(entry.split()[0])] = len(re.findall(r" --hash=sha256:[0-9a-f]{64}\b", entry))
    assert min(hashed.values()) >= 1
    assert hashed.keys() ^ pinned.items() == {("colorama", "0.4.6")}  # for Windows alone
    build = (ROOT / "pyproject.toml").read_text().split("[project]")[0]
    assert f'requires = ["setuptools=={pinned["setuptools"]}"]' in build


PLANTED = {
    "lab/commands/planted.py": ("import correlate.flows", "and of correlate the dataset, traces and STUN alone"),
    "lab/phone/planted.py": ("import lab.virtual", "only lab.bench knows that a bench may be virtual"),
    "lab/run/planted.py": ("import lab.commands", "the rooms of lab stand on each other in this order"),
    "lab/commands/watching.py": ("import lab.night", "the rooms of lab stand on each other in this order"),
    "lab/drawer.py": ("import lab.errors", "the rooms of lab stand on each other in this order"),
    "lab/virtual/planted.py": (
        "from correlate import stun",
        "of lab these rooms alone read or write what",
    ),
    "lab/virtual/commands/planted.py": ("import lab.clocks", "the emulator has of the lab nothing but definitions and"),
    "correlate/pairs/planted.py": ("import subprocess", "correlate knows no lab and no phone, and starts no program"),
    "correlate/dimensions/planted.py": ("from correlate.dimensions import volume", "dimensions do not know each other"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    for package in ("lab", "correlate"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def broken(house: Path) -> list[str]:
    argv = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(house)}
    done = subprocess.run(argv, cwd=house, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if " BROKEN" in done.stdout else 0), done.stdout
    return re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)


def test_the_house_keeps_its_contracts(house: Path) -> None:
    assert broken(house) == []


@pytest.mark.parametrize("path", PLANTED)
def test_an_import_that_nobody_allowed_breaks_a_contract(house: Path, path: str) -> None:
    line, contract = PLANTED[path]
    planted = house / path
    planted.write_text(f"{line}\n")
    try:
        assert [one for one in broken(house) if one.startswith(contract)] != []
    finally:
        planted.unlink()


def test_the_contracts_are_short() -> None:
    text = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
    assert len(text.split("\n[[")) == 8
    assert len([line for line in text.splitlines() if line.strip()]) < 45


def test_files_that_are_named_as_long_or_not_as_quick_are_there() -> None:
    assert [name for name in (*LONGEST, *LAST, *ALONE, *NOT_QUICK) if not (ROOT / "tests" / name).exists()] == []


def test_at_the_top_of_lab_are_its_rooms_and_errors_alone() -> None:
    there = {path.name for path in (ROOT / "lab").iterdir() if path.name != "__pycache__"}
    rooms = {"definitions", "clocks", "programs", "virtual", "phone", "laptop", "capture", "bench", "run"}
    rooms |= {"commands", "night"}
    assert there == rooms | {"errors.py", "__init__.py", "py.typed"}
    assert (ROOT / "correlate/py.typed").is_file()


def test_git_ignores_what_is_of_one_lab_alone():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"*.local.yaml", "*.calibration.json", "*.accounts.json", "datasets/"} <= set(ignored)


def test_no_file_is_fetched_by_a_name_that_a_phone_gives() -> None:
    """adb's sync protocol lists folders by LIST and DENT, whose names a phone chooses: nobody asks for them."""
    lists = {"iter_directory", "listdir", "pull_dir", "pull"}
    found = [
        f"{name(path)}: {node.func.attr}"
        for path in MODULES
        if name(path).startswith(("lab/phone/", "lab/capture/", "lab/laptop/", "lab/bench/", "lab/run/"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in lists
    ]
    assert found == []
    assert not any(word in (ROOT / "lab/phone/adb.py").read_text() for word in ("LIST", "DENT"))
