"""CITATION.cff (1.2.0) of a dataset: how to name it. Whoever publishes it adds names, a date and a DOI."""

import json

from correlate.dataset.record import DatasetRecord
from correlate.tables.provenance import MEANINGS

NOBODY = "the keepers of this dataset"


def text(info: DatasetRecord) -> str:
    """Values are JSON strings, which are YAML too."""
    lines = {
        "cff-version": "1.2.0",
        "message": "Please cite this dataset as follows.",
        "type": "dataset",
        "title": f"{info.name}: both ends of calls of {', '.join(info.apps)}",
        "abstract": MEANINGS[info.provenance].text,
    }
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    licence = f"license: {json.dumps(info.licence, ensure_ascii=False)}\n" if info.licence else ""
    return f"{text}authors:\n  - name: {json.dumps(info.contact or NOBODY, ensure_ascii=False)}\n{licence}"
