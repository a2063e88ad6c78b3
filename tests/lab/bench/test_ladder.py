"""The recovery ladder, on phones of which a test says when and how they come back."""

from ipaddress import IPv4Address
from types import SimpleNamespace

import pytest

from lab.bench.ladder import Open, Ways, climb, climb_with
from lab.bench.rungs import BOOT_EVERY_S, MOST, PAUSES_S, R6, R7, R8, WAITS_S, Used
from lab.clocks import deadlines
from lab.errors import BenchUnhealthy, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.phone.adb import PhoneState
from lab.phone.boot import BeforeFirstUnlock
from lab.programs.shell import ShellOutput
from tests.lab.phone.test_boot import said

BOOTED = said("1", "true", "36", "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b")
AGAIN, STARTS, LOCKED = (
    said(*booted, "36", "1b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b") for booted in (("1", "true"), ("", ""), ("1", ""))
)
QUIET, CALLING = (f"Actual mode  = MODE_{mode}\n" for mode in ("NORMAL", "IN_COMMUNICATION"))


class Bench:
    """A bench with one phone that answers once `well` says so of the bench; what was done is in `done`.

    `says` is what its shell says to a question, by a word of that; `trouble` is how it fails.
    """

    def __init__(
        self,
        well,
        *,
        state=lambda bench: PhoneState.DEVICE,
        serial="192.0.2.7:5555",
        power_cycle=None,
        reboot=None,
        says=lambda bench: {"boot_id": BOOTED, "audio": QUIET},
        trouble=lambda bench: PhoneTrouble("pixel6: no whole answer"),
    ):
        self.done, self.told, self.now_s, self._well, self._state = [], [], 0.0, well, state
        self._says, self._trouble, self.used = says, trouble, Used()
        device = SimpleNamespace(
            serial=serial, state=lambda: self._state(self), reconnect=self._act("reset"), reboot=self._act("reboot")
        )
        device.run, device.close = self._shell, lambda: None
        screen = SimpleNamespace(agent="agent")
        spec = SimpleNamespace(name="pixel6", power_cycle=power_cycle, reboot=reboot)
        self.phone = SimpleNamespace(spec=spec, device=device, screen=screen, check_health=self._check)
        self.client = SimpleNamespace(connect=self._act("connect"), disconnect=self._act("disconnect"))
        self.start_adb_server = self._act("start_adb_server")

    def _act(self, what):
        return lambda *_args, **_kwargs: self.done.append(what)

    def _check(self):
        self.done.append("asked")
        if not self._well(self):
            raise self._trouble(self)

    def _shell(self, line):
        return ShellOutput(next(said for word, said in self._says(self).items() if word in line), 0)

    def check_health(self):
        self.done.append("bench")

    def sleep(self, seconds):
        self.now_s += seconds

    def now_ns(self):
        return round(self.now_s * 1e9)

    def climb(self, laptop=None):
        laptop = laptop or SimpleNamespace(check_health=self._act("laptop"))
        climb(self.ways(), [self.phone], laptop)

    def ways(self, hotspot_start=()):
        return Ways(self, self, lambda rung, on, why: self.told.append((rung.name, on)), self.used, hotspot_start)

    def rungs(self):
        return [rung for rung, _ in self.told]


@pytest.fixture(autouse=True)
def agent(monkeypatch):
    """Starts an agent anew by a note in `started`."""
    started = []
    monkeypatch.setattr("lab.phone.agent.start_anew", lambda agent, device: started.append(agent))
    return started


def test_a_phone_that_answers_is_asked_once_and_nothing_is_told():
    bench = Bench(lambda bench: True)
    bench.climb()
    assert (bench.done, bench.told, bench.now_s) == (["asked", "bench", "laptop"], [], 0.0)


def test_a_phone_that_is_back_after_five_seconds_is_waited_for_and_nothing_is_connected():
    bench = Bench(lambda bench: bench.now_s >= 5.0)
    bench.climb()
    assert bench.now_s == 0.25 + 0.5 + 1 + 2 + 4
    assert bench.told == [("r1", "pixel6"), ("r2", "pixel6")]
    assert bench.done == ["asked"] * 6 + ["bench", "laptop"]


@pytest.mark.parametrize(
    ("state", "serial", "done"),
    [
        (PhoneState.NOT_FOUND, "192.0.2.7:5555", ["connect"]),
        (PhoneState.OFFLINE, "192.0.2.7:5555", ["disconnect", "connect"]),
        (PhoneState.OFFLINE, "1A2B3C4D", ["reset"]),
        (PhoneState.NOT_FOUND, "1A2B3C4D", []),
    ],
)
def test_what_a_state_calls_for_is_done_and_nothing_else(state, serial, done):
    """A USB phone that is not found is unplugged: only waiting helps. A reset of TCP would take it off the list."""
    bench = Bench(lambda bench: bench.now_s > sum(WAITS_S), state=lambda bench: state, serial=serial)
    bench.climb()
    acts = [each for each in bench.done if each not in ("asked", "bench", "laptop")]
    assert acts[: len(done)] == done
    assert (acts == []) == (done == [])


def test_an_adb_server_is_started_where_none_answers_and_phones_are_connected_again():
    def state(bench):
        return PhoneState.NOT_FOUND if "start_adb_server" in bench.done else PhoneState.NO_SERVER

    bench = Bench(lambda bench: "connect" in bench.done, state=state)
    bench.climb()
    assert [each for each in bench.done if each not in ("asked", "bench", "laptop")] == ["start_adb_server", "connect"]
    assert [rung for rung, _ in bench.told] == ["r1", "r2", "r4", "r3"]


def test_the_agent_is_started_anew_where_the_phone_is_there_and_does_not_answer(agent):
    bench = Bench(lambda bench: bool(agent))
    bench.climb()
    assert agent == ["agent"]
    assert [rung for rung, _ in bench.told] == ["r1", "r2", "r5"]


def test_a_phone_that_is_away_for_eight_minutes_comes_back_in_the_fourth_pause():
    bench = Bench(lambda bench: bench.now_s >= 480, state=lambda bench: PhoneState.NOT_FOUND)
    bench.climb()
    assert bench.now_s == sum(WAITS_S) + sum(PAUSES_S[:4])
    assert bench.told.count(("r8", "pixel6")) == 1


def test_a_phone_that_stays_away_ends_the_run_after_an_hour():
    bench = Bench(lambda bench: False, state=lambda bench: PhoneState.NOT_FOUND)
    with pytest.raises(PhoneTrouble, match=r"^pixel6 does not come back: pixel6: no whole answer$"):
        bench.climb()
    assert bench.now_s == sum(WAITS_S) + 3600
    assert sum(PAUSES_S) == R8.budget_s == 3600


def test_a_key_that_is_not_accepted_is_asked_of_a_person_each_five_seconds_and_no_reset_is_tried():
    bench = Bench(lambda bench: False, state=lambda bench: PhoneState.UNAUTHORIZED)
    with pytest.raises(NeedsPerson, match=r"accept the prompt on pixel6$"):
        bench.climb()
    assert set(bench.done) == {"asked"}
    assert bench.now_s == sum(WAITS_S) + 60
    accepted = Bench(lambda bench: bench.now_s > 30, state=lambda bench: PhoneState.UNAUTHORIZED)
    accepted.climb()
    assert accepted.now_s == sum(WAITS_S) + 15


def test_an_adb_server_that_nobody_can_start_ends_the_run_at_once():
    bench = Bench(lambda bench: False, state=lambda bench: PhoneState.NO_SERVER)

    def fail(within_s):
        raise BenchUnhealthy("no adb")

    bench.start_adb_server = fail
    with pytest.raises(BenchUnhealthy, match=r"^no adb$"):
        bench.climb()
    assert bench.now_s == sum(WAITS_S)


def test_a_wait_that_takes_its_budget_in_real_time_is_left():
    with deadlines.scaled(1.0):
        bench = Bench(lambda bench: False, state=lambda bench: PhoneState.UNKNOWN)
        with pytest.raises(PhoneTrouble):
            bench.climb()
    assert bench.rungs() == ["r1", "r2", "r8"]


def test_a_usb_device_that_may_not_be_opened_is_asked_of_a_person_once_udev_had_its_time():
    bench = Bench(lambda bench: False, state=lambda bench: PhoneState.NO_PERMISSIONS, serial="1A2B3C4D")
    with pytest.raises(NeedsPerson, match=r"^pixel6: this machine may not open its USB device .* udev rule"):
        bench.climb()
    assert bench.now_s == sum(WAITS_S) >= 10
    late = Bench(lambda bench: bench.now_s > 7, state=lambda bench: PhoneState.NO_PERMISSIONS, serial="1A2B3C4D")
    late.climb()
    assert late.rungs() == ["r1", "r2"]


def test_what_only_a_person_can_mend_ends_the_climb_where_it_is_met():
    def trouble(bench):
        return NeedsPerson("pixel6: su says 'Permission denied'") if bench.now_s > 1 else PhoneTrouble("gone")

    bench = Bench(lambda bench: False, trouble=trouble)
    with pytest.raises(NeedsPerson, match=r"^pixel6: su says 'Permission denied'$"):
        bench.climb()
    assert (bench.now_s, bench.rungs()) == (1.75, ["r1", "r2"])


def locked(bench):
    return BeforeFirstUnlock("pixel6 has restarted and is before first unlock: enter the PIN on pixel6")


def test_a_phone_before_its_first_unlock_is_given_the_moment_that_one_without_a_pin_takes_and_then_a_person_is_asked(
    agent,
):
    bench = Bench(lambda bench: False, trouble=locked)
    with pytest.raises(NeedsPerson, match=r": enter the PIN on pixel6$"):
        bench.climb()
    assert (bench.now_s, agent) == (2 * sum(WAITS_S), [])
    without = Bench(lambda bench: bench.now_s > 20, trouble=locked)
    without.climb()
    assert without.rungs() == ["r1", "r2", "r2"]
    # It restarts by itself, and comes back in a pause.
    away = Bench(lambda bench: False, state=lambda bench: PhoneState.NOT_FOUND)
    away._trouble = lambda bench: locked(bench) if bench.now_s > 70 else PhoneTrouble("gone")
    with pytest.raises(NeedsPerson, match=r": enter the PIN on pixel6$"):
        away.climb()
    assert away.rungs()[-2:] == ["r2", "r3"]


@pytest.fixture
def switch(tmp_path):
    """A program that notes each time it runs what it was given, and ends with `code`."""

    def made(code=0):
        path = tmp_path / "switch"
        path.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/switched\necho all is well\nexit {code}\n')
        path.chmod(0o755)
        return [str(path), "-l", "1-1", "-p", "2"]

    made.runs = lambda: (tmp_path / "switched").read_text().splitlines() if (tmp_path / "switched").exists() else []
    return made


def test_a_port_is_switched_twice_a_run_at_most_and_what_the_switch_says_is_not_believed(switch):
    bench = Bench(lambda bench: len(switch.runs()) % 2 == 1, power_cycle=switch(), state=lambda b: PhoneState.NOT_FOUND)
    bench.climb()
    assert (switch.runs(), bench.rungs()) == (["-l 1-1 -p 2"], ["r1", "r2", "r3", "r6", "r2"])
    # Switched again, it is still away: the pauses come, and no third time.
    bench._well = lambda bench: False
    for runs in (2, 2):
        bench.told.clear()
        with pytest.raises(PhoneTrouble, match=r"^pixel6 does not come back"):
            bench.climb()
        assert len(switch.runs()) == runs == MOST[R6]
    assert "r6" not in bench.rungs()


@pytest.mark.parametrize("argv", [["/nowhere/uhubctl"], "fails"])
def test_a_switch_that_fails_or_is_not_there_leaves_the_phone_to_the_next_rungs(switch, argv):
    bench = Bench(lambda bench: bench.now_s > 100, power_cycle=switch(code=1) if argv == "fails" else argv)
    bench.climb()
    assert bench.rungs().count("r6") == 1
    assert bench.rungs()[-2:] == ["r8", "r5"] or bench.rungs()[-1] == "r8"


def test_a_phone_is_restarted_where_it_may_be_once_a_run_and_is_waited_for_until_its_storage_is_open():
    def says(bench):
        # It takes until the 40th second to go down.
        up = AGAIN if bench.now_s > 120 else STARTS
        return {"boot_id": up if "reboot" in bench.done and bench.now_s > 40 else BOOTED, "audio": QUIET}

    well = lambda bench: "reboot" in bench.done and bench.now_s > 120  # noqa: E731
    bench = Bench(well, reboot="allowed", says=says)
    bench.climb()
    assert bench.rungs() == ["r1", "r2", "r5", "r7", "r2"]
    assert bench.done.count("reboot") == 1
    assert 120 < bench.now_s <= 120 + BOOT_EVERY_S + WAITS_S[0]
    bench._well = lambda bench: False
    with pytest.raises(PhoneTrouble):
        bench.climb()
    assert bench.done.count("reboot") == 1 == MOST[R7]
    never = Bench(lambda bench: False)
    with pytest.raises(PhoneTrouble):
        never.climb()
    assert "reboot" not in never.done


@pytest.mark.parametrize(
    ("mine", "others", "restarts"), [(QUIET, QUIET, 1), (CALLING, QUIET, 0), (QUIET, CALLING, 0), (QUIET, "", 0)]
)
def test_no_phone_is_restarted_while_one_is_in_a_call_or_does_not_tell(mine, others, restarts):
    bench = Bench(lambda bench: False, reboot="allowed", says=lambda bench: {"boot_id": BOOTED, "audio": mine})
    other = Bench(lambda bench: True, says=lambda bench: {"audio": others})
    with pytest.raises(PhoneTrouble, match="does not come back"):
        climb_with(bench.ways(), Open(bench.phone), [Open(other.phone)])
    assert bench.done.count("reboot") == restarts


def test_a_phone_that_was_restarted_and_asks_for_its_pin_is_a_persons_after_five_minutes():
    def says(bench):
        return {"boot_id": LOCKED if "reboot" in bench.done else BOOTED, "audio": QUIET}

    bench = Bench(lambda bench: False, reboot="allowed", says=says)
    with pytest.raises(NeedsPerson, match=r"before first unlock: enter the PIN on pixel6$"):
        bench.climb()
    assert bench.now_s == sum(WAITS_S) + R7.budget_s


def test_a_phone_that_adb_does_not_have_is_not_asked_to_restart():
    bench = Bench(lambda bench: False, reboot="allowed", state=lambda bench: PhoneState.NOT_FOUND)
    with pytest.raises(PhoneTrouble):
        bench.climb()
    assert "reboot" not in bench.done


def test_a_laptop_is_waited_for_and_told_too():
    asked = []

    def check():
        asked.append(bench.now_s)
        if bench.now_s < 100:
            raise LaptopTrouble("no answer")

    bench = Bench(lambda bench: True)
    bench.climb(SimpleNamespace(check_health=check))
    assert asked[-1] == sum(WAITS_S) + 60 + 120
    assert bench.told == [("r2", "laptop"), ("r8", "laptop")]

    def never():
        raise LaptopTrouble("no answer")

    with pytest.raises(LaptopTrouble, match=r"^the laptop does not come back: no answer$"):
        bench.climb(SimpleNamespace(check_health=never))


def test_a_hotspot_that_is_off_is_waited_for_where_a_phone_needs_it():
    bench, told = Bench(lambda bench: True), []

    def hotspot(address: IPv4Address) -> None:
        if bench.now_s < 20:
            raise LaptopTrouble(f"no interface of the laptop holds {address}")

    laptop = SimpleNamespace(check_health=lambda: None, hotspot=hotspot)
    ways = Ways(bench, bench, lambda rung, on, why: told.append((rung.name, on, why)), Used())
    climb(ways, [bench.phone], laptop)
    assert (told, bench.now_s) == ([], 0.0)
    climb(ways, [bench.phone], laptop, IPv4Address("192.168.137.1"))
    assert [each[:2] for each in told] == [("r2", "laptop"), ("r8", "laptop")]
    assert told[0][2] == "no interface of the laptop holds 192.168.137.1"
    assert bench.now_s == sum(WAITS_S) + PAUSES_S[0]


def test_a_hotspot_is_started_before_the_pauses_and_after_each_of_them_and_only_its_address_counts(switch):
    bench, wanted = Bench(lambda bench: True), 1

    def hotspot(address: IPv4Address) -> None:
        if len(switch.runs()) < wanted:
            raise LaptopTrouble(f"no interface of the laptop holds {address}")

    laptop = SimpleNamespace(check_health=lambda: None, hotspot=hotspot)
    ways = bench.ways(hotspot_start=switch(code=3))
    climb(ways, [bench.phone], laptop)
    assert switch.runs() == []
    climb(ways, [bench.phone], laptop, IPv4Address("192.168.137.1"))
    assert bench.rungs() == ["r2", "hotspot"]
    assert bench.now_s == sum(WAITS_S) + WAITS_S[0]
    bench.told.clear()
    wanted = 4
    climb(ways, [bench.phone], laptop, IPv4Address("192.168.137.1"))
    assert bench.rungs() == ["r2", "hotspot", "r8"]
    assert len(switch.runs()) == 4
