"""The recovery ladder, on phones of which a test says when and how they come back."""

from ipaddress import IPv4Address
from types import SimpleNamespace

import pytest

from lab.bench import ladder
from lab.bench.ladder import PAUSES_S, WAITS_S, climb
from lab.clocks import deadlines
from lab.errors import BenchUnhealthy, LaptopTrouble, PhoneTrouble
from lab.phone.adb import PhoneState


class Bench:
    """A bench with one phone that answers once `well` says so of the bench; what was done is in `done`."""

    def __init__(self, well, *, state=lambda bench: PhoneState.DEVICE, serial="192.0.2.7:5555"):
        self.done, self.told, self.now_s, self._well, self._state = [], [], 0.0, well, state
        device = SimpleNamespace(serial=serial, state=lambda: self._state(self), reconnect=self._act("reset"))
        screen = SimpleNamespace(agent="agent")
        self.phone = SimpleNamespace(
            spec=SimpleNamespace(name="pixel6"), device=device, screen=screen, check_health=self._check
        )
        self.client = SimpleNamespace(connect=self._act("connect"), disconnect=self._act("disconnect"))
        self.start_adb_server = self._act("start_adb_server")

    def _act(self, what):
        return lambda *_args, **_kwargs: self.done.append(what)

    def _check(self):
        self.done.append("asked")
        if not self._well(self):
            raise PhoneTrouble("pixel6: no whole answer")

    def check_health(self):
        self.done.append("bench")

    def sleep(self, seconds):
        self.now_s += seconds

    def climb(self, laptop=None):
        laptop = laptop or SimpleNamespace(check_health=self._act("laptop"))
        climb(self, [self.phone], laptop, self, lambda rung, on, why: self.told.append((rung.name, on)))


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
        (PhoneState.NO_PERMISSIONS, "1A2B3C4D", []),
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
    assert sum(PAUSES_S) == ladder.R8.budget_s == 3600


def test_a_key_that_is_not_accepted_is_asked_of_a_person_each_five_seconds_and_no_reset_is_tried():
    bench = Bench(lambda bench: False, state=lambda bench: PhoneState.UNAUTHORIZED)
    with pytest.raises(PhoneTrouble, match=r"accept the prompt on pixel6$"):
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
    assert [rung for rung, _ in bench.told] == ["r1", "r2", "r8"]


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
    bench = Bench(lambda bench: True)

    def hotspot(address: IPv4Address) -> None:
        if bench.now_s < 20:
            raise LaptopTrouble(f"no interface of the laptop holds {address}")

    laptop = SimpleNamespace(check_health=lambda: None, hotspot=hotspot)
    told = []
    climb(bench, [bench.phone], laptop, bench, lambda rung, on, why: told.append((rung.name, on, why)))
    assert (told, bench.now_s) == ([], 0.0)
    address = IPv4Address("192.168.137.1")
    climb(bench, [bench.phone], laptop, bench, lambda rung, on, why: told.append((rung.name, on, why)), address)
    assert [each[:2] for each in told] == [("r2", "laptop"), ("r8", "laptop")]
    assert told[0][2] == "no interface of the laptop holds 192.168.137.1"
    assert bench.now_s == sum(WAITS_S) + PAUSES_S[0]
