"""A phone that is to be opened: what is the ladder's to mend, and what only a person can."""

import contextlib
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.bench.opening import Opening
from lab.bench.real import NoSerial, RealBench
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import NeedsPerson, PhoneTrouble
from lab.phone.adb import PhoneState

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture
def kind(monkeypatch):
    """A real bench on whose port no adb server listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(held.getsockname()[1]))
        spec = Lab.load(SCENARIOS).bench("pixels")
        with contextlib.closing(RealBench(spec, Stop(), phones=False)) as bench:
            yield bench


def opening(kind, serial):
    spec = Lab.load(SCENARIOS).bench("pixels").phone("pixel6").model_copy(update={"serial": serial})
    return Opening(kind, spec, ExitStack(), reach, lambda phone: phone)


def reach(stack, spec):
    """No phone is behind this bench: none is opened."""
    raise AssertionError(spec.name)


def test_where_no_adb_server_answers_the_ladder_may_start_one(kind):
    phone = opening(kind, "PRETEND1")
    with pytest.raises(PhoneTrouble, match=r"^no adb server answers at 127\.0\.0\.1:\d+ "):
        phone.check_health()
    assert not phone.is_open()
    assert (phone.device.state(), str(phone.device.serial)) == (PhoneState.NO_SERVER, "PRETEND1")


def test_a_phone_without_a_serial_is_a_persons_at_once(kind):
    with pytest.raises(NeedsPerson, match=r"^pixel6 has no serial; write it into the bench's \*\.local\.yaml$") as told:
        opening(kind, None).is_open()
    assert isinstance(told.value, NoSerial)


def test_a_phone_that_adb_lists_by_another_name_later_is_reached_by_that(kind, monkeypatch):
    phone, listed = opening(kind, "PRETEND1"), []
    monkeypatch.setattr("lab.bench.opening.name_there", lambda client, serial: [serial, *listed][-1])
    assert str(phone.device.serial) == "PRETEND1"
    assert phone.device is phone.device
    listed.append("adb-PRETEND1-vWgJpq._adb-tls-connect._tcp")
    assert str(phone.device.serial) == listed[0]
