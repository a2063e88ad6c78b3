"""What each fault of a rehearsal may do to a run, and where it is generated: a table that the judge of cases reads.

A kind of fault without a row has no case, and a test fails (`tests/end_to_end/test_rehearsal.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from lab.definitions.faults import What, When

PHONES = ("pixel6", "pixel6pro")
CAPTURING = ("pixel6", "laptop")
"""The machines that take the captures of the virtual bench."""
STEPS: tuple[str, ...] = get_args(When)
KINDS: tuple[str, ...] = get_args(What)

SPOILT = ("bench_trouble",)
CAPTURE = ("capture_not_ready", "capture_died", "marker_not_captured", "capture_damaged", "capture_lost_packets")
IN_CALL = (
    *("callee_never_rang", "call_ended_early", "not_connected", "no_effect", "dropped_while_talking", "still_in_call"),
    *("wrong_scenario", "wrong_service", "other_call", "second_call", "not_our_tap", "our_tap", "not_in_front"),
    *("not_answered", "answered", "answered_before_we_did", "ended_before_we_did", "late_end", "selector_not_found"),
)
"""Reasons that phones and their witnesses give for a call that was not as asked."""
NETWORK = ("wrong_network", "interface_unclear", "no_public_address", "no_lease", "lease_unclear", "network_changed",
           "airplane_mode")  # fmt: skip

End = Literal["complete", "parked", "stopped"]
"""All trials complete; the app is parked, and what is left of it is left out (exit 3); the run ends (exit 4)."""
CODES: Mapping[End, int] = {"complete": 0, "parked": 3, "stopped": 4}


@dataclass(frozen=True)
class Expected:
    """What is right where one kind of fault strikes.

    `voids` are the reasons for which an attempt may be void. A run that comes to an `end` of its own is of its own:
    nothing else strikes in it, and the fault is for ever. `minutes` is how long a state lasts that ends by itself.
    `slow` ones cost real deadlines, which are scaled for most cases.
    """

    voids: tuple[str, ...]
    end: End = "complete"
    on: tuple[str, ...] = PHONES
    steps: tuple[str, ...] = STEPS
    details: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = 0.3
    slow: bool = False

    @property
    def alone(self) -> bool:
        """Whether it needs a run of its own."""
        return self.end != "complete"


WHATSAPP: Mapping[str, Any] = {"app": "whatsapp"}
PARKED = Expected(
    ("logged_out", "banned", "rate_limited", "update_required", "blocked", "message_request", *IN_CALL),
    end="parked",
    details=WHATSAPP,
)
"""What an app says itself parks it; where a callee's says it unseen, the breaker holds the app."""

TABLE: dict[str, Expected] = {
    # The way to a phone, and the programs on it: the attempt is the bench's, the ladder brings it back.
    "adb_reset": Expected(SPOILT),
    "adb_away": Expected(SPOILT),
    "adb_silent": Expected(SPOILT, slow=True),
    "adb_offline": Expected(SPOILT, slow=True),
    "adb_unauthorised": Expected(SPOILT),
    "adb_server_killed": Expected(SPOILT, on=("bench",)),
    "adb_slow": Expected((), details={"slow_ms": 2}),
    "reboot": Expected(SPOILT),
    "agent_killed": Expected(SPOILT),
    "agent_hung": Expected(SPOILT, slow=True),
    "agent_fails": Expected((*SPOILT, *IN_CALL)),
    "shell_fails": Expected((*SPOILT, *CAPTURE, *IN_CALL, "marker_not_sent"), on=(*PHONES, "laptop")),
    # The other phone has no root to lose.
    "su_denied": Expected((*SPOILT, *CAPTURE), end="stopped", on=("pixel6",)),
    # Captures.
    "capture_killed": Expected((*SPOILT, *CAPTURE), on=CAPTURING),
    "capture_refused": Expected((*SPOILT, *CAPTURE), on=CAPTURING, steps=("begun", "opened")),
    "capture_late": Expected(CAPTURE, on=CAPTURING, steps=("begun", "opened"), details={"late_s": 12.0}),
    "capture_cut": Expected(CAPTURE, on=CAPTURING, steps=STEPS[:-1]),
    "capture_zeroed": Expected(CAPTURE, on=CAPTURING, steps=STEPS[:-1]),
    "capture_drops": Expected(CAPTURE, on=CAPTURING, steps=STEPS[:-1]),
    "pull_cut": Expected((), on=CAPTURING),
    # The machines themselves.
    "clock_jump": Expected(("clock_stepped", "capture_damaged"), on=(*PHONES, "laptop"), details={"jump_s": -3.0}),
    "battery": Expected(("battery_low",), details={"battery_percent": 5}),
    "heat": Expected(("too_hot",), details={"thermal_status": 4}),
    "phone_disk_full": Expected((*SPOILT, *CAPTURE), end="stopped"),
    "laptop_disk_full": Expected((*SPOILT, *CAPTURE), end="stopped", on=("laptop",)),
    # What happens on the screens, and who is there.
    "tap_lost": Expected(IN_CALL),
    "tap_twice": Expected(IN_CALL),
    "app_crash": Expected(IN_CALL),
    "prompt": Expected((*IN_CALL, "dialog"), details={"dialog": "rating"}),
    "anr": Expected((*IN_CALL, "dialog")),
    "person_answers": Expected(IN_CALL),
    "person_rejects": Expected(IN_CALL),
    "person_hangs_up": Expected(IN_CALL),
    "gsm_call": Expected(IN_CALL),
    "screen_locked": Expected(IN_CALL),
    "redial": Expected(IN_CALL, steps=("ended",)),
    "other_side_first": Expected(IN_CALL, steps=("begun", "opened", "captured")),
    # Apps and accounts.
    "logged_out": PARKED,
    "banned": PARKED,
    "update_required": PARKED,
    "blocked": PARKED,
    "message_request": replace(PARKED, details={"app": "messenger"}),
    # Who is limited may be called.
    "rate_limited": replace(PARKED, on=("pixel6",)),
    "updated": Expected(("app_version_moved",), end="parked", details={**WHATSAPP, "version": "999.0"}),
    "never_rings": Expected(IN_CALL),
    "answers_late": Expected(IN_CALL, details={"late_s": 25.0}),
    # Networks.
    "hotspot_gone": Expected((*SPOILT, *NETWORK), on=("laptop",), steps=("begun",)),
    "airplane_mode": Expected((*SPOILT, *NETWORK), steps=("begun",)),
    "network_lost": Expected((*SPOILT, *NETWORK, *CAPTURE, *IN_CALL, "marker_not_sent")),
    "relay_unreachable": Expected(IN_CALL),
}
"""By kind. What no rehearsal knows has no case."""
