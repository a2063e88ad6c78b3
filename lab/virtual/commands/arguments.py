"""Commands on nothing but their arguments: echo, printf, test, true, false."""

from __future__ import annotations

import operator as op
import re

from lab.virtual.shell.machine import Call, Command

ESCAPES = {
    "n": b"\n",
    "t": b"\t",
    "r": b"\r",
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "v": b"\v",
    "e": b"\x1b",
    "\\": b"\\",
}
COMPARISONS = {"-eq": op.eq, "-ne": op.ne, "-lt": op.lt, "-le": op.le, "-gt": op.gt, "-ge": op.ge}
ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
PRINTF = re.compile(r"%(%|0?\d*[sdcxXob])|\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)|([^%\\]+)|(.)", re.DOTALL)


def unescape(code: str) -> bytes:
    """The byte of one backslash escape, given without its backslash."""
    if code[0] == "x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in "01234567":
        return bytes([int(code, 8) & 255])
    return ESCAPES.get(code, b"\\" + code.encode())


def echo(call: Call) -> int:
    """echo -n -e -E: mksh expands backslash escapes unless told not to, bash only when told to."""
    words = call.argv[1:]
    end = b"\n"
    expand = call.machine.shell_name == "sh"
    while words and re.fullmatch(r"-[neE]+", words[0]):
        option = words.pop(0)
        end = b"" if "n" in option else end
        expand = (expand or "e" in option) and "E" not in option
    data = " ".join(words).encode("utf-8", "surrogateescape")
    if expand:
        data = re.sub(
            rb"\\(x[0-9A-Fa-f]{1,2}|0?[0-7]{1,3}|.)", lambda found: unescape(found[1].decode("latin-1")), data
        )
    call.streams.out.write(data + end)
    return 0


def printf(call: Call) -> int:
    """printf with escapes, %s %d %c %x %X %o %b %%; the format is used again while arguments are left."""
    if len(call.argv) < 2:
        return call.fail("usage: printf FORMAT [ARG...]", 2)
    left = call.argv[2:]
    out = bytearray()
    while True:
        before = len(left)
        try:
            out += printed(call.argv[1], left)
        except ValueError as error:
            return call.fail(str(error))
        if not left or len(left) == before:
            break
    call.streams.out.write(bytes(out))
    return 0


def printed(form: str, left: list[str]) -> bytes:
    """One pass over a printf format; takes its arguments off the front of `left`."""
    out = bytearray()
    for conversion, escape, text, stray in PRINTF.findall(form):
        if conversion == "%":
            out += b"%"
        elif conversion:
            out += converted(conversion, left.pop(0) if left else "")
        elif escape:
            out += unescape(escape)
        elif text:
            out += text.encode("utf-8", "surrogateescape")
        elif stray == "\\":
            out += b"\\"
        else:
            raise ValueError(f"{form}: bad conversion")
    return bytes(out)


def converted(conversion: str, argument: str) -> bytes:
    kind, width = conversion[-1], conversion[:-1]
    if kind == "b":
        parts = ESCAPE.sub(lambda found: unescape(found[1]).decode("latin-1"), argument)
        return parts.encode("latin-1", "replace")
    if kind == "c":
        return argument[:1].encode()
    if kind == "s":
        return argument.rjust(int(width or 0)).encode("utf-8", "surrogateescape")
    number = int(argument or "0", 0)
    return format(number, f"{width}{kind}").encode()


def test(call: Call) -> int:
    """`[ ... ]` and `test`: -e -f -d -s -n -z, = and !=, -eq -ne -lt -gt; `!` in front."""
    words = call.argv[1:]
    if call.argv[0] == "[":
        if words[-1:] != ["]"]:
            return call.fail("missing ]", 2)
        words = words[:-1]
    negated = words[:1] == ["!"]
    result = _holds(call, words[1:] if negated else words)
    return call.fail("syntax not built", 2) if result is None else int(result == negated)


def _holds(call: Call, words: list[str]) -> bool | None:
    """The truth of one expression; None where it is not built."""
    if len(words) == 1:
        return bool(words[0])
    if len(words) == 2:
        path = call.machine.files.on_disk(call.path(words[1]))
        size = path.stat().st_size if path.exists() else 0
        unary = {"-e": path.exists(), "-f": path.is_file(), "-d": path.is_dir(), "-s": size > 0}
        unary |= {"-n": bool(words[1]), "-z": not words[1]}
        return unary.get(words[0])
    if len(words) != 3:
        return None
    left, operator, right = words
    if operator in ("=", "==", "!="):
        return (left == right) != (operator == "!=")
    numbers = re.fullmatch(r"(-?\d+) (-?\d+)", f"{left} {right}")
    if operator not in COMPARISONS or numbers is None:
        return None
    return bool(COMPARISONS[operator](int(numbers[1]), int(numbers[2])))


COMMANDS: dict[str, Command] = {
    "echo": echo,
    "printf": printf,
    "test": test,
    "[": test,
    "true": lambda call: 0,
    ":": lambda call: 0,
    "false": lambda call: 1,
}
