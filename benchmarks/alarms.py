"""What the alarms of a night make up and miss: `python benchmarks/alarms.py [--months N] [--write docs/alarms.md]`.

Prints the tables, or replaces them in the document. Simulated months go through the product's own `lab.night.watch`: 30
nights, 158 cells, 12 trials a night and cell, and the trials that it asks for. Two worlds: in `paper` 148 cells are 0
or 1 but for a slip in 1,000 trials, and 10 lie between; in `messy` 110 with a slip in 200, and 48. sigma is the luck of
a night, on the logit of the rate, shared by the cells of an app that lie between. The first 120 cells are of something
seen. A change is planted in one cell of 71 of `paper`, in the sixteenth night. Exit 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import numpy.typing as npt

from lab.night import watch as procedure
from lab.night.watch import LEARNING, LOUD, Ask, Found, Seen, Watch, told

MONTHS, NIGHTS, TRIALS, CELLS, SEEN_CELLS, APPS = 1000, 30, 12, 158, 120, 3
PLANTED = 15
"""The night, from 0, in which a change comes."""
WITHIN = (1, 2, 3, 7)
WORLDS = {"paper": (148, 1e-3), "messy": (110, 5e-3)}
"""By world how many cells are 0 or 1, and how often they slip."""
SIGMAS = (0.0, 0.5, 1.0)
CHANGES = {
    "0 -> 1": (1e-3, 0.999),
    "1 -> 0": (0.999, 1e-3),
    "0 -> .3": (1e-3, 0.3),
    "0 -> .1": (1e-3, 0.1),
    "0 -> .05": (1e-3, 0.05),
    ".9 -> .5": (0.9, 0.5),
    ".5 -> .9": (0.5, 0.9),
}
FLIPS = ("0 -> 1", "1 -> 0")
MOST_FALSE, LEAST_TOLD = 1.0, 0.9
"""Targets: false alarms in 100 nights at most, flips within one night all, 0 -> .3 within two nights at least."""

Rates = npt.NDArray[np.float64]


HEAD_FALSE = "| world | sigma | nights 1 to 10 | nights 11 to 30 | all nights | seen once | further trials a night |"
HEAD_TOLD = "| change | " + " | ".join(f"sigma {sigma:g}" for sigma in SIGMAS) + " |"
HEAD_OTHERWISE = "| told where | world | sigma | false alarms in 100 nights |"


@dataclass
class Counted:
    """What came of simulated nights."""

    nights: int = 0
    alarms_learning: int = 0
    alarms: int = 0
    seen_once: int = 0
    further: int = 0
    delays: list[int] = field(default_factory=list)

    def false(self) -> float:
        """False alarms in 100 nights."""
        return 100 * (self.alarms + self.alarms_learning) / self.nights

    def told_within(self, nights: int) -> float:
        """The share of planted changes that are told within so many nights."""
        return sum(delay <= nights for delay in self.delays) / len(self.delays)


def cell_names(cells: int, seen: int) -> list[str]:
    kinds = ("seen" if each < seen else "claim" for each in range(cells))
    return [f"{kind}/c{each}/app{each % APPS}/s" for each, kind in enumerate(kinds)]


def rates(rng: np.random.Generator, settled: int, cells: int, slip: float) -> Rates:
    """One rate a cell: every fourth of the settled ones never but for slips, the others always; the rest between."""
    found = np.where(np.arange(cells) % 4 == 0, slip, 1 - slip)
    found[settled:] = rng.uniform(0.1, 0.9, cells - settled)
    return found


def with_luck(rng: np.random.Generator, by_night: Rates, is_between: npt.NDArray[np.bool_], sigma: float) -> Rates:
    """The rates of each night and cell, moved by each night's luck where they lie between."""
    luck = rng.normal(size=(len(by_night), APPS))[:, np.arange(by_night.shape[1]) % APPS]
    logit = np.log(by_night / (1 - by_night)) + sigma * luck * is_between
    return 1 / (1 + np.exp(-logit))


def month(rng: np.random.Generator, names: list[str], by_night: Rates) -> Iterator[tuple[int, list[Found], int]]:
    """Plays a month. By night: what is told, and how many further trials were made."""
    watch, bought = Watch(), dict[str, int]()
    for night, rate in enumerate(by_night):
        of = np.full(len(names), TRIALS)
        for name, trials in bought.items():
            of[names.index(name)] += trials
        further = sum(bought.values())
        tonight = dict(zip(names, map(Seen, rng.binomial(of, rate).tolist(), of.tolist()), strict=True))
        found, asked = watch.look(tonight)
        fresh = [ask for ask in asked if ask.when == "tonight"]
        if fresh:
            with_fresh = confirmed(rng, names, rate, tonight, fresh)
            tonight |= with_fresh
            further += sum(ask.trials for ask in fresh)
            found = [each for each in found if each.cell not in with_fresh]
            asked = [each for each in asked if each.cell not in with_fresh]
            more_found, more_asked = watch.look(with_fresh)
            found, asked = [*found, *more_found], [*asked, *more_asked]
        watch.learn(tonight, told(found))
        bought = {ask.cell: ask.trials for ask in asked if ask.when == "next night"}
        yield night, found, further


def confirmed(
    rng: np.random.Generator, names: list[str], rate: Rates, tonight: Mapping[str, Seen], asked: list[Ask]
) -> dict[str, Seen]:
    """The cells that asked for fresh trials, with them."""
    return {
        ask.cell: tonight[ask.cell]._replace(
            again_yes=int(rng.binomial(ask.trials, rate[names.index(ask.cell)])), again_of=ask.trials
        )
        for ask in asked
    }


def undisturbed(world: str, sigma: float, months: int, seed: int = 7) -> Counted:
    """Months in which nothing changes: every alarm is false."""
    settled, slip = WORLDS[world]
    rng, names, counted = np.random.default_rng(seed), cell_names(CELLS, SEEN_CELLS), Counted()
    for _ in range(months):
        steady = rates(rng, settled, CELLS, slip)
        by_night = with_luck(rng, np.tile(steady, (NIGHTS, 1)), np.arange(CELLS) >= settled, sigma)
        for night, found, further in month(rng, names, by_night):
            loud = sum(each.kind in LOUD for each in found)
            counted.nights += 1
            counted.alarms_learning += loud if night < LEARNING else 0
            counted.alarms += loud if night >= LEARNING else 0
            counted.seen_once += sum(each.kind == "seen_once" for each in found)
            counted.further += further
    return counted


def planted(change: str, sigma: float, months: int, seed: int = 11) -> Counted:
    """Months in which one cell of 71 changes: after how many nights that is told; 99 where it is not in 7."""
    before, after = CHANGES[change]
    settled, cells = 61, 71
    kind = "seen" if min(before, after) < 0.01 else "claim"
    names = [f"{kind}/planted/app0/s", *cell_names(cells, settled)[1:]]
    is_between = np.arange(cells) >= settled
    is_between[0] = kind == "claim"
    rng, counted = np.random.default_rng(seed), Counted()
    for _ in range(months):
        by_night = np.tile(rates(rng, settled, cells, WORLDS["paper"][1]), (PLANTED + WITHIN[-1], 1))
        by_night[:PLANTED, 0], by_night[PLANTED:, 0] = before, after
        delay = 99
        for night, found, _ in month(rng, names, with_luck(rng, by_night, is_between, sigma)):
            is_told = any(each.cell == names[0] and each.kind in LOUD for each in found)
            if night >= PLANTED and is_told:
                delay = night - PLANTED + 1
                break
        counted.delays.append(delay)
    return counted


@dataclass
class Tables:
    """The tables of a number of months, and the targets that they miss."""

    months: int
    missed: list[str] = field(default_factory=list)

    def false_alarms(self) -> Iterator[str]:
        yield from (HEAD_FALSE, "|---" * 7 + "|")
        for world in WORLDS:
            for sigma in SIGMAS:
                found = undisturbed(world, sigma, self.months)
                learning = 100 * found.alarms_learning / (self.months * LEARNING)
                later = 100 * found.alarms / (self.months * (NIGHTS - LEARNING))
                once, further = 100 * found.seen_once / found.nights, found.further / found.nights
                figures = f"{learning:.2f} | {later:.2f} | {found.false():.2f} | {once:.0f} | {further:.1f}"
                yield f"| {world} | {sigma:g} | {figures} |"
                if sigma < 1 and found.false() > MOST_FALSE:
                    self.missed.append(f"{world}, sigma {sigma:g}: {found.false():.2f} false alarms in 100 nights")

    def power(self) -> Iterator[str]:
        yield from (HEAD_TOLD, "|---" * (1 + len(SIGMAS)) + "|")
        for change in CHANGES:
            found = [planted(change, sigma, self.months) for sigma in SIGMAS]
            shares = ["/".join(f"{100 * each.told_within(nights):.0f}" for nights in WITHIN) for each in found]
            yield f"| {change} | {' | '.join(shares)} |"
            for sigma, each in zip(SIGMAS, found, strict=True):
                if change in FLIPS and each.told_within(1) < 0.995:
                    self.missed.append(f"{change}, sigma {sigma:g}: {each.told_within(1):.1%} told in one night")
                if change == "0 -> .3" and each.told_within(2) < LEAST_TOLD:
                    self.missed.append(f"{change}, sigma {sigma:g}: {each.told_within(2):.1%} told within two nights")

    def otherwise(self) -> Iterator[str]:
        """False alarms of two simpler procedures: one fresh trial were enough, and nights had no luck of their own."""
        yield from (HEAD_OTHERWISE, "|---" * 4 + "|")
        for name, value, what, sigma in (
            ("CONFIRMED", 1, f"seen in 1 of {procedure.AGAIN} fresh trials", 0.0),
            ("intraclass_correlation", lambda _: 0.0, "rho taken as 0", 0.5),
        ):
            chosen = getattr(procedure, name)
            setattr(procedure, name, value)
            try:
                for world in WORLDS:
                    yield f"| {what} | {world} | {sigma:g} | {undisturbed(world, sigma, self.months).false():.2f} |"
            finally:
                setattr(procedure, name, chosen)


def made(months: int) -> tuple[dict[str, str], list[str]]:
    """The tables by name, printed as they come, and the targets that are missed."""
    tables, began = Tables(months), time.monotonic()
    texts = {}
    for name, lines in (
        ("false", tables.false_alarms()),
        ("told", tables.power()),
        ("otherwise", tables.otherwise()),
    ):
        kept = []
        for line in lines:
            print(line, flush=True)
            kept.append(line)
        texts[name] = "\n".join(kept)
    print(f"{months} months a row, {time.monotonic() - began:.0f} s")
    return texts, tables.missed


def run(months: int = MONTHS) -> None:
    """The soak of the alarms. Ends the process with 1 where a target is missed."""
    _, missed = made(months)
    if missed:
        sys.exit("alarms: " + "; ".join(missed))


def document(text: str, tables: Mapping[str, str]) -> str:
    """A document with these tables in place of those below `<!-- NAME -->`."""
    for name, table in tables.items():
        put = table.replace("\\", "\\\\")
        text, count = re.subn(rf"(<!-- {name} -->\n)(?:\|.*\n)*", rf"\g<1>{put}\n", text)
        assert count == 1, name
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=MONTHS)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    texts, missed = made(options.months)
    if options.write:
        options.write.write_text(document(options.write.read_text(), texts))
    if missed:
        sys.exit("alarms: " + "; ".join(missed))


if __name__ == "__main__":
    main()
