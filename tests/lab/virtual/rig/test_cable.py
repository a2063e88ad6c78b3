"""Delay, loss and order of a cable: one line between two descriptors."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lab.virtual.rig.cable import EARLY_S, Conditions, Line

PACKETS = [bytes([number]) * 100 for number in range(30)]


async def passed(conditions: Conditions) -> list[tuple[float, bytes]]:
    """What comes out at the other end, and how many seconds after it was sent; all is sent at once."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    (near, source), (target, far) = pairs
    for each in (near, source, target, far):
        each.setblocking(False)
    line = Line(source.fileno(), target.fileno())
    line.conditions = conditions
    loop, found = asyncio.get_running_loop(), []
    loop.add_reader(far, lambda: found.append((loop.time() - began, far.recv(200))))
    began = loop.time()
    for packet in PACKETS:
        near.send(packet)
    await asyncio.wait_for(_quiet(found), 5)
    for each in (source, far):
        loop.remove_reader(each)
    for pair in pairs:
        for each in pair:
            each.close()
    return found


async def _quiet(found: list[tuple[float, bytes]]) -> None:
    """Until nothing more has come for a while."""
    count = -1
    while len(found) != count:
        count = len(found)
        await asyncio.sleep(0.08)


def test_packets_come_in_order_and_no_sooner_than_their_delay():
    found = asyncio.run(passed(Conditions(delay_us=20_000, jitter_us=5_000)))
    assert [packet for _, packet in found] == PACKETS
    assert min(after_s for after_s, _ in found) > 0.0


def test_without_jitter_the_delay_is_what_was_asked_for():
    found = asyncio.run(passed(Conditions(delay_us=30_000)))
    assert len(found) == len(PACKETS)
    assert all(0.030 - EARLY_S <= after_s < 0.5 for after_s, _ in found)


def test_what_is_lost_is_drawn_by_the_seed():
    once, again, other = (asyncio.run(passed(Conditions(loss_ppm=400_000, seed=seed))) for seed in (1, 1, 2))
    assert [packet for _, packet in once] == [packet for _, packet in again] != [packet for _, packet in other]
    assert 0 < len(once) < len(PACKETS)


@pytest.mark.parametrize(("loss_ppm", "share"), [(0, 0.0), (1_000_000, 1.0)])
def test_nothing_or_all_is_lost_where_that_is_asked_for(loss_ppm, share):
    conditions = Conditions(loss_ppm=loss_ppm)
    assert sum(conditions.loses() for _ in range(1000)) == 1000 * share


def test_no_packet_is_there_before_it_was_sent():
    conditions = Conditions(delay_us=1_000, jitter_us=10_000, seed=3)
    delays = [conditions.delay() for _ in range(1000)]
    assert min(delays) == 0.0
    assert max(delays) > 0.01
