"""What a phone prints of its battery, heat, room and airplane mode, and whether it is fit for a call then."""

from types import SimpleNamespace

import pytest

from lab.errors import NeedsPerson, PhoneTrouble
from lab.phone import fitness
from lab.phone.fitness import Finding, airplane_mode, ask, battery, disk, heat, questions, require_room
from lab.programs.shell import ShellOutput

DIRECTORY = "/data/local/tmp/im-call-lab"
BATTERY = (
    "Current Battery Service state:\n  USB powered: true\n  present: true\n  level: {}\n  scale: {}\n  voltage: 4000\n"
)
HEAT = "IsStatusOverride: false\nThermal Status: {}\nCached temperatures:\nHAL Ready: {}\n"
HEAD = "Filesystem       1K-blocks     Used Available Use% Mounted on\n"
DF = HEAD + "/dev/block/dm-9  113246208 41943040 {:>9}  38% /data\n"


@pytest.mark.parametrize(
    ("level", "scale", "verdict", "text"),
    [
        (20, 100, "fit", "20%"),
        (19, 100, "unfit", "19%"),
        (0, 100, "unfit", "0%"),
        (39, 200, "unfit", "19%"),
        (40, 200, "fit", "20%"),
    ],
)
def test_a_battery_is_fit_from_its_threshold_on_by_its_own_scale(level, scale, verdict, text):
    assert battery(BATTERY.format(level, scale), 20) == Finding("battery", verdict, text, "charge it")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Can't find service: battery\n", 'no level in dumpsys battery: "Can\'t find service: battery"'),
        ("", "no level in dumpsys battery"),
        (BATTERY.format(101, 100), "no level in dumpsys battery: "),
        (BATTERY.format(0, 0), "no level in dumpsys battery: "),
        (BATTERY.format(0, 100).replace("present: true", "present: false"), "dumpsys battery says that it has none"),
        ("  Sending ACTION_BATTERY_CHANGED: level:7, health:2\n", "no level in dumpsys battery: "),
    ],
)
def test_a_battery_that_is_not_told_is_unknown_and_never_low(text, why):
    found = battery(text, 20)
    assert (found.verdict, found.text[: len(why)]) == ("unknown", why)


@pytest.mark.parametrize(
    ("status", "verdict", "word"),
    [(0, "fit", "none"), (2, "fit", "moderate"), (3, "unfit", "severe"), (6, "unfit", "shutdown")],
)
def test_a_phone_is_too_hot_once_it_slows_down_severely(status, verdict, word):
    found = heat(HEAT.format(status, "true"))
    assert found == Finding("heat", verdict, f"thermal status {status} ({word})", "cool it")


@pytest.mark.parametrize("status", [0, 4])
def test_a_status_that_nothing_is_measured_for_is_unknown(status):
    assert heat(HEAT.format(status, "false")).verdict == "unknown"


def test_a_skin_that_is_severely_hot_now_counts_and_a_processor_or_what_was_before_does_not():
    sensor = "\tTemperature{{mValue=50.1, mType={}, mName=X, mStatus=4}}\n".format
    dump = HEAT.format(1, "true")
    assert heat(f"{dump}Current temperatures from HAL:\n{sensor(3)}").text == "thermal status 4 (critical)"
    assert heat(f"{dump}Current temperatures from HAL:\n{sensor(0)}").text == "thermal status 1 (light)"
    assert heat(f"{sensor(3)}{dump}").text == "thermal status 1 (light)"


@pytest.mark.parametrize(
    "text", ["", "Can't find service: thermalservice\n", "Thermal Status: 7\n", "Thermal Status: -1\n"]
)
def test_a_status_that_is_none_is_unknown(text):
    assert heat(text).verdict == "unknown"


@pytest.mark.parametrize(
    ("kib", "verdict", "text"),
    [(65536, "fit", "64 MiB free"), (65535, "unfit", "63 MiB free"), (0, "unfit", "0 MiB free")],
)
def test_a_disk_is_fit_with_room_for_the_captures_of_a_trial(kib, verdict, text):
    found = disk(DF.format(kib), fitness.ROOM_KIB)
    assert found == Finding("disk", verdict, text, "make room on the phone")


def test_a_disk_of_which_df_says_nothing_is_unknown():
    found = disk("/system/bin/sh: df: not found\n", 1)
    assert found == Finding("disk", "unknown", "df says no number: '/system/bin/sh: df: not found'")


@pytest.mark.parametrize(
    "said",
    [
        # mksh R59, by itself and as toybox 0.8.9 runs in it, printing into /dev/full.
        "sh: echo: write: No space left on device\r\n",
        "printf: write: No space left on device\n",
        "cat: xwrite: No space left on device\n",
    ],
)
def test_a_command_that_finds_no_room_asks_for_a_person(said):
    with pytest.raises(NeedsPerson) as raised:
        require_room("pixel6", said)
    assert str(raised.value) == "pixel6: no space is left in /data/local/tmp; make room on the phone and run again"
    require_room("pixel6", "nc: connect: Network is unreachable")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("0\n", "fit"), ("null\n", "fit"), ("1\n", "unfit"), ("", "unknown"), ("cmd: Failure\n", "unknown")],
)
def test_airplane_mode_is_on_where_settings_say_one(said, verdict):
    assert airplane_mode(said).verdict == verdict


def phone(answers):
    """The shell of a phone that answers one line with what these commands print."""
    asked = []

    def run(line):
        asked.append(line)
        commands = questions(DIRECTORY)
        said = "".join(f"== im-call-lab {what}\n{answers.get(command, '')}" for what, command in commands.items())
        return ShellOutput(said.replace("\n", "\r\n"), 0)

    return SimpleNamespace(name="pixel6", run=run), asked


def test_all_is_asked_in_one_line_and_each_answer_is_read_by_itself():
    adb, asked = phone(
        {
            "dumpsys battery": BATTERY.format(22, 100),
            "dumpsys thermalservice": HEAT.format(5, "true"),
            "df -k /data/local/tmp": DF.format(70000),
            "settings get global airplane_mode_on": "1\n",
        }
    )
    found = ask(adb, DIRECTORY)
    assert len(asked) == 1
    assert (found.battery().verdict, found.battery(25).verdict) == ("fit", "unfit")
    assert [one.verdict for one in (found.heat(), found.disk(), found.disk(70001), found.airplane_mode())] == [
        *("unfit", "fit", "unfit", "unfit")
    ]


def test_a_shell_that_answers_half_is_trouble_and_no_verdict():
    adb, _ = phone({})
    whole = adb.run("").text
    adb.run = lambda line: ShellOutput(whole[: whole.index("== im-call-lab disk")], 0)
    with pytest.raises(PhoneTrouble, match="pixel6: its shell does not say disk"):
        ask(adb, DIRECTORY)
