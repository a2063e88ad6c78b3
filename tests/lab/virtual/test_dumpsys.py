"""The texts of dumpsys, line by line."""

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface

import pytest

from lab.definitions import PhoneSpec
from lab.virtual.commands.dumpsys import SERVICES, UnknownDump, dumpsys
from lab.virtual.handset.exchange import Exchange
from lab.virtual.handset.handset import Handset
from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import OTHERS, Usage
from lab.virtual.world import World
from tests.lab.virtual.emulated_apps import emulated

S = 1_000_000_000
A, B = "15555550101", "15555550102"


EMULATION = {
    "access": {
        "interface": "rmnet1",
        "link": "raw",
        "mtu": "1428",
        "ipv4": ["100.64.0.0/10"],
        "ipv4_prefix": "30",
        "nat": "per_flow",
        "nat_pool": "198.51.100.0/25",
        "delay_low_us": "24000",
        "delay_high_us": "42000",
        "jitter_us": "9000",
    },
    "clock": {"offset_ns": "0"},
    "adb": {"up_low_ns": "1", "up_high_ns": "2", "down_low_ns": "1", "down_high_ns": "2"},
    "battery_percent": "87",
    "operator": "Operator A",
}
RMNET = Interface("rmnet1", None, (IPv6Interface("2001:db8:1::5/64"),), 1428, True)
CLAT = Interface("v4-rmnet1", None, (IPv4Interface("192.0.0.4/32"),), 1400, True)
WLAN = Interface("wlan0", "02:00:00:00:00:01", (IPv4Interface("192.168.137.7/24"),), 1500, True)


def phone(network="lte"):
    return PhoneSpec.model_validate(
        {
            "name": "a",
            "model": "Pixel 6",
            "os": "Android 16",
            "network": network,
            "capture": "dumpcap",
            "rooted": "false",
            "stimulus": {"sound": "speech", "scene": "bright"},
            "emulation": EMULATION,
        }
    )


@dataclass
class Device:
    handset: Handset
    spec: PhoneSpec
    links: list[Interface] = field(default_factory=list)
    props: dict[str, str] = field(default_factory=dict)
    counters: Usage = field(default_factory=Usage)

    @property
    def battery_percent(self):
        return self.spec.emulation.battery_percent

    thermal_status = 0

    def clock_ns(self):
        return self.handset.world.now_ns + 3 * S

    def clock_at(self, at_ns):
        return at_ns + 3 * S

    def interfaces(self):
        return self.links

    def usage(self):
        return self.counters

    def other_packages(self):
        return {"org.example.other": "1.2.3"}

    def user_state(self, package):
        return {"installed": "true", "hidden": "false", "suspended": "false", "enabled": "0"}


class Bench:
    def __init__(self, *names, key="seed/trial/1"):
        self.world = World()
        self.world.begin(key, 1000 * S)
        self.exchange = Exchange(self.world, [])
        apps = {name: emulated(name) for name in names}
        for phone, address in (("a", A), ("b", B)):
            contacts = dict.fromkeys(names, address)
            handset = Handset(phone, contacts, apps, self.world, self.exchange)
            self.exchange.subscribers[phone] = handset.calls
            setattr(self, phone, handset)

    def run(self, seconds):
        self.world.advance_to(self.world.now_ns + round(seconds * S))

    def talking(self, service="voice", name="whatsapp"):
        self.ringing(service, name)
        self.exchange.answer("b")
        self.run(2.5)

    def ringing(self, service="voice", name="whatsapp"):
        """A call from a to b that rings."""
        self.exchange.place("a", self.a.apps[name], service, B)
        self.run(3.5)


def dump(handset, service, *args, network="lte", links=()):
    return dumpsys(handset, service, args, Device(handset, phone(network), list(links)))


def lines(handset, service, *args, having):
    return [line.strip() for line in dump(handset, service, *args).splitlines() if having in line]


def test_a_service_or_an_argument_that_is_not_built_is_refused():
    with pytest.raises(UnknownDump, match="service thermal is not built; there is audio, telecom"):
        dump(Bench("whatsapp").a, "thermal")
    with pytest.raises(UnknownDump, match="dumpsys battery is not built with set level 5"):
        dump(Bench("whatsapp").a, "battery", "set", "level", "5")


def test_every_service_dumps_in_every_state():
    bench = Bench("whatsapp")
    for _ in range(2):
        assert all(isinstance(dump(bench.a, service, links=[RMNET]), str) for service in SERVICES)
        bench.talking()
    bench.a.key("power")
    assert all(isinstance(dump(bench.a, service), str) for service in SERVICES)


def test_audio_tells_the_mode_and_its_history():
    bench = Bench("whatsapp")
    assert lines(bench.a, "audio", having="ctual mode") == ["- Actual mode = MODE_NORMAL"]
    bench.ringing()
    assert lines(bench.a, "audio", having="ctual mode") == ["- Actual mode = MODE_IN_COMMUNICATION"]
    assert lines(bench.b, "audio", having="ctual mode") == ["- Actual mode = MODE_RINGTONE"]
    assert lines(bench.a, "audio", having="setMode")[-1] == (
        "01-01 00:16:43:000 setMode(MODE_IN_COMMUNICATION) from package=com.whatsapp pid=11000 "
        "selected mode=MODE_IN_COMMUNICATION by pid=11000"
    )
    bench.exchange.hang_up("a")
    bench.run(1)
    dumped = dump(bench.a, "audio")
    assert dumped.index("- Actual mode = MODE_NORMAL") < dumped.index("setMode(MODE_IN_COMMUNICATION)")


def test_telecom_prints_a_registered_call_twice_with_its_address_masked():
    bench = Bench("whatsapp")
    bench.ringing()
    account = "ComponentInfo{com.whatsapp/com.whatsapp.voipcalling.SelfManagedConnectionService}, ***, UserHandle{0}"
    rest = "cmgr=null, handle=tel:***, vidst=A, childs(0), has_parent(false), cap=[[]], prop=[[ self-mng]]], voip=true"
    number = bench.b.records.entry.number
    line = f"[Call id=TC@{number}, state=RINGING, tpac={account}, {rest}"
    assert lines(bench.b, "telecom", having="Call id=") == [line] * 2
    assert lines(bench.a, "telecom", having="state=DIALING") != []
    assert B not in dump(bench.a, "telecom")
    bench.exchange.answer("b")
    bench.run(2)
    assert len(lines(bench.b, "telecom", having="state=ACTIVE")) == 2


def test_telecom_knows_nothing_of_apps_that_do_not_register():
    bench = Bench("messenger")
    bench.ringing(name="messenger")
    assert lines(bench.b, "telecom", having="Call id=") == []


def test_notification_lists_package_id_and_actions():
    bench = Bench("whatsapp")
    assert lines(bench.b, "notification", "--noredact", having="NotificationRecord") == []
    bench.ringing("video")
    (record,) = lines(bench.b, "notification", "--noredact", having="NotificationRecord")
    assert " pkg=com.whatsapp user=UserHandle{0} id=23 tag=null " in record
    assert record.endswith("category=call actions=2 vis=PRIVATE))")
    actions = [line.split(" -> ")[0] for line in lines(bench.b, "notification", "--noredact", having='] "')]
    assert actions == ['[0] "Decline"', '[1] "Video"']
    assert lines(bench.b, "notification", "--noredact", having="android.title") == [f"android.title=String ({A})"]


def test_notification_texts_are_redacted_without_the_option():
    bench = Bench("whatsapp")
    bench.ringing()
    assert lines(bench.b, "notification", having="android.title") == ["android.title=String [length=11]"]
    assert A not in dump(bench.b, "notification")


def test_a_missed_call_leaves_a_record_of_its_own():
    bench = Bench("whatsapp")
    bench.ringing()
    bench.exchange.hang_up("a")
    bench.run(1)
    (record,) = lines(bench.b, "notification", "--noredact", having="NotificationRecord")
    assert " id=24 " in record
    assert "category=missed_call actions=0" in record


def test_window_names_the_focused_activity_in_full():
    bench = Bench("whatsapp")
    (focus,) = lines(bench.a, "window", "windows", having="mCurrentFocus")
    launcher = "com.google.android.apps.nexuslauncher"
    assert focus.split(" u0 ")[1] == f"{launcher}/{launcher}.NexusLauncherActivity}}"
    bench.ringing()
    (focus,) = lines(bench.a, "window", "windows", having="mCurrentFocus")
    assert focus.startswith("mCurrentFocus=Window{")
    assert focus.endswith(" u0 com.whatsapp/com.whatsapp.calling.ui.VoipActivityV2}")
    (focus,) = lines(bench.b, "window", "windows", having="mCurrentFocus")
    assert focus.split(" u0 ")[1] == f"{launcher}/{launcher}.NexusLauncherActivity}}"


def test_window_names_the_shade_without_a_package():
    bench = Bench("whatsapp")
    bench.a.open_notifications()
    (focus,) = lines(bench.a, "window", "windows", having="mCurrentFocus")
    assert focus.split(" u0 ")[1] == "NotificationShade}"
    bench.a.key("power")
    assert lines(bench.a, "window", "windows", having="mCurrentFocus") == ["mCurrentFocus=null"]


def test_activity_names_the_resumed_activity_in_short():
    bench = Bench("whatsapp", "messenger")
    bench.ringing(name="messenger")
    (resumed,) = lines(bench.a, "activity", "activities", having="  ResumedActivity")
    suffix = " u0 com.facebook.orca/com.facebook.rtc.activities.WebrtcIncallFragmentHostActivity t21}"
    assert resumed.startswith("ResumedActivity: ActivityRecord{")
    assert resumed.endswith(suffix)
    bench = Bench("whatsapp")
    bench.ringing()
    bench.a.open_notifications()
    (resumed,) = lines(bench.a, "activity", "activities", having="  ResumedActivity")
    assert resumed.endswith(" u0 com.whatsapp/.calling.ui.VoipActivityV2 t20}")


def test_no_activity_is_resumed_on_a_dark_phone():
    bench = Bench("whatsapp")
    bench.a.key("power")
    assert lines(bench.a, "activity", "activities", having="  ResumedActivity") == ["ResumedActivity: null"]


def test_package_tells_the_version():
    bench = Bench("whatsapp")
    assert lines(bench.a, "package", "com.whatsapp", having="versionCode") == [
        "versionCode=252674000 minSdk=28 targetSdk=35"
    ]
    assert lines(bench.a, "package", "com.whatsapp", having="versionName") == ["versionName=2.25.26.74"]
    assert dump(bench.a, "package", "com.example.none") == "Unable to find package: com.example.none"


def test_display_follows_the_screen():
    bench = Bench("whatsapp")
    assert lines(bench.a, "display", having="mGlobalDisplayState") == ["mGlobalDisplayState=ON"]
    bench.a.key("power")
    assert lines(bench.a, "display", having="mGlobalDisplayState") == ["mGlobalDisplayState=OFF"]
    (viewports,) = lines(bench.a, "display", having="DisplayViewport{")
    assert "valid=true, isActive=true" in viewports
    assert viewports.endswith(
        "orientation=0, logicalFrame=Rect(0, 0 - 1080, 2400), physicalFrame=Rect(0, 0 - 1080, 2400), "
        "deviceWidth=1080, deviceHeight=2400}]"
    )


def test_battery_tells_the_level_of_the_bench_file():
    bench = Bench("whatsapp")
    assert lines(bench.a, "battery", having="level") == ["level: 87"]
    assert lines(bench.a, "battery", having="powered: true") == ["USB powered: true"]


def test_connectivity_stacks_the_clat_interface():
    bench = Bench("whatsapp")
    (agent,) = [line for line in dump(bench.a, "connectivity", links=[RMNET, CLAT]).splitlines() if "lp{{" in line]
    assert "ni{MOBILE[LTE] CONNECTED extra: }" in agent
    assert "lp{{InterfaceName: rmnet1 LinkAddresses: [ 2001:db8:1::5/64 ] " in agent
    assert " Nat64Prefix: 64:ff9b::/96 Stacked: [[ InterfaceName: v4-rmnet1 LinkAddresses: [ 192.0.0.4/32 ] " in agent


def test_connectivity_of_a_phone_on_wifi():
    bench = Bench("whatsapp")
    (agent,) = [line for line in dump(bench.a, "connectivity", links=[WLAN]).splitlines() if "lp{{" in line]
    assert "ni{WIFI CONNECTED extra: }" in agent
    assert "InterfaceName: wlan0 LinkAddresses: [ 192.168.137.7/24 ]" in agent
    assert "Nat64Prefix" not in agent
    assert agent.endswith("nc{[ Transports: WIFI Capabilities: INTERNET&NOT_RESTRICTED&TRUSTED&NOT_VPN&VALIDATED ]}}")


def test_netstats_shows_the_bytes_of_an_app_by_kind_of_network_once_it_was_polled():
    bench = Bench("whatsapp")
    counters = Usage()
    device = Device(bench.a, phone(), counters=counters)
    counters.add("cellular", "whatsapp", 7201 * S, outgoing=True, packets=2, payload_bytes=100)
    counters.add("cellular", "whatsapp", 7202 * S, outgoing=False, packets=1, payload_bytes=5)
    counters.add("wifi", "whatsapp", 14_400 * S, outgoing=False, packets=1, payload_bytes=1)
    assert "ident" not in dumpsys(bench.a, "netstats", ["--uid"], device)
    assert dumpsys(bench.a, "netstats", ["--poll"], device) == "Forced poll"
    section = dumpsys(bench.a, "netstats", ["--uid"], device).split("UID stats:")[1].splitlines()
    assert [line.strip() for line in section if "st=" in line] == [
        "st=7200 rb=33 rp=1 tb=156 tp=2 op=0",
        "st=14400 rb=29 rp=1 tb=0 tp=0 op=0",
    ]
    series = [line for line in section if "ident=" in line]
    assert [line.partition(",")[0] for line in series] == ["  ident=[{type=0", "  ident=[{type=1"]
    assert [line.rpartition("] ")[2] for line in series] == ["uid=10240 set=FOREGROUND tag=0x0"] * 2


def test_the_bytes_of_other_apps_stand_beside_under_an_id_of_their_own():
    bench = Bench("whatsapp")
    counters = Usage()
    device = Device(bench.a, phone(), counters=counters)
    counters.add("wifi", OTHERS, 7201 * S, outgoing=True, packets=1, payload_bytes=300)
    counters.add("wifi", "whatsapp", 7201 * S, outgoing=True, packets=1, payload_bytes=2)
    dumpsys(bench.a, "netstats", ["--poll"], device)
    section = dumpsys(bench.a, "netstats", ["--uid"], device).split("UID stats:")[1].splitlines()
    assert [line.rpartition("] ")[2] for line in section if "ident=" in line] == [
        "uid=1000 set=FOREGROUND tag=0x0",
        "uid=10240 set=FOREGROUND tag=0x0",
    ]
    assert [line.split()[3] for line in section if "st=" in line] == ["tb=328", "tb=30"]


def test_the_telephony_registry_tells_the_radio_and_the_operator():
    bench = Bench("whatsapp")
    text = dump(bench.a, "telephony.registry")
    assert "getRilDataRadioTechnology=14(LTE)" in text
    assert "mOperatorAlphaLong=Operator A" in text
    assert "TelephonyDisplayInfo {network=LTE, overrideNetwork=NONE" in text
    assert "getRilDataRadioTechnology=20(NR_SA)" in dump(bench.a, "telephony.registry", network="nr")
