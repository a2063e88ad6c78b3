"""The mini shell: what it does is what /bin/sh of this machine does, and what it does not know it refuses."""

import asyncio
import os
import stat
import subprocess

import pytest

from lab.definitions.virtual_network import Latency
from lab.virtual.commands.tables import COMMON, toybox
from lab.virtual.files import SHELL_UID
from lab.virtual.shell.interpreter import Interpreter
from lab.virtual.shell.machine import Software, Streams
from lab.virtual.shell.parser import parse
from lab.virtual.shell.terminal import Terminal, operation, tariffs
from lab.virtual.shell.words import Incomplete, ShellSyntaxError
from tests.lab.virtual.tiny import COMMANDS, TinyMachine, run

LATENCY = Latency(up_low_ns=100, up_high_ns=200, down_low_ns=10, down_high_ns=20)


class Lines:
    """The other end of a terminal: gives its lines one by one, keeps each piece that is sent."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)
        self.sent: list[list[tuple[int, bytes]]] = []

    async def read(self) -> bytes:
        return self.lines.pop(0) if self.lines else b""

    async def send(self, pieces: list[tuple[int, bytes]]) -> None:
        self.sent.append(pieces)


@pytest.fixture
def machine(tmp_path):
    return TinyMachine(tmp_path)


PORTABLE = [
    "echo a b   c",
    "echo 'a  b' \"c  d\" e\\ f",
    'echo "it\'s" \'say "x"\' "\\$HOME \\\\ \\a"',
    "X=1; echo $X ${X}2 \"$X\" '$X'",
    "X='a  b'; echo $X; echo \"$X\"; printf '[%s]' $X",
    "false; echo $?; true; echo $?",
    "true && echo yes || echo no",
    "false && echo yes || echo no",
    "false || false || echo third",
    "true && false; echo $?",
    "{ echo a; echo b; } | wc -l | grep -c 2",
    "echo one; exit 5; echo two",
    "printf 'a\\101\\n'",
    "printf '%s-%s\\n' a b c d",
    "printf '%s|%%\\n' ab",
    "printf 'x\\ty\\\\z\\n'",
    "printf a | od -An -v -tx1",
    "printf 'abcdefghijklmnopqrst' | od -An -v -tx1",
    "echo out; echo err >&2",
    "{ echo out; echo err >&2; } 2>&1",
    "echo gone >/dev/null; echo here",
    "echo x >f; echo y >>f; cat f; cat <f",
    "cat nothere 2>/dev/null; echo $?",
    "cat nothere >both 2>&1; test -s both && echo said",
    "printf 'a\\nb\\n' | while read -r l; do echo \"<$l>\"; done",
    "while read -r l; do echo got $l; done",
    "printf 'b\\na\\nc\\n' | head -n 2 | tail -n 1",
    "printf 'x1\\ny2\\nx3\\n' | grep -c x",
    "printf 'a\\nb\\nc\\nd\\ne\\nb\\nb\\n' | grep -a -A 1 -E 'b|f'",
    "echo abc | grep -q z; echo $?",
    "printf 'a.c\\nabc\\n' | grep -F a.c",
    "printf 'a\\n\\000b c\\000' | grep -F -q -a -z 'b c'; echo $?",
    "echo >k1; echo >k2; echo k*; echo 'k*' n*; rm k1 k2; echo k*",
    "mkdir -p d/e; ls d; rm -r d; ls",
    "test 3 != 2 && echo more; [ a = b ]; echo $?; [ -n '' ]; echo $?",
    "cd /; echo $?; pwd",
    "X=outer; X=inner sh -c 'echo $X'; echo $X",
    "sh -c 'exit 9'; echo $?",
    "echo a # comment\necho b",
    "echo a \\\n b",
    "nosuchcommand 2>/dev/null; echo $?",
    "exec echo last; echo never",
    'echo "TOKEN:$?"; false; echo "TOKEN:$?"',
    "echo a;echo b&&echo c",
    "echo {a} }",
    "set=1; echo $set$unset|cat",
    "printf 'abc' | sha256sum",
]


@pytest.mark.parametrize("script", PORTABLE)
def test_a_script_does_what_the_shell_of_this_machine_does(machine, tmp_path, script):
    here = tmp_path / "real"
    here.mkdir()
    stdin = b"one\ntwo\n"
    # POSIX sh: bash's own brace expansion and echo escapes are no part of it.
    argv = ["/bin/sh", "-c", script]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    real = subprocess.run(argv, input=stdin, capture_output=True, cwd=here, env=environment, timeout=10)
    out, err, code = run(machine, script, stdin)
    assert (out, code) == (real.stdout, real.returncode)
    assert bool(err) == bool(real.stderr)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("if true; then echo x; fi", "'if' is not built"),
        ("for x in a; do echo $x; done", "'for' is not built"),
        ("echo `id`", "backquotes are not built"),
        ("echo $(id)", "'$(' is not built"),
        ("(id)", "'(' is not built"),
        ("id & id", "'&' is not built"),
        ("echo a{b,c}", "the braces of a{b,c} are not built"),
        ("X='{a,b}'; echo $X", "the braces of {a,b} are not built"),
        ("echo [ab]*", "the pattern [ab]* is not built"),
        ("echo /*", "the files of / are not emulated"),
        ("echo $HOME", "$HOME is not built"),
        ("X=1 Y=2 IFS=:", "an assignment to IFS is not built"),
        ("X=1 :", "an assignment before ':' is not built"),
        ("X=a:~", "'~' is not built"),
        ("echo $-", "'$-' is not built"),
        ("while true; do break; done", "'break' is not built"),
        ("true || done", "unexpected 'done'"),
        ("cat 0>f", "redirection '0>' is built for <, 1> and 2> only"),
        ("cat </dev/tty", "/dev/tty is not emulated"),
        ("echo x >/system/x", "/system/x is not emulated"),
        ("cat <.", ".: built for files only"),
        ("! id", "'!' is not built"),
        ("echo ${X:-1}", "'${X:-1}' is not built"),
        ("cat <<EOF", "redirection '<<' is not built"),
        ("f() { echo; }", "unexpected '('"),
        ("echo a &> f", "redirection '&>' is not built"),
        ("echo ~/x", "'~' is not built"),
        ("echo 'a", "no closing quote"),
        ("| a", "unexpected '|'"),
        ("a;;b", "unexpected ';;'"),
        ("echo a )", "unexpected ')'"),
        ("while true; do", "'done' is missing"),
    ],
)
def test_syntax_that_is_not_built_is_exit_2_with_a_message_and_noted(machine, script, message):
    out, err, code = run(machine, script)
    assert (out, err, code) == (b"", f"sh: syntax error: {message}\n".encode(), 2)
    assert machine.refused == [f"tiny: syntax: {message}"]


def test_a_text_in_a_line_that_begins_with_nul_is_not_found_as_by_toybox(machine):
    assert run(machine, "printf 'a\\n\\000b c\\n' | grep -F -q -a 'b c'") == (b"", b"", 1)
    assert run(machine, "printf '\\na\\000b c\\n' | grep -F -q -a 'b c'") == (b"", b"", 0)


def test_an_unknown_command_is_127_and_noted(machine):
    assert run(machine, "frobnicate -x") == (b"", b"sh: frobnicate: inaccessible or not found\n", 127)
    assert machine.refused == ["tiny: frobnicate -x"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("read", "read: built as 'read -r NAME' only"),
        ("read l", "read: built as 'read -r NAME' only"),
        ("read -r a b", "read: built as 'read -r NAME' only"),
        ("exec", "exec: built as 'exec COMMAND...' only"),
        ("cd", "cd: built as 'cd DIRECTORY' only"),
        ("cd -", "cd: built as 'cd DIRECTORY' only"),
        ("pwd -P", "pwd: built without arguments only"),
        ("sh x", "sh: built as 'sh' and 'sh -c SCRIPT [NAME [ARGUMENT...]]' only"),
        ("exit -1", "exit: built as 'exit [CODE]' only"),
        ("echo 'a\\c'", "echo: built without \\c"),
        ("test 1 -lt 2", "test: syntax not built"),
        ("cat -n x", "cat: Unknown option 'n'"),
        ("cat .", "cat: .: built for files only"),
        ("cat /proc/version", "cat: /proc/version is not emulated"),
        ("grep 'a*' x", "grep: the pattern a* is not built"),
        ("grep -E 'a|' x", "grep: the pattern a| is not built"),
        ("head -n x", "head: built as '-n LINES [FILE]' and '-c BYTES [FILE]' only"),
        ("tail -n +2", "tail: built as '-n LINES [FILE]' and '-c BYTES [FILE]' only"),
        ("head -n", "head: Missing argument to -n"),
        ("wc", "wc: built as 'wc -l [FILE]' and 'wc -c [FILE]' only"),
        ("ls /", "ls: built for files or for one directory, which is not /"),
        ("ls -l", "ls: Unknown option 'l'"),
        ("mv a b/", "mv: built as 'mv FILE TARGET' only"),
        ("date +%q", "date: built without a part of %q"),
        ("timeout 0 true", "timeout: built as 'timeout SECONDS COMMAND...' only"),
        ("kill -l", "kill: built as 'kill [-SIGNAL] PID...' only"),
        ("kill $$", "kill: ends no shell here"),
    ],
)
def test_a_form_of_a_command_that_is_not_built_is_noted(machine, script, message):
    assert run(machine, script) == (b"", f"{message}\n".encode(), 2)
    assert machine.refused == [f"tiny: {script}".replace("'", "").replace("$$", "10001")]


def test_a_command_that_toybox_alone_has_is_noted(machine):
    shell = Software({**COMMON, "toybox": toybox})
    assert run(machine, "toybox sed p; toybox", software=shell)[2] == 127
    assert machine.refused == ["tiny: toybox sed", "tiny: toybox "]


def test_a_command_is_looked_for_where_path_says(machine):
    assert run(machine, "PATH=/data:$PATH cat /dev/null") == (b"", b"", 0)
    assert machine.refused == []
    assert run(machine, "PATH=/data cat /dev/null")[2] == 127
    assert machine.refused == ["tiny: cat /dev/null"]


def test_not_even_root_changes_the_null_device_of_the_bench(machine):
    assert run(machine, "chmod 600 /dev/null; cat /dev/null", uid=0) == (
        b"",
        b"chmod: /dev/null: Permission denied\n",
        0,
    )
    assert stat.S_IMODE(os.stat("/dev/null").st_mode) == 0o666


def test_an_unknown_option_is_noted(machine):
    out, err, code = run(machine, "grep -H x")
    assert (out, err, code) == (b"", b"grep: Unknown option 'H'\n", 2)
    assert machine.refused == ["tiny: grep -H x"]


def test_the_shell_user_writes_in_its_own_places_only(machine):
    assert run(machine, "echo x >/data/x") == (b"", b"sh: can't create /data/x: Permission denied\n", 1)
    assert run(machine, "echo x >/data/local/tmp/x; cat /data/local/tmp/x") == (b"x\n", b"", 0)
    run(machine, "echo root >/data/local/tmp/r", uid=0)
    assert run(machine, "echo x >/data/local/tmp/r")[2] == 1
    assert run(machine, "cat r; rm r; ls") == (b"root\nx\n", b"", 0)


def test_paths_do_not_leave_the_root_of_the_machine(machine, tmp_path):
    (tmp_path.parent / "outside").write_text("secret")
    out, _, code = run(machine, "cat ../../../../../outside")
    assert (out, code) == (b"", 1)


def test_epochrealtime_has_microseconds_of_the_machines_clock(machine):
    assert run(machine, "echo $EPOCHREALTIME") == (b"1000000000.000001\n", b"", 0)


def test_numbers_of_processes_do_not_depend_on_shells_that_nobody_asked_for_theirs(machine):
    run(machine, "sh -c true; true | true")
    assert run(machine, "echo $$")[0] == b"10001\n"


def test_a_persistent_shell_answers_each_line_in_one_piece_and_pays_for_it(machine):
    peer = Lines(b'echo a; echo b; echo "T:$?"\n', b"ec", b"ho c\nexit 4\n")
    terminal = Terminal(machine.world, "phone", tariffs(LATENCY), peer)
    shell = Interpreter(machine, COMMANDS, SHELL_UID, Streams(terminal, terminal.out, terminal.err), terminal)
    started = machine.world.now_ns
    assert asyncio.run(shell.interactive()) == 4
    assert peer.sent == [[(1, b"a\n"), (1, b"b\n"), (1, b"T:0\n")], [(1, b"c\n")]]
    lowest = 3 * (100 + 500_000) + 2 * (10 + 300_000)
    assert lowest <= machine.world.now_ns - started <= 3 * 1_500_200 + 2 * 900_020


def test_a_line_that_is_not_complete_waits_for_the_next(machine):
    peer = Lines(b"echo 'a\n", b"b'\n")
    terminal = Terminal(machine.world, "phone", tariffs(LATENCY), peer)
    shell = Interpreter(machine, COMMANDS, SHELL_UID, Streams(terminal, terminal.out, terminal.err), terminal)
    assert asyncio.run(shell.interactive()) == 0
    assert peer.sent == [[(1, b"a\nb\n")]]


def test_a_clock_loop_spends_its_way_before_and_after_the_reading(machine):
    peer = Lines(b"\n", b"\n")
    terminal = Terminal(machine.world, "phone", tariffs(LATENCY), peer)
    shell = Interpreter(machine, COMMANDS, SHELL_UID, Streams(terminal, terminal.out, terminal.err), terminal)
    started = machine.world.now_ns
    asyncio.run(shell.run("while read -r l; do echo $EPOCHREALTIME; done"))
    assert len(peer.sent) == 2
    assert 2 * 110 <= machine.world.now_ns - started <= 2 * 220


def test_the_same_lines_cost_the_same_time_whatever_their_token_paths_and_numbers():
    lines = ['rm -f /tmp/a1; echo "x1:$?"', 'rm -f /data/b; echo "lab-end:$?"', "rm -f /c/d"]
    assert {operation(line) for line in lines} == {"rm -f /"}
    assert operation("kill -INT 10001") == operation("kill -INT 17")
    assert operation("grep -F -c -a 'x begin' /f") != operation("grep -F -c -a 'x end' /f")


def test_a_parse_can_be_completed_or_not():
    for text in ("echo 'a", 'echo "a', "a &&", "a |", "while true", "{ a;"):
        with pytest.raises(Incomplete):
            parse(text)
    with pytest.raises(ShellSyntaxError) as caught:
        parse("a ) b")
    assert not isinstance(caught.value, Incomplete)
