"""A bench: two phones, a laptop, their captures and a clock. The only room that knows a bench may be virtual.

What differs between the two kinds stands in two small classes, `RealBench` and `VirtualBench`; all that drives phones
gets the same `Phone`, `Laptop`, `Capture` and `BenchClock`, behind a socket or an argv.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Self

from lab.bench.kinds import open_kind
from lab.capture import pcapdroid
from lab.capture.agent_dumpcap import AgentDumpcap
from lab.capture.dumpcap import HostDumpcap
from lab.capture.protocol import Capture
from lab.capture.tcpdump import PHONE_DIRECTORY, PhoneTcpdump, sweep
from lab.clocks.capture_clocks import Burst
from lab.clocks.stop import Stop
from lab.definitions import App, BenchSpec, Lab, PhoneSpec, PlannedTrial
from lab.errors import BenchUnhealthy, LabError, PhoneTrouble
from lab.laptop.agent_client import AgentLaptop
from lab.laptop.bash import Laptop
from lab.laptop.lease import Hotspot, Lease, find_lease
from lab.phone.adb import TROUBLE, Adb
from lab.phone.phone import Phone
from lab.phone.stay_awake import put_back, stays_awake


class Bench:
    """A bench that is open: phones reachable and their agents running.

    All phones that cannot be reached are named in one error, or with `partly` in `unreachable`. A bench that is open
    for trials is swept first: nothing of an earlier run is left on it.
    """

    def __init__(self, lab_: Lab, spec: BenchSpec, stop: Stop, *, partly: bool = False) -> None:
        self.lab, self.spec, self.stop = lab_, spec, stop
        self.phones: dict[str, Phone] = {}
        self.unreachable: dict[str, LabError] = {}
        self._partly = partly
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.kind = open_kind(self.lab, self.spec, self.stop)
            stack.callback(self.kind.close)
            self.clock = self.kind.clock
            self.laptop = self._open_laptop()
            stack.callback(self.laptop.close)
            if not self._partly:
                self.laptop.prepare()
            for spec in self.spec.phones:
                try:
                    self.phones[spec.name] = self._connect(spec, stack)
                except BenchUnhealthy as error:
                    self.unreachable[spec.name] = error
            if self.unreachable and not self._partly:
                raise PhoneTrouble("; ".join(str(error) for error in self.unreachable.values()))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def _open_laptop(self) -> Laptop | AgentLaptop:
        spec, prefix = self.spec.laptop, self.kind.laptop_prefix
        if spec.agent is None:
            # A bench has a folder of its own: what captures into it is never another bench's.
            return Laptop(prefix, f"{spec.directory}/{self.spec.name}")
        return AgentLaptop([*prefix, *spec.agent], spec.directory, self.spec.name)

    def _connect(self, spec: PhoneSpec, stack: ExitStack) -> Phone:
        import uiautomator2  # costs half a second, and nothing but a bench needs it

        trouble = (*TROUBLE, uiautomator2.exceptions.BaseException)
        try:
            adb = Adb(self.kind.client, self.kind.serial(spec))
            stack.callback(adb.close)
            agent = uiautomator2.connect(adb)
        except trouble as error:
            raise PhoneTrouble(f"{spec.name} cannot be reached: {error}; is it connected and allowed?") from error
        # A phone or bench that has gone can no longer be tidied, and says so where it is asked for something.
        stack.callback(_quietly, partial(agent.stop_uiautomator, wait=False), trouble)
        stack.callback(_quietly, partial(put_back, adb, stays_awake(adb)), (LabError,))
        phone = Phone(spec, adb, agent, self.clock)
        if spec.rooted and not self._partly:
            sweep(adb, PHONE_DIRECTORY)
        if spec.capture == "pcapdroid" and not self._partly:
            pcapdroid.sweep(phone)
        return phone

    def begin(self, item: PlannedTrial, seed: int, attempt: int) -> None:
        """Make ready for an attempt: what an earlier one left on the laptop is ended, and its hotspot is on."""
        self.kind.begin(item, seed, attempt)
        self.laptop.prepare()

    def check_health(self) -> None:
        """Raise `BenchUnhealthy` unless the bench, both phones' shells and the laptop's answer."""
        self.clock.now_ns()
        for phone in self.phones.values():
            phone.device.run("true")
        self.laptop.run("true")

    def hotspot(self) -> Hotspot:
        """The laptop's hotspot. Raises `LaptopTrouble` where no interface holds its address."""
        return self.laptop.hotspot(self.spec.laptop.hotspot_address)

    def lease(self, phone: Phone, hotspot: Hotspot) -> Lease:
        """The phone's lease on the hotspot; raises what `lab.laptop.lease.find_lease` does."""
        return find_lease(phone.spec.name, phone.interface_addresses(), hotspot, self.laptop)

    def stamp(self, lease: Lease | None, text: str) -> Burst | None:
        """Have the laptop send a burst to a phone of its hotspot, for its capture to stamp; what it sent.

        None where no agent's laptop captures: phones and laptops behind bash stamp by their system's clock.
        """
        if lease is None or not isinstance(self.laptop, AgentLaptop):
            return None
        return self.laptop.stamp(self.spec.laptop.hotspot_address, lease.address, text)

    def new_capture(self, phone: Phone, app: App, name: str) -> Capture:
        """A capture of what `phone` sends and receives, not yet started: on itself, or on the hotspot by its MAC.

        PCAPdroid captures `app` alone; the others all apps.
        """
        snaplen = self.spec.snaplen_bytes
        if phone.spec.capture == "pcapdroid":
            return pcapdroid.new_capture(phone, app.package, snaplen, name)
        if phone.spec.capture == "tcpdump":
            interface = phone.default_network().interface
            return PhoneTcpdump(phone.device, self.clock, interface, snaplen, PHONE_DIRECTORY, name)
        hotspot = self.hotspot()
        lease = self.lease(phone, hotspot)
        if isinstance(self.laptop, AgentLaptop):
            return AgentDumpcap(self.laptop, hotspot.interface, lease, snaplen, name)
        return HostDumpcap(self.laptop, self.clock, hotspot.interface, lease, snaplen, self.laptop.directory, name)


def _quietly(tidy: Callable[[], object], trouble: tuple[type[BaseException], ...]) -> None:
    with suppress(*trouble):
        tidy()
