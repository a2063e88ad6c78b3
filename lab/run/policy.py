"""Which void reasons of the phones' witnesses count, and which have become flags.

A witness that contradicts a trial voids it. On phones that nobody has measured, limits that do not fit them void what
was right, and each costs four real calls; so a reason that voids too often counts no longer in that run, and says so.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

from lab.errors import one_line

SHARE = 0.05
"""Above this share of the attempts of a phone with an app a reason becomes a flag."""

LEAST_ATTEMPTS = 20
"""Of fewer attempts one void is more than the share."""

LEAST_TRIALS = 3
"""In so many trials the reason has voided an attempt. The retries of one trial share its cause: somebody who plays with
a phone voids all four, which is 20% of 20 attempts and says nothing of the phone's limits. Of 20 trials, a reason that
is wrong in 1 of 100 voids three by chance once in 1000 runs, one that is wrong in 2 of 100 seven times."""

Phones = tuple[str, str]
_Kind = tuple[str, str, str]
"""A reason, an app, a phone."""


class Policy:
    """What a run does with a claim that a witness refutes; of all benches of the run, each with a thread of its own.

    With `observe_only` nothing is void by a witness, and `tell` says what would have been. Without `flags` no reason
    becomes a flag, and `tell` says which voids too often: so on an emulated bench, where a trial that is run alone and
    one that is run in the matrix are judged alike.
    """

    def __init__(self, observe_only: bool = False, bench: str = "BENCH", *, flags: bool = True) -> None:
        self._observe_only, self._bench, self._flagging = observe_only, bench, flags
        self._one_at_a_time = threading.Lock()
        self._asked: set[str] = set()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._voids: Counter[_Kind] = Counter()
        self._kept: Counter[_Kind] = Counter()
        self._trials: defaultdict[_Kind, set[str]] = defaultdict(set)
        self._flags: dict[_Kind, tuple[int, int]] = {}

    def voids(self, app: str, phones: Phones, reason: str) -> bool:
        """Whether an attempt of `app` between these phones is void by `reason`, which one of its claims is refuted by.

        Asked once for an attempt, with the reason that it would be void by.
        """
        kinds = [(reason, app, phone) for phone in phones]
        with self._one_at_a_time:
            self._asked.add(reason)
            flagged = self._flagging and any(kind in self._flags for kind in kinds)
            counts = not self._observe_only and not flagged
            if not counts:
                self._kept.update(kinds)
            return counts

    def ended(self, trial: str, app: str, phones: Phones, reason: str | None) -> None:
        """An attempt at `trial` has ended, void by `reason` or complete; one that was interrupted counts as none."""
        with self._one_at_a_time:
            self._attempts.update((app, phone) for phone in phones)
            if reason not in self._asked or reason is None:
                return
            for phone in phones:
                kind = reason, app, phone
                self._voids[kind] += 1
                self._trials[kind].add(trial)
                if self._too_often(kind):
                    self._flags.setdefault(kind, (self._voids[kind], self._attempts[app, phone]))

    def _too_often(self, kind: _Kind) -> bool:
        attempts = self._attempts[kind[1:]]
        enough = attempts >= LEAST_ATTEMPTS and len(self._trials[kind]) >= LEAST_TRIALS
        return enough and self._voids[kind] > SHARE * attempts

    def tell(self) -> list[str]:
        """A line for each reason that became a flag, or would have voided where nothing does, by app and phone."""
        with self._one_at_a_time:
            return [one_line(line) for line in (*self._flagged(), *self._observed())]

    def _flagged(self) -> Iterator[str]:
        for (reason, app, phone), (voids, attempts) in sorted(self._flags.items()):
            where = f"{reason} voided {voids} of {attempts} attempts of {app} on {phone}"
            if not self._flagging:
                yield f"{where}: more than {SHARE:.0%}; it goes on to void, as in a trial that is run alone"
                continue
            kept = self._kept[reason, app, phone]
            since = f" ({kept} kept since)" if kept else ""
            yield f"{where}: flagged from now on{since}; invoke calibrate --bench {self._bench}"

    def _observed(self) -> Iterator[str]:
        for (reason, app, phone), kept in sorted(self._kept.items()) if self._observe_only else ():
            attempts = self._attempts[app, phone]
            yield f"observed only: {reason} would have voided {kept} of {attempts} attempts of {app} on {phone}"
