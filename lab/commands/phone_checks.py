"""The doctor's checks of what changes on a phone by itself: charge, heat, room, airplane mode, versions."""

from collections.abc import Iterator
from contextlib import suppress

from lab.capture.tcpdump import PHONE_DIRECTORY
from lab.commands.checks import FREE_KIB, Check
from lab.errors import LabError
from lab.phone import fitness
from lab.phone.phone import Phone
from lab.run import tonight
from lab.run.plan import Run

BATTERY_PERCENT = 30
"""More than a trial asks for: a night is long."""


def state(phone: Phone) -> Iterator[Check]:
    """What runs out or is switched off on a phone, as a run asks it before each attempt. What a phone does not tell
    makes no bench unfit."""
    name = phone.spec.name
    try:
        found = fitness.ask(phone.device, PHONE_DIRECTORY)
    except LabError as error:
        yield Check("battery", name, False, str(error), "mend what is named")
        return
    for one in (found.battery(BATTERY_PERCENT), found.heat(), found.airplane_mode(), found.disk(FREE_KIB)):
        text = f"unknown: {one.text}" if one.verdict == "unknown" else one.text
        ok = one.verdict != "unfit"
        yield Check(one.what, name, ok, text, "" if ok else one.fix)


def moved(run: Run, phone: Phone) -> Iterator[Check]:
    """The apps whose version on a phone is not that of the dataset so far: a run would park them."""
    name, versions = phone.spec.name, tonight.versions_of(run)
    for app in run.matrix.apps:
        if (before := versions.known(app).get(name)) is None:
            continue
        with suppress(LabError):  # a phone or an app that is not there is told by checks of their own
            if (now := phone.identify(run.lab.apps[app])) != before:
                fix = f"begin another --dataset, or take the new one: invoke unpark {app}"
                yield Check("version", f"{name}/{app}", False, f"{now}, and {before} in the dataset's trials", fix)
