"""Starts and stops under traffic, counted against the senders' own logs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from correlate.trace import Trace
from lab.capture.protocol import DRAIN_S, Capture
from lab.capture.verified import verified
from lab.errors import AttemptVoid
from lab.programs.processes import Program
from tests.integrity.rig import LAPTOP, PHONE, RATES, SNAPLEN_BYTES, Lane, Rig, captured, inside, sent_between

TALK_S = 1.0


@dataclass
class Count:
    """What came of one capture: `sent` datagrams between the markers by the senders' logs, of which `missing` are not
    in the file; `void` is the reason where the capture was refused."""

    tool: str
    sent: int = 0
    missing: int = 0
    void: str | None = None


@dataclass
class Cycle:
    """One pair of captures: what each holds, and how much later the second one went live than the first.

    `told_ns` is by the controller, as in trial.json; `seen_ns` by the first datagrams in the files.
    """

    rate: str
    counts: list[Count] = field(default_factory=list)
    told_ns: int = 0
    seen_ns: int | None = None


def cycle(lane: Lane, name: str, rate: str) -> Cycle:
    """Start both captures, mark, talk, mark, drain, stop and count; media flows before, during and after."""
    captures: list[Capture] = [lane.tcpdump(name), lane.dumpcap(name)]
    done, live_ns = Cycle(rate), []
    with lane.traffic(*RATES[rate]) as logs:
        try:
            for capture in captures:
                capture.start()
                live_ns.append(lane.clock.now_ns())
            lane.mark("live", *captures)
            _, begin_ns = lane.mark("begin", *captures)
            lane.clock.sleep(TALK_S)
            end_ns, _ = lane.mark("end", *captures)
            lane.clock.sleep(DRAIN_S)
            first_ns = [stopped(lane, capture, name, (begin_ns, end_ns), logs, done.counts) for capture in captures]
        finally:
            for capture in captures:
                capture.discard()
    done.told_ns = live_ns[1] - live_ns[0]
    done.seen_ns = None if None in first_ns else first_ns[1] - first_ns[0]
    return done


def stopped(
    lane: Lane, capture: Capture, name: str, between: tuple[int, int], logs: dict[str, Path], counts: list[Count]
) -> int | None:
    """Stop, fetch and verify one capture as a trial does, and count; the time of its first datagram."""
    count = Count(capture.tool)
    counts.append(count)
    path = lane.root / f"{name}.{capture.suffix}"
    try:
        counters = capture.stop()
        sha256 = capture.fetch(path)
        verified(path, counters, sha256, SNAPLEN_BYTES)
    except AttemptVoid as error:
        count.void = f"{error.reason}: {error}"
        return None
    return counted(path, between, logs, count)


def counted(path: Path, between: tuple[int, int], logs: dict[str, Path], count: Count) -> int | None:
    """Fill `count` from a capture file, which is removed; the time of its first datagram."""
    trace, first_ns = Trace.read(path), []
    for source in (PHONE, LAPTOP):
        sent, held = sent_between(logs[source], *between), captured(trace, source)
        count.sent += len(sent)
        count.missing += len(sent - held.keys())
        first_ns += [min(held.values())] if held else []
    path.unlink()
    return min(first_ns, default=None)


def plain_tcpdump(lane: Lane, name: str, rate: str, talk_s: float) -> Count:
    """For comparison: `tcpdump -w FILE`, and SIGINT as soon as the call is over."""
    path, count = lane.root / f"{name}.plain.pcap", Count("tcpdump -w FILE, SIGINT at once")
    argv = inside(lane.phone_space, "tcpdump", "-Z", "root", "-i", "wire", "-s", str(SNAPLEN_BYTES), "-w", str(path))
    with lane.traffic(*RATES[rate]) as logs, Program(argv, read_from="stderr") as program:
        while b"listening on" not in program.read_line(10.0):
            pass
        begin_ns = lane.clock.now_ns()
        lane.clock.sleep(talk_s)
        end_ns = lane.clock.now_ns()
        program.interrupt()
        program.wait(10.0)
    counted(path, (begin_ns, end_ns), logs, count)
    return count


def cycles(rig: Rig, rates: Sequence[str]) -> list[Cycle]:
    """A cycle for each of these rates, as many at once as there are lanes; in no particular order."""

    def of_lane(index: int) -> list[Cycle]:
        return [cycle(rig.lanes[index], f"c{n}", rates[n]) for n in range(index, len(rates), len(rig.lanes))]

    with ThreadPoolExecutor(len(rig.lanes)) as pool:
        return [one for done in pool.map(of_lane, range(len(rig.lanes))) for one in done]
