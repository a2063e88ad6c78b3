from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.bench.real import NoAdbServer, RealBench
from lab.clocks.stop import Stop
from lab.commands import doctor, network_checks
from lab.commands.checks import Check, once
from lab.commands.doctor import _learnt, _needs, _witnesses, examine
from lab.definitions import Lab, StunServer
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone import netstats
from lab.phone.default_network import DefaultNetwork
from lab.phone.witnesses.facts import Missing, PhoneDate, Reading
from lab.run import introductions
from lab.run.options import Options
from lab.run.plan import prepare
from lab.virtual.rig import needs

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
LAB = Lab.load(SCENARIOS)
ROOT = needs.Need("not root: no network namespaces can be made", "run as root")
PROGRAMS = needs.Need("no turnserver", "apt-get install --no-install-recommends coturn")


def test_a_rig_on_a_machine_that_lacks_something_is_not_opened_and_each_lack_has_its_line(monkeypatch, tmp_path):
    monkeypatch.setattr(needs, "lacking", lambda: [ROOT, PROGRAMS])
    run = prepare(Options("rig", "smoke", str(tmp_path / "dataset"), "1", str(SCENARIOS), ""))
    checks = [check for check in examine(run, Stop()) if check.subject == "rig"]
    assert checks == [
        Check("rig needs", "rig", False, ROOT.what, ROOT.fix),
        Check("rig needs", "rig", False, PROGRAMS.what, PROGRAMS.fix),
        Check(
            "bench",
            "rig",
            False,
            "not opened: not root: no network namespaces can be made; no turnserver",
            "mend what is named, then run doctor again",
        ),
    ]


def test_where_nothing_is_lacking_one_line_says_so_and_other_benches_need_nothing(monkeypatch):
    monkeypatch.setattr(needs, "lacking", lambda: [])
    found = "root, network namespaces, TUN and all programs are there"
    assert list(_needs(LAB.bench("rig"))) == [Check("rig needs", "rig", True, found, "")]
    monkeypatch.setattr(needs, "lacking", lambda: [ROOT])
    assert [list(_needs(LAB.bench(name))) for name in ("virtual", "pixels")] == [[], []]


READ = Reading(PhoneDate(1_767_571_200, 0), "MODE_NORMAL", (), (), (), (), ())


def witnesses(monkeypatch, read: Reading, log) -> Check:
    """What the doctor says of a phone whose records are these."""
    monkeypatch.setattr(doctor.reading, "read", lambda device: read)
    monkeypatch.setattr(doctor.events, "EventsStream", lambda device, now_ns: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(doctor.events, "whole", lambda device, stream, now_ns: log)
    device = SimpleNamespace(read_clock_ns=lambda: 1_767_571_200_000_000_000)
    return _witnesses(SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=device))


def test_what_of_a_phones_records_cannot_be_read_is_named_with_the_claims_that_it_costs(monkeypatch):
    whole = witnesses(monkeypatch, READ, ())
    assert whole == Check("witnesses", "pixel6", True, "audio, camera, telecom, telephony and events can be read", "")
    lacking = witnesses(monkeypatch, replace(READ, cameras=Missing("no events log")), Missing("no such buffer"))
    assert not lacking.ok
    assert lacking.found == "camera cannot be read: no events log; events cannot be read: no such buffer"
    assert lacking.fix == (
        "service is never proven, which needs camera; trials are kept with what is undecided; "
        "or take a phone whose dumpsys and logcat show it"
    )
    agreed = witnesses(monkeypatch, READ, Missing("no such buffer"))
    assert agreed.fix.startswith("every claim can be proven all the same; ")


def test_a_phone_that_does_not_answer_is_one_check_that_fails(monkeypatch):
    def gone(device) -> Reading:
        raise PhoneTrouble("pixel6: no whole answer")

    witnesses(monkeypatch, READ, ())
    monkeypatch.setattr(doctor.reading, "read", gone)
    device = SimpleNamespace(read_clock_ns=lambda: 1)
    found = _witnesses(SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=device))
    assert (found.ok, found.found, found.fix) == (False, "pixel6: no whole answer", "mend what is named")


@pytest.mark.parametrize("kind", ["virtual", "real"])
def test_pairs_that_may_not_call_with_nobody_there_are_named_on_real_phones_alone(tmp_path, kind):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    run = prepare(Options("virtual", "smoke", str(tmp_path / "dataset"), "1", str(scenarios), ""))
    run = replace(run, spec=run.spec.model_copy(update={"kind": kind}))
    introductions.introduce(run.lab, run.spec, ("whatsapp", "pixel6", "pixel6pro"), 1.5)
    introductions.park(run.lab, run.spec, "whatsapp", "pixel6", "pixel6pro", "did not ring")
    checks = list(_learnt(run))
    if kind == "virtual":
        assert checks == []
        return
    assert checks[0] == Check(
        "introduced",
        "virtual",
        False,
        "whatsapp from pixel6pro to pixel6 never rang; whatsapp from pixel6 to pixel6pro is parked",
        "be there and type invoke introduce APP --bench virtual",
    )


def test_one_cause_is_told_once_and_other_causes_are_kept():
    first = Check("hotspot", "laptop", False, "no interface holds 192.168.137.1", "start it")
    again = Check("lease", "laptop", False, "no interface holds 192.168.137.1", "join it")
    other = Check("dumpcap", "laptop", False, "no dumpcap", "install it")
    same_but_right = Check("coalescing", "laptop", True, "no dumpcap", "")
    assert once([first, again, other, same_but_right]) == [first, other, same_but_right]


def test_an_adb_server_that_does_not_run_is_one_line_for_all_phones_and_names_its_start_command(monkeypatch):
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    spec = LAB.bench("pixels")
    phones = [one.model_copy(update={"serial": f"PRETEND{n}"}) for n, one in enumerate(spec.phones)]
    spec = spec.model_copy(update={"phones": phones})
    with contextlib.closing(RealBench(spec, Stop(), phones=False)) as bench:
        troubles = {}
        for one in spec.phones:
            with pytest.raises(NoAdbServer) as caught:
                bench.serial(one)
            troubles[one.name] = caught.value
    (check,) = doctor._unreachable(troubles)
    assert (check.check, check.subject, check.ok) == ("reachable", "pixel6, pixel6pro", False)
    assert check.found.startswith("no adb server answers at 127.0.0.1:1 (")
    assert check.found.endswith("; start it: adb -P 1 start-server")
    causes = {"pixel6": PhoneTrouble("pixel6: offline"), "pixel6pro": PhoneTrouble("pixel6pro: unauthorized")}
    assert [check.subject for check in doctor._unreachable(causes)] == ["pixel6", "pixel6pro"]


def asked_phone(name: str, probe) -> SimpleNamespace:
    return SimpleNamespace(spec=SimpleNamespace(name=name), probe_public_addresses=probe)


def test_each_stun_server_is_asked_from_each_phone_and_an_examples_address_is_called_one():
    def silent(servers):
        raise AttemptVoid("no_public_address", "no STUN server answered")

    def gone(servers):
        raise PhoneTrouble("gone")

    example = StunServer(address="192.0.2.250", port=3478)
    own = StunServer(address="10.1.2.3", port=3479)
    heard, mute = asked_phone("a", lambda servers: [servers[0].address]), asked_phone("b", silent)
    apart, dead = asked_phone("c", lambda servers: []), asked_phone("d", gone)
    subject = "10.1.2.3 port 3479"
    assert list(network_checks.stun([own], [heard, apart, dead])) == [Check("stun", subject, True, "answers a", "")]
    (check,) = network_checks.stun([own], [apart])
    assert (check.ok, check.found) == (True, "no phone has an address of its family")
    (check,) = network_checks.stun([own], [heard, mute])
    assert (check.ok, check.found) == (False, "does not answer b")
    assert check.fix.startswith("mend the path to it, or write one that you may use")
    for phones, found in (([mute], "does not answer b"), ([], "was not asked")):
        (check,) = network_checks.stun([example], phones)
        assert (check.ok, check.found) == (False, found)
        assert check.fix.startswith("that is an example's address, which answers nobody; write one")


def test_a_resolver_that_nobody_answers_for_is_named_and_any_answer_is_one(monkeypatch):
    def silent(address, where, tries):
        asked.append((where[0], tries))
        raise TimeoutError

    asked: list[tuple[str, int]] = []

    monkeypatch.setattr(network_checks, "look_up", silent)
    check = network_checks.resolver(("192.0.2.53", 53))
    assert (check.subject, check.ok, check.found) == ("192.0.2.53 port 53", False, "does not answer the controller")
    assert check.fix.startswith("that is an example's address, which answers nobody; ")
    assert network_checks.resolver(("10.1.2.3", 53)).fix.startswith("mend the path to it, or write one")
    assert asked == [("192.0.2.53", 1), ("10.1.2.3", 3)]
    monkeypatch.setattr(network_checks, "look_up", lambda address, where, tries: {"name": None, "how": "PTR: NXDOMAIN"})
    assert network_checks.resolver(("192.0.2.53", 53)).ok
    assert network_checks.resolver(None).ok


def test_a_kind_of_network_that_cannot_be_read_is_said_without_the_names_of_networks(monkeypatch):
    identity = '[{type=99, ratType=COMBINED, wifiNetworkKey="My Home"wpa2-psk, subscriberId=001010123456789}] DEFAULT'
    known = netstats.Bucket("wifi", "[{type=1, ...}] DEFAULT", 0)
    active = ["{type=1, transports={1}}"]

    def dump(command: str, timeout_s: float) -> SimpleNamespace:
        return SimpleNamespace(text=f"Active UID interfaces:\n  iface=wlan0 ident=[{active[0]}] \nDev stats:\n")

    wlan = DefaultNetwork("wlan0", "wifi")
    device = SimpleNamespace(run=dump)
    phone = SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=device, default_network=lambda: wlan)
    monkeypatch.setattr(network_checks, "_bytes", lambda phone, app: {known: 7})
    apps = [LAB.apps["whatsapp"]]
    assert network_checks.counted(phone, apps).found == "by app and by network, so far wifi"
    active[0] = '{type=1, wifiNetworkKey="My Home"wpa2-psk, transports={99}}'
    check = network_checks.counted(phone, apps)
    why = "cannot be read: dumpsys netstats counts the bytes of wlan0 (wifi) for type=1, transports={99}"
    assert (check.ok, check.found) == (False, why)
    strange = netstats.Bucket(netstats.UNREADABLE, identity, 0)
    monkeypatch.setattr(network_checks, "_bytes", lambda phone, app: {known: 7, strange: 1})
    check = network_checks.counted(phone, apps)
    assert not check.ok
    assert check.found == "the kind of network cannot be read: type=99, ratType=COMBINED"


def test_a_phone_that_stops_answering_is_one_line_and_what_was_right_before_stays(monkeypatch):
    alive = [True, True, False]

    def run(command: str) -> None:
        if not alive.pop(0):
            raise PhoneTrouble("pixel6: gone")

    def checks(phone, apps, agent):
        yield Check("battery", "pixel6", True, "87%", "")
        yield Check("airplane mode", "pixel6", False, "on", "switch it off")
        yield Check("disk", "pixel6", False, "pixel6: no whole answer to `df`", "make room")
        yield Check("app", "pixel6", False, "never asked", "")

    monkeypatch.setattr(doctor, "_phone", checks)
    phone = SimpleNamespace(spec=SimpleNamespace(name="pixel6"), device=SimpleNamespace(run=run))
    assert doctor._of_phone(phone, []) == [
        Check("reachable", "pixel6", False, "pixel6: gone", "connect it again, then run doctor again"),
        Check("battery", "pixel6", True, "87%", ""),
        Check("airplane mode", "pixel6", False, "on", "switch it off"),
    ]
