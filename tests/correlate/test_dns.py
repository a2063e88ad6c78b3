"""DNS answers in a trace, and packets that only look like some."""

import random
import struct
from ipaddress import ip_address

import dns.message
import dns.rrset
import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.dns import answers

PHONE, RESOLVER = ("100.64.0.7", 40001), ("192.0.2.53", 53)


def response(name, *records):
    message = dns.message.make_response(dns.message.make_query(name, "A"))
    for owner, kind, value in records:
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, value))
    return message.to_wire()


CHAIN = response(
    "call.example.org.",
    ("call.example.org.", "CNAME", "Relay-1.example.org."),
    ("relay-1.example.org.", "A", "192.0.2.50"),
    ("relay-1.example.org.", "AAAA", "2001:db8::50"),
)


def test_the_owner_of_the_address_record_is_its_name():
    assert answers(CHAIN) == [
        ("relay-1.example.org", ip_address("192.0.2.50")),
        ("relay-1.example.org", ip_address("2001:db8::50")),
    ]


def test_a_cut_answer_gives_the_records_that_are_whole():
    assert answers(CHAIN[:-1]) == [("relay-1.example.org", ip_address("192.0.2.50"))]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        CHAIN[:11],
        dns.message.make_query("call.example.org.", "A").to_wire(),
        CHAIN[:3] + bytes([CHAIN[3] | 3]) + CHAIN[4:],
        struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + b"\xc0\x0c" + bytes(20),
        struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + b"\x03a.b\x00" + bytes(24),
        struct.pack(">6H", 1, 0x8180, 1, 65535, 0, 0) + CHAIN[12:],
    ],
    ids=["empty", "cut header", "query", "NXDOMAIN", "pointer to itself", "dot in a label", "too many records"],
)
def test_what_is_no_sound_answer_gives_nothing(payload):
    assert answers(payload) == []


def test_mutated_answers_never_raise_and_are_read_alike_twice():
    chance = random.Random("dns")
    for _ in range(5000):
        data = bytearray(CHAIN)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.randrange(len(data) + 1)])
        assert answers(cut) == answers(cut)


def test_names_of_a_dataset_come_with_the_controllers_time(tmp_path, build):
    call = build.call()
    call.caller.offset_ns = 5_000_000_000
    call.caller.put(1.0, *RESOLVER, *PHONE, CHAIN)
    call.callee.put(3.0, "192.0.2.53", 53, "192.168.137.20", 40001, response("b.org.", ("b.org.", "A", "192.0.2.50")))
    build.dataset(tmp_path, [call])
    assert report.trace_names(Dataset(tmp_path)) == {
        "192.0.2.50": {"name": "b.org", "how": "DNS in trace", "when_ns": build.T0_NS + 3_000_000_000},
        "2001:db8::50": {
            "name": "relay-1.example.org", "how": "DNS in trace", "when_ns": build.T0_NS + 1_000_000_000,
        },
    }  # fmt: skip
