"""A bench: two phones, a laptop, their captures and a clock. The only room that knows a bench may be virtual.

What differs between the two kinds stands in two small classes, `RealBench` and `VirtualBench`; all that drives phones
gets the same `Phone`, `Laptop`, `Capture` and `BenchClock`, behind a socket or an argv.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv4Address
from typing import Self

from lab.bench.beating import ATTEMPT_S, PAUSE_S, BeatingClock, Holds
from lab.bench.connection import connected, reached, reaching
from lab.bench.kinds import open_kind, side_by_side
from lab.bench.ladder import Ways, climb, climb_with, climb_with_laptop
from lab.bench.opening import Opening
from lab.bench.rungs import Tell, Used
from lab.capture.kinds import KINDS
from lab.capture.protocol import Capture, Request
from lab.clocks.bench_time import BenchClock
from lab.clocks.capture_clocks import Burst
from lab.clocks.stop import Stop
from lab.definitions import App, BenchSpec, Lab, PhoneSpec, PlannedTrial
from lab.errors import BenchBusy, BenchUnhealthy, LabError, PhoneTrouble
from lab.laptop.agent_client import AgentLaptop
from lab.laptop.bash import BashLaptop
from lab.laptop.lease import Lease, find_lease
from lab.laptop.protocol import Hotspot, Laptop
from lab.phone import held
from lab.phone.adb import Adb
from lab.phone.phone import Phone
from lab.phone.serials import own_serial
from lab.programs.controller import this_controller


def _by_phone(phone: PhoneSpec) -> str:
    """What a phone is sorted by, whatever the bench file calls it."""
    return own_serial(phone.serial or phone.name) or phone.serial or phone.name


class Bench:
    """A bench that is open: phones reachable and their agents running.

    All phones that cannot be reached are named in one error, or with `partly` in `unreachable`. A bench that is open
    for trials is swept first: nothing of an earlier run is left on it. With `tell` what does not answer is brought back
    by the recovery ladder, and where only a person can help that is raised as `NeedsPerson`.

    Each phone is held, on the phone itself, before anything on it is changed: `run` says in which run, and `say` gets a
    line where a dead one's lease is taken over. Without a `run` nothing is held, and who holds a phone is in
    `unreachable`. Raises `BenchBusy` where somebody else holds one.
    """

    def __init__(
        self,
        lab_: Lab,
        spec: BenchSpec,
        stop: Stop,
        *,
        partly: bool = False,
        run: str | None = "no-name",
        say: Callable[[str], None] = lambda line: None,
        tell: Tell | None = None,
    ) -> None:
        self.lab, self.spec, self.stop, self._tell = lab_, spec, stop, tell
        self._run, self._say, self._controller = run, say, this_controller()
        self.holds = Holds(lambda: self.clock.now_ns())
        self._adbs: dict[str, Adb] = {}
        self._held: dict[str, held.Hold] = {}
        self._used = Used()
        self.phones: dict[str, Phone] = {}
        self.unreachable: dict[str, LabError] = {}
        self.begun_ns: int | None = None
        """When the last attempt began, in bench time; None before it has."""
        self._partly = partly
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.kind = open_kind(self.lab, self.spec, self.stop)
            stack.callback(self.kind.close)
            self.clock = self.kind.clock
            # The phones of the others are their own: nobody can take them, and what an attempt does there is the same
            # each time, to the byte.
            if not side_by_side(self.spec):
                self.clock = BeatingClock(self.kind.clock, self.holds, ATTEMPT_S)
            self._hold_those_there(stack)
            self.laptop = self._open_laptop()
            stack.callback(self.laptop.close)
            if self._tell is not None:
                self._open_by_ladder(self._tell, stack)
            else:
                self._open_at_once(stack)
            self._exit = stack.pop_all()
        return self

    def _open_at_once(self, stack: ExitStack) -> None:
        if not self._partly:
            self.laptop.prepare()
            self.unreachable.clear()  # some are reached through its hotspot
        for spec in self.spec.phones:
            if spec.name in self.unreachable:
                continue
            try:
                self.phones[spec.name] = self._swept(self._connected(stack, stack, spec))
            except BenchUnhealthy as error:
                self.unreachable[spec.name] = error
        if self.unreachable and not self._partly:
            raise PhoneTrouble("; ".join(dict.fromkeys(str(error) for error in self.unreachable.values())))

    def _open_by_ladder(self, tell: Tell, stack: ExitStack) -> None:
        """All phones are asked before one is climbed for: what only a person can mend is not told after an hour."""
        ways = self._ways(tell)
        climb_with_laptop(ways, self.laptop.prepare, self.laptop, self._needed_hotspot())
        self.unreachable.clear()
        opened = [
            Opening(self.kind, spec, stack, partial(self._connected, stack), self._swept) for spec in self.spec.phones
        ]
        missing = [one for one in opened if not one.is_open()]
        for one in missing:
            climb_with(ways, one, [other for other in opened if other is not one])
        self.phones |= {one.spec.name: one.phone for one in opened}

    def _hold_those_there(self, stack: ExitStack) -> None:
        """Hold the phones that answer, before the laptop is swept, whose captures may be theirs who hold them; in the
        same order by whatever bench file, so that of two who begin at once one gets both."""
        for spec in sorted(self.spec.phones, key=_by_phone):
            try:
                self._reach(stack, spec)
            except BenchUnhealthy as error:
                self.unreachable[spec.name] = error
            except BenchBusy as error:
                if self._run is not None:
                    raise
                self.unreachable[spec.name] = error

    def _connected(self, stack: ExitStack, within: ExitStack, spec: PhoneSpec) -> Phone:
        """A phone that is held until `stack` ends, and open until `within` does. Raises `BenchUnhealthy` and
        `BenchBusy`."""
        adb = self._adbs.get(spec.name) or self._reach(stack, spec)
        return within.enter_context(connected(adb, spec, self.clock, self._is_ours(spec.name)))

    def _ways(self, tell: Tell) -> Ways:
        start = self.spec.laptop.hotspot_start
        argv = [*self.kind.laptop_prefix, *start] if start else []
        return Ways(self.kind, self.pauses, tell, self._used, argv, self.holds.require)

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    @property
    def pauses(self) -> BenchClock:
        """Bench time between attempts."""
        return BeatingClock(self.clock, self.holds, PAUSE_S)

    def _reach(self, stack: ExitStack, spec: PhoneSpec) -> Adb:
        """A phone that answers, and is held where there is a run. Raises `BenchUnhealthy` and `BenchBusy`."""
        adb = reached(self.kind, spec)
        stack.callback(adb.close)
        with reaching(spec):
            if self._run is None:
                lease = held.look(adb)
                if lease.changed_s is not None and not lease.dead(self._controller):
                    raise BenchBusy(lease.told(spec.name))
            else:
                hold = self._held[spec.name] = held.Hold(adb, self._controller, self._run, self._say)
                stack.callback(hold.give_back)
                hold.take()
                self.holds.add(hold)
        self._adbs[spec.name] = adb
        return adb

    def _is_ours(self, name: str) -> Callable[[], bool]:
        """Whether a phone has not become somebody else's."""
        hold = self._held.get(name)
        return lambda: hold is None or hold.is_ours

    def _open_laptop(self) -> Laptop:
        spec, prefix = self.spec.laptop, self.kind.laptop_prefix
        if spec.agent is None:
            return BashLaptop(prefix, self.kind.laptop_directory(self.spec), self.clock)
        return AgentLaptop([*prefix, *spec.agent], spec.directory, self.spec.name)

    def _swept(self, phone: Phone) -> Phone:
        if not self._partly:
            for kind in KINDS.values():
                kind.sweep(phone)
        return phone

    def begin(self, item: PlannedTrial, seed: int, attempt: int) -> None:
        """Make ready for an attempt: what an earlier one left on the laptop is ended, and its hotspot is on."""
        self.begun_ns = None
        self.holds.beat()
        self.kind.begin(item, seed, attempt)
        self.holds.anew()
        self.begun_ns = self.clock.now_ns()
        self.laptop.prepare()

    def recover(self, tell: Tell) -> None:
        """Return once the bench, both phones' shells and agents, and the laptop answer, with its hotspot where a phone
        needs it; by the recovery ladder.

        Raises `BenchUnhealthy` where one of them does not after its last rung, `NeedsPerson` where only a person helps,
        and `BenchBusy` where a phone is somebody else's by then.
        """
        self.kind.check_health()
        climb(self._ways(tell), list(self.phones.values()), self.laptop, self._needed_hotspot())
        self.holds.beat()

    def _needed_hotspot(self) -> IPv4Address | None:
        """The address that the laptop's hotspot holds, where a phone is captured there."""
        needed = any(phone.vantage == "hotspot" for phone in self.spec.phones)
        return self.spec.laptop.hotspot_address if needed else None

    def restarted(self) -> list[str]:
        """The phones that were seen to have restarted since this was asked the last time."""
        return [name for name, phone in self.phones.items() if phone.restarts()]

    def hotspot(self) -> Hotspot:
        """The laptop's hotspot. Raises `LaptopTrouble` where no interface holds its address."""
        return self.laptop.hotspot(self.spec.laptop.hotspot_address)

    def lease(self, phone: Phone, hotspot: Hotspot) -> Lease:
        """The phone's lease on the hotspot; raises what `lab.laptop.lease.find_lease` does."""
        return find_lease(phone.spec.name, phone.interface_addresses(), hotspot, self.laptop)

    def stamp(self, lease: Lease | None, text: str) -> Burst | None:
        """Have the laptop send a burst to a phone of its hotspot, for its capture to stamp; what it sent.

        None for a phone that is not on the hotspot, and where the laptop sends none.
        """
        return None if lease is None else self.laptop.stamp(self.spec.laptop.hotspot_address, lease.address, text)

    def new_capture(self, phone: Phone, app: App, name: str) -> Capture:
        """A capture of what `phone` sends and receives, not yet started; PCAPdroid captures `app` alone."""
        kind, laptop = KINDS[self.spec.capture_kind(phone.spec)], self.spec.laptop
        asked = Request(phone, app.package, name, self.spec.snaplen_bytes, self.laptop, laptop.hotspot_address)
        return kind.new_capture(asked)
