"""Until when a night may begin trials, on the night clock: the wall clock, which an emulated bench's trials advance by
their bench time."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from correlate.errors import BadDataset
from lab.clocks import real_time
from lab.commands.show import expected_s
from lab.definitions.budgets import LONGEST_H
from lab.errors import BadInput
from lab.run.plan import Run


def local(ns: int) -> datetime:
    """An instant by this machine's time zone."""
    return datetime.fromtimestamp(ns / 1e9).astimezone()


def parse_until(text: str, now_ns: int, *, is_plan: bool = False) -> int | None:
    """The instant that `--until HH:MM` names, in ns since the epoch; None for an empty text. Raises `BadInput`, also
    where it has passed: a timer that was missed starts a night in the morning. A plan may be made at any time."""
    if not text:
        return None
    if not (found := re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)):
        raise BadInput(f"--until {text}: write a time of day, e.g. 07:00")
    now = local(now_ns)
    # By the clock on the wall: a night in which summer time begins or ends has another length.
    end = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0, tzinfo=None)
    if end.astimezone() <= now:
        end += timedelta(days=1)
    if end.astimezone() - now > timedelta(hours=LONGEST_H) and not is_plan:
        raise BadInput(
            f"--until {text}: it is {now:%H:%M}, so that has passed and the next is more than {LONGEST_H} hours away; "
            "nothing was begun, the next night is run by its timer"
        )
    return round(end.timestamp() * 1e9)


class NightClock:
    """The time of the night, in ns since the epoch."""

    def __init__(self, run: Run, now_ns: Callable[[], int] = real_time.wall_ns) -> None:
        self._run, self._now_ns = run, now_ns
        self._is_virtual = run.spec.kind == "virtual"
        self._began_ns, self._played_ns = now_ns(), 0

    def now_ns(self) -> int:
        return self._began_ns + self._played_ns if self._is_virtual else self._now_ns()

    def completed(self, run: Run, trial: str) -> None:
        """A trial of that run has completed."""
        try:
            record = run.dataset.record(trial)
        except BadDataset:
            return
        if record.started_ns is not None and record.ended_ns is not None:
            self._played_ns += max(0, record.ended_ns - record.started_ns)

    def voided(self, run: Run, trial: str) -> None:
        """An attempt at a trial of that run is void: nobody keeps how long it took."""
        self._played_ns += round(expected_s(run, run.one(trial))[0] * 1e9)
