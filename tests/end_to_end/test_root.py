"""Root through Magisk's su, over adb: what reaches the shell of root is what was meant, whatever is in it.

`su` joins the words behind `-c` with blanks and gives them to a shell, so a script that is not one word is cut in two.
"""

import shlex
import subprocess
from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import PhoneTrouble
from lab.programs.shell import as_root
from tests.end_to_end.runs import ROOT

TEXTS = [
    "two  blanks",
    "it's",
    '"quoted"',
    "$HOME ${HOME} $(id) `id` $$ $?",
    "a;b&c|d>e<f(g)h#i*j?k[l]!m~n\\o",
    "back\\slash at the end\\",
    "'\"'\"'",
    "-c id",
    "Größe 电话",
]
LINES = ["two\nlines", "'open\nquote", "trailing\n\nblank\n x", "a\r\nb"]


@pytest.fixture(scope="module")
def bench():
    lab = Lab.load(Path(ROOT / "scenarios"))
    with Bench(lab, lab.bench("virtual"), Stop()) as bench:
        yield bench


def all_of(stream) -> str:
    data = b""
    while part := stream.receive(5.0):
        data += part
    stream.close()
    return data.decode()


def test_the_argument_of_su_is_one_word():
    assert as_root("id") == "su -c id"
    assert as_root("id; id") == "su -c 'id; id'"
    assert as_root("echo 'it''s' \"$X\"") == "su -c 'echo '\"'\"'it'\"'\"''\"'\"'s'\"'\"' \"$X\"'"
    assert all(shlex.split(as_root(text)) == ["su", "-c", text] for text in TEXTS + LINES)
    with pytest.raises(ValueError, match="a script holds no NUL"):
        as_root("a\0b")


@pytest.mark.parametrize("text", TEXTS + LINES)
def test_a_real_shell_and_a_su_that_joins_with_blanks_give_the_script_back(tmp_path, text):
    (tmp_path / "su").write_text('#!/bin/sh\n[ "$1" = -c ] || exit 9\nshift\nexec /bin/sh -c "$*"\n')
    (tmp_path / "su").chmod(0o755)
    script = f"printf '%s' {shlex.quote(text)}; printf '%s' \"$#\""
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", as_root(script)], capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == f"{text}0"


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_reaches_roots_shell_as_it_is(bench, text):
    device = bench.phones["pixel6"].device
    said = device.run(f"printf '%s' {shlex.quote(text)}", root=True)
    assert (said.text, said.code) == (text, 0)


@pytest.mark.parametrize("text", TEXTS + LINES)
def test_a_script_of_root_writes_that_text_into_a_file_of_that_name(bench, text):
    device = bench.phones["pixel6"].device
    path = f"/data/local/tmp/root/{text.replace('/', '_')}"
    script = f"mkdir -p /data/local/tmp/root\nprintf '%s' {shlex.quote(text)} >{shlex.quote(path)}\nid -u; echo $?"
    assert all_of(device.open_root(script)) == "0\n0\n"
    assert all_of(device.open_root(f"cat {shlex.quote(path)}; rm {shlex.quote(path)}")) == text


def test_a_script_that_is_not_quoted_is_roots_up_to_its_first_command(bench):
    device = bench.phones["pixel6"].device
    assert all_of(device.open_service("exec:su -c id -u; id -u")) == "0\n2000\n"
    assert all_of(device.open_root("id -u; id -u")) == "0\n0\n"


def test_variables_are_roots_and_not_the_callers(bench):
    device = bench.phones["pixel6"].device
    assert all_of(device.open_service('exec:X=outer; su -c "echo $X; X=inner; echo $X"')) == "outer\nouter\n"
    assert all_of(device.open_root("X=inner; echo $X; echo '$X'")) == "inner\n$X\n"


def test_a_phone_without_root_says_so(bench):
    said = bench.phones["pixel6pro"].device
    assert all_of(said.open_root("id")) == "sh: su: inaccessible or not found\n"
    with pytest.raises(PhoneTrouble, match="no whole answer to `id`: the shell ended while it ran: id"):
        said.run("id", root=True)
