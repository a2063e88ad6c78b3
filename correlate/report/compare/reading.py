"""The two datasets of a comparison: each whole, both of one design, and of both the trials that have a counterpart."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from correlate import files
from correlate.dataset import Dataset, manifest
from correlate.dataset.durable import sha256
from correlate.dataset.record import TrialRecord
from correlate.errors import BadDataset, Damaged, NotComparable
from correlate.findings.cases import Case
from correlate.tables.study import Study

MAX_MANIFEST_BYTES = 64 << 20
UNREAD_HERE = ("attempts/", "truth/", "report.html", "tables/")
"""What a comparison does not look at; of the captures it reads what findings say."""
CAPTURES = (".pcap", ".pcapng")

Kind = tuple[str, str, str, int | None]
"""App, service, scenario and the number of the phone that calls: its network may have got another label."""


@dataclass(frozen=True)
class Side:
    """One dataset: `study` has the trials of kinds that the other one has too, `alone` says how many it has of others,
    `records` are the trial.json of all that are complete."""

    dataset: Dataset
    study: Study
    records: tuple[TrialRecord, ...]
    alone: int


@dataclass(frozen=True)
class Both:
    """Both datasets; `left_out` says of each app that is not compared why."""

    a: Side
    b: Side
    left_out: dict[str, str]

    @property
    def apps(self) -> list[str]:
        """The apps that are compared."""
        return [app for app in self.a.study.apps if app in self.b.study.apps and app not in self.left_out]


def read(a: Dataset, b: Dataset) -> Both:
    """Reads findings, records and plans. Raises `NotComparable` where one is not whole or where they are of another
    matrix, provenance or of no kind of call in common, and `BadDataset` where one is no dataset or has no findings."""
    studies = (_study(a), _study(b))
    one, other = studies
    for what, ours, theirs in (
        ("matrix", one.info.matrix, other.info.matrix),
        ("provenance", one.provenance, other.provenance),
    ):
        if ours != theirs:
            raise NotComparable(
                f"{a.path} and {b.path}: another {what}, {ours} and {theirs}; compare two of one {what}"
            )
    left_out = _left_out(one, other)
    common = {kind for kind in _kinds(one) & _kinds(other) if kind[0] not in left_out}
    for app in one.apps:
        if app not in left_out and app not in {kind[0] for kind in common}:
            left_out[app] = "no kind of its calls has complete trials in both"
    if not common:
        why = "; ".join(f"{app}: {text}" for app, text in left_out.items())
        raise NotComparable(f"{a.path} and {b.path}: no app's calls can be compared: {why}")
    first, second = (_side(dataset, study, common) for dataset, study in zip((a, b), studies, strict=True))
    return Both(first, second, left_out)


def _study(dataset: Dataset) -> Study:
    """Raises `NotComparable` where something of a dataset that was read is not as it was signed."""
    dataset.info()
    try:
        _require_signed(dataset)
        return Study.of(dataset)
    except Damaged as error:
        raise NotComparable(f"{dataset.path}: {str(error).splitlines()[0]}") from error


def _require_signed(dataset: Dataset) -> None:
    """Every file that a comparison reads is as the manifest has it."""
    if not dataset.manifest_path.exists():
        raise NotComparable(
            f"{dataset.path}: has no manifest, so its findings are not finished; wait for its run, or invoke correlate"
        )
    try:
        listed = manifest.parse(files.read(dataset.manifest_path, MAX_MANIFEST_BYTES, dataset.path))
    except OSError as error:
        raise NotComparable(f"{dataset.manifest_path}: cannot be read: {error.strerror}") from error
    changed = list(listed.problems)
    for name, digest in listed.files.items():
        if name.startswith(UNREAD_HERE) or name.endswith(CAPTURES):
            continue
        path = dataset.path / name
        if not path.is_file() or files.first_link(dataset.path, path) is not None:
            changed.append(f"{name}: is in the manifest, but not in the dataset")
        elif sha256(path) != digest:
            changed.append(f"{name}: differs from the manifest")
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise NotComparable(f"{dataset.path}: {changed[0]}{more}; invoke verify tells all")


def _left_out(one: Study, other: Study) -> dict[str, str]:
    """Apps that are planned in one dataset alone, and those whose calls are read by other rules."""
    found = {}
    for app in dict.fromkeys((*one.apps, *other.apps)):
        if app not in one.apps or app not in other.apps:
            found[app] = f"only {'A' if app in one.apps else 'B'} plans calls with it"
        elif one.rules[app] != other.rules[app]:
            found[app] = "its calls are read by other rules (`analysis` of its app file)"
    return found


def _kinds(study: Study) -> set[Kind]:
    return {kind(study, case) for case in study.read if case.trial not in study.out}


def kind(study: Study, case: Case) -> Kind:
    """Of which kind a trial is."""
    return case.app, case.service, case.scenario, study.device(case.phones["caller"])


def _side(dataset: Dataset, study: Study, common: Iterable[Kind]) -> Side:
    kept = tuple(case for case in study.read if kind(study, case) in common)
    return Side(dataset, replace(study, read=kept), tuple(_records(dataset)), len(study.read) - len(kept))


def _records(dataset: Dataset) -> Iterable[TrialRecord]:
    for trial in dataset.trial_ids():
        try:
            yield dataset.record(trial)
        except BadDataset:
            continue  # findings say why this trial cannot be read
