"""What it costs to ask each of a phone's witnesses, as a trial asks it: a line of its shell, cut down on the phone."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Literal

from lab.clocks import deadlines
from lab.definitions import App
from lab.phone.phone import Phone
from lab.phone.witnesses import audio, camera, notifications, reading, telecom, telephony
from lab.run.calibration import Cost

READS = 20
"""How often each is asked, idle and in a call."""

QUESTIONS: Mapping[str, str] = {
    "audio": audio.COMMAND,
    "camera": camera.COMMAND,
    "telecom": telecom.COMMAND,
    "telephony": telephony.COMMAND,
    "notifications": notifications.COMMAND,
    "events": "logcat -d -b events -v epoch -t 500",
    "reading": reading.COMMAND,
}
"""By witness what the phone is asked; `reading` is all that is read before and after a call."""

During = Literal["idle", "call"]


def measure(phone: Phone, app: App, during: During) -> tuple[Cost, ...]:
    """The cost of each witness and of a look at the screen, 20 times each. Raises `PhoneTrouble`."""

    def ask(command: str) -> Callable[[], int]:
        return lambda: len(phone.device.run(command, timeout_s=deadlines.RECORDS.s).text.encode())

    def look() -> int:
        phone.calls.state(app)
        return 0

    empty_ms = median(_timed(phone, ask("true"))[0])
    asked = {witness: ask(command) for witness, command in QUESTIONS.items()} | {"screen": look}
    return tuple(cost(witness, during, *_timed(phone, each), empty_ms) for witness, each in asked.items())


def _timed(phone: Phone, ask: Callable[[], int]) -> tuple[list[float], list[int]]:
    """How long each of 20 answers took, in ms of bench time, and how many bytes it had."""
    taken_ms, sizes = [], []
    for _ in range(READS):
        before_ns = phone.clock.now_ns()
        sizes.append(ask())
        taken_ms.append((phone.clock.now_ns() - before_ns) / 1e6)
    return taken_ms, sizes


def cost(witness: str, during: During, taken_ms: list[float], sizes: list[int], empty_ms: float) -> Cost:
    """What answers cost that took so long, where one that says nothing takes `empty_ms`; never less than nothing."""
    own_ms = [max(0.0, round(each - empty_ms, 1)) for each in taken_ms]
    return Cost(
        witness=witness,
        during=during,
        reads=len(own_ms),
        median_ms=round(median(own_ms), 1),
        most_ms=max(own_ms),
        bytes=max(sizes),
    )
