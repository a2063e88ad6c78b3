"""Who this controller is, in words that may lie on a phone."""

import os
import socket
import subprocess

import pytest

from lab.programs.controller import Controller, runs_here, this_controller, word

BOOT = "11111111-2222-4333-8444-555555555555"


def test_a_controller_says_who_it_is_in_plain_words_and_by_a_token_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "bänch 2; rm -rf /")
    (tmp_path / "boot_id").write_text(f"{BOOT}\n")
    us = this_controller(tmp_path / "boot_id")
    assert (us.host, us.pid, us.boot) == ("b-nch-2--rm--rf--", os.getpid(), BOOT)
    assert us.name == f"{us.user}@b-nch-2--rm--rf--"
    assert us.token != this_controller().token
    assert this_controller(tmp_path / "none").boot == ""
    (tmp_path / "boot_id").write_text("no boot")
    assert this_controller(tmp_path / "boot_id").boot == ""


@pytest.mark.parametrize(("text", "said"), [("paper", "paper"), ("", "-"), ("a/b c", "a-b-c"), ("x" * 60, "x" * 48)])
def test_a_word_is_bounded_and_of_letters_that_need_no_quotes(text, said):
    assert word(text) == said


def test_a_machine_is_this_one_by_its_name_and_its_boot():
    us = Controller("lab", "bench1", 1, BOOT, "00" * 8)
    assert us.is_this_machine("bench1", BOOT)
    assert not us.is_this_machine("bench2", BOOT)
    assert not us.is_this_machine("bench1", BOOT.replace("1", "2"))
    assert not Controller("lab", "bench1", 1, "", "00" * 8).is_this_machine("bench1", "")


def test_a_process_runs_here_until_it_has_ended_and_this_one_is_no_other():
    program = subprocess.Popen(["sleep", "60"])
    assert runs_here(program.pid)
    program.kill()
    program.wait()
    assert not runs_here(program.pid)
    assert not runs_here(os.getpid())
    assert runs_here(1)
