"""status.html in the dataset's folder: what a run does, rewritten while it goes; in the end the link to the report.

A file, no server: whoever can read the folder can read it, also after a crash. It is no evidence. No manifest lists
it, and what it costs is bounded: it takes 1% of the run's time at most.
"""

import base64
import hashlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from correlate.dataset.durable import unfinished
from lab.clocks import real_time
from lab.definitions import PlannedTrial
from lab.definitions.secrets import Redactor, secrets
from lab.errors import one_line
from lab.run.description import PROVENANCES
from lab.run.plan import Run

REFRESH_S = 5
"""How often a browser reads the page again while a run goes."""

BEAT_S = 5.0
"""The page is rewritten so often where nothing happens: one that is older tells that its run has stopped."""

LEAST_S = 1.0
"""The page is not rewritten more often, however many steps there are."""

SHARE = 0.01
"""What writing the page may take of the run's time."""

EVENTS, EVENT_CHARACTERS = 12, 300

MADE_BY = {
    "modelled": "an emulated bench makes this traffic: nothing here is about the real apps",
    "rehearsed": "browsers call in place of the apps: nothing here is about the real apps",
    "measured": "real phones make this traffic",
}

MARKS = {"complete": "●", "running": "◐", "void": "×", "missing": "○"}


@dataclass(frozen=True)
class Row:
    """The trials of an app, a service and a direction: by scenario, in the order of the columns, each one's state."""

    app: str
    service: str
    direction: str
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class View:
    """What the page says. `headline` is the state in a sentence, `goes` whether more is to come. Times are words."""

    name: str
    bench: str
    matrix: str
    provenance: str
    headline: str
    goes: bool
    reported: bool
    begun: str
    written: str
    elapsed: str
    left: str
    ended: int
    total: int
    complete: int
    planned: int
    calls: int
    running: tuple[tuple[str, str, str], ...] = ()
    scenarios: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    voids: tuple[tuple[str, int], ...] = ()
    undecided: tuple[tuple[str, int], ...] = ()
    events: tuple[tuple[str, str], ...] = ()
    beat_s: float = BEAT_S
    refresh_s: int = REFRESH_S
    marks: dict[str, str] = field(default_factory=lambda: MARKS)


@cache
def _template() -> tuple[Template, Markup, str]:
    """The page's template, its style, and what its policy calls that style."""
    environment = Environment(
        loader=(loader := PackageLoader("lab.run")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = loader.get_source(environment, "status.css")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("status.html"), Markup(style), f"sha256-{digest}"  # noqa: S704


def page(view: View) -> str:
    """The text of status.html: one file that needs nothing else, and runs nothing."""
    template, style, allowed = _template()
    return template.render(view=view, style=style, allowed=allowed)


class Status:
    """What is known of a run while it goes. Several threads may tell; `now_ns` is wall time, `elapsed` a steady clock.

    A page that cannot be written costs no trial: the next one is tried in its turn.
    """

    def __init__(
        self,
        run: Run,
        now_ns: Callable[[], int] = real_time.wall_ns,
        elapsed: Callable[[], float] = real_time.elapsed,
    ) -> None:
        self._run, self._now_ns, self._elapsed = run, now_ns, elapsed
        self._clean = Redactor(secrets(run.spec)).cleaned_value
        ids = [item.trial.id for item in run.planned]
        self._states = {each: "complete" if run.dataset.trial_dir(each).is_dir() else "missing" for each in ids}
        self._began_ns, self._began = now_ns(), elapsed()
        self._total = self._calls = 0
        self._ended: set[str] = set()
        self._stopped = ""
        self._steps: dict[str, tuple[str, int]] = {}
        self._voids: Counter[str] = Counter()
        self._undecided: Counter[str] = Counter()
        self._events: deque[tuple[str, str]] = deque(maxlen=EVENTS)
        self._headline, self._goes, self._reported = "The bench is being opened", True, False
        self._telling = threading.Lock()
        self._changed, self._over = threading.Event(), threading.Event()

    @contextmanager
    def kept(self, trials: int) -> Iterator[None]:
        """Keep the page up to date while the block runs so many trials; it says so where an error ends the block."""
        self._total = trials
        self.write()
        keeper = threading.Thread(target=self._keep, name="status.html", daemon=True)
        keeper.start()
        try:
            yield
        except BaseException as error:
            self._say_stopped(error)
            raise
        finally:
            self._over.set()
            self._changed.set()
            keeper.join()
            self.write()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What follows from the trials is computed in the block; then the page is the link to the report, and says why
        the run ended where an error ended it early."""
        ended = self._stopped
        try:
            yield
        except BaseException as error:
            self._say_stopped(error)
            self.write()
            raise
        with self._telling:
            self._headline, self._goes, self._reported = ended or "The run is over", False, True
        self.write()

    def computes(self, what: str) -> None:
        """What is being computed, in words."""
        with self._telling:
            self._headline = f"The trials of this run are over; being computed: {what}"
        self.write()

    def step(self, trial: str, name: str, retry: int) -> None:
        """The trial comes to a step."""
        with self._telling:
            self._steps[trial] = (name, retry)
            self._states[trial] = "running"
            self._calls += name == "place_call"
            self._headline = "The run goes on"
        self._changed.set()

    def void(self, trial: str, reason: str) -> None:
        """An attempt is void."""
        with self._telling:
            self._states[trial] = "void"
            self._voids[self._plain(reason)] += 1

    def undecided(self, claims: Sequence[str]) -> None:
        """What the phones' witnesses left undecided of a trial."""
        with self._telling:
            self._undecided.update(claims)

    def completed(self, trial: str) -> None:
        """A trial is complete."""
        with self._telling:
            self._states[trial] = "complete"

    def over(self, trial: str) -> None:
        """A trial is over, however it ended."""
        with self._telling:
            self._steps.pop(trial, None)
            if self._states[trial] == "running":  # an error ended it, and none of its attempts says why
                self._states[trial] = "missing"
            if self._states[trial] in ("complete", "void"):
                self._ended.add(trial)
        self._changed.set()

    def event(self, text: str) -> None:
        """A line that the run said."""
        with self._telling:
            self._events.appendleft((_clock(self._now_ns()), self._plain(text)))
        self._changed.set()

    def view(self) -> View:
        """All of it, now."""
        run, info = self._run, PROVENANCES[self._run.spec.kind]
        with self._telling:
            scenarios, rows = _grid(run.planned, self._states)
            return View(
                name=self._plain(run.dataset.path.resolve().name),
                bench=run.spec.name,
                matrix=run.matrix.name,
                provenance=f"{info.capitalize()}: {MADE_BY[info]}",
                headline=self._headline,
                goes=self._goes,
                reported=self._reported,
                begun=_moment(self._began_ns),
                written=_moment(self._now_ns()),
                elapsed=_duration(self._elapsed() - self._began),
                left=self._left(),
                ended=len(self._ended),
                total=self._total,
                complete=sum(state == "complete" for state in self._states.values()),
                planned=len(run.planned),
                calls=self._calls,
                running=tuple(
                    (trial, name, f"retry {retry}" if retry else "") for trial, (name, retry) in self._steps.items()
                ),
                scenarios=scenarios,
                rows=rows,
                voids=tuple(self._voids.most_common()),
                undecided=tuple(self._undecided.most_common()),
                events=tuple(self._events),
            )

    def write(self) -> None:
        """Put the page in its place in one step: whoever reads it has an old one or a new one, and all of it."""
        text, path = page(self.view()), self._run.dataset.status_path
        temporary = unfinished(path)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(text.encode("utf-8", "xmlcharrefreplace"))
            temporary.replace(path)

    def _keep(self) -> None:
        while not self._over.is_set():
            self._changed.wait(BEAT_S)
            self._changed.clear()
            began = self._elapsed()
            self.write()
            self._over.wait(pause_s(self._elapsed() - began))

    def _say_stopped(self, error: BaseException) -> None:
        with self._telling:
            why = self._plain(f"{type(error).__name__}: {error}")
            self._stopped = f"The run ended early ({why}); run-matrix takes it up again"
            self._headline, self._goes = self._stopped, False

    def _plain(self, text: str) -> str:
        return one_line(str(self._clean(text)[0]), EVENT_CHARACTERS)

    def _left(self) -> str:
        """How much longer the trials take that are left, where the others tell; and until when."""
        if not self._ended:
            return "not known before the first trial has ended"
        ended = len(self._ended)
        left_s = (self._elapsed() - self._began) * max(0, self._total - ended) / ended
        return f"{_duration(left_s)}, until {_clock(self._now_ns() + round(left_s * 1e9))} UTC"


def pause_s(cost_s: float) -> float:
    """How long to wait after a page that took so long to write."""
    return max(LEAST_S, cost_s / SHARE)


def _grid(planned: Sequence[PlannedTrial], states: dict[str, str]) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The scenarios, and a row for each app, service and direction, all sorted, and repetitions by number."""
    scenarios = sorted({item.trial.scenario for item in planned})
    cells: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    trials = (item.trial for item in planned)
    for trial in sorted(trials, key=lambda each: (each.app, each.service, each.direction, each.repetition)):
        row = cells.setdefault((trial.app, trial.service, trial.direction), {name: [] for name in scenarios})
        row[trial.scenario].append(states[trial.id])
    rows = (Row(*key, tuple(tuple(row[name]) for name in scenarios)) for key, row in cells.items())
    return tuple(scenarios), tuple(rows)


def _moment(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _clock(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%H:%M:%S}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
