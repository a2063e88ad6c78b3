"""What a capture on the laptop makes of how its program ended.

The laptop here tells just that; those at the end are driven by bash, by ssh and by the agent, with a dumpcap that says
what it is to say.
"""

import os
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.capture.counters import Counters
from lab.capture.dumpcap import LaptopCapture
from lab.clocks.bench_time import WallClock
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import AttemptVoid, LaptopTrouble
from lab.laptop.agent_client import AgentLaptop
from lab.laptop.bash import BashLaptop
from lab.laptop.install import install
from lab.laptop.lease import Lease
from lab.laptop.protocol import Ended

LEASE = Lease(IPv4Address("10.42.0.7"), "02:00:5e:10:00:07")
DUMPCAP = (
    "Capturing on 'hot0'\nFile: x\nPackets captured: 12\nPackets received/dropped on interface 'hot0': {}/{} "
    "(pcap:0/dumpcap:0/flushed:0/ps_ifdrop:0) (100.0%)\n"
)
TCPDUMP = (
    "tcpdump: listening on hot0\n12 packets captured\n{} packets received by filter\n{} packets dropped by kernel\n"
)


class Scripted:
    """A laptop whose program ends so."""

    def __init__(self, said, *, ran_on=True, caught_up=False, code=0):
        self.ended, self.asked = Ended(ran_on, caught_up, code, said), []

    def start(self, name, argv):
        self.asked.append((name, argv))

    def stop(self, name):
        self.asked.append(name)
        return self.ended

    def remove(self, name):
        self.asked.append(f"remove {name}")
        raise LaptopTrouble(f"{name} cannot be removed")


def capture(laptop, tool):
    return LaptopCapture(laptop, tool, "hot0", LEASE, 256, "t.0.callee")


@pytest.mark.parametrize(
    ("tool", "name", "argv"),
    [
        (
            "dumpcap",
            "t.0.callee.pcapng",
            ["dumpcap", "-q", "-i", "hot0", "-f", LEASE.filter, "-s", "256", "-a", "duration:7200"],
        ),
        (
            "tcpdump",
            "t.0.callee.pcap",
            [
                *[
                    "tcpdump",
                    "-i",
                    "hot0",
                    "-U",
                    "--immediate-mode",
                    "-B",
                    "16384",
                    "-s",
                    "272",
                    "-G",
                    "7200",
                    "-W",
                    "1",
                ],
                LEASE.filter,
            ],
        ),
    ],
)
def test_a_program_is_started_by_its_argv_and_known_by_its_files_name(tool, name, argv):
    laptop = Scripted("")
    capture(laptop, tool).start()
    assert laptop.asked == [(name, argv)]


@pytest.mark.parametrize(
    ("tool", "laptop", "counters"),
    [
        ("dumpcap", Scripted(DUMPCAP.format(12, 0)), Counters(12, 12, 0)),
        ("dumpcap", Scripted(DUMPCAP.format(13, 0)), Counters(12, 13, 0)),
        ("tcpdump", Scripted(TCPDUMP.format(12, 0)), Counters(12, 12, 0)),
        ("tcpdump", Scripted(TCPDUMP.format(13, 0), caught_up=True), Counters(12, 13, 0)),
    ],
)
def test_a_capture_that_has_all_of_its_packets_gives_its_counters(tool, laptop, counters):
    assert capture(laptop, tool).stop() == counters


DIED = "ended by itself or left no counters (exit {}): "


@pytest.mark.parametrize(
    ("tool", "laptop", "reason", "text"),
    [
        ("dumpcap", Scripted("File: x\n"), "capture_died", f"dumpcap {DIED.format(0)}File: x"),
        ("dumpcap", Scripted("File: x\n", code=-9), "capture_died", f"dumpcap {DIED.format(-9)}File: x"),
        ("dumpcap", Scripted(DUMPCAP.format(12, 0), code=2), "capture_died", f"dumpcap {DIED.format(2)}Capturing on"),
        ("tcpdump", Scripted(TCPDUMP.format(12, 0), ran_on=False), "capture_died", f"tcpdump {DIED.format(0)}tcpdump:"),
        (
            "dumpcap",
            Scripted(DUMPCAP.format(12, 3)),
            "capture_lost_packets",
            "dumpcap: Capturing on 'hot0' File: x Packets",
        ),
        ("tcpdump", Scripted(TCPDUMP.format(13, 0)), "capture_lost_packets", "tcpdump: tcpdump: listening on hot0 12"),
        (
            "tcpdump",
            Scripted(TCPDUMP.format(13, 1), caught_up=True),
            "capture_lost_packets",
            "tcpdump: tcpdump: listening",
        ),
    ],
)
def test_a_capture_that_died_or_lost_packets_voids_the_attempt(tool, laptop, reason, text):
    with pytest.raises(AttemptVoid) as raised:
        capture(laptop, tool).stop()
    assert (raised.value.reason, str(raised.value)[: len(text)]) == (reason, text)


def test_a_laptop_that_cannot_remove_a_file_does_not_hinder_a_capture_from_being_discarded():
    laptop = Scripted("")
    capture(laptop, "dumpcap").discard()
    assert laptop.asked == ["remove t.0.callee.pcapng"]


# Says that it captures, then ends as it is told to by SIGINT; its words are those of dumpcap 4.0.
PROGRAM = """#!{python}
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
open(sys.argv[sys.argv.index("-w") + 1], "w").close()
print("Capturing on 'hot0'\\nFile: x", file=sys.stderr, flush=True)
signal.sigwait([signal.SIGINT])
print({said!r}, file=sys.stderr)
"""
SSH = '#!/bin/sh\nshift\nexec sh -c "$*"\n'
PS = "#!/bin/sh\ncat /proc/$2/comm\n"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder whose programs are found first; dumpcap there is to say so when it ends."""

    def made(said):
        texts = {"dumpcap": PROGRAM.format(python=sys.executable, said=said), "ssh": SSH, "ps": PS}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        return tmp_path

    return made


def by_bash(folder):
    return BashLaptop([], f"{folder}/captures", WallClock(Stop()))


def by_ssh(folder):
    return BashLaptop([str(folder / "ssh"), "laptop.example"], f"{folder}/captures", WallClock(Stop()))


def by_agent(folder):
    spec = Lab.load(Path(__file__).parents[3] / "scenarios").bench("pixels")
    values = {"connect": [], "agent": [sys.executable, str(folder / "agent.pyz")], "directory": f"{folder}/captures"}
    install(spec.model_copy(update={"laptop": spec.laptop.model_copy(update=values)}))
    return AgentLaptop(values["agent"], values["directory"], spec.name)


@pytest.mark.parametrize("driven", [by_bash, by_ssh, by_agent])
@pytest.mark.parametrize(("dropped", "voids"), [(0, False), (1, True), (3, True)])
def test_what_dumpcap_dropped_voids_the_attempt_however_the_laptop_is_driven(programs, driven, dropped, voids):
    laptop = driven(programs(DUMPCAP.partition("\nFile: x\n")[2].format(12, dropped)))
    made = capture(laptop, "dumpcap")
    try:
        made.start()
        if not voids:
            assert made.stop() == Counters(12, 12, 0)
            return
        with pytest.raises(AttemptVoid) as raised:
            made.stop()
        assert raised.value.reason == "capture_lost_packets"
        assert f"Packets received/dropped on interface 'hot0': 12/{dropped} " in str(raised.value)
    finally:
        made.discard()
        laptop.close()
