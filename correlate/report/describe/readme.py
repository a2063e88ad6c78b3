"""README.md of a dataset: what it is, where it comes from, how to read it, and every column of every CSV."""

from collections.abc import Iterator, Sequence

from correlate.dataset.record import DatasetRecord
from correlate.report.describe.package import Resource, type_name
from correlate.tables.layout import escaped
from correlate.tables.provenance import MEANINGS

READING = """\
## How to read it

Every CSV is UTF-8 with a header, `,` between cells and `\\n` at the end of a row. An empty cell is null, never zero.
Booleans are `TRUE` and `FALSE`. Lists and objects are JSON. A text that a spreadsheet would run as a formula has an
apostrophe before it. `datapackage.json` has the type of every column; pandas, DuckDB, R and SQLite read all of them
right without it.

Names that end in `_ns` are nanoseconds. Instants (`first_ns`, `last_ns`, `ended_ns`, `time_ns` in `evidence`) are
counted from the trial's `started_ns` in `trials.csv`, which alone is counted from 1970: a double holds them, and it,
without rounding. Join by `trial`.

```sql
SELECT t.app, count(*) AS n, count(*) FILTER (e.exposed_public) AS exposed
FROM 'findings/endpoints.csv' e JOIN 'trials.csv' t USING (trial) WHERE e.side = 'caller' GROUP BY ALL;
```

```python
import pandas as pd
endpoints = pd.read_csv("findings/endpoints.csv")
endpoints[endpoints.side == "caller"].groupby("app").exposed_public.mean()
```

## How to check it

`sha256sum --quiet -c manifest-sha256.txt` checks every file but the journal; `datapackage.json` has the SHA-256 of
every CSV again. Traces, trials and their records are in `trials/`.
"""


def text(info: DatasetRecord, found: Sequence[Resource]) -> str:
    """README.md."""
    return "\n".join([*_head(info), READING, "## Data dictionary", "", *_dictionary(found)]) + "\n"


def _head(info: DatasetRecord) -> Iterator[str]:
    yield f"# {escaped(info.name)}"
    yield ""
    apps, matrix, bench = (escaped(each) for each in (", ".join(info.apps), info.matrix, info.bench))
    yield f"Calls of {apps} between two phones, captured at both ends: {len(info.plan)} planned trials of the matrix"
    yield f"{matrix} on the bench {bench}, with what the traffic of each end gives away."
    yield ""
    yield f"**Provenance: {info.provenance}.** {MEANINGS[info.provenance].text}"
    yield ""
    yield f"- Contact: {escaped(info.contact) or 'none stated'}"
    yield f"- Approval: {escaped(info.approval) or 'none stated'}"
    licence = "none is stated"
    yield f"- Licence: {escaped(info.licence) or licence}"
    yield f"- Seed: {info.seed}"
    yield ""


def _dictionary(found: Sequence[Resource]) -> Iterator[str]:
    for each in found:
        yield from (f"### {each.path}", "", each.title, "")
        if each.primary:
            yield from (f"One row for each {', '.join(f'`{column}`' for column in each.primary)}.", "")
        yield from ("| column | type | |", "| --- | --- | --- |")
        for field in each.fields:
            yield f"| `{field['name']}` | {type_name(each.columns[field['name']])} | {field['description']} |"
        yield ""
