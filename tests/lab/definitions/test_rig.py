from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab.definitions import BenchSpec, Lab, plan, plan_routes
from lab.definitions.lab import check
from lab.definitions.yaml import read

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
PLAYED = ["dogwood", "elder", "messenger", "snapchat", "whatsapp"]


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(SCENARIOS)


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))


def mistakes(scenarios: Path, file: str, *edits: tuple[str, str]) -> list[str]:
    """What is found once each text of a file, where it stands last, is another one; each with its line."""
    path = scenarios / file
    for old, new in edits:
        before, found, after = path.read_text().rpartition(old)
        assert found == old
        path.write_text(before + new + after)
    lines = path.read_text().splitlines()
    found = []
    for mistake in check(scenarios):
        assert mistake.path == path
        found.append(f"{lines[mistake.line - 1][mistake.column - 1 :]} -> {mistake.text}")
    return found


def test_the_apps_of_the_rig_are_those_that_browsers_can_play(lab):
    assert sorted(name for name, app in lab.virtual_apps.items() if app.rig is not None) == PLAYED
    assert sorted(lab.matrix("rig").apps) == PLAYED
    for phone in lab.bench("rig").phones:
        assert sorted(contact.app for contact in phone.contacts) == PLAYED


def test_of_whatsapp_two_fields_cannot_be_played_and_of_the_others_none(lab):
    unplayed = {name: [one.field for one in lab.virtual_apps[name].rig.unplayed] for name in PLAYED}
    assert unplayed == {"whatsapp": ["role", "service"], "messenger": [], "snapchat": [], "dogwood": [], "elder": []}


def test_as_many_trials_may_go_directly_on_the_rig_as_on_the_virtual_bench(lab):
    def direct(bench: str) -> set[str]:
        spec = lab.bench(bench)
        planned = plan_routes(lab, plan(lab.matrix("rig"), spec, 1), spec, 1)
        return {item.trial.id for item in planned if item.direct}

    assert direct("rig") == direct("virtual")
    assert len([trial for trial in direct("rig") if trial.startswith("whatsapp")]) == 4


TWICE = "  relays:\n    - {address: 31.13.87.50, port: 3478}\n"


@pytest.mark.parametrize(
    ("app", "old", "new", "found"),
    [
        (
            "whatsapp",
            "address: 31.13.87.50",
            "address: 31.13.87.51",
            "address: 31.13.87.51, port: 3478} -> 31.13.87.51 is no address of network.relays; "
            "there are 157.240.209.62, 31.13.82.48, 31.13.87.50",
        ),
        (
            "messenger",
            "address: 31.13.87.128",
            "address: 192.0.2.9",
            "address: 192.0.2.9, port: 3478} -> 192.0.2.9 is no address of network.relays; there are 157.240.209.57, "
            "157.240.31.57, 2a03:2880:f20f:1ce:face:b00c:0:74fd, 2a03:2880:f217:c0:face:b00c:0:553e and 5 more",
        ),
        (
            "whatsapp",
            TWICE,
            f"{TWICE}    - {{address: 31.13.87.50, port: 3478, transport: udp}}\n",
            "{address: 31.13.87.50, port: 3478, transport: udp} -> this relay a second time",
        ),
        (
            "elder",
            "relayed: callee",
            "relayed: nobody",
            "relayed: nobody -> relayed must name a phone: what does not go directly needs a relay",
        ),
        (
            "elder",
            "signals: [srflx, relay]",
            "signals: [srflx]",
            "signals: [srflx] -> ice: relay gathers relayed candidates, and signals has no 'relay'",
        ),
        (
            "snapchat",
            "signals: [srflx, relay]",
            "signals: [relay, srflx, relay]",
            "relay] -> 'relay' a second time",
        ),
        (
            "whatsapp",
            "field: service",
            "field: role",
            "field: role, reason: libwebrtc opens no three sessions that are equal in a voice call} "
            "-> 'role' a second time",
        ),
        (
            "whatsapp",
            "ice: relay_unless_direct",
            "ice: relay",
            "ice: relay -> ice: relay makes no direct call, and network.direct has some; relay_unless_direct does",
        ),
        (
            "dogwood",
            "network: fixed",
            "network: fixt",
            "network: fixt, address: 192.0.2.41, port: 443, transport: tcp} "
            "-> no network 'fixt'; did you mean 'fixed'?",
        ),
        (
            "dogwood",
            "    - {network: fixed, address: 192.0.2.41, port: 443, transport: tcp}\n",
            "",
            "relays: -> no relay for a phone on network 'fixed'; name one, or one for all",
        ),
        ("elder", "ufrag_characters: 5", "ufrag_characters: 3", "ufrag_characters: 3 -> "),
    ],
)
def test_calls_that_browsers_cannot_make_are_a_mistake_at_its_place(scenarios, app, old, new, found):
    first = mistakes(scenarios, f"virtual/{app}.yaml", (old, new))[0]
    assert first.startswith(found)


def test_a_network_is_asked_for_only_where_there_is_a_rig(scenarios):
    (scenarios / "benches" / "rig.yaml").unlink()
    assert mistakes(scenarios, "virtual/dogwood.yaml", ("network: fixed", "network: fixt")) == []


LAPTOP = "  tools: [dumpcap of this machine, coturn of this machine]\n"
CHANNEL = "{up_low_ns: 0, up_high_ns: 0, down_low_ns: 0, down_high_ns: 0}"
EMULATED = f"{LAPTOP}  emulation: {{clock: {{offset_ns: 0}}, channel: {CHANNEL}, interfaces: []}}\n"
IPV6 = "ipv6: 2001:db8:6c00::/64"


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        (
            [("link: ethernet", "link: raw"), ("dumpcap\n    rooted: false", "tcpdump\n    rooted: true")],
            "link: raw -> both phones have link raw; a rig has one of link raw (carrier) and one of ethernet (hotspot)",
        ),
        (
            [("capture: tcpdump", "capture: pcapdroid")],
            "capture: pcapdroid -> a rig captures its phone of link raw by tcpdump, not pcapdroid",
        ),
        (
            [(IPV6, f"{IPV6}\n        nat64_pool: 198.51.100.128/26\n        clat: true")],
            "clat: true -> a rig translates no addresses of IPv4 and IPv6: no clat",
        ),
        (
            [("hotspot_address: 192.168.137.1", "hotspot_address: 192.168.138.1")],
            "ipv4: [192.168.137.0/24] -> the laptop's hotspot_address 192.168.138.1 is in none of these networks",
        ),
        ([(LAPTOP, EMULATED)], "emulation: {clock: "),
        ([(LAPTOP, f"{LAPTOP}  agent: [python, a.pyz]\n")], "agent: [python, a.pyz] -> the laptop of a rig bench"),
        ([('  - "lab_pixel6"\n', "")], "address: \"lab_pixel6\"} -> this address is not in allowed_callees"),
        (
            [('      - {app: elder, address: "15555550102"}\n', "")],
            "contacts: -> no contact of phone 'pixel6pro' for app 'elder', which is emulated",
        ),
    ],
)  # fmt: skip
def test_a_bench_that_is_no_rig_is_a_mistake_at_its_place(scenarios, edits, found):
    (one,) = mistakes(scenarios, "benches/rig.yaml", *edits)
    assert one.startswith(found)


def test_a_phone_of_a_rig_needs_its_emulation(scenarios):
    path = scenarios / "benches" / "rig.yaml"
    path.write_text(re.sub(r"    emulation:\n(      .*\n)+", "", path.read_text(), count=1))
    assert [mistake.text for mistake in check(scenarios)] == ["missing key 'emulation': phone 'pixel6' is virtual"]


def test_a_rig_needs_no_contact_for_an_app_that_browsers_do_not_play(scenarios):
    spec = read(scenarios / "benches" / "rig.yaml", BenchSpec)
    assert (spec.phones[0].address_in("alder"), check(scenarios)) == (None, [])
