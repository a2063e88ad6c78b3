"""Which servers belong to the call, and which do both sides use at one time."""

A, A6, B = ("100.64.0.7", 5000), ("2001:db8:a::7", 5000), ("192.168.137.20", 6000)
TWINS = r"^(edge)6?-shv-(\d+)\.example\.org$"
NAMES = {
    "192.0.2.50": {"name": "edge-shv-01.example.org", "how": "PTR", "when": "then"},
    "2001:db8:5::50": {"name": "edge6-shv-01.example.org", "how": "PTR", "when": "then"},
    "192.0.2.99": {"name": None, "how": "PTR", "when": "then"},
}


def both(build, caller_server, callee_server, *, start_s=0.0, local=A):
    call = build.call()
    call.caller.relay(local, caller_server, start_s)
    call.caller.talk(local, caller_server, start_s + 1, start_s + 5, 3, 2)
    call.callee.relay(B, callee_server, 0.0)
    call.callee.talk(B, callee_server, 1.0, 5.0, 3, 2)
    return call


def test_a_server_that_both_use_at_one_time_is_shared(build, measure):
    facts = measure(both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478)))["servers"]
    listed = [{"address": "192.0.2.50", "port": 3478, "name": None}]
    assert facts["caller"]["servers"] == facts["caller"]["shared"] == listed
    assert facts["callee"]["shared"] == listed
    assert (facts["caller"]["ipv4_payload_bytes"], facts["caller"]["ipv6_payload_bytes"]) == (540, 0)


def test_another_port_of_the_same_address_is_not_shared(build, measure):
    facts = measure(both(build, ("192.0.2.50", 3478), ("192.0.2.50", 443)))["servers"]
    assert facts["caller"]["shared"] == []
    assert facts["callee"]["servers"] == [{"address": "192.0.2.50", "port": 443, "name": None}]


def test_a_server_used_at_another_time_is_not_shared(build, measure):
    facts = measure(both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478), start_s=60.0))["servers"]
    assert facts["caller"]["shared"] == []


def test_wrong_clocks_do_not_hide_that_a_server_is_shared(build, measure):
    call = both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478))
    call.caller.offset_ns = 40_000_000_000
    assert len(measure(call)["servers"]["caller"]["shared"]) == 1


def test_an_ipv6_twin_is_shared_by_its_name(build, measure):
    call = both(build, ("2001:db8:5::50", 40003), ("192.0.2.50", 40003), local=A6)
    facts = measure(call, analysis={"relay_ports": [40003], "twins": TWINS}, names=NAMES)["servers"]
    assert facts["caller"]["shared"] == [
        {"address": "2001:db8:5::50", "port": 40003, "name": "edge6-shv-01.example.org"}
    ]
    assert facts["callee"]["shared"] == [{"address": "192.0.2.50", "port": 40003, "name": "edge-shv-01.example.org"}]
    assert (facts["caller"]["ipv4_payload_bytes"], facts["caller"]["ipv6_payload_bytes"]) == (0, 540)


def test_without_names_a_twin_is_not_shared(build, measure):
    call = both(build, ("2001:db8:5::50", 40003), ("192.0.2.50", 40003), local=A6)
    assert measure(call, analysis={"relay_ports": [40003], "twins": TWINS})["servers"]["caller"]["shared"] == []


def test_nat64_on_one_side_is_folded_before_servers_are_matched(build, measure):
    call = both(build, ("64:ff9b::c000:232", 3478), ("192.0.2.50", 3478), local=A6)
    facts = measure(call)["servers"]
    assert facts["caller"]["shared"] == [{"address": "192.0.2.50", "port": 3478, "name": None}]
    assert facts["caller"]["ipv6_payload_bytes"] == 540


def test_noise_on_a_relay_port_is_no_server_of_the_call(build, measure):
    call = both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478))
    call.caller.put(2.0, *A, "192.0.2.99", 3478, build.stun(build.BINDING))
    call.caller.put(2.1, "192.0.2.99", 3478, *A, build.stun(build.BOUND, build.xored(build.XOR_MAPPED, "203.0.113.7")))
    call.caller.talk(A, ("192.0.2.99", 3478), 2.0, 4.0, 50, 50, payload=b"\x43" + bytes(70))
    facts = measure(call, analysis={"relay_ports": [3478]}, names=NAMES)
    assert [each["address"] for each in facts["servers"]["caller"]["servers"]] == ["192.0.2.50"]
    assert facts["volume"]["caller"]["media_tx_packets"] == 3


def test_turn_on_a_port_that_is_no_relay_port_is_no_server_of_the_call(build, measure):
    facts = measure(both(build, ("192.0.2.50", 5349), ("192.0.2.50", 3478)), analysis={"relay_ports": [3478]})
    assert facts["servers"]["caller"]["servers"] == []
    assert facts["servers"]["caller"]["reason"] == "no server of the call"
    assert facts["servers"]["caller"]["server_addresses"] == 0


def test_a_binding_with_a_username_and_channel_data_make_a_server(build, measure):
    call = build.call()
    call.caller.put(0.0, *A, "192.0.2.51", 3478, build.stun(build.BINDING, (build.USERNAME, b"abcd:efgh")))
    for at_s in (1.0, 2.0):
        call.caller.put(at_s, *A, "192.0.2.52", 3478, build.channel(0x4001, bytes(20)))
    call.caller.put(1.0, *A, "192.0.2.53", 3478, build.channel(0x4001, bytes(20)))
    facts = measure(call)
    assert [each["address"] for each in facts["servers"]["caller"]["servers"]] == ["192.0.2.51", "192.0.2.52"]
    assert facts["volume"]["caller"]["media_tx_payload_bytes"] == 48


def match(kind, address, other, overlap_ns, port=3478):
    return {"address": address, "port": port, "match": kind, "other": other, "overlap_ns": overlap_ns}


def test_the_same_server_is_a_match_with_its_overlap_in_time(build, measure):
    facts = measure(both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478), start_s=2.5))["servers"]
    assert facts["caller"]["matches"] == [match("address", "192.0.2.50", "192.0.2.50", 2_500_000_000)]
    assert facts["callee"]["matches"] == facts["caller"]["matches"]
    assert facts["caller"]["overlap_bound_ns"] == 2_000_000


def test_an_overlap_that_the_clocks_leave_open_is_negative_and_within_its_bound(build, measure):
    call = both(build, ("192.0.2.50", 3478), ("192.0.2.50", 3478), start_s=5.002)
    assert measure(call)["servers"]["caller"]["matches"] == [match("address", "192.0.2.50", "192.0.2.50", -2_000_000)]


def test_a_twin_is_a_match_by_group(build, measure):
    call = both(build, ("2001:db8:5::50", 40003), ("192.0.2.50", 40003), local=A6)
    facts = measure(call, analysis={"relay_ports": [40003], "twins": TWINS}, names=NAMES)["servers"]
    assert facts["caller"]["matches"] == [match("group", "2001:db8:5::50", "192.0.2.50", 5_000_000_000, 40003)]
    assert facts["caller"]["rule"] == "STUN beyond a bare Binding, or TURN data, on port 40003"


def test_servers_of_one_prefix_match_and_are_not_shared(build, measure):
    facts = measure(both(build, ("192.0.2.50", 3478), ("192.0.2.99", 3478)))["servers"]
    assert facts["caller"]["matches"] == [match("prefix", "192.0.2.50", "192.0.2.99", 5_000_000_000)]
    assert facts["caller"]["shared"] == []
    assert facts["caller"]["rule"] == "STUN beyond a bare Binding, or TURN data, on any port (generic)"


def test_a_prefix_is_a_24_of_ipv4_and_a_48_of_ipv6():
    from ipaddress import ip_address

    from correlate.dimensions.servers import _prefix

    pairs = [("192.0.2.1", "192.0.2.255"), ("192.0.2.1", "192.0.3.1"), ("2001:db8:5::1", "2001:db8:5:ffff::1"),
             ("2001:db8:5::1", "2001:db8:6::1")]  # fmt: skip
    assert [_prefix(ip_address(one)) == _prefix(ip_address(other)) for one, other in pairs] == [
        True, False, True, False,
    ]  # fmt: skip


def test_the_best_match_counts_where_there_are_several(build, measure):
    call = both(build, ("192.0.2.50", 3478), ("192.0.2.99", 3478))
    call.callee.relay(B, ("192.0.2.50", 3478), 4.0)
    assert measure(call)["servers"]["caller"]["matches"] == [match("address", "192.0.2.50", "192.0.2.50", 0)]


def test_of_two_twins_of_one_server_the_one_that_is_used_longer_with_it_matches(build, measure):
    """The first on the list is used for 2 s of the 5, the second throughout."""
    call = build.call()
    call.caller.relay(A6, ("2001:db8:5::50", 40003), 0.0)
    call.caller.talk(A6, ("2001:db8:5::50", 40003), 1.0, 5.0, 3, 2)
    names = NAMES | {"192.0.2.51": NAMES["192.0.2.50"]}
    for address, last_s in (("192.0.2.50", 2.0), ("192.0.2.51", 5.0)):
        call.callee.relay(B, (address, 40003), 0.0)
        call.callee.talk(B, (address, 40003), 1.0, last_s, 3, 2)
    (match,) = measure(call, analysis={"relay_ports": [40003], "twins": TWINS}, names=names)["servers"]["caller"][
        "matches"
    ]
    assert (match["match"], match["other"], match["overlap_ns"]) == ("group", "192.0.2.51", 5_000_000_000)
