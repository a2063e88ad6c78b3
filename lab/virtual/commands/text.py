"""Commands on streams of bytes: echo, printf, cat, grep, od, sha256sum, md5sum, wc, head, tail, cut, tr, sort, test."""

from __future__ import annotations

import hashlib
import operator as op
import re

from lab.virtual.shell.machine import Call, Command, Unbuilt, options

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
    call.ends.out.write(data + end)
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
    call.ends.out.write(bytes(out))
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


async def inputs(call: Call, files: list[str]) -> list[tuple[str, bytes]] | None:
    """Names and contents of the files, standard input for none or `-`; None and a message where one does not open."""
    found = []
    for name in files or ["-"]:
        try:
            found.append((name, await contents(call, name)))
        except OSError as error:
            call.fail(f"{name}: {error.strerror}")
            return None
    return found


async def contents(call: Call, name: str) -> bytes:
    """What a file holds, or standard input for `-`. Raises OSError."""
    return await call.ends.input.read_all() if name == "-" else call.machine.files.read(call.path(name), call.uid)


async def cat(call: Call) -> int:
    failed = 0
    for name in call.argv[1:] or ["-"]:
        try:
            call.ends.out.write(await contents(call, name))
        except OSError as error:
            failed = call.fail(f"{name}: {error.strerror}")
    return failed


async def grep(call: Call) -> int:
    """grep -F -E -c -a -q -i -v -o -n -z -m; 0 where a line fits, 1 where none does, 2 for trouble."""
    given, operands = options(call, "FEcaqivonz", "em")
    pattern = given.get("e")
    if pattern is None:
        if not operands:
            return call.fail("no pattern", 2)
        pattern = operands.pop(0)
    flags = re.IGNORECASE if "i" in given else 0
    wanted = re.compile((re.escape(pattern) if "F" in given else pattern).encode("utf-8", "surrogateescape"), flags)
    sources = await inputs(call, operands)
    if sources is None:
        return 2
    total = 0
    for name, data in sources:
        prefix = f"{name}:".encode() if len(sources) > 1 else b""
        total += grep_input(call, given, wanted, prefix, data)
    return 0 if total else 1


def grep_input(call: Call, given: dict[str, str], wanted: re.Pattern[bytes], prefix: bytes, data: bytes) -> int:
    end = b"\0" if "z" in given else b"\n"
    lines = data.split(end)
    if lines and not lines[-1]:
        lines.pop()
    if "F" in given:
        # toybox' grep looks for nothing in a line that begins with NUL.
        lines = [b"" if line.startswith(b"\0") else line for line in lines]
    hits = [(number, line) for number, line in enumerate(lines, 1) if bool(wanted.search(line)) != ("v" in given)]
    hits = hits[: int(given.get("m", len(hits)))]
    if "c" in given:
        call.ends.out.write(prefix + b"%d\n" % len(hits))
    elif "q" not in given:
        for number, line in hits:
            start = prefix + (b"%d:" % number if "n" in given else b"")
            pieces = [found.group() for found in wanted.finditer(line)] if "o" in given else [line]
            call.ends.out.write(b"".join(start + piece + end for piece in pieces))
    return len(hits)


async def od(call: Call) -> int:
    """od -A n|d|x|o -v -t x1 -N COUNT: bytes in hex, 16 a line."""
    given, operands = options(call, "v", "AtN")
    if given.get("t", "o2") != "x1":
        raise Unbuilt("only -t x1 is built")
    sources = await inputs(call, operands)
    if sources is None:
        return 1
    data = b"".join(part for _, part in sources)
    data = data[: int(given["N"])] if "N" in given else data
    form = {"n": "", "d": "{:07d}", "x": "{:06x}", "o": "{:07o}"}[given.get("A", "o")]
    for start in range(0, len(data), 16):
        line = "".join(f" {byte:02x}" for byte in data[start : start + 16])
        call.say(form.format(start) + line + "\n")
    return call.say(form.format(len(data)) + "\n") if form else 0


async def checksum(call: Call) -> int:
    """sha256sum, sha1sum, md5sum: digest, two blanks, name."""
    given, operands = options(call, "b")
    algorithm = call.argv[0].rsplit("/", 1)[-1].removesuffix("sum")
    failed = 0
    for name in operands or ["-"]:
        sources = await inputs(call, [name])
        if sources is None:
            failed = 1
            continue
        digest = hashlib.new(algorithm, sources[0][1], usedforsecurity=False).hexdigest()
        call.say(digest + "\n" if "b" in given else f"{digest}  {name}\n")
    return failed


async def wc(call: Call) -> int:
    given, operands = options(call, "lc")
    sources = await inputs(call, operands)
    if sources is None:
        return 1
    for name, data in sources:
        counts = [data.count(b"\n")] * ("l" in given) + [len(data)] * ("c" in given)
        counts = counts or [data.count(b"\n"), len(data.split()), len(data)]
        call.say(" ".join(map(str, counts)) + ("" if name == "-" else f" {name}") + "\n")
    return 0


async def head(call: Call) -> int:
    """head and tail: -n LINES or -c BYTES of each input, from its beginning or up to its end."""
    given, operands = options(call, "", "nc")
    sources = await inputs(call, operands)
    count = int(given.get("c") or given.get("n", "10"))
    part = slice(count) if call.argv[0].endswith("head") else slice(-count, None) if count else slice(0)
    for _, data in sources or []:
        call.ends.out.write(data[part] if "c" in given else b"".join(data.splitlines(keepends=True)[part]))
    return 1 if sources is None else 0


async def cut(call: Call) -> int:
    """cut -d C -f N[,N...]."""
    given, operands = options(call, "", "df")
    sources = await inputs(call, operands)
    if sources is None or not re.fullmatch(r"\d+(,\d+)*", given.get("f", "")):
        return 1 if sources is None else call.fail("only -d C -f N,N is built", 2)
    wanted = [int(number) - 1 for number in given["f"].split(",")]
    mark = given.get("d", "\t").encode()
    for line in b"".join(data for _, data in sources).splitlines():
        fields = line.split(mark)
        picked = [fields[index] for index in wanted if index < len(fields)] if len(fields) > 1 else fields
        call.ends.out.write(mark.join(picked) + b"\n")
    return 0


async def sort(call: Call) -> int:
    given, operands = options(call, "run")
    sources = await inputs(call, operands)
    if sources is None:
        return 1
    lines = sorted(b"".join(data for _, data in sources).splitlines(), reverse="r" in given)
    if "n" in given:
        lines.sort(key=lambda line: int(re.match(rb"\s*(-?\d*)", line)[1] or 0), reverse="r" in given)  # type: ignore[index]
    lines = list(dict.fromkeys(lines)) if "u" in given else lines
    call.ends.out.write(b"".join(line + b"\n" for line in lines))
    return 0


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


def true(call: Call) -> int:
    return 0


def false(call: Call) -> int:
    return 1


COMMANDS: dict[str, Command] = {
    "echo": echo,
    "printf": printf,
    "cat": cat,
    "grep": grep,
    "od": od,
    "sha256sum": checksum,
    "sha1sum": checksum,
    "md5sum": checksum,
    "wc": wc,
    "head": head,
    "tail": head,
    "cut": cut,
    "sort": sort,
    "test": test,
    "[": test,
    "true": true,
    ":": true,
    "false": false,
}
