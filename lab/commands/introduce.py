"""The first call of each pair, with a person there: it must be the lab's own other phone that rings."""

import sys
from collections.abc import Callable

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Drawn, Lab, Step
from lab.definitions.yaml import did_you_mean
from lab.errors import AttemptVoid, BadInput, TrialsFailed
from lab.run import calibration, calls, introductions
from lab.run.introductions import Pair, in_words

SEEN_S = 4.0
"""How long it rings before it is cancelled: time to see on which phone."""

Ask = Callable[[str], bool]
Say = Callable[[str], None]


def asked_on_terminal(question: str) -> bool:
    """Whether a person at the terminal says yes. Raises `BadInput` where there is no terminal."""
    if not sys.stdin.isatty():
        raise BadInput("introduce needs a person who sees both phones: type it at a terminal; nobody was called")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def introduce(lab: Lab, spec: BenchSpec, app: str, stop: Stop, ask: Ask, say: Say) -> None:
    """Let each phone call the other once in `app`, each time after a yes, and keep how soon it rang.

    Raises `BadInput` before anybody is called, `TrialsFailed` where a callee does not ring or nobody agreed.
    """
    if app not in lab.apps:
        raise BadInput(f"no app '{app[:100]}'{did_you_mean(app, lab.apps)}")
    pairs = calls.both_ways(spec, app)
    introductions.check_callees(lab, spec, pairs)
    calibration.required_place(lab, spec)
    failed: list[str] = []
    # Before anything is opened: nobody may be there at all.
    agreed = [pair for pair in pairs if ask(_question(pair))]
    with stop.on_signals():
        if agreed:
            with Bench(lab, spec, stop, run="introduce", say=say) as bench:
                failed = [why for pair in agreed if (why := _introduced(bench, pair, pairs.index(pair), say))]
    failed += [f"{in_words(pair)}: not called, nobody said yes" for pair in pairs if pair not in agreed]
    if failed:
        raise TrialsFailed("; ".join(failed))


def _question(pair: Pair) -> str:
    app, caller, callee = pair
    return f"{caller} will call the {app} contact of {callee}. Does {callee} lie before you, and may it ring now?"


def _introduced(bench: Bench, pair: Pair, number: int, say: Say) -> str | None:
    """Have a pair's callee ring once; why it did not."""
    app = bench.lab.apps[pair[0]]
    drawn = Drawn(SEEN_S, None)
    try:
        with calls.prepared(bench, pair, app.services[0], "introduce", number, drawn, calls.quiet, say) as stage:
            ring_s = calls.ring(stage, calls.RING_S)
            if ring_s is not None:
                bench.clock.sleep(SEEN_S)
                calls.do(stage, Step(do="cancel", by="caller"))
                calls.do(stage, Step(do="wait_ended"))
    except AttemptVoid as error:
        return f"{in_words(pair)}: {error}"
    if ring_s is None:
        return f"{in_words(pair)}: did not ring within {calls.RING_S:g} s and was cancelled; look at the contact"
    introductions.introduce(bench.lab, bench.spec, pair, ring_s)
    say(f"{in_words(pair)} rang after {ring_s:.1f} s; it may call with nobody there")
    return None
