"""What a local file says of a phone's port, its restart and the laptop's hotspot."""

import shutil
from pathlib import Path

import pytest

from lab.definitions.lab import Lab, check
from lab.definitions.secrets import secrets

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
CYCLE = '[uhubctl, -a, cycle, -l, 1-1, -p, "2", -d, "5"]'


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    target = tmp_path / "scenarios"
    shutil.copytree(SCENARIOS, target, ignore=shutil.ignore_patterns("*.local.yaml"))
    return target


def local(scenarios: Path, phone: str, laptop: str = "") -> list[str]:
    file = scenarios / "benches" / "pixels.local.yaml"
    file.write_text(f"phones:\n  - name: pixel6\n    {phone}\n{laptop}\n")
    return [str(mistake).removeprefix(f"{file}:") for mistake in check(scenarios)]


def test_a_local_file_gives_a_phone_a_switch_and_leave_to_restart_and_the_other_one_neither(scenarios: Path):
    said = f"power_cycle: {CYCLE}\n    reboot: allowed"
    assert local(scenarios, said, "laptop: {hotspot_start: [powershell, -File, C:/im-call-lab/hotspot.ps1]}") == []
    bench = Lab.load(scenarios).bench("pixels")
    first, second = bench.phones
    assert first.power_cycle == ["uhubctl", "-a", "cycle", "-l", "1-1", "-p", "2", "-d", "5"]
    assert (first.reboot, second.power_cycle, second.reboot) == ("allowed", None, None)
    assert bench.laptop.hotspot_start == ["powershell", "-File", "C:/im-call-lab/hotspot.ps1"]
    # None of it is secret: `cycle` may stand in a journal.
    assert {each.value for each in secrets(bench)} & {"cycle", "uhubctl", "allowed", "powershell"} == set()


def test_what_the_bench_file_says_of_the_hotspot_stays_where_the_local_one_says_nothing(scenarios: Path):
    file = scenarios / "benches" / "pixels.yaml"
    text = file.read_text()
    start = "  hotspot_address: 192.168.137.1\n"
    assert text.count(start) == 1
    file.write_text(text.replace(start, f"{start}  hotspot_start: [nmcli, connection, up, Hotspot]\n"))
    assert local(scenarios, "serial: ABC", "laptop: {connect: [ssh, laptop]}") == []
    assert Lab.load(scenarios).bench("pixels").laptop.hotspot_start == ["nmcli", "connection", "up", "Hotspot"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("power_cycle: [uhubctl, -a, cycle, -p, '2']", "uhubctl without -l switches what is not the phone's; name"),
        ("power_cycle: [sudo, /usr/sbin/uhubctl, -a, cycle, -l, 1-1]", "uhubctl without -p switches what is not"),
        ("power_cycle: []", "power_cycle"),
        ("power_cycle: uhubctl", "power_cycle"),
        ("reboot: true", "reboot"),
        ("reboot: alowed", "allowed"),
    ],
)
def test_a_mistake_is_one_line_at_its_place(scenarios: Path, said: str, told: str):
    (mistake,) = local(scenarios, said)
    assert mistake.startswith("3:")
    assert told in mistake
    assert "\n" not in mistake


@pytest.mark.parametrize("said", ["[uhubctl, -l1-1, -p2]", "[uhubctl, --location=1-1, --ports=2]", "[relay, '1']"])
def test_other_spellings_and_other_programs_pass(scenarios: Path, said: str):
    assert local(scenarios, f"power_cycle: {said}") == []


def test_no_word_that_starts_a_hotspot_needs_quotes(scenarios: Path):
    (mistake,) = local(scenarios, "serial: ABC", "laptop: {hotspot_start: [powershell, 'Start-Hotspot; rm x']}")
    assert mistake.startswith("4:")
