"""Which conversations of one side follow one another in one session."""

import pytest

from correlate import pairs
from correlate.dataset import Dataset
from correlate.pairs.segments import joined

A = "100.64.0.7"
RELAY, SECOND = ("192.0.2.50", 3478), ("192.0.2.60", 3478)
B_PUBLIC = "198.51.100.20"


@pytest.fixture
def segments(tmp_path, build):
    """The sessions of a caller whose capture `fill` fills: of each the local and remote ends of its segments."""

    def of(fill, kind="server"):
        call = build.call()
        fill(call.caller)
        build.dataset(tmp_path, [call])
        dataset = Dataset(tmp_path)
        side = pairs.load(dataset, call.trial, dataset.info().apps, {}).a
        return [
            [((str(each.local), each.local_port), (str(each.remote), each.remote_port)) for each in session]
            for session in joined(side.of_kind(kind))
        ]

    return of


def with_server(side, local, remote, begin_s, end_s, packets=60):
    side.relay(local, remote, begin_s)
    side.talk(local, remote, begin_s, end_s, packets, packets)


@pytest.mark.parametrize(("begin_s", "joins"), [(40.0, True), (40.000001, False)])
def test_a_rebinding_goes_on_with_the_same_server_from_another_port_within_30_s(segments, begin_s, joins):
    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 10.0, packets=3)
        with_server(side, (A, 5001), RELAY, begin_s, 50.0, packets=3)

    first, second = ((A, 5000), RELAY), ((A, 5001), RELAY)
    assert segments(fill) == ([[first, second]] if joins else [[first], [second]])


@pytest.mark.parametrize(("begin_s", "joins"), [(8.0, True), (7.999999, False)])
def test_segments_overlap_for_two_seconds_at_most(segments, begin_s, joins):
    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 10.0)
        with_server(side, (A, 5001), RELAY, begin_s, 50.0)

    assert [len(session) for session in segments(fill)] == ([2] if joins else [1, 1])


@pytest.mark.parametrize(("begin_s", "joins"), [(1.0, True), (0.999999, False)])
def test_of_two_short_ones_side_by_side_neither_follows_the_other(segments, begin_s, joins):
    """They overlap for less than two seconds and for more than half of the shorter."""

    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 2.0)
        with_server(side, (A, 5001), RELAY, begin_s, 3.0)

    assert [len(session) for session in segments(fill)] == ([2] if joins else [1, 1])


def test_relays_that_are_held_open_from_first_to_last_are_sessions_by_themselves(segments):
    """Paper, Figure 3: three that differ by 0.1 ms; the full one carries the media."""

    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 40.0, packets=400)
        with_server(side, (A, 5001), SECOND, 0.0001, 40.0001, packets=6)
        with_server(side, (A, 5002), ("192.0.2.70", 3478), 0.0002, 40.0002, packets=6)

    assert [len(session) for session in segments(fill)] == [1, 1, 1]


@pytest.mark.parametrize(("packets", "joins"), [(50, True), (49, False)])
def test_another_server_takes_over_where_its_media_begin_as_those_before_end(segments, packets, joins):
    """Both are held open from first to last by STUN, and the media move from the one to the other."""

    def fill(side):
        for local, remote, begin_s, end_s, count in (
            ((A, 5000), RELAY, 1.0, 20.0, packets),
            ((A, 5001), SECOND, 20.1, 40.0, 60),
        ):
            side.relay(local, remote, 0.0)
            side.talk(local, remote, begin_s, end_s, count, count)
            side.relay(local, remote, 41.0)

    assert [len(session) for session in segments(fill)] == ([2] if joins else [1, 1])


def test_keep_alives_one_after_the_other_are_no_relay_switch(segments):
    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 1.0, packets=2)
        with_server(side, (A, 5001), SECOND, 2.0, 3.0, packets=2)

    assert [len(session) for session in segments(fill)] == [1, 1]


def test_an_ice_restart_moves_the_direct_path_to_new_ports_on_both_sides(segments):
    def fill(side):
        side.talk((A, 5000), (B_PUBLIC, 6000), 0.0, 10.0, 60, 60)
        side.talk((A, 5001), (B_PUBLIC, 6001), 9.9, 20.0, 60, 60)

    assert segments(fill, "direct") == [[((A, 5000), (B_PUBLIC, 6000)), ((A, 5001), (B_PUBLIC, 6001))]]


def test_checks_that_nobody_answers_are_no_segment(segments):
    def fill(side):
        side.talk((A, 5000), (B_PUBLIC, 6000), 0.0, 9.0, 60, 0)
        side.talk((A, 5001), (B_PUBLIC, 6001), 9.9, 20.0, 60, 60)

    assert [len(session) for session in segments(fill, "direct")] == [1, 1]


def test_a_handover_goes_on_from_another_local_address_by_media_or_with_the_same_server(segments):
    def fill(side):
        side.interface.append("10.0.0.9")
        with_server(side, (A, 5000), RELAY, 0.0, 10.0)
        with_server(side, ("10.0.0.9", 5000), RELAY, 14.0, 20.0)
        with_server(side, ("2001:db8:a::7", 5000), ("2001:db8:f::60", 3478), 21.0, 30.0)

    (session,) = segments(fill)
    assert [local for local, _ in session] == [(A, 5000), ("10.0.0.9", 5000), ("2001:db8:a::7", 5000)]


def test_of_two_components_that_are_rebound_each_has_one_successor(segments):
    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 10.0)
        with_server(side, (A, 5001), RELAY, 0.0, 10.1)
        with_server(side, (A, 5002), RELAY, 10.2, 20.0)
        with_server(side, (A, 5003), RELAY, 10.3, 20.0)

    found = [[local[1] for local, _ in session] for session in segments(fill)]
    assert found == [[5000, 5003], [5001, 5002]]


def test_the_same_server_comes_before_another_that_ended_later(segments):
    def fill(side):
        with_server(side, (A, 5000), RELAY, 0.0, 10.0)
        with_server(side, (A, 5001), SECOND, 0.0, 10.1)
        with_server(side, (A, 5002), RELAY, 10.2, 20.0)

    assert [[local[1] for local, _ in session] for session in segments(fill)] == [[5000, 5002], [5001]]
