"""DNS answers in a trace, and packets that only look like some."""

import random
import struct
from ipaddress import ip_address

import dns.message
import dns.rrset
import pytest

from correlate import findings, report
from correlate.dataset import Dataset, write_json
from correlate.dataset.names import newest, was_asked
from correlate.dns import answers
from correlate.findings.cases import cases
from tests.records import record_anew

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


def record(owner, kind, family, value, length=None):
    return owner + struct.pack(">HHIH", kind, family, 60, len(value) if length is None else length) + value


def with_records(*records, flags=0x8180, count=None):
    """A response to a question for a.org, whose name stands at byte 12."""
    head = struct.pack(">6H", 1, flags, 1, len(records) if count is None else count, 7, 7)
    return head + b"\1a\3org\0\0\1\0\1" + b"".join(records)


NAMED, IPV4 = b"\xc0\x0c", bytes([192, 0, 2, 50])
SOUND, LATER = record(NAMED, 1, 1, IPV4), record(b"\1B\xc0\x0e", 1, 1, bytes([192, 0, 2, 51]))
FOUND, FOUND_LATER = ("a.org", ip_address("192.0.2.50")), ("b.org", ip_address("192.0.2.51"))


def test_records_are_told_in_their_order_each_as_often_as_it_is_there():
    assert answers(with_records(LATER, SOUND, LATER)) == [FOUND_LATER, FOUND, FOUND_LATER]


@pytest.mark.parametrize(
    "skipped",
    [
        record(NAMED, 1, 3, IPV4), record(NAMED, 1, 1, IPV4 + b"\0"), record(NAMED, 28, 1, IPV4),
        record(NAMED, 5, 1, b"\xff"), record(NAMED, 65280, 1, b"anything"),
    ],
    ids=["class CHAOS", "A of five bytes", "AAAA of four bytes", "CNAME that is no name", "unknown type"],
)  # fmt: skip
def test_what_is_no_address_of_the_internet_is_left_out_and_what_follows_counts(skipped):
    assert answers(with_records(SOUND, skipped, LATER)) == [FOUND, FOUND_LATER]


@pytest.mark.parametrize(
    "unsound",
    [
        record(b"\3a.b\xc0\x0c", 1, 1, IPV4), record(b"\1 \xc0\x0c", 5, 1, NAMED), record(b"\xc0\xff", 1, 1, IPV4),
        record(b"\x40a\0", 1, 1, IPV4), record(NAMED, 1, 1, b"", length=200),
    ],
    ids=["dot in a label", "blank in an alias", "pointer forwards", "unknown kind of label", "longer than the message"],
)  # fmt: skip
def test_from_a_record_on_that_cannot_be_a_hosts_nothing_counts(unsound):
    assert answers(with_records(SOUND, unsound, LATER)) == [FOUND]


def test_a_name_that_was_asked_for_and_can_be_no_hosts_makes_no_answer():
    assert answers(with_records(LATER).replace(b"\1a\3org", b"\1 \3org")) == []


@pytest.mark.parametrize(
    "flags", [0x0180, 0xA980, 0x8980, 0x8183], ids=["query", "update", "inverse query", "NXDOMAIN"]
)
def test_only_a_response_to_a_standard_query_without_error_is_an_answer(flags):
    assert answers(with_records(SOUND)) == [FOUND]
    assert answers(with_records(SOUND, flags=flags)) == []


def test_64_records_are_read_and_65_are_not():
    assert answers(with_records(*[SOUND] * 64)) == [FOUND] * 64
    assert answers(with_records(*[SOUND] * 65)) == []
    assert answers(with_records(SOUND, count=64)) == [FOUND]


def test_authorities_and_additional_records_are_not_looked_at():
    message = dns.message.from_wire(response("a.org.", ("a.org.", "A", "192.0.2.50")))
    message.authority.append(dns.rrset.from_text("x.org.", 60, "IN", "A", "192.0.2.51"))
    message.additional.append(dns.rrset.from_text("y.org.", 60, "IN", "A", "192.0.2.52"))
    message.use_edns(0)
    assert answers(message.to_wire()) == [FOUND]


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


B, RELAY = ("192.168.137.20", 40001), ("192.0.2.50", 3478)


def test_the_last_answer_of_all_captures_counts_with_the_controllers_time(tmp_path, build):
    call = build.call()
    call.caller.offset_ns = 5_000_000_000
    call.caller.put(1.0, *RESOLVER, *PHONE, CHAIN)
    call.callee.put(3.0, *RESOLVER, *B, response("b.org.", ("b.org.", "A", "192.0.2.50")))
    call.callee.put(2.0, *RESOLVER, *B, response("c.org.", ("c.org.", "A", "192.0.2.50")))
    call.callee.put(901.0, *RESOLVER, *B, response("late.org.", ("late.org.", "A", "192.0.2.50")))
    build.dataset(tmp_path, [call])
    (measured,) = findings.measure_all(Dataset(tmp_path))
    assert measured.heard == {
        "192.0.2.50": {"name": "b.org", "how": "DNS in trace", "when_ns": build.T0_NS + 3_000_000_000},
        "2001:db8::50": {
            "name": "relay-1.example.org", "how": "DNS in trace", "when_ns": build.T0_NS + 1_000_000_000,
        },
    }  # fmt: skip


def test_what_can_be_no_host_name_is_not_taken(tmp_path, build):
    call = build.call()
    call.caller.put(1.0, *RESOLVER, *PHONE, response("-b.org.", ("-b.org.", "A", "192.0.2.50")))
    build.dataset(tmp_path, [call])
    (measured,) = findings.measure_all(Dataset(tmp_path))
    assert measured.heard == {}


def call_with_answers(build):
    """Both sides use one relay; only the caller's capture shows what its name is."""
    call = build.call()
    for side, local in ((call.caller, PHONE), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 11.0, 120, 110)
    call.caller.put(0.5, *RESOLVER, *PHONE, CHAIN)
    call.caller.put(0.6, *RESOLVER, *PHONE, response("cdn.org.", ("cdn.org.", "A", "198.51.100.99")))
    return call


SEEN = {"name": "relay-1.example.org", "how": "DNS in trace"}


def named(root):
    """The names in servers.csv, and names.json without its times."""
    (case,) = cases(Dataset(root)).read
    names = {server.name for side in case.servers.values() for server in side.servers}
    return names, {address: (each["name"], each["how"]) for address, each in Dataset(root).names().items()}


def test_a_dns_answer_in_a_capture_names_a_server_of_both_sides(tmp_path, build):
    build.dataset(tmp_path, [call_with_answers(build)])
    report.build(Dataset(tmp_path))
    assert named(tmp_path) == ({"relay-1.example.org"}, {"192.0.2.50": ("relay-1.example.org", "DNS in trace")})
    assert Dataset(tmp_path).names()["192.0.2.50"]["when_ns"] == build.T0_NS + 500_000_000
    assert "relay-1.example.org" in (tmp_path / "tables/table4.csv").read_text()
    before = (tmp_path / "names.json").read_bytes()
    report.build(Dataset(tmp_path))
    assert (tmp_path / "names.json").read_bytes() == before


def test_a_ptr_name_stands_and_a_dns_answer_comes_before_none(tmp_path, build):
    ptr = {"name": "ptr.example.org", "how": "PTR", "when_ns": 7}
    build.dataset(tmp_path, [call_with_answers(build)], names={"192.0.2.50": ptr})
    report.build(Dataset(tmp_path))
    assert named(tmp_path)[0] == {"ptr.example.org"}
    assert Dataset(tmp_path).names() == {"192.0.2.50": ptr}
    none = {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 7}
    write_json(tmp_path / "names.json", {"192.0.2.50": none})
    record_anew(tmp_path)
    report.build(Dataset(tmp_path))
    assert named(tmp_path)[0] == {"relay-1.example.org"}
    assert Dataset(tmp_path).names()["192.0.2.50"] == {**SEEN, "when_ns": build.T0_NS + 500_000_000, "earlier": [none]}


def test_the_newest_answer_stands_first_and_older_ones_keep_their_time():
    first = {"name": "a.example.org", "how": "PTR", "when_ns": 1}
    second = {"name": None, "how": "PTR: NXDOMAIN", "when_ns": 2}
    third = {"name": "b.example.org", "how": "DNS in trace", "when_ns": 3}
    entry = newest(newest(newest(None, first), second), third)
    assert entry == {**third, "earlier": [first, second]}
    assert (was_asked(entry), was_asked(newest(None, third)), was_asked({})) == (True, False, False)
