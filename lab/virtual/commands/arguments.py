"""Commands on nothing but their arguments: echo, printf, test, true, false."""

import re

from lab.virtual.shell.machine import Call, Command, Unbuilt

ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "a": b"\a", "\\": b"\\"}
ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|0?[0-7]{1,3}|.)", re.DOTALL)
PRINTF = re.compile(rb"%(.?)|\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def unescaped(code: str) -> bytes:
    """The byte of one backslash escape, given without its backslash."""
    if code[0] == "x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in "01234567":
        return bytes([int(code, 8) & 255])
    return ESCAPES.get(code, b"\\" + code.encode("latin-1"))


def echo(call: Call) -> int:
    """echo [-n]: mksh expands backslash escapes, bash does not."""
    words, end = call.argv[1:], b"\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], b""
    elif words and re.fullmatch(r"-[neE]+", words[0]):
        raise Unbuilt("built with -n only")
    data = " ".join(words).encode("utf-8", "surrogateescape")
    if call.machine.shell_name == "sh":
        data = ESCAPE.sub(lambda found: unescaped(found[1].decode("latin-1")), data)
    call.streams.out.write(data + end)
    return 0


def printf(call: Call) -> int:
    """printf with escapes, %s and %%; the format is used again while arguments are left."""
    if len(call.argv) < 2:
        return call.fail("usage: printf FORMAT [ARG...]", 2)
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


def _holds(call: Call, words: list[str]) -> bool:
    """The truth of one expression. Raises Unbuilt."""
    if len(words) == 1:
        return bool(words[0])
    if len(words) == 2:
        path = call.machine.files.on_disk(call.path(words[1]))
        unary = {"-e": path.exists(), "-f": path.is_file(), "-d": path.is_dir()}
        unary |= {"-s": path.exists() and path.stat().st_size > 0, "-n": bool(words[1]), "-z": not words[1]}
        if words[0] in unary:
            return unary[words[0]]
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
