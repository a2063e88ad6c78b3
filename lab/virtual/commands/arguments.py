"""Commands on nothing but their arguments: echo, printf, test, true, false."""

import os
import re
import stat
from collections.abc import Callable, Mapping

from lab.virtual.shell.machine import Call, Command, Unbuilt

ESCAPES = dict(zip("abefnrtv\\", b"\a\b\x1b\f\n\r\t\v\\", strict=True))
ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|0[0-7]{0,3}|.)", re.DOTALL)
PRINTF = re.compile(rb"%(.?)|\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def unescaped(code: str, octal: str = "01234567") -> bytes:
    """The byte of one backslash escape, given without its backslash. Raises Unbuilt."""
    if code[0] == "x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code in ("c", "x", "u", "U"):
        raise Unbuilt(f"built without \\{code}")
    if code in ESCAPES:
        return bytes([ESCAPES[code]])
    return b"\\" + code.encode("latin-1") if code[0] not in octal else bytes([int(code, 8) & 255])


def echo(call: Call) -> int:
    """echo [-n]: mksh expands backslash escapes, bash and toybox do not."""
    words, end = call.argv[1:], b"\n"
    while words[:1] == ["-n"]:
        words, end = words[1:], b""
    if words and re.fullmatch(r"-[neE]+" if call.by_shell else "-.+", words[0]):
        raise Unbuilt("built with -n only")
    data = " ".join(words).encode("utf-8", "surrogateescape")
    if call.machine.shell_name == "sh" and call.by_shell:
        data = ESCAPE.sub(lambda found: unescaped(found[1].decode("latin-1"), "0"), data)
    call.streams.out.write(data + end)
    return 0


def printf(call: Call) -> int:
    """printf with escapes, %s and %%; the format is used again while arguments are left."""
    if len(call.argv) < 2:
        return call.fail("Needs 1 argument")
    if call.argv[1].startswith("--"):
        raise Unbuilt("built without options")
    form, *left = (word.encode("utf-8", "surrogateescape") for word in call.argv[1:])

    def converted(found: re.Match[bytes]) -> bytes:
        if found[2]:
            return unescaped(found[2].decode("latin-1"))
        if found[1] not in (b"s", b"%"):
            raise Unbuilt("built with %s and %% only")
        return b"%" if found[1] == b"%" else left.pop(0) if left else b""

    while True:
        before = len(left)
        call.streams.out.write(PRINTF.sub(converted, form))
        if not left or len(left) == before:
            return 0


def test(call: Call) -> int:
    """`[ ... ]` and `test`: -e -f -d -s -n -z, = and !=; `!` in front."""
    words = call.argv[1:]
    if call.argv[0] == "[":
        if words[-1:] != ["]"]:
            return call.fail("missing ]", 2)
        words = words[:-1]
    negated = words[:1] == ["!"]
    return int(_holds(call, words[1:] if negated else words) == negated)


FILE_TESTS: Mapping[str, Callable[[os.stat_result], bool]] = {
    "-e": lambda found: True,
    "-f": lambda found: stat.S_ISREG(found.st_mode),
    "-d": lambda found: stat.S_ISDIR(found.st_mode),
    "-s": lambda found: found.st_size > 0,
}


def _holds(call: Call, words: list[str]) -> bool:
    """The truth of one expression. Raises Unbuilt."""
    if len(words) == 1:
        return bool(words[0])
    if len(words) == 2:
        if words[0] in ("-n", "-z"):
            return bool(words[1]) == (words[0] == "-n")
        if words[0] in FILE_TESTS:
            try:
                return FILE_TESTS[words[0]](call.machine.files.stat(call.path(words[1])))
            except OSError:
                return False
    elif len(words) == 3 and words[1] in ("=", "!="):
        return (words[0] == words[2]) != (words[1] == "!=")
    raise Unbuilt("syntax not built")


COMMANDS: dict[str, Command] = {
    "echo": echo,
    "printf": printf,
    "test": test,
    "[": test,
    "true": lambda call: 0,
    ":": lambda call: 0,
    "false": lambda call: 1,
}
