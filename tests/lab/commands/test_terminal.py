"""What a command writes shows no secret of the bench that it chose."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit
from rich.console import Console

from lab.commands.exits import exits
from lab.commands.show import console
from lab.definitions import Lab
from lab.errors import PhoneTrouble

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SHOWN = "<address of pixel6pro in whatsapp>"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(SCENARIOS)


def test_a_chosen_benchs_secrets_are_replaced_on_both_streams(lab, capsys):
    with exits():
        print("before: 15555550102")
        lab.bench("virtual")
        print("calls 15555550102,", "twice")
        console().print("styled [yellow]15555550102[/]")
        print("wa.me/15555550102", file=sys.stderr)
    print("after: 15555550102")
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "before: 15555550102",
        f"calls {SHOWN}, twice",
        f"styled {SHOWN}",
        "after: 15555550102",
    ]
    assert said.err == f"wa.me/{SHOWN}\n"


def test_a_secret_right_after_a_colour_is_found(lab, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    with exits():
        lab.bench("virtual")
        Console(force_terminal=True, color_system="standard").print("[yellow]15555550102[/]", highlight=False)
    assert written.getvalue() == f"\x1b[33m{SHOWN}\x1b[0m\n"


def test_a_secret_in_an_error_is_replaced_and_its_exit_code_is_kept(lab):
    def fails() -> None:
        with exits():
            lab.bench("virtual")
            raise PhoneTrouble("pixel6: no answer to am start -d https://wa.me/15555550102")

    with pytest.raises(Exit) as end:
        fails()
    assert (end.value.message, end.value.code) == (f"pixel6: no answer to am start -d https://wa.me/{SHOWN}", 4)


def test_json_stays_json_and_its_numbers_stay(lab, capsys):
    with exits():
        lab.bench("virtual")
        print('[{"found": "15555550102", "port": 15555550102}]')
    assert capsys.readouterr().out == f'[{{"found": "{SHOWN}", "port": 15555550102}}]\n'


def test_a_stream_is_still_what_it_was_but_for_its_texts(capsys):
    before = sys.stdout
    with exits():
        assert (sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.writable()) == (False, before.encoding, True)
        assert sys.stdout.write("x") == 1
        sys.stdout.flush()
    assert sys.stdout is before
