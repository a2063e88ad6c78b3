"""Emulated phones that restart: what is gone and what stays, and what the stock adb sees of one, and of one offline."""

import pytest

from lab.definitions import Lab
from lab.virtual.phone import BOOT_ID, UPTIME
from tests.lab.virtual.bench_process import SCENARIOS, Process
from tests.lab.virtual.test_rehearsal import Phone, Planned
from tests.lab.virtual.test_visits import A, B


@pytest.fixture(scope="module")
def lab():
    return Lab.load(SCENARIOS)


@pytest.fixture
def planned(lab, tmp_path):
    def made(*faults: dict) -> Planned:
        bench = Planned(lab, tmp_path, *faults)
        # The doors are opened with the bench's ports, which these tests do not need.
        bench.bench.doors |= dict.fromkeys((A, B), Shut(bench))
        return bench

    return made


class Shut:
    """A door that notes what is done to it."""

    def __init__(self, bench) -> None:
        self.done: list[str] = []

    def shut(self) -> None:
        self.done.append("shut")

    def reopen(self) -> None:
        self.done.append("reopened")

    async def settled(self) -> None:
        """It is."""


def told(phone) -> tuple[str, str, bool]:
    return phone.props["sys.boot_completed"], phone.props["sys.user.0.ce_available"], phone.handset.packages.sealed


def boot_id(phone) -> str:
    return phone.files.read(BOOT_ID, 2000).decode().strip()


def test_a_restart_ends_the_call_and_all_processes_and_gives_another_boot_id_which_outlives_the_attempt(planned):
    bench = planned({"what": "reboot", "on": A, "for_minutes": 1})
    phone, other = bench.bench.phones[A], bench.bench.phones[B]
    before = boot_id(phone), boot_id(other)
    assert before[0] != before[1]
    assert told(phone) == ("1", "true", False)
    door = bench.bench.doors[A]
    bench.attempt("t")
    assert (boot_id(phone) != before[0], boot_id(other) == before[1]) == (True, True)
    assert told(phone) == ("", "", True)
    assert (phone.handset.display.on, phone.handset.display.locked) == (False, True)
    assert not phone.handset.packages.reachable(phone.apps["whatsapp"])
    bench.end()
    bench.run(58)
    assert door.done == ["shut"]
    bench.run(2)
    assert door.done == ["shut", "reopened"]
    assert told(phone) == ("1", "true", False)
    assert phone.handset.packages.reachable(phone.apps["whatsapp"])
    assert 55 < float(phone.files.read(UPTIME, 2000).split()[0]) < 65
    after = boot_id(phone)
    bench.attempt("u")
    assert boot_id(phone) == after


def test_a_phone_with_a_pin_answers_after_forty_seconds_and_runs_no_app_until_somebody_enters_it(planned):
    bench = planned({"what": "reboot", "on": A, "for_minutes": 3, "pin": True})
    phone, door = bench.bench.phones[A], bench.bench.doors[A]
    bench.attempt("t")
    bench.end()
    bench.run(38)
    assert (door.done, told(phone)[0]) == (["shut"], "")
    bench.run(2)
    assert (door.done, told(phone)) == (["shut", "reopened"], ("1", "", True))
    bench.attempt("u")
    phone.handset.dismiss_keyguard()
    assert phone.handset.display.locked
    bench.end()
    bench.run(139)
    assert told(phone) == ("1", "true", False)
    bench.attempt("v")
    assert not phone.handset.display.locked


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    bench = Process(tmp_path_factory.mktemp("bench"))
    faults = [
        {"what": what, "on": A, "at": {"trial": number}, "for_minutes": 1}
        for number, what in enumerate(("adb_offline", "reboot"), 1)
    ]
    assert "error" not in bench.say({"op": "plan", "seed": 1, "faults": faults, "night_ns": 0, "trials": []})
    yield bench
    assert bench.end() == 0


def test_what_the_stock_adb_sees_of_a_phone_that_is_offline_restarts_and_is_asked_to(process):
    phone = Phone(process)
    phone.begin("offline")
    assert phone.becomes("offline")
    phone.end()
    phone.run(60)
    # The fault is over, and the connection that was never greeted stays so: it takes another one.
    assert "offline" in phone.state()
    assert phone.connect() == f"connected to {phone.serial}"

    boots = {phone.shell(f"cat {BOOT_ID}")[1]}
    phone.begin("reboot")
    assert phone.becomes("offline") or "not found" in phone.state()
    phone.end()
    phone.run(60)
    assert phone.connect() == f"connected to {phone.serial}"
    boots.add(phone.shell(f"cat {BOOT_ID}")[1])
    assert phone.shell("getprop sys.user.0.ce_available") == (0, "true")

    process.adb("-s", phone.serial, "reboot")
    phone.run(1)
    assert phone.becomes("offline") or "not found" in phone.state()
    phone.run(39)
    assert "connected" not in phone.connect()
    phone.run(1)
    assert phone.connect() == f"connected to {phone.serial}"
    boots.add(phone.shell(f"cat {BOOT_ID}")[1])
    assert len(boots) == 3
