"""Programs on a phone: the lines that start and stop an app and press a key, and what their answers mean.

Exit codes alone prove nothing here: `am start` ends with 0 for all start results and says what failed (AOSP,
ActivityManagerShellCommand); `monkey` ends with the number of events that it had done before a crash, so that an app
that was started may come with any code, and with 251 to 255 where it had not begun. What nobody can read is undecided:
the phone is looked at for the effect.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Literal

from lab.definitions import Intent
from lab.definitions.addressed import fill
from lab.phone.adb import Adb
from lab.programs.shell import ShellOutput

FIRST_USER = ("--user", "0")
"""Beside a work profile or a Private Space a command that names no user may ask all of them, and be forbidden."""

_WORDS = 200
_INTENT = re.compile(r"Intent \{.{0,2000}? \}")
_NOT_RUN = (126, 127)
"""A shell's codes for a program that it cannot run, or does not find."""

_REFUSED = {
    "am": re.compile(
        r"(Error\b|Exception occurred|Security exception|java\.|Unknown option|Bad component|usage:)", re.I
    ),
    "monkey": re.compile(
        r"(\*\* Error|\*\* No activities found|\*\* SYS_KEYS has no physical keys|.{0,200}aborted)", re.I
    ),
    "input": re.compile(r"(Error\b|Exception occurred|java\.|Unknown command|usage:|Invalid arguments)", re.I),
}
"""How the line begins by which a program says that it did not do it."""

_DONE = {
    "am": re.compile(r"Starting: Intent \{"),
    "monkey": re.compile(r"Events injected: [1-9]|// Monkey finished"),
    "input": re.compile(r"\Z"),
}
"""How the line begins by which it says that it did."""


@dataclass(frozen=True)
class Answer:
    """What a program's answer means: it was done, was refused, or nobody can tell; `said` are the lines that tell."""

    meaning: Literal["done", "refused", "undecided"]
    said: str


def start_command(intent: Intent, contact: str) -> str:
    """`am start` for the phone's first user with an intent's parts, quoted for the phone's shell."""
    options = {"-a": "action", "-d": "data", "-t": "mime_type", "-n": "component", "-p": "package"}
    given = [(option, value) for option, part in options.items() if (value := getattr(intent, part)) is not None]
    words = [word for option, value in given for word in (option, fill(value, contact))]
    return shlex.join(["am", "start", *FIRST_USER, *words])


def stop_command(package: str) -> str:
    """`am force-stop` of an app of the phone's first user."""
    return shlex.join(["am", "force-stop", *FIRST_USER, package])


def launch_command(package: str, *, keys: bool = True) -> str:
    """`monkey` as from an app's icon; it knows no user but the one in front.

    Without `keys` it needs none on the phone: with its own share of them it refuses a phone that has no physical ones.
    """
    share = [] if keys else ["--pct-syskeys", "0"]
    return shlex.join(["monkey", "-p", package, "-c", "android.intent.category.LAUNCHER", *share, "1"])


def launch(adb: Adb, package: str) -> Answer:
    """Start an app as from its icon. Raises `PhoneTrouble`."""
    answer = meant("monkey", adb.run(launch_command(package)))
    if answer.meaning == "refused" and "SYS_KEYS" in answer.said:
        answer = meant("monkey", adb.run(launch_command(package, keys=False)))
    return answer


def started(adb: Adb, intent: Intent, contact: str) -> Answer:
    """Start what an intent names. Raises `PhoneTrouble`, which does not repeat the intent: it may name people."""
    return meant("am", adb.run(start_command(intent, contact), label=f"am start of {intent.package or intent.action}"))


def meant(program: str, output: ShellOutput) -> Answer:
    """What `am`, `monkey` or `input` means by an answer. An intent in it is not repeated: it may name people."""
    lines = [line for raw in output.text.splitlines() if (line := raw.strip())]
    if refusals := [line for line in lines if _REFUSED[program].match(line)]:
        return Answer("refused", _shown("; ".join(refusals[:2])))
    if output.code in _NOT_RUN:
        return Answer("refused", _shown(lines[0] if lines else f"exit code {output.code}"))
    if any(_DONE[program].match(line) for line in lines or [""]) and (output.code == 0 or program == "monkey"):
        return Answer("done", "")
    return Answer("undecided", _shown(f"exit code {output.code}" + "".join(f", {line}" for line in lines[-1:])))


def _shown(line: str) -> str:
    return _INTENT.sub("Intent { ... }", line)[:_WORDS]
