"""A phone of a bench, connected: its shell, its agent, and what waking it changes put back afterwards."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lab.bench.kinds import Kind
from lab.clocks.bench_time import BenchClock
from lab.definitions import PhoneSpec
from lab.errors import LabError, PhoneTrouble
from lab.phone.adb import TROUBLE, Adb, LabClient
from lab.phone.phone import Phone
from lab.phone.serials import listed_as

STAY_AWAKE = "stay_on_while_plugged_in"
"""Android's setting that waking a phone for a trial changes."""


@contextmanager
def reaching(spec: PhoneSpec) -> Iterator[None]:
    """What fails in the block is that a phone cannot be reached. Raises `PhoneTrouble`."""
    try:
        yield
    except (*TROUBLE, PhoneTrouble) as error:
        raise PhoneTrouble(f"{spec.name} cannot be reached: {error}; is it connected and allowed?") from error


def reached(kind: Kind, spec: PhoneSpec) -> Adb:
    """A phone behind the bench's adb server. Raises `BenchUnhealthy`."""
    with reaching(spec):
        return Adb(kind.client, name_there(kind.client, kind.serial(spec)), spec.name)


@contextmanager
def connected(adb: Adb, spec: PhoneSpec, clock: BenchClock, is_ours: Callable[[], bool]) -> Iterator[Phone]:
    """A phone whose shell and agent answer, as long as the block runs; what was changed is put back unless it has
    become somebody else's. Raises `BenchUnhealthy`."""
    from lab.phone import agent as agents  # costs half a second, and nothing but a bench needs it

    with reaching(spec):
        agent = agents.connect(adb)
    # A phone or bench that has gone can no longer be tidied, and says so where it is asked for something.
    try:
        setting = stays_awake(adb)
        try:
            yield Phone(spec, adb, agent, clock)
        finally:
            if is_ours():
                with suppress(LabError):
                    put_back(adb, setting)
    finally:
        with suppress(*agents.TROUBLE):
            agent.stop_uiautomator(wait=False)


def name_there(client: LabClient, serial: str) -> str:
    """By which name the adb server reaches a phone now: of those that are ready (`lab.phone.serials`). Raises what
    adbutils does."""
    return listed_as(serial, (phone.serial for phone in client.list() if phone.state == "device"))


def stays_awake(adb: Adb) -> str:
    return adb.run(f"settings get global {STAY_AWAKE}").text.strip()


def put_back(adb: Adb, setting: str) -> None:
    if stays_awake(adb) != setting and re.fullmatch(r"\d{1,3}|null", setting):
        verb = f"delete global {STAY_AWAKE}" if setting == "null" else f"put global {STAY_AWAKE} {setting}"
        adb.run(f"settings {verb}")
