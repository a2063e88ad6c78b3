"""What pm, am, monkey, input, su, tcpdump, adb and dumpsys of real phones printed, and what we take it for.

Each output of `phone.yaml` stands in one of these tables; where it came from is said there.
"""

import re
from pathlib import Path

import pytest
import yaml

from lab.phone.fitness import battery, heat
from lab.phone.packages import Package, parse
from lab.phone.push import judged
from lab.phone.root import ALLOW, one_line, refusal
from lab.phone.serials import listed_as, own_serial
from lab.phone.starting import meant
from lab.phone.witnesses.reading import parse_uid
from lab.programs.room import free_kib
from lab.programs.shell import ShellOutput

HERE = Path(__file__).parent
OLD_SU = "this su takes no -c; root the phone with Magisk, KernelSU or APatch"
NO_SU = f"{ALLOW}, or root the phone"
NOT_EXPORTED = "Permission Denial: starting Intent {{ ... }} from null (pid={}, uid=2000) not exported from uid {}"

STARTED = {
    "am/start_front_wait.txt": (0, "done", ""),
    "am/start_front.txt": (0, "done", ""),
    "am/start_delivered.txt": (0, "done", ""),
    "am/start_stopped_first.txt": (0, "done", ""),
    "am/start_timeout.txt": (0, "done", ""),
    "am/start_unresolved.txt": (0, "refused", "Error: Activity not started, unable to resolve Intent { ... }"),
    "am/start_no_class.txt": (
        0,
        "refused",
        "Error type 3; Error: Activity class {org.telegram.messenger/org.telegram.ui.LaunchActivity} does not exist.",
    ),
    "am/start_not_exported_old.txt": (
        0,
        "refused",
        "java.lang.SecurityException: " + NOT_EXPORTED.format(18724, 10153),
    ),
    "am/start_not_exported_a13.txt": (
        255,
        "refused",
        "Exception occurred while executing 'start':; java.lang.SecurityException: " + NOT_EXPORTED.format(6446, 10002),
    ),
    "am/start_not_exported_a8.txt": (
        255,
        "refused",
        "Security exception: {0}; java.lang.SecurityException: {0}".format(NOT_EXPORTED.format(8993, 10155)),
    ),
    "am/start_bad_component.txt": (
        0,
        "refused",
        "Exception occurred while executing 'start':; "
        "java.lang.IllegalArgumentException: Bad component name: com.android.server.telecom/",
    ),
    "monkey/no_keys_251.txt": (251, "refused", "** SYS_KEYS has no physical keys but with factor 2.0%."),
    "monkey/no_activities.txt": (0, "refused", "** No activities found to run, monkey aborted."),
    "monkey/injected.txt": (0, "done", ""),
    "monkey/inject_events.txt": (
        1,
        "undecided",
        "exit code 1, at com.android.commands.monkey.Monkey.run(Monkey.java:804)",
    ),
    "input/inject_events_miui.txt": (
        255,
        "refused",
        "java.lang.SecurityException: Injecting to another application requires INJECT_EVENTS permission",
    ),
}
"""Exit code, what it means, and what is told of it."""

SU = {
    "su/aosp_no_c.txt": ("su: invalid uid/gid '-c'", OLD_SU),
    "su/aosp_xbin_no_c.txt": ("/system/xbin/su: invalid uid/gid '-c'", OLD_SU),
    "su/cyanogen_unknown_id.txt": ("Unknown id: whoami", OLD_SU),
    "su/kernelsu_old_option.txt": ("su: su: -V: unknown option", OLD_SU),
    "su/kernelsu_not_found.txt": ("/system/bin/sh: su: inaccessible or not found", NO_SU),
    "su/apatch_not_found.txt": ("/system/bin/sh: /system/bin/su: inaccessible or not found", NO_SU),
    "su/apatch_no_such_file.txt": ("/system/bin/sh: /system/bin/su: No such file or directory", NO_SU),
    "su/debug_setgid.txt": ("su: setgid failed: Operation not permitted", ALLOW),
    "su/magisk_denied.txt": ("Permission denied", ALLOW),
    "su/magisk_id_shell.txt": (
        "uid=2000(shell) gid=2000(shell) groups=2000(shell) context=u:r:magisk:s0",
        ALLOW,
    ),
}

PACKAGES = {
    "dumpsys/package_two_users.txt": ("org.mazhuang.guanggoo", Package("1.1", "")),
    "dumpsys/package_user_hisense.txt": ("com.android.cts.priv.ctsshim", Package("11-6508977", "")),
}

FORBIDDEN = {
    "pm/list_secure_folder_a52.txt": 150,
    "pm/list_work_profile_pixel7.txt": 11,
    "pm/list_user_100.txt": 100,
}

LISTED = {
    "adb/devices_usb.txt": ("0A1B2C3D4E5F6071", "0A1B2C3D4E5F6071"),
    "adb/devices_both.txt": ("R0A1B2C3D4E", "adb-R0A1B2C3D4E-DaTjhY._adb-tls-connect._tcp"),
    "adb/devices_pair.txt": ("5a0b1c2d", "adb-5a0b1c2d-0bDpO6._adb-tls-connect._tcp"),
    "adb/devices_second_name.txt": ("1a2b3c4d", "adb-1a2b3c4d-Upleco (2)._adb-tls-connect._tcp"),
}

THERMAL = {
    "dumpsys/thermal_shield.txt": ("fit", "thermal status 0 (none)"),
    "dumpsys/thermal_skin_xiaomi.txt": ("unfit", "thermal status 3 (severe)"),
    "dumpsys/thermal_no_hal.txt": ("unknown", "its thermal service hears of no temperature (HAL Ready: false)"),
}
ROOM = {
    "df/data_xiaomi.txt": 313535476,
    "df/root_pixel9.txt": 0,
    "df/missing_pixel9.txt": None,
    "df/toolbox_2012.txt": None,
}

LEVELS = {"dumpsys/battery_samsung.txt": 100, "dumpsys/battery_old.txt": 89, "dumpsys/battery_dragon.txt": 19}

ELSEWHERE = {
    "su/aosp_usage.txt",
    "tcpdump/help_4.5.txt",
    "adb/properties_wireless.txt",
    "pm/path_split.txt",
    "dumpsys/package_theme_samsung.txt",
    "dumpsys/window_a13.txt",
    "dumpsys/window_tv11.txt",
}


def output(file: str) -> str:
    return (HERE / file).read_text()


def test_each_output_is_taken_for_something_here():
    listed = [row["file"] for row in yaml.safe_load(output("phone.yaml"))]
    assert sorted(listed) == sorted(
        {*STARTED, *SU, *PACKAGES, *FORBIDDEN, *LISTED, *LEVELS, *THERMAL, *ROOM, *ELSEWHERE}
    )


@pytest.mark.parametrize("file", STARTED)
def test_whether_a_program_did_it_is_what_it_says_and_not_its_exit_code(file):
    code, meaning, said = STARTED[file]
    answer = meant(file.split("/")[0], ShellOutput(output(file), code))
    assert (answer.meaning, answer.said) == (meaning, said[:200])


@pytest.mark.parametrize("file", SU)
def test_what_su_says_is_told_in_its_words_with_what_to_do(file):
    said, fix = SU[file]
    assert one_line(output(file).encode()) == said
    assert refusal(said) == f"su says {said!r}: {fix}"


def test_of_a_su_that_prints_its_usage_one_line_is_told():
    said = one_line(output("su/aosp_usage.txt").encode())
    assert said.startswith("usage: su [UID[,GID[,GID2]...]] [COMAND [ARG...]]; Switch to WHO")
    assert refusal(said).endswith(OLD_SU)


def test_a_su_that_says_nothing_may_ask_on_the_screen():
    assert refusal("") == f"su says nothing; a prompt may wait on the phone's screen: {ALLOW}"


@pytest.mark.parametrize("file", PACKAGES)
def test_the_version_and_the_state_are_those_of_the_first_user(file):
    package, found = PACKAGES[file]
    assert parse(output(file), package) == found
    assert parse(output(file), package + "x") is None


@pytest.mark.parametrize(
    ("change", "hindered"),
    [
        (("installed=true", "installed=false"), "not installed"),
        (("hidden=false", "hidden=true"), "hidden"),
        (("suspended=false", "suspended=true"), "suspended"),
        (("enabled=0", "enabled=3"), "disabled by its user"),
        (("enabled=0", "enabled=1"), ""),
        (("installed=true hidden=false", "installed=false hidden=true"), "not installed, hidden"),
    ],
)
def test_what_keeps_the_first_user_from_an_app_is_named_whatever_another_user_has(change, hindered):
    text = output("dumpsys/package_two_users.txt").replace(*change, 1)
    assert parse(text, "org.mazhuang.guanggoo") == Package("1.1", hindered)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("enabled=0", "enabled=9"), "of User 0 dumpsys package says enabled=9"),
        (("installed=true", "installed=yes"), "of User 0 dumpsys package says installed=yes"),
        (("installed=true", "state=INSTALLED"), "of User 0 dumpsys package says no installed="),
        (("User 0:", "Owner:"), "dumpsys package names no User 0"),
    ],
)
def test_a_state_in_a_spelling_that_nobody_knows_cannot_be_read(change, why):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        parse(output("dumpsys/package_two_users.txt").replace(*change, 1), "org.mazhuang.guanggoo")
    assert str(raised.value) == f"cannot be read: {why}"


def test_a_dump_that_ends_before_the_users_cannot_be_read():
    package = "theme.pas2001.TheDawn.II.appiconpack"
    with pytest.raises(ValueError, match=r"^cannot be read: dumpsys package names no User 0$"):
        parse(output("dumpsys/package_theme_samsung.txt"), package)


def test_a_dump_that_gives_no_answer_is_not_taken_for_an_app_that_is_not_there():
    assert parse("Unable to find package: com.whatsapp\n", "com.whatsapp") is None
    assert parse("", "com.whatsapp") is None
    for said in ("Can't find service: package", "*** SERVICE 'package' DUMP TIMEOUT (10000ms) EXPIRED ***"):
        with pytest.raises(ValueError) as raised:  # noqa: PT011
            parse(f"{said}\n", "com.whatsapp")
        assert str(raised.value) == f"cannot be read: dumpsys package says {said!r}"


@pytest.mark.parametrize("file", FORBIDDEN)
def test_a_list_of_packages_that_is_forbidden_names_no_uid(file):
    assert f"does not have permission to access user {FORBIDDEN[file]}\n" in output(file)
    assert parse_uid(output(file), "com.whatsapp") is None


def test_paths_of_an_app_in_parts_name_no_uid():
    assert parse_uid(output("pm/path_split.txt"), "com.viewer.comicscreen") is None


@pytest.mark.parametrize("file", LISTED)
def test_a_phone_is_found_by_its_own_serial_whatever_name_adb_lists_it_by(file):
    serial, name = LISTED[file]
    lines = [re.match(r"(\S+(?: \(\d+\)\S+)?)\s+device\b", line) for line in output(file).splitlines()]
    names = [found[1] for found in lines if found]
    assert own_serial(name) == serial
    assert listed_as(serial, names) == name
    assert listed_as(name, names) == name
    assert listed_as("another", names) == "another"


def test_a_name_of_another_pairing_is_the_same_phone_and_an_address_is_none():
    serial = output("adb/properties_wireless.txt").strip()
    before, now = (f"adb-{serial}-{part}._adb-tls-connect._tcp" for part in ("bo0E0q", "Xy12Zw"))
    assert own_serial(before) == own_serial(now) == serial
    assert listed_as(before, [now, "192.168.1.7:37571"]) == now
    assert listed_as("192.168.1.7:5555", [now]) == "192.168.1.7:5555"
    assert (own_serial("192.168.1.7:37571"), own_serial("Android.local:46345")) == (None, None)
    assert own_serial("adb-AB-12._adb._tcp") == "AB-12"


@pytest.mark.parametrize("name", ["tcpdump", "tcpdump.partial", "libtcpdump.so"])
def test_a_tcpdump_is_known_whatever_its_file_is_called(name):
    text = output("tcpdump/help_4.5.txt").replace("tcpdump version", f"{name} version", 1)
    assert judged(ShellOutput(text, 0)) == (False, "tcpdump version 4.5.0-PRE-GIT_2020_10_25 is older than 4.9")
    newer = text.replace("4.5.0-PRE-GIT_2020_10_25", "4.99.5")
    assert judged(ShellOutput(newer, 0)) == (True, "tcpdump version 4.99.5")


@pytest.mark.parametrize("file", LEVELS)
def test_a_battery_has_one_line_with_its_level(file):
    assert re.findall(r"^\s*level: (\d{1,3})\s*$", output(file), re.MULTILINE) == [str(LEVELS[file])]
    assert battery(output(file), 20).text == f"{LEVELS[file]}%"
    assert battery(output(file), 20).verdict == ("fit" if LEVELS[file] >= 20 else "unfit")


@pytest.mark.parametrize("file", THERMAL)
def test_a_phone_is_as_hot_as_its_status_or_its_skin_says(file):
    found = heat(output(file))
    assert (found.verdict, found.text) == THERMAL[file]


@pytest.mark.parametrize("file", ROOM)
def test_a_disk_has_the_room_that_df_says(file):
    assert free_kib(output(file)) == ROOM[file]


@pytest.mark.parametrize("file", ["dumpsys/window_a13.txt", "dumpsys/window_tv11.txt"])
def test_a_window_has_the_head_that_our_emulation_gives_it(file):
    head = r"  Window #\d+ Window\{[0-9a-f]+ u0 \S+\}:\n    mDisplayId=0 "
    assert re.search(head, output(file))
