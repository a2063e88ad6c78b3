"""What people look at: findings, tables, claims and the page, all computed from the captures, and the manifest."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from correlate import findings as findings_files
from correlate import link
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.dns import trace_names
from correlate.pairs.transport import MEDIA_NOT_UDP
from correlate.report.verdict import verdicts
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.layout import Table, as_csv, as_markdown
from correlate.tables.study import MODELLED, Study

__all__ = ["build", "findings", "page", "read_findings", "server_addresses", "trace_names"]

PROVENANCE = {
    "modelled": "Modelled: an emulated bench made this traffic. It shows that the harness and the analysis work, and "
    "nothing about the real apps. The model follows the paper, so every comparison with it is by construction.",
    "measured": "Measured: real phones made this traffic.",
}


def findings(dataset: Dataset) -> None:
    """Measures every complete trial and writes findings/. The manifest goes first: it no longer holds."""
    dataset.drop_manifest()
    findings_files.write(dataset)


def read_findings(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Trial id -> what findings/ say, with exactly the names of truth/ID.json (DESIGN, Truth). Raises `BadDataset`."""
    return {case.trial: findings_files.as_truth(case) for case in findings_files.cases(dataset)}


def server_addresses(dataset: Dataset) -> list[str]:
    """The addresses of all servers that findings/servers.csv lists, each once, sorted: those whose names are asked."""
    listed = [
        server["address"]
        for case in findings_files.cases(dataset)
        for side in ("caller", "callee")
        for server in case.of("servers", "servers", side) or []
    ]
    return sorted(set(listed))


def build(dataset: Dataset) -> None:
    """Rewrites findings/, tables/, report.html and, last, the manifest. The same captures give the same bytes."""
    findings(dataset)
    link.write(dataset)
    study = Study.of(dataset)
    made = tables(study)
    claimed = claims(study)
    for each in made:
        write_text(dataset.tables_dir / f"{each.name}.csv", as_csv(each))
        write_text(dataset.tables_dir / f"{each.name}.md", as_markdown(each))
    write_text(dataset.tables_dir / "claims.csv", as_csv(claimed))
    write_text(dataset.report_path, page(study, made, claimed, link.section(dataset)))
    dataset.write_manifest()


def page(study: Study, made: list[Table], claimed: Table, linked: dict[str, Any]) -> str:
    """report.html: provenance, verdict, tables, claims; one file that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("correlate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    unread = [case.trial for case in study.cases if case.of("endpoints", "established") is None]
    return environment.get_template("report.html").render(
        info=study.info,
        provenance=study.provenance,
        is_modelled=study.provenance == MODELLED,
        provenance_text=PROVENANCE.get(study.provenance, "The dataset does not say where its traffic comes from."),
        complete=len(study.cases),
        planned=len(study.info["plan"]),
        unread=unread,
        verdicts=verdicts(study),
        tables=[*made, claimed],
        linked=linked,
        not_udp=[case.trial for case in study.cases if case.of("volume", "transport") == MEDIA_NOT_UDP],
        paper=study.paper,
    )
