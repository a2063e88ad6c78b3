"""Programs of a phone that refuse, or say one thing and do another: the doctor, or the void, names the true cause."""

from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.capture.kinds import KINDS
from lab.clocks import deadlines
from lab.clocks.stop import Stop
from lab.commands import doctor
from lab.definitions import Lab
from lab.errors import PhoneTrouble
from lab.phone.chains import Chains
from lab.phone.root import ALLOW, SuRefuses
from tests.end_to_end.runs import ROOT

MONKEY = {"what": "monkey", "on": "pixel6"}
KEYS = "** SYS_KEYS has no physical keys but with factor 2.0%."


@pytest.fixture(scope="module")
def bench():
    lab = Lab.load(Path(ROOT / "scenarios"))
    with Bench(lab, lab.bench("virtual"), Stop()) as bench:
        yield bench


@pytest.fixture
def phone(bench):
    found = bench.phones["pixel6"]
    found.device.close()  # a root shell that is open already asks no su
    return found


@pytest.fixture
def whatsapp(bench):
    return bench.lab.apps["whatsapp"]


def fail(bench, **fault):
    bench.kind.ask(op="fail_next", **fault)


def shown(phone) -> str:
    return phone.device.run("dumpsys activity activities | grep -F topResumedActivity").text


def test_doctor_tells_what_su_says(bench, phone):
    fail(bench, what="su", on="pixel6", times=9, said="su: invalid uid/gid '-c'")
    found = {check.check: check.found for check in doctor._of_phone(phone, []) if not check.ok}
    words = "su says \"su: invalid uid/gid '-c'\": this su takes no -c; root the phone with Magisk, KernelSU or APatch"
    assert found["root"].endswith(f"no whole answer to `id`: the shell ended while it ran: id; {words}")
    while su_is_spoiled(phone):  # how often the doctor asks it is not the point
        pass


def su_is_spoiled(phone) -> bool:
    try:
        return phone.device.run("id -u", root=True).text != "0\n"
    except PhoneTrouble:
        return True


def test_a_su_that_asks_on_the_screen_is_named_within_the_deadline(bench, phone):
    fail(bench, what="su", on="pixel6")
    with deadlines.scaled(0.05), pytest.raises(PhoneTrouble) as raised:
        phone.device.run("id", root=True)
    assert str(raised.value).endswith(f"su says nothing; a prompt may wait on the phone's screen: {ALLOW}")
    assert phone.device.run("id -u", root=True).text == "0\n"


def test_a_capture_that_su_refuses_is_not_laid_on_tcpdump(bench, phone, whatsapp):
    fail(bench, what="su", on="pixel6", said="Permission denied", code=13, contains="exec tcpdump")
    made = bench.new_capture(phone, whatsapp, "refused")
    with pytest.raises(SuRefuses) as raised:
        made.start()
    made.discard()
    assert str(raised.value).endswith(f"tcpdump is not live: su says 'Permission denied': {ALLOW}")
    # Asked again it gives root: that once was no proof.
    phone.check_health()
    assert KINDS["tcpdump"].sweep(phone) == 0


def test_an_app_that_was_started_is_whatever_monkey_ends_with(bench, phone, whatsapp):
    chains = Chains(phone.device, phone.screen, bench.clock)
    phone.screen.press("home")
    fail(bench, **MONKEY, said="// CRASH: com.whatsapp (pid 4711)", code=1)
    assert chains.launch(whatsapp)
    bench.clock.sleep(1.0)
    assert "com.whatsapp/" in shown(phone)


def test_a_monkey_that_wants_keys_is_asked_without_them(bench, phone, whatsapp):
    chains = Chains(phone.device, phone.screen, bench.clock)
    phone.screen.press("home")
    fail(bench, **MONKEY, said=KEYS, code=251, starts=False)
    assert chains.launch(whatsapp)
    bench.clock.sleep(1.0)
    assert "com.whatsapp/" in shown(phone)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({"installed": "false"}, "not installed"),
        ({"suspended": "true"}, "suspended"),
        ({"enabled": "3"}, "disabled by its user"),
    ],
)
def test_an_app_that_the_first_user_cannot_use_is_none(bench, phone, whatsapp, state, word):
    fail(bench, what="package", on="pixel6", contains="com.whatsapp", **state)
    with pytest.raises(PhoneTrouble) as raised:
        phone.identify(whatsapp)
    told = (
        f"pixel6: com.whatsapp {whatsapp.version} is {word} for its user 0; install whatsapp {whatsapp.version} on it"
    )
    assert str(raised.value) == f"{told}, or enable it there"
    assert phone.identify(whatsapp) == whatsapp.version
