"""The doctor's questions about what the recovery ladder has beside adb: what switches a phone's USB port."""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial

from lab.clocks import deadlines
from lab.commands.checks import Check, asked
from lab.definitions import PhoneSpec
from lab.errors import one_line
from lab.programs import processes

FIX = "install it, name its whole path, or take power_cycle out of the *.local.yaml"
_SWITCHES = ("-a", "--action", "-d", "--delay", "-r", "--repeat", "-w", "--wait")
"""Words of uhubctl's that are about switching; without them it tells what the port is like."""


def power_cycles(phones: Iterable[PhoneSpec]) -> Iterator[Check]:
    """Whether the program is there, and where it is uhubctl, whether the hub of its words answers; nothing is
    switched."""
    for phone in phones:
        if phone.power_cycle is not None:
            yield asked("power cycle", phone.name, partial(_answers, phone.power_cycle), FIX)


def _answers(argv: list[str]) -> tuple[bool, str]:
    missing = [word for word in argv[:1] if shutil.which(word) is None]
    if missing:
        return False, f"no program {missing[0]}"
    if (asks := looking(argv)) is None:
        return True, f"{argv[0]} is there; what it does is seen by the phone when it is needed"
    try:
        done = processes.run(asks, timeout_s=deadlines.HUB_ANSWER.s)
    except (OSError, TimeoutError) as error:
        return False, str(error)
    data = done.stdout if done.code == 0 else done.stderr or done.stdout
    said = one_line(processes.last_line_of(data.decode("utf-8", "replace")), 100)
    return done.code == 0, said or f"{argv[0]} ends with {done.code} and says nothing"


def looking(argv: list[str]) -> list[str] | None:
    """The same words of uhubctl without those that switch; None where it is another program."""
    if not any(word.rpartition("/")[2] == "uhubctl" for word in argv):
        return None
    kept, words = [], iter(argv)
    for word in words:
        if word in _SWITCHES:
            next(words, None)
        elif not word.startswith(_SWITCHES):
            kept.append(word)
    return kept
