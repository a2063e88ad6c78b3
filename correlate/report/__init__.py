"""What people look at. `build` computes everything from the captures; `render` makes tables, claims and the page of
findings that are there. Both end with the manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from correlate import findings as findings_files
from correlate import link
from correlate.dataset import Dataset
from correlate.dataset.durable import remove, write_text
from correlate.errors import Damaged
from correlate.findings import Measured, names
from correlate.findings.cases import as_truth, cases, unread_as_truth
from correlate.report.brief import summary
from correlate.report.describe import described
from correlate.report.noticed import contradictions, noticed
from correlate.report.page import APART, pages
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.condensed import grids
from correlate.tables.figures import figures as sessions_of_calls
from correlate.tables.layout import as_csv, as_markdown
from correlate.tables.study import Study, checked
from correlate.tables.with_left_out import noted

COMPUTED = ("findings/", "trials.csv")
"""What measuring writes; the rest is rendered of it."""

__all__ = ["build", "findings", "read_findings", "remarks", "render", "server_addresses", "summary", "unread"]


def findings(dataset: Dataset) -> list[Measured]:
    """Measures every complete trial and writes findings/. The manifest goes first: it no longer holds.

    What it returns may be handed to `build` in the same run, which then need not measure again. Raises `BadDataset`,
    with everything untouched, where dataset.json or names.json does not fit, and `Damaged` where something that was
    recorded is not as it was; `build` too.
    """
    checked(dataset)
    dataset.require_recorded()
    dataset.reopen()
    measured = findings_files.measure_all(dataset)
    findings_files.write(dataset, measured)
    return measured


def read_findings(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Trial id -> what findings/ say, with exactly the names of truth/ID.json (DESIGN, Truth). Raises `BadDataset`."""
    found = cases(dataset)
    truths = {case.trial: as_truth(case) for case in found.read}
    return truths | {trial: unread_as_truth() for trial in found.unread}


def unread(dataset: Dataset) -> list[str]:
    """A line for each complete trial that findings/ could not measure: its id and the reason. Raises `BadDataset`."""
    return [f"{trial}: {reason}" for trial, reason in cases(dataset).unread.items()]


def remarks(dataset: Dataset) -> list[str]:
    """A line for each thing that findings/ say and that nobody should overlook: trials whose phones and wire contradict
    each other; datagrams that are in a capture a second time, packets that were not looked into. Raises
    `BadDataset`."""
    read = cases(dataset).read
    return [*contradictions(read), *noticed(read)]


def server_addresses(dataset: Dataset) -> list[str]:
    """The addresses of all servers that findings/servers.csv lists, each once, sorted: those whose names are asked."""
    sides = (side for case in cases(dataset).read for side in case.servers.values())
    return sorted({server.address for side in sides for server in side.servers})


def build(dataset: Dataset, measured: Sequence[Measured] | None = None) -> None:
    """Rewrites trials.csv, findings/, tables/, report.html, what describes the dataset and, last, the manifest. The
    same captures give the same bytes.

    `measured` is what `findings` returned for these captures a moment ago; names that were learned since are put in.
    Without it everything is measured here. A server without a name in names.json is given the one that DNS answers in
    the captures give it.
    """
    checked(dataset)
    if measured is None:
        dataset.require_recorded()
    dataset.reopen()
    measured = findings_files.measure_all(dataset) if measured is None else measured
    findings_files.write(dataset, measured)
    if names.name_servers(dataset, server_addresses(dataset), names.last(each.heard for each in measured)):
        findings_files.write(dataset, measured)
    link.write(dataset, {each.trial: each.pair for each in measured})
    _put(dataset, _rendered(dataset))


def render(dataset: Dataset) -> None:
    """Rewrites tables/, report.html, what describes the dataset and, last, the manifest from findings/ as they are.
    Measures nothing, unless there is no manifest, which says what findings were computed: then everything is computed
    as by `build`.

    Raises `BadDataset`, with everything untouched, where findings are missing or are not those of the complete trials,
    and `Damaged` where they, or something that was recorded, are not as they were.
    """
    checked(dataset)
    examined = dataset.require_recorded()
    if not dataset.manifest_path.exists():
        return build(dataset)
    files = _rendered(dataset)
    if changed := [line for line in examined.computed if line.startswith(COMPUTED)]:
        raise Damaged("\n".join([*changed, f"{dataset.path}: nothing is written; correlate computes findings again"]))
    return _put(dataset, files)


def _rendered(dataset: Dataset) -> dict[Path, str]:
    """The texts of tables/ and report.html by their paths. Raises `BadDataset` where findings do not fit."""
    study, linked = Study.of(dataset), link.section(dataset)
    made, claimed = [*tables(study), *sessions_of_calls(study)], noted(study, claims)
    files = {dataset.tables_dir / f"{each.name}.csv": as_csv(each) for each in (*made, claimed)}
    files |= {
        dataset.tables_dir / f"{each.name}.md": as_markdown(
            each, grids(each), study.scope if "total" in each.columns else ""
        )
        for each in (*made, claimed)
    }
    return files | {dataset.path / name: text for name, text in pages(dataset, study, made, claimed, linked).items()}


def _put(dataset: Dataset, files: Mapping[Path, str]) -> None:
    """Writes the files, and takes away the trials' files of a page that no longer has them."""
    dataset.reopen()
    for left in set((dataset.path / APART).glob("*.html")) - files.keys():
        remove(left)
    _write(dataset, files)
    _write(dataset, described(dataset))
    dataset.write_manifest()


def _write(dataset: Dataset, files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        write_text(path, str(dataset.journal.clean(text)))
