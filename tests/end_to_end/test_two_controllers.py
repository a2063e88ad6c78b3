"""Two controllers, each a process with a host name and locks of its own, and the same phones behind an adb server."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.bench.connection import stays_awake
from lab.bench.virtual import VirtualBench
from lab.clocks.stop import Stop
from lab.commands.show import console
from lab.definitions import Lab
from lab.errors import BenchBusy
from lab.phone import held
from lab.phone.adb import Adb
from lab.programs.controller import this_controller
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.progress import Progress
from tests.end_to_end.runs import BIN, ROOT
from tests.end_to_end.test_faults import CANCEL, planned

pytestmark = pytest.mark.full

CONTROLLER = """
import json, socket, sys
from pathlib import Path

host, place, phones, laptop = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
socket.gethostname = lambda: host

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import LabError
from lab.programs import locks

locks.PLACE = place
place.mkdir(exist_ok=True)
lab = Lab.load(Path("scenarios"))
spec, emulated = lab.bench("pixels"), lab.bench("virtual")
those = [phone.model_copy(update={"serial": phones[phone.name]}) for phone in spec.phones]
laptop = emulated.laptop.model_copy(update={"connect": laptop})
spec = spec.model_copy(update={"phones": those, "laptop": laptop})
print("ready", flush=True)
sys.stdin.readline()
try:
    with Bench(lab, spec, Stop(), run=f"night-of-{host}", say=lambda line: print(line, flush=True)) as bench:
        for phone in bench.phones.values():
            phone.wake()
        print("drives", flush=True)
        while sys.stdin.readline():
            bench.holds.beat()
            print("still", flush=True)
except LabError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


class Phones:
    """The virtual bench's phones and laptop, for anybody with its adb port."""

    def __init__(self, place: Path) -> None:
        lab, self._place, self._begun = Lab.load(ROOT / "scenarios"), place, list[subprocess.Popen[str]]()
        self.kind = VirtualBench(lab, lab.bench("virtual"), Stop())
        self.serials = {phone.name: self.kind.serial(phone) for phone in lab.bench("virtual").phones}
        self.environment = os.environ | {"ANDROID_ADB_SERVER_PORT": str(self.kind.client.port)}

    def adb(self, name: str) -> Adb:
        return Adb(self.kind.client, self.serials[name], name)

    def controller(self, host: str) -> subprocess.Popen[str]:
        """One that is about to open the bench."""
        given = [host, str(self._place / host), json.dumps(self.serials), json.dumps(self.kind.laptop_prefix)]
        argv, pipe = [sys.executable, "-c", CONTROLLER, *given], subprocess.PIPE
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=self.environment)
        self._begun.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    def pass_time(self, seconds: int) -> None:
        self.kind.ask(op="advance", ns=seconds * 1_000_000_000)

    def close(self) -> None:
        for process in self._begun:
            process.kill()
            process.communicate()
        self.kind.close()


@pytest.fixture(scope="module")
def phones(tmp_path_factory):
    with closing(Phones(tmp_path_factory.mktemp("places"))) as phones:
        yield phones


def say(process: subprocess.Popen[str]) -> str:
    """Have a controller go on; what it says then."""
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def nobody_holds(phones: Phones) -> None:
    for name in phones.serials:
        with closing(phones.adb(name)) as adb:
            assert held.look(adb).changed_s is None


def taken_over(process: subprocess.Popen[str]) -> list[str]:
    """What a controller says that takes both phones over, until it drives."""
    said = sorted([say(process), process.stdout.readline()])
    assert process.stdout.readline() == "drives\n"
    return said


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code when nobody wants it to go on, and what else it said."""
    said, _ = process.communicate()
    return process.returncode, said


def test_of_two_that_begin_at_once_one_drives_and_the_other_ends_with_5_and_names_him(phones):
    both = [phones.controller(host) for host in ("bench1", "bench2")]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(say, both))
    winner = said.index("drives\n")
    told = (
        rf"pixel6(pro)? is held by {this_controller().user}@bench{winner + 1}, run night-of-bench{winner + 1}, since "
    )
    assert re.match(told, said[1 - winner])
    assert ended(both[1 - winner]) == (5, "")
    assert say(both[winner]) == "still\n"
    assert ended(both[winner]) == (0, "")
    nobody_holds(phones)


def test_what_a_kill_leaves_its_own_host_takes_over_at_once_and_another_after_a_quarter_of_an_hour(phones):
    user = this_controller().user
    first = phones.controller("bench1")
    assert say(first) == "drives\n"
    first.kill()
    first.communicate()
    again = phones.controller("bench1")
    why = f"the lease of {user}@bench1 is taken over: its run on this machine has ended\n"
    assert taken_over(again) == [f"pixel6: {why}", f"pixel6pro: {why}"]
    again.kill()
    again.communicate()
    phones.pass_time(880)
    other = phones.controller("bench2")
    assert "seen 14 min ago; wait until it has ended" in say(other)
    assert ended(other) == (5, "")
    phones.pass_time(40)
    other = phones.controller("bench2")
    why = f"the lease of {user}@bench1 is taken over: it was not seen for 15 min\n"
    assert taken_over(other) == [f"pixel6: {why}", f"pixel6pro: {why}"]
    assert ended(other) == (0, "")


def test_who_was_away_while_another_took_the_phones_ends_with_5_and_leaves_them_to_him(phones):
    first, second = phones.controller("bench1"), phones.controller("bench2")
    assert say(first) == "drives\n"
    phones.pass_time(901)
    taken_over(second)
    said = say(first)
    assert "is held by" in said
    assert said.endswith("; this run was away for so long that it was taken over\n")
    assert ended(first) == (5, "")
    with closing(phones.adb("pixel6")) as adb:
        assert stays_awake(adb) != "0"
    assert say(second) == "still\n"
    second.send_signal(signal.SIGINT)
    second.communicate()
    nobody_holds(phones)


def test_a_run_whose_phone_is_somebody_elses_by_now_ends_before_it_begins_an_attempt(tmp_path):
    run, theirs = planned(tmp_path / "dataset", CANCEL), replace(this_controller(), host="bench2")
    create(run)
    with Bench(run.lab, run.spec, Stop(), run="dataset") as bench:
        phone = bench.phones["pixel6"].device
        phone.run(f"rm -r {held.PLACE}")
        held.Hold(phone, theirs, "other", lambda line: None).take()
        with pytest.raises(BenchBusy, match=r"^pixel6 is held by .*@bench2, run other, .*; this run was away for so"):
            run_one(run, bench, run.chosen[0], Progress(console()))
        assert held.look(phone).holder.token == theirs.token
    assert (run.dataset.trial_ids(), list(run.dataset.attempts_dir.glob("*"))) == ([], [])


def test_commands_end_with_5_where_a_phone_is_held_and_the_doctor_tells_by_whom_and_touches_nothing(phones, tmp_path):
    holder = phones.controller("bench1")
    assert say(holder) == "drives\n"
    scenarios = tmp_path / "scenarios"
    subprocess.run(["cp", "-r", ROOT / "scenarios", scenarios], check=True)
    lines = "".join(f"  - {{name: {name}, serial: '{serial}'}}\n" for name, serial in phones.serials.items())
    (scenarios / "benches/pixels.local.yaml").write_text(f"phones:\n{lines}")
    (tmp_path / "tcpdump").write_bytes(b"\x7fELF")

    def invoke(*words: object) -> subprocess.CompletedProcess[str]:
        given = [BIN / "invoke", *words, "--bench", "pixels", "--scenarios", scenarios]
        return subprocess.run(given, cwd=ROOT, capture_output=True, text=True, env=phones.environment, check=False)

    pushed = invoke("push-tcpdump", "--file", tmp_path / "tcpdump")
    assert pushed.returncode == 5
    told = rf"pixel6(pro)? is held by {this_controller().user}@bench1, run night-of-bench1, since "
    assert re.match(told, pushed.stderr)
    told = {(check["check"], check["subject"]): check for check in json.loads(invoke("doctor", "--json").stdout)}
    for name in phones.serials:
        assert told["reachable", name]["ok"] is False
        assert told["reachable", name]["found"].startswith(f"{name} is held by ")
        assert [subject for _, subject in told if subject.startswith(f"{name}/")] == []
    assert say(holder) == "still\n"
    assert ended(holder) == (0, "")


def test_fifty_times_two_make_the_directory_at_once_and_one_does(phones):
    us = [replace(this_controller(), host=host) for host in ("bench1", "bench2")]
    adbs, barrier = [phones.adb("pixel6"), phones.adb("pixel6")], threading.Barrier(2)

    def race(number: int) -> held.Hold | None:
        hold = held.Hold(adbs[number], us[number], "race", lambda line: None)
        barrier.wait()
        try:
            hold.take()
        except BenchBusy:
            return None
        return hold

    with ThreadPoolExecutor(2) as pool:
        for _ in range(50):
            (winner,) = [hold for hold in pool.map(race, (0, 1)) if hold is not None]
            winner.give_back()
    for adb in adbs:
        adb.close()
