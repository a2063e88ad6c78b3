"""The figures of the report: each one asks a question, is drawn as inline SVG, and has its rows as CSV."""

from pathlib import Path

from correlate.dataset import Dataset
from correlate.report.figures import files
from correlate.report.figures.bench import bench
from correlate.report.figures.clocks import clocks
from correlate.report.figures.control import control
from correlate.report.figures.durations import durations
from correlate.report.figures.exposure import exposure
from correlate.report.figures.figure import Figure
from correlate.report.figures.linking import linking
from correlate.report.figures.matrix import matrix
from correlate.report.figures.media import media
from correlate.report.figures.rate import rate
from correlate.report.figures.sources import Sources
from correlate.report.figures.style import STYLE
from correlate.report.figures.trials import trials
from correlate.report.figures.user_ids import user_ids
from correlate.tables.study import Study

__all__ = ["Figure", "Sources", "figures", "style", "write"]


def figures(study: Study, sources: Sources) -> list[Figure]:
    """All figures in the order of the page. One without data says so in a sentence and has no drawing."""
    return [
        matrix(study),
        exposure(study),
        durations(study),
        control(study),
        media(study),
        rate(study),
        user_ids(study, sources),
        linking(sources),
        bench(study, sources),
        clocks(study),
        trials(study, sources),
    ]


def style() -> str:
    """The CSS of the figures; the page defines the variables that it uses."""
    return STYLE


def write(dataset: Dataset, out: Path) -> list[Path]:
    """All figures of a dataset as files (`files.write`). Raises `BadDataset` where findings do not fit."""
    study = Study.of(dataset)
    return files.write(dataset, figures(study, Sources.of(dataset, study)), study.provenance, out)
