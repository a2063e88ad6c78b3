"""A list of capture pairs made by hand: CSV text -> rows, every mistake as `file:line:column: what`."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite
from pathlib import Path
from typing import Any

from correlate.dataset import check_name
from correlate.dataset.record import Addresses
from correlate.errors import BadDataset, CorrelateError
from correlate.trace import Integrity, Trace, verify
from lab.definitions.yaml import Mistake, did_you_mean
from lab.errors import BadInput

MAX_LIST_BYTES = 16 << 20
MAX_OFFSET_S = 10.0 * 365 * 86400
PUBLIC = "public:"
SLIP = 0.8
"""How alike an unknown name is to a known one to be a slip of the pen and not a name of its own."""

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


def _name(text: str, folder: Path) -> str:
    try:
        return check_name(text)
    except BadDataset as error:
        raise Unfit(str(error)) from error


def _service(text: str, folder: Path) -> str:
    if text not in ("voice", "video"):
        raise Unfit(f"no service '{text}'{did_you_mean(text, ['voice', 'video']) or '; write voice, video or nothing'}")
    return text


def _repetition(text: str, folder: Path) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise Unfit(f"repetition must be a whole number from 1, is '{text}'")
    return int(text)


def _addresses(text: str, folder: Path) -> Addresses:
    """A phone's addresses: of its interfaces, and those (`public:ADDRESS`) that others see."""
    interface, probed = list[IPv4Address | IPv6Address](), list[IPv4Address | IPv6Address]()
    for word in re.split(r"[\s;]+", text):
        try:
            address = ip_address(word.removeprefix(PUBLIC))
        except ValueError as error:
            raise Unfit(f"'{word}' is no IP address; separate several by spaces, mark public ones {PUBLIC}") from error
        (probed if word.startswith(PUBLIC) else interface).append(address)
    return Addresses(interface=interface, probed=probed)


def _offset_s(text: str, folder: Path) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise Unfit(f"'{text}' is no number of seconds") from error
    if not isfinite(value) or abs(value) > MAX_OFFSET_S:
        raise Unfit(f"{text} s is no offset of a clock")
    return value


def _bound_s(text: str, folder: Path) -> float:
    value = _offset_s(text, folder)
    if value <= 0:
        raise Unfit(f"offset_bound_s must be greater than 0, is {text}")
    return value


def _capture(text: str, folder: Path) -> Capture:
    path = folder / text
    try:
        trace = Trace.read(path)
        integrity = verify(trace)
    except CorrelateError as error:
        near = did_you_mean(Path(text).name, (each.name for each in path.parent.glob("*"))) if not path.exists() else ""
        raise Unfit(f"{error}{near}") from error
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
    _check_header(path, header, mistakes)
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
        with path.open("rb") as file:
            data = file.read(MAX_LIST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}:1:1: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}:1: is no UTF-8 text; save the list as CSV in UTF-8") from error
    if len(data) > MAX_LIST_BYTES:
        raise BadInput(f"{path}:1:1: is larger than {MAX_LIST_BYTES >> 20} MiB, no list of trials is")
    return text.splitlines() or [""]


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


def _check_header(path: Path, header: list[tuple[str, int]], mistakes: list[Mistake]) -> None:
    names = [text for text, _ in header]
    for index, (text, column) in enumerate(header):
        if text not in COLUMNS:
            free = [name for name in COLUMNS if name not in names]
            hint = did_you_mean(text, free) or f"; there is {', '.join(free)}"
            mistakes.append(Mistake(path, 1, column, f"no column '{text}'{hint}"))
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
    if len(found) != len(names):
        mistakes.append(Mistake(path, number, 1, f"{len(found)} cells, the first line has {len(names)}"))
        return ImportedTrial(number, values, places)
    for name, (text, column) in zip(names, found, strict=True):
        try:
            if text:
                values[name] = COLUMNS[name](text, path.parent)
                _check_known(name, text, known)
            elif name in REQUIRED:
                raise Unfit(f"{name} is empty; every trial needs it")
        except Unfit as error:
            mistakes.append(Mistake(path, number, column, str(error)))
    mistakes += [Mistake(path, number, places.get(name, 1), text) for name, text in _contradictions(values)]
    return ImportedTrial(number, values, places)


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
        raise Unfit(f"no {column} '{text}'; did you mean '{near[0]}'?")


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
