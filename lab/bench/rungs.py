"""The rungs of the recovery ladder: what each does, how long it may take, how often it is stepped on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """One step of the ladder; `budget_s` is how long it may take in all."""

    name: str
    does: str
    budget_s: float


R1 = Rung("r1", "ask again over new connections: state, shell, root, agent", 10.0)
R2 = Rung("r2", "wait 0.25, 0.5, 1, 2, 4, 8 s, and ask again after each", 16.0)
R3 = Rung("r3", "connect a phone that the adb server has lost, or that has been offline", 20.0)
R4 = Rung("r4", "start an adb server where none answers, then R3", 25.0)
R5 = Rung("r5", "end the phone's agent and start it anew", 45.0)
R6 = Rung("r6", "switch the USB port of the phone off and on by its power_cycle, then R1 to R5", 60.0)
R7 = Rung("r7", "restart the phone, then R1 to R5", 300.0)
R8 = Rung("r8", "pause 1, 2, 4, 8, 15, 15 and 15 min, with R1 to R5 after each", 3600.0)
HOTSPOT = Rung("hotspot", "start the hotspot of the laptop by its hotspot_start", 60.0)
RUNGS = (R1, R2, R3, R4, R5, R6, R7, R8, HOTSPOT)

WAITS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PAUSES_S = (60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0)
PROMPT_S, PROMPT_EVERY_S = 60.0, 5.0
"""How long a person is waited for who has to accept this machine's key on a phone, and how often the phone is asked."""

MOST = {R6: 2, R7: 1}
"""How often a run steps on a rung, for each phone."""
BOOT_EVERY_S = 5.0

Used = Counter[tuple[Rung, str]]
"""How often each of these was stepped on in this run, by phone."""
Tell = Callable[[Rung, str, str], None]
"""Takes a rung that is stepped on, the machine's name, and why."""
