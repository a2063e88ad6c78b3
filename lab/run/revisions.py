"""Which revision of the YAML a run goes by: one that its dataset has, or one more that is kept there."""

from collections.abc import Callable
from dataclasses import replace

from correlate import files
from correlate.dataset import documents, revisions
from correlate.dataset.record import Change, RevisionRecord
from lab.definitions import PlannedTrial
from lab.definitions.yaml import YamlMistakes
from lab.run import meaning
from lab.run.plan import Run


def used_files(run: Run) -> list[str]:
    """The YAML files that this matrix uses on this bench, below `scenarios/`, without what is local; sorted."""
    names = [f"benches/{run.spec.name}.yaml", f"matrices/{run.matrix.name}.yaml"]
    names += [f"calls/{name}.yaml" for name in run.matrix.scenarios]
    names += [f"apps/{name}.yaml" for name in run.matrix.apps]
    if run.spec.emulated:
        names += [f"virtual/{name}.yaml" for name in run.matrix.apps]
    return sorted(names)


def texts(run: Run) -> dict[str, bytes]:
    """The text of each of these files, by name."""
    return {name: files.read(run.lab.directory / name) for name in used_files(run)}


def in_revision(run: Run, items: list[PlannedTrial], say: Callable[[str], None]) -> list[PlannedTrial]:
    """The trials that are to be run, each with the revision of the YAML that this run goes by.

    One that the dataset has not is kept there, and `say` is told what is another than in the latest. Without trials
    nothing is written. Call it holding the dataset, whose manifest is away, and which `check_fits`.
    """
    if not items:
        return []
    now, names = texts(run), used_files(run)
    there = revisions.kept(run.dataset)
    # The latest first: of two that are the same it is that which goes on.
    same = next((each for each in reversed(there) if revisions.texts(run.dataset, each, names) == now), None)
    if same is None:
        made = _record(run, now, there[-1])
        revisions.keep(run.dataset, made, now)
        same = made.revision
        say(f"the YAML is another one than in revision {made.before}; it is kept as scenarios/rev-{same}")
        for change in (made.changed or ())[: revisions.FEW]:
            say(f"  {revisions.in_words(change)}")
    return [replace(item, revision=same) for item in items]


def _record(run: Run, now: dict[str, bytes], before: int) -> RevisionRecord:
    old = revisions.texts(run.dataset, before, list(now))
    changed = [name for name, text in now.items() if old.get(name) != text]
    return RevisionRecord(revision=before + 1, before=before, files=changed, changed=_changes(run, before, changed))


def _changes(run: Run, before: int, names: list[str]) -> list[Change] | None:
    """The keys whose value is another one; None where an earlier version's YAML cannot be read any more."""
    try:
        old = meaning.read_definitions(revisions.folder(run.dataset, before), names)
    except YamlMistakes:
        return None
    new = meaning.read_definitions(run.lab.directory, names)
    said = ({name: meaning.not_local(one) for name, one in of.items()} for of in (old, new))
    return [
        Change(file=each.file, key=each.key, before=_shown(each.before), now=_shown(each.now))
        for each in meaning.differences(*said)
    ]


def _shown(value: meaning.Value | None) -> str | None:
    return None if value is None else documents.shown(value)
