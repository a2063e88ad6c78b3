"""The recovery ladder: what is done, rung by rung, where a phone or the laptop of a bench does not answer.

A glitch costs the attempt that it hit and no more. Each rung is told before it is stepped on, with its budget; the adb
server is never killed, for it has other clients, and is started where none runs. What adb does at each call stands in
docs/decisions/0019-night.md.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from lab.bench.kinds import Kind
from lab.bench.rungs import (
    BOOT_EVERY_S,
    HOTSPOT,
    MOST,
    PAUSES_S,
    PROMPT_EVERY_S,
    PROMPT_S,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    WAITS_S,
    Rung,
    Tell,
    Used,
)
from lab.clocks import deadlines
from lab.clocks.bench_time import BenchClock
from lab.clocks.real_time import Deadline
from lab.definitions import PhoneSpec
from lab.errors import LabError, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.laptop.protocol import Laptop
from lab.phone import boot
from lab.phone.adb import TROUBLE, Adb, PhoneState
from lab.phone.call_state import audio_mode
from lab.phone.phone import Phone
from lab.programs import processes


@dataclass(frozen=True)
class Ways:
    """What the ladder of a bench is climbed with: `used` goes on for a whole run; `hotspot_start` is an argv, empty
    where the bench has none; `require` raises where a phone of that name is somebody else's, before it is changed."""

    kind: Kind
    clock: BenchClock
    tell: Tell
    used: Used
    hotspot_start: Sequence[str] = ()
    require: Callable[[str], None] = lambda name: None


class Patient(Protocol):
    """A phone on the ladder: one that is open, or that is to be opened."""

    @property
    def spec(self) -> PhoneSpec: ...

    @property
    def device(self) -> Adb: ...

    def check_health(self) -> None:
        """Raise `PhoneTrouble` where it does not answer, `NeedsPerson` where only a person can help."""

    def start_agent(self) -> None:
        """End its agent and start it anew. Raises `PhoneTrouble`."""


class Open:
    """A phone that is open."""

    def __init__(self, phone: Phone) -> None:
        self._phone, self.spec, self.device = phone, phone.spec, phone.device

    def check_health(self) -> None:
        self._phone.check_health()

    def start_agent(self) -> None:
        from lab.phone import agent as agents  # costs half a second, and an open bench has paid it

        agents.start_anew(self._phone.screen.agent, self._phone.device)


def climb(ways: Ways, phones: Sequence[Phone], laptop: Laptop, hotspot: IPv4Address | None = None) -> None:
    """Return once the bench as a whole, each phone and the laptop answer, and its hotspot is on, where one is needed.

    Raises `BenchUnhealthy` where one of them does not after the last rung, at once where the bench's process has gone,
    and `NeedsPerson` where only a person can help: a key to accept, a right to give, a PIN to enter; and what
    `ways.require` raises.
    """
    for phone in phones:
        climb_with(ways, Open(phone), [Open(other) for other in phones if other is not phone])
    ways.kind.check_health()
    climb_with_laptop(ways, laptop.check_health, laptop, hotspot)


def climb_with_laptop(
    ways: Ways, answers: Callable[[], object], laptop: Laptop, hotspot: IPv4Address | None = None
) -> None:
    """The laptop's part: R1, R2, the start of its hotspot and R8, with that after each pause; its connection is made
    anew by its own next question, which `answers` asks. Raises `LaptopTrouble`."""
    trouble: LaptopTrouble | None = None
    starts = hotspot is not None and bool(ways.hotspot_start)
    for rung, waits_s in ((R1, (0.0,)), (R2, WAITS_S), (HOTSPOT, WAITS_S if starts else ()), (R8, PAUSES_S)):
        for number, wait_s in enumerate(waits_s):
            if trouble is not None and number == 0:
                ways.tell(rung, "laptop", str(trouble))
            if starts and (rung is R8 or (rung is HOTSPOT and number == 0)):
                _ran(ways.hotspot_start, deadlines.HOTSPOT_START.s, "hotspot_start")
            if wait_s:
                ways.clock.sleep(wait_s)
            try:
                answers()
                if hotspot is not None:
                    laptop.hotspot(hotspot)
                return
            except LaptopTrouble as error:
                trouble = error
    raise LaptopTrouble(f"the laptop does not come back: {trouble}")


def climb_with(ways: Ways, patient: Patient, others: Sequence[Patient]) -> None:
    """Return once a phone answers; `others` are in no call where it is restarted. Raises what `climb` does."""
    _Climb(ways, patient, others).run()


class _Climb:
    """One phone on the ladder."""

    def __init__(self, ways: Ways, patient: Patient, others: Sequence[Patient]) -> None:
        self._ways, self._phone, self._others = ways, patient, others
        self._name = patient.spec.name
        self._trouble: LabError | None = None

    def run(self) -> None:
        if self._answers():
            return
        self._say(R1)
        if self._comes_back() or self._is_accepted() or self._comes_back_harder():
            return
        self._say(R8)
        for pause_s in PAUSES_S:
            self._ways.clock.sleep(pause_s)
            if self._answers() or any(self._answers() for _ in self._mends()) or self._is_accepted():
                return
        raise self._error(f"{self._name} does not come back: {self._trouble}")

    def _answers(self) -> bool:
        """R1."""
        try:
            self._phone.check_health()
        except PhoneTrouble as error:
            self._trouble = error
            return False
        return True

    def _comes_back(self) -> bool:
        """R2 to R5."""
        return any(self._answers() for _ in self._waits()) or any(self._answers() for _ in self._mends())

    def _waits(self) -> Iterator[None]:
        """R2."""
        self._say(R2)
        deadline = Deadline(R2.budget_s)
        for wait_s in WAITS_S:
            if deadline.passed():
                return
            self._ways.clock.sleep(wait_s)
            yield

    def _mends(self) -> Iterator[None]:
        """R3 to R5, those of them that fit what the adb server says of the phone."""
        state = self._state()
        if state is PhoneState.NO_SERVER:
            self._say(R4)
            self._ways.kind.start_adb_server(R4.budget_s)
            yield
            state = self._state()
        if state in (PhoneState.NOT_FOUND, PhoneState.OFFLINE):
            self._say(R3)
            self._reconnect(state)
            yield
        if self._state() is PhoneState.DEVICE and not isinstance(self._trouble, boot.BeforeFirstUnlock):
            self._say(R5)
            try:
                self._ways.require(self._name)
                self._phone.start_agent()
            except PhoneTrouble as error:
                self._trouble = error
            yield

    def _reconnect(self, state: PhoneState) -> None:
        device, client = self._phone.device, self._ways.kind.client
        serial = str(device.serial)
        try:
            if re.fullmatch(r".+:\d{1,5}", serial):
                if state is PhoneState.OFFLINE:
                    client.disconnect(serial)
                client.connect(serial, timeout=R3.budget_s)
            elif state is PhoneState.OFFLINE:
                device.reconnect()
        except (*TROUBLE, PhoneTrouble) as error:
            self._trouble = PhoneTrouble(f"{self._name}: {error}".replace(serial, self._name))

    def _is_accepted(self) -> bool:
        """Whether a person who is asked does what only a person can. Raises `NeedsPerson` where nobody does, and at
        once for what nobody does in a minute; False where no person is needed."""
        if isinstance(self._trouble, boot.BeforeFirstUnlock):
            # One without a PIN is so for the moment in which Android opens its storage.
            if self._comes_back():
                return True
            if isinstance(self._trouble, boot.BeforeFirstUnlock):
                raise self._needs_person(str(self._trouble))
        state = self._state()
        if state is PhoneState.NO_PERMISSIONS:
            rule = "give this user a udev rule for it (package android-sdk-platform-tools-common), and plug it in again"
            raise self._needs_person(f"{self._name}: this machine may not open its USB device (no permissions); {rule}")
        if state is not PhoneState.UNAUTHORIZED:
            return False
        wanted = f"accept this machine's key on {self._name}: the prompt is on its screen"
        self._ways.tell(R8, self._name, wanted)
        for _ in range(round(PROMPT_S / PROMPT_EVERY_S)):
            self._ways.clock.sleep(PROMPT_EVERY_S)
            if self._answers():
                return True
        text = f"{self._name} does not accept this machine's key: {self._trouble}; accept the prompt on {self._name}"
        raise self._needs_person(text)

    def _comes_back_harder(self) -> bool:
        """R6 and R7, where the bench has them."""
        return (self._is_power_cycled() and self._comes_back()) or (self._is_restarted() and self._comes_back())

    def _is_left(self, rung: Rung) -> bool:
        """Step on a rung of which a run has so many; False where it had them, or the phone may be somebody else's."""
        if self._ways.used[rung, self._name] >= MOST[rung]:
            return False
        try:
            self._ways.require(self._name)
        except PhoneTrouble as error:
            self._trouble = error
            return False
        self._say(rung)
        self._ways.used[rung, self._name] += 1
        return True

    def _is_power_cycled(self) -> bool:
        """R6. Whether it helped is seen by the phone alone."""
        argv = self._phone.spec.power_cycle
        if argv is None or not self._is_left(R6):
            return False
        self._trouble = _ran(argv, deadlines.POWER_CYCLE.s, f"{self._name}: power_cycle") or self._trouble
        return True

    def _is_restarted(self) -> bool:
        """R7. Raises `NeedsPerson` for a phone that has started and waits for its PIN when its time is over."""
        if self._phone.spec.reboot is None or self._state() is not PhoneState.DEVICE or not self._is_in_no_call():
            return False
        if not self._is_left(R7):
            return False
        try:
            before = boot.read(self._phone.device).id
            self._phone.device.reboot()
        except PhoneTrouble as error:
            self._trouble = error
            return False
        clock = self._ways.clock
        until_ns = clock.now_ns() + round(R7.budget_s * 1e9)
        while clock.now_ns() < until_ns:
            clock.sleep(BOOT_EVERY_S)
            if self._has_booted(before):
                return True
        if isinstance(self._trouble, boot.BeforeFirstUnlock):
            raise self._needs_person(str(self._trouble))
        return True

    def _is_in_no_call(self) -> bool:
        """Whether neither phone is in a call; where one does not tell, it may be."""
        for phone in (self._phone, *self._others):
            try:
                if audio_mode(phone.spec.name, phone.device) != "MODE_NORMAL":
                    self._trouble = PhoneTrouble(f"{phone.spec.name} is in a call, so {self._name} is not restarted")
                    return False
            except PhoneTrouble as error:
                self._trouble = PhoneTrouble(f"{error}; whether it is in a call nobody can tell: no restart")
                return False
        return True

    def _has_booted(self, before: str | None) -> bool:
        """Whether it is up again; until it goes down it is in the boot that it was in `before`."""
        state, device = self._state(), self._phone.device
        if state in (PhoneState.NOT_FOUND, PhoneState.OFFLINE):
            self._reconnect(state)
        device.close()
        try:
            found = boot.read(device)
            if before is not None and found.id == before:
                raise PhoneTrouble(f"{self._name} was asked to restart, and does not")
            found.require_usable(self._name)
        except PhoneTrouble as error:
            self._trouble = error
            return False
        return True

    def _state(self) -> PhoneState:
        return self._phone.device.state()

    def _say(self, rung: Rung) -> None:
        self._ways.tell(rung, self._name, str(self._trouble))

    def _needs_person(self, text: str) -> NeedsPerson:
        error = NeedsPerson(text)
        error.__cause__ = self._trouble
        return error

    def _error(self, text: str) -> PhoneTrouble:
        error = PhoneTrouble(text)
        error.__cause__ = self._trouble
        return error


def _ran(argv: Sequence[str], within_s: float, what: str) -> PhoneTrouble | None:
    """Run a program of the bench's file; why it failed, by its exit code. What it says is not read."""
    try:
        done = processes.run(argv, timeout_s=within_s)
    except (OSError, TimeoutError) as error:
        return PhoneTrouble(f"{what}: {error}")
    return None if done.code == 0 else PhoneTrouble(f"{what}: {argv[0]} ends with {done.code}")
