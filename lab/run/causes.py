"""Why attempts fail, in classes: what is tried again and when, what is let be, and what a person is asked for.

Every reason that voids an attempt stands here with its class, and every kind of trouble of the bench.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from lab.definitions.app import Refused
from lab.errors import (
    AttemptVoid,
    BenchUnhealthy,
    ControllerTrouble,
    LabError,
    LaptopTrouble,
    NeedsPerson,
    PhoneTrouble,
)

Policy = Literal["stop", "pause", "ladder", "park", "leave", "breaker"]
"""What a run does: end; pause and make the same trial again; climb the recovery ladder and make the same trial again;
park the app; leave the trial; try again at the end of the queue unless the breaker is open."""


@dataclass(frozen=True)
class Class:
    """Attempts that are void for reasons of one kind."""

    name: str
    policy: Policy
    what: str
    tried_again: str
    asked: str


CONTROLLER = Class(
    "controller", "stop", "this machine has no space, memory or file handles left, or the bench as a whole has gone",
    "not in this run, which ends with exit code 4 and its tables; no attempt is counted", "make room",
)  # fmt: skip
BENCH = Class(
    "bench", "pause", "the networks are not what the bench file says",
    "the same trial after 1, 2, 4, 8, 15, 15 and 15 min; no attempt is counted; then exit code 4",
    "after an hour: mend the network that is named",
)  # fmt: skip
PHONE = Class(
    "phone or laptop", "ladder", "one of them, its agent or the way to it does not answer, or answers nonsense",
    "the same trial, once the recovery ladder has brought it back, 5 times at most; no attempt is counted",
    "after an hour of the ladder: plug it in; within 5 s: accept a key",
)  # fmt: skip
SLOW = Class(
    "phone, slow", "pause", "its battery is below 20 %, or it is so hot that it slows down (thermal status 3)",
    "the same trial, once it has 25 %, or is below status 3: asked each minute, none is begun; after 60 min as lasting",
    "charge it, or cool it",
)  # fmt: skip
LASTING = Class(
    "phone or laptop, lasting", "stop", "it answers, and only a person can make it fit to go on",
    "never: the run ends with exit code 4 and its tables; no attempt is counted",
    "what is named: allow su, unlock, make room",
)  # fmt: skip
CERTAIN = Class(
    "app, certain", "park", "the app itself says that it will not call, or its version is not the dataset's so far",
    "never: the app is parked on both phones at once, until `invoke unpark APP`; it is not probed",
    "log in, update, or wait, then unpark",
)  # fmt: skip
PERHAPS = Class(
    "app, perhaps", "breaker", "the app, its server or a selector may have changed",
    "3 times, each at the end of the queue, unless the breaker holds it", "at the end: look at the app",
)  # fmt: skip
CELL = Class(
    "cell", "breaker", "the app does something else than the scenario asks for",
    "3 times, each at the end of the queue, unless the breaker holds it", "mend the YAML",
)  # fmt: skip
TRIAL = Class(
    "trial", "breaker", "something struck this one attempt",
    "3 times, each at the end of the queue, unless the breaker holds it", "nothing",
)  # fmt: skip
CONTACT = Class(
    "contact", "leave", "a callee did not ring as soon as when a person saw it ring: it may be a stranger",
    "never: who calls whom is parked until `invoke introduce APP`", "look at the contact, then introduce",
)  # fmt: skip
CLASSES = (CONTROLLER, BENCH, PHONE, SLOW, LASTING, CERTAIN, PERHAPS, CELL, TRIAL, CONTACT)

REASONS: dict[str, Class] = {
    **dict.fromkeys(("wrong_network", "interface_unclear", "no_public_address", "no_lease", "lease_unclear"), BENCH),
    "airplane_mode": BENCH,
    **dict.fromkeys(("battery_low", "too_hot"), SLOW),
    **dict.fromkeys(get_args(Refused), CERTAIN),
    "app_version_moved": CERTAIN,
    **dict.fromkeys(
        ("selector_not_found", "callee_never_rang", "call_ended_early", "not_connected", "no_effect", "dialog"), PERHAPS
    ),
    **dict.fromkeys(("dropped_while_talking", "still_in_call"), PERHAPS),
    **dict.fromkeys(("wrong_scenario", "wrong_service"), CELL),
    **dict.fromkeys(("capture_not_ready", "capture_died", "capture_damaged", "capture_lost_packets"), TRIAL),
    **dict.fromkeys(("captured_twice", "marker_not_captured", "marker_not_sent", "clock_stepped", "noisy"), TRIAL),
    **dict.fromkeys(("network_changed", "not_accounted", "not_all_captured"), TRIAL),
    **dict.fromkeys(("other_call", "second_call", "not_our_tap", "our_tap", "not_in_front"), TRIAL),
    **dict.fromkeys(("not_answered", "answered", "answered_before_we_did", "ended_before_we_did", "late_end"), TRIAL),
    **dict.fromkeys(("unknown_command", "bug", "bench_trouble"), TRIAL),
    "parked": CONTACT,
}
"""The class of each reason for which an attempt is void."""

ERRORS: dict[type[LabError], Class] = {
    ControllerTrouble: CONTROLLER,
    PhoneTrouble: PHONE,
    LaptopTrouble: PHONE,
    NeedsPerson: LASTING,
    BenchUnhealthy: CONTROLLER,
}
"""The class of each kind of trouble, the narrower first."""

OF_A_DATASET = frozenset({"app_version_moved"})
"""Reasons that park an app in one dataset, and in no other one of the bench."""
CERTAIN_REASONS = frozenset(reason for reason, of in REASONS.items() if of is CERTAIN)


def class_of(error: LabError) -> Class:
    """The class of what failed an attempt."""
    if isinstance(error, AttemptVoid):
        return REASONS.get(error.reason, TRIAL)
    return next(of for kind, of in ERRORS.items() if isinstance(error, kind))
