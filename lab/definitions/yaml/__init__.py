"""YAML text -> pydantic model. Every mistake is one line: `file:line:column: what; did you mean X?`.

`lab.definitions.yaml.tree` reads the text, `lab.definitions.yaml.model` fits it to the model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from lab.definitions.yaml.model import did_you_mean, fit
from lab.definitions.yaml.tree import MAX_MISTAKES, Mistake, Node, Place, YamlMistakes, parse, read_text

__all__ = ["Document", "Mistake", "Place", "YamlMistakes", "did_you_mean", "read", "read_document"]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Document(Generic[M]):
    """A file read: the model, and where everything stands in the file."""

    path: Path
    value: M
    root: Node

    def mistake(self, place: Place, text: str) -> Mistake:
        """A mistake at a place of this document."""
        return Mistake(self.path, *self.root.find(place), text)


def read(path: Path, model: type[M]) -> M:
    """The model that a file holds.

    Raises:
        YamlMistakes: with every mistake of the file.
    """
    return read_document(path, model).value


def read_document(path: Path, model: type[M]) -> Document[M]:
    """The same, with positions for checks across files.

    Raises:
        YamlMistakes: with every mistake of the file.
    """
    root, mistakes = parse(path, read_text(path))
    if root is None:
        raise YamlMistakes(mistakes)
    value, places = fit(root, model)
    mistakes += [Mistake(path, *position, text) for position, text in places]
    if mistakes or value is None:
        raise YamlMistakes(mistakes[:MAX_MISTAKES])
    return Document(path, value, root)
