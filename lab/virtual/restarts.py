"""Phones that restart: by themselves, or because a host asks their ADB daemon to, and what is gone afterwards."""

from collections.abc import Mapping
from typing import Protocol

from lab.virtual.phone import VirtualPhone
from lab.virtual.world import World

GOES_DOWN_NS, COMES_UP_NS = 1_000_000_000, 40_000_000_000
"""How long a phone takes from being asked until it goes down, and from there until it answers again."""


class Door(Protocol):
    """Where hosts reach a phone."""

    def shut(self) -> None: ...

    def reopen(self) -> None: ...

    async def settled(self) -> None: ...


class Restarts:
    """The restarts of one bench's phones. They go by the night clock: no attempt that begins ends one."""

    def __init__(self, world: World, phones: Mapping[str, VirtualPhone], doors: Mapping[str, Door]) -> None:
        self._world, self._phones, self._doors = world, phones, doors
        self._up_ns: dict[str, int] = {}
        self._pins: set[str] = set()
        self._watches = False
        for name, phone in phones.items():
            phone.on_reboot = lambda name=name: self._asked(name)

    def _asked(self, name: str) -> None:
        self._world.after(GOES_DOWN_NS, lambda: self.go_down(name, up_ns=COMES_UP_NS))

    def go_down(self, name: str, *, up_ns: int | None = None, pin: bool = False) -> None:
        """It restarts now: all processes and calls end. It is up in `up_ns` (None: where `come_up` says so), and with a
        PIN it waits for somebody to enter that."""
        phone = self._phones[name]
        self._doors[name].shut()
        phone.processes.begin()
        if phone.agent is not None:
            phone.agent.kill()
        if phone.pcapdroid is not None:
            phone.pcapdroid.kill()
        self._end_apps(phone)
        faults = phone.faults
        faults.waiting = [one for one in faults.waiting if (one["what"], one["on"]) != ("agent", name)]
        phone.log.clear()
        phone.boots, phone.booted_ns = phone.boots + 1, self._world.night_ns
        phone.props |= {"sys.boot_completed": "", "sys.user.0.ce_available": ""}
        self._up_ns.pop(name, None)
        if pin:
            self._pins.add(name)
        if up_ns is not None:
            self._up_ns[name] = self._world.night_ns + up_ns
        if not self._watches:
            self._watches = True
            self._world.flushers.append(self._come_up_in_time)
            self._world.settlers += [door.settled for door in self._doors.values()]

    def _end_apps(self, phone: VirtualPhone) -> None:
        handset = phone.handset
        if handset.call is not None:
            handset.exchange.hang_up(phone.name)
        handset.packages.begin()
        handset.packages.sealed = True
        handset.foreground.begin()
        handset.display.on, handset.display.locked, handset.display.shade = False, True, False

    def come_up(self, name: str) -> None:
        """It has started; with a PIN no app runs until it is `unlock`ed."""
        self._up_ns.pop(name, None)
        self._doors[name].reopen()
        self._phones[name].props["sys.boot_completed"] = "1"
        if name not in self._pins:
            self.unlock(name)

    def unlock(self, name: str) -> None:
        """Somebody enters its PIN, or it has none."""
        self._pins.discard(name)
        self._phones[name].props["sys.user.0.ce_available"] = "true"
        self._phones[name].handset.packages.sealed = False

    def _come_up_in_time(self, _now_ns: int) -> None:
        for name, up_ns in tuple(self._up_ns.items()):
            if self._world.night_ns >= up_ns:
                self.come_up(name)
