"""Beginning a night each day: a systemd timer, cron, launchd or a task of Windows.

Each text is checked by the program that reads it, whose output of any kind counts as a failure: systemd tells a
misspelt key and goes on. Where a check fails nothing is installed. No text holds a secret: what is secret stands in the
bench's local file, which the night reads by itself.
"""

import os
import pwd
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from correlate.dataset.durable import write_text
from lab.clocks import deadlines
from lab.commands import show
from lab.definitions.budgets import LONGEST_H
from lab.errors import BadInput, ControllerTrouble, one_line
from lab.programs import processes

NAME = "im-call-lab-nightly"
BEGIN, END = f"# BEGIN {NAME}", f"# END {NAME}"
ENDS_S = 180
"""So long a night that is asked to end may take to hang up, compute and tell."""
TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,-]+", re.ASCII)


@dataclass(frozen=True)
class Nightly:
    """What is to be begun, when, where and by whom. `invoke` is the program, `folder` where it runs."""

    bench: str
    matrix: str
    at: str
    until: str
    nights: str
    invoke: Path
    folder: Path
    user: str

    @property
    def argv(self) -> list[str]:
        words = [str(self.invoke), "nightly", "--bench", self.bench, "--matrix", self.matrix, "--nights", self.nights]
        return [*words, *(["--until", self.until] if self.until else [])]

    @property
    def hour_and_minute(self) -> tuple[int, int]:
        hour, minute = self.at.split(":")
        return int(hour), int(minute)


def schedule(bench: str, matrix: str, at: str, until: str, nights: str) -> Nightly:
    """Of what was typed. Raises `BadInput` for a time that is none, and for words or folders that would need quotes."""
    for name, text in (("at", at), ("until", until)):
        if not TIME.fullmatch(text) and (text or name == "at"):
            raise BadInput(f"--{name} {text}: write a time of day, e.g. 21:30")
    # The one beside this Python: what a timer finds on its PATH may be another one.
    invoke = Path(sys.executable).with_name("invoke")
    of = Nightly(bench, matrix, at, until, nights, invoke, Path.cwd(), pwd.getpwuid(os.getuid()).pw_name)
    for word in (*of.argv, str(of.folder)):
        if not _PLAIN.fullmatch(word):
            raise BadInput(f"{word!r}: a timer's file cannot name it without quotes; use letters, digits and _./:@+=,-")
    return of


def units(of: Nightly, *, system: bool) -> dict[str, str]:
    """The two systemd units by name. Those of the system run as this user, and wake the machine."""
    service = f"""[Unit]
Description=im-call-lab: a night on bench {of.bench}

[Service]
Type=exec
{f"User={of.user}" if system else "# Runs as the user whose unit it is."}
WorkingDirectory={of.folder}
ExecStart={" ".join(of.argv)}
Environment=PYTHONUNBUFFERED=1
KillSignal=SIGINT
KillMode=mixed
TimeoutStopSec={ENDS_S}
RuntimeMaxSec={LONGEST_H}h
Restart=no
"""
    timer = f"""[Unit]
Description=im-call-lab: every night on bench {of.bench}

[Timer]
OnCalendar=*-*-* {of.at}:00
Persistent=true
AccuracySec=1min
{"WakeSystem=true" if system else "# Only a unit of the system may wake the machine."}
Unit={NAME}.service

[Install]
WantedBy=timers.target
"""
    # A percent sign begins a specifier in both.
    return {f"{NAME}.service": service.replace("%", "%%"), f"{NAME}.timer": timer.replace("%", "%%")}


def cron_block(of: Nightly) -> str:
    """What stands in a crontab between its two marks; `%` would end the command there."""
    hour, minute = of.hour_and_minute
    command = f"cd {of.folder} && {' '.join(of.argv)}".replace("%", "\\%")
    return f"{BEGIN}\n{minute} {hour} * * * {command} >/dev/null 2>&1\n{END}\n"


def with_block(crontab: str, block: str) -> str:
    """A crontab with the block in place of the one that is there, else at its end. Raises `BadInput` where a mark
    stands without the other."""
    if (crontab.count(BEGIN), crontab.count(END)) not in ((0, 0), (1, 1)):
        raise BadInput(f"the crontab has '{BEGIN}' or '{END}' without the other, or twice: mend it with crontab -e")
    before, _, rest = crontab.partition(f"{BEGIN}\n")
    after = rest.partition(f"{END}\n")[2]
    if before and not before.endswith("\n"):
        before += "\n"
    return f"{before}{block}{after}"


def launchd(of: Nightly) -> str:
    """A property list for ~/Library/LaunchAgents. Asleep at that time: once on waking; off: not at all."""
    hour, minute = of.hour_and_minute
    words = "\n".join(f"    <string>{escape(word)}</string>" for word in of.argv)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>{NAME}</string>
  <key>WorkingDirectory</key><string>{escape(str(of.folder))}</string>
  <key>ProgramArguments</key>
  <array>
{words}
  </array>
  <key>StartCalendarInterval</key>
  <dict><key>Hour</key><integer>{hour}</integer><key>Minute</key><integer>{minute}</integer></dict>
  <key>ExitTimeOut</key><integer>{ENDS_S}</integer>
</dict>
</plist>
"""


def windows(of: Nightly) -> str:
    """A task for `schtasks /Create /XML`, which begins the night in WSL: the harness itself does not run on Windows."""
    words = escape(" ".join(["--cd", str(of.folder), "--exec", *of.argv]))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>2026-01-01T{of.at}:00</StartBoundary>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <WakeToRun>true</WakeToRun>
    <ExecutionTimeLimit>PT{LONGEST_H}H</ExecutionTimeLimit>
  </Settings>
  <Actions><Exec><Command>wsl.exe</Command><Arguments>{words}</Arguments></Exec></Actions>
</Task>
"""


def texts(of: Nightly, kind: str, *, system: bool) -> dict[str, str]:
    """By file name what is installed. Raises `BadInput` for another kind, and for `--system` where there is none."""
    if system and kind != "systemd":
        raise BadInput(f"--system: {kind} has no such thing; leave it out")
    makers: Mapping[str, Callable[[], dict[str, str]]] = {
        "systemd": lambda: units(of, system=system),
        "cron": lambda: {"crontab": cron_block(of)},
        "launchd": lambda: {f"{NAME}.plist": launchd(of)},
        "windows": lambda: {f"{NAME}.xml": windows(of)},
    }
    if kind not in makers:
        raise BadInput(f"--kind {kind}: write one of {', '.join(makers)}")
    return makers[kind]()


def check(of: Nightly, kind: str, made: Mapping[str, str], *, system: bool) -> list[str]:
    """What the program says that reads these texts, and when the next two nights are. Raises `ControllerTrouble` where
    it finds anything, and `FileNotFoundError` where it is not here."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-") as folder:
        for name, text in made.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        paths = [str(Path(folder) / name) for name in made]
        if kind == "cron":
            _silent(["crontab", "-n", *paths])
            return []
        if kind == "systemd":
            # Without a session the manager of the user cannot be asked; the system's reads the same keys.
            ours = [] if system or "XDG_RUNTIME_DIR" not in os.environ else ["--user"]
            _silent(["systemd-analyze", *ours, "verify", *paths])
            done = _asked(["systemd-analyze", "calendar", "--iterations=2", f"*-*-* {of.at}:00"])
            return [line.strip() for line in done.splitlines() if re.search(r"Next elapse|Iter", line)]
    return []


def install(of: Nightly, kind: str, *, system: bool) -> Iterator[str]:
    """Check and install; a line for each thing that was done. Raises `ControllerTrouble`, with nothing installed, where
    a check fails or the program is not here."""
    if kind not in ("systemd", "cron"):
        raise BadInput(f"--kind {kind}: only with --print; this machine cannot check it")
    made = texts(of, kind, system=system)
    try:
        nexts = check(of, kind, made, system=system)
        yield from _into_crontab(made["crontab"]) if kind == "cron" else _units_into_place(of, made, system=system)
    except FileNotFoundError as error:
        raise ControllerTrouble(f"no {error.filename} here: nothing was installed; see --print and --kind") from None
    yield from (f"next: {line}" for line in nexts)


def _units_into_place(of: Nightly, made: Mapping[str, str], *, system: bool) -> Iterator[str]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folder = Path("/etc/systemd/system") if system else home / "systemd/user"
    ours = [] if system else ["--user"]
    _asked(["systemctl", *ours, "show", "--property=Version"])  # Before anything is written: does it answer at all?
    for name, text in made.items():
        write_text(folder / name, text)
        yield f"{folder / name} is written"
    _asked(["systemctl", *ours, "daemon-reload"])
    _asked(["systemctl", *ours, "enable", "--now", f"{NAME}.timer"])
    yield f"{NAME}.timer is enabled"
    if not system:
        yield _lingering(of.user)


def _lingering(user: str) -> str:
    """Whether the timer runs while its user is not logged in, as far as systemd-logind tells."""
    try:
        done = processes.run(["loginctl", "show-user", user, "--property=Linger"], timeout_s=deadlines.SCHEDULE.s)
        said = done.stdout.decode("utf-8", "replace").strip()
    except (FileNotFoundError, TimeoutError):
        said = ""
    if said == "Linger=yes":
        return "it runs while you are not logged in, too: Linger=yes"
    why = "Linger=no" if said == "Linger=no" else "whether you linger is unknown"
    return f"a timer of yours runs while you are logged in ({why}); without: loginctl enable-linger"


def _into_crontab(block: str) -> Iterator[str]:
    there = processes.run(["crontab", "-l"], timeout_s=deadlines.SCHEDULE.s)
    text = with_block(there.stdout.decode("utf-8", "surrogateescape") if there.code == 0 else "", block)
    with tempfile.NamedTemporaryFile("w", prefix="im-call-lab-", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        _silent(["crontab", "-n", file.name])
        _asked(["crontab", file.name])
    yield f"the crontab has the lines between '{BEGIN}' and '{END}'"


def _silent(argv: list[str]) -> None:
    """Run a check that says nothing where all is right."""
    if said := _asked(argv).strip():
        raise ControllerTrouble(f"{argv[0]}: {said}: nothing was installed")


def _asked(argv: list[str]) -> str:
    """Run a program to its end; all that it says."""
    try:
        done = processes.run(argv, timeout_s=deadlines.SCHEDULE.s)
    except TimeoutError as error:
        raise ControllerTrouble(f"{error}: nothing was installed") from None
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.code:
        raise ControllerTrouble(one_line(f"{' '.join(argv[:2])}: exit code {done.code}: {said}"))
    return said


def nightly_install(words: tuple[str, str, str, str, str], kind: str, *, only_print: bool, system: bool) -> None:
    """Print what would be installed, or install it and say what was done. `words` are those of `schedule`."""
    of = schedule(*words)
    show.texts(_printed(of, kind, system=system) if only_print else install(of, kind, system=system))


def _printed(of: Nightly, kind: str, *, system: bool) -> Iterator[str]:
    """The texts, and what the program says that reads them, where it is here."""
    made = texts(of, kind, system=system)
    for name, text in made.items():
        yield from (f"# {name}", text) if kind == "systemd" else (text,)
    try:
        yield from (f"# next: {line}" for line in check(of, kind, made, system=system))
    except FileNotFoundError as error:
        yield f"# not checked: there is no {error.filename} here"
