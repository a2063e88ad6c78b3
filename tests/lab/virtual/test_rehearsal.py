"""When a fault of a rehearsal strikes, and what then shows at the seam: on the control channel, by the stock adb, and
in what the emulated phones are asked."""

import asyncio
import json
import socket
import time
from ipaddress import IPv4Address

import pytest

from lab.definitions import Lab
from lab.virtual.adb.daemon import Device, packet
from lab.virtual.adb.door import Door
from lab.virtual.agent.agent import Agent
from tests.lab.virtual.bench_process import BEGIN, SCENARIOS, START_NS, Process
from tests.lab.virtual.test_visits import WHATSAPP, A, B, Bench

S, MINUTE = 1_000_000_000, 60_000_000_000
ALWAYS = {"for_ever": True}


@pytest.fixture(scope="module")
def lab():
    return Lab.load(SCENARIOS)


def plan(*faults: dict, seed: object = 1, night_s: float = 0.0, trials: str = "") -> dict:
    """The request; each letter of `trials` is one that an earlier run began."""
    return {"op": "plan", "seed": seed, "faults": list(faults), "night_ns": round(night_s * S), "trials": list(trials)}


class Planned(Bench):
    """A bench in this process with a plan."""

    def __init__(self, lab, root, *faults: dict, seed: int = 1, night_s: float = 0.0, trials: str = "") -> None:
        super().__init__(lab, root)
        assert "error" not in self.say(**plan(*faults, seed=seed, night_s=night_s, trials=trials))

    def attempt(self, trial: str, number: int = 0) -> None:
        """An attempt begins, and a second of it passes."""
        assert "error" not in self.say(**BEGIN | {"trial": trial, "attempt": number, "key": f"1/{trial}/{number}"})
        self.run(1)

    def end(self) -> None:
        self.say(op="end", truth=None)

    def logged_out(self) -> bool:
        return self.a.packages.refusing.get(WHATSAPP) == "logged_out"

    def version(self) -> str:
        return self.a.packages.version(self.a.apps["whatsapp"])


@pytest.fixture
def planned(lab, tmp_path):
    return lambda *faults, **options: Planned(lab, tmp_path, *faults, **options)


# When


def test_the_truth_of_a_trial_names_the_faults_that_struck_in_any_attempt_at_it_by_their_place_in_the_plan(
    planned, tmp_path
):
    late = {"what": "battery", "battery_percent": 5, "on": A, "at": {"step": "placed"}, **ALWAYS}
    bench = planned(late, *({"what": "tap_lost", "on": A, "at": {"trial": number}} for number in (1, 2)))
    found = []
    for trial, number in (("t", 0), ("t", 1), ("u", 0)):
        bench.attempt(trial, number)
        bench.say(op="end", truth=str(tmp_path / "truth.json"))
        found.append(json.loads((tmp_path / "truth.json").read_text())["faults"])
    assert found == [[1], [1], [2]]


def test_a_fault_strikes_from_its_trial_on_and_a_further_attempt_is_no_trial(planned):
    bench = planned({"what": "logged_out", "on": A, "app": "whatsapp", "at": {"trial": 2}, **ALWAYS})
    for trial, number, expected in (("t", 0, False), ("t", 1, False), ("u", 0, True), ("t", 2, True)):
        bench.attempt(trial, number)
        assert bench.logged_out() is expected
        bench.end()


def test_what_lasts_ends_by_the_night_clock_which_goes_on_between_attempts_and_not_between_their_starts(planned):
    bench = planned({"what": "logged_out", "on": A, "app": "whatsapp", "for_minutes": 5})
    bench.attempt("t")
    bench.run(4 * 60)
    bench.end()
    # The next attempt starts an hour later on the phones' clocks; by the night clock no time has passed.
    bench.say(**BEGIN | {"trial": "u", "start_ns": START_NS + 3600 * S})
    assert bench.logged_out()
    bench.end()
    bench.run(30)
    assert bench.logged_out()
    bench.run(30)
    assert not bench.logged_out()
    # It began once: not again.
    bench.attempt("v")
    assert not bench.logged_out()


def test_a_fault_waits_for_its_minute_of_the_night(planned):
    bench = planned({"what": "updated", "on": A, "app": "whatsapp", "version": "9.9", "at": {"minutes": 2}, **ALWAYS})
    before = bench.version()
    bench.attempt("t")
    bench.run(119)
    bench.end()
    assert bench.version() == before != "9.9"
    bench.attempt("u")
    assert bench.version() == "9.9"


@pytest.mark.parametrize(
    ("how", "struck"),
    [({}, 1), ({"times": 2}, 2), (ALWAYS, 4), ({"for_minutes": 1.5}, 2)],
)
def test_what_passes_strikes_as_often_as_is_said(planned, how, struck):
    bench = planned({"what": "shell_fails", "on": B, **how})
    found = 0
    for trial in "tuvw":
        bench.attempt(trial)
        found += bench.bench.faults.take("shell", B, "ls") is not None
        bench.run(59)
        bench.end()
    assert found == struck


def test_chance_is_drawn_by_seed_trial_attempt_and_how_often_the_bench_made_it(planned, lab, tmp_path):
    fault = {"what": "shell_fails", "on": B, "probability": 0.5}
    wanted = [(trial, number) for trial in "abcdefgh" for number in (0, 0, 1)]

    def strikes(name: str, seed: int, attempts: list[tuple[str, int]]) -> dict[tuple[str, int, int], bool]:
        (tmp_path / name).mkdir()
        bench, found = Planned(lab, tmp_path / name, fault, seed=seed), {}
        for trial, number in attempts:
            bench.attempt(trial, number)
            again = sum(key[:2] == (trial, number) for key in found)
            found[trial, number, again] = bench.bench.faults.take("shell", B, "ls") is not None
            bench.end()
        return found

    one, backwards, other = strikes("1", 1, wanted), strikes("2", 1, wanted[::-1]), strikes("3", 2, wanted)
    assert one == backwards != other
    assert 5 < sum(one.values()) < 19


@pytest.mark.parametrize("step", ["opened", "placed", "ringing", "answered", "ended"])
def test_a_step_is_what_the_bench_sees_and_the_fault_comes_seconds_after_it(planned, step):
    bench = planned({"what": "shell_fails", "on": B, "at": {"step": step, "after_s": 0.5}})
    bench.attempt("t")
    seen = {}

    def struck() -> bool:
        return any(fault["what"] == "shell" for fault in bench.bench.faults.waiting)

    seen["begun"] = struck()
    bench.chat()
    seen["opened"] = struck()
    bench.tap(bench.a, "place_voice")
    bench.run(0.6)
    seen["placed"] = struck()
    bench.run(2)
    seen["ringing"] = struck()
    bench.tap(bench.b, "answer")
    bench.run(2)
    seen["answered"] = struck()
    bench.tap(bench.a, "hang_up")
    bench.run(0.6)
    seen["ended"] = struck()
    steps = list(seen)
    assert [name for name in steps if seen[name]] == steps[steps.index(step) :]


def test_a_plan_comes_once_and_what_is_no_fault_is_refused(planned):
    bench = planned({"what": "adb_reset", "on": A})
    assert bench.say(**plan())["error"] == "there is a plan already"
    assert "rain" in bench.say(**plan({"what": "rain", "on": A}))["error"]
    assert bench.say(**plan(seed="x"))["error"] == "seed must be int, is 'x'"


# What shows


def test_an_app_that_is_logged_out_shows_its_login_screen_and_nothing_rings_in_it(planned):
    bench = planned({"what": "logged_out", "on": B, "app": "whatsapp", **ALWAYS})
    bench.attempt("t")
    bench.chat()
    bench.tap(bench.a, "place_voice")
    bench.run(10)
    assert (bench.a.call.phase, bench.b.call) == ("calling", None)
    bench.b.start(WHATSAPP)
    bench.run(1)
    assert [node.text for node in bench.b.nodes()] == ["Enter your phone number", "Phone number", "Next"]
    assert bench.b.activity == "com.whatsapp.registration.RegisterPhone"
    # What else is installed still rings.
    bench.a.force_stop(WHATSAPP)
    bench.run(1)
    assert bench.bench.exchange.place(A, bench.a.apps["snapchat"], "voice", bench.b.calls.titles["snapchat"])
    bench.run(10)
    assert bench.b.call.state == "incoming"


def test_an_account_that_is_logged_out_in_a_call_ends_it(planned):
    bench = planned(
        {"what": "logged_out", "on": B, "app": "whatsapp", "at": {"step": "answered", "after_s": 4}, **ALWAYS}
    )
    bench.attempt("t")
    bench.talking()
    bench.run(4)
    assert bench.calls() == [(A, True, "callee")]


def test_where_nothing_rings_the_caller_waits_and_one_app_may_be_meant_alone(planned):
    bench = planned({"what": "never_rings", "on": B, "app": "whatsapp", "for_minutes": 1})
    bench.attempt("t")
    bench.chat()
    bench.tap(bench.a, "place_voice")
    bench.run(20)
    assert bench.b.call is None
    bench.end()
    bench.run(60)
    bench.attempt("u")
    bench.ringing()


def test_an_answer_that_is_late_counts_so_much_later(planned, lab, tmp_path):
    answered = []
    for name, faults in (("a", []), ("b", [{"what": "answers_late", "on": B, "late_s": 7, **ALWAYS}])):
        (tmp_path / name).mkdir()
        bench = Planned(lab, tmp_path / name, *faults)
        bench.attempt("t")
        bench.ringing()
        bench.tap(bench.b, "answer")
        bench.run(9)
        answered.append(bench.bench.exchange.calls[0].answered_ns)
    assert answered[1] - answered[0] == 7 * S


def test_an_app_that_crashes_ends_its_call_says_so_in_the_log_and_rings_again(planned):
    bench = planned({"what": "app_crash", "on": B, "at": {"step": "ringing", "after_s": 3}})
    bench.attempt("t")
    bench.ringing()
    bench.run(3)
    (call,) = bench.bench.exchange.calls
    assert (call.answered_ns, call.ended_by) == (None, "callee")
    log = [line.text for line in bench.bench.phones[B].log if line.tag == "AndroidRuntime"]
    assert log[0] == "FATAL EXCEPTION: main"
    assert log[1].startswith("Process: com.whatsapp, PID: ")
    bench.bench.exchange.place(A, bench.a.apps["whatsapp"], "voice", bench.b.calls.titles["whatsapp"])
    bench.run(5)
    assert bench.b.call.state == "incoming"


@pytest.mark.parametrize(
    ("what", "step", "call"),
    [
        ("person_answers", "ringing", (A, True, None)),
        ("person_rejects", "ringing", (A, False, "callee")),
        ("person_hangs_up", "ringing", (A, False, "callee")),
    ],
)
def test_somebody_at_the_phone_is_first(planned, what, step, call):
    bench = planned({"what": what, "on": B, "at": {"step": step, "after_s": 1}})
    bench.attempt("t")
    bench.chat()
    bench.tap(bench.a, "place_voice")
    bench.run(5)
    (one,) = bench.bench.exchange.calls
    assert (one.caller, one.answered_ns is not None, one.ended_by) == call


def test_where_the_hotspot_is_off_no_address_is_on_it_and_the_phone_on_it_has_none(planned):
    bench = planned({"what": "hotspot_gone", "on": "laptop", "for_minutes": 1})
    phone, laptop = bench.bench.phones[B], bench.bench.laptop

    def shown() -> tuple[bool, list[tuple[str, bool, int]]]:
        on_it = any(one.ip == laptop.spec.hotspot_address for each in laptop.interfaces for one in each.addresses)
        return on_it, [(one.name, one.up, len(one.addresses)) for one in phone.interfaces()]

    before = shown()
    assert before[0]
    bench.attempt("t")
    assert shown() == (False, [("lo", True, 2), ("wlan0", False, 0)])
    assert bench.bench.network.datapath.route(B, IPv4Address("192.0.2.1")) is None
    with pytest.raises(LookupError):
        laptop.hotspot()
    # It stays off in the next attempt, and the other phone has its network.
    bench.attempt("u")
    assert not shown()[0]
    assert bench.bench.network.datapath.route(A, IPv4Address("192.0.2.1")) is not None
    bench.end()
    bench.run(60)
    assert shown() == before
    assert bench.bench.network.datapath.route(B, IPv4Address("192.0.2.1")).name == "wlan0"


@pytest.mark.parametrize(("what", "taps"), [("tap_lost", 0), ("tap_twice", 2)])
def test_a_tap_of_the_agent_gets_lost_or_is_made_twice_and_the_next_one_is_made_once(planned, what, taps):
    bench = planned({"what": what, "on": A})
    bench.attempt("t")
    phone = bench.bench.phones[A]
    made = []
    phone.handset.tap = lambda x, y: made.append((x, y))
    agent = Agent(phone, 9008)
    for _ in range(2):
        assert asyncio.run(agent.call("click", [10, 20])) is True
    assert made == [(10.0, 20.0)] * (taps + 1)


# By the stock adb


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """One bench process; each test's faults are of a trial of its own."""
    bench = Process(tmp_path_factory.mktemp("bench"))
    trials = ["adb_away", "adb_reset", "adb_unauthorised", "su_denied", "battery", "updated"]
    trials += ["heat", "airplane_mode", "phone_disk_full"]
    details = {"battery": {"battery_percent": 7}, "updated": {"app": "whatsapp", "version": "9.8.7"}}
    details |= {"heat": {"thermal_status": 4}}
    faults = [
        {"what": what, "on": A, "at": {"trial": number}, **({} if what == "adb_reset" else {"for_minutes": 1})}
        | details.get(what, {})
        for number, what in enumerate(trials, 1)
    ]
    assert "error" not in bench.say(plan(*faults))
    yield bench
    assert bench.end() == 0


class Phone:
    """One phone of it, as the stock adb sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        (port,) = [phone["port"] for phone in process.started["phones"] if phone["name"] == A]
        self.serial = f"127.0.0.1:{port}"
        self.connect()

    def connect(self) -> str:
        self._process.adb("disconnect", self.serial)
        return self._process.adb("connect", self.serial).stdout.decode().strip()

    def shell(self, command: str) -> tuple[int, str]:
        done = self._process.adb("-s", self.serial, "shell", command)
        return done.returncode, (done.stdout + done.stderr).decode().strip()

    def state(self) -> str:
        done = self._process.adb("-s", self.serial, "get-state")
        return (done.stdout + done.stderr).decode().strip()

    def becomes(self, state: str) -> bool:
        """adb learns of it by itself, in real time."""
        end = time.monotonic() + 10
        while state not in self.state():
            if time.monotonic() > end:
                return False
        return True

    def begin(self, trial: str) -> None:
        self._process.say(BEGIN | {"trial": trial})
        self.run(1)

    def run(self, seconds: float) -> None:
        assert "error" not in self._process.say({"op": "advance", "ns": round(seconds * S)})

    def end(self) -> None:
        self._process.say({"op": "end", "truth": None})


def test_what_the_stock_adb_sees_of_a_phone_with_faults(process):
    phone = Phone(process)
    assert phone.shell("echo hello") == (0, "hello")
    phone.begin("away")
    assert phone.becomes("offline") or "not found" in phone.state()
    assert "failed to connect" in phone.connect() or "Connection refused" in phone.connect()
    phone.end()
    phone.run(58)
    assert "connected" not in phone.connect()
    phone.run(2)
    assert phone.connect() == f"connected to {phone.serial}"
    assert phone.shell("echo back") == (0, "back")

    phone.begin("reset")
    phone.end()
    assert phone.connect() == f"connected to {phone.serial}"
    assert phone.shell("echo again") == (0, "again")

    phone.begin("unauthorised")
    phone.connect()
    assert phone.becomes("unauthorized")
    assert phone.shell("id")[0] == 1
    phone.end()
    phone.run(60)
    # Somebody has accepted the key: nobody connects again.
    assert phone.becomes("device")
    assert phone.shell("echo accepted") == (0, "accepted")


def test_what_its_shell_says_with_faults(process):
    phone = Phone(process)
    phone.begin("su")
    assert phone.shell("su -c id") == (1, "Permission denied")
    phone.run(60)
    assert phone.shell("su -c 'id -u'") == (0, "0")
    phone.end()
    phone.begin("battery")
    assert "level: 7" in phone.shell("dumpsys battery")[1].replace("  ", "")
    phone.run(60)
    assert "level: 7" not in phone.shell("dumpsys battery")[1].replace("  ", "")
    phone.end()
    phone.begin("updated")
    assert "versionName=9.8.7" in phone.shell(f"dumpsys package {WHATSAPP}")[1]
    phone.run(60)
    assert "versionName=9.8.7" not in phone.shell(f"dumpsys package {WHATSAPP}")[1]
    phone.end()


def test_a_phone_that_is_not_fit_shows_it_in_the_attempts_that_follow_too(process):
    phone = Phone(process)
    for trial, command, struck, before in (
        ("heat", "dumpsys thermalservice", "Thermal Status: 4", "Thermal Status: 0"),
        ("flying", "settings get global airplane_mode_on; ip route get 192.0.2.1 2>&1", "1", " dev rmnet1 "),
        ("full", "df -k /data/local/tmp", " 113246208          0 100% ", "   71303168  38% "),
    ):
        assert before in phone.shell(command)[1]
        for _ in range(2):
            phone.begin(trial)
            assert struck in phone.shell(command)[1]
            assert before not in phone.shell(command)[1]
            if trial == "full":
                # The words of mksh, and its exit code.
                code, said = phone.shell("echo more >/sdcard/x")
                assert (code, said) == (1, "sh: echo: write: No space left on device")
                assert phone.shell("stat -c %s /sdcard/x") == (0, "0")
            phone.end()
        phone.run(60)
        assert before in phone.shell(command)[1]


# The door


class Greeter(Device):
    def banner(self) -> str:
        return "device::"


def opened(talk):
    """Run `talk(door, connected)`; `connected` opens a connection of a host, which has said CNXN."""

    writers = []

    async def connected(door):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writers.append(writer)
        writer.write(packet("CNXN", 0x01000001, 4096, b"host::"))
        return reader, writer

    async def main():
        door = Door(Greeter())
        await door.open()
        try:
            await asyncio.wait_for(talk(door, connected), 10)
        finally:
            for writer in writers:
                writer.close()
            door.close()

    asyncio.run(main())


async def command(reader) -> bytes:
    header = await reader.readexactly(24)
    await reader.readexactly(int.from_bytes(header[12:16], "little"))
    return header[:4]


def test_a_silent_door_takes_connections_reads_nothing_and_answers_all_of_it_later():
    async def talk(door, connected):
        before, _ = await connected(door)
        assert await command(before) == b"CNXN"
        door.hush()
        reader, _ = await connected(door)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(command(reader), 0.1)
        door.speak()
        assert await command(reader) == b"CNXN"

    opened(talk)


def test_a_slow_door_answers_each_question_later_in_real_time_also_those_that_are_connected():
    async def talk(door, connected):
        loop = asyncio.get_running_loop()
        before, writer = await connected(door)
        assert await command(before) == b"CNXN"
        door.slow(0.08)
        begun = loop.time()
        writer.write(packet("CNXN", 0x01000001, 4096, b"host::"))
        assert await command(before) == b"CNXN"
        reader, _ = await connected(door)
        assert await command(reader) == b"CNXN"
        assert loop.time() - begun >= 0.16
        door.slow(0.0)
        begun = loop.time()
        writer.write(packet("CNXN", 0x01000001, 4096, b"host::"))
        assert await command(before) == b"CNXN"
        assert loop.time() - begun < 0.08

    opened(talk)


def test_a_door_that_asks_for_a_key_takes_none_until_somebody_accepts_it():
    async def talk(door, connected):
        door.ask_for_key()
        reader, writer = await connected(door)
        for _ in range(2):
            assert await command(reader) == b"AUTH"
            writer.write(packet("AUTH", 2, 0, b"a signature"))
        assert await command(reader) == b"AUTH"
        writer.write(packet("AUTH", 3, 0, b"a key"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(command(reader), 0.1)
        door.accept_keys()
        assert await command(reader) == b"CNXN"

    opened(talk)


def test_a_door_that_is_shut_resets_who_is_in_refuses_who_comes_and_opens_on_the_same_port():
    async def talk(door, connected):
        reader, _ = await connected(door)
        assert await command(reader) == b"CNXN"
        door.shut()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        with pytest.raises(ConnectionRefusedError):
            await connected(door)
        # Nobody else gets its port meanwhile.
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", door.port))
        door.reopen()
        await door.settled()
        reader, _ = await connected(door)
        assert await command(reader) == b"CNXN"

    opened(talk)
