"""What a run says of trials that are not complete."""

from pathlib import Path

import pytest

from lab.errors import TrialsFailed
from lab.run.breaker import Breaker
from lab.run.ends import Ends
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.queue import Outcome, Pause, Queue

SCENARIOS = str(Path(__file__).parents[3] / "scenarios")


@pytest.fixture
def run(tmp_path):
    return prepare(Options(matrix="smoke", dataset=str(tmp_path / "d"), scenarios=SCENARIOS))


def ended(run, *outcomes, wait=None) -> Ends:
    """The first trials of the run, with the breaker and these outcomes in turn, until nothing more is made."""
    ends, given = Ends(run), iter(outcomes)
    ends.queue = Queue(run.planned[:5], Breaker(), lambda: 0.0, lambda app: wait)
    while (entry := ends.queue.next()) is not None:
        ends.queue.ended(entry, next(given))
    return ends


def test_nothing_is_said_where_all_are_complete(run):
    ends = ended(run, *[Outcome(complete=True)] * 5)
    ends.require_all(5)
    assert ends.told() == []


def test_what_is_void_and_what_is_held_is_told_apart(run):
    never = Outcome(reason="unknown_contact", again=False)
    ends = ended(run, never, *[Outcome(reason="no_effect")] * 4)
    with pytest.raises(TrialsFailed) as raised:
        ends.require_all(5)
    first = run.planned[0].trial.id
    void = f"1 of 5 trials stay void: {first}; see {run.dataset.attempts_dir}"
    assert str(raised.value) == f"{void}; 4 of 5 trials are held"
    unpark = f"invoke unpark whatsapp --bench virtual --dataset {run.dataset.path}"
    assert ends.told() == [
        f"4 trials are held, whatsapp keeps failing: no_effect; look at it, then run again, or {unpark}"
    ]


def test_trials_of_a_parked_app_are_not_counted_as_held(tmp_path):
    run = prepare(Options(matrix="paper", dataset=str(tmp_path / "d"), scenarios=SCENARIOS))
    of = {app: [item for item in run.planned if item.trial.app == app] for app in ("whatsapp", "messenger")}
    ends = Ends(run)
    ends.queue = Queue([*of["whatsapp"][:2], *of["messenger"][:3]], Breaker(), lambda: 0.0)
    while (entry := ends.queue.next()) is not None:
        parks = entry.item.trial.app == "whatsapp"
        ends.queue.ended(entry, Outcome(reason="banned" if parks else "no_effect", certain=parks))
    with pytest.raises(TrialsFailed) as raised:
        ends.require_all(5)
    assert str(raised.value) == "2 of 5 trials are left out, their app is parked; 3 of 5 trials are held"


def test_a_parked_app_and_a_cap_are_told_with_what_to_do(run):
    parked = ended(run, Outcome(reason="banned", certain=True))
    assert parked.told()[0].startswith("5 trials are left out, whatsapp is parked on both phones: banned; mend that,")
    capped = ended(run, wait=Pause(7200.0, "whatsapp: 120 min until the next call"))
    assert capped.told() == ["5 trials are left for another run, whatsapp: 120 min until the next call"]
    with pytest.raises(TrialsFailed, match=r"^5 of 5 trials are held$"):
        capped.require_all(5)
