"""Scripts for a phone's shell: those that the emulated one answers, those that it refuses, and some by chance.

They run in a folder with the files `f`, `g`, `b c`, `empty`, `cr`, `n` (12 lines), `zero` (with a NUL), `.dot`, `d/e`
and `d/.h`.
"""

import random
import re

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
    "mkdir k && stat -c =%Y= k | grep -c =1; echo a >k/b; mv -f k/b k/c; stat -c '%n %Y' k | grep -c 'k 1'",
    "mkdir k && { echo a >k/new && mv -f k/new k/c || { rm -r k; false; }; }; cat k/*.held 2>/dev/null | head -c 9",
    "mkdir k && { echo a >k/no/new && mv -f k/new k/c || { rm -r k; false; }; }; echo $?; mv k/no k/c; echo $?; ls",
    "date +'since=7 beat=%%s'; cat nothere 2>/dev/null || echo; test -d k && stat -c %Y k 2>/dev/null || echo none",
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
