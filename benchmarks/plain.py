"""The same faults against plain adbutils and uiautomator2: `make soak SOAK=plain`.

Each case is one call: once by a script of a lab (`benchmarks.plain_script`), once by the harness, on the same virtual
bench with the same fault. What says that it is done is judged by the truth and by its captures. A line of JSON for each
case is kept in datasets/soak-plain.jsonl, and one that has a line is not made again; docs/rehearsal.md has the table.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from benchmarks.committed import hidden_by
from benchmarks.faults import SCENARIOS
from benchmarks.generated import AFTER_S, Case, cases, play
from benchmarks.lines import add, read
from benchmarks.plain_script import TALK_S
from benchmarks.pools import pool
from correlate.errors import CorrelateError
from correlate.trace import verify
from lab.bench.virtual import VirtualBench
from lab.clocks.stop import Stop
from lab.definitions.faults import Faults
from lab.run.options import Options
from lab.run.plan import Run, prepare

OUT = Path("datasets/soak-plain.jsonl")
CASES, SEED = 64, 1
TRIAL = "whatsapp-voice-lte_to_fixed-caller_hangs_up-1"
SCRIPT = Path(__file__).with_name("plain_script.py")
HANGS_S = 240.0
"""A script that has not ended by then hangs: six times what it takes where nothing goes wrong."""
TICK_S = 0.02
BETWEEN = 4
"""So many cases are played at once: nearly all of their time is spent waiting."""

End = Literal["right", "falsely valid", "failed", "hangs"]
ENDS: tuple[End, ...] = ("right", "falsely valid", "failed", "hangs")


def drawn() -> list[Case]:
    """The cases: one of each kind of fault, and others."""
    draw, pool = random.Random(f"{SEED}/plain"), cases()
    found = [
        draw.choice([case for case in pool if case.what == what]) for what in dict.fromkeys(one.what for one in pool)
    ]
    return found + draw.sample([case for case in pool if case not in found], max(0, CASES - len(found)))


def planned(folder: str, case: Case | None, number: int) -> Run:
    run = prepare(Options(matrix="smoke", seed=SEED, scenarios=str(SCENARIOS), dataset=f"{folder}/dataset"))
    run = run.only(run.one(TRIAL))
    if case is None:
        return run
    fault = case.at(1, random.Random(f"{SEED}/plain/{number}").choice(AFTER_S))
    return replace(run, faults=Faults(name="generated", faults=[fault]))


class Going:
    """Bench time goes as real time does while the block runs: a script sleeps in real time."""

    def __init__(self, bench: VirtualBench) -> None:
        self._bench, self._over = bench, threading.Event()
        self._thread = threading.Thread(target=self._go)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go(self) -> None:
        last_s = time.monotonic()
        while not self._over.wait(TICK_S):
            now_s = time.monotonic()
            self._bench.ask(op="advance", ns=round((now_s - last_s) * 1e9))
            last_s = now_s


def by_script(case: Case | None, number: int) -> dict[str, Any]:
    """What comes of a case where a plain script makes the call."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="im-call-lab-plain-") as folder:
        run = planned(folder, case, number)
        bench, truth = VirtualBench(run.lab, run.spec, Stop()), Path(folder) / "truth.json"
        try:
            serials = [bench.serial(phone) for phone in run.spec.phones]
            if run.faults is not None:
                bench.rehearse(run.faults, run.seed, 0.0, [])
            bench.begin(run.chosen[0], run.seed, 0)
            contact = run.spec.phones[1].address_in("whatsapp")
            argv = [sys.executable, "-P", str(SCRIPT), str(bench.client.port), *serials, str(contact), folder]
            code, said = _run([*argv, *bench.laptop_prefix], bench)
            refused = bench.end(truth)
        finally:
            bench.close()
        end: End = "hangs" if code is None else "failed" if code else "right"
        why = said if code != 0 else _not_right(json.loads(truth.read_text()), Path(folder))
        if end == "right" and why:
            end = "falsely valid"
        return {"end": end, "why": why[:300], "refused": refused, "seconds": round(time.monotonic() - began_s, 1)}


def _run(argv: list[str], bench: VirtualBench) -> tuple[int | None, str]:
    """The exit code of a program, None where it hangs and is ended, and what it said last."""
    with tempfile.TemporaryFile("w+") as said, Going(bench):
        process = subprocess.Popen(argv, stdout=said, stderr=said)
        code: int | None
        try:
            code = process.wait(HANGS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        said.seek(0)
        lines = said.read().strip().splitlines()
    return code, lines[-1] if lines else ""


def _not_right(truth: dict[str, Any], folder: Path) -> str:
    """Why a call that is said to be done, or its captures, are not as asked; empty where they are."""
    calls = truth["calls"]
    if len(calls) != 1:
        return f"{len(calls)} calls were placed"
    call = calls[0]
    if call["ended_ns"] is None or call["answered_ns"] is None:
        return f"the call was never {'ended' if call['answered_ns'] else 'answered'}"
    if call["services"] != ["voice"] or call["ended_by"] != "caller":
        return f"a call of {call['services']}, ended by the {call['ended_by']}"
    if (talked_s := (call["ended_ns"] - call["answered_ns"]) / 1e9) < TALK_S / 2:
        return f"they talked for {talked_s:.1f} s"
    for one in truth["interruptions"]:
        if one["what"] != "locked" or hidden_by(one, call):
            return f"beside it: {one['what']}"
    lasted_s = (call["ended_ns"] - call["placed_ns"]) / 1e9
    for name in ("caller.pcap", "callee.pcapng"):
        try:
            found = verify(folder / name)
        except (CorrelateError, OSError) as error:
            return f"{name}: {error}"
        covers_s = 0.0 if not found.first_ns or not found.last_ns else (found.last_ns - found.first_ns) / 1e9
        if found.damage or covers_s < lasted_s - 1.0:
            return f"{name}: {covers_s:.1f} s of a call of {lasted_s:.1f} s; {[str(one) for one in found.damage]}"
    return ""


def by_harness(case: Case, number: int) -> dict[str, Any]:
    """What comes of a case where the harness makes the call, with its own deadlines."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-plain-") as folder:
        found = play(planned(folder, None, number), {1: case}, SEED, mended=False)
    false = [text for text in found["wrong"] if text.startswith("falsely valid")]
    hangs = [text for text in found["wrong"] if text.startswith("over its budget")]
    end: End = "falsely valid" if false else "hangs" if hangs else "right" if found["complete"] else "failed"
    why = [*found["wrong"], *found["voids"]]
    return {"end": end, "why": "; ".join(why)[:300], "seconds": found["seconds"]}


def made(number: int, case: Case) -> dict[str, Any]:
    return {"case": case.name, "plain": by_script(case, number), "harness": by_harness(case, number)}


def run(out: Path = OUT, most: int | None = None) -> None:
    """The soak; figures are appended to `out` as they come. Ends with exit 1 where the harness says what is not so, or
    a call without any fault is not right by the script."""
    if (found := by_script(None, 0))["end"] != "right" or found["refused"]:
        sys.exit(f"soak plain: without a fault the script's call is not right: {found}")
    done = {one["case"] for one in read(out)}
    left = [(number, case) for number, case in enumerate(drawn()[:most]) if case.name not in done]
    with pool(BETWEEN) as made_by:
        for each in as_completed([made_by.submit(made, number, case) for number, case in left]):
            add(out, each.result())
            print(summary(read(out)), flush=True)
    if any(one["harness"]["end"] in ("falsely valid", "hangs") for one in read(out)):
        sys.exit(1)


def summary(found: Sequence[dict[str, Any]]) -> str:
    """The figures so far, as the rows of docs/rehearsal.md."""
    rows = [f"| {len(found)} cases | {' | '.join(ENDS)} |"]
    for who in ("plain", "harness"):
        count = Counter(one[who]["end"] for one in found)
        rows.append(f"| {who} | {' | '.join(str(count[end]) for end in ENDS)} |")
    return "\n".join(rows)
