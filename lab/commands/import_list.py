"""A list of capture pairs made by hand: CSV text -> rows, every mistake as `file:line:column: what`."""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite
from pathlib import Path
from typing import Any

from correlate import files
from correlate.dataset import check_name
from correlate.dataset.documents import shown
from correlate.dataset.record import Addresses
from correlate.errors import BadDataset, Unreadable
from correlate.trace import Integrity, Trace, verify
from lab.definitions.yaml import Mistake, did_you_mean
from lab.errors import BadInput

MAX_LIST_BYTES = 16 << 20
MAX_CELL = 4096
"""The longest path that Linux takes."""
SEPARATORS = {";": "';'", "\t": "a tab"}
"""What spreadsheets write in place of commas where a comma stands in numbers."""
COMMA = "it must be a comma: save the list as CSV with commas"
MAX_SHOWN_PATH = 300
MAX_OFFSET_S = 10.0 * 365 * 86400
PUBLIC = "public:"
SLIP = 0.8
"""How alike an unknown name is to a known one to be a slip of the pen and not a name of its own."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)')


class Unfit(Exception):
    """What is wrong with one cell."""


@dataclass(frozen=True)
class Capture:
    """A capture file that was read and is whole."""

    path: Path
    suffix: str
    integrity: Integrity


@dataclass(frozen=True)
class ImportedTrial:
    """One row: what is known; None is unknown. `places` has the column at which each cell begins."""

    line: int
    values: Mapping[str, Any]
    places: Mapping[str, int]

    def __getitem__(self, column: str) -> Any:
        return self.values.get(column)


def _cut(text: str) -> str:
    return shown(text, quoted=False)


def _name(text: str, folder: Path) -> str:
    try:
        return check_name(text)
    except BadDataset as error:
        raise Unfit(str(error).replace(text, _cut(text))) from error


def _service(text: str, folder: Path) -> str:
    if text not in ("voice", "video"):
        hint = did_you_mean(text, ["voice", "video"]) or "; write voice, video or nothing"
        raise Unfit(f"no service '{_cut(text)}'{hint}")
    return text


def _repetition(text: str, folder: Path) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise Unfit(f"repetition must be a whole number from 1, is '{_cut(text)}'")
    return int(text)


def _addresses(text: str, folder: Path) -> Addresses:
    """A phone's addresses: of its interfaces, and those (`public:ADDRESS`) that others see."""
    interface, probed = list[IPv4Address | IPv6Address](), list[IPv4Address | IPv6Address]()
    for word in re.split(r"[\s;]+", text):
        try:
            address = ip_address(word.removeprefix(PUBLIC))
        except ValueError as error:
            what = f"'{_cut(word)}' is no IP address; separate several by spaces, mark public ones {PUBLIC}"
            raise Unfit(what) from error
        (probed if word.startswith(PUBLIC) else interface).append(address)
    return Addresses(interface=interface, probed=probed)


def _offset_s(text: str, folder: Path) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise Unfit(f"'{_cut(text)}' is no number of seconds") from error
    if not isfinite(value) or abs(value) > MAX_OFFSET_S:
        raise Unfit(f"{_cut(text)} s is no offset of a clock")
    return value


def _bound_s(text: str, folder: Path) -> float:
    value = _offset_s(text, folder)
    if value <= 0:
        raise Unfit(f"offset_bound_s must be greater than 0, is {_cut(text)}")
    return value


def _capture(text: str, folder: Path) -> Capture:
    path = folder / text
    try:
        trace = Trace.read(path)
        integrity = verify(trace)
    except Unreadable as error:
        # os.path takes names that the system does not: they are not there.
        there = os.listdir(path.parent) if not os.path.exists(path) and os.path.isdir(path.parent) else []
        where = path if len(text) <= MAX_SHOWN_PATH else _cut(text)
        raise Unfit(f"{where}: {error.what}{did_you_mean(path.name, there)}") from error
    if not integrity.ok:
        damage = "; ".join(str(one) for one in integrity.damage if one.voids)
        raise Unfit(f"{path}: is damaged: {damage}; capture again or leave it out")
    return Capture(path, "pcapng" if trace.format.startswith("pcapng") else "pcap", integrity)


COLUMNS: dict[str, Callable[[str, Path], Any]] = {
    "caller_capture": _capture,
    "callee_capture": _capture,
    "app": _name,
    "service": _service,
    "direction": _name,
    "scenario": _name,
    "repetition": _repetition,
    "caller_phone": _name,
    "callee_phone": _name,
    "device_1": _name,
    "caller_addresses": _addresses,
    "callee_addresses": _addresses,
    "caller_offset_s": _offset_s,
    "callee_offset_s": _offset_s,
    "offset_bound_s": _bound_s,
}
CAPTURES = ("caller_capture", "callee_capture")
REQUIRED = (*CAPTURES, "app")


def read_list(path: Path, known: Mapping[str, Iterable[str]]) -> list[ImportedTrial]:
    """The rows of a list; captures are looked for beside it. `known` has the names of apps and scenarios there are.

    A name that is nearly a known one is a mistake; any other app is taken as one that nothing is known about. Raises
    `BadInput` with a line for every mistake; touches nothing.
    """
    lines = _lines(path)
    mistakes: list[Mistake] = []
    header = list(_cells(path, 1, lines[0], mistakes))
    _check_header(path, lines[0], header, mistakes)
    stop_at(mistakes)
    rows = [
        _row(path, number, line, [text for text, _ in header], known, mistakes)
        for number, line in enumerate(lines[1:], 2)
        if line.strip()
    ]
    if not rows:
        mistakes.append(Mistake(path, 2, 1, "no trial is listed; write one line for each"))
    mistakes += [Mistake(path, row.line, row.places[name], text) for row, name, text in _repeated(rows)]
    stop_at(mistakes)
    return rows


def stop_at(mistakes: list[Mistake]) -> None:
    """Raise all of them as a `BadInput`, a line for each in their order; no mistake, nothing raised."""
    if mistakes:
        raise BadInput("\n".join(str(mistake) for mistake in sorted(set(mistakes))))


def _lines(path: Path) -> list[str]:
    try:
        data = files.read(path, MAX_LIST_BYTES + 1)
        if len(data) > MAX_LIST_BYTES:
            raise BadInput(f"{path}:1:1: is larger than {MAX_LIST_BYTES >> 20} MiB, no list of trials is")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}:1:1: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        number, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
        raise BadInput(f"{path}:{number}:{column}: is no UTF-8 text; save the list as CSV in UTF-8") from error
    lines = _LINE_END.split(text)
    for number, line in enumerate(lines, 1):
        if found := _NO_TEXT.search(line):
            what = f"a character that is no text (U+{ord(found[0]):04X}); save the list as CSV in UTF-8"
            raise BadInput(str(Mistake(path, number, found.start() + 1, what)))
    return lines


def _cells(path: Path, number: int, line: str, mistakes: list[Mistake]) -> Iterator[tuple[str, int]]:
    """(text, column) of each cell of a line (RFC 4180, without line ends inside cells)."""
    at, more = 0, True
    while more:
        match = _CELL.match(line, at)
        if match is None:
            text = 'a quote that is not closed; write "..." around a whole cell'
            mistakes.append(Mistake(path, number, at + 1, text))
            return
        quoted, plain, more = match[1], match[2], match[3] == ","
        yield (quoted.replace('""', '"') if quoted is not None else plain).strip(), at + 1
        at = match.end()


def _check_header(path: Path, line: str, header: list[tuple[str, int]], mistakes: list[Mistake]) -> None:
    names = [text for text, _ in header]
    for separator, what in SEPARATORS.items():
        if separator in line and any(word.strip(' "') in COLUMNS for word in line.split(separator)):
            mistakes.append(Mistake(path, 1, line.index(separator) + 1, f"{what} separates the columns; {COMMA}"))
            return
    named = [index for index, name in enumerate(names, 1) if name]
    for text, column in header[max(named, default=len(header)) :][:1]:
        mistakes.append(Mistake(path, 1, column, f"no column '{text}' behind this comma; take all at the end out"))
    for index, (text, column) in enumerate(header[: max(named, default=len(header))]):
        if text not in COLUMNS:
            free = [name for name in COLUMNS if name not in names]
            hint = did_you_mean(text, free) or f"; there is {', '.join(free)}"
            mistakes.append(Mistake(path, 1, column, f"no column '{_cut(text)}'{hint}"))
        elif text in names[:index]:
            mistakes.append(Mistake(path, 1, column, f"column '{text}' a second time"))
    if not mistakes:
        missing = [name for name in REQUIRED if name not in names]
        mistakes += [Mistake(path, 1, 1, f"column '{name}' is missing; add it to the first line") for name in missing]


def _row(
    path: Path, number: int, line: str, names: list[str], known: Mapping[str, Iterable[str]], mistakes: list[Mistake]
) -> ImportedTrial:
    before, values = len(mistakes), dict[str, Any]()
    found = list(_cells(path, number, line, mistakes))
    if len(mistakes) > before:
        return ImportedTrial(number, values, {})
    places = {name: column for name, (_, column) in zip(names, found, strict=False)}
    if wrong := _no_row(line, names, found):
        mistakes.append(Mistake(path, number, *wrong))
        return ImportedTrial(number, values, places)
    for name, (text, column) in zip(names, found, strict=True):
        try:
            if len(text) > MAX_CELL:
                raise Unfit(f"{name} has {len(text)} characters, none has more than {MAX_CELL}")
            if text:
                values[name] = COLUMNS[name](text, path.parent)
                _check_known(name, text, known)
            elif name in REQUIRED:
                raise Unfit(f"{name} is empty; every trial needs it")
        except Unfit as error:
            mistakes.append(Mistake(path, number, column, str(error)))
    mistakes += [Mistake(path, number, places.get(name, 1), text) for name, text in _contradictions(values)]
    return ImportedTrial(number, values, places)


def _no_row(line: str, names: list[str], found: list[tuple[str, int]]) -> tuple[int, str] | None:
    """Column and text of what makes a line no row of as many cells as there are columns; None for a row."""
    texts = [text for text, _ in found]
    if not any(texts):
        return 1, "nothing but commas; take this line out"
    if texts == names:
        return 1, "the first line a second time; take it out"
    many = f"{len(found)} cells, the first line has {len(names)}"
    if len(found) > len(names):
        more = "" if any(texts[len(names) :]) else "; take the commas at the end out"
        return found[len(names)][1], many + more
    if len(found) < len(names):
        for separator, what in SEPARATORS.items():
            if separator in line:
                return line.index(separator) + 1, f"{many}; where {what} separates them, {COMMA}"
        return 1, many
    return None


def _repeated(rows: Iterable[ImportedTrial]) -> Iterator[tuple[ImportedTrial, str, str]]:
    """Captures that an earlier row has as well, on whichever side; one mistake a row."""
    seen: dict[str, int] = {}
    for row in rows:
        captures = {name: row[name].integrity.sha256 for name in CAPTURES if row[name]}
        again = next((name for name, sha256 in captures.items() if sha256 in seen), None)
        if again:
            text = f"the same capture as in line {seen[captures[again]]}; every trial has captures of its own"
            yield row, again, text
        seen |= dict.fromkeys(captures.values(), row.line)


def _check_known(column: str, text: str, known: Mapping[str, Iterable[str]]) -> None:
    names = set(known.get(column, ()))
    near = difflib.get_close_matches(text, names, n=1, cutoff=SLIP)
    if near and text not in names:
        raise Unfit(f"no {column} '{_cut(text)}'; did you mean '{near[0]}'?")


def _contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    offsets = [name for name in ("caller_offset_s", "callee_offset_s") if name in values]
    if offsets and "offset_bound_s" not in values:
        yield offsets[0], f"{offsets[0]} needs offset_bound_s: how far may it be off?"
    captures = [values.get(name) for name in CAPTURES]
    if captures[0] and captures[1] and captures[0].integrity.sha256 == captures[1].integrity.sha256:
        yield "callee_capture", "the same capture as the caller's; each side needs its own"
    phones = [values.get(name) for name in ("caller_phone", "callee_phone")]
    if phones[0] and phones[0] == phones[1]:
        yield "callee_phone", f"{phones[1]} is the caller's phone; a call has two"
