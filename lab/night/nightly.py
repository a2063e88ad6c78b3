"""A night without anyone: a dated dataset, its trials, what follows from them, what changed, and who is told.

Whatever a step runs into, the next ones go on with what there is: night.json, history.jsonl, junit.xml and the message
are written in every case but that of bad input, before which nothing is touched.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TextIO, cast

from invoke.exceptions import Exit
from rich.console import Console

from correlate import report
from correlate.dataset import documents
from correlate.dataset.durable import make_directory, write_text
from correlate.errors import BadDataset, CorrelateError, NotComparable
from correlate.report import compare
from lab.clocks import real_time
from lab.clocks.stop import Stop
from lab.commands import doctor
from lab.definitions.secrets import Redactor, secrets
from lab.errors import BenchBusy, BenchUnhealthy, LabError, one_line
from lab.night import counting, folders, history, junit, message, notifications, outcomes, plan
from lab.night.account import Account
from lab.night.alarms import Judgement, judge
from lab.night.costs import Spent
from lab.night.folders import Place, run_at
from lab.night.history import Asked, Covariates, Night
from lab.night.judged import asked_by_last_night, fresh_trials, told_now
from lab.night.record import Compared, NightRecord, SentRecord, StepRecord
from lab.night.until import NightClock, local, parse_until
from lab.night.watching import Logged, NightProgress
from lab.night.whole_run import analyse
from lab.programs import locks
from lab.run.description import PROVENANCES, check_fits
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, check_callees, check_introduced, prepare

FRESH_SEED = 10**17
"""Added to a night's seed for the trials that confirm a sighting: other draws, and so other calls."""


def run_night(bench: str, matrix: str, scenarios: str, until: str, nights: str, *, only_plan: bool) -> None:
    """One night, in a folder of its own below `nights`; or only what it would take. Raises `BadInput` with nothing
    touched, `BenchBusy` where another night is at it there, and `Exit` with the exit code where that is not 0."""
    began_ns, place_of_all = real_time.wall_ns(), Path(nights)
    until_ns = parse_until(until, began_ns, is_plan=only_plan)
    prepare(options := Options(bench, matrix, scenarios=scenarios))
    place = folders.choose(place_of_all, options, local(began_ns).date())
    run = run_at(options, place)
    if only_plan:
        return plan.show_plan(run, place, began_ns, until_ns)
    check_fits(run)
    check_callees(run)
    check_introduced(run)
    # Where a SIM has a data plan, lines that nobody can read are bad input.
    found = history.read(place_of_all / "history.jsonl") if run.spec.sims else None
    make_directory(place_of_all, 0o700)
    with locks.held(place_of_all / ".lock", nights):
        make_directory(place.folder, 0o700)
        with (place.folder / "night.log").open("a", encoding="utf-8", errors="backslashreplace") as log:
            clean = Redactor(secrets(run.spec)).clean
            stream = cast(TextIO, Logged(sys.stdout, log, clean))
            out = Console(file=stream, force_terminal=False, highlight=False)
            night = OneNight(run, options, place, out, began_ns, until_ns, found)
            night.go()
    if night.record.verdict:
        raise Exit(message.title(night.record), night.record.verdict)


class OneNight:
    """A night while it goes. `record` is what night.json says so far."""

    def __init__(
        self,
        run: Run,
        options: Options,
        place: Place,
        out: Console,
        began_ns: int,
        until_ns: int | None,
        found: history.History | None,
    ) -> None:
        self._run, self._options, self._place, self._out = run, options, place, out
        self._nights = place.folder.parent
        self._began_ns, self._stop = began_ns, Stop()
        self._clock = NightClock(run)
        self._account = Account(run, place, found, began_ns, until_ns, self._clock.now_ns)
        self._watch = NightProgress(out, run, self._clock, self._account.data)
        end_ns = self._account.end.ns
        self._clean = Redactor(secrets(run.spec)).clean
        self._cells: counting.Cells = {}
        self._judged = Judgement((), (), None)
        self._codes: set[int] = set()
        self.record = NightRecord(
            night=1,
            date=place.folder.name,
            bench=run.spec.name,
            matrix=run.matrix.name,
            seed=run.seed,
            dataset=str(place.dataset.relative_to(self._nights)),
            begun=local(began_ns).isoformat(timespec="seconds"),
            until=None if end_ns is None else local(end_ns).isoformat(timespec="minutes"),
            planned=len(run.planned),
        )

    def go(self) -> None:
        """All steps, and whatever they ran into, what is told."""
        self._write()
        if self._place.why_new:
            self._say(self._place.why_new)
        outbox = self._nights / "outbox"
        self._sent("begin", notifications.ping(self._run.spec, begins=True))
        self._sent("late", notifications.tell_late(self._run.spec, outbox))
        ended = False
        try:
            self._steps()
            self._retain()
            ended = True
        except KeyboardInterrupt:
            self._codes.add(130)
            ended = True
        finally:
            if not ended:
                self._codes.add(1)  # An error that nobody foresaw goes on to `exits`, once the night is told.
            self._finish()
            self._tell(outbox)

    def _steps(self) -> None:
        self._doctor()
        try:
            with self._step("run"):
                run_missing(self._run, self._watch, self._stop, self._account.limit)
        finally:
            self._count()
        if BenchBusy.exit_code in self._codes or not self._run.dataset.info_path.exists():
            return
        if not self._run.dataset.trial_ids():
            self._say("no trial is complete: there is nothing to compute")
            return
        with self._step("analyse"):
            if self._run.dataset.manifest_path.exists():
                self._say("nothing new: findings and report stay")
            else:
                analyse(self._run, self._watch)
            self._require_read(self._run)
            self._cells = counting.cells(self._run.dataset)
        if self._cells:
            self._judge()
            self._compare()

    def _doctor(self) -> None:
        with self._step("doctor") as said:
            checks = doctor.examine(self._run, self._stop, self._account.batteries)
            failed = [each for each in checks if not each.ok]
            said.append(f"{len(failed)} of {len(checks)} checks failed" if failed else "")
            for each in failed:
                self._say(f"doctor  {each.check} {each.subject}: {each.found}: {each.fix}")
            # What a phone said (`found`) is for night.log alone.
            told = [one_line(f"{each.check} {each.subject}: {each.fix}") for each in failed]
            self._update(doctor=[self._clean(each) for each in told])

    def _require_read(self, run: Run) -> None:
        if unread := report.unread(run.dataset):
            self._codes.add(3)
            self._say(f"{len(unread)} trials cannot be read: {unread[0]}")

    def _judge(self) -> None:
        with self._step("judge"):
            earlier = self._earlier
            first = judge(earlier, self._night())
            asked = [each for each in first.asked if each.when == "tonight"] + asked_by_last_night(earlier)
            if asked:
                self._confirm(asked)
            self._judged = judge(earlier, self._night())
            told = told_now(self._judged.alarms, earlier, self._place.name)
            told = [each.model_copy(update={"sentence": self._clean(each.sentence)}) for each in told]
            self._update(told=told)
            loud = [each for each in told if each.loud]
            self._codes |= {6 if each.kind == "opened" else 7 for each in loud}
            for each in told:
                self._say(f"{'ALARM' if each.loud else 'note'}  {each.sentence}")

    @cached_property
    def _history(self) -> history.History:
        found = history.read(self._nights / "history.jsonl")
        for problem in found.problems:
            self._say(problem)
        return found

    @property
    def _earlier(self) -> list[Night]:
        found = self._history
        # A night of which nothing could be counted tells nothing of what is usual.
        return [each for each in found.nights if each.cells]

    def _confirm(self, asked: list[Asked]) -> None:
        """Make the fresh trials that cells ask for, as many as the matrix has of their app and scenario."""
        with self._step("confirm") as said:
            again = self._place.dataset.with_name("again")
            fresh = run_at(self._options, replace(self._place, dataset=again, seed=self._run.seed + FRESH_SEED))
            chosen = fresh_trials(asked, fresh.planned)
            watch = NightProgress(self._out, fresh, self._clock, self._account.data)
            said.append(f"{len(chosen)} fresh trials")
            try:
                run_missing(fresh.only(*chosen), watch, self._stop, self._account.limit)
            finally:
                self._update(calls=dict(Counter(self.record.calls) + watch.calls))
            if fresh.dataset.trial_ids():
                analyse(fresh, watch)
                self._require_read(fresh)
                self._cells = counting.with_fresh(self._cells, counting.cells(fresh.dataset))

    def _compare(self) -> None:
        with self._step("compare") as said:
            same = (self._run.spec.name, self._run.matrix.name)
            earlier = [each for each in self._earlier if (each.bench, each.matrix) == same]
            good = folders.last_good(self._nights, earlier, self._place.name)
            if good is None:
                said.append("there is no earlier good night")
                return
            name, dataset = good
            try:
                found = compare.compare(dataset, self._run.dataset)
            except (NotComparable, BadDataset) as error:
                said.append(f"{name}: {error}")
                return
            lines = [one_line(text.strip()) for kind, text in compare.lines(found) if kind in ("opened", "changed")]
            self._update(compared=Compared(other=name, exit_code=found.exit_code, changed=lines))
            for line in lines:
                self._say(f"beside {name}: {line}")

    def _night(self, spent: Sequence[Spent] = ()) -> Night:
        """The night's line for history.jsonl, as far as it goes."""
        run, record = self._run, self.record
        dataset, resolver = run.dataset, run.spec.resolver
        hour = local(self._began_ns).hour
        if self._cells:
            covariates = counting.covariates(dataset, None if resolver is None else str(resolver.address), hour)
        else:
            covariates = Covariates(phones={}, resolver=None, yaml={}, harness=None, hour=hour)
        return Night(
            night=1,
            date=local(self._began_ns).date(),
            dataset=self._place.name,
            bench=run.spec.name,
            matrix=run.matrix.name,
            provenance=PROVENANCES[run.spec.kind],
            covariates=covariates,
            cells=self._cells,
            complete=record.complete,
            void=sum(self._watch.reasons.values()),
            parked=len(record.parked),
            calls=record.calls,
            spent=list(spent),
            batteries=self._account.batteries.found,
            told=[each.as_told() for each in self._judged.alarms],
            asked=list(self._judged.asked),
            verdict=message.verdict(self._codes),
        )

    def _count(self) -> None:
        """What came of each trial, after a run that ended in whatever way."""
        early = bool(self._codes & {4, 130}) or self._stop.requested
        came = outcomes.of_trials(self._run, self._watch.attempts, ended_early=early)
        self._update(**vars(came), why_left=self._account.limit.told(), calls=dict(self._watch.calls))

    def _retain(self) -> None:
        if self._run.spec.retention is None:
            return
        with self._step("retain"):
            for line in self._account.retained(self._earlier, self._stop):
                self._say(line)
                self._update(retention=[*self.record.retention, self._clean(line)])

    def _finish(self) -> None:
        """Everything that stays of the night, before anybody is told: telling may take its time."""
        self._update(ended=local(real_time.wall_ns()).isoformat(timespec="seconds"))
        spent: list[Spent] = []
        with self._step("count"):
            spent, notes = self._account.closed(self._history)
            self._update(notes=notes)
        xml = junit.as_junit(self.record, [item.trial.id for item in self._run.chosen])
        self._written(lambda: write_text(self._place.folder / "junit.xml", xml))
        self._written(lambda: history.append(self._nights / "history.jsonl", self._night(spent)))
        self._update(verdict=message.verdict(self._codes), codes=sorted(self._codes))

    def _tell(self, outbox: Path) -> None:
        record, spec = self.record, self._run.spec
        lines = list(message.lines(record, self._watch.reasons, f"{record.dataset}/report.html"))
        about = (record.matrix, record.date, record.verdict or 0)
        told = notifications.message(spec, *about, message.title(record), lines)
        for line in told.text.splitlines():
            self._say(line)
        self._sent("end", [*notifications.tell(spec, told, outbox), *notifications.ping(spec, begins=False)])

    def _sent(self, when: str, sent: list[notifications.Sent]) -> None:
        for line in notifications.in_words(sent):
            self._say(f"{when}: {line}")
        now = [SentRecord(channel=each.channel, kind=each.kind, when=when, why=self._clean(each.why)) for each in sent]
        if now:
            self._update(sent=[*self.record.sent, *now])

    @contextmanager
    def _step(self, name: str) -> Iterator[list[str]]:
        """One step, which may be given words to note; an error that people are meant to read ends it, not the night."""
        began, said, ok = real_time.elapsed(), list[str](), False
        self._say(f"{local(real_time.wall_ns()):%H:%M:%S} {name}")
        try:
            yield said
            ok = True
        except (LabError, CorrelateError) as error:
            self._codes.add(error.exit_code)
            said.append(str(error))
        except OSError as error:
            self._codes.add(BenchUnhealthy.exit_code)
            said.append(f"{error.strerror or type(error).__name__}: {error.filename or ''}")
        finally:
            text = one_line(self._clean("; ".join(filter(None, said))))
            if text:
                self._say(f"{name}: {text}")
            took_s = round(real_time.elapsed() - began, 1)
            self._update(steps=[*self.record.steps, StepRecord(step=name, ok=ok, text=text, took_s=took_s)])

    def _update(self, **fields: object) -> None:
        self.record = self.record.model_copy(update=fields)
        self._write()

    def _write(self) -> None:
        self._written(lambda: documents.write(self._place.folder / "night.json", self.record))

    def _written(self, write: Callable[[], None]) -> None:
        """Write something; a disk that is full costs that, and not the message."""
        try:
            write()
        except (OSError, CorrelateError) as error:
            if BenchUnhealthy.exit_code not in self._codes:
                self._say(f"cannot be written: {error}")
            self._codes.add(BenchUnhealthy.exit_code)

    def _say(self, text: str) -> None:
        self._watch.say(one_line(text))
