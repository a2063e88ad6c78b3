"""Faults that a rehearsal plays on the virtual bench: `scenarios/faults/NAME.yaml`.

Each says what happens, on which machine, when, and how often or how long. Times are of the night clock, which goes on
between trials; steps are what the bench itself sees, never what drives it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from lab.definitions.app import Refused
from lab.definitions.base import Model, Name, Place, Seconds, refuse
from lab.definitions.bench import BenchSpec
from lab.definitions.virtual_app import VirtualApp
from lab.definitions.yaml import Document, Mistake, did_you_mean

Strike = Literal[
    "adb_reset",
    "adb_server_killed",
    "agent_killed",
    "agent_hung",
    "agent_fails",
    "shell_fails",
    "capture_killed",
    "capture_refused",
    "tap_lost",
    "tap_twice",
    "app_crash",
    "person_answers",
    "person_rejects",
    "person_hangs_up",
    "gsm_call",
    "screen_locked",
    "prompt",
    "anr",
    "capture_late",
    "capture_cut",
    "capture_zeroed",
    "capture_drops",
    "pull_cut",
    "clock_jump",
    "redial",
    "other_side_first",
]
State = Literal[
    "adb_away",
    "adb_silent",
    "adb_unauthorised",
    "su_denied",
    "logged_out",
    "updated",
    "battery",
    "never_rings",
    "answers_late",
    "hotspot_gone",
    "banned",
    "rate_limited",
    "update_required",
    "blocked",
    "message_request",
    "adb_slow",
    "network_lost",
    "relay_unreachable",
    "heat",
    "airplane_mode",
    "phone_disk_full",
    "laptop_disk_full",
    "adb_offline",
    "reboot",
]
What = Literal[Strike, State]
Dialog = Literal["permission", "update", "rating"]
When = Literal["begun", "opened", "captured", "placed", "ringing", "answered", "ended", "stopped"]
STRIKES, STATES = get_args(Strike), get_args(State)

LAPTOP, BENCH = "laptop", "bench"
REFUSALS = get_args(Refused)
"""Faults by which an app says that it will not call."""
_OF_APPS = (*REFUSALS, "updated")
_MAY_BE_OF_AN_APP = (*_OF_APPS, "never_rings", "app_crash", "prompt", "anr")
_VALUES: dict[str, tuple[str, ...]] = {
    "version": ("updated",),
    "battery_percent": ("battery",),
    "late_s": ("answers_late", "capture_late"),
    "dialog": ("prompt",),
    "jump_s": ("clock_jump",),
    "slow_ms": ("adb_slow",),
    "thermal_status": ("heat",),
}
"""What faults need to know beside where and when."""
_MACHINES = {"adb_server_killed": BENCH, "hotspot_gone": LAPTOP, "laptop_disk_full": LAPTOP}
_OF_CAPTURES = ("capture_late", "capture_cut", "capture_zeroed", "capture_drops")
_ON_LAPTOPS_TOO = ("capture_killed", "capture_refused", "shell_fails", *_OF_CAPTURES, "pull_cut", "clock_jump")
_BEFORE_IT_RUNS: tuple[When, ...] = ("begun", "opened")
_BEFORE_IT_STOPS: tuple[When, ...] = ("begun", "opened", "captured", "placed", "ringing", "answered", "ended")
STEPS: dict[str, tuple[When, ...]] = {
    "hotspot_gone": ("begun",),
    "airplane_mode": ("begun",),
    "capture_late": _BEFORE_IT_RUNS,
    **dict.fromkeys(("capture_cut", "capture_zeroed", "capture_drops"), _BEFORE_IT_STOPS),
    "redial": ("ended",),
    "other_side_first": ("begun", "opened", "captured"),
}
"""At which steps a fault may strike that may not strike at all of them."""
_WHY_THEN = {
    **dict.fromkeys(("hotspot_gone", "airplane_mode"), "what a call has under way is not taken back"),
    **dict.fromkeys(_OF_CAPTURES, "later its capture is there already"),
    "redial": "it is the call after one",
    "other_side_first": "it is the call before the trial's own",
}


class At(Model):
    """When a fault may strike: all that is said must hold. Trials are counted from 1 as the run begins them."""

    trial: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    minutes: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = 0.0
    step: When = "begun"
    after_s: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] = 0.0


class Fault(Model):
    """One fault. What passes at once strikes `times` (once, if nothing is said), each time it may for `for_minutes` or
    `for_ever`, or by `probability`; what lasts needs `for_minutes` or `for_ever`, and begins as often as is said."""

    what: What
    on: Name
    app: Name | None = None
    at: At = At()
    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    probability: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    for_minutes: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    for_ever: bool = False
    version: str | None = None
    battery_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    late_s: Seconds | None = None
    dialog: Dialog | None = None
    jump_s: Annotated[float, Field(ge=-86_400, le=86_400, allow_inf_nan=False)] | None = None
    slow_ms: Annotated[int, Field(ge=1, le=1_000)] | None = None
    thermal_status: Annotated[int, Field(ge=0, le=6)] | None = None
    pin: bool = False

    @property
    def lasts(self) -> bool:
        """Whether it is a state, which ends by itself, and no event."""
        return self.what in STATES

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        refuse([*self._how_long(), *self._where(), *self._values()])
        return self

    def _how_long(self) -> Iterator[tuple[Place, str]]:
        if self.for_ever and self.for_minutes is not None:
            yield ("for_minutes",), "for_minutes and for_ever: write one of them"
        if self.lasts and not self.for_ever and self.for_minutes is None:
            yield (), f"missing key 'for_minutes': {self.what} lasts; write how long, or for_ever: true"
        if self.lasts and self.for_ever and self.times is not None:
            yield ("times",), "times: what lasts for ever begins once"
        if not self.lasts and self.times is not None and (self.for_ever or self.for_minutes is not None):
            yield (
                ("times",),
                f"times: {self.what} strikes so often, or as often as it may for a time; write one of them",
            )

    def _where(self) -> Iterator[tuple[Place, str]]:
        wanted = _MACHINES.get(self.what)
        if wanted is not None and self.on != wanted:
            yield ("on",), f"{self.what} is on the {wanted}, not on '{self.on}'"
        elif wanted is None and (self.on == BENCH or (self.on == LAPTOP and self.what not in _ON_LAPTOPS_TOO)):
            yield ("on",), f"{self.what} is on a phone, not on the {self.on}"
        if self.at.step not in (steps := STEPS.get(self.what, get_args(When))):
            yield ("at",), f"{self.what} comes at {' or '.join(steps)}: {_WHY_THEN[self.what]}"
        if self.what in _OF_APPS and self.app is None:
            yield (), f"missing key 'app': {self.what} is of one app"
        if self.what not in _MAY_BE_OF_AN_APP and self.app is not None:
            yield ("app",), f"{self.what} is of no app; leave it out"

    def _values(self) -> Iterator[tuple[Place, str]]:
        for key, whats in _VALUES.items():
            given = getattr(self, key) is not None
            if self.what in whats and not given:
                yield (), f"missing key '{key}': {self.what} needs it"
            if self.what not in whats and given:
                yield (key,), f"{key} is of {' and '.join(whats)}, not of {self.what}"
        if self.pin and self.what != "reboot":
            yield ("pin",), f"pin is of reboot, not of {self.what}"


class Faults(Model):
    """What goes wrong in one rehearsal."""

    name: Name
    faults: Annotated[list[Fault], Field(min_length=1, max_length=100)]

    def strangers(self, phones: Sequence[str], apps: Mapping[str, VirtualApp]) -> Iterator[tuple[Place, str]]:
        """Where a fault names a phone or an app that is not there, or what an app cannot play, and what of it."""
        machines = [*phones, LAPTOP, BENCH]
        for index, fault in enumerate(self.faults):
            if fault.on not in machines:
                yield ("faults", index, "on"), _unknown("machine", fault.on, machines)
            if fault.app is not None and fault.app not in apps:
                yield ("faults", index, "app"), _unknown("app", fault.app, list(apps))
            elif fault.app is not None and fault.what in REFUSALS and apps[fault.app].refuses(fault.what) is None:
                key = "key 'logged_out'" if fault.what == "logged_out" else f"refusal '{fault.what}'"
                text = f"virtual/{fault.app}.yaml has no {key}, which is what it shows then"
                yield ("faults", index, "app"), text


def of_no_bench(
    documents: Iterable[Document[Any]], benches: Iterable[BenchSpec], apps: Mapping[str, VirtualApp]
) -> Iterator[Mistake]:
    """Faults on machines that no virtual bench has, and of apps that have no emulation."""
    phones = [phone.name for bench in benches if bench.kind == "virtual" for phone in bench.phones]
    for document in documents:
        found: Faults = document.value
        yield from (document.mistake(place, text) for place, text in found.strangers(list(dict.fromkeys(phones)), apps))


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    return f"no {kind} '{name}'{did_you_mean(name, known) or '; there is ' + ', '.join(known)}"
