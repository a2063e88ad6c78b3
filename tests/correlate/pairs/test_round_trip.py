"""How long an answer takes, by STUN requests and their responses."""

from ipaddress import ip_address

import pytest

from correlate.pairs import addresses
from correlate.pairs.round_trip import round_trip_ns
from tests.correlate.packets import attribute, channel, datagram, message, trace

PHONE, RELAY = ("100.64.0.7", 5000), ("192.0.2.50", 3478)
OWN = addresses.own_addresses([ip_address(PHONE[0])], [])
REQUEST, RESPONSE, REFUSED, INDICATION = 0x0001, 0x0101, 0x0111, 0x0011
ONE, TWO = b"transaction1", b"transaction2"


@pytest.fixture
def found(tmp_path):
    """The round trip of messages 10 ms apart, each sent by the phone ('>') or to it ('<')."""

    def of(*messages):
        from correlate import stun

        packets = [datagram(*((PHONE, RELAY) if way == ">" else (RELAY, PHONE)), payload) for way, payload in messages]
        return round_trip_ns(stun.messages(trace(tmp_path, packets)), OWN)

    return of


def of(kind, transaction=ONE):
    return message(kind, transaction=transaction)


def test_the_longest_of_several_counts(found):
    assert found((">", of(REQUEST)), ("<", of(RESPONSE)), (">", of(REQUEST, TWO))) == 10_000_000
    longer = [(">", of(REQUEST, TWO)), ("<", of(INDICATION)), ("<", of(RESPONSE, TWO))]
    assert found((">", of(REQUEST)), ("<", of(RESPONSE)), *longer) == 20_000_000


def test_a_refusal_is_an_answer_and_an_indication_is_none(found):
    assert found((">", of(REQUEST)), ("<", of(INDICATION)), ("<", of(REFUSED))) == 20_000_000
    assert found((">", of(REQUEST)), ("<", of(INDICATION))) is None


def test_a_request_that_was_sent_twice_tells_nothing_and_a_second_answer_does_not_count(found):
    assert found((">", of(REQUEST)), (">", of(REQUEST)), ("<", of(RESPONSE))) is None
    assert found((">", of(REQUEST)), ("<", of(RESPONSE)), ("<", of(RESPONSE))) == 10_000_000


def test_the_other_sides_requests_are_not_this_sides_round_trip(found):
    assert found(("<", of(REQUEST)), (">", of(RESPONSE))) is None


def test_checks_through_turn_count_and_are_not_taken_for_what_carries_them(found):
    through = [(">", channel(0x4001, of(REQUEST))), ("<", of(RESPONSE)), ("<", channel(0x4001, of(RESPONSE)))]
    assert found(*through) == 20_000_000
    data = message(0x0016, attribute(0x0013, of(REQUEST)), transaction=TWO)
    assert found((">", data), ("<", channel(0x4001, of(RESPONSE)))) == 10_000_000
