"""One line of the doctor, how a question becomes one, and how a cause is told once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.errors import LabError
from lab.run.causes import CLASSES

FREE_KIB = 500_000
"""How much should be free on a disk before a run: more than one trial may need."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor: `found` is what is there, `fix` what to do where it is not ok."""

    check: str
    subject: str
    ok: bool
    found: str
    fix: str


def asked(check: str, subject: str, ask: Callable[[], tuple[bool, str]], fix: str) -> Check:
    """A check whose question may itself fail."""
    try:
        ok, found = ask()
    except LabError as error:
        ok, found = False, str(error)
    return Check(check, subject, ok, found, "" if ok else fix)


def once(checks: Iterable[Check]) -> list[Check]:
    """The checks of one machine without those that fail for a cause that an earlier one names in the same words."""
    kept: list[Check] = []
    for check in checks:
        if check.ok or not any(check.found == one.found for one in kept if not one.ok):
            kept.append(check)
    return kept


def retries() -> list[Check]:
    """What a run does where an attempt fails, class by class: nothing that can be wrong."""
    return [Check("retries", of.name, True, f"{of.tried_again}; asked of a person: {of.asked}", "") for of in CLASSES]
