"""The recovery ladder: what is done, rung by rung, where a phone or the laptop of a bench does not answer.

A glitch costs the attempt that it hit and no more. Each rung is told before it is stepped on, with its budget; the adb
server is never killed, for it has other clients, and is started where none runs. What adb does at each call stands in
docs/decisions/0019-night.md.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.bench.kinds import Kind
from lab.clocks.bench_time import BenchClock
from lab.clocks.real_time import Deadline
from lab.errors import BenchUnhealthy, LabError, LaptopTrouble, PhoneTrouble
from lab.laptop.protocol import Laptop
from lab.phone.adb import TROUBLE, PhoneState
from lab.phone.phone import Phone


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
R8 = Rung("r8", "pause 1, 2, 4, 8, 15, 15 and 15 min, with R1 to R3 after each", 3600.0)
RUNGS = (R1, R2, R3, R4, R5, R8)

WAITS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PAUSES_S = (60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0)
PROMPT_S, PROMPT_EVERY_S = 60.0, 5.0
"""How long a person is waited for who has to accept this machine's key on a phone, and how often the phone is asked."""

Tell = Callable[[Rung, str, str], None]
"""Takes a rung that is stepped on, the machine's name, and why."""


def climb(
    kind: Kind,
    phones: list[Phone],
    laptop: Laptop,
    clock: BenchClock,
    tell: Tell,
    hotspot: IPv4Address | None = None,
    require: Callable[[str], None] = lambda name: None,
) -> None:
    """Return once the bench as a whole, each phone and the laptop answer, and its hotspot is on, where one is needed.

    Raises `BenchUnhealthy` where one of them does not after the last rung, at once where the bench's process has gone,
    and `PhoneTrouble` where only a person can help: a key to accept, a right to give; and what `require` does, which is
    asked before a phone is changed, by its name, whether it is ours.
    """
    for phone in phones:
        _Climb(kind, phone, clock, tell, require).run()
    kind.check_health()
    _laptop(laptop, clock, tell, hotspot)


class _Climb:
    """One phone on the ladder."""

    def __init__(self, kind: Kind, phone: Phone, clock: BenchClock, tell: Tell, require: Callable[[str], None]) -> None:
        self._kind, self._phone, self._clock, self._tell, self._require = kind, phone, clock, tell, require
        self._trouble: LabError | None = None

    def run(self) -> None:
        if self._answers():
            return
        self._say(R1)
        if any(self._answers() for _ in self._waits()) or any(self._answers() for _ in self._mends()):
            return
        if self._state() is PhoneState.UNAUTHORIZED:
            return self._ask_a_person()
        self._say(R8)
        for pause_s in PAUSES_S:
            self._clock.sleep(pause_s)
            if self._answers() or any(self._answers() for _ in self._mends()):
                return
        raise self._error(f"{self._phone.spec.name} does not come back: {self._trouble}")

    def _answers(self) -> bool:
        """R1."""
        try:
            self._phone.check_health()
        except PhoneTrouble as error:
            self._trouble = error
            return False
        return True

    def _waits(self) -> Iterator[None]:
        """R2."""
        self._say(R2)
        deadline = Deadline(R2.budget_s)
        for wait_s in WAITS_S:
            if deadline.passed():
                return
            self._clock.sleep(wait_s)
            yield

    def _mends(self) -> Iterator[None]:
        """R3 to R5, those of them that fit what the adb server says of the phone."""
        state = self._state()
        if state is PhoneState.NO_SERVER:
            self._say(R4)
            self._kind.start_adb_server(R4.budget_s)
            yield
            state = self._state()
        if state in (PhoneState.NOT_FOUND, PhoneState.OFFLINE):
            self._say(R3)
            self._reconnect(state)
            yield
        if self._state() is PhoneState.DEVICE:
            self._say(R5)
            from lab.phone import agent as agents  # costs half a second, and an open bench has paid it

            try:
                self._require(self._phone.spec.name)
                agents.start_anew(self._phone.screen.agent, self._phone.device)
            except PhoneTrouble as error:
                self._trouble = error
            yield

    def _reconnect(self, state: PhoneState) -> None:
        device, client = self._phone.device, self._kind.client
        serial = str(device.serial)
        try:
            if re.fullmatch(r".+:\d{1,5}", serial):
                if state is PhoneState.OFFLINE:
                    client.disconnect(serial)
                client.connect(serial, timeout=R3.budget_s)
            elif state is PhoneState.OFFLINE:
                device.reconnect()
        except (*TROUBLE, PhoneTrouble) as error:
            self._trouble = PhoneTrouble(f"{self._phone.spec.name}: {error}".replace(serial, self._phone.spec.name))

    def _ask_a_person(self) -> None:
        name = self._phone.spec.name
        self._tell(R8, name, f"accept this machine's key on {name}: the prompt is on its screen")
        for _ in range(round(PROMPT_S / PROMPT_EVERY_S)):
            self._clock.sleep(PROMPT_EVERY_S)
            if self._answers():
                return
        raise self._error(f"{name} does not accept this machine's key: {self._trouble}; accept the prompt on {name}")

    def _state(self) -> PhoneState:
        return self._phone.device.state()

    def _say(self, rung: Rung) -> None:
        self._tell(rung, self._phone.spec.name, str(self._trouble))

    def _error(self, text: str) -> PhoneTrouble:
        error = PhoneTrouble(text)
        error.__cause__ = self._trouble
        return error


def _laptop(laptop: Laptop, clock: BenchClock, tell: Tell, hotspot: IPv4Address | None) -> None:
    """The laptop's part: R1, R2 and R8; its connection is made anew by its own next question."""
    trouble: BenchUnhealthy | None = None
    for rung, waits_s in ((R1, (0.0,)), (R2, WAITS_S), (R8, PAUSES_S)):
        for number, wait_s in enumerate(waits_s):
            if trouble is not None and number == 0:
                tell(rung, "laptop", str(trouble))
            if wait_s:
                clock.sleep(wait_s)
            try:
                laptop.check_health()
                if hotspot is not None:
                    laptop.hotspot(hotspot)
                return
            except LaptopTrouble as error:
                trouble = error
    raise LaptopTrouble(f"the laptop does not come back: {trouble}")
