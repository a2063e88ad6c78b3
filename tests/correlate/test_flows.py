import struct
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate import flows
from correlate.trace.datagrams import Datagrams

A, B = "192.0.2.10", "192.0.2.9"


def datagrams(*rows):
    """Rows of (source, port, destination, port, time_ns, wire bytes, payload)."""
    texts = list(dict.fromkeys(text for row in rows for text in (row[0], row[2])))
    payloads = [row[6] for row in rows]
    sizes = np.array([len(payload) for payload in payloads], np.int64)

    def column(at, kind):
        return np.array([row[at] for row in rows], kind)

    return Datagrams(
        frame=np.arange(1, len(rows) + 1),
        time_ns=column(4, np.int64),
        wire_bytes=column(5, np.int64),
        captured_bytes=column(5, np.int64),
        src=np.array([texts.index(row[0]) for row in rows], np.int32),
        dst=np.array([texts.index(row[2]) for row in rows], np.int32),
        src_port=column(1, np.int32),
        dst_port=column(3, np.int32),
        payload_bytes=sizes,
        payload_offset=np.zeros(len(rows), np.int64),
        payload_captured=sizes,
        head=np.array([list(one[:16].ljust(16, b"\0")) for one in payloads], np.uint8).reshape(-1, 16),
        addresses=tuple(ip_address(text) for text in texts),
    )


def test_both_directions_are_one_flow_with_the_smaller_text_first():
    found = flows.flows(
        datagrams((B, 5, A, 7, 20, 60, b"abc"), (A, 7, B, 5, 10, 50, b"de"), (B, 5, A, 7, 30, 61, b"f"))
    )
    # "192.0.2.10" is the smaller text, although 192.0.2.9 is the smaller address.
    assert found.table == (flows.Flow(ip_address(A), 7, ip_address(B), 5, 1, 2, 50, 121, 2, 4, 10, 30, 0),)
    assert (found.of.tolist(), found.from_a.tolist()) == ([0, 0, 0], [False, True, False])


def test_ports_order_the_ends_of_one_address_as_numbers():
    (flow,) = flows.flows(datagrams((A, 10, A, 9, 1, 60, b""))).table
    assert (flow.a_port, flow.b_port, flow.packets_ab, flow.packets_ba) == (9, 10, 0, 1)


def test_flows_stand_in_order_of_their_first_packet_in_the_file():
    found = flows.flows(datagrams((B, 9, A, 9, 50, 1, b""), (A, 1, B, 1, 40, 1, b""), (A, 9, B, 9, 30, 1, b"")))
    assert [(flow.a_port, flow.first_ns, flow.last_ns) for flow in found.table] == [(9, 30, 50), (1, 40, 40)]
    assert found.of.tolist() == [0, 1, 0]


def test_times_are_none_where_the_file_has_none():
    found = flows.flows(datagrams((A, 1, B, 1, -1, 1, b""), (A, 2, B, 2, -1, 1, b""), (A, 2, B, 2, 7, 1, b"")))
    assert [(flow.first_ns, flow.last_ns) for flow in found.table] == [(None, None), (7, 7)]


def test_nothing_gives_no_flow():
    found = flows.flows(datagrams())
    assert (found.table, found.of.tolist()) == ((), [])


CLASSIC = struct.pack(">HH16sHHI", 0x0001, 8, bytes(range(100, 116)), 3, 4, 0)


@pytest.mark.parametrize(
    ("payload", "port", "count"),
    [
        (CLASSIC, 3478, 1),
        (struct.pack(">HH", 0x0112, 8) + CLASSIC[4:], 3478, 1),
        (CLASSIC, 3479, 0),
        (CLASSIC[:4] + bytes.fromhex("2112a442") + CLASSIC[8:], 3478, 0),
        (CLASSIC + b"\0", 3478, 0),
        (struct.pack(">HH", 0x0003, 8) + CLASSIC[4:], 3478, 0),
        (b"", 3478, 0),
    ],
)
def test_classic_stun_is_rfc_3489_without_cookie_on_port_3478(payload, port, count):
    for row in [(A, 40000, B, port, 1, 70, payload), (B, port, A, 40000, 1, 70, payload)]:
        assert flows.flows(datagrams(row)).table[0].classic_stun == count


ADDRESSES = st.sampled_from([A, B, "2001:db8::1", "2001:db8::1:0", "100.64.0.1"])
PORTS = st.sampled_from([0, 9, 80, 3478, 65535])
ROWS = st.tuples(ADDRESSES, PORTS, ADDRESSES, PORTS, st.integers(-1, 50), st.integers(42, 1500), st.binary(max_size=30))


@settings(max_examples=100, deadline=None)
@given(st.lists(ROWS, max_size=30))
def test_flows_equal_those_of_a_plain_loop(rows):
    told = {}
    for source, sport, target, dport, time_ns, wire, payload in rows:
        a, b = sorted([(source, sport), (target, dport)])
        one = told.setdefault((a, b), {"sums": [0] * 6, "times": []})
        way = 0 if (source, sport) == a else 1
        for at, amount in enumerate((1, wire, len(payload))):
            one["sums"][2 * at + way] += amount
        one["times"] += [time_ns] if time_ns >= 0 else []
    table = flows.flows(datagrams(*rows)).table
    found = [((str(one.a), one.a_port), (str(one.b), one.b_port)) for one in table]
    assert found == list(told)
    for flow, one in zip(table, told.values(), strict=True):
        sums = [flow.packets_ab, flow.packets_ba, flow.bytes_ab, flow.bytes_ba, flow.payload_ab, flow.payload_ba]
        assert sums == one["sums"]
        assert (flow.first_ns, flow.last_ns) == (min(one["times"], default=None), max(one["times"], default=None))
