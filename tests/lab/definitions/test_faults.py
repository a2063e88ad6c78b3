"""Faults of a rehearsal as YAML: what they may say, and which mistakes are told where."""

from pathlib import Path

import pytest

from lab.definitions import Lab
from lab.definitions.faults import STATES, STRIKES
from lab.definitions.lab import check
from lab.errors import BadInput
from lab.run.options import Options
from lab.run.plan import prepare
from lab.virtual.bench import EmulatedBench
from lab.virtual.troubles import Troubles

SCENARIOS = Path(__file__).parents[3] / "scenarios"


def mistakes(folder: Path, *faults: str, among: Path = SCENARIOS) -> list[str]:
    """What is told of these faults, each from its line (3 is that of the first fault) on, by themselves or `among`
    other files."""
    file = folder / "faults" / "x.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("name: x\nfaults:\n" + "".join(f"  - {{{fault}}}\n" for fault in faults))
    return [str(one).removeprefix(f"{file}:") for one in check(among, file)]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("what: adb_reset, on: pixel6", None),
        ("what: adb_away, on: pixel6, for_minutes: 8, probability: 0.1, at: {trial: 3, step: ringing}", None),
        (
            "what: adb_rest, on: pixel6",
            "3:6: no what 'adb_rest'; did you mean 'adb_reset'?",
        ),
        ("what: adb_reset, on: pixel6, tims: 2", "3:35: unknown key 'tims'; did you mean 'times'?"),
        ("what: adb_reset, on: pixel6, at: {step: ring}", "3:40: no step 'ring'; did you mean 'ringing'?"),
        ("what: adb_reset, on: pixel6, at: {trial: 0}", "at.trial must be at least 1, is 0"),
        ("what: adb_away, on: pixel6", "3:5: missing key 'for_minutes': adb_away lasts; write how long, or for_ever"),
        ("what: adb_away, on: pixel6, for_ever: true, for_minutes: 2", "write one of them"),
        ("what: adb_reset, on: laptop", "adb_reset is on a phone, not on the laptop"),
        ("what: adb_server_killed, on: pixel6", "adb_server_killed is on the bench, not on 'pixel6'"),
        ("what: logged_out, on: pixel6, for_ever: true", "missing key 'app': logged_out is of one app"),
        ("what: adb_reset, on: pixel6, app: whatsapp", "adb_reset is of no app; leave it out"),
        ("what: battery, on: pixel6, for_ever: true", "missing key 'battery_percent': battery needs it"),
        ("what: adb_reset, on: pixel6, late_s: 3", "late_s is of answers_late and capture_late, not of adb_reset"),
        ("what: prompt, on: pixel6, dialog: rating, at: {step: ringing}", None),
        ("what: prompt, on: pixel6", "missing key 'dialog': prompt needs it"),
        ("what: prompt, on: pixel6, dialog: ratin", "no dialog 'ratin'; did you mean 'rating'?"),
        ("what: clock_jump, on: laptop, jump_s: -2", None),
        ("what: clock_jump, on: bench, jump_s: -2", "clock_jump is on a phone, not on the bench"),
        ("what: capture_cut, on: laptop, at: {step: stopped}", "or ended: later its capture is there already"),
        (
            "what: capture_late, on: laptop, late_s: 9, at: {step: captured}",
            "capture_late comes at begun or opened",
        ),
        ("what: redial, on: pixel6", "redial comes at ended: it is the call after one"),
        (
            "what: other_side_first, on: pixel6, at: {step: placed}",
            "it is the call before the trial's own",
        ),
        ("what: banned, on: pixel6, for_ever: true", "missing key 'app': banned is of one app"),
        ("what: network_lost, on: pixel6", "missing key 'for_minutes': network_lost lasts"),
        ("what: adb_slow, on: pixel6, for_minutes: 1, slow_ms: 0", "slow_ms must be at least 1, is 0"),
        ("what: heat, on: pixel6, thermal_status: 6, for_ever: true", None),
        ("what: heat, on: pixel6, for_ever: true", "missing key 'thermal_status': heat needs it"),
        ("what: heat, on: pixel6, thermal_status: 7, for_ever: true", "thermal_status must be at most 6, is 7"),
        ("what: laptop_disk_full, on: pixel6, for_ever: true", "laptop_disk_full is on the laptop, not on 'pixel6'"),
        ("what: phone_disk_full, on: laptop, for_ever: true", "phone_disk_full is on a phone, not on the laptop"),
        (
            "what: airplane_mode, on: pixel6, for_ever: true, at: {step: ringing}",
            "airplane_mode comes at begun: what a call has under way is not taken back",
        ),
        ("what: reboot, on: pixel6, pin: true, for_minutes: 3", None),
        ("what: adb_away, on: pixel6, pin: true, for_minutes: 3", "pin is of reboot, not of adb_away"),
    ],
)
def test_a_fault_says_what_it_means_and_a_mistake_is_told_at_its_place(tmp_path, fault, told):
    found = mistakes(tmp_path, fault)
    assert found == [] if told is None else told in found[0]
    assert len(found) == (told is not None)


def test_faults_name_phones_and_apps_that_a_virtual_bench_has(tmp_path):
    for folder in SCENARIOS.iterdir():
        if folder.name != "faults":
            (tmp_path / folder.name).symlink_to(folder)
    strange = (
        "what: adb_reset, on: pixel6prp",
        "what: logged_out, on: pixel6, app: whatsap, for_ever: true",
        "what: banned, on: pixel6, app: snapchat, for_ever: true",
    )
    found = mistakes(tmp_path, *strange, among=tmp_path)
    assert found == [
        "3:23: no machine 'pixel6prp'; did you mean 'pixel6pro'?",
        "4:36: no app 'whatsap'; did you mean 'whatsapp'?",
        "5:32: virtual/snapchat.yaml has no refusal 'banned', which is what it shows then",
    ]


def test_every_fault_can_be_made_and_no_other(tmp_path):
    lab = Lab.load(SCENARIOS)
    troubles = Troubles(EmulatedBench(lab.bench("virtual"), lab.virtual_apps, tmp_path))
    assert sorted(troubles.strikes) == sorted(STRIKES)
    assert sorted(troubles.states) == sorted(STATES)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bench": "rig"}, "--faults one_bad_cable: bench rig is rig; faults are rehearsed on a virtual bench"),
        ({"bench": "pixels"}, "--faults one_bad_cable: bench pixels is real; faults are rehearsed on a virtual bench"),
        (
            {"benches": 2},
            "--faults one_bad_cable: trials are counted and the night clock goes on one bench; drop --benches",
        ),
        ({"faults": "one_bad_cabel"}, "no such faults in SCENARIOS/faults; did you mean 'one_bad_cable'?"),
        ({"faults": "none.yaml"}, "none.yaml:1:1: no such file"),
    ],
)
def test_a_rehearsal_is_refused_in_one_line_where_it_cannot_be(options, told):
    with pytest.raises(BadInput) as refused:
        prepare(Options(scenarios=str(SCENARIOS), matrix="smoke", **{"faults": "one_bad_cable", **options}))
    (line,) = str(refused.value).splitlines()
    assert told.replace("SCENARIOS", str(SCENARIOS)) in line
