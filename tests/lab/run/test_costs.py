from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

from lab.run import costs
from lab.run.costs import QUESTIONS, READS, cost, measure


def test_what_an_answer_costs_is_its_time_less_that_of_one_that_says_nothing():
    found = cost("audio", "idle", [52.04, 48.0, 3.5, 90.26], [3578, 6990, 12, 14], 4.0)
    assert (found.median_ms, found.most_ms, found.bytes, found.reads) == (46.0, 86.3, 6990, 4)
    # An answer that is faster than one that says nothing costs nothing, not less.
    assert cost("audio", "idle", [3.5], [0], 4.0).most_ms == 0


@dataclass
class SlowPhone:
    """A phone whose every command takes 7 ms, a look at its screen 40 ms, and a reading of everything 100 ms."""

    ns: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def clock(self):
        return SimpleNamespace(now_ns=lambda: self.ns)

    @property
    def device(self):
        return self

    @property
    def calls(self):
        return self

    def run(self, command: str, timeout_s: float) -> SimpleNamespace:
        self.asked.append(command)
        self.ns += 100_000_000 if command == QUESTIONS["reading"] else 7_000_000
        return SimpleNamespace(text="é" * 10)

    def state(self, app) -> None:
        self.ns += 40_000_000


def test_each_witness_is_asked_twenty_times_as_a_trial_asks_it():
    phone = SlowPhone()
    found = {each.witness: (each.median_ms, each.bytes, each.during) for each in measure(phone, None, "call")}
    assert found == {
        **dict.fromkeys(("audio", "camera", "telecom", "telephony", "notifications", "events"), (0, 20, "call")),
        "reading": (93, 20, "call"),
        "screen": (33, 0, "call"),
    }
    assert {command: phone.asked.count(command) for command in QUESTIONS.values()} == dict.fromkeys(
        QUESTIONS.values(), READS
    )
    assert costs.READS == 20
