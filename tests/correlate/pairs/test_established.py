"""Which conversations are the call's, and whether there is one, by what both captures say was negotiated."""

import pytest

from correlate import pairs
from correlate.dataset import Dataset
from correlate.dimensions import endpoints, volume
from correlate.stun import DATA, USERNAME
from tests.correlate.conftest import channel, stun, xored

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
TURN, RELAYED, ODD = ("192.0.2.50", 3478), ("192.0.2.50", 49152), ("198.51.100.9", 7000)
CHECK = stun(0x0001, (USERNAME, b"abcd:efgh"))
BACK = stun(0x0001, (USERNAME, b"efgh:abcd"), transaction=b"\x02" * 12)
RTP = b"\x80" + bytes(99)
PORTS = {"relay_ports": [3478]}
RULES = pytest.mark.parametrize("analysis", [None, PORTS], ids=["any port", "port 3478"])


@pytest.fixture
def load(tmp_path, build):
    def load(call, analysis):
        build.dataset(tmp_path, [call], analysis=analysis)
        dataset = Dataset(tmp_path)
        return pairs.load(dataset, call.trial, dataset.info().apps, {})

    return load


@pytest.fixture
def one_sided(build):
    """The callee allocates at a TURN server; the caller sends its media to the relayed transport address."""

    def call(media=150, relayed=RELAYED, server=TURN):
        call = build.call()
        call.caller.put(1.0, *A, *relayed, CHECK)
        call.caller.put(1.1, *relayed, *A, BACK)
        call.caller.talk(A, relayed, 2.0, 8.0, media, media, payload=RTP)
        call.callee.put(0.0, *B, *server, stun(0x0003))
        call.callee.put(0.1, *server, *B, stun(0x0103, xored(0x0016, relayed[0], relayed[1])))
        call.callee.put(1.0, *server, *B, stun(0x0017, xored(0x0012, "203.0.113.7"), (DATA, CHECK)))
        call.callee.put(1.1, *B, *server, channel(0x4000, BACK))
        call.callee.talk(B, server, 2.0, 8.0, media, media, payload=channel(0x4000, RTP))
        return call

    return call


def kinds(side):
    return [(each.remote_port, each.kind) for each in side.conversations]


@RULES
def test_the_peers_relayed_transport_address_is_a_relay_whatever_its_port(load, one_sided, analysis):
    pair = load(one_sided(), analysis)
    assert (kinds(pair.a), kinds(pair.b)) == ([(49152, "server")], [(3478, "server")])
    assert (pair.established, pair.undecided) == (True, "")
    assert [way.packets for side in pair.sides for way in side.media] == [150] * 4


@RULES
def test_without_media_there_is_no_conversation_on_it(load, one_sided, analysis):
    assert load(one_sided(media=20), analysis).established is False


@RULES
def test_a_turn_server_on_a_port_that_is_not_listed_is_one_where_the_calls_agents_check_through_it(
    load, one_sided, analysis
):
    pair = load(one_sided(server=("192.0.2.50", 443)), analysis)
    assert (kinds(pair.b), pair.established) == ([(443, "server")], True)


def both_ends_at(ports, names):
    """A TURN server on these ports on both sides, and these user names in the checks through it."""

    def fill(call):
        for trace, local, port, name in zip((call.caller, call.callee), (A, B), ports, names, strict=True):
            server = ("192.0.2.50", port)
            trace.put(0.0, *local, *server, stun(0x0003))
            trace.put(1.0, *local, *server, channel(0x4000, stun(0x0001, (USERNAME, name))))
            trace.talk(local, server, 2.0, 8.0, 150, 150, payload=channel(0x4000, RTP))
        return call

    return fill


@pytest.mark.parametrize(
    ("ports", "names", "established", "kind"),
    [
        ((3478, 3478), (b"abcd:efgh", b"ijkl:mnop"), True, "server"),
        # The agents of both captures are the same, whichever is written first.
        ((443, 443), (b"abcd:efgh", b"efgh:abcd"), True, "server"),
        # Another call's: nobody knows whose.
        ((443, 443), (b"abcd:efgh", b"ijkl:mnop"), None, "other"),
        ((443, 443), (b"abcd:efgh", b"abcd:mnop"), None, "other"),
    ],
)
def test_on_a_port_that_is_not_listed_the_agents_tell_whose_relay_it_is(load, build, ports, names, established, kind):
    pair = load(both_ends_at(ports, names)(build.call()), PORTS)
    assert (pair.established, kinds(pair.a)[0][1]) == (established, kind)
    reason = "alpha has what may be a conversation that no rule of the app claims: UDP with 192.0.2.50 port 443"
    assert pair.undecided == ("" if established else reason)


def test_without_a_list_of_ports_a_turn_server_is_one_on_any(load, build):
    pair = load(both_ends_at((443, 443), (b"abcd:efgh", b"ijkl:mnop"))(build.call()), None)
    assert (pair.established, kinds(pair.a)) == (True, [(443, "server")])


def agents_at(address, count, size=100, over_s=8.0):
    """ICE with an address that nobody knows, both ways, and media there."""

    def fill(call):
        for trace, local in ((call.caller, A), (call.callee, B)):
            trace.put(0.0, *local, *address, CHECK)
            trace.put(0.1, *address, *local, BACK)
            trace.talk(local, address, 1.0, 1.0 + over_s, count, count, payload=bytes([0x80]) + bytes(size - 1))
        return call

    return fill


@RULES
def test_media_with_an_agent_at_an_address_that_nobody_knows_are_never_no_conversation(load, build, analysis):
    pair = load(agents_at(ODD, 100)(build.call()), analysis)
    assert (kinds(pair.a), pair.established) == ([(7000, "other")], None)
    assert pair.undecided.endswith("no rule of the app claims: UDP with 198.51.100.9 port 7000")


@RULES
@pytest.mark.parametrize(
    "keys", [{"count": 99}, {"count": 100, "size": 11}, {"count": 100, "over_s": 10.5}], ids=["few", "short", "slow"]
)
def test_too_few_too_short_or_too_slow_datagrams_with_it_are_no_conversation(load, build, keys, analysis):
    assert load(agents_at(ODD, **keys)(build.call()), analysis).established is False


def test_a_server_that_answers_checks_and_sends_none_is_a_server_where_no_port_is_listed(load, build):
    call = build.call()
    for trace, local in ((call.caller, A), (call.callee, B)):
        trace.put(0.0, *local, *ODD, CHECK)
        trace.put(0.1, *ODD, *local, stun(0x0101))
        trace.talk(local, ODD, 1.0, 8.0, 150, 150)
    pair = load(call, None)
    assert (kinds(pair.a), pair.established) == ([(7000, "server")], True)


@pytest.mark.parametrize(("unclaimed", "route"), [(120, "relay"), (180, None)])
def test_the_route_is_undecided_where_a_path_that_no_rule_claims_could_turn_it(
    build, tmp_path, one_sided, unclaimed, route
):
    call = one_sided(media=150)
    for trace, local in ((call.caller, A), (call.callee, B)):
        trace.put(8.5, *local, *ODD, CHECK)
        trace.put(8.6, *ODD, *local, BACK)
        trace.talk(local, ODD, 9.0, 15.0, unclaimed, unclaimed, payload=RTP)
    build.dataset(tmp_path, [call], analysis=PORTS)
    dataset = Dataset(tmp_path)
    pair = pairs.load(dataset, call.trial, dataset.info().apps, {})
    found, counted = endpoints.measure(pair).a, volume.measure(pair).a
    # How many media the call has nobody knows either.
    assert (counted.media.tx_packets, counted.crosswise.tx_less_rx_packets) == (None, None)
    assert "no rule of the app claims" in counted.reasons["media_tx_packets"]
    assert (found.established, found.routing) == (True, route)
    assert ("routing" in found.reasons) is (route is None)
    assert route or "alpha has what may be a conversation that no rule" in found.reasons["routing"]


@pytest.mark.parametrize("flow", ["media", "light"])
def test_what_is_left_of_a_pair_without_its_packets_says_the_same(load, build, flow):
    pair = load(agents_at(ODD, 100)(build.call()), PORTS)
    pair = pair.without_packets() if flow == "light" else pair
    assert (pair.established, bool(pair.undecided), pair.has_media) == (None, True, False)
