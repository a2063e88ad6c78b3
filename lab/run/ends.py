"""How the trials of a run ended that did not complete: void, held by the breaker, or left out."""

from collections import Counter
from collections.abc import Callable, Iterator

from lab.definitions import PlannedTrial
from lab.errors import TrialsFailed, one_line
from lab.run import introductions
from lab.run.breaker import Held
from lab.run.introductions import Pair
from lab.run.plan import Run
from lab.run.queue import Queue


class Ends:
    """What became of the trials of a run that are in `queue`, or are left out because who calls whom is parked.

    `may_begin` is asked right before a trial begins; one that it refuses stays missing, and is no failure.
    """

    def __init__(self, run: Run, may_begin: Callable[[PlannedTrial], bool] = lambda item: True) -> None:
        self._run, self.may_begin = run, may_begin
        self._parked: dict[Pair, str] = {}
        self._left_out: list[Pair] = []
        self.queue: Queue | None = None

    def leaves_out(self, item: PlannedTrial) -> bool:
        """Whether a trial is left out, which is then noted."""
        pair = introductions.pair_of(self._run.spec, item.trial)
        why = introductions.parked(self._run.lab, self._run.spec, *pair)
        if why is None:
            return False
        self._parked[pair] = why
        self._left_out.append(pair)
        return True

    def told(self) -> list[str]:
        """A line for each parked pair, each parked app, and each key of the breaker that holds trials."""
        lines = list(introductions.left_out(self._run.spec, self._parked, self._left_out))
        return lines + [one_line(line) for line in self._held()]

    def _held(self) -> Iterator[str]:
        left = Counter(
            why if isinstance(why, Held) else why.why for _, why in (self.queue.left() if self.queue else ())
        )
        for why, count in left.items():
            trials = "1 trial is" if count == 1 else f"{count} trials are"
            if isinstance(why, str):
                yield f"{trials} left for another run, {why}"
                continue
            app, of = why.key[0], " ".join((why.key[0], *why.key[2:]))
            unpark = f"invoke unpark {app} --bench {self._run.spec.name} --dataset {self._run.dataset.path}"
            if why.parked:
                yield f"{trials} left out, {app} is parked on both phones: {why.reason}; mend that, then {unpark}"
            else:
                yield f"{trials} held, {of} keeps failing: {why.reason}; look at it, then run again, or {unpark}"

    def require_all(self, missing: int) -> None:
        """Raise `TrialsFailed` where some of the `missing` trials did not complete."""
        told, void = [], self.queue.void if self.queue else []
        if void:
            named = ", ".join(sorted(void)[:5]) + (", ..." if len(void) > 5 else "")
            told.append(f"{len(void)} of {missing} trials stay void: {named}; see {self._run.dataset.attempts_dir}")
        left = [why for _, why in self.queue.left()] if self.queue else []
        parked = sum(isinstance(why, Held) and why.parked for why in left)
        if parked:
            told.append(f"{parked} of {missing} trials are left out, their app is parked")
        if left[parked:]:
            told.append(f"{len(left) - parked} of {missing} trials are held")
        if self._left_out:
            told.append(f"{len(self._left_out)} of {missing} trials are left out, who calls whom is parked")
        if told:
            raise TrialsFailed("; ".join(told))
