"""manifest-sha256.txt: the SHA-256 of every file, and in a line of comment how far the journal went by then."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from correlate.dataset.anchors import JOURNAL, MANIFEST

_FIRST = re.compile(rf"# {re.escape(JOURNAL)}: (0|[1-9]\d{{0,8}}) lines, SHA-256 of the last: ([0-9a-f]{{64}})\Z")
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)\Z")


class Manifest(NamedTuple):
    """Path -> SHA-256; how many lines the journal had, and the SHA-256 of its last (None where an earlier version wrote
    the manifest); a line for each of its lines that does not belong there."""

    files: dict[str, str]
    journal: tuple[int, str] | None
    problems: list[str]


def text(files: Mapping[str, str], journal: tuple[int, str]) -> str:
    """What `sha256sum -c` takes; it passes over the first line."""
    lines, head = journal
    listed = "".join(f"{digest}  {path}\n" for path, digest in files.items())
    return f"# {JOURNAL}: {lines} lines, SHA-256 of the last: {head}\n{listed}"


def parse(data: bytes) -> Manifest:
    """A manifest as it was read from the disk."""
    files: dict[str, str] = {}
    journal, problems = None, []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n")[:-1], 1):
        first = _FIRST.match(line) if number == 1 else None
        match = _LINE.match(line)
        if first is not None:
            journal = int(first[1]), first[2]
        elif match is None or not _is_inside(match[2]):
            problems.append(f"{MANIFEST}:{number}: is no line of a manifest")
        else:
            files[match[2]] = match[1]
    if not data.endswith(b"\n"):
        problems.append(f"{MANIFEST}: its end is missing")
    return Manifest(files, journal, problems)


def _is_inside(relative: str) -> bool:
    parts = relative.split("/")
    return not relative.startswith("/") and ".." not in parts
