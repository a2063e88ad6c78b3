"""What the house is built on, checked on the files themselves. Import directions: import-linter, in `make check`."""

from __future__ import annotations

import ast
import base64
import hashlib
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("lab/**/*.py"), *ROOT.glob("correlate/**/*.py"), ROOT / "tasks.py"])


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


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
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == module for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module:
            return True
    return False


def test_the_laptop_stand_in_is_one_file_of_the_standard_library() -> None:
    import sys

    tree = ast.parse((ROOT / "lab/virtual/laptop.py").read_text())
    used = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    used |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert used <= set(sys.stdlib_module_names)


def test_the_laptops_agent_is_of_the_standard_library_of_python_3_9() -> None:
    import sys

    files = sorted((ROOT / "lab/laptop/agent").glob("*.py"))
    assert len(files) == 11
    for path in files:
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
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
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > 50:
                    long.append(f"{name(path)}: {node.name} has {lines} lines")
    assert long == []


def test_a_task_only_parses_calls_and_prints() -> None:
    tree = ast.parse((ROOT / "tasks.py").read_text())
    long = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any("task" in ast.dump(one) for one in node.decorator_list):
            body = [line for line in node.body if not isinstance(line, ast.ImportFrom | ast.Expr)]
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > 12:
                long.append(f"{node.name}: {lines} lines")
    assert long == []


def test_nothing_catches_everything_and_nothing_evaluates_text() -> None:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") == "Exception"
            ):
                found.append(f"{name(path)}:{node.lineno}: catch-all")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("eval", "exec"):
                found.append(f"{name(path)}:{node.lineno}: eval")
    assert found == []


def test_every_verb_of_the_scenarios_has_its_function() -> None:
    from typing import get_args

    from lab.definitions.scenario import Verb
    from lab.run.steps import VERBS

    assert set(VERBS) == set(get_args(Verb))


def test_no_lock_file_names_a_package_host() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()
