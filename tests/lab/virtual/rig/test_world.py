"""Bench time that is wall time."""

import asyncio

from lab.virtual.rig.world import RealWorld

SHORT_NS = 20_000_000


def test_an_event_happens_when_its_time_has_come_and_a_cancelled_one_never_does():
    async def play():
        world, done = RealWorld(), []
        world.begin("key", 0)
        begun_ns = world.started_ns
        world.after(SHORT_NS, lambda: done.append(world.now_ns - begun_ns))
        world.after(SHORT_NS, lambda: done.append("cancelled")).cancel()
        world.advance_to(begun_ns + 10 * SHORT_NS)  # Nobody moves this time.
        assert done == []
        await world.pass_until(begun_ns + 2 * SHORT_NS)
        return done

    (after_ns,) = asyncio.run(play())
    assert after_ns >= SHORT_NS


def test_whoever_waits_looks_again_soon_though_no_event_is_due():
    world = RealWorld()
    world.begin("key", 0)
    now_ns = world.now_ns
    assert 0 < world.next_event_ns() - now_ns < 1_000_000_000


def test_an_attempt_starts_now_whatever_instant_it_was_to_have():
    world = RealWorld()
    before_ns = world.now_ns
    world.begin("key", 1_000)
    assert before_ns <= world.started_ns <= world.now_ns
    world.spend(10**12, 10**13, "a command")
    assert world.now_ns - before_ns < 10**12
