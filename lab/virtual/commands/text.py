"""Commands on streams of bytes: cat, grep, od, sha256sum, md5sum, wc, head, tail, cut, sort."""

from __future__ import annotations

import hashlib
import re

from lab.virtual.shell.machine import Call, Command, Unbuilt, options


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
    return await call.streams.input.read_all() if name == "-" else call.machine.files.read(call.path(name), call.uid)


async def cat(call: Call) -> int:
    failed = 0
    for name in call.argv[1:] or ["-"]:
        try:
            call.streams.out.write(await contents(call, name))
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
        call.streams.out.write(prefix + b"%d\n" % len(hits))
    elif "q" not in given:
        for number, line in hits:
            start = prefix + (b"%d:" % number if "n" in given else b"")
            pieces = [found.group() for found in wanted.finditer(line)] if "o" in given else [line]
            call.streams.out.write(b"".join(start + piece + end for piece in pieces))
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
        call.streams.out.write(data[part] if "c" in given else b"".join(data.splitlines(keepends=True)[part]))
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
        call.streams.out.write(mark.join(picked) + b"\n")
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
    call.streams.out.write(b"".join(line + b"\n" for line in lines))
    return 0


COMMANDS: dict[str, Command] = {
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
}
