"""The laptop's agent, installed and driven as on hardware: real dumpcap and tcpdump in a network namespace, real sshd.

Root is needed for the namespace. The Windows programs are played (`windows_programs.py`); the calls into Windows are
replaced by their twin. What that leaves unproven: docs/hardware-status.md.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from correlate.dataset.clocks import ClockLine
from correlate.dataset.record import Markers
from correlate.trace import verify
from lab.bench.bench import Bench
from lab.capture.counters import Counters, last_counters
from lab.capture.dumpcap import SUFFIXES, LaptopCapture
from lab.capture.protocol import DRAIN_S
from lab.clocks.bench_time import WallClock
from lab.clocks.capture_clocks import Sent, capture_clock
from lab.clocks.offsets import measure_offset
from lab.clocks.stop import Stop
from lab.definitions import Lab, PlannedTrial
from lab.errors import AttemptVoid, BadInput, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.laptop.agent.calls import Calls
from lab.laptop.agent.posix import Posix
from lab.laptop.agent.session import Agent
from lab.laptop.agent.tools import ARGV, GIVEN, LIVE, argv, command
from lab.laptop.agent_client import AgentLaptop, packed, token_file
from lab.laptop.install import install
from lab.laptop.lease import Lease, find_lease
from lab.laptop.protocol import Hotspot
from lab.phone.phone import Phone
from lab.programs.shell import ShellOutput

SCENARIOS = Path(__file__).parents[3] / "scenarios"
NEEDED = ("ip", "dumpcap", "tcpdump")
SEND = (
    "import socket, sys, time\n"
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "for n in range(int(sys.argv[2])):\n"
    "    s.sendto(b'%s %d' % (sys.argv[1].encode(), n), (sys.argv[3], 9)); time.sleep(0.002)\n"
)
HOTSPOT = IPv4Address("10.42.0.1")
LEASE = Lease(IPv4Address("10.42.0.2"), "02:00:5e:10:00:02")
OTHER = Lease(IPv4Address("10.42.0.3"), "02:00:5e:10:00:03")


@cache
def lab():
    return Lab.load(SCENARIOS)


@pytest.fixture(scope="module")
def space():
    """The argv prefix of a namespace whose one cable carries the hotspot's address."""
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(NEEDED)}")
    name = f"lab-agent-{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode != 0:
        pytest.skip("network namespaces cannot be made here")
    try:
        for line in (
            "ip link set lo up",
            "ip link add hot0 type veth peer name far0",
            "ip addr add 10.42.0.1/24 dev hot0",
            "ip link set hot0 up",
            "ip link set far0 up",
            *(f"ip neigh add {lease.address} lladdr {lease.mac} dev hot0" for lease in (LEASE, OTHER)),
        ):
            subprocess.run([*inside, *line.split()], check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)


class Site:
    """A laptop in the namespace with the agent installed by `install`; `path` is its PATH."""

    def __init__(self, space, root, monkeypatch):
        self.root, self.home, self.space = root, root / "home", space
        monkeypatch.setenv("XDG_CONFIG_HOME", str(root / "config"))
        self.bin = root / "bin"
        self.bin.mkdir()
        # No laptop of a test falls asleep, and few of them have systemd.
        program(self.bin / "systemd-inhibit", f"#!/bin/sh\n: >{root}/awake\nexec cat\n")
        self.connect = [*space, "env", f"PATH={self.bin}:{os.environ['PATH']}"]
        self.opened = []

    def spec(self):
        spec = lab().bench("pixels")
        values = {"connect": self.connect, "agent": [sys.executable, str(self.home / "agent.pyz")]}
        values |= {"directory": str(self.root / "captures"), "hotspot_address": IPv4Address("10.42.0.1")}
        return spec.model_copy(update={"laptop": spec.laptop.model_copy(update=values)})

    def laptop(self, bench="pixels"):
        laptop = self.spec().laptop
        argv = [*laptop.connect, *laptop.agent]
        self.opened.append(AgentLaptop(argv, laptop.directory, bench))
        return self.opened[-1]

    def sending(self, text, count, to=LEASE):
        return subprocess.Popen([*self.space, sys.executable, "-c", SEND, text, str(count), str(to.address)])

    def send(self, text, count=1):
        assert self.sending(text, count).wait(20) == 0

    def files(self):
        return sorted(path.name for path in (self.root / "captures").glob("*"))


@pytest.fixture
def site(space, tmp_path, monkeypatch):
    made = Site(space, tmp_path, monkeypatch)
    install(made.spec())
    yield made
    for laptop in made.opened:
        laptop.close()


def capture(laptop, name="t.0.callee"):
    return LaptopCapture(laptop, laptop.tool(), laptop.hotspot(HOTSPOT).interface, LEASE, 256, name)


def stopping(found):
    """Damage that stops an analysis; frames that two processors stamped microseconds apart are the kernel's doing."""
    return [one for one in found.damage if one.voids]


def eventually(holds, within_s=10.0):
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_the_agent_is_installed_once_proven_by_its_hash_and_not_written_again(space, tmp_path, monkeypatch):
    site = Site(space, tmp_path, monkeypatch)
    digest = hashlib.sha256(packed()).hexdigest()
    first, second = install(site.spec()), install(site.spec())
    assert first[0] == f"{site.home}/agent.pyz: written, sha256 {digest}"
    assert second[0] == f"{site.home}/agent.pyz: is there already, sha256 {digest}"
    assert "token.sha256: is there already" in second[1]
    assert second[-1] == f"it answers: dumpcap, Python {sys.version.split()[0]} on linux"
    token = tmp_path / "config/im-call-lab/pixels.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in "".join(path.read_text() for path in site.home.glob("token*"))


def test_a_bench_without_an_agent_gets_none_and_one_without_python_says_what_it_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    spec = lab().bench("pixels")
    none = spec.model_copy(update={"laptop": spec.laptop.model_copy(update={"agent": None})})
    with pytest.raises(BadInput, match="bench pixels: laptop has no key 'agent'"):
        install(none)
    refused = tmp_path / "ssh"
    refused.write_text("#!/bin/sh\necho >&2\necho 'ssh: Could not resolve hostname laptop.invalid' >&2\nexit 255\n")
    refused.chmod(0o755)
    for program, said in (
        ("false", "it ends without an answer"),
        (str(refused), "ssh: Could not resolve hostname laptop.invalid"),
        ("/nowhere/python", "[Errno 2] No such file or directory: '/nowhere/python'"),
    ):
        values = {"connect": [], "agent": [program, "/nowhere/agent.pyz"]}
        broken = spec.model_copy(update={"laptop": spec.laptop.model_copy(update=values)})
        with pytest.raises(LaptopTrouble) as raised:
            install(broken)
        assert str(raised.value) == f"{program} - does not take the agent: {said}; try it by hand"


def test_a_capture_by_the_agents_dumpcap_holds_every_datagram_between_start_and_drain(site, tmp_path):
    laptop = site.laptop()
    made = capture(laptop)
    made.start()
    assert (made.interface, made.tool, made.suffix) == ("hot0", "dumpcap", "pcapng")
    site.send("lab-marker-1")
    assert eventually(lambda: made.holds("lab-marker-1 0"))
    assert not made.holds("lab-marker-2")
    site.send("media", 500)
    size = made.size_bytes()
    time.sleep(DRAIN_S)
    counters = made.stop()
    assert size < made.size_bytes()
    sha256 = made.fetch(tmp_path / "callee.pcapng")
    data = (tmp_path / "callee.pcapng").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    assert [n for n in range(500) if b"media %d" % n not in data] == []
    found = verify(tmp_path / "callee.pcapng", expect_packets=counters.captured)
    assert (found.packets, stopping(found)) == (counters.captured, [])
    assert (counters.captured >= 501, counters.dropped, site.files()) == (True, 0, [])


def test_tcpdump_captures_where_there_is_no_dumpcap(site, tmp_path):
    only_tcpdump(site)
    laptop = site.laptop()
    made = capture(laptop)
    made.start()
    assert (made.interface, made.tool, made.suffix) == ("hot0", "tcpdump", "pcap")
    site.send("media", 500)
    time.sleep(DRAIN_S)
    counters = made.stop()
    assert (counters.captured >= 500, counters.dropped) == (True, 0)
    made.fetch(tmp_path / "callee.pcap")
    data = (tmp_path / "callee.pcap").read_bytes()
    assert [n for n in range(500) if b"media %d" % n not in data] == []


def test_the_agents_clock_is_within_its_bound_and_the_bench_asks_it_by_the_same_names(site):
    laptop = site.laptop()
    offset = measure_offset(WallClock(Stop()), laptop.read_clock_ns)
    assert abs(offset.offset_ns) <= offset.bound_ns < 5_000_000
    assert laptop.version().text.startswith("Dumpcap")
    laptop.check_health()
    assert abs(laptop.room_kib() - shutil.disk_usage(site.root).free // 1024) < 1 << 20


class Wlan:
    """A phone that has an address of the hotspot, and tells nothing else."""

    def run(self, command):
        assert command == "ip addr"
        return ShellOutput(
            "2: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500\n    inet 10.42.0.2/24 scope global\n", 0
        )


SHIFTING = """
import os, signal, struct, subprocess, sys
from pathlib import Path
if "-w" not in sys.argv:
    os.execv(DUMPCAP, ["dumpcap", *sys.argv[1:]])
file = Path(sys.argv[sys.argv.index("-w") + 1])
real = subprocess.Popen([DUMPCAP, *sys.argv[1:]])
signal.signal(signal.SIGINT, lambda *_: real.send_signal(signal.SIGINT))
code = real.wait()
data, at = bytearray(file.read_bytes()), 0
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    if kind == 6:
        high, low = struct.unpack_from("<II", data, at + 12)
        stamp = (high << 32) + low
        stamp += AHEAD_NS + (stamp - ZERO_NS) * DRIFT_PPM // 1_000_000
        struct.pack_into("<II", data, at + 12, stamp >> 32, stamp & 0xFFFFFFFF)
    at += length
file.write_bytes(data)
sys.exit(code)
"""
"""The real dumpcap; when it has ended, its packets' stamps are those of a clock that is ahead and drifts."""


def stamped(site, made, path, seconds=1.5):
    """A capture with the laptop's own datagrams at both ends of it and a phone's markers between them."""
    laptop, clock = made._laptop, WallClock(Stop())
    lines, bursts, sent = [measure_offset(clock, laptop.read_clock_ns)], {}, {}
    made.start()
    for kind in ("begin", "end"):
        if kind == "begin":
            bursts[kind] = burst(laptop, kind)
        from_ns = clock.now_ns()
        marker = f"s.sendto(b'im-call-lab n0nce {kind}', ('10.42.0.2', 9))"
        subprocess.run([*site.space, sys.executable, "-c", f"{SOCKET}; {marker}"], check=True)
        sent[kind] = Sent(from_ns, clock.now_ns())
        if kind == "end":
            bursts[kind] = burst(laptop, kind)
        time.sleep(seconds if kind == "begin" else DRAIN_S)
    made.stop()
    made.fetch(path)
    lines.append(measure_offset(clock, laptop.read_clock_ns))
    return sent, bursts, ClockLine(*lines)


SOCKET = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
MARKERS = Markers(address=IPv4Address("10.42.0.2"), port=9, nonce="n0nce")


def burst(laptop, kind):
    text = f"im-call-lab n0nce stamp-{kind}"
    return laptop.stamp(IPv4Address("10.42.0.1"), IPv4Address("10.42.0.2"), text)


@pytest.mark.parametrize("drift_ppm", [200, pytest.param(-200, marks=pytest.mark.full)])
def test_a_capture_whose_clock_is_off_and_drifts_is_told_to_a_millisecond_by_what_the_laptop_sends(
    site, tmp_path, drift_ppm
):
    zero_ns, ahead_ns = time.time_ns(), 700_000_000
    values = f"DUMPCAP, ZERO_NS = {shutil.which('dumpcap')!r}, {zero_ns}\nAHEAD_NS, DRIFT_PPM = {ahead_ns}, {drift_ppm}"
    program(site.bin / "dumpcap", f"#!{sys.executable}\n{values}\n{SHIFTING}")
    notes = []
    sent, bursts, machine = stamped(site, capture(site.laptop()), tmp_path / "callee.pcapng")
    path = tmp_path / "callee.pcapng"
    line = capture_clock(path, MARKERS, "callee", sent, bursts, machine, lambda event, **fields: notes.append(event))
    assert notes == []
    assert [len(each.sent) for each in bursts.values()] == [20, 20]
    for part in range(11):
        at_ns = line.before.at_ns + line.span_ns * part // 10
        true_ns = ahead_ns + (at_ns - zero_ns) * drift_ppm // 1_000_000
        assert abs(line.offset_ns(at_ns) - true_ns) <= line.bound_ns
    # 0.5 ms by what a stamp may be late, the drift, and the system clock's own bound as it was measured.
    assert line.bound_ns < 10_000_000 + 2 * machine.bound_ns


@pytest.mark.full
def test_what_the_laptop_sends_is_fallen_back_from_and_told_where_its_capture_does_not_show_it(site, tmp_path):
    sent, bursts, machine = stamped(site, capture(site.laptop()), tmp_path / "callee.pcapng", seconds=0.1)
    lost = {kind: replace(one, address="10.42.0.9") for kind, one in bursts.items()}
    notes = []
    path = tmp_path / "callee.pcapng"
    line = capture_clock(
        path, MARKERS, "callee", sent, lost, machine, lambda event, **fields: notes.append((event, fields))
    )
    why = "0 different stamps in a burst, 15 are needed"
    counts = {"begin": [20, 0], "end": [20, 0]}
    assert notes == [("stamps_not_captured", {"why": why, "sent_and_captured": counts, "failed": []})]
    assert line.bound_ns > 50_000_000


def test_datagrams_that_cannot_be_sent_are_told_and_an_address_that_is_not_the_laptops_is_trouble(site):
    laptop = site.laptop()
    subprocess.run([*site.space, "ip", "route", "add", "prohibit", "10.43.0.0/24"], check=True)
    try:
        told = laptop.stamp(IPv4Address("10.42.0.1"), IPv4Address("10.43.0.2"), "text")
    finally:
        subprocess.run([*site.space, "ip", "route", "del", "prohibit", "10.43.0.0/24"], check=True)
    assert (told.sent, told.failed) == ({}, "[Errno 13] Permission denied")
    with pytest.raises(LaptopTrouble, match=r"stamp: .*Cannot assign requested address"):
        laptop.stamp(IPv4Address("192.168.137.1"), IPv4Address("10.42.0.2"), "text")
    with pytest.raises(LaptopTrouble, match="101 datagrams of 4 characters: at most 100 of 200"):
        laptop.ask("stamp", source="10.42.0.1", address="10.42.0.2", text="text", count=101)


def test_a_bench_has_its_agents_laptop_stamp_to_a_phone_of_its_hotspot_and_to_no_other(site):
    lease = Lease(IPv4Address("10.42.0.2"), "02:00:5e:10:00:02")
    with Bench(lab(), site.spec(), Stop(), partly=True) as bench:
        found = bench.stamp(lease, "text")
        assert (found.address, sorted(found.sent), found.failed) == ("10.42.0.2", list(range(20)), "")
        assert all(before <= after for before, after in found.sent.values())
        assert bench.stamp(None, "text") is None


def test_a_bench_that_is_only_looked_at_changes_nothing_on_the_laptop_and_one_for_trials_prepares_it(site):
    spec = site.spec()
    with Bench(lab(), spec, Stop(), partly=True) as bench:
        assert (bench.hotspot(), list(bench.unreachable)) == (Hotspot("hot0", HOTSPOT), ["pixel6", "pixel6pro"])
        bench.recover(lambda *rung: pytest.fail(str(rung)))
        phone = Phone(spec.phones[1], Wlan(), None, bench.clock)
        made = bench.new_capture(phone, bench.lab.apps["whatsapp"], "t.0.callee")
        assert (type(made), made.interface, made.tool, made.lease) == (LaptopCapture, "hot0", "dumpcap", LEASE)
    assert not (site.root / "awake").exists()
    with pytest.raises(PhoneTrouble, match="pixel6 has no serial"), Bench(lab(), spec, Stop()):
        pass
    assert eventually((site.root / "awake").exists)


def test_two_phones_behind_the_hotspot_have_a_capture_each_and_none_sweeps_the_other(site, tmp_path):
    laptop = site.laptop()
    both = [capture(laptop, "t.0.caller"), capture(laptop, "t.0.callee")]
    for made in both:
        made.start()
    site.send("media", 20)
    time.sleep(DRAIN_S)
    assert [made.stop().captured >= 20 for made in both] == [True, True]
    assert laptop.prepare().swept == 0
    for index, made in enumerate(both):
        made.fetch(tmp_path / str(index))
        assert b"media 19" in (tmp_path / str(index)).read_bytes()
    assert site.files() == []


def test_a_copy_that_differs_from_what_the_laptop_has_is_never_used(site, tmp_path):
    sha256, said = hashlib.sha256(packed()).hexdigest(), base64.b64encode(b"short").decode()
    answers = [{"sha256": sha256, "tool": "dumpcap"}, {"size_bytes": 9, "sha256": "0" * 64}, said, ""]
    program(
        tmp_path / "agent",
        f"#!{sys.executable}\nimport json, sys\nfor answer in {answers!r}:\n    sys.stdin.readline()\n"
        "    print(json.dumps({'ok': answer}), flush=True)\n",
    )
    laptop = AgentLaptop([str(tmp_path / "agent")], "captures", "pixels")
    with pytest.raises(LaptopTrouble, match=r"t\.0\.callee on the laptop: the copy differs \(5 bytes of 9\)"):
        laptop.fetch("t.0.callee", tmp_path / "copy")
    laptop.close()


def test_an_agent_of_another_version_is_refused_until_it_is_installed_again(site):
    with (site.home / "agent.pyz").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(NeedsPerson, match="agent is of another version; run invoke install-agent --bench pixels"):
        site.laptop().ask("clock")
    assert "written" in install(site.spec())[0]
    assert site.laptop().ask("clock") > 0


def test_the_phone_behind_the_hotspot_is_known_by_its_lease_and_its_mac(site):
    laptop = site.laptop()
    hotspot = laptop.hotspot(HOTSPOT)
    assert laptop.neighbours(hotspot) == {one.address: one.mac for one in (LEASE, OTHER)}
    own = [IPv4Address("100.64.3.4"), LEASE.address]
    assert find_lease("pixel6pro", own, hotspot, laptop) == LEASE
    assert laptop.neighbours(Hotspot("hot7", IPv4Address("10.42.7.1"))) == {}
    with pytest.raises(LaptopTrouble, match=r"no interface of the laptop holds 192\.168\.137\.1; start the hotspot"):
        laptop.hotspot(IPv4Address("192.168.137.1"))
    with pytest.raises(LaptopTrouble, match="neighbours: cannot be understood: AddressValueError"):
        laptop.ask("neighbours", ask_for="10.42.0.2; reboot")


@pytest.mark.full
def test_an_address_that_the_table_lacks_is_asked_for_once_and_its_answer_is_the_lease(site):
    far = {"address": "10.42.0.9", "mac": "02:00:5e:10:00:09"}
    name = f"{site.space[-1]}-far"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in (
            [*site.space, "ip", "link", "add", "hot1", "type", "veth", "peer", "name", "far1", "netns", name],
            [*site.space, "ip", "addr", "add", "10.43.0.1/24", "dev", "hot1"],
            [*site.space, "ip", "link", "set", "hot1", "up"],
            ["ip", "-n", name, "link", "set", "far1", "address", far["mac"], "up"],
            ["ip", "-n", name, "addr", "add", "10.43.0.9/24", "dev", "far1"],
        ):
            subprocess.run(words, check=True)
        laptop, address = site.laptop(), IPv4Address("10.43.0.9")
        hotspot = laptop.hotspot(IPv4Address("10.43.0.1"))
        assert laptop.neighbours(hotspot) == {}
        assert find_lease("pixel6pro", [address], hotspot, laptop) == Lease(address, far["mac"])
        with pytest.raises(AttemptVoid, match=r"pixel6pro has no lease of the hotspot \(its addresses: 10\.43\.0\.8\)"):
            find_lease("pixel6pro", [IPv4Address("10.43.0.8")], hotspot, laptop)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.parametrize("tool", ["dumpcap", pytest.param("tcpdump", marks=pytest.mark.full)])
def test_another_client_of_the_hotspot_is_in_neither_the_file_nor_the_counters(site, tmp_path, tool):
    if tool == "tcpdump":
        only_tcpdump(site)
    made = capture(site.laptop())
    made.start()
    with site.sending("stranger", 300, OTHER) as other:
        site.send("media", 300)
        assert other.wait(20) == 0
    time.sleep(DRAIN_S)
    counters, path = made.stop(), tmp_path / f"callee.{made.suffix}"
    made.fetch(path)
    data = path.read_bytes()
    assert ([n for n in range(300) if b"media %d" % n not in data], b"stranger" in data) == ([], False)
    found = verify(path, expect_packets=counters.captured)
    assert (made.tool, found.packets, stopping(found), counters) == (tool, 300, [], Counters(300, 300, 0))


ASKED = ["dumpcap", "-q", "-i", "hot0", "-f", LEASE.filter, "-s", "256", "-a", "duration:7200"]


def changed(index, word):
    return [*ASKED[:index], word, *ASKED[index + 1 :]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (changed(0, "tcpdump"), "'tcpdump' is no word of a capture by dumpcap"),
        (changed(0, "/bin/sh"), "'/bin/sh' is no word of a capture by dumpcap"),
        (changed(1, "-P"), "'-P' is no word of a capture by dumpcap"),
        (changed(3, "-"), "'-' is no word of a capture by dumpcap"),
        (changed(3, "/tmp/fifo"), "'/tmp/fifo' is no word of a capture by dumpcap"),
        (changed(3, "TCP@192.0.2.1"), "'TCP@192.0.2.1' is no word of a capture by dumpcap"),
        (changed(4, "-w"), "'-w' is no word of a capture by dumpcap"),
        (changed(5, "ether host 02:00:5e:10:00"), "'ether host 02:00:5e:10:00' is no word of a capture by dumpcap"),
        (
            changed(5, f"{LEASE.filter} or ip"),
            "'ether host 02:00:5e:10:00:02 or ip' is no word of a capture by dumpcap",
        ),
        (changed(5, LEASE.filter.upper()), "'ETHER HOST 02:00:5E:10:00:02' is no word of a capture by dumpcap"),
        (changed(5, ""), "'' is no word of a capture by dumpcap"),
        (changed(7, "0"), "'0' is no word of a capture by dumpcap"),
        (changed(9, "files:2"), "'files:2' is no word of a capture by dumpcap"),
        ([*ASKED, "-w", "/tmp/elsewhere"], "a capture by dumpcap has 10 words, not 12"),
        (ASKED[:-2], "a capture by dumpcap has 10 words, not 8"),
        ([], "a capture by dumpcap has 10 words, not 0"),
    ],
)
def test_a_program_is_started_by_the_argv_of_a_capture_alone(site, words, text):
    with pytest.raises(LaptopTrouble) as raised:
        site.laptop().ask("start", name="t.0.callee", argv=words)
    assert str(raised.value) == f"the laptop's agent, start: {text}"
    assert site.files() == []


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("dumpcap", ["-q", "-i", "@", "-f", LEASE.filter, "-s", "256", "-a", "duration:7200"]),
        (
            "tcpdump",
            ["-i", "@", "-U", "--immediate-mode", "-B", "16384", "-s", "256", "-G", "7200", "-W", "1", LEASE.filter],
        ),
    ],
)
@pytest.mark.parametrize("interface", ["hot0", "bridge100", r"\Device\NPF_{5E100001-0000-4000-8000-00005E100001}"])
def test_the_agent_puts_the_programs_path_and_its_own_file_into_the_argv(tool, words, interface):
    words = [word.replace("@", interface) for word in words]
    asked = argv(tool, interface=interface, filter=LEASE.filter, snaplen_bytes=256, seconds=7200)
    assert asked == [tool, *words]
    rights = ["-Z", "root"] if tool == "tcpdump" and os.geteuid() == 0 else []
    assert command(tool, f"/sbin/{tool}", "/captures/t", asked) == [
        f"/sbin/{tool}",
        *rights,
        "-w",
        "/captures/t",
        *words,
    ]


def test_each_program_that_captures_is_known_to_all_who_name_it():
    assert ARGV.keys() == LIVE.keys() == SUFFIXES.keys()
    assert {word for words in ARGV.values() for word in re.findall(r"{(\w+)}", words)} == GIVEN.keys()


def test_an_interface_that_is_not_there_voids_with_the_tools_words(site):
    made = LaptopCapture(site.laptop(), "dumpcap", "hot7", LEASE, 256, "t.0.callee")
    with pytest.raises(AttemptVoid, match=r"dumpcap is not live: .*hot7") as raised:
        made.start()
    assert raised.value.reason == "capture_not_ready"
    made.discard()
    assert site.files() == []


def test_a_dumpcap_that_was_killed_is_a_capture_that_died(site):
    made = capture(site.laptop())
    made.start()
    os.kill(noted(site)["pid"], signal.SIGKILL)
    with pytest.raises(AttemptVoid, match=r"dumpcap ended by itself or left no counters \(exit -9\)") as raised:
        made.stop()
    assert raised.value.reason == "capture_died"
    made.discard()
    assert site.files() == []


@pytest.mark.parametrize("tool", ["dumpcap", "tcpdump"])
def test_a_capture_that_ended_by_itself_in_good_order_is_one_that_died(site, tool):
    if tool == "tcpdump":
        only_tcpdump(site)
    made = capture(site.laptop())
    made.start()
    pid = noted(site)["pid"]
    os.kill(pid, signal.SIGINT)
    assert eventually(lambda: not alive(pid))
    with pytest.raises(AttemptVoid, match=rf"{tool} ended by itself or left no counters \(exit 0\)"):
        made.stop()
    made.discard()


@pytest.mark.full
def test_packets_that_arrive_while_tcpdump_stops_void_nothing(site, tmp_path):
    only_tcpdump(site)
    made = capture(site.laptop())
    made.start()
    with site.sending("late", 2000) as sender:
        time.sleep(1.0)
        assert made.stop().captured > 0
        sender.terminate()
    made.discard()


def only_tcpdump(site):
    for tool in ("tcpdump", "ip", "ps", "cat", "sh"):
        (site.bin / tool).symlink_to(shutil.which(tool))
    site.connect = [*site.space, "/usr/bin/env", f"PATH={site.bin}"]


def noted(site):
    (capture_,) = json.loads((site.home / "state.json").read_text())["captures"].values()
    return capture_


def alive(pid):
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def agent_pid(laptop):
    """The agent itself: `ip netns exec` and `env` replace themselves by it."""
    return laptop._program.pid


def test_a_client_that_goes_leaves_no_dumpcap_and_no_file(site):
    laptop = site.laptop()
    capture(laptop).start()
    pid = noted(site)["pid"]
    assert (alive(pid), site.files()) == (True, ["t.0.callee.pcapng", "t.0.callee.pcapng.err"])
    laptop._program.close_input()
    assert laptop._program.wait(10) == 0
    assert (alive(pid), site.files()) == (False, [])


def test_what_a_killed_agent_left_is_swept_by_the_next_and_nobody_elses(site):
    laptop = site.laptop()
    capture(laptop).start()
    pid = noted(site)["pid"]
    other = subprocess.Popen(
        [*site.space, "dumpcap", "-q", "-i", "hot0", "-w", str(site.root / "captures/other.pcapng")],
        stderr=subprocess.DEVNULL,
    )
    os.kill(agent_pid(laptop), signal.SIGKILL)
    laptop._program.wait(10)
    assert alive(pid)
    assert site.laptop().prepare().swept == 1
    assert eventually(lambda: not alive(pid))
    assert (other.poll(), site.files()) == (None, ["other.pcapng"])
    other.terminate()
    other.wait(10)


def test_a_capture_without_an_agent_ends_by_itself_and_cleanly(site):
    laptop = site.laptop()
    laptop.start("t.0.callee", [*ASKED[:-1], "duration:2"])
    pid = noted(site)["pid"]
    os.kill(agent_pid(laptop), signal.SIGKILL)
    laptop._program.wait(10)
    site.send("late", 3)
    assert eventually(lambda: not alive(pid))
    said = Path(noted(site)["errors"]).read_text()
    assert last_counters(said).captured >= 3
    assert stopping(verify(Path(noted(site)["file"]))) == []


def test_another_benchs_token_a_second_client_and_nonsense_are_refused(site):
    with pytest.raises(NeedsPerson, match="bench other has no agent token; run invoke install-agent --bench other"):
        site.laptop("other").ask("clock")
    token_file("other").write_text("0" * 64)
    with pytest.raises(LaptopTrouble, match="this is another bench's agent: its token is not ours"):
        site.laptop("other").ask("clock")
    first = site.laptop()
    first.ask("clock")
    with pytest.raises(LaptopTrouble, match="another client holds this laptop; end it first"):
        site.laptop().ask("clock")
    with pytest.raises(LaptopTrouble, match=r"'../../etc/passwd' is no name of a capture"):
        first.ask("read", name="../../etc/passwd", offset=0)
    with pytest.raises(LaptopTrouble, match="no op 'shell'"):
        first.ask("shell")
    with pytest.raises(LaptopTrouble, match="cannot be understood: TypeError"):
        first.ask("size")
    first._program.send(
        b"[1]\n{}\nnot json\n" + b"[" * 60_000 + b'\n{"op":"read","name":"t","offset":1%s}\n' % (b"0" * 99)
    )
    answers = [json.loads(first._program.read_line(5)) for _ in range(4)]
    (site.root / "captures").mkdir(exist_ok=True)
    assert all(answer["error"].startswith("cannot be understood") for answer in answers)
    argv = [*site.connect, sys.executable, str(site.home / "agent.pyz")]
    done = subprocess.run(argv, input=b'{"op": "clock"}\n', capture_output=True, check=True)
    assert json.loads(done.stdout) == {"error": "say hello first"}


def test_the_agent_serves_the_directory_that_was_fixed_when_it_was_installed_and_no_greeting_names_another(site):
    assert (site.home / "directory").read_text() == str(site.root / "captures")
    argv = [*site.connect, sys.executable, str(site.home / "agent.pyz")]
    greeting = {"op": "hello", "token": token_file("pixels").read_text().strip()}
    for more, key in (({"directory": str(site.root / "elsewhere")}, "error"), ({}, "ok")):
        line = json.dumps(greeting | more).encode() + b"\n"
        answer = json.loads(subprocess.run(argv, input=line, capture_output=True, check=True).stdout)
        assert list(answer) == [key]
    assert answer["ok"]["directory"] == str(site.root / "captures")
    moved = AgentLaptop(argv, str(site.root / "elsewhere"), "pixels")
    with pytest.raises(NeedsPerson, match=r"agent serves \S+/captures, the bench file says \S+/elsewhere; run invoke"):
        moved.ask("clock")
    (site.home / "directory").unlink()
    with pytest.raises(
        LaptopTrouble, match="hello: it was installed without a directory to serve; run invoke install-"
    ):
        site.laptop().ask("clock")


def test_an_agent_that_is_not_there_is_told_by_its_last_words_and_one_that_died_is_started_again(site):
    laptop = site.laptop()
    laptop.ask("clock")
    os.kill(agent_pid(laptop), signal.SIGKILL)
    with pytest.raises(LaptopTrouble, match="the laptop's agent gives no answer to clock"):
        laptop.ask("clock")
    assert laptop.ask("clock") > 0
    laptop.close()
    (site.home / "agent.pyz").unlink()
    with pytest.raises(LaptopTrouble, match=r"gives no answer to hello: .*can't open file .*agent.pyz"):
        site.laptop().ask("clock")


def test_a_laptop_that_may_fall_asleep_is_trouble(site):
    program(site.bin / "systemd-inhibit", "#!/bin/sh\nexit 1\n")
    laptop = site.laptop()
    assert eventually(lambda: not laptop.ask("prepare").awake)
    with pytest.raises(LaptopTrouble, match="sleep cannot be inhibited"):
        laptop.prepare()


def test_a_mac_tells_its_interfaces_and_neighbours_by_ifconfig_and_arp(tmp_path, monkeypatch):
    addresses = "\\tinet6 fe80::1%bridge100 prefixlen 64 scopeid 0x15\\n\\tinet 192.168.2.1 netmask 0xffffff00\\n"
    head = "bridge100: flags=8a63<UP,BROADCAST> mtu 1500\\n\\tether 02:00:5e:10:00:64\\n"
    program(tmp_path / "ifconfig", f"#!/bin/sh\nprintf 'lo0: flags=8049<UP> mtu 16384\\n{head}{addresses}'\n")
    row = "? (192.168.2.5) at 2:0:5e:10:0:2 on bridge100 ifscope [bridge]"
    program(tmp_path / "arp", f"#!/bin/sh\necho '{row}'\necho '? (192.168.2.9) at (incomplete) on en0'\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Posix().interfaces() == {"lo0": [], "bridge100": ["fe80::1", "192.168.2.1"]}
    agent = Agent(Posix(), Calls(), tmp_path / "agent.pyz")
    assert agent.neighbours() == [{"address": "192.168.2.5", "mac": "02:00:5e:10:00:02", "on": "bridge100"}]


@pytest.fixture
def windows(site):
    """The same laptop with the agent's Windows half: its programs are played, its calls are the twin's."""
    for name in ("reg", "powershell", "sc", "netsh", "arp"):
        program(site.bin / name, f"#!{sys.executable}\n" + Path(__file__).with_name("windows_programs.py").read_text())
    driver = site.home / "windows.py"
    driver.write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(site.home / 'agent.pyz')!r})\n"
        "from lab.laptop.agent.calls import Calls\nfrom lab.laptop.agent.session import Agent\n"
        "from lab.laptop.agent.windows import Windows\n"
        f"agent = Agent(Windows(), Calls(), Path({str(site.home / 'agent.pyz')!r}))\n"
        "agent.serve(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    state = site.root / "windows.json"

    class Played:
        def laptop(self):
            environment = [f"STANDIN={state}", "SSH_CONNECTION=192.0.2.7 50000 192.0.2.8 22"]
            argv = [*site.connect, *environment, sys.executable, str(driver)]
            site.opened.append(AgentLaptop(argv, str(site.root / "captures"), "pixels"))
            return site.opened[-1]

        def set(self, **values):
            state.write_text(json.dumps({"hotspot": "Off", "service_idle": None, "rules": [], "log": []} | values))

        def __getitem__(self, name):
            return json.loads(state.read_text())[name]

    return Played()


@pytest.mark.parametrize("before", [None, "0x1"])
def test_the_hotspot_is_started_without_its_idle_time_out_which_is_put_back(windows, before):
    windows.set(idle=before)
    laptop = windows.laptop()
    told = laptop.prepare()
    assert (told.hotspot, told.idle_timeout) == ("started On", before or "absent")
    assert (windows["idle"], windows["service_idle"], windows["hotspot"]) == ("0x0", "0x0", "On")
    laptop.close()
    assert (windows["idle"], windows["hotspot"]) == (before, "On")


def test_a_hotspot_that_is_on_and_stays_on_is_left_alone(windows):
    windows.set(idle="0x0", hotspot="On")
    laptop = windows.laptop()
    assert (laptop.prepare().hotspot, laptop.prepare().idle_timeout) == ("On", None)
    laptop.close()
    assert (windows["idle"], windows["log"]) == ("0x0", ["reg", "powershell", "reg", "powershell"])


def test_after_a_reboot_the_hotspot_is_started_again_and_the_first_time_out_is_still_the_one_put_back(windows):
    windows.set(idle="0x1")
    laptop = windows.laptop()
    laptop.prepare()
    os.kill(agent_pid(laptop), signal.SIGKILL)
    laptop._program.wait(10)
    windows.set(idle="0x0", hotspot="Off", service_idle="0x0")
    with pytest.raises(LaptopTrouble):
        laptop.ask("clock")
    assert laptop.prepare().hotspot == "started On"
    laptop.close()
    assert windows["idle"] == "0x1"


def test_a_hotspot_that_goes_off_is_on_again_before_the_next_attempt(windows, site, monkeypatch):
    windows.set(idle="0x0", hotspot="Off")
    monkeypatch.setattr(Bench, "_open_laptop", lambda bench: windows.laptop())
    with Bench(lab(), site.spec(), Stop(), partly=True) as bench:
        assert windows["hotspot"] == "Off"
        bench.begin(PlannedTrial(None, 0, direct=False), 1, 0)
        assert windows["hotspot"] == "On"


def test_a_laptop_without_internet_has_no_hotspot_and_says_so_and_its_time_out_is_put_back(windows):
    windows.set(idle="0x1", no_internet=True)
    laptop = windows.laptop()
    with pytest.raises(LaptopTrouble, match=r"powershell .* fails \(1\): .*there is no internet connection to share"):
        laptop.prepare()
    laptop.close()
    assert windows["idle"] == "0x1"


def test_what_the_time_out_was_is_noted_before_it_is_changed(windows, site):
    windows.set(idle="0x1", no_administrator=True)
    laptop = windows.laptop()
    with pytest.raises(LaptopTrouble, match=r"prepare: reg add .* fails \(1\): ERROR: Access is denied\."):
        laptop.prepare()
    assert json.loads((site.home / "state.json").read_text()) == {"idle_timeout": "0x1"}
    windows.set(idle="0x1")
    assert laptop.prepare().hotspot == "started On"


def test_one_firewall_rule_lets_the_controller_alone_in_and_setting_up_again_changes_nothing(windows):
    windows.set(idle=None)
    laptop = windows.laptop()
    for _ in range(2):
        assert laptop.ask("setup") == [
            "sshd starts with Windows",
            "firewall rule 'im-call-lab agent': port 22 from 192.0.2.7",
        ]
    scope = ["dir=in", "action=allow", "protocol=TCP", "localport=22", "remoteip=192.0.2.7"]
    assert windows["rules"] == [["name=im-call-lab agent", *scope]]


def test_leases_are_read_from_windows_arp(windows):
    windows.set(idle=None)
    laptop = windows.laptop()
    for address, leases in (("192.168.137.1", {"192.168.137.23": "02:00:5e:10:00:01"}), ("192.0.2.17", {})):
        hotspot = Hotspot(r"\Device\NPF_{5E100001-0000-0000-0000-000000000000}", IPv4Address(address))
        assert laptop.neighbours(hotspot) == {IPv4Address(lease): mac for lease, mac in leases.items()}


NPF = r"\Device\NPF_{5E100001-0000-4000-8000-00005E100001}"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"build": 22631, "rsc": ["rsc-ipv4", "rsc-ipv6"], "udp": None}, ["rsc-ipv4", "rsc-ipv6"]),
        ({"build": 26100, "rsc": ["rsc-ipv4"], "udp": "Receive Offload State : enabled"}, ["rsc-ipv4", "uro"]),
        ({"build": 26100, "rsc": [], "udp": "URO State           : disabled"}, []),
        ({"build": 26100, "rsc": [], "udp": "URO-Status          : aktiviert"}, None),
        ({"build": 26100, "rsc": None, "udp": "URO State : enabled"}, None),
    ],
)
def test_what_joins_packets_on_windows_is_told_by_its_own_programs_or_is_unknown(windows, values, found):
    windows.set(idle=None, **values)
    laptop = windows.laptop()
    assert laptop.coalescing(NPF) == found
    assert laptop.coalescing("Ethernet 2'; throw 'x") is None


def test_leftovers_on_windows_are_known_by_their_command_line(windows, site):
    windows.set(idle="0x0", hotspot="On")
    laptop = windows.laptop()
    capture(laptop).start()
    pid = noted(site)["pid"]
    os.kill(agent_pid(laptop), signal.SIGKILL)
    laptop._program.wait(10)
    assert windows.laptop().prepare().swept == 1
    assert eventually(lambda: not alive(pid))


def test_the_agent_works_through_a_real_sshd(site, tmp_path):
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(sshd).exists() or shutil.which("ssh") is None:
        pytest.skip("needs openssh-server and openssh-client")
    Path("/run/sshd").mkdir(exist_ok=True)
    for key in ("host", "login"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True)
    options = ["-o", f"AuthorizedKeysFile={tmp_path}/login.pub", "-o", "StrictModes=no", "-o", "UsePAM=no"]
    options += ["-o", f"SetEnv=PATH={site.bin}:{os.environ['PATH']}", "-o", "PidFile=none"]
    server = subprocess.Popen(
        [*site.space, sshd, "-D", "-e", "-f", "/dev/null", "-p", "2222", "-h", tmp_path / "host", *options],
        stderr=subprocess.DEVNULL,
    )
    try:
        trust = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "LogLevel=ERROR"]
        client = ["ssh", "-F", "/dev/null", "-p", "2222", "-i", str(tmp_path / "login"), "-o", "BatchMode=yes"]
        site.connect = [*site.space, *client, *trust, "root@127.0.0.1"]
        probe = [*site.connect, "true"]
        assert eventually(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0)
        assert "is there already" in install(site.spec())[0]
        laptop = site.laptop()
        made = capture(laptop)
        made.start()
        site.send("media", 100)
        time.sleep(DRAIN_S)
        made.stop()
        made.fetch(tmp_path / "callee.pcapng")
        data = (tmp_path / "callee.pcapng").read_bytes()
        assert [n for n in range(100) if b"media %d" % n not in data] == []
        capture(laptop, "t.1.callee").start()
        pid = noted(site)["pid"]
        os.kill(agent_pid(laptop), signal.SIGKILL)  # here: the ssh client, as when the controller loses its power
        assert eventually(lambda: not alive(pid))
        assert eventually(lambda: site.files() == [])
    finally:
        server.terminate()
        server.wait(10)
