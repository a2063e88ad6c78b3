"""A matrix on a bench, planned: which trials there are, which are missing, who is called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from correlate.dataset import Dataset
from lab.definitions import BenchSpec, Lab, Matrix, PlannedTrial, plan, plan_routes
from lab.definitions.faults import Faults
from lab.definitions.secrets import Redactor, secrets
from lab.definitions.yaml import did_you_mean, read
from lab.errors import BadInput
from lab.run import introductions
from lab.run.options import Options, chosen, dataset_at, parse_benches, parse_seed


@dataclass(frozen=True)
class Run:
    """A matrix on a bench, planned; nothing is touched by making it."""

    lab: Lab
    spec: BenchSpec
    matrix: Matrix
    seed: int
    dataset: Dataset
    planned: tuple[PlannedTrial, ...]
    chosen: tuple[PlannedTrial, ...]
    benches: int = 1
    observe_only: bool = False
    faults: Faults | None = None

    def missing(self) -> list[PlannedTrial]:
        """The chosen trials that have no complete folder, in order."""
        return [item for item in self.chosen if not self.dataset.trial_dir(item.trial.id).is_dir()]

    def only(self, *items: PlannedTrial) -> Self:
        """The same run with these trials chosen."""
        return replace(self, chosen=items)

    def one(self, trial_id: str) -> PlannedTrial:
        """The planned trial of that id. Raises `BadInput` with the nearest id."""
        by_id = {item.trial.id: item for item in self.planned}
        if trial_id not in by_id:
            raise BadInput(f"no trial '{trial_id}' in matrix {self.matrix.name}{did_you_mean(trial_id, by_id)}")
        return by_id[trial_id]


def prepare(options: Options) -> Run:
    """Read the YAML and lay the plan. Raises `BadInput`, also where an app has no emulation; touches nothing."""
    lab = Lab.load(Path(options.scenarios), Path(options.local) if options.local else None)
    spec, matrix = lab.bench(options.bench), lab.matrix(options.matrix)
    seed, benches = parse_seed(options.seed), parse_benches(options.benches)
    _require_side_by_side(spec, benches)
    _require_emulations(lab, spec, matrix)
    planned = tuple(plan_routes(lab, plan(matrix, spec, seed), spec, seed))
    folder = options.dataset or f"datasets/{spec.name}-{matrix.name}"
    dataset = dataset_at(folder, Redactor(secrets(spec)))
    faults = _rehearsed(lab, spec, options.faults, benches) if options.faults else None
    wanted = chosen(planned, options.only)
    return Run(lab, spec, matrix, seed, dataset, planned, wanted, benches, options.observe_only, faults)


def _rehearsed(lab: Lab, spec: BenchSpec, asked: str, benches: int) -> Faults:
    """The faults of a name in SCENARIOS/faults or of a file, which this bench can play. Raises `BadInput`."""
    if spec.kind != "virtual":
        raise BadInput(f"--faults {asked}: bench {spec.name} is {spec.kind}; faults are rehearsed on a virtual bench")
    if benches > 1:
        raise BadInput(f"--faults {asked}: trials are counted and the night clock goes on one bench; drop --benches")
    if asked not in lab.faults and not asked.endswith(".yaml"):
        there = did_you_mean(asked, lab.faults) or f"; there is {', '.join(lab.faults)}"
        raise BadInput(f"--faults {asked}: no such faults in {lab.directory}/faults{there}")
    faults = lab.faults[asked] if asked in lab.faults else read(Path(asked), Faults)
    phones = [phone.name for phone in spec.phones]
    for _, text in faults.strangers(phones, lab.virtual_apps):
        raise BadInput(f"--faults {asked}: bench {spec.name}: {text}")
    return faults


def _require_emulations(lab: Lab, spec: BenchSpec, matrix: Matrix) -> None:
    mistakes: list[str] = []
    for name in matrix.apps if spec.emulated else ():
        app, needed = lab.virtual_apps.get(name), f"bench {spec.name} needs it; write it"
        if app is None:
            why = f"missing, {needed} (docs/add-an-app.md), or name a real bench with --bench"
        elif spec.kind == "rig" and app.rig is None:
            why = f"no section 'rig', {needed} (docs/rig.md), or take the app out of matrix {matrix.name}"
        else:
            continue
        mistakes.append(f"{lab.directory}/virtual/{name}.yaml: {why}")
    if mistakes:
        raise BadInput("\n".join(mistakes))


def _require_side_by_side(spec: BenchSpec, benches: int) -> None:
    if benches > 1:
        from lab.bench.kinds import side_by_side  # costs as much as all else that is planned

        if not side_by_side(spec):
            why = f"bench {spec.name} has one pair of phones; leave --benches out, or name an emulated bench"
            raise BadInput(f"--benches {benches}: {why}")


def check_callees(run: Run) -> None:
    """Refuse to call anybody whom the bench file does not allow. Raises `BadInput`, one line a contact."""
    introductions.check_callees(run.lab, run.spec, _pairs(run))


def check_introduced(run: Run) -> None:
    """Refuse to call unattended where a pair never rang with a person there. Raises `BadInput`, one line a pair."""
    introductions.require(run.lab, run.spec, _pairs(run))


def _pairs(run: Run) -> list[introductions.Pair]:
    """Who is to call whom, in order."""
    return [introductions.pair_of(run.spec, item.trial) for item in run.missing()]
