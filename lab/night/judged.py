"""What follows from a judgement: the fresh trials that are made, and what is told."""

from collections.abc import Iterable, Sequence

from lab.definitions import PlannedTrial
from lab.night.alarms import Alarm
from lab.night.history import Asked, Night
from lab.night.record import ToldAlarm


def asked_by_last_night(earlier: Sequence[Night]) -> list[Asked]:
    """The trials that the last night asked for and did not make."""
    return list(earlier[-1].asked) if earlier else []


def fresh_trials(asked: Iterable[Asked], planned: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    """As many planned trials as cells ask for, of their app and scenario; one trial serves all cells of these."""
    wanted: dict[tuple[str, str], int] = {}
    for each in asked:
        _, _, app, scenario = each.cell.split("/")
        wanted[app, scenario] = max(wanted.get((app, scenario), 0), each.trials)
    chosen = []
    for item in planned:
        of = (item.trial.app, item.trial.scenario)
        if wanted.get(of, 0) > 0:
            wanted[of] -= 1
            chosen.append(item)
    return chosen


def told_now(alarms: Sequence[Alarm], earlier: Sequence[Night], dataset: str) -> list[ToldAlarm]:
    """What is told; loud is no alarm that was told of this dataset already, by a night that left some of its trials."""
    before = {(told.kind, told.cell) for night in earlier if night.dataset == dataset for told in night.told}
    return [
        ToldAlarm(
            **each.as_told().model_dump(),
            loud=each.is_loud and (each.kind, each.cell) not in before,
            sentence=each.sentence,
        )
        for each in alarms
    ]
