"""YAML text -> a tree of texts, each with its line and column; every mistake of form with its position.

Only the plain part of YAML is read. Scalars stay texts (`no`, `0123` and `22:22` too); anchors, aliases, tags, several
documents, duplicate keys, deep nesting and more than 1 MiB are mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from correlate import files
from lab.errors import BadInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_MISTAKES = 200
Place = tuple[str | int, ...]
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong, and where; lines and columns count from 1."""

    path: Path
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


class YamlMistakes(BadInput):
    """All mistakes found, in the order of their positions; the text has one line for each."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


@dataclass
class Node:
    """A scalar (text, or None where nothing is written), a list of nodes or a mapping, with its position from 1.

    `refused` marks what was a mistake of form already: nothing more is said about it.
    """

    line: int
    column: int
    value: str | list[Node] | dict[str, Node] | None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: bool = False

    def plain(self) -> object:
        """The same as plain Python values."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value

    def find(self, place: Place) -> tuple[int, int]:
        """Line and column of a place; of the deepest part of it that is written."""
        positions = [position for _, _, position in self.written(place)]
        return positions[-1] if positions else (self.line, self.column)

    def is_refused(self, place: Place) -> bool:
        """Whether what stands at a place, or anything around it, was refused already."""
        return self.refused or any(node.refused for _, node, _ in self.written(place))

    def written(self, place: Place) -> Iterator[tuple[str | int, Node, tuple[int, int]]]:
        """The parts of a place that stand in the file, each with its node and position; the others are passed over."""
        node = self
        for part in place:
            if isinstance(node.value, dict) and part in node.value:
                position, node = node.keys[str(part)], node.value[str(part)]
            elif isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.value):
                node = node.value[part]
                position = (node.line, node.column)
            else:
                continue
            yield part, node, position


def read_text(path: Path) -> str:
    """The text of a YAML file of at most 1 MiB.

    Raises:
        YamlMistakes: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = files.read(path, MAX_BYTES + 1)
    except IsADirectoryError:
        raise YamlMistakes([Mistake(path, 1, 1, "is a directory, not a YAML file")]) from None
    except FileNotFoundError:
        raise YamlMistakes([Mistake(path, 1, 1, "no such file")]) from None
    except OSError as error:
        raise YamlMistakes([Mistake(path, 1, 1, f"cannot be read: {error.strerror}")]) from None
    if len(data) > MAX_BYTES:
        raise YamlMistakes([Mistake(path, 1, 1, "is larger than 1 MiB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
        raise YamlMistakes([Mistake(path, line, column, "is not UTF-8 text")]) from None


def parse(path: Path, text: str) -> tuple[Node | None, list[Mistake]]:
    """The tree of a document and the mistakes of its form; no tree where no sense can be made of it."""
    builder = _Builder(path)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
            if builder.hopeless:
                break
    except yaml.reader.ReaderError:
        return None, [*builder.mistakes, _unprintable(path, text)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return None, [*builder.mistakes, Mistake(path, line, column, f"is not YAML: {error.problem}")]
    if builder.root is None and not builder.mistakes:
        builder.mistakes.append(Mistake(path, 1, 1, "is empty"))
    return (None if builder.hopeless else builder.root), builder.mistakes


def _unprintable(path: Path, text: str) -> Mistake:
    # libyaml counts bytes and PyYAML's own reader characters: find the character again.
    at = next((i for i, one in enumerate(text) if yaml.reader.Reader.NON_PRINTABLE.match(one)), 0)
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Mistake(path, line, column, f"has a character that YAML does not allow (U+{ord(text[at]):04X})")


class _Builder:
    """Takes parser events and builds the tree without recursion: nesting costs nothing until it is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: Node | None = None
        self.mistakes: list[Mistake] = []
        self.hopeless = False
        self._open: list[Node] = []
        self._keys: list[tuple[str, int, int] | None] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self._stop(line, column, "a second document starts here; one file holds one document")
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(line, column, f"aliases (*{event.anchor}) are not read here; write it out")
            self._place(Node(line, column, None, refused=True), None)
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            self._take_node(event, line, column)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()

    def _take_node(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int, column: int) -> None:
        if event.anchor is not None:
            self._refuse(line, column, f"anchors (&{event.anchor}) are not read here; write it out")
        if event.tag is not None:
            self._refuse(line, column, f"tags ({event.tag[:60]}) are not read here; leave it out")
        refused = event.anchor is not None or event.tag is not None
        if isinstance(event, yaml.ScalarEvent):
            empty = not event.style and event.value in ("", "~", "null")
            self._place(Node(line, column, None if empty else event.value, refused=refused), event.value)
            return
        node = Node(line, column, [] if isinstance(event, yaml.SequenceStartEvent) else {}, refused=refused)
        self._place(node, None)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            self._stop(line, column, f"is nested more than {MAX_DEPTH} deep")

    def _place(self, node: Node, text: str | None) -> None:
        """Put a node where the parser stands: as the root, as a list item, as a key or as a key's value."""
        if not self._open:
            self.root = self.root or node
            return
        parent = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
            return
        key = self._keys[-1]
        if key is None:
            if text is None:
                self._stop(node.line, node.column, "a key must be a plain field name")
            self._keys[-1] = (text or "", node.line, node.column)
            return
        self._keys[-1] = None
        self._put(parent, key, node)

    def _put(self, parent: Node, key: tuple[str, int, int], node: Node) -> None:
        name, line, column = key
        if not isinstance(parent.value, dict):
            raise TypeError("only a mapping has keys")
        if name in parent.value:
            first = parent.keys[name][0]
            self._refuse(line, column, f"duplicate key '{name[:60]}'; it stands already in line {first}")
            return
        parent.value[name] = node
        parent.keys[name] = (line, column)

    def _refuse(self, line: int, column: int, text: str) -> None:
        self.mistakes.append(Mistake(self.path, line, column, text))
        if len(self.mistakes) >= MAX_MISTAKES:
            self.hopeless = True

    def _stop(self, line: int, column: int, text: str) -> None:
        self._refuse(line, column, text)
        self.hopeless = True
