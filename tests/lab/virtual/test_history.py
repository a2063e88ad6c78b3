"""What a phone remembers of calls, in order and out of order, and how its dumps print it."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.definitions.virtual_network import PhoneEmulation
from lab.virtual.commands.dumpsys import dumpsys
from lab.virtual.commands.dumpsys_calls import recorded_audio
from lab.virtual.handset.disorders import Disorders, slow_ns
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.world import World
from tests.lab.virtual.emulated_apps import emulated
from tests.lab.virtual.test_dumpsys import EMULATION, Device, phone

S, MS = 1_000_000_000, 1_000_000
A, B = "15555550101", "15555550102"
WHATSAPP, MESSENGER = "com.whatsapp", "com.facebook.orca"
TELECOM, COMMUNICATION = "com.android.server.telecom", "MODE_IN_COMMUNICATION"
START_NS = 1_767_571_200 * S  # 2026-01-05 00:00:00 UTC


def emulation(**more: object) -> PhoneEmulation:
    return PhoneEmulation.model_validate(EMULATION | more)


class Bench:
    """Two phones; all disorders that are given strike. Attempts are drawn until they do."""

    def __init__(self, *disorders: str, name: str = "whatsapp", key: str = "seed/trial/1", **more: object) -> None:
        self.world = World()
        self.exchange = Exchange(self.world, [])
        self.name, self.emulation = name, emulation(disorders=list(disorders), **more)
        apps = {each: emulated(each) for each in ("whatsapp", "messenger", "alder")}
        self.phones: dict[str, Handset] = {}
        for number in range(100_000):
            self.world.begin(f"{key}/{number}", START_NS)
            drawn = [Disorders(self.world, each, self.emulation.disorders).struck for each in "ab"]
            if all(each == set(disorders) for each in drawn):
                break
        for each, address in (("a", A), ("b", B)):
            handset = Handset(each, dict.fromkeys(apps, address), apps, self.world, self.exchange, self.emulation)
            self.exchange.subscribers[each] = handset.calls
            self.phones[each] = handset
        self.a, self.b = self.phones["a"], self.phones["b"]

    def run(self, seconds: float) -> None:
        self.world.advance_to(self.world.now_ns + round(seconds * S))

    def ringing(self, service: str = "voice") -> None:
        self.exchange.place("a", self.a.apps[self.name], service, B)
        self.run(3.5)

    def talking(self, service: str = "voice", seconds: float = 20) -> None:
        self.ringing(service)
        self.exchange.answer("b")
        self.run(seconds)

    def over(self, by: str = "a", seconds: float = 6) -> None:
        self.exchange.hang_up(by)
        self.run(seconds)

    def new(self, entries):
        return [entry for entry in entries if entry.at_ns >= START_NS]

    def modes(self, handset: Handset) -> list[tuple[str, str]]:
        return [(entry.mode, entry.package) for entry in self.new(handset.history.modes)]

    def recorders(self, handset: Handset) -> list[tuple[str, str]]:
        return [(entry.event, entry.source) for entry in self.new(handset.history.recorders)]

    def cameras(self, handset: Handset) -> list[tuple[str, str]]:
        return [(entry.event, entry.device) for entry in self.new(handset.history.cameras)]

    def dump(self, handset: Handset, service: str) -> str:
        spec = phone().model_copy(update={"emulation": self.emulation})
        return dumpsys(handset, service, (), Device(handset, spec))

    def lines(self, handset: Handset, service: str, having: str) -> list[str]:
        return [line for line in self.dump(handset, service).splitlines() if having in line]


# -- a call in order


def test_the_mode_rings_then_talks_at_the_callee_and_talks_from_dialling_at_the_caller():
    bench = Bench()
    bench.talking()
    bench.over()
    assert bench.modes(bench.a) == [(COMMUNICATION, WHATSAPP), ("MODE_NORMAL", WHATSAPP)]
    assert bench.modes(bench.b) == [
        ("MODE_RINGTONE", WHATSAPP),
        (COMMUNICATION, WHATSAPP),
        ("MODE_NORMAL", WHATSAPP),
    ]
    call = bench.exchange.calls[0]
    assert bench.new(bench.a.history.modes)[0].at_ns == call.placed_ns
    assert bench.new(bench.b.history.modes)[0].at_ns == call.rung_ns
    assert [entry.owner_pid for entry in bench.new(bench.b.history.modes)] == [11_000, 11_000, 0]


def test_a_recorder_runs_from_the_answer_to_the_end_and_stops_before_the_mode_is_given_back():
    bench = Bench()
    bench.talking()
    ended_ns = bench.world.now_ns
    bench.over()
    call = bench.exchange.calls[0]
    for handset in (bench.a, bench.b):
        entries = bench.new(handset.history.recorders)
        assert [entry.event for entry in entries] == ["start", "update", "stop", "release"]
        assert len({(entry.riid, entry.session) for entry in entries}) == 1
        assert 0 < entries[0].at_ns - call.answered_ns + 500 * MS < 1_000 * MS
        normal_ns = bench.new(handset.history.modes)[-1].at_ns
        assert 100 * MS <= normal_ns - entries[2].at_ns <= 350 * MS
    assert 20 * MS <= bench.new(bench.a.history.recorders)[2].at_ns - ended_ns <= 150 * MS


@pytest.mark.parametrize(
    ("by", "mine", "theirs"), [("a", "LOCAL", {"MISSED", "CANCELED"}), ("b", "REJECTED", {"REMOTE"})]
)
def test_a_call_that_nobody_answers_has_no_recorder_and_its_cause(by, mine, theirs):
    bench = Bench()
    bench.ringing()
    bench.over(by)
    assert bench.recorders(bench.a) == bench.recorders(bench.b) == []
    assert bench.modes(bench.b) == [("MODE_RINGTONE", WHATSAPP), ("MODE_NORMAL", WHATSAPP)]
    mine_is, other = (bench.a, bench.b) if by == "a" else (bench.b, bench.a)
    assert mine_is.history.calls[-1].cause == mine
    assert other.history.calls[-1].cause in theirs


def test_a_timeout_is_remote_to_the_caller_and_missed_by_the_callee():
    bench = Bench()
    bench.ringing()
    bench.run(60)
    assert bench.a.history.calls[-1].cause == "REMOTE"
    assert bench.b.history.calls[-1].cause in ("MISSED", "CANCELED")


@pytest.mark.parametrize(("service", "found"), [("voice", []), ("video", [("CONNECT", "1"), ("DISCONNECT", "1")])])
def test_the_camera_is_connected_while_people_talk_on_video(service, found):
    bench = Bench()
    bench.ringing(service)
    assert bench.cameras(bench.a) == []
    bench.exchange.answer("b")
    bench.run(10)
    bench.over("b")
    assert bench.cameras(bench.a) == bench.cameras(bench.b) == found


def test_who_calls_again_at_once_keeps_the_mode_and_has_two_recorders():
    bench = Bench()
    bench.talking()
    bench.exchange.hang_up("a")
    bench.run(0.01)
    bench.exchange.place("a", bench.a.apps["whatsapp"], "voice", B)
    bench.run(3.5)
    bench.exchange.answer("b")
    bench.run(5)
    assert bench.modes(bench.a) == [(COMMUNICATION, WHATSAPP)]
    events = bench.new(bench.a.history.recorders)
    assert [entry.event for entry in events] == ["start", "update", "stop", "release", "start", "update"]
    assert events[0].riid != events[-1].riid
    bench.over()
    assert bench.modes(bench.a) == [(COMMUNICATION, WHATSAPP), ("MODE_NORMAL", WHATSAPP)]


def test_an_app_that_is_stopped_leaves_its_things_to_android():
    bench = Bench()
    bench.talking("video")
    bench.a.force_stop(WHATSAPP)
    assert bench.modes(bench.a)[-1] == ("MODE_NORMAL", "android")
    assert bench.recorders(bench.a)[-1] == ("release", "VOICE_COMMUNICATION")
    assert bench.cameras(bench.a)[-1] == ("DISCONNECT", "1")
    assert bench.a.history.calls[-1].cause == "ERROR"
    before = bench.new(bench.a.history.modes)[0].owner_pid
    bench.run(3)
    bench.ringing()
    assert bench.new(bench.a.history.modes)[-1].owner_pid == before + 1_000


# -- the SIM


def test_a_sim_call_is_telecoms_and_the_apps_mode_comes_back_after_it():
    bench = Bench(sims=2)
    bench.talking()
    bench.a.sim_state = 1
    bench.run(1)
    assert [line.strip() for line in bench.lines(bench.a, "telephony.registry", "mCallState")] == [
        "mCallState=0",
        "mCallState=1",
    ]
    bench.a.sim_state = 2
    bench.run(1)
    assert [line.strip() for line in bench.lines(bench.a, "telephony.registry", "ForegroundCallState")] == [
        "mForegroundCallState=0",
        "mForegroundCallState=1",
    ]
    bench.a.sim_state = 0
    assert bench.modes(bench.a)[1:] == [
        ("MODE_RINGTONE", TELECOM),
        ("MODE_IN_CALL", TELECOM),
        (COMMUNICATION, TELECOM),
    ]
    call = bench.a.history.calls[-1]
    assert [event for _, event, _ in call.events] == [
        "CREATED",
        "SET_RINGING",
        "SET_ACTIVE",
        "SET_DISCONNECTED",
        "DESTROYED",
    ]
    (head,) = bench.lines(bench.a, "telecom", f"CallTC@{call.number}")
    assert head.startswith(f"  CallTC@{call.number} [Jan 5, 2026 12:00:")
    assert bench.modes(bench.b)[-1] == (COMMUNICATION, WHATSAPP)


def test_another_app_that_asks_for_the_mode_gets_it_and_gives_it_back():
    bench = Bench()
    bench.talking()
    bench.a.audio.request(MESSENGER, "MODE_RINGTONE")
    bench.a.audio.request(MESSENGER, "MODE_NORMAL")
    assert bench.modes(bench.a)[1:] == [("MODE_RINGTONE", MESSENGER), (COMMUNICATION, MESSENGER)]


# -- out of order


def test_each_disorder_strikes_in_half_of_the_attempts_and_on_each_phone_apart():
    world, counts = World(), Counter()
    for number in range(2_000):
        world.begin(f"7/trial-{number}/0", 0)
        one, other = (Disorders(world, name, ["hotword", "heads_up"]).struck for name in "ab")
        counts.update(["hotword" in one, ("both", "hotword" in one and "hotword" in other), ("of two", len(one) == 2)])
    assert 900 < counts[True] < 1_100
    assert 420 < counts["both", True] < 580
    assert 420 < counts["of two", True] < 580


def test_calls_do_not_depend_on_what_the_records_say_of_them():
    def instants(*disorders: str) -> list[int | None]:
        bench = Bench(key="x")
        strikes = Bench(*disorders, key="x")
        strikes.world.key = bench.world.key
        for one in (bench, strikes):
            one.talking("video")
            one.over()
        return [
            [call.placed_ns, call.rung_ns, call.answered_ns, call.ended_ns]
            for one in (bench, strikes)
            for call in one.exchange.calls
        ]

    plain, struck = instants("slow_records", "mode_dropped", "lens_switch", "hotword")
    assert plain == struck


def test_the_mode_is_taken_after_six_seconds_and_comes_back_while_the_recorder_runs():
    bench = Bench("mode_dropped")
    bench.talking()
    for handset in (bench.a, bench.b):
        entries = bench.new(handset.history.modes)[-3:]
        assert [(entry.mode, entry.package, entry.pid) for entry in entries[1:]] == [
            ("MODE_NORMAL", "android", 1_603),
            (COMMUNICATION, "android", 1_603),
        ]
        assert [entry.owner_pid for entry in entries] == [11_000, 0, 11_000]
        assert 5_850 * MS <= entries[1].at_ns - entries[0].at_ns <= 6_050 * MS
        assert 650 * MS <= entries[2].at_ns - entries[1].at_ns <= 750 * MS
        assert "stop" not in dict(bench.recorders(handset))


def test_a_call_shorter_than_six_seconds_keeps_its_mode():
    bench = Bench("mode_dropped")
    bench.ringing()
    bench.over()
    assert [package for _, package in bench.modes(bench.a)] == [WHATSAPP, WHATSAPP]


def test_a_recorder_may_begin_with_an_update():
    bench = Bench("recorder_update")
    bench.talking()
    bench.over()
    assert [event for event, _ in bench.recorders(bench.a)] == ["update", "stop", "release"]


def test_telecom_asks_first_for_the_mode_of_a_call_that_it_knows():
    bench = Bench("telecom_first")
    bench.talking()
    bench.over()
    assert bench.modes(bench.b) == [("MODE_RINGTONE", TELECOM), (COMMUNICATION, TELECOM), ("MODE_NORMAL", TELECOM)]
    other = Bench("telecom_first", name="messenger")
    other.talking()
    assert other.modes(other.a) == [(COMMUNICATION, MESSENGER)]


def test_an_app_with_the_service_may_tell_telecom_nothing():
    for bench, known in ((Bench("no_telecom"), 0), (Bench(), 1)):
        bench.talking()
        assert len([call for call in bench.a.history.calls if call.created_ns >= START_NS]) == known
        assert len(bench.lines(bench.a, "telecom", "state=ACTIVE")) == 2 * known


def test_other_packages_record_from_sources_that_are_no_calls():
    bench = Bench("hotword")
    bench.run(60)
    found = bench.recorders(bench.a)
    assert 6 <= len(found) <= 50
    assert {source for _, source in found} <= {"HOTWORD", "VOICE_RECOGNITION"}
    assert WHATSAPP not in {entry.package for entry in bench.new(bench.a.history.recorders)}
    assert bench.recorders(bench.a) != bench.recorders(bench.b)


def test_an_early_camera_connects_at_the_chat_at_dialling_or_at_ringing():
    seen = Counter()
    for number in range(12):
        bench = Bench("early_camera", key=f"early/{number}")
        bench.a.intent("android.intent.action.VIEW", f"https://wa.me/{B}", None, None, None)
        bench.run(1)
        chat = len(bench.cameras(bench.a))
        bench.exchange.place("a", bench.a.apps["whatsapp"], "video", B)
        bench.run(0.4)
        dialling = len(bench.cameras(bench.a))
        bench.run(3.1)
        seen[chat, dialling, len(bench.cameras(bench.a)), len(bench.cameras(bench.b))] += 1
        bench.exchange.answer("b")
        bench.run(5)
        assert bench.cameras(bench.a) == bench.cameras(bench.b) == [("CONNECT", "1")]
    assert set(seen) == {(1, 1, 1, 0), (0, 1, 1, 0), (0, 0, 1, 0)}


def test_a_camera_that_the_chat_connected_goes_when_a_voice_call_is_placed_or_the_chat_is_left():
    bench = next(one for number in range(20) if (one := Bench("early_camera", key=f"e/{number}")).a.records._early == 0)
    for leave in (bench.ringing, lambda: bench.a.key("home")):
        bench.a.intent("android.intent.action.VIEW", f"https://wa.me/{B}", None, None, None)
        bench.run(1)
        assert bench.cameras(bench.a)[-1] == ("CONNECT", "1")
        leave()
        assert bench.cameras(bench.a)[-1] == ("DISCONNECT", "1")
        bench.over()


def test_lenses_change_in_mid_call():
    bench = Bench("lens_switch")
    bench.talking("video", seconds=30)
    bench.over()
    found = bench.cameras(bench.a)
    assert len(found) >= 6
    assert found[:4] == [("CONNECT", "1"), ("DISCONNECT", "1"), ("CONNECT", "0"), ("DISCONNECT", "0")]
    assert [event for event, _ in found] == ["CONNECT", "DISCONNECT"] * (len(found) // 2)


def test_equal_lines_of_the_camera_are_printed_once_where_they_are_folded():
    for bench, count in ((Bench(), 2), (Bench("folded_camera"), 1)):
        for _ in range(2):
            bench.a.history.camera("CONNECT", WHATSAPP, "1")
        assert len(bench.lines(bench.a, "media.camera", "01-05 00:00:03 : CONNECT")) == count


def test_a_call_comes_in_over_the_screen_of_an_app_that_wants_all_of_it():
    for bench, package in ((Bench(name="alder"), "com.example.alder"), (Bench("heads_up", name="alder"), None)):
        bench.ringing()
        assert (bench.b.top_activity().package == package) == (package is not None)
        assert bench.b.calls.heads_up == (package is None)
    dark = Bench("heads_up", name="alder")
    dark.b.key("sleep")
    dark.ringing()
    assert dark.b.package == "com.example.alder"


def test_the_order_of_mode_and_recorder_may_be_either_and_the_other_phone_may_be_first():
    orders, first = Counter(), Counter()
    for number in range(40):
        bench = Bench("other_tear_down", key=f"down/{number}")
        bench.talking(seconds=3)
        ended_ns = bench.world.now_ns
        bench.over()
        (stop_ns,) = [entry.at_ns for entry in bench.new(bench.a.history.recorders) if entry.event == "stop"]
        assert 150 * MS <= stop_ns - ended_ns <= 400 * MS
        orders[bench.new(bench.a.history.modes)[-1].at_ns < stop_ns] += 1
        (other_ns,) = [entry.at_ns for entry in bench.new(bench.b.history.recorders) if entry.event == "stop"]
        assert stop_ns - other_ns < 300 * MS
        first[other_ns < stop_ns] += 1
    assert min(orders.values()) > 8
    assert len(first) == 2 or first[False]


@pytest.mark.parametrize(
    ("part", "milliseconds"), [(0, 17), (5_000, 150), (4_500, 135.5), (9_980, 1_732), (9_981, 1_815.4), (10_000, 3_400)]
)
def test_slow_delays_have_these_quantiles(part, milliseconds):
    assert slow_ns(part) == round(milliseconds * MS)


def test_slow_records_end_late_now_and_then():
    delays = []
    for number in range(60):
        bench = Bench("slow_records", key=f"slow/{number}")
        bench.ringing()
        ended_ns = bench.world.now_ns
        bench.over("b")
        delays.append(bench.new(bench.b.history.modes)[-1].at_ns - ended_ns)
    assert 90 * MS < sorted(delays)[30] < 240 * MS
    assert max(delays) > 500 * MS


# -- rings and what they print


def test_rings_keep_so_many_entries_as_android_does():
    bench = Bench()
    for number in range(120):
        bench.a.history.mode("MODE_RINGTONE" if number % 2 else "MODE_NORMAL", WHATSAPP, 1, 1)
        bench.a.history.recorder("start", WHATSAPP, "MIC")
        bench.a.history.camera("CONNECT", WHATSAPP, str(number))
        bench.a.history.telecom("a/b", incoming=True)
    counts = [("audio", "setMode("), ("audio", " rec start"), ("media.camera", " : CONNECT"), ("telecom", "CallTC@")]
    assert [len(bench.lines(bench.a, *each)) for each in counts] == [20, 50, 100, 10]
    assert bench.lines(bench.a, "media.camera", " : CONNECT")[0].endswith(
        "device 119 client for package com.whatsapp (PID 11000)"
    )


def test_a_phone_remembers_calls_from_before_the_attempt():
    bench = Bench()
    assert all(entry.at_ns < START_NS - 600 * S for entry in bench.a.history.modes)
    assert len(bench.a.history.modes) >= 4
    assert list(bench.a.history.modes) != list(bench.b.history.modes)


@pytest.mark.parametrize(
    ("sdk", "titles"),
    [
        (33, ["Events log: phone state", "Audio event log: recording activity"]),
        (34, ["Events log: phone state", "Events log: recording activity"]),
        (36, ["Events log: phone state", "Events log: recording activity"]),
    ],
)
def test_the_logs_have_the_titles_of_their_android(sdk, titles):
    bench = Bench(sdk=sdk)
    found = [line for line in bench.dump(bench.a, "audio").splitlines() if " log: " in line]
    assert [line.partition(" (")[0].partition(" received")[0] for line in found] == titles


@pytest.mark.parametrize("disorders", [(), ("newest_first",)])
def test_entries_stand_oldest_first_or_newest_first(disorders):
    bench = Bench(*disorders, utc_offset_minutes=-210)
    bench.talking()
    bench.over()
    stamps = [line.split()[1] for line in bench.lines(bench.a, "audio", "setMode(")][:: -1 if disorders else 1]
    modes = [line.split()[2] for line in bench.lines(bench.a, "audio", "setMode(")][:: -1 if disorders else 1]
    assert modes[-2:] == ["setMode(MODE_IN_COMMUNICATION)", "setMode(MODE_NORMAL)"]
    # The device's clock is 3 s fast, its zone is three and a half hours behind: it is the evening before.
    assert stamps[-2] == "20:30:03:000"
    numbers = [line.split("TC@")[1].split()[0] for line in bench.lines(bench.a, "telecom", "CallTC@")]
    assert numbers == sorted(numbers, key=int, reverse=bool(disorders))
    cameras = [line.split()[0:2] for line in bench.lines(bench.a, "media.camera", " client for ")]
    assert cameras == sorted(cameras, key=lambda stamp: (stamp[0] < "06", stamp), reverse=True)


def test_the_lines_of_recorders_and_modes_are_those_of_android():
    bench = Bench()
    bench.talking(seconds=2)
    (start,) = [entry for entry in bench.new(bench.b.history.recorders) if entry.event == "start"]
    line = bench.lines(bench.b, "audio", f"rec start riid:{start.riid}")[0]
    assert line.partition(" rec ")[2] == (
        f"start riid:{start.riid} uid:10240 session:{start.session} src:VOICE_COMMUNICATION "
        "not silenced pack:com.whatsapp"
    )
    assert bench.lines(bench.b, "audio", "setMode(")[-1].partition(" setMode")[2] == (
        "(MODE_IN_COMMUNICATION) from package=com.whatsapp pid=11000 selected mode=MODE_IN_COMMUNICATION by pid=11000"
    )
    text = bench.dump(bench.b, "audio")
    assert "- Mode owner: \n  - Mode: MODE_IN_COMMUNICATION\n" in text
    assert "  Requester # 1:\n" in text


@pytest.mark.parametrize(("sdk", "tail"), [(33, "(MT - incoming)"), (34, "(MT - incoming)(User=UserHandle{0})")])
def test_telecom_prints_events_and_analytics_of_a_call(sdk, tail):
    bench = Bench(sdk=sdk, utc_offset_minutes=120)
    bench.talking()
    bench.over("a")
    entry = bench.b.history.calls[-1]
    text = bench.dump(bench.b, "telecom")
    head = f"  SelfMgd CallTC@{entry.number} [Jan 5, 2026 2:00:"
    block = text[text.index(head) :].splitlines()
    assert block[0].endswith(f" AM]{tail}")
    service = "com.whatsapp/com.whatsapp.voipcalling.SelfManagedConnectionService"
    assert block[1] == f"  \t>>>Target PhoneAccount: ComponentInfo{{{service}}}, [***] (WhatsApp)"
    assert [line.split(" - ")[1].split(" ")[0].split(":")[0] for line in block[3:]] == [
        "CREATED",
        "SET_RINGING",
        "SET_ACTIVE",
        "SET_DISCONNECTED",
        "DESTROYED",
    ]
    assert block[3].startswith("    02:00:")
    assert "(disconnected set explicitly> DisconnectCause [ Code: (REMOTE) ]):" in block[6]
    analytics = text[text.index(f"Call TC@{entry.number}: {{") : text.index("Historical Events:")].splitlines()
    assert analytics[1] == f"    startTime: {(entry.created_ns + 3 * S) // MS}"
    assert analytics[-2:] == ["    isVideoCall: false", "  }"]


def test_what_is_asked_through_telecom_is_in_its_events():
    bench = Bench()
    bench.ringing()
    bench.b.key("headsethook")
    bench.run(3)
    bench.b.key("headsethook")
    bench.run(1)
    events = [event for _, event, _ in bench.b.history.calls[-1].events]
    assert events.index("REQUEST_ACCEPT") < events.index("SET_ACTIVE") < events.index("REQUEST_DISCONNECT")


@pytest.mark.parametrize(
    ("sdk", "form"),
    [
        (33, "defaults=0x0 flags=0x62 color=0x00000000 category=call actions=2 "),
        (34, "defaults=0x0 flags=0x62 color=0x00000000 category=call actions=2 "),
        (36, "defaults=0 flags=ONGOING_EVENT|NO_CLEAR|FOREGROUND_SERVICE color=0x00000000 category=call actions=2 "),
    ],
)
def test_notifications_are_described_as_by_their_android(sdk, form):
    bench = Bench(sdk=sdk)
    assert ("Notification List:" in bench.dump(bench.b, "notification")) == (sdk < 36)
    bench.ringing()
    (record,) = bench.lines(bench.b, "notification", "NotificationRecord")
    assert form in record
    assert bench.lines(bench.b, "notification", "android.template") == [
        "        android.template=String (android.app.Notification$CallStyle)"
    ]
    (enqueued,) = [entry.text for entry in bench.b.history.log if entry.tag == "notification_enqueue"]
    assert enqueued.startswith("[10240,11000,com.whatsapp,23,NULL,0,Notification(channel=voip_notification ")
    assert form in enqueued


def test_the_events_buffer_tells_of_buttons_windows_and_what_the_app_takes_back():
    bench = Bench()
    bench.ringing()
    bench.b.tap(530, 390)
    bench.b.tap(540, 1200)
    bench.b.tap(540, 1300)
    bench.run(3)
    bench.over()
    found = [(entry.tag, entry.fields[:2]) for entry in bench.new(bench.b.history.log)]
    key = "0|com.whatsapp|23|null|10240"
    assert [tag for tag, _ in found] == [
        "notification_enqueue",
        "input_interaction",
        "notification_action_clicked",
        "notification_enqueue",
        "input_interaction",
        "notification_canceled",
    ]
    assert [fields for tag, fields in found if tag.startswith("notification_") and "enqueue" not in tag] == [
        (key, "1"),
        (key, "8"),
    ]
    touched = [fields[0] for tag, fields in found if tag == "input_interaction"]
    assert touched[0].split(" ", 3)[3].startswith("NotificationShade (server), ")
    assert touched[1].endswith(
        " com.whatsapp/com.whatsapp.calling.ui.VoipActivityV2 (server), [Gesture Monitor] swipe-up (server), "
        "PointerEventDispatcher0 (server), "
    )


def test_appops_tell_the_last_use_of_the_microphone():
    bench = Bench()
    assert recorded_audio(bench.a, "org.example.none") == "RECORD_AUDIO: allow"
    bench.a.history.recorder("start", "com.example.alder", "MIC")
    bench.run(61.5)
    assert recorded_audio(bench.a, "com.example.alder") == "RECORD_AUDIO: allow; time=+1m1s500ms ago (RUNNING)"
    bench.a.history.recorder("release", "com.example.alder", "MIC")
    bench.run(1)
    assert recorded_audio(bench.a, "com.example.alder") == (
        "RECORD_AUDIO: allow; time=+1m2s500ms ago; duration=+1m1s500ms"
    )
