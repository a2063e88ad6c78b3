"""What the nights have cost each phone, and what it says of its battery; what nobody recorded is told as unknown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lab.night.costs import NUMBERS, Battery, Spent
from lab.night.history import Night

FULL_LEAST = 0.8
"""A battery that holds less than this share of the most that it was seen to hold is worn."""

CYCLES_MOST = 800
"""So often a Pixel up to the 8 Pro may be charged until its battery holds 80% (Google's support pages)."""

GOOD = ("good", "unknown")


def lines(spent: Iterable[Spent], batteries: Mapping[str, Battery], phones: Iterable[str]) -> Iterator[tuple[str, str]]:
    """By phone what all its nights took, and its battery."""
    spent = list(spent)
    for phone in phones:
        of_phone = [each for each in spent if each.phone == phone]
        sums = {key: sum(getattr(each, key) for each in of_phone) for key in NUMBERS}
        dates = len({each.date for each in of_phone})
        yield (
            phone,
            f"nights of {dates} {'date' if dates == 1 else 'dates'}, {sums['trials']} trials, {sums['calls']} calls, "
            f"{sums['load_s'] / 3600:.1f} h in trials, {sums['flash_bytes'] / 1e6:.0f} MB of captures on its storage; "
            f"battery: {_battery(batteries.get(phone))}",
        )


def _battery(found: Battery | None) -> str:
    if found is None:
        return "unknown, it was not asked"
    full = found.full_uah
    return ", ".join(
        [
            f"health {found.health or 'unknown, dumpsys battery has none'}",
            "a full charge unknown, its charge counter or level is too low"
            if full is None
            else f"a full charge about {full / 1000:.0f} mAh",
            "cycles unknown, dumpsys battery has none" if found.cycles is None else f"{found.cycles} cycles",
        ]
    )


def worn(earlier: Sequence[Night], batteries: Mapping[str, Battery]) -> Iterator[str]:
    """What crosses a threshold, a line each."""
    for phone, now in batteries.items():
        if now.health is not None and now.health not in GOOD:
            yield f"{phone}: Android calls the health of its battery {now.health}; look at the phone"
        if now.cycles is not None and now.cycles >= CYCLES_MOST:
            yield f"{phone}: its battery was charged {now.cycles} times, {CYCLES_MOST} are what it is made for"
        seen = [each.batteries[phone].full_uah for each in earlier if phone in each.batteries]
        most, full = max(filter(None, seen), default=0), now.full_uah
        if full is not None and full < FULL_LEAST * most:
            yield (
                f"{phone}: its battery holds about {full / 1000:.0f} mAh, it was {most / 1000:.0f} once: below "
                f"{FULL_LEAST:.0%} it is worn"
            )
