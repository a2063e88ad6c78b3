"""What the lab itself has to see to: whom each phone may call, and that its SIM works."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from lab.clocks.real_time import wall_ns
from lab.commands.checks import Check
from lab.definitions import PhoneSpec
from lab.definitions.budgets import Sim
from lab.run.plan import Run


def contacts(run: Run, phone: PhoneSpec) -> Check:
    """Whether a phone has a contact for each app, who may be called."""
    found = {app: phone.address_in(app) for app in run.matrix.apps}
    missing = [app for app, address in found.items() if address is None]
    refused = [app for app, address in found.items() if address and address not in run.spec.allowed_callees]
    if missing:
        fix = "add the contacts to the bench file or its *.local.yaml"
        return Check("contacts", phone.name, False, f"no contact for {', '.join(missing)}", fix)
    if refused:
        text = f"the contact for {', '.join(refused)} is not in allowed_callees"
        return Check("contacts", phone.name, False, text, "allow it in the bench file or its *.local.yaml")
    return Check("contacts", phone.name, True, "one that may be called for every app", "")


def today() -> date:
    """The date by this machine's time zone."""
    return datetime.fromtimestamp(wall_ns() / 1e9).astimezone().date()


def sims(known: Iterable[Sim], on: date) -> Iterator[Check]:
    """Whether each SIM of which that is known works through the night that begins on that date."""
    for sim in known:
        if sim.sim_expires is not None:
            ok = sim.sim_expires >= on + timedelta(days=1)
            fix = "top it up, or put another one in, and write its sim_expires into the bench file"
            yield Check("sim", sim.name, ok, f"works until {sim.sim_expires}", "" if ok else fix)
