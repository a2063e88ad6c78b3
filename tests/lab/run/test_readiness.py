"""What a run asks of phones and laptop before an attempt, what it waits for, and when it ends."""

from types import SimpleNamespace

import pytest

from correlate.dataset.journal import Journal
from lab.errors import AttemptVoid, LaptopTrouble, NeedsPerson, PhoneTrouble
from lab.phone.fitness import questions
from lab.programs.shell import ShellOutput
from lab.run.readiness import Readiness

FIT = {"level": 80, "status": 0, "kib": 9_000_000, "airplane": 0}
DF = "Filesystem       1K-blocks     Used Available Use% Mounted on\n/dev/block/dm-9  9000000 1 {} 1% /data\n"


class Shell:
    """A phone's shell; what it prints may change each time it is asked, and stays as it was last."""

    def __init__(self, name, states):
        self.name, self.states, self.asked = name, list(states), 0

    def run(self, line):
        self.asked += 1
        state = FIT | (self.states.pop(0) if len(self.states) > 1 else self.states[0])
        if "trouble" in state:
            raise PhoneTrouble(f"{self.name}: {state['trouble']}")
        said = {
            "battery": f"  level: {state['level']}\n  scale: 100\n",
            "heat": f"Thermal Status: {state['status']}\nHAL Ready: true\n",
            "disk": DF.format(state["kib"]),
            "airplane mode": f"{state['airplane']}\n",
        }
        return ShellOutput("".join(f"== im-call-lab {what}\n{said[what]}" for what in questions("/x/y")), 0)

    def default_network(self):
        if (state := self.states[0]).get("network", "wlan0") is None:
            raise AttemptVoid("wrong_network", "no default network")
        return state


class Laptop:
    """A laptop that has so much room, or does not say."""

    def __init__(self, room_kib):
        self.room, self.asked = room_kib, 0

    def room_kib(self):
        self.asked += 1
        if isinstance(self.room, LaptopTrouble):
            raise self.room
        return self.room


class Asked:
    """Two phones, the second behind the hotspot or on its own network, and what the run said and waited."""

    def __init__(self, tmp_path, a=({},), b=({},), laptop=9_000_000, vantage="hotspot"):
        shells = {"a": Shell("a", a), "b": Shell("b", b)}
        vantages = {"a": "phone", "b": vantage}
        phones = {
            name: SimpleNamespace(
                device=shell,
                spec=SimpleNamespace(name=name, vantage=vantages[name]),
                default_network=shell.default_network,
            )
            for name, shell in shells.items()
        }
        self.shells, self.said, self.rests = shells, [], []
        self.bench = SimpleNamespace(phones=phones, laptop=Laptop(laptop))
        self.journal = Journal(tmp_path / "journal.jsonl")
        self.readiness = Readiness(self.journal, self.said.append, lambda bench, seconds: self.rests.append(seconds))

    def require(self):
        return self.readiness.require(self.bench)

    def cause(self, error):
        return self.readiness.cause(self.bench, error)


@pytest.fixture
def asked(tmp_path):
    return lambda **given: Asked(tmp_path, **given)


def test_a_bench_that_is_fit_is_asked_once_each_and_nothing_is_said(asked):
    run = asked(a=[{"kib": 65536}], laptop=65536)
    assert run.require() is None
    assert [shell.asked for shell in run.shells.values()] == [1, 1]
    assert (run.bench.laptop.asked, run.said, run.rests) == (1, [], [])
    assert not run.journal.path.exists()


def test_a_laptop_that_captures_nothing_is_not_asked(asked):
    run = asked(vantage="phone", laptop=0)
    assert run.require() is None
    assert run.bench.laptop.asked == 0


@pytest.mark.parametrize("level", [19, 0])
def test_a_low_battery_is_waited_for_until_it_has_more_than_it_needs_to_begin(asked, level):
    run = asked(a=[{"level": level}, {"level": level}, {"level": 24}, {"level": 25}])
    assert run.require() is None
    assert run.rests == [60.0] * 3
    text = f"its battery is at {level}%; waits until it has 25%, asks each minute, 60 min at most"
    assert run.said == [f"a: {text}", "a: fit again after 3 min; goes on"]
    assert [(line.event, line.on, line.reason, line.text) for line in run.journal.read()] == [
        ("waiting", "a", "battery_low", text)
    ]
    assert run.shells["b"].asked == 1


@pytest.mark.parametrize("level", [20, 24])
def test_a_battery_that_did_not_make_anybody_wait_is_not_waited_for(asked, level):
    run = asked(a=[{"level": level}])
    assert run.require() is None
    assert run.rests == []


def test_two_phones_are_waited_for_at_the_same_time(asked):
    run = asked(a=[{"status": 3}, {"status": 3}, {"status": 2}], b=[{"level": 5}, {"level": 30}])
    assert run.require() is None
    assert run.rests == [60.0] * 2
    assert [(line.on, line.reason) for line in run.journal.read()] == [("a", "too_hot"), ("b", "battery_low")]


def test_after_an_hour_what_is_too_hot_still_is_a_persons(asked):
    run = asked(b=[{"status": 4}])
    with pytest.raises(NeedsPerson) as raised:
        run.require()
    assert str(raised.value) == ("b: it is hot, thermal status 4 (critical), 60 min later too; cool it and run again")
    assert run.rests == [60.0] * 60


def test_after_an_hour_what_would_not_have_made_anybody_wait_may_begin(asked):
    assert asked(a=[{"level": 19}, {"level": 22}]).require() is None


NEEDED = "63 MiB free, the captures of a trial may need 64; make room on the"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"b": [{"kib": 65535}]}, f"b: {NEEDED} phone and run again"),
        ({"laptop": 65535}, f"laptop: {NEEDED} laptop and run again"),
    ],
)
def test_a_disk_without_room_ends_the_run_before_an_attempt_whatever_else_is_waited_for(asked, given, text):
    run = asked(a=[{"level": 1}], **given)
    with pytest.raises(NeedsPerson) as raised:
        run.require()
    assert (str(raised.value), run.rests) == (text, [])


def test_airplane_mode_is_told_and_a_phone_that_calls_by_wifi_in_it_may(asked):
    run = asked(a=[{"airplane": 1}])
    unfit = run.require()
    assert (unfit.reason, str(unfit)) == ("airplane_mode", "a is in airplane mode; switch it off there")
    assert [(line.event, line.on, line.reason) for line in run.journal.read()] == [("waiting", "a", "airplane_mode")]
    assert asked(b=[{"airplane": 1}]).require() is None
    assert str(asked(b=[{"airplane": 1}], vantage="phone").require()).startswith("b is in airplane mode")


def test_what_is_not_told_is_said_once_and_keeps_nobody_from_calling(asked):
    run = asked(a=[{"level": "?", "kib": "?"}], laptop=None)
    assert [run.require(), run.require()] == [None, None]
    assert run.said == [
        "a: its battery is unknown: no level in dumpsys battery: 'level: ? scale: 100'; it is taken for fit",
        f"a: its disk is unknown: df says no number: {' '.join(DF.format('?').split())[:60]!r}; it is taken for fit",
        "laptop: its room is unknown: df says no number; it is taken for fit",
    ]


def test_machines_that_do_not_answer_are_the_ladders_business(asked):
    run = asked(b=[{"trouble": "gone"}], laptop=LaptopTrouble("gone too"))
    assert run.require() is None
    assert run.said == [
        "b: cannot be asked how it is: b: gone; it is taken for fit",
        "laptop: cannot be asked for its room: gone too; it is taken for fit",
    ]


def test_a_phone_that_goes_away_while_it_is_waited_for_is_waited_for_no_longer(asked):
    run = asked(a=[{"level": 1}, {"trouble": "it has switched itself off"}])
    assert run.require() is None
    assert run.rests == [60.0]


LOST = AttemptVoid("wrong_network", "no default network")
UNCLEAR = AttemptVoid("no_public_address", "nobody answers")
DROPPED = AttemptVoid("dropped_while_talking", "it ended")


@pytest.mark.parametrize(
    ("state", "error", "of"),
    [
        ({"a": [{"airplane": 1}]}, LOST, "a"),
        ({"a": [{"airplane": 1}]}, UNCLEAR, "a"),
        ({"a": [{"airplane": 1}]}, DROPPED, "a"),
        ({"b": [{"airplane": 1, "network": None}]}, LOST, "b"),
        ({"b": [{"airplane": 1, "network": None}]}, UNCLEAR, "b"),
        ({"b": [{"airplane": 1, "network": None}]}, DROPPED, None),
        ({"b": [{"airplane": 1}]}, UNCLEAR, None),
        ({"b": [{"network": None}]}, LOST, None),
        ({}, LOST, None),
        ({}, DROPPED, None),
    ],
)
def test_airplane_mode_is_the_cause_of_what_it_can_cause(asked, state, error, of):
    found = asked(**state).cause(error)
    if of is None:
        assert found is error
    else:
        assert (found.reason, str(found)) == ("airplane_mode", f"{of} is in airplane mode; switch it off there")


@pytest.mark.parametrize(
    "error", [PhoneTrouble("gone"), NeedsPerson("allow su"), AttemptVoid("bug", "x"), AttemptVoid("logged_out", "x")]
)
def test_what_has_another_cause_is_not_asked_about(asked, error):
    run = asked(a=[{"airplane": 1}])
    assert run.cause(error) is error
    assert run.shells["a"].asked == 0
