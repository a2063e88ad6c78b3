"""Reads every CSV of a dataset as people do, with the defaults of pandas and DuckDB, and prints the cells that differ
from what they should be. Run by the Python of `.explore`: readers.py DATASET EXPECTED.json.

EXPECTED.json: path -> column -> values; None and the empty text are both an empty cell.
"""

import json
import math
import sys
from pathlib import Path

import duckdb
import pandas as pd


def is_right(value, expected):
    """A text that a reader took for a number is right where it is written alike."""
    if expected is None or expected == "":
        return value is None or value == "" or (isinstance(value, float) and math.isnan(value))
    if isinstance(expected, str):
        return str(value) == expected
    if isinstance(expected, bool):
        return isinstance(value, bool) and value == expected
    return not isinstance(value, bool | str) and value is not None and value == expected


def by_pandas(path):
    read = pd.read_csv(path)
    return {column: read[column].tolist() for column in read.columns}


def by_duckdb(path):
    found = duckdb.execute(f"SELECT * FROM '{path}'")
    names, rows = [each[0] for each in found.description], found.fetchall()
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def wrong(read, expected):
    yield from (f"{column}: is not there" for column in expected if column not in read)
    for column, values in expected.items():
        if len(read.get(column, ())) != len(values):
            yield f"{column}: {len(read.get(column, ()))} rows of {len(values)}"
            continue
        for row, (value, right) in enumerate(zip(read[column], values, strict=True)):
            if not is_right(value, right):
                yield f"{column}, row {row}: {value!r}, not {right!r}"


def main():
    root, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    found = {}
    for name, reader in {"pandas": by_pandas, "duckdb": by_duckdb}.items():
        found[name] = [
            f"{path}: {each}" for path, columns in expected.items() for each in wrong(reader(root / path), columns)
        ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
