"""Every real deadline of the lab: how long a program, a socket or a machine may take until it is given up.

Not here: waits for what a phone or a capture shows, which take bench time (`lab.clocks.bench_time`); those of the agent
on the laptop (`lab.laptop.agent`), which is a program of its own there; those inside a bench process (`lab.virtual`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class _Scale:
    factor: float = 1.0
    least_s: float = 0.0


_SCALE = _Scale()


@dataclass(frozen=True)
class Wait:
    """A real deadline: how long, and why that is long enough and not too long."""

    seconds: float
    why: str

    @property
    def s(self) -> float:
        """Seconds, by the scale that a test has set."""
        return max(self.seconds * _SCALE.factor, min(self.seconds, _SCALE.least_s))


@contextmanager
def scaled(factor: float, least_s: float = 0.0) -> Iterator[None]:
    """Have all deadlines be so many times as long while the block runs, in every thread; at least `least_s`, where they
    are not shorter than that by themselves. For tests alone."""
    before = _SCALE.factor, _SCALE.least_s
    _SCALE.factor, _SCALE.least_s = factor, least_s
    try:
        yield
    finally:
        _SCALE.factor, _SCALE.least_s = before


ADB_HANDSHAKE = Wait(3.0, "an adb server on this machine takes a connection, and says OKAY, in milliseconds")
ADB_STREAM = Wait(30.0, "each read of a stream that asked for no other: a phone writes megabytes before it pauses")
ADB_CONNECT = Wait(60.0, "an adb server and an emulated phone that have just been started greet each other")
PHONE_AGENT = Wait(15.0, "each answer of the agent on a phone, which itself waits 5 s at most")
SHELL_LINE = Wait(10.0, "one line in a shell of a phone or laptop")
SHELL_CLOCK = Wait(5.0, "one reading of a clock that a shell prints: longer, and its bound is of no use")
PHONE_HASH = Wait(60.0, "size and SHA-256 of a capture on a phone, 100 MB at a slow phone's pace")
PHONE_COPY = Wait(120.0, "a capture of 100 MB comes over USB or Wi-Fi")
NETSTATS = Wait(30.0, "a poll or a dump of bytes by app, which has months of history on some phones")
RECORDS = Wait(30.0, "a phone's records in one line: four dumps, each given up by itself after 3 s, and their way")
EVENTS = Wait(30.0, "the events buffer of a phone is dumped from a begin mark on")
PROGRAM_TAKES = Wait(30.0, "a program reads what is written to it, at most some 100 KB at once, through ssh")
PROGRAM_END = Wait(5.0, "a program ends after its input is closed, and again after SIGTERM; then it is killed")
INHIBITOR = Wait(5.0, "what holds this machine awake starts the program that it was given")
LAPTOP_START = Wait(20.0, "ssh connects, and a shell on the laptop tells its number")
LAPTOP_COPY = Wait(120.0, "a capture of 100 MB is hashed there, and comes over ssh")
CAPTURE_READY = Wait(10.0, "dumpcap on the laptop says its first line")
CAPTURE_EXIT = Wait(10.0, "dumpcap on the laptop says its last line, and ends, after SIGINT")
AGENT_ANSWER = Wait(30.0, "the laptop's agent answers; starting and stopping a capture take it 20 s at most")
AGENT_PREPARE = Wait(180.0, "the laptop's agent starts a hotspot, which waits 60 s for Windows by itself")
AGENT_CLOCK = Wait(5.0, "the laptop's agent reads its clock: longer, and its bound is of no use")
AGENT_HASH = Wait(120.0, "the laptop's agent hashes a capture of 100 MB")
AGENT_CLOSE = Wait(20.0, "the laptop's agent stops what runs and puts back what it changed")
AGENT_INSTALL = Wait(60.0, "a laptop's Python takes the agent through ssh")
BENCH_START = Wait(60.0, "a bench process starts its phones, a rig its networks")
BENCH_CONTROL = Wait(120.0, "a bench process answers, after as much bench time as it was told to let pass")
NAME_ANSWER = Wait(3.0, "a resolver answers one question; it is asked three times")
NOTIFICATION = Wait(10.0, "a mail server, a webhook or a program takes a message of some KB; it is tried three times")
SCHEDULE = Wait(30.0, "systemd or cron checks, or takes, a file of a few lines")
POWER_CYCLE = Wait(60.0, "a program switches a USB port off, waits some seconds, and switches it on")
HOTSPOT_START = Wait(60.0, "a program starts the laptop's hotspot, through ssh; Windows takes half a minute")
HUB_ANSWER = Wait(10.0, "uhubctl tells the state of one port")
NAMES_AGAIN = Wait(120.0, "all names are asked again; the rest stays as it is")

TABLE = {name.lower(): wait for name, wait in list(vars().items()) if isinstance(wait, Wait)}
"""All of them by name."""
