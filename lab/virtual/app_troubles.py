"""Faults of apps and accounts: what an app says, its crashes, its version, what lies over it, and what rings in it."""

from functools import partial
from typing import Protocol, get_args

from lab.definitions.app import Refused
from lab.definitions.faults import Fault
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.packages import AT_ONCE
from lab.virtual.phone import VirtualPhone
from lab.virtual.rehearsal import States, Strikes


class OfApps(Protocol):
    """What of a bench these faults are made at."""

    phones: dict[str, VirtualPhone]
    exchange: Exchange


class AppTroubles:
    """These faults of one bench, by name."""

    def __init__(self, bench: OfApps) -> None:
        self._bench = bench
        self.strikes: Strikes = {"app_crash": self._crash, "prompt": self._prompt, "anr": self._stop_responding}
        self.states: States = {
            **{reason: partial(self._refuse, reason) for reason in get_args(Refused)},
            "updated": self._update,
            "never_rings": self._unreach,
        }

    def _phone(self, fault: Fault) -> VirtualPhone:
        return self._bench.phones[fault.on]

    def _crash(self, fault: Fault) -> None:
        """The process ends, with its call; a call that comes starts it again."""
        phone = self._phone(fault)
        package = self._package(phone.handset, fault)
        if package not in phone.handset.running():
            return
        phone.write_log("E", "AndroidRuntime", "FATAL EXCEPTION: main")
        phone.write_log("E", "AndroidRuntime", f"Process: {package}, PID: {phone.handset.packages.pid(package)}")
        phone.handset.kill(package)

    def _prompt(self, fault: Fault) -> None:
        """Another package asks something about the app, over whatever is shown."""
        handset = self._phone(fault).handset
        for app in handset.apps.values():
            if app.package == self._package(handset, fault) and fault.dialog is not None:
                handset.prompts.show(fault.dialog, app)

    def _stop_responding(self, fault: Fault) -> None:
        """Android says so of an app that runs."""
        phone = self._phone(fault)
        handset, package = phone.handset, self._package(phone.handset, fault)
        for app in handset.apps.values():
            if app.package == package and package in handset.running():
                phone.write_log("E", "ActivityManager", f"ANR in {package}")
                handset.prompts.show("anr", app)

    def _package(self, handset: Handset, fault: Fault) -> str:
        """The app's that the fault names, else of the call, else of the app in front."""
        if fault.app is not None:
            return handset.apps[fault.app].package
        if handset.call is not None:
            return handset.call.call.app.package
        place = handset.foreground.place
        return place.app.package if place is not None else handset.package

    def _packages(self, fault: Fault) -> set[str]:
        """Those that a fault is about: of the app that it names, else all."""
        apps = self._phone(fault).apps
        return {app.package for app in ([apps[fault.app]] if fault.app is not None else apps.values())}

    def _refuse(self, reason: str, fault: Fault, on: bool) -> None:
        """An app says that it will not call; one that says nothing else any more leaves its call."""
        handset = self._phone(fault).handset
        refusing, packages = handset.packages.refusing, self._packages(fault)
        for package in packages:
            if on:
                refusing[package] = reason
            elif refusing.get(package) == reason:
                del refusing[package]
        in_call = handset.call is not None and handset.call.call.app.package in packages
        if on and in_call and reason in AT_ONCE:
            self._bench.exchange.hang_up(fault.on)

    def _update(self, fault: Fault, on: bool) -> None:
        updated = self._phone(fault).handset.packages.updated
        for package in self._packages(fault):
            if on and fault.version is not None:
                updated[package] = fault.version
            else:
                updated.pop(package, None)

    def _unreach(self, fault: Fault, on: bool) -> None:
        unreached = self._phone(fault).handset.packages.unreached
        (unreached.update if on else unreached.difference_update)(self._packages(fault))
