"""The emulated networks' addresses: drawn per attempt, mapped as their NATs do."""

import random
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network

import pytest

from lab.definitions.virtual_network import AccessNetwork
from lab.virtual.network.addresses import Access, Endpoint, folded, nat64

MOBILE = AccessNetwork(
    interface="rmnet1",
    link="raw",
    mtu=1428,
    ipv4=["100.64.0.0/10", "10.0.0.0/8"],
    ipv4_prefix=30,
    nat="per_flow",
    nat_pool="198.51.100.0/25",
    ipv6="2001:db8:6c00::/40",
    nat64_pool="198.51.100.128/26",
    delay_low_us=24000,
    delay_high_us=42000,
    jitter_us=9000,
)
HOTSPOT = AccessNetwork(
    interface="wlan0",
    link="ethernet",
    ipv4=["192.168.137.0/29"],
    ipv4_prefix=29,
    nat="one_address",
    nat_pool="203.0.113.0/24",
    delay_low_us=7000,
    delay_high_us=7000,
    jitter_us=0,
)
SERVER = IPv4Address("192.0.2.9")


def access(spec: AccessNetwork, key: str = "1/t/0", reserved=()) -> Access:
    return Access(spec, random.Random(key), reserved)


@pytest.mark.parametrize("spec", [MOBILE, HOTSPOT], ids=["mobile", "hotspot"])
def test_constant_addresses_are_those_of_the_phone_whatever_the_attempt_and_all_else_is_drawn(spec):
    constant = spec.model_copy(update={"addresses": "constant", "nat": "one_address"})
    one, two = (Access(constant, random.Random(key), (), "phone") for key in ("1/t/0", "2/u/3"))
    other = Access(constant, random.Random("1/t/0"), (), "other")
    assert one.interfaces() == two.interfaces() != other.interfaces()
    assert (one.mac, one.gateway_mac) == (two.mac, two.gateway_mac) != (other.mac, other.gateway_mac)
    seen = [found.mapped(Endpoint(found.ipv4.ip, 4000), SERVER) for found in (one, two, other)]
    assert seen[0].address == seen[1].address != seen[2].address
    assert seen[0].port != seen[1].port
    assert one.open_port() != two.open_port()


def test_ports_are_given_out_over_and_over_and_none_again_soon():
    one = access(MOBILE)
    ports = [one.open_port() for _ in range(20_000)]
    assert (min(ports) >= 32_768, max(ports) <= 60_999, len(set(ports)) < len(ports)) == (True, True, True)
    assert all(len(set(ports[at : at + 1700])) == 1700 for at in range(0, 18_000, 500))


def test_addresses_of_an_attempt_do_not_depend_on_the_phones_name():
    assert Access(MOBILE, random.Random("1/t/0"), (), "phone").interfaces() == access(MOBILE).interfaces()
    assert access(MOBILE).interfaces() != access(MOBILE, "1/t/1").interfaces()


def test_a_nat64_address_folds_back_to_the_ipv4_address_in_it():
    assert nat64(IPv4Address("192.0.2.33")) == IPv6Address("64:ff9b::c000:221")
    assert folded(IPv6Address("64:ff9b::c000:221")) == IPv4Address("192.0.2.33")
    assert folded(IPv6Address("2001:db8::1")) == IPv6Address("2001:db8::1")
    assert folded(SERVER) == SERVER


@pytest.mark.parametrize("number", range(20))
def test_a_mobile_phone_has_a_private_ipv4_a_global_ipv6_and_a_link_local_address(number):
    loopback, mobile = access(MOBILE, f"{number}").interfaces()
    assert loopback.name == "lo"
    assert (mobile.name, mobile.mac, mobile.mtu, mobile.up) == ("rmnet1", None, 1428, True)
    ipv4, ipv6, link_local = mobile.addresses
    assert any(ipv4.ip in network for network in (IPv4Network("100.64.0.0/10"), IPv4Network("10.0.0.0/8")))
    assert ipv4.ip in list(ipv4.network.hosts())
    assert ipv6.network.prefixlen == 64
    assert ipv6.ip in ip_network("2001:db8:6c00::/40")
    assert link_local.ip.is_link_local


def test_a_hotspot_phone_has_ipv4_a_link_local_address_and_a_locally_administered_mac():
    wifi = access(HOTSPOT).interfaces()[1]
    assert [address.version for address in wifi.addresses] == [4, 6]
    assert wifi.addresses[1].ip.is_link_local
    assert int(wifi.mac[:2], 16) & 0x03 == 0x02


def test_the_same_key_gives_the_same_addresses_and_another_key_others():
    assert access(MOBILE).interfaces() == access(MOBILE).interfaces()
    assert access(MOBILE).interfaces() != access(MOBILE, "2/t/0").interfaces()


@pytest.mark.parametrize("number", range(20))
def test_a_phone_never_gets_a_reserved_address(number):
    reserved = [IPv4Address(f"192.168.137.{host}") for host in (1, 2, 3, 4, 6)]
    assert access(HOTSPOT, f"{number}", reserved).ipv4.ip == IPv4Address("192.168.137.5")


def test_a_carrier_nat_keeps_a_sockets_mapping_and_gives_other_sockets_other_addresses():
    phone = access(MOBILE)
    sockets = [Endpoint(phone.ipv4.ip, port) for port in range(5000, 5040)]
    first = [phone.mapped(socket, SERVER) for socket in sockets]
    assert [phone.mapped(socket, IPv4Address("192.0.2.77")) for socket in sockets] == first
    assert len({endpoint.address for endpoint in first}) == 4
    assert all(endpoint.address in IPv4Network("198.51.100.0/25") for endpoint in first)


def test_a_home_nat_has_one_address():
    phone = access(HOTSPOT)
    mapped = {phone.mapped(Endpoint(phone.ipv4.ip, port), SERVER).address for port in range(5000, 5040)}
    assert len(mapped) == 1
    assert mapped.pop() in IPv4Network("203.0.113.0/24")


def test_ipv6_is_not_mapped_but_through_nat64_it_is():
    phone = access(MOBILE)
    socket = Endpoint(phone.ipv6.ip, 5000)
    assert phone.mapped(socket, IPv6Address("2001:db8:ffff::250")) == socket
    assert phone.mapped(socket, nat64(SERVER)).address in IPv4Network("198.51.100.128/26")


def test_there_is_no_ipv6_source_where_the_phone_has_no_ipv6():
    assert access(HOTSPOT).local(IPv6Address("2001:db8::1")) is None
    assert access(MOBILE).local(IPv6Address("2001:db8::1")) == access(MOBILE).ipv6.ip


def test_delay_stays_within_the_drawn_delay_and_its_jitter():
    phone, draw = access(MOBILE), random.Random("delay")
    assert 24_000_000 <= phone.delay_ns <= 42_000_000
    assert all(0 <= phone.delay(draw) - phone.delay_ns <= 9_000_000 for _ in range(200))


def test_below_a_clat_ipv4_is_ipv6_to_a_nat64_prefix_from_an_address_that_no_interface_has():
    phone = access(MOBILE.model_copy(update={"clat": True}))
    _, underneath, stacked = phone.interfaces()
    assert [str(one) for one in stacked.addresses] == ["192.0.0.4/32"]
    assert (stacked.name, underneath.name, stacked.mtu) == ("v4-rmnet1", "rmnet1", 1400)
    assert [one.version for one in underneath.addresses] == [6, 6]
    assert (phone.towards(SERVER), phone.towards(IPv6Address("2001:db8::1"))) == (stacked, underneath)
    socket, remote = Endpoint(IPv4Address("192.0.0.4"), 40_000), Endpoint(SERVER, 3478)
    near, far = phone.on_wire(socket, remote)
    assert (near.port, far) == (40_000, Endpoint(nat64(SERVER), 3478))
    assert near.address in phone.ipv6.network
    assert near.address not in {one.ip for one in underneath.addresses}
    assert phone.own() == {near.address, phone.ipv6.ip}
    assert phone.mapped(socket, SERVER).address in IPv4Network("198.51.100.128/26")
    native = Endpoint(phone.ipv6.ip, 40_001), Endpoint(IPv6Address("2001:db8::1"), 443)
    assert phone.on_wire(*native) == native


def test_without_a_clat_nothing_is_translated():
    phone = access(MOBILE)
    ends = Endpoint(phone.ipv4.ip, 40_000), Endpoint(SERVER, 3478)
    assert phone.on_wire(*ends) == ends
    assert phone.towards(SERVER).name == "rmnet1"


@pytest.mark.parametrize("missing", ["ipv6", "nat64_pool"])
def test_a_clat_needs_something_to_translate_to(missing):
    with pytest.raises(ValueError, match="clat needs ipv6 and nat64_pool"):
        AccessNetwork(**MOBILE.model_dump() | {"clat": True, missing: None})
