"""The readers of a phone's records, on what real phones printed."""

import pytest

from lab.phone.witnesses import audio, camera, events, notifications, telecom, telephony
from lab.phone.witnesses.facts import (
    CameraEvent,
    Missing,
    ModeChange,
    PhoneDate,
    Posted,
    RecorderEvent,
    SimState,
    TelecomEvent,
)
from tests.real_outputs.index import text

DATE = PhoneDate(1_795_000_000, 7_200)
"""2026-11-18 13:06:40 +0200."""
MS, S = 1_000_000, 1_000_000_000
CAMERA = "== Camera service events log (most recent at top): ==\n"
POSTED = f"{notifications.HEADING}:\n  Notification List:\n"
RECORDING = "Events log: recording activity received by AudioService\n"


def at(month: int, day: int, clock: str) -> int:
    """An instant of 2026 by the local time of `DATE`, in ns."""
    days = {1: 0, 4: 90, 5: 120, 7: 181, 8: 212, 9: 243, 10: 273, 11: 304}[month] + day - 1
    hours, minutes, seconds = clock.split(":")
    since_s = days * 86_400 + int(hours) * 3600 + int(minutes) * 60 - 7_200
    return (1_767_225_600 + since_s) * S + round(float(seconds) * 1000) * MS


# -- audio


def test_whatsapp_rings_by_itself_and_a_lost_mode_comes_back():
    found = audio.modes(text("audio/modes_redmi10a_lineage20.txt"), DATE)
    whatsapp, orca = "com.whatsapp", "com.facebook.orca"
    assert found == (
        ModeChange(at(5, 8, "13:53:15.666"), "MODE_IN_COMMUNICATION", orca, 3967, 3967),
        ModeChange(at(5, 8, "13:53:21.540"), "MODE_NORMAL", "android", 1448, 0),
        ModeChange(at(5, 8, "13:53:22.250"), "MODE_IN_COMMUNICATION", "android", 1448, 3967),
        ModeChange(at(5, 8, "13:53:37.808"), "MODE_NORMAL", orca, 3967, 0),
        ModeChange(at(5, 8, "16:27:49.267"), "MODE_RINGTONE", whatsapp, 20634, 20634),
        ModeChange(at(5, 8, "16:28:34.055"), "MODE_NORMAL", whatsapp, 20634, 0),
        ModeChange(at(5, 8, "16:58:47.349"), "MODE_IN_COMMUNICATION", whatsapp, 27984, 27984),
        ModeChange(at(5, 8, "16:59:41.062"), "MODE_NORMAL", whatsapp, 27984, 0),
    )


def test_stamps_in_the_digits_of_the_phones_language_are_read():
    """EventLogger's SimpleDateFormat has the default locale up to Android 13; pids are written in ASCII."""
    printed = text("audio/modes_redmi10a_lineage20.txt")
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    lines = [line[:18].translate(arabic) + line[18:] if " setMode" in line else line for line in printed.splitlines()]
    assert lines[2].startswith(
        "٠٥-٠٨ ١٣:٥٣:١٥:٦٦٦ setMode(MODE_IN_COMMUNICATION) from package=com.facebook.orca pid=3967"
    )
    assert audio.modes("\n".join(lines), DATE) == audio.modes(printed, DATE)


def test_a_sims_calls_stand_among_logs_of_another_kind():
    printed = text("audio/events_galaxy_a21s.txt")
    found = audio.modes(printed, DATE)
    assert not isinstance(found, Missing)
    assert [(change.mode, change.at_ns) for change in found] == [
        ("MODE_IN_CALL", at(8, 19, "14:49:25.686")),
        ("MODE_NORMAL", at(8, 19, "14:49:33.101")),
        ("MODE_IN_CALL", at(8, 19, "14:51:21.004")),
        ("MODE_NORMAL", at(8, 19, "14:51:38.851")),
    ]
    assert {change.requester for change in found} == {"com.android.server.telecom"}
    no_log = "cannot be read: dumpsys audio has no log whose heading names 'recording activity'"
    assert audio.recorders(printed, DATE) == Missing(no_log)


@pytest.mark.parametrize(
    ("file", "mode"),
    [
        ("audio/events_galaxy_a21s.txt", "MODE_NORMAL"),
        ("audio/mode_samsung_owner.txt", "MODE_IN_COMMUNICATION"),
        ("audio/mode_aosp_owner_and_stack.txt", "MODE_IN_COMMUNICATION"),
        ("audio/mode_pixel10_api36.txt", "MODE_IN_COMMUNICATION"),
        ("audio/recorders_shell_voice_call.txt", Missing("cannot be read: dumpsys audio names no mode")),
    ],
)
def test_the_mode_now_has_aosps_form_or_a_samsungs(file, mode):
    assert audio.mode(text(file)) == mode


@pytest.mark.parametrize(
    ("file", "count", "first", "last"),
    [
        (
            "audio/recorders_redmi10a_lineage20.txt",
            7,
            RecorderEvent(at(5, 8, "13:50:27.737"), "update", 159, 10166, "MIC", "com.whatsapp"),
            RecorderEvent(at(5, 8, "17:09:45.882"), "update", 87183, 10166, "MIC", "com.whatsapp"),
        ),
        (
            "audio/recorders_shell_voice_call.txt",
            8,
            RecorderEvent(at(8, 31, "16:48:55.950"), "start", 43383, 2000, "VOICE_CALL", "com.android.shell"),
            RecorderEvent(at(9, 1, "11:40:09.798"), "stop", 46047, 2000, "VOICE_CALL", "com.android.shell"),
        ),
        (
            "audio/recorders_infinix_mediatek.txt",
            1,
            RecorderEvent(at(7, 22, "15:54:52"), "start", 65119, 10224, "MIC", "com.whatsapp"),
            RecorderEvent(at(7, 22, "15:54:52"), "start", 65119, 10224, "MIC", "com.whatsapp"),
        ),
        (
            "audio/recorders_boot_two_blanks.txt",
            3,
            RecorderEvent(at(9, 15, "09:29:03.631"), "start", 47, 10192, "MIC", "com.pennyspike.probe2a"),
            RecorderEvent(at(9, 15, "09:29:06.452"), "start", 63, 10192, "MIC", "com.pennyspike.probe2a"),
        ),
    ],
)
def test_recorders_are_read_with_and_without_a_word_of_silence(file, count, first, last):
    printed = text(file)
    found = audio.recorders(printed if "recording activity" in printed else RECORDING + printed, DATE)
    assert not isinstance(found, Missing)
    assert (len(found), found[0], found[-1]) == (count, first, last)
    assert {event.event for event in found} <= audio.RECORDER_EVENTS


@pytest.mark.parametrize("file", ["netstats/permission_denied.txt", "connectivity/permission_denied.txt"])
def test_a_refused_dump_says_so_in_its_own_words(file):
    printed = text(file)
    why = f"cannot be read: dumpsys audio says {printed.strip()[:160]!r}"
    assert audio.mode(printed) == Missing(why)
    assert audio.modes(printed, DATE) == Missing(why)
    assert telephony.parse(printed) == Missing(why.replace("audio", "telephony.registry"))


def test_what_dumpsys_says_in_place_of_a_dump_passes_the_filter_on_the_phone():
    """The words of AOSP's dumpsys.cpp."""
    for line in (
        "Failed to read while dumping service audio: Broken pipe",
        "Error in poll while dumping service audio : Invalid argument",
        "Error dumping service info: (Unknown error -2147483646) audio",
        "Error with service 'audio' while dumping: FAILED_TRANSACTION",
    ):
        assert audio.mode(f"{line}\n") == Missing(f"cannot be read: dumpsys audio says {line!r}")
    assert "while dumping|Permission Denial|Error dumping'" in audio.COMMAND


# -- the camera service


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (
            "camera/galaxy_signal.txt",
            (
                CameraEvent(at(8, 26, "16:44:19"), "CONNECT", "20", "com.sec.android.app.camera"),
                CameraEvent(at(8, 26, "16:44:21"), "DISCONNECT", "20", "com.sec.android.app.camera"),
                CameraEvent(at(8, 26, "16:44:55"), "CONNECT", "0", "org.thoughtcrime.securesms"),
                CameraEvent(at(8, 26, "16:44:58"), "DISCONNECT", "0", "org.thoughtcrime.securesms"),
            ),
        ),
        (
            "camera/galaxy_no_pid.txt",
            (CameraEvent(at(10, 8, "18:03:10"), "CONNECT", "0", "com.blackmagicdesign.android.blackmagiccam"),),
        ),
        (
            "camera/client_died.txt",
            (
                CameraEvent(at(1, 28, "16:28:38"), "DIED", "", ""),
                CameraEvent(at(1, 28, "16:36:56"), "DISCONNECT", "0", "com.mico"),
                CameraEvent(at(1, 28, "16:36:56"), "CONNECT", "0", "com.mico"),
            ),
        ),
    ],
)
def test_clients_come_and_go_with_and_without_their_pid(file, found):
    printed = text(file)
    assert camera.events(printed if printed.startswith("==") else CAMERA + printed, DATE) == found


def test_a_client_that_has_not_gone_yet_is_open():
    found = camera.events(CAMERA + text("camera/redmi_k30.txt"), DATE)
    assert not isinstance(found, Missing)
    assert len(found) == 7
    assert found[0] == CameraEvent(at(4, 15, "10:17:24"), "CONNECT", "0", "com.tencent.mm")
    assert camera.open_clients(found) == (("0", "com.android.camera"),)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("camera/board_rk3588s.txt", ["REMOVE", "ADD"] * 3),
        ("camera/board_rk3288_user_switch.txt", ["USER_SWITCH"]),
    ],
)
def test_words_that_tell_of_no_client_are_known(file, words):
    printed = text(file)
    found = camera.events(printed if "==" in printed else CAMERA + printed, DATE)
    assert not isinstance(found, Missing)
    assert [event.event for event in found] == words
    assert {event.event for event in found} <= camera.OTHER_EVENTS


def test_a_full_log_of_cameras_ends_in_dots_that_are_no_entry():
    """As CameraService::dumpEventLog prints it at 100 entries."""
    lines = "".join(f"  04-15 10:17:{second:02} : CONNECT device 0 client for package p\n" for second in range(59))
    found = camera.events(f"{CAMERA}{lines}  ...\n\n", DATE)
    assert not isinstance(found, Missing)
    assert len(found) == 59


# -- Telecom and the SIMs


def test_a_call_is_read_whatever_the_language_of_its_head():
    found = telecom.calls(text("telecom/outgoing_emulator_37_norwegian.txt"), DATE)
    assert not isinstance(found, Missing)
    (call,) = found
    package = "com.android.phone"
    assert (call.number, call.self_managed, call.incoming, call.package) == (1, False, False, package)
    assert call.cause == "REMOTE"
    assert [event.event for event in call.events] == [
        *("CREATED", "SET_CONNECTING", "AUDIO_ROUTE", "START_CONNECTION", "CAPABILITY_CHANGE", "SET_DIALING"),
        *("SET_DISCONNECTED", "LOG_CALL", "CONF_CALLS_CHANGED", "CONF_CALLS_CHANGED", "DESTROYED"),
    ]
    assert call.events[5] == TelecomEvent(at(11, 17, "21:00:02.599"), "SET_DIALING", "dialing set explicitly")


def test_a_history_without_a_call_is_none_and_a_dump_without_a_history_cannot_be_read():
    assert telecom.calls(text("telecom/no_call_emulator_37.txt"), DATE) == ()
    without = telecom.calls(text("telecom/ringing_emulator_cut.txt"), DATE)
    assert without == Missing("cannot be read: dumpsys telecom has no 'Historical Events:'")


NO_STATE = Missing("cannot be read: dumpsys telephony.registry names no call state of a SIM")


@pytest.mark.parametrize(
    ("file", "sims"),
    [
        ("telephony/two_sims_api36.txt", (SimState(0, 0), SimState(1, 0))),
        ("telephony/one_sim_latin_america.txt", (SimState(0, 0),)),
        ("telephony/android_world_off_hook.txt", (SimState(0, 2),)),
        ("telephony/emulator_ringing_precise_only.txt", NO_STATE),
    ],
)
def test_each_sim_has_its_state(file, sims):
    assert telephony.parse(text(file)) == sims


# -- notifications and the events buffer


@pytest.mark.parametrize(
    ("file", "posted"),
    [
        (
            "notification/hyperos_bbbc.txt",
            (
                Posted("android", 2147483647, "", 0),
                Posted("android", 27, "", 0),
                Posted("com.miui.securitycenter", 20006, "", 0),
            ),
        ),
        (
            "notification/pixel9pro_android15.txt",
            (Posted("io.homeassistant.companion.android", 1355236419, "", 0),),
        ),
        ("notification/gmail_public_version.txt", (Posted("com.google.android.gm", 0, "email", 0),)),
        ("notification/missed_call.txt", (Posted("com.android.server.telecom", 3, "", 0),)),
    ],
)
def test_posted_notifications_are_read_with_flags_as_words_and_a_makers_own_fields(file, posted):
    printed = text(file)
    assert notifications.parse(printed if notifications.HEADING in printed else POSTED + printed) == posted


def test_a_notification_without_its_list_is_not_taken_for_none():
    found = notifications.parse(text("notification/missed_call.txt"))
    assert found == Missing("cannot be read: dumpsys notification does not say its state")


def lines_of(file: str) -> list[str]:
    """The lines as `-v epoch` prints them, each at second 1761539642: a stamp with its parts of a second."""
    found = []
    for line in text(file).splitlines():
        _, clock, rest = line.split(" ", 2)
        found.append(f"{1_761_539_642:>15}.{clock.partition('.')[2]} {rest}")
    return found


BEGUN = 1_761_539_642 * S


def test_what_came_and_went_is_read_and_other_tags_are_not_its_business():
    went, came = (events.parse_line(line) for line in lines_of("events/datalogic_update.txt"))
    key = "0|com.datalogic.systemupdate|1337|null|1000"
    assert went is not None
    assert (went.at_ns, went.tag) == (BEGUN + 810 * MS, "notification_canceled")
    assert went.fields == (key, "8", "579", "579", "0", "-1", "-1", "NULL")
    assert came is not None
    assert came.tag == "notification_enqueue"
    assert came.fields[:6] == ("1000", "7214", "com.datalogic.systemupdate", "1337", "NULL", "0")
    mms, *others = (events.parse_line(line) for line in lines_of("events/miui_mms.txt"))
    assert mms is not None
    assert mms.fields[2:4] == ("com.android.mms", "114")
    assert others == [None, None]


@pytest.mark.parametrize(
    ("file", "at_ns", "windows"),
    [
        (
            "events/miui_launcher_input.txt",
            969 * MS,
            (
                "3247aff com.miui.home/com.miui.home.launcher.Launcher",
                "893b089 com.miui.miwallpaper.wallpaperservice.ImageWallpaper",
                "PointerEventDispatcher0",
            ),
        ),
        (
            "events/oplus_microseconds.txt",
            136_565_000,
            (
                "c3655f com.android.settings/com.android.settings.Settings",
                "[Gesture Monitor] OplusExInputReceiver1",
                "PointerEventDispatcher0",
            ),
        ),
        (
            "events/miui_touchable_region.txt",
            471 * MS,
            (
                "ce2ec2b com.miui.home/com.miui.home.launcher.Launcher",
                "[Gesture Monitor] miui-gesture",
                "PointerEventDispatcher0",
            ),
        ),
    ],
)
def test_the_windows_of_a_touch_are_told_apart(file, at_ns, windows):
    (touch,) = (event for line in lines_of(file) if (event := events.parse_line(line)) is not None)
    assert (touch.at_ns, touch.tag, touch.fields) == (BEGUN + at_ns, "input_interaction", windows)
