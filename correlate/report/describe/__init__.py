"""A dataset says what it is: datapackage.json, README.md and CITATION.cff at its root. The same dataset gives the same
bytes."""

from pathlib import Path

from correlate.dataset import Dataset
from correlate.report.describe import citation, package, readme

FILES = ("datapackage.json", "README.md", "CITATION.cff")


def described(dataset: Dataset) -> dict[Path, str]:
    """The texts of these files by their paths; call it when all CSVs stand. Raises `BadDataset` where dataset.json or
    link.csv does not fit."""
    info, resources = dataset.info(), package.resources(dataset)
    texts = (package.text(info, resources), readme.text(info, resources), citation.text(info))
    return {dataset.path / name: text for name, text in zip(FILES, texts, strict=True)}
