"""What the commands print: plans, trials, checks, mistakes and the end of a run."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from correlate.dataset import Dataset
from correlate.dataset.examination import Examined
from correlate.dataset.installed import installed, unlike
from lab.commands.checks import Check, retries
from lab.definitions import PlannedTrial, Step
from lab.definitions.yaml import Mistake
from lab.errors import BadInput, BenchUnhealthy, one_line
from lab.run import unproven
from lab.run.plan import Run
from lab.run.progress import Progress

OVERHEAD_S = 25.0
"""Bench time of one trial besides ringing, talking and idling: chat, captures, markers, draining."""

TIMEOUT_S = 45.0
"""How long a call rings until the system gives up; nobody publishes it, apps in use gave up after 30 to 60 s."""


def console() -> Console:
    """Standard output: styles on a terminal, plain text elsewhere."""
    return Console(highlight=False)


def expected_s(run: Run, item: PlannedTrial) -> tuple[float, float]:
    """Expected bench time of a trial and how much of it is conversation, in seconds."""
    scenario = run.lab.scenarios[item.trial.scenario]
    ended_by_somebody = any(step.do in ("answer", "reject", "cancel") for step in scenario.steps)
    ring_s = (scenario.ring_s.low_s + scenario.ring_s.high_s) / 2 if ended_by_somebody else TIMEOUT_S
    talk_s = 0.0 if scenario.talk_s is None else (scenario.talk_s.low_s + scenario.talk_s.high_s) / 2
    return run.spec.idle_s + ring_s + talk_s + OVERHEAD_S, talk_s


def expected_bytes(run: Run, item: PlannedTrial, talk_s: float) -> float:
    """Expected size of both captures: packets a second each way times what is kept of a packet."""
    rate, size = _media(item)
    return 4 * rate * talk_s * (min(size, run.spec.snaplen_bytes) + 32)


def expected_call_bytes(item: PlannedTrial, talk_s: float) -> float:
    """Expected size of what a call sends and receives on one phone's network."""
    rate, size = _media(item)
    return 2 * rate * talk_s * size


def _media(item: PlannedTrial) -> tuple[int, int]:
    """Packets a second each way, and bytes of each."""
    return (50, 150) if item.trial.service == "voice" else (150, 1050)


def plan(run: Run) -> None:
    """The trials in order, what is complete, and the time, calls and data that the rest will take."""
    out, missing = console(), {item.trial.id for item in run.missing()}
    for item in run.chosen:
        state = "missing" if item.trial.id in missing else "complete"
        out.print(f"{item.index + 1:>4}  {item.trial.id:<56} {state}", soft_wrap=True)
    todo = [item for item in run.chosen if item.trial.id in missing]
    seconds = [expected_s(run, item) for item in todo]
    size = sum(expected_bytes(run, item, talk_s) for item, (_, talk_s) in zip(todo, seconds, strict=True))
    minutes = sum(total for total, _ in seconds) / 60 / run.benches
    time = f"{minutes:.0f} min" if minutes < 60 else f"{minutes / 60:.1f} h"
    each = f", on each of {run.benches} benches" if run.benches > 1 else ""
    note = " of bench time, which the virtual bench does not wait for" if run.spec.kind == "virtual" else ""
    out.print(
        f"{len(todo)} of {len(run.chosen)} trials to run: {len(todo)} calls, about {time}{note}{each}, "
        f"about {size / 1e6:.0f} MB, into {escape(str(run.dataset.path))}",
        soft_wrap=True,
    )


def trial(run: Run, item: PlannedTrial) -> None:
    """What a trial does, step by step."""
    out, scenario, spec = console(), run.lab.scenarios[item.trial.scenario], run.spec
    caller = spec.caller_of(item.trial.direction)
    callee = spec.other(caller)
    lines = [
        f"{caller.name} ({caller.network}) and {callee.name} ({callee.network}): wake, identify, addresses, clocks",
        f"{caller.name}: open the chat of {item.trial.app}",
        f"start both captures ({caller.capture}, {callee.capture}), prove that they are live",
        f"idle for {spec.idle_s:g} s; more than {spec.noise_max} bytes/s of background restarts the captures",
        "marker on both sides",
        *(_step_line(step, item, run) for step in scenario.steps),
        "marker on both sides, drain, stop, pull, verify, clocks again, store",
    ]
    out.print(escape(item.trial.id))
    for number, line in enumerate(lines, 1):
        out.print(f"{number:>3}. {escape(line)}", soft_wrap=True)


def lines(told: Sequence[str]) -> None:
    """Lines as they are, made safe for a terminal."""
    out = console()
    for line in told:
        out.print(escape("".join(each if each.isprintable() else "?" for each in line)), soft_wrap=True)


def _step_line(step: Step, item: PlannedTrial, run: Run) -> str:
    scenario, caller = run.lab.scenarios[item.trial.scenario], run.spec.caller_of(item.trial.direction)
    names = {"caller": caller.name, "callee": run.spec.other(caller).name}
    who = f"{names[step.by]}: " if step.by is not None else "both: "
    rings_in = "wait_ringing" if scenario.waits_for_ringing else "cancel"
    times = {rings_in: scenario.ring_s, "talk": scenario.talk_s}.get(step.do)
    word = {"talk": " for", "cancel": " after"}.get(step.do, ", then")
    how_long = f"{word} {times.low_s:g} to {times.high_s:g} s" if times is not None else ""
    return f"{who}{step.do}{f' ({item.trial.service})' if step.do == 'place_call' else ''}{how_long}"


def checks(found: Sequence[Check], *, as_json: bool) -> None:
    """The doctor's checks, and what a run tries again. Raises `BenchUnhealthy` where one is not ok."""
    out, found = console(), [*found, *retries()]
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=1))  # noqa: T201
    else:
        for check in found:
            mark = "[green]ok[/]" if check.ok else "[red]no[/]"
            text = check.found if check.ok else f"{check.found}: {check.fix}"
            out.print(f"{mark}  {escape(f'{check.check:<14} {check.subject:<22} {one_line(text)}')}", soft_wrap=True)
    failed = [check for check in found if not check.ok]
    if failed:
        raise BenchUnhealthy(f"{len(failed)} of {len(found)} checks failed")


def mistakes(found: Sequence[Mistake]) -> None:
    """All mistakes, one line each, as `BadInput`; says so where there are none."""
    if found:
        raise BadInput("\n".join(str(mistake) for mistake in found))
    console().print("No mistakes.")


def verdict(lines: Sequence[str]) -> None:
    """What a dataset says: whole words on a terminal, whole lines elsewhere."""
    out = console()
    for line in lines:
        out.print(escape(one_line(line)), soft_wrap=not out.is_terminal)


def texts(texts: Iterable[str]) -> None:
    """Texts that somebody copies: as they are, of any number of lines."""
    out = console()
    for each in texts:
        out.print(escape(each), soft_wrap=True)


def end(run: Run, progress: Progress, remarks: Sequence[str], said: Sequence[str]) -> None:
    """What was void, what nobody should overlook of the findings (`remarks`), what the phones' witnesses never proved,
    which app had another version than its file says; last the verdict (`said`), with where everything is."""
    out = console()
    for line in progress.voided:
        out.print(f"void attempt  {escape(line)}", soft_wrap=True)
    for line in (*progress.lost_benches, *progress.remarks):
        out.print(f"[yellow]{escape(line)}[/]", soft_wrap=True)
    for line in remarks:
        out.print(f"[yellow]{escape(one_line(line))}[/]", soft_wrap=True)
    for line in unproven.of_dataset(run.dataset):
        out.print(f"[yellow]unproven  {escape(line)}[/]", soft_wrap=True)
    for app, found in installed(run.dataset).items():
        if app in run.lab.apps and (text := unlike(found, run.lab.apps[app].version)):
            line = one_line(f"{app}: {text}; tables and report name what was installed")
            out.print(f"[yellow]version  {escape(line)}[/]", soft_wrap=True)
    verdict(said)


def examined(dataset: str) -> list[str]:
    """What is not as it was recorded in a dataset; where all is, print what is not vouched for.

    Raises `BadInput` where there is no dataset.
    """
    if not (data := Dataset(Path(dataset))).info_path.exists():
        raise BadInput(f"{dataset}: no dataset.json here; name a dataset with --dataset")
    found = data.examine()
    if not found.problems:
        coverage(found, data.manifest_path.exists())
    return list(found.problems)


def coverage(examined: Examined, has_manifest: bool) -> None:
    """Print which recorded files the journal cannot vouch for, or only since it was begun anew."""
    if kinds := Counter(_kind(path) for path in examined.manifest_only):
        named = ", ".join(kind if count == 1 else f"{kind} ({count})" for kind, count in sorted(kinds.items()))
        covers = "only the manifest covers" if has_manifest else "nothing covers"
        console().print(
            f"An earlier version recorded without their SHA-256 in the journal, and {covers}: {escape(named)}.",
            soft_wrap=True,
        )
    if examined.found:
        named = escape(", ".join(examined.found))
        console().print(f"The journal was begun anew, and has only since then: {named}.", soft_wrap=True)


def _kind(path: str) -> str:
    """`trials/*/trial.json` of a trial's file, so that 180 of them are one."""
    top, _, rest = path.partition("/")
    if top == "trials":
        return f"trials/*/{rest.partition('/')[2]}"
    return f"{top}/*" if rest else top
