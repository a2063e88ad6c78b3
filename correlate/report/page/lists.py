"""The lists of trials behind the page's numbers: equal ones are one list, and each link opens its trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

HEADS = ("yes", "undecided", "no")


@dataclass(frozen=True)
class Listed:
    """One list: its id in the page, and under each head the trials by their numbers in the plan."""

    anchor: str
    title: str
    groups: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]


class Lists:
    """Gives each set of trials its place when it is first linked. A trial's number is its place in the plan."""

    def __init__(self, plan: Sequence[str]) -> None:
        self._numbers: Mapping[str, int] = {trial: number for number, trial in enumerate(plan, 1)}
        self._anchors: dict[str, str] = {}

    def number(self, trial: str) -> int:
        """The place of a trial in the plan, from 1; 0 of one that is not in it."""
        return self._numbers.get(trial, 0)

    def anchor(self, trials: str) -> str:
        """The id of the list of these trials (`statistics.sorted_out`); empty where there are none."""
        if not trials.strip("/ "):
            return ""
        in_order = "/".join(" ".join(sorted(part.split(), key=self.number)) for part in trials.split("/"))
        return self._anchors.setdefault(in_order, f"s{len(self._anchors) + 1}")

    def listed(self) -> Iterator[Listed]:
        """All lists so far, in the order of their first links."""
        for trials, anchor in self._anchors.items():
            parts = [part.split() for part in trials.split("/")]
            groups = tuple(
                (head, tuple((self.number(trial), trial) for trial in part))
                for head, part in zip(HEADS, parts, strict=True)
                if part
            )
            yield Listed(anchor, f"{len(parts[0])} of {sum(map(len, parts))}", groups)
