"""Commands on streams of bytes: cat, grep, od, sha256sum, md5sum, wc, head, tail."""

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
    """grep -F -E -c -a -q -i -v -z; 0 where a line fits, 1 where none does, 2 for trouble."""
    given, operands = options(call, "FEcaqivz")
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
    hits = [line for line in lines if bool(wanted.search(line)) != ("v" in given)]
    if "c" in given:
        call.streams.out.write(prefix + b"%d\n" % len(hits))
    elif "q" not in given:
        call.streams.out.write(b"".join(prefix + line + end for line in hits))
    return len(hits)


async def od(call: Call) -> int:
    """od -An -v -tx1: bytes in hex, 16 a line."""
    if call.argv[1:4] != ["-An", "-v", "-tx1"]:
        raise Unbuilt("built as 'od -An -v -tx1 [FILE...]' only")
    sources = await inputs(call, call.argv[4:])
    data = b"".join(part for _, part in sources or [])
    for start in range(0, len(data), 16):
        call.say("".join(f" {byte:02x}" for byte in data[start : start + 16]) + "\n")
    return 1 if sources is None else 0


async def checksum(call: Call) -> int:
    """sha256sum, md5sum: digest, two blanks, name."""
    _, operands = options(call, "")
    sources = await inputs(call, operands)
    for name, data in sources or []:
        digest = hashlib.new(call.argv[0].removesuffix("sum"), data, usedforsecurity=False).hexdigest()
        call.say(f"{digest}  {name}\n")
    return 1 if sources is None else 0


async def wc(call: Call) -> int:
    given, operands = options(call, "lc")
    sources = await inputs(call, operands)
    for name, data in sources or []:
        counts = [data.count(b"\n")] * ("l" in given) + [len(data)] * ("c" in given)
        counts = counts or [data.count(b"\n"), len(data.split()), len(data)]
        call.say(" ".join(map(str, counts)) + ("" if name == "-" else f" {name}") + "\n")
    return 1 if sources is None else 0


async def head(call: Call) -> int:
    """head and tail: -n LINES or -c BYTES of each input, from its beginning or up to its end."""
    given, operands = options(call, "", "nc")
    sources = await inputs(call, operands)
    count = int(given.get("c") or given.get("n", "10"))
    part = slice(count) if call.argv[0].endswith("head") else slice(-count, None) if count else slice(0)
    for _, data in sources or []:
        call.streams.out.write(data[part] if "c" in given else b"".join(data.splitlines(keepends=True)[part]))
    return 1 if sources is None else 0


COMMANDS: dict[str, Command] = {
    "cat": cat,
    "grep": grep,
    "od": od,
    "sha256sum": checksum,
    "md5sum": checksum,
    "wc": wc,
    "head": head,
    "tail": head,
}
