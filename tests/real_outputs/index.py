"""The indexes of the real outputs in this folder: one a part, each a list of one mapping a file.

`file` below this folder; `prints`, the command; `device`; `source`, where it was published; `sure`: `verbatim` (pasted
whole by who saw it), `quoted` (a part of one, in a test or a text), `run` (by ourselves, with the tool of that version;
`source` is its manual), `found` (read in a public file whose address is not known; `source` searches for words of that
file, and nobody has followed it) or `constructed` (made from source); `changed`, what was made neutral, or `nothing`.
"""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

HERE = Path(__file__).parent
INDEXES = ("witnesses.yaml", "phone.yaml", "laptop.yaml")


class Output(BaseModel):
    """One entry of an index."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str = Field(pattern=r"^[a-z0-9_.-]+/[a-z0-9_.-]+$")
    prints: str = Field(min_length=1)
    device: str = Field(min_length=1)
    source: str = Field(pattern=r"^https://\S+$")
    sure: Literal["verbatim", "quoted", "run", "found", "constructed"]
    changed: str = Field(min_length=1)


def outputs() -> list[Output]:
    """The entries of all indexes that are there, in their order."""
    adapter = TypeAdapter(list[Output])
    found: list[Output] = []
    for name in INDEXES:
        index = HERE / name
        if index.is_file():
            found += adapter.validate_python(yaml.load(index.read_text(), yaml.BaseLoader))
    return found


def text(file: str) -> str:
    """The output itself, as it stands."""
    return (HERE / file).read_bytes().decode("utf-8", "surrogateescape")
