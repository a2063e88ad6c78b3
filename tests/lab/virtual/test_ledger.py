"""The ledger and the truth that follows from it, from notes made by hand."""

from ipaddress import ip_address
from types import SimpleNamespace

import numpy as np
import pytest

from lab.virtual.network.addresses import Endpoint
from lab.virtual.network.ledger import Ledger
from lab.virtual.network.meaning import Meaning, Server
from lab.virtual.world import World

A_PRIVATE, B_PRIVATE = ip_address("100.64.0.9"), ip_address("192.168.137.9")
A_PUBLIC, B_PUBLIC = ip_address("198.51.100.9"), ip_address("203.0.113.9")
TWIN4 = Server("0", ip_address("192.0.2.21"), 443, "relay-01-a.example.net")
TWIN6 = Server("0", ip_address("2001:db8::21"), 443, "relay6-01-a.example.net")
OTHER = Server("1", ip_address("192.0.2.22"), 443, None)
NO_CALL = SimpleNamespace(calls=[])


def exchange(*, relays=(), identical=None, ids=None, scenario="caller_cancels"):
    network = SimpleNamespace(
        relays=[SimpleNamespace(purpose=purpose, port=port) for purpose, port in relays],
        identical_unanswered=identical,
        user_ids=None if ids is None else SimpleNamespace(length=ids),
    )
    return SimpleNamespace(calls=[call(0, network, scenario)])


def call(placed_ns, network, scenario="caller_cancels", caller="a", callee="b"):
    instants = {"placed_ns": placed_ns, "rung_ns": placed_ns + 5, "answered_ns": None, "ended_ns": placed_ns + 9}
    told = {
        "service": "voice",
        "services": ["voice", "video"],
        "caller": caller,
        "callee": callee,
        "ended_by": "caller",
    }
    return SimpleNamespace(app=SimpleNamespace(name="maple", network=network), scenario=scenario, **told, **instants)


class Book(Ledger):
    """A ledger with positions counted for us."""

    def __init__(self) -> None:
        self.world = World()
        self.world.begin("1/t/0", 1000)
        super().__init__(self.world)
        self.begin("t-1", 2)
        self.phone("a", [A_PRIVATE])
        self.phone("b", [B_PRIVATE])
        self.at = {"a": 0, "b": 0}

    def frame(self, phone: str, meaning: Meaning, time_ns: int = 1000, size: int = 10) -> None:
        self.note(phone, meaning, self.at[phone], time_ns, size)
        self.at[phone] += 1

    def media(self, phone: str, meaning: Meaning, count: int, size: int, span_ns: int = 10**9) -> None:
        positions = np.arange(self.at[phone], self.at[phone] + count)
        times = 1000 + np.linspace(0, span_ns, count).astype(np.int64)
        self.note_batch(phone, meaning, positions, times, np.full(count, size))
        self.at[phone] += count

    def talk(self, meaning_of, count: int = 100, size: int = 100) -> None:
        for phone in ("a", "b"):
            for outgoing in (True, False):
                self.media(phone, meaning_of(phone, outgoing), count, size)


@pytest.fixture
def book() -> Book:
    return Book()


def relayed(server: Server, outgoing: bool = True, **fields) -> Meaning:
    return Meaning("call", outgoing, server=server, **fields)


def marker(word: str, nonce: str = "N") -> Meaning:
    return Meaning("marker", True, marker=(nonce, word))


def test_without_a_call_the_truth_is_empty(book):
    assert book.truth(NO_CALL) == {
        "trial": "t-1",
        "attempt": 2,
        "observed_scenario": None,
        "caller": None,
        "established": False,
        "routing": None,
        "p2p_observed": False,
        "service": None,
        "role": None,
        "exposed": {"caller_public": False, "caller_private": False, "callee_public": False, "callee_private": False},
        "servers": {"caller": [], "callee": [], "shared": []},
        "user_ids": [],
        "media": {
            side: {"tx_packets": 0, "rx_packets": 0, "tx_payload_bytes": 0, "rx_payload_bytes": 0}
            for side in ("caller", "callee")
        },
        "clocks": {
            "caller": None,
            "callee": None,
            "laptop": {"offset_before_ns": None, "offset_after_ns": None, "drift_ppm": 0.0},
        },
        "capture_restarts": 0,
        "calls": [],
        "marked": {"begin_ns": None, "end_ns": None},
    }


def test_the_truth_is_of_the_first_call_after_the_begin_markers_and_tells_of_every_call(book):
    network = exchange().calls[0].app.network
    before, first, second = (
        call(placed_ns, network, scenario)
        for placed_ns, scenario in ((1999, "callee_rejects"), (2000, "caller_cancels"), (2500, "system_timeout"))
    )
    for phone, begun_ns, ended_ns in (("a", 1000, 3000), ("b", 2000, 2900)):
        book.frame(phone, marker("begin"), begun_ns)
        book.frame(phone, marker("end"), ended_ns)
    truth = book.truth(SimpleNamespace(calls=[before, first, second]))
    assert truth["observed_scenario"] == "caller_cancels"
    assert truth["marked"] == {"begin_ns": 2000, "end_ns": 3000}
    assert [one["placed_ns"] for one in truth["calls"]] == [1999, 2000, 2500]
    assert truth["calls"][0] == {
        "app": "maple",
        "service": "voice",
        "services": ["voice", "video"],
        "caller": "a",
        "callee": "b",
        "placed_ns": 1999,
        "rung_ns": 2004,
        "answered_ns": None,
        "ended_ns": 2008,
        "ended_by": "caller",
    }
    assert book.truth(SimpleNamespace(calls=[before]))["observed_scenario"] == "callee_rejects"


def test_without_both_begin_markers_the_truth_is_of_the_last_call(book):
    book.frame("a", marker("begin"), 1000)
    network = exchange().calls[0].app.network
    calls = [call(2000, network, "caller_cancels"), call(2500, network, "system_timeout")]
    truth = book.truth(SimpleNamespace(calls=calls))
    assert (truth["observed_scenario"], truth["marked"]) == ("system_timeout", {"begin_ns": None, "end_ns": None})


def test_only_frames_between_the_markers_count(book):
    raw = relayed(OTHER, marks=True)
    for meaning in (raw, marker("begin"), raw, marker("end", "other"), raw, marker("end"), raw, marker("end"), raw):
        book.frame("a", meaning)
    assert sum(row.packets for row in book.rows("a")) == 3


def test_the_last_nonce_that_began_is_the_one_that_counts(book):
    raw = relayed(OTHER, marks=True)
    for meaning in (marker("begin", "old"), raw, raw, marker("begin"), raw, marker("end")):
        book.frame("a", meaning)
    assert len(book.rows("a")) == 1


def test_batches_are_cut_at_the_markers(book):
    book.media("a", relayed(OTHER), 10, 5)
    book.frame("a", marker("begin"))
    book.media("a", relayed(OTHER), 7, 5)
    book.frame("a", marker("end"))
    book.media("a", relayed(OTHER), 3, 5)
    assert [(row.packets, row.payload_bytes) for row in book.rows("a")] == [(7, 35)]


def test_a_server_needs_more_than_a_bare_binding(book):
    book.frame("a", relayed(TWIN4, stun=True))
    book.frame("a", relayed(OTHER, stun=True, marks=True))
    truth = book.truth(exchange())
    assert truth["servers"]["caller"] == [{"address": "192.0.2.22", "port": 443, "name": None}]
    assert truth["servers"]["shared"] == []


def test_twins_are_shared_if_they_meet_in_time(book):
    book.frame("a", relayed(TWIN6, stun=True, marks=True), 1000)
    book.frame("a", relayed(TWIN6, stun=True, marks=True), 2000)
    book.frame("b", relayed(TWIN4, stun=True, marks=True), 2001)
    assert book.truth(exchange())["servers"]["shared"] == []
    book.frame("b", relayed(TWIN4, stun=True), 1500)
    assert book.truth(exchange())["servers"]["shared"] == [
        {"address": "2001:db8::21", "port": 443, "name": "relay6-01-a.example.net"}
    ]


def test_an_address_is_private_from_the_interface_and_public_once_mapped(book):
    book.frame("b", Meaning("call", True, True, True, OTHER, shows=(("a", A_PUBLIC), ("a", A_PRIVATE))))
    exposed = book.truth(exchange())["exposed"]
    assert (exposed["caller_public"], exposed["caller_private"]) == (False, True)
    book.frame("a", relayed(OTHER, False, stun=True, mapped=A_PUBLIC))
    exposed = book.truth(exchange())["exposed"]
    assert (exposed["caller_public"], exposed["caller_private"]) == (True, True)
    book.probed("a", A_PRIVATE)
    exposed = book.truth(exchange())["exposed"]
    assert (exposed["caller_public"], exposed["caller_private"]) == (True, False)


def test_what_shows_on_ones_own_wire_is_no_exposure(book):
    book.frame("a", Meaning("call", True, True, True, OTHER, shows=(("a", A_PRIVATE),)))
    assert not any(book.truth(exchange())["exposed"].values())


def test_a_hundred_media_each_way_on_both_sides_are_a_conversation(book):
    for phone in ("a", "b"):
        book.frame(phone, relayed(OTHER, stun=True, marks=True))
    book.talk(lambda phone, outgoing: relayed(OTHER, outgoing), count=99)
    assert book.truth(exchange())["established"] is False
    book.talk(lambda phone, outgoing: relayed(OTHER, outgoing), count=1)
    truth = book.truth(exchange())
    assert (truth["established"], truth["routing"], truth["service"]) == (True, "relay", "voice")
    assert truth["media"]["callee"] == {
        "tx_packets": 100,
        "rx_packets": 100,
        "tx_payload_bytes": 10_000,
        "rx_payload_bytes": 10_000,
    }


def direct(phone: str, outgoing: bool) -> Meaning:
    peer = ("b", B_PUBLIC) if phone == "a" else ("a", A_PUBLIC)
    return Meaning("direct", outgoing, peer=Endpoint(peer[1], 5000), shows=(peer,))


def test_half_of_the_bytes_going_directly_make_it_p2p(book):
    book.probed("a", A_PUBLIC)
    book.probed("b", B_PUBLIC)
    for phone in ("a", "b"):
        book.frame(phone, relayed(OTHER, stun=True, marks=True))
    book.talk(lambda phone, outgoing: relayed(OTHER, outgoing), size=100)
    book.talk(direct, size=99)
    truth = book.truth(exchange())
    assert (truth["routing"], truth["p2p_observed"]) == ("relay", True)
    book.talk(direct, count=1, size=100)
    assert book.truth(exchange())["routing"] == "p2p"


def test_a_direct_frame_to_an_address_that_nobody_learned_is_none(book):
    book.talk(direct)
    truth = book.truth(exchange())
    assert truth["p2p_observed"] is False
    assert truth["media"]["caller"]["tx_packets"] == 0


def test_checks_that_nobody_answers_are_no_direct_conversation(book):
    book.frame("a", Meaning("direct", True, True, peer=Endpoint(B_PRIVATE, 1), shows=(("b", B_PRIVATE),)))
    truth = book.truth(exchange())
    assert truth["p2p_observed"] is False
    assert truth["exposed"]["callee_private"] is True


def test_twenty_thousand_bytes_a_second_one_way_are_video(book):
    for phone in ("a", "b"):
        book.frame(phone, relayed(OTHER, stun=True, marks=True))
    book.talk(lambda phone, outgoing: relayed(OTHER, outgoing), count=100, size=199)
    assert book.truth(exchange())["service"] == "voice"
    book.media("b", relayed(OTHER, False), 1, 100)
    assert book.truth(exchange())["service"] == "video"


def sessions(book: Book, phone: str, counts: list[int], size: int = 10) -> None:
    for number, count in enumerate(counts):
        server = Server(f"{number}", ip_address(f"192.0.2.{30 + number}"), 3478, None)
        for _ in range(count):
            book.frame(phone, relayed(server, stun=True, marks=True), size=size)


RELAYS = (("media", 3478), ("secondary", 3478), ("secondary", 3478))


@pytest.mark.parametrize(
    ("of_caller", "of_callee", "role"),
    [
        ([30, 10, 10], [20, 8, 9], "caller"),
        ([20, 8, 9], [30, 10, 11], "callee"),
        ([30, 9, 10], [20, 8, 9], None),
        ([30, 10, 10], [20, 8, 10], None),
        ([30, 10, 10], [8, 8], None),
    ],
)
def test_the_two_closest_sessions_tell_the_role(book, of_caller, of_callee, role):
    sessions(book, "a", of_caller)
    sessions(book, "b", of_callee)
    assert book.truth(exchange(relays=RELAYS))["role"] == role
    assert book.truth(exchange(relays=(("media", 3478),)))["role"] is None


def test_identical_sessions_of_one_side_tell_an_unanswered_voice_call_and_others_tell_nothing(book):
    sessions(book, "a", [12, 12, 12])
    sessions(book, "b", [20, 8, 8])
    assert book.truth(exchange(identical="voice"))["service"] == "voice"
    assert book.truth(exchange())["service"] is None
    sessions(book, "a", [1])
    assert book.truth(exchange(identical="voice"))["service"] is None


def test_user_ids_are_those_of_the_right_length_on_both_wires(book):
    book.frame("a", relayed(OTHER, stun=True, marks=True, user_ids=("zzzz", "aaaa", "long-one")))
    book.frame("b", relayed(OTHER, stun=True, marks=True, user_ids=("zzzz", "aaaa", "long-one", "else")))
    assert book.truth(exchange(ids=4))["user_ids"] == ["aaaa", "zzzz"]
    assert book.truth(exchange())["user_ids"] == []


def test_clocks_are_the_first_and_the_last_reading(book):
    for offset in (100, 150, 190):
        book.clock_read("a", offset)
    book.drift("a", 11.3)
    book.clock_read("laptop", -5)
    clocks = book.truth(exchange())["clocks"]
    assert clocks["caller"] == {"offset_before_ns": 100, "offset_after_ns": 190, "drift_ppm": 11.3}
    assert clocks["callee"] == {"offset_before_ns": None, "offset_after_ns": None, "drift_ppm": 0.0}
    assert clocks["laptop"] == {"offset_before_ns": -5, "offset_after_ns": -5, "drift_ppm": 0.0}


def test_restarts_are_the_captures_beyond_the_first_of_the_phone_that_has_most(book):
    for phone in ("a", "b", "b"):
        book.capture_started(phone)
    assert book.truth(NO_CALL)["capture_restarts"] == 0
    book.world.advance_to(2000)
    book.capture_started("b")
    book.world.advance_to(3000)
    book.capture_started("b")
    assert book.truth(NO_CALL)["capture_restarts"] == 2


def test_an_attempt_begins_with_an_empty_ledger(book):
    book.clock_read("laptop", 5)
    book.begin("t-2", 0)
    book.phone("a", [])
    book.phone("b", [])
    truth = book.truth(NO_CALL)
    assert (truth["trial"], truth["attempt"]) == ("t-2", 0)
    assert truth["clocks"]["laptop"]["offset_before_ns"] is None


MEDIA_KEYS = ("tx_packets", "rx_packets", "tx_payload_bytes", "rx_payload_bytes")


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"stun": True}, False),
        ({"inside": "media"}, True),
        ({"inside": "stun"}, False),
        ({"stun": True, "inside": "media"}, True),
        ({"stun": True, "inside": "stun"}, False),
    ],
)
def test_media_in_channel_data_and_in_indications_count_and_stun_in_them_does_not(book, fields, counts):
    book.frame("a", relayed(OTHER, marks=True, **fields), size=140)
    media = book.truth(exchange())["media"]["caller"]
    assert [media[key] for key in MEDIA_KEYS] == ([1, 0, 140, 0] if counts else [0, 0, 0, 0])


def test_of_tcp_segments_the_messages_count_that_end_in_them(book):
    meaning = relayed(OTHER, marks=True, inside="media")
    positions, sizes = np.arange(3), np.array([0, 96, 300])
    book.note_batch("a", meaning, positions, positions + 1000, sizes, np.array([0, 1, 3]))
    book.note("a", meaning, 3, 1100, 48, 1)
    book.note("a", meaning, 4, 1200, 0, 0)
    media = book.truth(exchange())["media"]["caller"]
    assert [media[key] for key in MEDIA_KEYS] == [5, 0, 444, 0]
