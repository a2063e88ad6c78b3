"""The emulated shell beside mksh and toybox, which Android has: the same answer, or a refusal that is counted.

Not compared: how `timeout` ends where its command ends first. toybox 0.8.9 gives the command's code or 127 then, as its
processes happen to run.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.virtual.commands.tables import COMMON, toybox
from lab.virtual.shell.machine import Software
from tests.lab.virtual.bench_process import BEGIN, Process
from tests.lab.virtual.tiny import TinyMachine, run

MKSH, TOYBOX = shutil.which("mksh"), shutil.which("toybox")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(MKSH is None or TOYBOX is None, reason="no mksh, toybox: apt install mksh toybox"),
]

STDIN = b"in 1\nin\\2  b \nlast"
FILES = {
    "f": b"one\ntwo\nthree\n",
    "g": b"x y  z\n",
    "b c": b"blank\n",
    "empty": b"",
    "cr": b"a\rb\r\nc",
    "n": b"".join(b"%d\n" % number for number in range(1, 13)),
    "zero": b"a\n\0b c\n",
    ".dot": b"dot\n",
    "d/e": b"deep\n",
    "d/.h": b"hidden\n",
}

ANSWERED = [
    # -- quoting
    "echo a   b 'a   b' \"a   b\" a\\ \\ b",
    'echo \'it\'"\'"\'s\' "say \\"x\\"" \'\\\' "\\a\\\\\\$"',
    "echo \"'\" '\"' \"'\"'\"'",
    "printf '[%s]' '' \"\" ''a\"\" b''",
    "printf '[%s]' 'a\nb' \"c\nd\"",
    "echo a\\\nb \"c\\\nd\" 'e\\\nf'",
    'echo "$" a$ \'$X\' "\\$X" \\$X',
    "echo a#b '#c' \\#d #e",
    "\"ec\"ho x; e\\cho y; 'cat' f",
    "printf '[%s]' a\rb 'é'",
    "echo {} {a} a{b } a\\{b,c} '{a,b}' \"{a,b}\"",
    # -- parameters and variables
    'echo $0 $# $1 "[$*]"',
    "sh -c 'echo $0 $1' x y",
    "sh -c 'echo $0 $#; printf \"[%s]\" \"$@\"' zero 'a b' '' c",
    "sh -c 'printf \"[%s]\" $@; printf \"<%s>\" $*' zero 'a b' '' c",
    'sh -c \'printf "[%s]" "-$@-" "-$*-" -$@-\' zero \'a b\' c',
    'sh -c \'printf "[%s]" "$@" "x$@" $@ "$*"\' zero',
    "sh -c 'echo $10 ${10} ${11}' 0 1 2 3 4 5 6 7 8 9 ten",
    "sh -c 'sh -c \"echo \\$1\" x inner; echo $1' x outer",
    'X=1; echo $X ${X}2 $X2 "$X"3',
    'X=1 Y=$X; echo "[$Y]"; X=2 Y=$X true; echo $X $Y',
    "X=1 Y=$X sh -c 'echo \"$X,$Y\"'",
    "X=1; sh -c 'echo \"[$X]\"'; X=2 sh -c 'echo \"[$X]\"'; echo $X",
    "X=1 sh -c 'X=3; sh -c \"echo \\$X\"'",
    "X=a; X=b echo $X; X=c exec sh -c 'echo $X'",
    "X=' a  b '; printf '[%s]' $X x$X\"y\" \"$X\" ''$X''",
    "X=; $X; echo $?; false; $X; echo $?; false; X=1; echo $?",
    "X='echo hi'; $X there",
    "X='a;b|c>d&e'; echo $X",
    "X=a\\ b Y='c'd\"e\"; echo $X $Y",
    "sh -c 'echo $$' | grep -c .; kill -0 $$; echo $?",
    "false; echo $?$? ${?}; cat nothere 2>/dev/null; echo $?",
    # -- lists, pipes, groups, loops
    "true && echo a || echo b; false && echo c || echo d; false || false || echo e",
    "true && false; echo $?; false || exit 3; echo never",
    "{ echo a; echo b; } | grep b; { exit 4; }; echo never",
    "exit 3 | true; echo $?; true | exit 3; echo $?",
    'echo a | read -r x; echo "[$x]"; cd d | true; ls f',
    "echo a |\n\ncat &&\n\necho b",
    'printf \'a\\nb\\n\' | while read -r l; do echo "<$l>"; done; echo "[$l]"',
    'while read -r l; do test "$l" = two && echo hit; done <f; echo $?',
    "while false; do echo never; done; echo $?",
    "{ read -r x; read -r y; cat; } <f; echo $x-$y",
    "{ cat; cat; } <f; { grep -q one; cat; } <g",
    "echo 'echo $0; exit 7' | sh; echo $?",
    "sh -c ''; echo $?; sh -c '# x'; echo $?; sh -c 'false'; echo $?",
    "exec echo last; echo never",
    "exec cat f; echo never",
    "exit",
    "false; exit",
    "exit 256",
    "exit 300",
    # -- redirections
    "echo a >o; echo b >>o; cat o <f; cat <o; >o; ls o; cat o",
    ">o echo a b; <f cat; echo a >o b; cat o",
    "{ echo out; echo err >&2; } 2>/dev/null; { echo out; echo err >&2; } 2>&1",
    "ls nothere >o 2>&1; wc -l o; ls nothere 2>&1 >o | wc -l",
    "cat nothere 2>o; wc -l o; echo x >&2",
    "cat <nothere; echo $?; echo x >nodir/x; echo $?; echo x >d; echo $?",
    ": >nodir/x; echo never",
    "exec cat <nothere; echo never",
    "{ echo a; } >nodir/x; echo $?; while read -r l; do :; done <nothere; echo $?",
    "X='a b'; echo x >$X; cat 'a b'; echo x >n*; ls",
    "echo 2>o; cat o; echo a2>o; cat o; echo 12>o; cat o",
    "cat </dev/null; cat /dev/null; wc -c /dev/null; test -e /dev/null; echo $?; test -f /dev/null; echo $?",
    "cat <''; echo $?; echo x >''; echo $?",
    "echo ?* 2>o; ls o",
    # -- names of files
    "echo * ; echo .*; echo d/* d/.*",
    "echo */ */e ./* ../*/f d//* ./d/../f*",
    'echo ? ??? nothere* f? "*" \\* \'?\' f"*"',
    "X='*'; echo $X \"$X\"; X=d; echo $X/* $X*",
    'echo [ ] a] [a "[fg]"',
    "ls -d *; cat b*; cat 'b c'",
    # -- read
    'read -r l; echo "[$l]"; read -r l; echo "[$l]"; read -r l; echo "$?[$l]"; read -r l; echo "$?[$l]"',
    "printf '  a\\tb  \\n' | { read -r l; echo \"[$l]\"; }",
    # -- echo, printf, test
    "echo -n a; echo -n -n b; echo - c; echo -x; echo -- d; echo",
    "echo 'a\\tb\\nc\\\\d\\ae\\bf\\fg\\vh\\ei' | od -An -v -tx1",
    "echo '\\0101\\101\\x41\\x4g\\1\\8\\q\\' | od -An -v -tx1",
    "exec echo 'a\\tb'",
    "toybox echo 'a\\tb' -n; toybox echo -n x",
    "printf 'a\\bb\\fc\\vd\\ee\\0f\\101\\x41\\q' | od -An -v -tx1",
    "printf '%s-%s|' a b c; printf '%%|%s\\n'; printf 'x\\n' y z; printf '%s' '\\n' -n",
    "printf; echo $?; printf '' a b",
    "test ''; echo $?; test a; echo $?; test -n; echo $?; [ -e ]; echo $?",
    "test -n ''; echo $?; test -z ''; echo $?; test ! a; echo $?; test ! -z ''; echo $?",
    "test -e f; echo $?; test -f d; echo $?; test -d d; echo $?; test -s empty; echo $?; test -e ''; echo $?",
    "[ a = a ]; echo $?; [ a = b ]; echo $?; [ a != b ]; echo $?; [ = = = ]; echo $?; [ ! a = b ]; echo $?",
    "[ abc = 'a*' ]; echo $?; [ a = a; echo $?; [ -f f ] && [ ! -f d ] && echo both",
    "true x; echo $?; false x; echo $?; : x y; echo $?",
    # -- files
    "cat f - g <empty; cat -- f; cat nothere f; echo $?; cat ''; echo $?",
    "ls; ls d; ls -a d; ls -A d; ls -1 d/; ls g f; ls -d d f",
    "ls nothere f; echo $?; ls f/; echo $?; ls ''; echo $?; ls .",
    "rm f; ls; rm f; echo $?; rm -f f nothere; echo $?; rm; echo $?; rm -f; echo $?",
    "rm d; echo $?; rm -r d; ls; rm -rf nothere; echo $?; rm ''; echo $?; rm -f ''; echo $?",
    "mkdir k; mkdir k; echo $?; mkdir k/l/m; echo $?; mkdir -p k/l/m k/l; ls k/l; mkdir; echo $?",
    "mkdir f; echo $?; mkdir -p f; echo $?; mkdir -p f/x; echo $?; mkdir ''; echo $?; mkdir -p d 'a b'; ls",
    "mv f h; ls; mv h g; cat g; mv nothere h; echo $?; mv -f g 'b c'; cat 'b c'; mv d k; ls k",
    "mv f nodir/x; echo $?; mv d f; echo $?",
    "stat -c %s f; stat -c '%s %n' f g; stat -c %s nothere f; echo $?; stat -c %n; echo $?; stat -c %s ''; echo $?",
    "chmod 644 f; echo $?; chmod 755 nothere f; echo $?",
    "sha256sum f 'b c'; sha256sum <f; md5sum -; sha256sum nothere f; echo $?",
    "cd d; pwd; cd ..; cd nothere; echo $?; cd f; echo $?; cd d/..; cat f; cd ./d; cat e; cd /; pwd",
    # -- text
    "head -n 2 f; head -c 5 f; head -n 0 f; head n; head -n 1 <cr; head -n 1 nothere; echo $?",
    "tail -n 2 f; tail -c 5 f; tail n; tail -n 1 <cr; tail -n 1 nothere; echo $?",
    "wc -l f; wc -c <f; wc -l -; wc -c nothere; echo $?; printf a | wc -l",
    "grep t f; grep -c t f g; grep -v t f; grep -i ONE f; grep -q two f; echo $?; grep zz f; echo $?",
    "grep t f g n; grep in; grep in - f; grep t nothere f; echo $?; grep -q t f nothere; echo $?",
    "grep '' f; grep '' empty; echo $?; grep '^t' f; grep 'e$' f; grep 'o.*' f; grep 'a b' g; echo $?",
    "grep -E 'one|^th' f; grep -E -v -c 'o$' f; grep -F o f; grep -F '' f; printf 'a.c\\nabc\\n' | grep -F a.c",
    "grep -F -q -a -z 'b c' zero; echo $?; grep -F -q -a 'b c' zero; echo $?; grep -F -z -c one f",
    "od -An -v -tx1 f g; od -An -v -tx1 empty; od -An -v -tx1 nothere; echo $?",
    "timeout 5 cat f || true; echo in | toybox timeout 5 toybox cat || true",
    "toybox cat f | toybox grep -c t; toybox ls nothere; echo $?; toybox [ a = b ]; echo $?",
    "kill -0 99999; echo $?; kill -9 99999; kill; echo $?; kill abc; echo $?; kill -FOO 99999; echo $?",
    "date +'a %% b'; date -u +%%s; uname -s; uname -rm; uname -sr",
]

NOT_FOUND = [
    "nosuch x; echo $?; nosuch | cat; nosuch && echo never",
    "'while' x; echo $?; d; echo $?; ./nothere; echo $?; d/nothere; echo $?",
    "PATH=/nothere cat f; echo $?; PATH=/nothere; echo built in; cat f; echo $?",
    "timeout 5 nosuch; echo $?; timeout 5 cd d; echo $?; exec nosuch",
]
"""What the real ones do not find either: counted all the same, since a phone may have it."""

REFUSED = [
    "cat <<E\nx\nE",
    "cat <<<x",
    "cat <>f",
    "echo a >|o",
    "echo a &>o",
    "cat 0<&1",
    "echo a 3>o",
    "exec >o; echo x",
    "if true; then echo a; fi",
    "for x in a b; do echo $x; done",
    "case a in a) echo b;; esac",
    "until true; do echo x; done",
    "f() { echo a; }; f",
    "(echo a)",
    "true & wait",
    "! true",
    "[[ a = a ]]",
    "((1))",
    "echo $((1 + 1))",
    "echo $(echo a)",
    "echo `echo a`",
    "echo ${X:-d}",
    "X=abc; echo ${X#a} ${X%c} ${#X}",
    "echo $'a\\tb'",
    "echo ~",
    "X=~/a; echo $X",
    "echo x{,y}; X='{a,b}'; echo $X",
    "echo [fg]; echo [a-g]",
    "echo $HOME $PWD $PPID $IFS $RANDOM $_ $LINENO",
    "echo $-",
    "IFS=:; X=a:b; printf '[%s]' $X",
    'read l; echo "$l"',
    'read -r a b; echo "$b"',
    'IFS= read -r l; echo "[$l]"',
    "while true; do break; done",
    "export X=1; sh -c 'echo $X'",
    "set -- a b; echo $1",
    "shift; eval echo a; unset X; local x; trap : EXIT",
    "command -v cat",
    "type cat",
    ". ./f",
    "cd d; cd -",
    "exit -1",
    "sh f",
    "X=1 :; echo $X",
    "kill $$; echo never",
    "kill -l",
    "kill -0 1",
    "kill -0 0",
    "kill -0 -1",
    "kill -- $$",
    "echo -e 'a\\tb'",
    "echo 'a\\cb'",
    "printf '%d %5s %b' 1 a b",
    "printf 'a\\cb'",
    "test 1 -lt 2",
    "test a -a b",
    "[ -r f ]",
    "cat -n f",
    "cat d; echo $?",
    "ls -l",
    "ls -R",
    "ls f d",
    "grep 'a[0-9]*' f",
    "grep 'o+' f",
    "grep '^$' f",
    "test",
    "./f",
    "echo [!f]*",
    "grep -n t f",
    "head -n 1 f g",
    "head -2 f",
    "tail -n +2 f",
    "tail -n 0 f",
    "wc f g",
    "mv f d",
    "stat f",
    "chmod u+x f",
    "date +%q",
    "date -d @0",
    "uname -q",
    "timeout 0.5 cat",
    "basename /a/b.c .c; dirname /a/b",
    "sed p f",
    "cut -c 1 f",
    "sort f",
    "tr a b <f",
    "find .",
    "sleep 0",
    "ln -s f l; readlink l; cp f h; touch k; dd if=f",
    "xargs echo <f",
    "toybox sort f",
    "toybox",
    "cat /dev/zero | head -c 3",
    "echo x >/dev/stdout",
    "cat /proc/self/stat",
    "ls /",
    "echo /*",
    "bash -c 'echo x'",
]


@dataclass(frozen=True)
class Answer:
    out: bytes
    err: bytes
    code: int


def is_same(script: str, real: Answer, emulated: Answer) -> bool:
    """Whether both say the same. What a shell itself complains is worded by its version, and toybox adds an advice."""
    told = re.sub(rb' \(see "\w+ --help"\)', b"", real.err)
    if " | " in script:
        # Who has died before it complained is a matter of chance.
        complaints = True
    elif re.search(rb"\bsh: |\bkill\b", told):
        complaints = emulated.err != b""
    else:
        complaints = told == emulated.err
    return (real.out, real.code, complaints) == (emulated.out, emulated.code, True)


class Both:
    """The same small tree of files at the same path, for the real shell and for the emulated one."""

    def __init__(self, root: Path) -> None:
        self._bin, self._here, self._virtual = root / "bin", root / "here", root / "virtual"
        self._bin.mkdir()
        (self._bin / "sh").symlink_to(str(MKSH))
        applets = subprocess.run([str(TOYBOX)], capture_output=True, check=True).stdout.decode().split()
        for name in {"toybox", *applets} - {"sh"}:
            (self._bin / name).symlink_to(str(TOYBOX))

    def real(self, script: str, stdin: bytes = STDIN) -> Answer:
        write_tree(self._here)
        argv, environment = ["sh", "-c", script], {"PATH": str(self._bin)}
        done = subprocess.run(
            argv,
            executable=self._bin / "sh",
            input=stdin,
            capture_output=True,
            cwd=self._here,
            env=environment,
            timeout=20,
        )
        return Answer(done.stdout, done.stderr, done.returncode)

    def emulated(self, script: str) -> tuple[Answer, list[str]]:
        """Its answer, and what it refused."""
        write_tree(self._virtual / str(self._here).lstrip("/"))
        machine = TinyMachine(self._virtual, str(self._here))
        software = Software({**COMMON, "toybox": toybox})
        return Answer(*run(machine, script, STDIN, software=software, directory=str(self._here))), machine.refused


def write_tree(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return Both(tmp_path_factory.mktemp("shells"))


def test_at_least_80_scripts_have_to_be_answered_and_no_script_is_there_twice():
    assert len(ANSWERED) >= 80
    assert len({*ANSWERED, *NOT_FOUND, *REFUSED}) == len(ANSWERED) + len(NOT_FOUND) + len(REFUSED)


@pytest.mark.parametrize("script", ANSWERED)
def test_a_script_has_the_answer_of_mksh_and_toybox(both, script):
    real, (emulated, refused) = both.real(script), both.emulated(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert refused == []


@pytest.mark.parametrize("script", NOT_FOUND)
def test_a_command_that_is_not_found_has_the_same_answer_and_is_counted(both, script):
    real, (emulated, refused) = both.real(script), both.emulated(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert refused


@pytest.mark.parametrize("script", REFUSED)
def test_a_script_that_is_not_built_is_refused_and_counted(both, script):
    emulated, refused = both.emulated(script)
    assert refused, f"{script}\n{both.real(script)}\n{emulated}"
    assert emulated.err != b""


class Scripts:
    """Scripts by chance: words, commands, redirections and lists of those above, in any order."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)

    def some(self, pieces: list[str], most: int) -> str:
        return " ".join(self.pick.choice(pieces) for _ in range(self.pick.randint(0, most)))

    def command(self, pure: bool) -> str:
        words, files = self.some(WORDS, 4), self.some(NAMES, 2)
        form = self.pick.choice(READING if pure else READING + WRITING)
        pattern = self.pick.choice(PATTERNS)
        text = form.format(
            words=words, word=self.pick.choice(WORDS), files=files, file=self.pick.choice(NAMES), grep=pattern
        )
        assignment = self.pick.choice(ASSIGNMENTS) + " " if self.pick.random() < 0.1 else ""
        targets = ["<f", "</dev/null", ">/dev/null", "2>/dev/null"] + (
            [] if pure else [">o", ">>o", ">&2", "<nothere", "2>o"]
        )
        return assignment + text + (f" {self.pick.choice(targets)}" if self.pick.random() < 0.25 else "")

    def compound(self, depth: int, pure: bool) -> str:
        kind = self.pick.random()
        if depth < 2 and kind < 0.12:
            return f"{{ {self.pipes(depth + 1, pure)}; }}"
        if depth < 2 and kind < 0.2:
            return f"while read -r l; do {self.pick.choice(BODIES)}; done {self.pick.choice(['<f', '<cr', '', '<n'])}"
        return self.command(pure)

    def pipes(self, depth: int, pure: bool = False) -> str:
        """Pipelines in a list. Those of several commands write nothing: their order is a matter of chance."""
        lines = []
        for _ in range(self.pick.choice([1, 1, 2, 3] if depth == 0 else [1, 2])):
            length = self.pick.choice([1, 1, 1, 2, 3])
            lines.append(" | ".join(self.compound(depth, pure or length > 1) for _ in range(length)))
            lines.append(self.pick.choice(["; ", " && ", " || ", "\n"]))
        return "".join(lines[:-1])

    def script(self) -> str:
        start = "; ".join(self.pick.sample(ASSIGNMENTS, 2)) + "; " if self.pick.random() < 0.4 else ""
        return start + self.pipes(0) + self.pick.choice(["", "; echo $?", '; echo "$X,$Y"'])


WORDS = re.split(
    r"\s{2,}",
    r"""a  'a b'  "x y"  $X  "$X"  ${Y}  "${Y}z"  \$X  a\ b  ''  ""  *  f*  d/*  '*'  $1  "$@"  $#  $?  -n  -  e\\n
    'a\tb'  '\0101'  x$X"$Y"  $Z  b}  a=b  #c  a#b  %  é  $@  $*  "$*"  "'"  '"'  "\""  "\a"  =  !  ]  [  1  2  d/
    */  ./*  ../*/f  "b"*  $V  $W  [fg]  {a,b}  ~  $HOME""",
)
NAMES = ["f", "g", "'b c'", "empty", "n", "nothere", "d/e", "cr", "d", ".dot", "./f", "d/../f", "-"]
ASSIGNMENTS = ["X=1", "Y='a  b'", "X=", "Y=$X", 'X="$Y"q', "V='*'", "W='f g'", "Z=$1", "X=a\\ b", "X=$?", "Z=' c d '"]
PATTERNS = ["t", "'^t'", "'e$'", "-F t", "-F ''", "'o.*'", "-E 't|x'", "-i ONE", "-v t", "-c t", "-q one", "'a+b'", "1"]
BODIES = ['echo "<$l>"', "echo $l", "cat", 'test "$l" = two && echo hit']
READING = r"""echo {words}
echo -n {words}
printf '%s\n' {words}
printf '[%s]' {words}
cat {files}
cat - {file}
grep {grep} {files}
head -n 1 {file}
head {file}
tail -n 2 {file}
tail -c 4 {file}
wc -l {file}
wc -c {files}
ls {files}
ls -a {file}
ls -d {files}
test -e {file}
test -d {file}
test -n {word}
[ {word} = {word} ]
[ {word} != a ]
stat -c %s {file}
sha256sum {file}
od -An -v -tx1 {file}
true
false
pwd
read -r X
sh -c 'echo $0 $1 $#' {words}
sh -c 'printf "[%s]" "-$@-"' {words}
sh -c cat
nosuch {words}
toybox echo {words}
toybox cat {file}
$X {words}
date +{word}
echo $(echo a)
echo ${{X:-a}}
sort {file}""".splitlines()
WRITING = """rm {files}
rm -rf {files}
mkdir -p {file}
mkdir k
mv {file} h
mv -f {file} g
cd {file}
exit 3
exec cat {file}
kill -0 {word}
chmod 644 {file}""".splitlines()


def test_scripts_by_chance_have_the_same_answer_or_are_refused(both):
    scripts, answered, wrong = Scripts(1), 0, []
    for _ in range(400):
        script = scripts.script()
        real, (emulated, refused) = both.real(script), both.emulated(script)
        if is_same(script, real, emulated):
            answered += 1
        elif not refused:
            wrong.append(f"{script}\n{real}\n{emulated}")
    assert wrong == []
    assert answered >= 200


@pytest.fixture(scope="module")
def phone(both, tmp_path_factory):
    """What asks a virtual phone by the stock adb: a script, in the tree of files."""
    folder = tmp_path_factory.mktemp("bench")
    write_tree(folder / "here")
    process = Process(folder)
    process.say(BEGIN)
    serial = f"127.0.0.1:{process.started['phones'][0]['port']}"
    process.adb("connect", serial)

    def ask(script: str) -> Answer:
        process.adb("-s", serial, "shell", "rm -rf /data/local/tmp/here")
        assert process.adb("-s", serial, "push", str(folder / "here"), "/data/local/tmp").returncode == 0
        done = process.adb("-s", serial, "shell", f"cd /data/local/tmp/here; {script}")
        return Answer(done.stdout, done.stderr, done.returncode)

    yield ask, process
    process.end()


@pytest.mark.parametrize("script", [one for one in ANSWERED if not re.search("pwd|uname|cd |ls$|ls;", one)][::12])
def test_adb_brings_the_same_answer(both, phone, script):
    ask, process = phone
    real, emulated = both.real(script, b""), ask(script)
    assert is_same(script, real, emulated), f"{script}\n{real}\n{emulated}"
    assert process.say({"op": "end", "truth": None})["refused"] == []


def test_adb_brings_a_refusal_and_it_is_counted(phone):
    ask, process = phone
    answer = ask("for x in a b; do echo $x; done")
    assert answer == Answer(b"", b"sh: syntax error: 'for' is not built\n", 2)
    assert process.say({"op": "end", "truth": None})["refused"] == ["pixel6: syntax: 'for' is not built"]
