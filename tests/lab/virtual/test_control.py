"""The bench process: its control channel, its adb server, and how it ends."""

import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from correlate.trace import Trace
from lab.capture.counters import Counters
from lab.capture.verified import verified
from lab.errors import AttemptVoid
from tests.lab.virtual.bench_process import BEGIN, SCENARIOS, START_NS, Process


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    process = Process(tmp_path_factory.mktemp("bench"))
    process.say(BEGIN)
    yield process
    process.end()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_first_line_tells_all_ports(bench):
    assert sorted(bench.started) == ["adb_port", "clock", "laptop", "phones", "resolver_port"]
    assert [phone["name"] for phone in bench.started["phones"]] == ["pixel6", "pixel6pro"]
    assert all(is_open(port) for port in (bench.started["adb_port"], *(p["port"] for p in bench.started["phones"])))
    assert bench.started["laptop"][:3] == [sys.executable, "-I", "-S"]


def test_begin_sets_the_clock_and_advance_moves_it(bench):
    assert bench.say(BEGIN) == {"now_ns": START_NS}
    assert bench.say({"op": "advance", "ns": 1_500}) == {"now_ns": START_NS + 1_500}
    assert bench.say({"op": "advance", "ns": 0}) == {"now_ns": START_NS + 1_500}


def test_bench_time_stands_in_the_file_that_the_first_line_names_before_anybody_has_an_answer(bench):
    def shown() -> int:
        return int.from_bytes(Path(bench.started["clock"]).read_bytes(), sys.byteorder)

    assert bench.say(BEGIN) == {"now_ns": shown()} == {"now_ns": START_NS}
    for nanoseconds in (1_500, 0, 3_000_000_000):
        assert bench.say({"op": "advance", "ns": nanoseconds}) == {"now_ns": shown()}
    before_ns, port = shown(), bench.started["phones"][0]["port"]
    bench.adb("connect", f"127.0.0.1:{port}")
    assert bench.adb("-s", f"127.0.0.1:{port}", "shell", "dumpsys", "audio").returncode == 0
    assert before_ns < shown() == bench.say({"op": "advance", "ns": 0})["now_ns"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"{", "no JSON"),
        (b"[]", "a request is an object with op"),
        ({"op": "fly"}, "unknown op 'fly'; there is plan, advance, begin, fail_next, end"),
        ({"op": "advance"}, "advance needs ns"),
        ({"op": "advance", "ns": "1"}, "ns must be int, is '1'"),
        ({"op": "advance", "ns": -1}, "ns must not be negative"),
        ({"op": "advance", "ns": 1, "app": "whatsapp"}, "advance does not take app"),
        ({**BEGIN, "scenario": "caller_cancels"}, "begin does not take scenario"),
        ({"op": "fail_next", "what": "rain", "on": "pixel6"}, "no fault 'rain'; there is tcpdump"),
        ({"op": "fail_next", "what": "tcpdump", "on": "nobody"}, "no machine 'nobody'"),
    ],
)
def test_a_request_that_is_not_understood_is_an_error_and_the_bench_goes_on(bench, request_, error):
    assert bench.say(request_)["error"].startswith(error)
    assert "now_ns" in bench.say({"op": "advance", "ns": 0})


def test_anybody_can_poke_with_the_stock_adb_and_gets_the_right_exit_codes(bench, tmp_path):
    port = bench.started["phones"][0]["port"]
    serial = f"127.0.0.1:{port}"
    assert b"connected" in bench.adb("connect", serial).stdout
    assert f"{serial}\tdevice".encode() in bench.adb("devices").stdout
    done = bench.adb("-s", serial, "shell", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)
    data = os.urandom(300_000)
    (tmp_path / "a").write_bytes(data)
    assert bench.adb("-s", serial, "push", str(tmp_path / "a"), "/data/local/tmp/a").returncode == 0
    assert bench.adb("-s", serial, "pull", "/data/local/tmp/a", str(tmp_path / "b")).returncode == 0
    assert (tmp_path / "b").read_bytes() == data
    assert bench.adb("-s", serial, "push", str(tmp_path / "a"), "/system/a").returncode == 1


def test_end_tells_what_was_refused_once_and_writes_the_truth(bench, tmp_path):
    serial = f"127.0.0.1:{bench.started['phones'][1]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    bench.adb("-s", serial, "shell", "frobnicate now")
    truth = tmp_path / "truth" / "t.json"
    assert bench.say({"op": "end", "truth": str(truth)})["refused"] == ["pixel6pro: frobnicate now"]
    assert bench.say({"op": "end", "truth": None})["refused"] == []
    written = json.loads(truth.read_text())
    assert (written["trial"], written["attempt"], written["observed_scenario"]) == ("t", 0, None)
    assert truth.read_text() == json.dumps(written, sort_keys=True, indent=1) + "\n"
    assert [path.name for path in truth.parent.iterdir()] == ["t.json"]


def test_the_same_commands_take_the_same_bench_time_in_every_attempt_of_one_key(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    ends = []
    for key in ("1/t/0", "1/t/0", "2/t/0"):
        bench.say({**BEGIN, "key": key})
        clock = bench.adb("-s", serial, "shell", "id; echo $EPOCHREALTIME").stdout
        ends.append((clock, bench.say({"op": "advance", "ns": 0})["now_ns"]))
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]
    assert ends[0][1] > START_NS


class Running:
    """A program that keeps a shell of a phone, started by `adb shell` and seen in `ps`."""

    def __init__(self, bench, serial, script: str) -> None:
        from lab.virtual.adb.server import adb_binary

        self._bench, self._serial = bench, serial
        argv = [adb_binary(), "-P", str(bench.started["adb_port"]), "-s", serial, "shell", script]
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while (found := self.number()) is None:
            assert time.monotonic() < deadline
        self.pid = found

    def number(self) -> str | None:
        listed = self._bench.adb("-s", self._serial, "shell", "ps -A -o PID,ARGS").stdout.decode().splitlines()
        return next((line.split()[0] for line in listed if line.split()[1] in ("tcpdump", "toybox")), None)

    def advance(self, seconds: float) -> None:
        self._bench.say({"op": "advance", "ns": round(seconds * 1e9)})

    def signal(self, name: str) -> None:
        assert self._bench.adb("-s", self._serial, "shell", f"su -c 'kill -{name} {self.pid}'").returncode == 0


def test_a_fault_strikes_once(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say({"op": "fail_next", "what": "tcpdump", "on": "pixel6", "text": "Permission denied"})
    done = bench.adb("-s", serial, "shell", "su -c 'tcpdump -i rmnet1 -w /data/local/tmp/x.pcap; echo done'")
    assert (done.stdout, done.stderr) == (b"done\n", b"tcpdump: Permission denied\n")


def test_a_tcpdump_that_nobody_stops_ends_by_itself(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    running = Running(bench, serial, "su -c 'echo $$; exec tcpdump -i rmnet1 -G 3 -W 1 -w /data/local/tmp/x.pcap'")
    running.advance(2.9)
    assert running.number() == running.pid
    running.advance(0.2)
    assert running.number() is None
    assert running.popen.communicate(timeout=10)[0] == f"{running.pid}\n".encode()


def test_nc_goes_on_when_its_input_has_ended_until_it_is_ended_itself(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    nc = "toybox nc -u -w 1 192.0.2.1 9"
    running = Running(bench, serial, f"echo $$; exec {nc} </dev/null")
    running.advance(30)
    assert running.number() == running.pid
    running.signal("TERM")
    assert running.number() is None
    assert running.popen.communicate(timeout=10)[0] == f"{running.pid}\n".encode()
    before = bench.say({"op": "advance", "ns": 0})["now_ns"]
    file = "/data/local/tmp/x"
    script = f"printf x >{file} && {{ rm {file}; toybox timeout 1 {nc}; }} <{file}; echo $?"
    done = bench.adb("-s", serial, "shell", script)
    assert (done.stdout, done.returncode) == (b"124\n", 0)
    assert 1.0e9 < bench.say({"op": "advance", "ns": 0})["now_ns"] - before < 1.1e9


def test_a_running_tcpdump_tells_its_counters_when_it_is_asked(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    options = "-U --immediate-mode -i rmnet1 -w /data/local/tmp/x.pcap"
    running = Running(bench, serial, f"su -c 'echo $$; exec tcpdump {options}'")
    running.advance(1)
    done = bench.adb("-s", serial, "shell", f"su -c 'kill -USR1 {running.pid}; kill -INT {running.pid}'")
    assert done.returncode == 0
    running.advance(1)
    listening, asked, *final = running.popen.communicate(timeout=10)[1].decode().splitlines()
    assert listening.startswith("tcpdump: listening on rmnet1")
    assert asked == f"tcpdump: {', '.join(final)}"
    assert final[0].endswith("packets captured")


@pytest.mark.parametrize(
    ("options", "kept"),
    [("-U --immediate-mode -s 256", 252), ("-U --immediate-mode -s 272", 268), ("-U -s 256", 256)],
)
def test_a_tcpdump_cuts_on_a_link_without_link_header_as_the_real_one_does(bench, tmp_path, options, kept):
    """What is asked for is what `verified` requires, so a harness that asked for no more had every trial void."""
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    running = Running(bench, serial, f"su -c 'exec tcpdump -i rmnet1 {options} -w /data/local/tmp/x.pcap'")
    running.advance(1)
    sending = f"printf '{'x' * 400}' | toybox timeout 1 toybox nc -u -w 1 192.0.2.1 9"
    assert bench.adb("-s", serial, "shell", sending).returncode == 124
    running.advance(2)
    running.signal("INT")
    running.advance(1)
    path = tmp_path / "x.pcap"
    assert bench.adb("-s", serial, "pull", "/data/local/tmp/x.pcap", str(path)).returncode == 0
    udp = Trace.read(path).udp
    assert udp.captured_bytes[udp.wire_bytes == 428].tolist() == [kept]
    count = int(running.popen.communicate(timeout=10)[1].split(b" packets captured")[0].split()[-1])
    counters, sha256 = Counters(count, count, 0), hashlib.sha256(path.read_bytes()).hexdigest()
    if kept >= 256:
        assert verified(path, counters, sha256, 256).packets == count
    else:
        with pytest.raises(AttemptVoid, match=r"\d UDP frames are cut at less than the 256 bytes that were asked for"):
            verified(path, counters, sha256, 256)


def test_a_config_that_does_not_fit_is_one_error_line_and_leaves_nothing(tmp_path):
    process = Process(tmp_path, {"scenarios": str(SCENARIOS), "bench": "virtuel", "root": str(tmp_path / "root")})
    assert "no bench 'virtuel'" in process.started["error"]
    assert process.end() == 2
    assert list(tmp_path.iterdir()) == []


def test_a_bench_makes_its_root_for_itself_alone_and_removes_it_though_nobody_is_there_any_more(tmp_path):
    process = Process(tmp_path / "root")
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700
    assert process.end() == 0
    assert list(tmp_path.iterdir()) == []


HOUR_NS = 3600 * 10**9


@pytest.mark.full
def test_a_bench_goes_on_through_a_pause_of_hours(tmp_path):
    process = Process(tmp_path)
    assert process.say(BEGIN) == {"now_ns": START_NS}
    for hour in range(1, 4):
        assert process.say({"op": "advance", "ns": HOUR_NS}) == {"now_ns": START_NS + hour * HOUR_NS}
    assert process.say(BEGIN | {"trial": "u"}) == {"now_ns": START_NS}
    assert process.end() == 0


@pytest.mark.parametrize("way", ["end of input", "SIGTERM"])
def test_the_bench_ends_all_it_started(tmp_path, way):
    process = Process(tmp_path)
    process.popen.send_signal(signal.SIGINT)
    assert process.say(BEGIN) == {"now_ns": START_NS}
    port = process.started["adb_port"]
    shell = subprocess.Popen(
        [*process.started["laptop"], "bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    shell.stdin.write(b"echo up\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == b"up\n"
    if way == "SIGTERM":
        process.popen.terminate()
        assert process.popen.wait(10) == 0
    assert process.end() == 0
    assert not is_open(port)
    assert shell.communicate(timeout=5) == (b"", b"")
    assert shell.returncode == 255


def test_what_a_virtual_phone_cannot_do_is_refused_visibly(bench, tmp_path):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    (tmp_path / "app.apk").write_bytes(b"PK\3\4" + bytes(100))
    done = bench.adb("-s", serial, "install", str(tmp_path / "app.apk"))
    assert done.returncode == 1
    assert b"cmd: built as 'cmd appops get PACKAGE RECORD_AUDIO' only" in done.stdout + done.stderr
    refused = {
        "input text hello": b"input: built as",
        "input keyevent CAMERA": b"input: key camera is not built",
        "dumpsys battery set level 5": b"dumpsys: dumpsys battery is not built with set level 5",
        "dumpsys meminfo": b"dumpsys: service meminfo is not built",
        "wm density": b"wm: built as",
        "getprop -T": b"getprop: built as",
        "settings get nowhere x": b"settings: built with global, system, secure only",
        "monkey 500": b"monkey: built as",
        "svc power stayon maybe": b"svc: built as",
        "pm list packages -3": b"pm: built as",
        "ip addr show up": b"ip: built as",
        "ps -ef": b"ps: Unknown option 'f'",
        "ps": b"ps: built with -A only",
        "id -g": b"id: Unknown option 'g'",
        "kill 1": b"kill: reaches no process of the system or of an app",
        "cat /proc/cpuinfo": b"cat: /proc/cpuinfo is not emulated",
    }
    for command, said in refused.items():
        done = bench.adb("-s", serial, "shell", command)
        assert done.returncode == 2
        assert said in done.stderr
    told = bench.say({"op": "end", "truth": None})["refused"]
    assert told == ["pixel6: cmd package install -S 104", *(f"pixel6: {command}" for command in refused)]


def test_ps_shows_the_nine_columns_of_a_phone(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    lines = bench.adb("-s", serial, "shell", "ps -A").stdout.decode().splitlines()
    assert lines[0].split() == ["USER", "PID", "PPID", "VSZ", "RSS", "WCHAN", "ADDR", "S", "NAME"]
    assert lines[1].split() == ["root", "1", "1", "10000", "10000", "0", "0", "S", "init"]
    assert {len(line.split()) for line in lines} == {9}


def test_a_screenshot_by_the_shell_is_a_png(bench):
    serial = f"127.0.0.1:{bench.started['phones'][0]['port']}"
    bench.adb("connect", serial)
    bench.say(BEGIN)
    done = bench.adb("-s", serial, "exec-out", "screencap -p")
    assert (done.returncode, done.stdout[:8]) == (0, b"\x89PNG\r\n\x1a\n")
