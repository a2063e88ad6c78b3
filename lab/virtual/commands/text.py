"""Commands on streams of bytes: cat, grep, od, sha256sum, md5sum, wc, head, tail."""

import hashlib
import re
from collections.abc import Callable

from lab.virtual.shell.machine import Call, Command, Unbuilt, options

_SIMPLE = r"\^?(?:[A-Za-z0-9 _:=,;/@#%&'\"<>~!-]|\.\*?)+\$?"
BASIC = re.compile(f"(?:{_SIMPLE})?")
EXTENDED = re.compile(rf"{_SIMPLE}(?:\|{_SIMPLE})*")
"""Regular expressions that mean the same to toybox and to Python."""


async def on_each(call: Call, files: list[str], use: Callable[[str, bytes], object]) -> int:
    """Use each file, or standard input (`-`), until `use` is true; 1, and a message for each that does not open."""
    failed = 0
    for name in files or ["-"]:
        try:
            data = await contents(call, name)
        except OSError as error:
            failed = call.fail(f"{name}: {error.strerror}")
            continue
        if use(name, data):
            break
    return failed


async def contents(call: Call, name: str) -> bytes:
    """What a file holds, or standard input for `-`. Raises OSError."""
    if name == "-":
        return await call.streams.input.read_all()
    try:
        return call.machine.files.read(call.path(name), call.uid)
    except IsADirectoryError as error:
        raise Unbuilt(f"{name}: built for files only") from error


async def cat(call: Call) -> int:
    _, operands = options(call, "u")
    return await on_each(call, operands, lambda name, data: call.streams.out.write(data))


async def grep(call: Call) -> int:
    """grep -F -E -c -a -q -i -v -z -A LINES; 0 where a line fits, 1 where none does, 2 for trouble."""
    given, operands = options(call, "FEcaqivz", "A")
    if not operands:
        return call.fail("no pattern", 2)
    if "A" in given and (not re.fullmatch(r"\d{1,3}", given["A"]) or given.keys() & set("cqz") or len(operands) > 2):
        raise Unbuilt("built with -A LINES for one input, without -c, -q and -z only")
    if "z" in given and "F" not in given:
        raise Unbuilt("built with -z for -F only")
    pattern = operands.pop(0)
    if "\n" in pattern or not ("F" in given or (EXTENDED if "E" in given else BASIC).fullmatch(pattern)):
        raise Unbuilt(f"the pattern {pattern} is not built")
    text = (re.escape(pattern) if "F" in given else pattern).encode("utf-8", "surrogateescape")
    wanted = re.compile(text, re.IGNORECASE if "i" in given else 0)
    plain = pattern.encode("utf-8", "surrogateescape") if "F" in given and not given.keys() & {"i", "v"} else b""
    total = 0

    def search(name: str, data: bytes) -> bool:
        nonlocal total
        shown = "(standard input)" if name == "-" else name
        if "A" in given:
            total += _show_after(call, given, wanted, data)
            return False
        lines = _lines_with(plain, data, _end(given)) if plain else _lines_that_fit(given, wanted, data)
        total += _show(call, given, f"{shown}:".encode() if len(operands) > 1 else b"", lines)
        return total > 0 and "q" in given

    failed = await on_each(call, operands, search)
    return 2 if failed and not (total and "q" in given) else 0 if total else 1


def _end(given: dict[str, str]) -> bytes:
    return b"\0" if "z" in given else b"\n"


def _lines_with(text: bytes, data: bytes, end: bytes) -> list[bytes]:
    """What `_lines_that_fit` gives for -F, found in a capture of megabytes without cutting it into its lines."""
    hits, at = [], data.find(text)
    while at >= 0:
        start, stop = data.rfind(end, 0, at) + 1, data.find(end, at)
        line = data[start : stop if stop >= 0 else None]
        if not line.startswith(b"\0"):
            hits.append(line)
        at = data.find(text, stop) if stop >= 0 else -1
    return hits


def _lines_that_fit(given: dict[str, str], wanted: re.Pattern[bytes], data: bytes) -> list[bytes]:
    lines = _lines(given, data)
    return [lines[index] for index in _places(given, wanted, lines)]


def _lines(given: dict[str, str], data: bytes) -> list[bytes]:
    lines = data.split(_end(given))
    if lines and not lines[-1]:
        lines.pop()
    if "F" in given:
        # toybox' grep looks for nothing in a line that begins with NUL.
        lines = [b"" if line.startswith(b"\0") else line for line in lines]
    return lines


def _places(given: dict[str, str], wanted: re.Pattern[bytes], lines: list[bytes]) -> list[int]:
    return [index for index, line in enumerate(lines) if bool(wanted.search(line)) != ("v" in given)]


def _show_after(call: Call, given: dict[str, str], wanted: re.Pattern[bytes], data: bytes) -> int:
    """Show each line that fits with those behind it; `--` parts what does not follow on."""
    lines, hits = _lines(given, data), set(_places(given, wanted, _lines(given, data)))
    shown = sorted({index for hit in hits for index in range(hit, hit + int(given["A"]) + 1) if index < len(lines)})
    last = None
    for index in shown:
        parted = last is not None and index != last + 1
        call.streams.out.write((b"--\n" if parted else b"") + lines[index] + b"\n")
        last = index
    return len(hits)


def _show(call: Call, given: dict[str, str], prefix: bytes, hits: list[bytes]) -> int:
    end = _end(given)
    if "c" in given and "q" not in given:
        call.streams.out.write(prefix + b"%d" % len(hits) + end)
    elif "q" not in given:
        call.streams.out.write(b"".join(prefix + line + end for line in hits))
    return len(hits)


async def od(call: Call) -> int:
    """od -An -v -tx1: bytes in hex, 16 a line."""
    if call.argv[1:4] != ["-An", "-v", "-tx1"]:
        raise Unbuilt("built as 'od -An -v -tx1 [FILE...]' only")
    data = bytearray()
    code = await on_each(call, call.argv[4:], lambda name, part: data.extend(part))
    for start in range(0, len(data), 16):
        call.say("".join(f" {byte:02x}" for byte in data[start : start + 16]) + "\n")
    return code


async def checksum(call: Call) -> int:
    """sha256sum, md5sum: digest, two blanks, name."""
    _, operands = options(call, "")

    def digest(name: str, data: bytes) -> None:
        made = hashlib.new(call.argv[0].removesuffix("sum"), data, usedforsecurity=False)
        call.say(f"{made.hexdigest()}  {name}\n")

    return await on_each(call, operands, digest)


async def wc(call: Call) -> int:
    """wc -l and wc -c of one input."""
    given, operands = options(call, "lc")
    if len(given) != 1 or len(operands) > 1:
        raise Unbuilt("built as 'wc -l [FILE]' and 'wc -c [FILE]' only")

    def count(name: str, data: bytes) -> None:
        number = data.count(b"\n") if "l" in given else len(data)
        call.say(f"{number} {name}\n" if operands else f"{number}\n")

    return await on_each(call, operands, count)


async def head(call: Call) -> int:
    """head and tail: -n LINES or -c BYTES of one input, from its beginning or up to its end."""
    given, operands = options(call, "", "nc")
    number, last = given.get("c") or given.get("n") or "10", call.argv[0] == "tail"
    if len(given) > 1 or len(operands) > 1 or not re.fullmatch(r"\d{1,9}", number) or (last and int(number) == 0):
        raise Unbuilt("built as '-n LINES [FILE]' and '-c BYTES [FILE]' only")
    part = slice(-int(number), None) if last else slice(int(number))

    def show(name: str, data: bytes) -> None:
        lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
        call.streams.out.write(data[part] if "c" in given else b"".join(lines[part]))

    return await on_each(call, operands, show)


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
