"""The journal of a dataset: append-only, one fsynced JSON line an event, each bound to the line before."""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

from pydantic import ValidationError

from correlate import files
from correlate.dataset.documents import mistake
from correlate.dataset.durable import appending, sha256, sync
from correlate.dataset.record import JournalLine
from correlate.errors import Damaged

FIRST = "0" * 64
WORDS = ("reason", "text", "list")
"""The keys of an event that hold words, not what a rule for names, hashes or numbers has passed."""

Clean = Callable[[object], tuple[object, tuple[str, ...]]]
"""A value of JSON without what must not be known, and the names of what stood in it."""


def as_it_is(value: object) -> tuple[object, tuple[str, ...]]:
    """A `Clean` where nobody says what must not be known."""
    return value, ()


class BrokenJournal(Damaged):
    """A journal whose chain of hashes does not hold, or that holds lines that are no events."""


class Journal:
    """One file of events.

    Each line is a `JournalLine`; the hash in it is of the bytes of the line before, line end excluded. What a power
    loss leaves of a last line that was never finished is no event: `append` cuts it off and says so with an event
    `journal_cut` of its own. Several threads may append; what one appends is whole, and bound to what came before it.
    No words go in that `clean` does not pass; where it found something, an event `redacted` says what.
    """

    def __init__(self, path: Path, clean: Clean = as_it_is) -> None:
        self.path, self._clean = path, clean
        # How many lines there are, the last one's hash, and how long the file is then: where it is as long as that, it
        # is the one that this object wrote, for whoever appends holds the dataset.
        self._tail: tuple[int, str, int] | None = None
        self._appending = threading.Lock()

    def append(self, event: str, **fields: object) -> JournalLine:
        """Writes one event, returns it as written once it is on the disk. Raises `BrokenJournal`."""
        with self._appending:
            cut_bytes = 0
            if self._tail is None or self._tail[2] != self.size_bytes():
                entries, whole, head = self._load()
                cut_bytes = self._cut_to(whole)
                self._tail = (len(entries), head, whole)
            if cut_bytes:
                self._write("journal_cut", {"cut_bytes": cut_bytes})
            words, hits = self._clean({key: fields[key] for key in WORDS if key in fields})
            assert isinstance(words, dict)
            entry = self._write(event, {**fields, **words})
            for hit in hits:
                self._write("redacted", {"field": hit})
            return entry

    def clean(self, value: object) -> object:
        """A value of JSON that goes into a file of the dataset, without what must not be known: that it stood there is
        a mistake of the program, and journalled. Raises `BrokenJournal`."""
        cleaned, hits = self._clean(value)
        for hit in hits:
            self.append("redacted", field=hit)
        return cleaned

    def read(self) -> list[JournalLine]:
        """All events; a last line that was never finished is left out. Raises `BrokenJournal` at any other break."""
        return self._load()[0]

    def head(self) -> str:
        """SHA-256 of the last line, line end excluded, which the next one will hold: 64 zeros first. It stands for all
        lines up to it. Raises `BrokenJournal`."""
        return self._load()[2]

    def size_bytes(self) -> int:
        """How long the file is; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def problem(self) -> str:
        """What breaks the chain, and where; empty in a journal that holds."""
        try:
            self.read()
        except BrokenJournal as error:
            return str(error)
        return ""

    def begin_anew(self) -> str:
        """Renames a journal that does not hold to NAME.broken-N, N from 1, where it stays as it is; returns that name.

        A new one begins with an event `journal_broken` that binds it: its `file` name and `file_sha256`; without them,
        and with an empty name returned, where there was none.
        """
        bound = {}
        if self.path.exists():
            names = (self.path.with_name(f"{self.path.name}.broken-{number}") for number in count(1))
            kept = next(path for path in names if not path.exists())
            self.path.rename(kept)
            sync(kept.parent)
            bound = {"file": kept.name, "file_sha256": sha256(kept)}
        self._tail = None
        self.append("journal_broken", **bound)
        return bound.get("file", "")

    def _write(self, event: str, fields: dict[str, object]) -> JournalLine:
        assert self._tail is not None
        seq, before, size_bytes = self._tail
        entry = JournalLine.model_validate({"seq": seq, "sha256": before, "event": event, **fields})
        written = entry.model_dump(mode="json", exclude_unset=True)
        line = _line(written)
        new = not self.path.exists()
        with appending(self.path) as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync(self.path.parent)
        self._tail = (seq + 1, hashlib.sha256(line).hexdigest(), size_bytes + len(line) + 1)
        return entry

    def _load(self) -> tuple[list[JournalLine], int, str]:
        """The events, the number of bytes that hold them, and SHA-256 of the last of them."""
        if not self.path.exists():
            return [], 0, FIRST
        data = self._bytes()
        whole = data.rfind(b"\n") + 1
        entries = []
        head = FIRST
        for seq, line in enumerate(data[:whole].split(b"\n")[:-1]):
            entries.append(self._entry(line, seq, head))
            head = hashlib.sha256(line).hexdigest()
        # A power loss may leave zeros where the rest of a line was to stand.
        begun = data[whole:].rstrip(b"\0")
        next_line = f'{{"seq": {len(entries)}, "sha256": "{head}", "event": "'.encode()
        if not (next_line.startswith(begun) or begun.startswith(next_line)):
            raise BrokenJournal(f"{self.path}:{len(entries) + 1}: is no beginning of a line that was to follow")
        return entries, whole, head

    def _bytes(self) -> bytes:
        try:
            return files.read(self.path, within=self.path.parent)
        except OSError as error:
            raise Damaged(f"{self.path}: cannot be read: {error.strerror}") from error

    def _entry(self, line: bytes, seq: int, before: str) -> JournalLine:
        try:
            entry = JournalLine.model_validate_json(line, strict=True)
        except ValidationError as error:
            raise BrokenJournal(f"{self.path}:{seq + 1}: this line is no event: {mistake(error)}") from error
        if entry.seq != seq:
            raise BrokenJournal(f"{self.path}:{seq + 1}: event {entry.seq} stands where event {seq} belongs")
        if entry.sha256 != before:
            raise BrokenJournal(f"{self.path}:{seq + 1}: the line before was changed after this one was written")
        if _line(json.loads(line)) != line:
            raise BrokenJournal(f"{self.path}:{seq + 1}: this line is not as it was written")
        return entry

    def _cut_to(self, whole: int) -> int:
        """Cuts an unfinished last line off; returns how many bytes it had."""
        if not self.path.exists() or self.path.stat().st_size == whole:
            return 0
        with self.path.open("r+b") as file:
            cut_bytes = file.seek(0, os.SEEK_END) - whole
            file.truncate(whole)
            os.fsync(file.fileno())
        return cut_bytes


def _line(entry: dict[str, object]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode("utf-8")
