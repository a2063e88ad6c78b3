"""Reading a CSV of findings/, row by row: what does not fit is refused with its line."""

import csv
from collections.abc import Callable
from pathlib import Path

from correlate import files
from correlate.errors import BadDataset

# The longest cell is a list of user ids or servers, and how long that is the traces say, not csv's default of 128 KiB.
csv.field_size_limit(1 << 28)


def read(path: Path, within: Path, take: Callable[[dict[str, str]], None]) -> None:
    """Hands each row to `take`. Raises `BadDataset` where the file is missing, or `take` raises `KeyError` or
    `ValueError` for a row that does not fit."""
    try:
        with files.text(path, within) as file:
            reader = csv.DictReader(file)
            try:
                for row in reader:
                    if None in row or None in row.values():
                        raise ValueError("a row has fewer or more cells than there are columns")
                    take(row)
            except (KeyError, ValueError, csv.Error) as error:
                raise BadDataset(f"{path}:{reader.line_num}: does not fit: {error!r}; correlate again") from error
    except OSError as error:
        raise BadDataset(f"{path}: cannot be read: {error.strerror}; correlate first") from error
