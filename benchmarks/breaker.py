"""What typical failures of a night cost: `make soak SOAK=breaker`, or `python benchmarks/soak.py breaker`.

Each row is one night of the paper's 180 trials on the virtual bench, made by the product itself while one thing fails.
Counted are attempts that were void, with those that the bench spoilt, and the calls that were placed in them; both may
be 2 more than in the nights that are made up (docs/retries.md). The figures of four attempts at once, as it was before
the breaker, are of made-up nights too: no virtual bench of that time could fail so.

Attempts take two minutes of the night clock, as there. A line of JSON for each row is kept in
datasets/soak-breaker.jsonl, and a row that has one is not made again. Two rows run side by side. A row above its bound
ends the soak with exit 1, once all were made.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console

from benchmarks.lines import add, read
from benchmarks.pools import pool
from lab.bench.bench import Bench
from lab.clocks.real_time import Deadline
from lab.clocks.stop import Stop
from lab.definitions import PlannedTrial
from lab.definitions.faults import Fault, Faults
from lab.errors import LabError
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
APP = "whatsapp"
PHONES = ("pixel6", "pixel6pro")
MORE = 2
"""So many more than in the made-up nights may be wasted."""
IDLE_S = 75
"""With so much idling an attempt takes about two minutes."""

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Row:
    """One thing that fails in a night. `before` and `made_up` are wasted attempts and calls in made-up nights: of four
    attempts at once, and of the breaker; `complete` is how many trials must be complete at least. `seed` is for a row
    whose faults are drawn: one of which as many strike as on the mean. `ended_before` is how such a night ended before
    the ladder, where it did."""

    name: str
    before: tuple[int, int]
    made_up: tuple[int, int]
    complete: int
    faults: Sequence[Mapping[str, Any]] = ()
    edits: Sequence[Edit] = ()
    bench: type[Bench] = field(default=Bench)
    seed: int | None = None
    ended_before: str = ""


def edited(file: str, old: str, new: str) -> Edit:
    """Replace a text in a file of the scenarios, where it must stand once."""

    def edit(scenarios: Path) -> None:
        path = scenarios / file
        text = path.read_text(encoding="utf-8")
        if (times := text.count(old)) != 1:
            raise ValueError(f"{path} has {old!r} {times} times, not once")
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def without_refusals(scenarios: Path) -> None:
    """The app's file does not know the screens by which an app refuses."""
    path = scenarios / f"apps/{APP}.yaml"
    before, key, _ = path.read_text(encoding="utf-8").partition("\nrefusals:")
    if not key:
        raise ValueError(f"{path}: there are no refusals")
    path.write_text(f"{before}\n", encoding="utf-8")


SAYS_IT = edited(
    f"virtual/{APP}.yaml", "text: Enter your phone number,", 'id: "com.whatsapp:id/eula_accept", text: AGREE,'
)
"""The screen of an account that is logged out shows what the app's file knows it by."""
# The same words are among the signs of an incoming call, which every cell needs.
NO_REJECT = edited(
    f"apps/{APP}.yaml", f'- tap: {{id: "com.{APP}:id/decline_inc', f'- tap: {{id: "com.{APP}:id/of_no_version_inc'
)
NO_REJECT_EITHER = edited(
    f"apps/{APP}.yaml",
    '- notification: {description_matches: "(?i)decline',
    '- notification: {description_matches: "(?i)of no',
)


class Elsewhere(Bench):
    """A phone is on the other one's network in each attempt."""

    def begin(self, item: PlannedTrial, seed: int, attempt: int) -> None:
        self.kind.ask(op="fail_next", what="move", on=PHONES[0], like=PHONES[1])  # type: ignore[attr-defined]
        super().begin(item, seed, attempt)


def on_both(what: str, **more: Any) -> list[dict[str, Any]]:
    return [{"what": what, "on": phone, "app": APP, **more} for phone in PHONES]


FOR_EVER: dict[str, Any] = {"for_ever": True}
LOGGED_OUT = on_both("logged_out", **FOR_EVER)
# An update that changes the first screen looks to the harness like this: nothing that the app's file names is there.
SELECTOR_GONE = on_both("logged_out", at={"minutes": 150}, **FOR_EVER)
CABLE = [
    {"what": "adb_reset", "on": PHONES[1], "at": {"trial": trial, "step": step}}
    for trial, step in ((30, "opened"), (60, "captured"), (90, "ringing"), (120, "begun"), (150, "stopped"))
]

ROWS = (
    Row("logged out, recognised", (240, 0), (1, 0), 120, LOGGED_OUT, (SAYS_IT,)),
    Row("logged out, not recognised", (240, 0), (6, 0), 120, LOGGED_OUT, (without_refusals,)),
    Row("a selector gone from minute 150", (142, 0), (9, 0), 140, SELECTOR_GONE, (without_refusals,)),
    Row("never rings, one direction", (120, 120), (6, 6), 149, (
        {"what": "never_rings", "on": PHONES[0], "app": APP, **FOR_EVER},
    )),
    Row("rate-limited for 60 min", (22, 22), (6, 6), 180, on_both("never_rings", at={"trial": 60}, for_minutes=60)),
    Row("rate-limited for 60 min, recognised", (22, 22), (1, 1), 120, on_both(
        "rate_limited", at={"trial": 60}, for_minutes=60
    )),
    Row("one cell wrong", (48, 48), (6, 6), 168, (), (NO_REJECT, NO_REJECT_EITHER)),
    Row("10 % of attempts flake", (21, 21), (21, 21), 180, (
        {"what": "capture_killed", "on": PHONES[0], "at": {"step": "placed"}, "probability": 0.1, **FOR_EVER},
    ), seed=7),
    Row("one app flakes in 50 %", (59, 59), (25, 25), 120, (
        {"what": "app_crash", "on": PHONES[0], "app": APP, "at": {"step": "placed", "after_s": 0.5},
         "probability": 0.5, **FOR_EVER},
    )),
    Row("wrong network", (720, 0), (8, 0), 0, bench=Elsewhere),
    Row("hotspot gone for 20 min", (36, 0), (5, 0), 180, (
        {"what": "hotspot_gone", "on": "laptop", "at": {"trial": 60}, "for_minutes": 20},
    )),
    Row("5 glitches of a cable", (1, 0), (5, 5), 180, CABLE, ended_before=" and exit 4 after 30 trials"),
    Row("su denied from minute 200", (316, 0), (1, 0), 0, (
        {"what": "su_denied", "on": PHONES[0], "at": {"minutes": 200}, **FOR_EVER},
    )),
)  # fmt: skip


def row_of(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


def night(name: str, first: int, only: str = "") -> dict[str, Any]:
    """One night of a row; what came of it."""
    row = row_of(name)
    seed = row.seed or first
    clock = Deadline(36_000.0)
    with tempfile.TemporaryDirectory(prefix="im-call-lab-breaker-") as folder:
        scenarios = Path(shutil.copytree(SCENARIOS, Path(folder) / "scenarios"))
        edited("benches/virtual.yaml", "idle_s: 5\n", f"idle_s: {IDLE_S}\n")(scenarios)
        for edit in row.edits:
            edit(scenarios)
        options = Options(seed=seed, scenarios=str(scenarios), dataset=f"{folder}/dataset", only=only)
        faults = [Fault.model_validate(fault) for fault in row.faults]
        run = replace(prepare(options), faults=Faults(name="breaker", faults=faults) if faults else None)
        ended = ""
        try:
            with mock.patch("lab.run.matrix.Bench", row.bench):
                run_missing(run, Progress(Console(file=io.StringIO())), Stop())
        except LabError as error:
            ended = f"exit {error.exit_code}: {error}"[:300]
        lines = run.dataset.journal.read()
        voids = [line for line in lines if line.event == "void"]
        return {
            "row": row.name,
            "first": first,
            "trials": len(run.chosen),
            "wasted": len(voids),
            "wasted_calls": sum(line.calls or 0 for line in voids),
            "complete": len(run.dataset.trial_ids()),
            "reasons": dict(sorted(Counter(str(line.reason) for line in voids).items())),
            "ended": ended,
            "hours": round(max((line.night_s or 0.0 for line in lines), default=0.0) / 3600, 2),
            "seconds": round(36_000.0 - clock.left(), 1),
        }


def wrong(found: Mapping[str, Any]) -> list[str]:
    """The bounds that a row breaks."""
    row = row_of(found["row"])
    broken = [
        f"{found[key]} {key} of at most {most + MORE}"
        for key, most in zip(("wasted", "wasted_calls"), row.made_up, strict=True)
        if found[key] > most + MORE
    ]
    if found["trials"] == 180 and found["complete"] < row.complete:
        broken.append(f"{found['complete']} complete of at least {row.complete}")
    return broken


def line(found: Mapping[str, Any]) -> str:
    """A row in words."""
    row = row_of(found["row"])
    before, made_up = ("/".join(map(str, each)) for each in (row.before, row.made_up))
    text = f"breaker: {row.name}: wasted {found['wasted']}/{found['wasted_calls']}, made up {made_up}"
    text += f", before {before}{row.ended_before}"
    text += f"; {found['complete']} of {found['trials']} complete in {found['hours']} h, {found['seconds']:.0f} s"
    return "\n".join([text, *(f"  wrong: {each}" for each in wrong(found))])


def run(first: int, out: Path = Path("datasets/soak-breaker.jsonl"), names: Sequence[str] = (), only: str = "") -> None:
    """The soak, or some of its rows; figures are appended to `out` as they come. Exit 1 where a bound is broken."""
    done = {(one["row"], one["first"]): one for one in read(out)}
    todo = [row for row in ROWS if (row.name, first) not in done and (not names or row.name in names)]
    found = [done[row.name, first] for row in ROWS if (row.name, first) in done]
    with pool(2) as made_by:
        for each in as_completed([made_by.submit(night, row.name, first, only) for row in todo]):
            found.append(each.result())
            add(out, found[-1])
            print(line(found[-1]), flush=True)
    if broken := [f"{each['row']}: {text}" for each in found for text in wrong(each)]:
        sys.exit("\n".join(f"  wrong: {text}" for text in broken))
