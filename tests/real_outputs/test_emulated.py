"""What the emulated phones print has the shape of what real ones printed: lines without values, fields by name."""

import re
from ipaddress import IPv4Interface, IPv6Interface
from types import SimpleNamespace

import pytest

from lab.virtual.commands.network import route_get
from lab.virtual.commands.networktext import addresses_text
from lab.virtual.network.addresses import Interface
from lab.virtual.network.usage import Usage
from tests.lab.virtual.test_dumpsys import Bench, Device, S, dump, dumpsys, phone
from tests.real_outputs.index import text

WLAN = Interface(
    "wlan0", "02:00:00:00:00:01", (IPv4Interface("192.168.137.7/24"), IPv6Interface("fe80::7/64")), 1500, True
)
RMNET = Interface("rmnet1", None, (IPv4Interface("100.64.0.2/30"), IPv6Interface("2001:db8:1::5/64")), 1428, True)
TUN = Interface("tun0", None, (IPv4Interface("10.215.173.1/30"),), 1500, True)
VALUES = [
    (r"MODE_\w+", "MODE"),
    (r"\b(package|pack|pkg)([= :])\S+", r"\1\2P"),
    (r"src:\w+", "src:X"),
    (r"\brec \w+", "rec X"),
    (r"\b(CONNECT|DISCONNECT) device", "X device"),
    (r"ComponentInfo\{[^}]*\}", "C"),
    (r"0x[0-9a-f]+", "0"),
    (r"\d+", "0"),
]


def shape(line: str) -> str:
    """A line without its values."""
    for pattern, name in VALUES:
        line = re.sub(pattern, name, line)
    return line.strip()


def shapes(printed: str, having: str) -> set[str]:
    return {shape(line) for line in printed.splitlines() if having in line}


def keys(line: str) -> list[str]:
    """The names of the fields of a line, in their order."""
    return re.findall(r"([A-Za-z]\w*)=", line)


@pytest.fixture(scope="module")
def called() -> Bench:
    """A call with video that was answered and ended."""
    bench = Bench("whatsapp")
    bench.talking("video")
    bench.exchange.hang_up("a")
    bench.run(2)
    return bench


@pytest.mark.parametrize(
    ("service", "having", "files"),
    [
        ("audio", "setMode", ["audio/modes_redmi10a_lineage20.txt"]),
        ("audio", " rec ", ["audio/recorders_shell_voice_call.txt"]),
        ("audio", "phone state", ["audio/events_galaxy_a21s.txt"]),
        ("audio", "Audio mode", ["audio/mode_aosp_owner_and_stack.txt"]),
        ("audio", "ctual mode", ["audio/mode_aosp_owner_and_stack.txt"]),
        ("audio", "Mode owner", ["audio/mode_aosp_owner_and_stack.txt"]),
        ("media.camera", "client for package", ["camera/redmi_k30.txt"]),
        ("media.camera", "events log", ["camera/board_rk3588s.txt"]),
        ("media.camera", "ADD device", ["camera/board_rk3588s.txt"]),
        ("telephony.registry", "CallState", ["telephony/two_sims_api36.txt"]),
        ("telephony.registry", "Phone Id", ["telephony/two_sims_api36.txt"]),
        ("telephony.registry", "last known", ["telephony/two_sims_api36.txt"]),
    ],
)
def test_lines_have_the_shape_of_real_ones(called, service, having, files):
    emulated = shapes(dump(called.a, service), having)
    assert emulated
    assert emulated <= {one for file in files for one in shapes(text(file), having)}


def test_the_fields_of_a_sim_are_a_real_ones_in_their_order(called):
    printed = text("telephony/two_sims_api36.txt").partition("Phone Id=1")[0]
    real = [key for line in printed.splitlines() for key in keys(line)]
    emulated = [key for line in dump(called.a, "telephony.registry").splitlines() for key in keys(line)]
    assert len(emulated) > 10
    assert [key for key in real if key in emulated] == emulated


def event_shape(line: str) -> str:
    """An event of Telecom's history: a time, a name, data or none, the session."""
    return re.sub(r"^\s+[\d:.]+ - [A-Z_]+( \(.*\))?:\S+$", lambda found: "event" + " (data)" * bool(found[1]), line)


def test_a_call_of_telecom_has_a_real_ones_shape(called):
    """That apps register themselves (`SelfMgd`) was seen in source alone."""
    real = text("telecom/outgoing_emulator_37_norwegian.txt").partition("Historical Events:")[2].splitlines()
    emulated = dump(called.a, "telecom").partition("Historical Events:")[2].splitlines()
    head = re.compile(
        r"  (?:SelfMgd )?CallTC@\d+(?:/\d+)? \[[^\]]+\]\(M[OT] - (?:outgoing|incoming)\)\(User=UserHandle\{0\}\)"
    )
    account = re.compile(r"  \t>>>Target PhoneAccount: ComponentInfo\{[^}]+\}, .+ \(.+\)")
    address = re.compile(r"  \tTo address: \w+:\*+\d\d Presentation: Allowed")
    for form in (head, account, address):
        assert any(form.fullmatch(line) for line in real)
        assert any(form.fullmatch(line) for line in emulated)
    left = [line for line in emulated if line and not any(form.fullmatch(line) for form in (head, account, address))]
    assert left
    assert {event_shape(line) for line in left} <= {"event", "event (data)"}
    assert {event_shape(line) for line in real} >= {"event", "event (data)"}


def test_a_notification_has_a_real_ones_fields():
    """How many actions it has stands in texts of others about API 35 alone."""
    bench = Bench("whatsapp")
    bench.ringing()
    (emulated,) = [line for line in dump(bench.b, "notification").splitlines() if "NotificationRecord(" in line]
    files = ("notification/pixel9pro_android15.txt", "notification/gmail_public_version.txt")
    real = [line for file in files for line in text(file).splitlines() if "NotificationRecord(" in line]
    parted = [line.partition(": Notification(") for line in (emulated, *real)]
    assert shape(parted[0][0].partition(" tag=")[0].replace("id=23", "id=0")) == shape(
        parted[1][0].partition(" tag=")[0]
    )
    assert [keys(head) for head, _, _ in parted][1:] == [keys(parted[0][0])] * 2
    assert set(keys(parted[0][2])) <= {key for _, _, tail in parted[1:] for key in keys(tail)} | {"actions"}
    bodies = [key for key in keys(parted[1][2]) if key in keys(parted[0][2])]
    assert [key for key in keys(parted[0][2]) if key in bodies] == bodies


def test_identities_series_and_buckets_are_those_of_a_phone_with_that_module(called):
    counters = Usage()
    device = Device(called.a, phone(), [WLAN, RMNET, TUN], counters=counters)
    for kind in ("wifi", "cellular"):
        counters.add(kind, "whatsapp", 7201 * S, outgoing=True, packets=2, payload_bytes=100)
    dumpsys(called.a, "netstats", ["--poll"], device)
    emulated = dumpsys(called.a, "netstats", ["--uid"], device).splitlines()
    newer = text("netstats/pad6_hyperos_without_uid.txt").splitlines()
    mobile = text("netstats/emulator_wifi_and_mobile.txt").splitlines()
    assert {shape(line) for line in emulated if " st=" in line} <= {shape(line) for line in newer}
    active = [keys(line) for line in emulated if "iface=" in line]
    real = {line.split()[0]: keys(line) for line in newer if "iface=" in line}
    assert (
        active
        == [real["iface=wlan0"], keys(f"iface=rmnet1 {mobile_identity(mobile)} transports="), real["iface=tun1"]] * 2
    )
    series = [keys(line) for line in emulated if "uid=" in line]
    assert series[1] == next(keys(line) for line in newer if "uid=-1" in line)
    assert series[0] == [*keys(mobile_identity(mobile)), "transports", "uid", "set", "tag"]


def mobile_identity(lines: list[str]) -> str:
    return next(line for line in lines if "type=0" in line).partition("}]")[0]


def test_a_network_is_described_as_a_real_one(called):
    emulated = [line for line in dump(called.a, "connectivity", links=[WLAN, TUN]).splitlines() if "Agent" in line]
    real = [line for line in text("connectivity/pad6_hyperos_vpn.txt").splitlines() if "NetworkAgentInfo" in line]
    assert len(emulated) == len(real) == 2
    policies = re.compile(r"Policies : \S+")
    for ours, theirs in zip(emulated, real, strict=True):
        heads = [policies.sub("Policies : X", shape(line.partition(" lp{{")[0])) for line in (ours, theirs)]
        assert heads[0] == heads[1]
        names = [re.findall(r"([A-Z]\w+): ", line.partition(" lp{{")[2].partition("}}")[0]) for line in (ours, theirs)]
        assert [name for name in names[1] if name in names[0]] == names[0]
        assert [re.search(r"nc\{\[ Transports: (\S+) Cap", line)[1] for line in (ours, theirs)].count("WIFI|VPN") != 1
    stacked = dump(called.a, "connectivity", links=[RMNET, Interface("v4-rmnet1", None, (), 1400, True)])
    properties = re.findall(r"([A-Z]\w+): ", text("connectivity/clat_link_properties.txt"))
    shown = re.findall(r"([A-Z]\w+): ", stacked.partition("lp{{")[2].partition("}}")[0])
    assert set(shown) <= set(properties)


def address_shape(line: str) -> str:
    line = re.sub(r"<[A-Z,_]+>", "<F>", re.sub(r"(\d+: )[\w-]+(@\w+)?:", r"\1I:", line))
    line = re.sub(
        r"(qdisc|state) \w+", r"\1 X", re.sub(r"[0-9a-f:.]+/\d+", "A", re.sub(r"(?:[0-9a-f]{2}:){5}\w\w", "M", line))
    )
    return re.sub(
        r"scope (\w+) \w+$", r"scope \1 I", re.sub(r"brd [\d.]+", "brd A", re.sub(r"(?<=[ \w])\d+", "0", line))
    ).strip()


def test_ip_addr_prints_the_lines_of_a_real_phone():
    lo = Interface("lo", None, (IPv4Interface("127.0.0.1/8"), IPv6Interface("::1/128")), 65536, True)
    emulated = addresses_text([lo, WLAN, RMNET], "").splitlines()
    files = ("ip/addr_pixel_exynos_vpn.txt", "ip/addr_galaxy_att.txt")
    real = {address_shape(line) for file in files for line in text(file).splitlines()}
    assert {address_shape(line) for line in emulated} - real == set()


def test_a_route_has_the_words_of_a_real_phones():
    said: list[str] = []
    device = SimpleNamespace(name="a")
    network = SimpleNamespace(datapath=SimpleNamespace(route=lambda name, destination: RMNET))
    call = SimpleNamespace(uid=2000, say=lambda words: said.append(words) or 0)
    assert route_get(device, network, call, "192.0.2.1") == 0
    words = [re.sub(r"[\d.]*\d|rmnet1|seth_lte0", "X", line) for line in (*said, text("ip/route_get_unisoc_lte.txt"))]
    assert words[0] == words[1]


def test_the_thermal_service_prints_the_lines_of_real_ones():
    real = {
        shape(re.sub(r"mName=\w+", "mName=N", line)) for line in text("dumpsys/thermal_skin_xiaomi.txt").splitlines()
    }
    dumped = dump(Bench("whatsapp").a, "thermalservice")
    emulated = {shape(re.sub(r"mName=[\w-]+", "mName=N", line)) for line in dumped.splitlines()}
    # A Xiaomi prints neither; AOSP does (ThermalManagerService.dumpInternal, Android 14).
    aosp = {
        line
        for line in emulated
        if line.startswith(("HAL connection", "ThermalHAL", "Temperature static", "TemperatureThreshold"))
    }
    assert emulated - real == aosp
    assert real - emulated == set()


def test_the_events_buffer_has_the_fields_of_real_ones(called):
    entries = {entry.tag: entry.text for handset in (called.a, called.b) for entry in handset.history.log}
    real = {}
    for file in ("events/datalogic_update.txt", "events/miui_launcher_input.txt", "events/miui_touchable_region.txt"):
        for line in text(file).splitlines():
            tag, _, rest = line.partition(" I ")[2].partition(": ")
            real[tag.strip()] = rest.strip()
    notification = re.compile(r"Notification\(.*\)")
    for tag in ("notification_enqueue", "notification_canceled"):
        forms = [re.sub(r"-?\d+", "0", notification.sub("N", given[tag])) for given in (entries, real)]
        assert [form.count(",") for form in forms] == [forms[1].count(",")] * 2
        assert forms[0][0] == forms[1][0] == "["
    assert entries["input_interaction"].startswith("Interaction with: ")
    assert " (server), " in entries["input_interaction"]
    assert " (server), " in real["input_interaction"]
