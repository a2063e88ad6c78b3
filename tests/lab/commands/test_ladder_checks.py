"""What the doctor says of what switches a phone's USB port, and that it switches nothing."""

from types import SimpleNamespace

import pytest

from lab.commands.ladder_checks import FIX, looking, power_cycles


def phone(*argv: str):
    return SimpleNamespace(name="pixel6", power_cycle=list(argv) or None)


@pytest.fixture
def uhubctl(tmp_path):
    """A uhubctl that notes what it was asked, says `said` and ends with `code`."""

    def made(said: str, code: int) -> str:
        path = tmp_path / "uhubctl"
        path.write_text(
            f'#!/bin/sh\necho "$@" >{tmp_path}/asked\necho "{said}" >&{1 if code == 0 else 2}\nexit {code}\n'
        )
        path.chmod(0o755)
        return str(path)

    made.asked = tmp_path / "asked"
    return made


def found(*argv: str):
    return [(one.ok, one.found, one.fix) for one in power_cycles([phone(*argv)])]


def test_a_phone_without_a_switch_has_no_line():
    assert found() == []


def test_a_program_that_is_not_there_is_named_with_what_to_do():
    assert found("/nowhere/uhubctl", "-l", "1-1", "-p", "2") == [(False, "no program /nowhere/uhubctl", FIX)]


def test_a_hub_is_looked_at_and_not_switched(uhubctl):
    program = uhubctl("  Port 2: 0103 power enable connect", 0)
    assert found(program, "-a", "cycle", "-l", "1-1", "-p", "2", "-d", "5") == [
        (True, "Port 2: 0103 power enable connect", "")
    ]
    assert uhubctl.asked.read_text() == "-l 1-1 -p 2\n"


def test_a_uhubctl_without_a_fit_hub_says_so(uhubctl):
    program = uhubctl("No compatible devices detected at location 1-1!", 1)
    assert found(program, "-a", "cycle", "-l", "1-1", "-p", "2") == [
        (False, "No compatible devices detected at location 1-1!", FIX)
    ]


def test_another_program_is_only_looked_for(tmp_path):
    path = tmp_path / "relay"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/switched\n")
    path.chmod(0o755)
    ((ok, said, _),) = found(str(path), "cycle")
    assert (ok, said.startswith(f"{path} is there"), (tmp_path / "switched").exists()) == (True, True, False)


@pytest.mark.parametrize(
    ("argv", "asks"),
    [
        (["sudo", "uhubctl", "-a", "cycle", "-l", "1-1", "-p", "2"], ["sudo", "uhubctl", "-l", "1-1", "-p", "2"]),
        (["uhubctl", "--action=cycle", "-l1-1", "-p2", "-d5"], ["uhubctl", "-l1-1", "-p2"]),
        (["/opt/uhubctl/relay", "on"], None),
    ],
)
def test_what_switches_is_left_out_of_uhubctls_words(argv, asks):
    assert looking(argv) == asks
