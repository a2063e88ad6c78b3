"""Give a parked app back, once a person has mended what it said."""

from collections.abc import Callable
from pathlib import Path

from lab.definitions import Lab
from lab.definitions.yaml import did_you_mean
from lab.errors import BadInput
from lab.run.accounts import Accounts
from lab.run.night_clock import NightClock
from lab.run.options import dataset_at, holding


def unpark(scenarios: str, bench: str, dataset: str, app: str, say: Callable[[str], None]) -> None:
    """Let `app` call again on a bench: in a dataset, which may not be there yet, and on real phones in any other.

    What the breaker holds of it is given back as well. Raises `BadInput`, and `BenchBusy` while a run holds the
    dataset.
    """
    lab = Lab.load(Path(scenarios))
    spec, data = lab.bench(bench), dataset_at(dataset)
    if app not in lab.apps:
        raise BadInput(f"no app '{app[:100]}'{did_you_mean(app, lab.apps)}")
    Accounts(lab, spec, NightClock(spec.emulated)).unpark(app)
    if data.info_path.exists():
        with holding(data):
            data.journal.append("unparked", app=app)
        say(f"{app} may call again in {dataset}; the next run begins with its trials that are missing")
    elif spec.emulated:
        raise BadInput(f"--dataset {dataset}: no dataset is there, in which an app could be parked")
    else:
        say(f"{app} may call again on {bench}")
