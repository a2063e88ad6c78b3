"""Asks the questions of docs/explore.md of a dataset, in SQL and in pandas, and prints both answers as JSON.

Run by the Python of `.explore` in the dataset's folder: questions.py PAGE.md.
"""

import json
import re
import sys
from pathlib import Path

import duckdb
import pandas as pd


def rows(frame):
    """Its rows in one order; numbers to nine digits, and nothing for what is missing."""
    return sorted(([plain(cell) for cell in row] for row in frame.itertuples(index=False)), key=repr)


def plain(cell):
    if pd.isna(cell):
        return None
    return cell if isinstance(cell, str) else float(f"{float(cell):.9g}")


def main():
    found = {}
    for title, sql, code in re.findall(
        r"^## (\d+)\..*?```sql\n(.*?)```.*?```python\n(.*?)```", Path(sys.argv[1]).read_text(), re.M | re.S
    ):
        names = {"pd": pd}
        exec(code, names)
        found[title] = {
            "sql": rows(duckdb.sql(sql).df()),
            "pandas": rows(names["answer"]),
            "lines": [len(text.splitlines()) for text in (sql, code)],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
