"""A call that a person makes with the stock adb alone: what the handsets do comes from the taps that they get."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from adbutils import adb_path

from lab.bench.virtual import EPOCH_NS, VirtualBench
from lab.clocks.stop import Stop
from lab.definitions import Lab, PlannedTrial, Trial

ROOT = Path(__file__).parents[2]
CHAT = "am start -a android.intent.action.VIEW -d fb-messenger://user/{contact} -p com.facebook.orca"


class Person:
    """Somebody with the adb program, a phone in each hand and a watch."""

    def __init__(self, bench: VirtualBench, serials: dict[str, str]):
        self._bench, self._serials = bench, serials

    def adb(self, *words: str, phone: str | None = None) -> subprocess.CompletedProcess:
        chosen = [] if phone is None else ["-s", self._serials[phone]]
        argv = [adb_path(), "-P", str(self._bench.started["adb_port"]), *chosen, *words]
        return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=30, check=False)

    def shell(self, phone: str, command: str) -> str:
        done = self.adb("shell", command, phone=phone)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.decode()

    def tap(self, phone: str, x: int, y: int) -> None:
        self.shell(phone, f"input tap {x} {y}")

    def wait(self, seconds: float) -> None:
        self._bench.clock.sleep(seconds)

    def audio(self, phone: str) -> str:
        return re.search(r"Actual mode = (\w+)", self.shell(phone, "dumpsys audio"))[1]

    def hears(self, phone: str, mode: str) -> None:
        """Wait up to 20 s for a phone to ring, or whatever else."""
        for _ in range(20):
            if self.audio(phone) == mode:
                return
            self.wait(1)
        raise AssertionError(f"{phone} is in {self.audio(phone)}")


@pytest.fixture(scope="module")
def lab():
    return Lab.load(ROOT / "scenarios")


@pytest.fixture(scope="module")
def bench(lab):
    bench = VirtualBench(lab, lab.bench("virtual"), Stop())
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def person(lab, bench):
    return Person(bench, {phone.name: bench.serial(phone) for phone in lab.bench("virtual").phones})


def middle(lab: Lab, screen: str, **wanted: str) -> tuple[int, int]:
    """Where a person would tap: the middle of a node of the emulated Messenger's screen."""
    nodes = next(one for one in lab.virtual_apps["messenger"].screens if one.name == screen).nodes
    node = next(node for node in nodes if all(getattr(node, key) == value for key, value in wanted.items()))
    left, top, right, bottom = node.bounds
    return (left + right) // 2, (top + bottom) // 2


def begin(bench: VirtualBench, name: str) -> None:
    """Nothing of what follows is told to the bench: the trial's names are made up."""
    bench.begin(PlannedTrial(Trial("nobody", "video", "knows", name, 1), 7, False), seed=1, attempt=0)
    assert bench.clock.now_ns() == EPOCH_NS + 7 * 3_600_000_000_000


def test_a_call_made_and_ended_with_stock_adb_alone_appears_in_the_truth(tmp_path, lab, bench, person):
    begin(bench, "answered")
    # On a screen that is off a call comes up whole, not as a notification.
    person.shell("pixel6pro", "input keyevent 223")
    person.shell("pixel6", CHAT.format(contact="100000000000102"))
    person.wait(2)
    person.tap("pixel6", *middle(lab, "chat", description="Audio call"))
    person.hears("pixel6pro", "MODE_RINGTONE")
    person.tap("pixel6pro", *middle(lab, "incoming", description="Answer call"))
    person.wait(30)
    assert [person.audio(phone) for phone in ("pixel6", "pixel6pro")] == ["MODE_IN_COMMUNICATION"] * 2
    person.tap("pixel6pro", *middle(lab, "connected", description="End call"))
    person.wait(3)
    assert [person.audio(phone) for phone in ("pixel6", "pixel6pro")] == ["MODE_NORMAL"] * 2
    path = tmp_path / "truth.json"
    assert bench.end(path) == []
    truth = json.loads(path.read_text())
    assert truth["observed_scenario"] == "callee_hangs_up"
    assert (truth["caller"], truth["established"], truth["service"]) == ("pixel6", True, "voice")
    # 50 packets a second each way for about 28 s, less a few that are lost.
    counts = [side[way] for side in truth["media"].values() for way in ("tx_packets", "rx_packets")]
    assert all(1200 < count < 1600 for count in counts), counts


def test_a_call_that_nobody_answers_carries_no_media(tmp_path, lab, bench, person):
    begin(bench, "cancelled")
    person.shell("pixel6pro", CHAT.format(contact="100000000000101"))
    person.wait(2)
    person.tap("pixel6pro", *middle(lab, "chat", description="Video call"))
    person.hears("pixel6", "MODE_RINGTONE")
    person.tap("pixel6pro", *middle(lab, "outgoing", description="End call"))
    person.wait(3)
    path = tmp_path / "truth.json"
    assert bench.end(path) == []
    truth = json.loads(path.read_text())
    assert (truth["observed_scenario"], truth["caller"]) == ("caller_cancels", "pixel6pro")
    assert (truth["established"], truth["routing"]) == (False, None)


def test_nobody_who_taps_nothing_calls_anybody(tmp_path, bench, person):
    begin(bench, "silent")
    person.wait(60)
    bench.end(tmp_path / "truth.json")
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert (truth["observed_scenario"], truth["caller"], truth["established"]) == (None, None, False)


def test_the_stock_adb_lists_both_phones_and_hands_on_exit_codes_and_files(tmp_path, bench, person):
    lines = person.adb("devices").stdout.decode().split("\n")
    serials = sorted(f"{serial}\tdevice" for serial in person._serials.values())
    assert (lines[0], sorted(filter(None, lines[1:]))) == ("List of devices attached", serials)
    for code in (0, 1, 7, 127):
        assert person.adb("shell", f"exit {code}", phone="pixel6").returncode == code
    done = person.adb("shell", "echo out; echo err >&2; ls /nowhere; id -u", phone="pixel6pro")
    assert (done.stdout, done.returncode) == (b"out\n2000\n", 0)
    assert done.stderr.startswith(b"err\nls: /nowhere: No such file or directory")
    sent = bytes(range(256)) * 3001
    (tmp_path / "sent").write_bytes(sent)
    assert person.adb("push", str(tmp_path / "sent"), "/data/local/tmp/x", phone="pixel6").returncode == 0
    assert person.shell("pixel6", "stat -c %s /data/local/tmp/x") == f"{len(sent)}\n"
    assert person.adb("pull", "/data/local/tmp/x", str(tmp_path / "back"), phone="pixel6").returncode == 0
    assert (tmp_path / "back").read_bytes() == sent
    assert person.adb("pull", "/data/local/tmp/none", str(tmp_path / "none"), phone="pixel6").returncode == 1
    bench.end(None)
