"""report.html: one page of what was found and what went wrong."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.report.attempts import Troubles
from correlate.report.verdict import verdicts
from correlate.tables.condensed import grids
from correlate.tables.layout import Table
from correlate.tables.study import MODELLED, Study

PROVENANCE = {
    "modelled": "Modelled: an emulated bench made this traffic. It shows that the harness and the analysis work, and "
    "nothing about the real apps. The model follows the paper, so every comparison with it is by construction.",
    "rehearsed": "Rehearsed: real calls on a rig without phones made this traffic. They are not calls of the apps.",
    "measured": "Measured: real phones made this traffic.",
}


def page(study: Study, troubles: Troubles, made: list[Table], claimed: Table, linked: dict[str, Any]) -> str:
    """report.html: provenance, verdict, what went wrong, tables, claims; one file that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("correlate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(
        info=study.info,
        provenance=study.provenance,
        is_modelled=study.provenance == MODELLED,
        provenance_text=PROVENANCE[study.provenance],
        complete=len(study.cases) + len(study.unread),
        planned=len(study.info.plan),
        unread=study.unread,
        troubles=troubles,
        verdicts=verdicts(study),
        tables=[(each, grids(each)) for each in (*made, claimed)],
        linked=linked,
        proxied=study.proxied,
        not_udp=[case.trial for case in study.cases if case.volume["caller"].transport == MEDIA_NOT_UDP],
        paper=study.paper,
    )
