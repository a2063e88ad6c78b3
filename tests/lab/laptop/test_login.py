"""What ssh, its server and a login's shell say is none of our programs' words, on either stream, and no false cause.

The banners are those of real logins (tests/real_outputs/laptop.yaml); ssh is a script that says them and runs the rest.
"""

import os
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.capture.counters import Counters
from lab.capture.dumpcap import LaptopCapture
from lab.clocks.bench_time import WallClock
from lab.clocks.deadlines import scaled
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import LaptopTrouble
from lab.laptop.agent_client import AgentLaptop, token_file
from lab.laptop.bash import BashLaptop
from lab.laptop.install import install
from lab.laptop.lease import Lease
from lab.laptop.login import by_ssh

OUTPUTS = Path(__file__).parents[2] / "real_outputs"
BANNERS = [
    "ssh/post_quantum_debian.txt",
    "ssh/mux_refused.txt",
    "ssh/mux_stale_macos.txt",
    "ssh/setlocale_debian.txt",
    "ssh/motd_raspberry.txt",
]
LEASE = Lease(IPv4Address("10.42.0.7"), "02:00:5e:10:00:07")
DUMPCAP = """#!{python}
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
open(sys.argv[sys.argv.index("-w") + 1], "w").write("frames")
print("Capturing on 'hot0'\\nFile: x", file=sys.stderr, flush=True)
signal.sigwait([signal.SIGINT])
print("Packets captured: 12\\nPackets received/dropped on interface 'hot0': 12/0 (pcap:0)", file=sys.stderr)
"""


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """An ssh that says these on its streams, then runs the command by the laptop's sh."""

    def made(errors="", output=""):
        (tmp_path / "errors").write_text(errors)
        (tmp_path / "output").write_text(output)
        login = f'#!/bin/sh\nshift\ncat {tmp_path}/errors >&2\ncat {tmp_path}/output\nexec sh -c "$*"\n'
        texts = {"dumpcap": DUMPCAP.format(python=sys.executable), "ssh": login, "ps": "#!/bin/sh\ncat /proc/$2/comm\n"}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        return str(tmp_path / "ssh")

    return made


def captured(laptop, folder):
    """Everything that is asked of a laptop with bash, once."""
    made = LaptopCapture(laptop, "dumpcap", "hot0", LEASE, 256, "t")
    try:
        made.start()
        size_bytes, counters = made.size_bytes(), made.stop()
        made.fetch(folder / "copy")
        assert laptop.read_clock_ns() > 1_700_000_000_000_000_000
        return size_bytes, counters, (folder / "copy").read_bytes(), laptop.run("echo 7").text
    finally:
        made.discard()
        laptop.close()


WHOLE = (6, Counters(12, 12, 0), b"frames", "7\n")


@pytest.mark.parametrize(
    ("stream", "banner"),
    [*(("errors", banner) for banner in (*BANNERS, "4242\n")), ("output", BANNERS[-1]), ("output", "4242\nFile: x")],
)
def test_a_banner_is_neither_a_pid_nor_a_word_of_a_tool_nor_a_byte_of_a_file(ssh, tmp_path, banner, stream):
    text = (OUTPUTS / banner).read_text() if banner in BANNERS else banner
    prefix = [ssh(**{stream: text}), "laptop.example"]
    assert captured(BashLaptop(prefix, f"{tmp_path}/captures", WallClock(Stop())), tmp_path) == WHOLE


def test_a_login_that_says_the_end_of_an_answer_is_trouble_and_no_answer_to_something_else(ssh, tmp_path):
    laptop = BashLaptop([ssh(output="17\nlab-end:0\n"), "laptop.example"], str(tmp_path), WallClock(Stop()))
    with scaled(0.1), pytest.raises(LaptopTrouble, match="`id`: the login's shell answers something else than what"):
        laptop.run("id")
    laptop.close()


def test_ssh_is_known_behind_what_starts_it():
    assert by_ssh(["sshpass", "-e", "/usr/bin/ssh", "laptop.example"])
    assert by_ssh([r"C:\Windows\System32\OpenSSH\ssh.exe", "laptop.example"])
    assert not by_ssh(["ip", "netns", "exec", "ssh-laptop"])
    assert not by_ssh([])


def agent_at(argv, folder):
    spec = Lab.load(Path(__file__).parents[3] / "scenarios").bench("pixels")
    values = {"connect": argv, "agent": [sys.executable, str(folder / "agent.pyz")]}
    values["directory"] = str(folder / "captures")
    return spec.model_copy(update={"laptop": spec.laptop.model_copy(update=values)})


@pytest.mark.parametrize(
    ("stream", "banner"), [("errors", "ssh/post_quantum_debian.txt"), ("output", "4242\nnull\n[1]\n")]
)
def test_an_agent_is_installed_and_answers_behind_a_banner(ssh, tmp_path, banner, stream):
    text = (OUTPUTS / banner).read_text() if banner in BANNERS else banner
    spec = agent_at([ssh(**{stream: text}), "laptop.example"], tmp_path)
    assert install(spec)[-1].startswith("it answers: ")
    laptop = AgentLaptop([*spec.laptop.connect, *spec.laptop.agent], spec.laptop.directory, spec.name)
    assert laptop.read_clock_ns() > 1_700_000_000_000_000_000
    laptop.close()


PQ = "ssh/post_quantum_debian.txt"


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        ("exit 0", "it ends without an answer"),
        ("exit 7", "it ends without an answer"),
        ("sleep 100", r"\S+/ssh says nothing for 0\.\d+ s"),
        ("echo python3: not found >&2; exit 127", r"it has ended \(exit 127\), its last words: python3: not found"),
        (f"cat {OUTPUTS}/ssh/closed_at_once.txt >&2; exit 255", r"Connection closed by 192\.0\.2\.31 port 22"),
        (f"cat {OUTPUTS}/ssh/broken_pipe.txt >&2; exit 255", "client_loop: send disconnect: Broken pipe"),
    ],
)
def test_a_banner_is_never_given_as_the_cause_why_an_agent_does_not_answer(ssh, tmp_path, command, cause):
    argv = [ssh(errors=(OUTPUTS / PQ).read_text()), "laptop.example", command]
    token_file("b").parent.mkdir(parents=True)
    token_file("b").write_text("x" * 64)
    laptop = AgentLaptop(argv, str(tmp_path), "b")
    with scaled(0.02), pytest.raises(LaptopTrouble, match=rf"no answer to hello: {cause}; see invoke doctor") as raised:
        laptop.read_clock_ns()
    assert "pq.html" not in str(raised.value)
    laptop.close()


@pytest.mark.parametrize(
    ("code", "said", "cause"),
    [
        (255, "ssh/closed_at_once.txt", "Connection closed by 192.0.2.31 port 22"),
        (0, "ssh/setlocale_debian.txt", "it ends without an answer"),
    ],
)
def test_a_laptop_with_bash_tells_why_its_login_failed(ssh, tmp_path, code, said, cause):
    path = ssh()
    Path(path).write_text(f"#!/bin/sh\ncat {OUTPUTS}/{PQ} {OUTPUTS}/{said} >&2\nexit {code}\n")
    laptop = BashLaptop([path, "laptop.example"], str(tmp_path), WallClock(Stop()))
    with pytest.raises(LaptopTrouble) as raised:
        laptop.run("id")
    assert str(raised.value) == f"the laptop gives no whole answer to `id`: {cause}"
    with pytest.raises(LaptopTrouble) as raised:
        laptop.read_clock_ns()
    assert str(raised.value) == f"the laptop's clock cannot be read: {cause}"
    laptop.close()
