"""The readers of a phone's networks, on what real phones printed."""

from ipaddress import ip_address

import pytest

from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.default_network import DefaultNetwork, parse_default_network, route_interface, vpns
from lab.phone.interfaces import parse_interfaces
from lab.phone.netstats import Account, Bucket, carried, kind_of, not_accountable, parse, telling, unreadable
from tests.real_outputs.index import text

UID_STATS = "UID stats:\n"
WLAN, LTE = DefaultNetwork("wlan0", "wifi"), DefaultNetwork("rmnet_data1", "cellular")


# -- netstats


@pytest.mark.parametrize(
    ("file", "uid", "sizes"),
    [
        ("netstats/emulator_wifi_and_mobile.txt", 10144, {"wifi": 63_623_203 + 1_594_753}),
        ("netstats/emulator_wifi_and_mobile.txt", 10145, {}),
        ("netstats/wifi_with_transports.txt", 10306, {"wifi": 1_800}),
        ("netstats/api36_type_minus_one.txt", 10181, {"wifi that is not the default network": 460}),
        ("netstats/vpn_over_mobile.txt", 10736, {"cellular": 4_600, "vpn over cellular": 1_999_998}),
        ("netstats/android12_type_names.txt", 1000, {"wifi": 384_159 + 707_911}),
        ("netstats/one_series_omits_buckets.txt", -1, {"wifi": 10_098}),
    ],
)
def test_bytes_are_counted_by_kind_of_network(file, uid, sizes):
    printed = text(file)
    found: dict[str, int] = {}
    for bucket, size in parse(printed if UID_STATS in printed else UID_STATS + printed, uid).items():
        found[bucket.kind] = found.get(bucket.kind, 0) + size
    assert found == sizes


def test_a_network_that_is_not_the_default_one_is_another_network():
    buckets = parse(UID_STATS + text("netstats/api36_type_minus_one.txt"), 10181)
    assert unreadable(buckets) == []
    with pytest.raises(AttemptVoid, match="used 460 bytes over wifi that is not the default network; only wlan0"):
        carried("pixel6", Account(WLAN, {}), Account(WLAN, buckets))


def test_what_a_vpn_carried_is_not_added_to_the_network_below_it():
    buckets = parse(UID_STATS + text("netstats/vpn_over_mobile.txt"), 10736)
    assert carried("pixel6", Account(LTE, {}), Account(LTE, buckets)) == 4_600


@pytest.mark.parametrize(
    ("file", "begin"),
    [
        ("netstats/pad6_hyperos_without_uid.txt", "'Directory:"),
        ("netstats/permission_denied.txt", "\"Permission Denial: can't dump NetworkStats"),
    ],
)
def test_a_dump_without_the_section_cannot_be_read(file, begin):
    with pytest.raises(PhoneTrouble) as caught:
        parse(text(file), 10306)
    assert str(caught.value).startswith(f"cannot be read: dumpsys netstats has no section 'UID stats': {begin}")


PAD6 = "netstats/pad6_hyperos_without_uid.txt"


def test_where_bytes_are_counted_now_is_said_before_a_run():
    """The dump of a tablet with a VPN: what is captured on is counted for that network, what is not for another."""
    printed = text(PAD6)
    assert not_accountable(printed, WLAN) is None
    assert not_accountable(printed, DefaultNetwork("tun1", "vpn over wifi")) is None
    assert not_accountable(printed, DefaultNetwork("rmnet1", "cellular")) is None
    new = printed.replace("transports={1}", "transports={11}")
    assert not_accountable(new, WLAN) == (
        "cannot be read: dumpsys netstats counts the bytes of wlan0 (wifi) for "
        "type=1, ratType=COMBINED, defaultNetwork=true, transports={11}"
    )
    other = printed.replace("transports={1}", "transports={0}")
    against = not_accountable(other, WLAN)
    assert against is not None
    assert against.startswith("dumpsys netstats says cellular, and counts the bytes of wlan0 (wifi) for type=1, ")


def test_an_identity_that_tells_no_kind_is_named_without_its_wifi():
    series = '  ident=[{type=-1, wifiNetworkKey="LAB"wpa2-psk, metered=false}] uid=1 set=ALL tag=0x0\n'
    buckets = parse(f"{UID_STATS}{series}  st=0 rb=1 rp=1 tb=2 tp=1 op=0\n", 1)
    assert unreadable(buckets) == ['[{type=-1, wifiNetworkKey="LAB"wpa2-psk, metered=false}] ALL']
    assert [telling(identity) for identity in unreadable(buckets)] == ["type=-1"]
    assert telling('[{wifiNetworkKey="x, type=1"open}]') == "no type"


def test_a_series_of_a_form_that_nobody_knows_is_unreadable_and_not_nothing():
    known = "  ident=[{type=1, metered=false}] uid=10144 set=DEFAULT tag=0x0"
    bucket = "\n  st=7 rb=1 rp=1 tb=2 tp=1 op=0\n"
    assert parse(f"{UID_STATS}{known}{bucket}", 10144) == {Bucket("wifi", "[{type=1, metered=false}] DEFAULT", 7): 3}
    strange = known + " proc=4242"
    assert parse(f"{UID_STATS}{strange}{bucket}", 10144) == {Bucket("unreadable", strange.strip(), 7): 3}
    assert parse(f"{UID_STATS}{strange}{bucket}", 10145) == {}
    tagged = strange.replace("tag=0x0", "tag=0xfffffff2")
    assert parse(f"{UID_STATS}{tagged}{bucket}", 10144) == {}


def test_a_history_tells_only_the_fields_that_it_records():
    series = f"{UID_STATS}  ident=[{{type=1}}] uid=1 set=ALL tag=0x0\n"
    assert list(parse(f"{series}  st=7 rb=1 tb=2\n", 1).values()) == [3]
    assert list(parse(f"{series}  st=7 rb=1 rp=5 tb=2 tp=5 op=5 rate=9\n", 1).values()) == [3]
    with pytest.raises(PhoneTrouble, match="a bucket that cannot be read: ' st=7 rb=1 rp=5'"):
        parse(f"{series}  st=7 rb=1 rp=5\n", 1)


@pytest.mark.parametrize(
    "line",
    [line for line in text(PAD6).splitlines() if "ident=" in line],
)
def test_every_identity_of_the_tablet_has_its_kind(line):
    kind = kind_of(line[line.index("ident=") + 6 :].partition("] ")[0] + "]")
    expected = "vpn over wifi" if "type=17" in line else "wifi"
    assert kind == expected + (" that is not the default network" if "defaultNetwork=false" in line else "")


# -- the default network


@pytest.mark.parametrize(
    ("file", "route", "network"),
    [
        ("connectivity/pad6_hyperos_vpn.txt", "wlan0", DefaultNetwork("wlan0", "wifi")),
        ("connectivity/android14_wifi.txt", "wlan0", DefaultNetwork("wlan0", "wifi")),
        ("connectivity/pixel8_wifi.txt", "wlan1", DefaultNetwork("wlan1", "wifi")),
        ("connectivity/android11_wifi.txt", "wlan0", DefaultNetwork("wlan0", "wifi")),
        ("connectivity/head_unit_ethernet.txt", "vlan5", DefaultNetwork("vlan5", "cellular")),
    ],
)
def test_the_default_network_is_named_by_its_first_interface(file, route, network):
    assert parse_default_network(f"192.0.2.1 dev {route} src 10.0.0.1", text(file)) == network


def test_a_line_of_a_network_is_read_whatever_stands_in_it():
    line = text("connectivity/android16_vm_wifi.txt")
    assert parse_default_network("192.0.2.1 dev wlan0", f"Active default network: 100\n{line}") == WLAN


def test_the_shells_route_into_a_vpn_is_not_the_default_network():
    printed = text("connectivity/pad6_hyperos_vpn.txt")
    assert vpns(printed) == ["tun1"]
    why = "ip route get leads through tun1, the default network is on wlan0; switch the VPN on tun1 off"
    with pytest.raises(AttemptVoid) as caught:
        parse_default_network("192.0.2.1 dev tun1 table 1016 src 10.111.222.1 uid 2000", printed)
    assert (caught.value.reason, str(caught.value)) == ("interface_unclear", why)


def test_an_interface_that_clat_stacks_is_not_the_networks_own():
    properties = " ".join(text("connectivity/clat_link_properties.txt").split())
    line = f"NetworkAgentInfo{{network{{7}} lp{{{{{properties}}}}} nc{{[ Transports: CELLULAR Capabilities: X ]}}}}"
    found = parse_default_network("192.0.2.1 dev v4-rmnet16 src 192.0.0.4", f"Active default network: 7\n{line}")
    assert found == DefaultNetwork("rmnet16", "cellular")


def test_a_vpn_is_one_with_and_without_a_network_below_it():
    for capabilities in text("connectivity/vpn_capabilities.txt").splitlines():
        line = f"NetworkAgentInfo{{network{{7}} lp{{{{InterfaceName: tun0 }}}} nc{{{capabilities}}}}}"
        assert vpns(line) == ["tun0"]
        found = parse_default_network("192.0.2.1 dev tun0", f"Active default network: 7\n{line}")
        assert found == DefaultNetwork("tun0", "vpn")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "connectivity/permission_denied.txt",
            "names no default network: \"Permission Denial: can't dump Connectivity",
        ),
        ("connectivity/psiphon_lte.txt", "does not describe its default network 252"),
    ],
)
def test_a_dump_that_does_not_tell_it_is_trouble_with_its_words(file, message):
    with pytest.raises(PhoneTrouble, match=message):
        parse_default_network("192.0.2.1 dev rmnet1", text(file))


# -- ip


@pytest.mark.parametrize(
    ("file", "interface"),
    [
        ("ip/route_get_pixel8_wifi.txt", "wlan1"),
        ("ip/route_get_tv_ethernet.txt", "eth0"),
        ("ip/route_get_unisoc_lte.txt", "seth_lte0"),
        ("ip/route_get_android7.txt", "eth0"),
        ("ip/route_get_galaxy_s22_cellular.txt", "rmnet_data1"),
        ("ip/route_get_q60_android11.txt", "wlan0"),
    ],
)
def test_a_route_names_its_interface_with_and_without_gateway_and_table(file, interface):
    assert route_interface(text(file)) == interface


def test_a_list_of_routes_is_not_the_route_to_an_address():
    with pytest.raises(PhoneTrouble, match="names 2 interfaces"):
        route_interface(text("ip/route_two_networks.txt"))


@pytest.mark.parametrize(
    ("file", "interfaces"),
    [
        (
            "ip/addr_pixel_exynos_vpn.txt",
            {
                "dummy0": ["fe80::d811:aff:fef3:af92"],
                "wlan0": ["192.168.0.181", "fe80::a8ac:4cff:fe0f:82c2"],
                "tun0": ["10.1.10.1", "fd00:1:fd00:1:fd00:1:fd00:1", "fe80::e981:b7e3:ade4:2724"],
            },
        ),
        (
            "ip/addr_galaxy_att.txt",
            {
                "wlan0": ["fe80::4aeb:62ff:fe94:469a"],
                "rmnet_ipa0": [],
                "rmnet_data0": ["10.73.93.150", "2001:db8:9219:598c:79b0:8fa1:dd75:50b6"],
                "rmnet_data1": ["2001:db8:9f51:6940:9dd:7149:aad9:56b5"],
            },
        ),
        ("ip/addr_galaxy_s22_hotspot.txt", {"rmnet_data1": ["10.148.183.154"], "swlan0": ["10.233.247.205"]}),
        ("ip/addr_linux_phone_kernel_ll.txt", {"qmapmux0.0": ["10.86.101.79", "fe80::a8dc:ccff:feb3:e683"]}),
    ],
)
def test_each_interface_that_is_up_has_its_addresses(file, interfaces):
    wanted = {name: [ip_address(one) for one in addresses] for name, addresses in interfaces.items()}
    assert parse_interfaces(text(file)) == wanted
