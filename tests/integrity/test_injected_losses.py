"""Every way of losing packets is found by the classes that hardware uses, with the reason that fits; none is imagined.

The cases run beside each other, each on a wire of its own, because they mostly wait.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from correlate.trace import Trace, verify
from lab.capture.protocol import BACKSTOP_S, DRAIN_S
from lab.capture.tcpdump import sweep_directory
from lab.capture.verified import verified
from lab.errors import AttemptVoid, LaptopTrouble, PhoneTrouble
from lab.laptop.bash import BashLaptop
from lab.programs.processes import Program, run
from tests.integrity.rig import LAPTOP, PHONE, ROOT, SMALL, SNAPLEN_BYTES, captured, inside, ip


@contextmanager
def live(lane, folder=""):
    """Both captures, live; what is left of them is removed."""
    captures = [lane.tcpdump("t", folder or "phone"), lane.dumpcap("t", folder or "laptop")]
    try:
        for capture in captures:
            capture.start()
        lane.mark("im-call-lab live", *captures)
        yield captures
    finally:
        for capture in captures:
            capture.discard()


def pids(lane):
    """The process ids of both tools."""
    return [int((lane.root / "phone/t.pid").read_text()), lane.dumpcap_program("t").pid]


def kept(lane, capture, snaplen_bytes=SNAPLEN_BYTES):
    """Stop, fetch and verify, as a trial does; the file."""
    counters, path = capture.stop(), lane.root / f"t.{capture.suffix}"
    verified(path, counters, capture.fetch(path), snaplen_bytes)
    return path


def refusal(lane, capture):
    """Why the capture is refused: the reason code and the text."""
    with pytest.raises(AttemptVoid) as raised:
        kept(lane, capture)
    return raised.value.reason, str(raised.value)


def reasons(lane, captures):
    return [refusal(lane, capture)[0] for capture in captures]


def a_tool_that_was_killed_is_found(lane):
    with live(lane) as captures:
        for pid in pids(lane):
            os.kill(pid, signal.SIGKILL)
        lane.clock.sleep(0.2)
        assert reasons(lane, captures) == ["capture_died", "capture_died"]


def a_capture_that_nobody_stops_ends_by_itself_whole_and_is_found(lane):
    lane.instead_of("tcpdump", f"exec $TOOL $(echo \"$@\" | sed 's/-G {BACKSTOP_S}/-G 3/') -Z root")
    # Word by word: the filter is one with blanks in it.
    shorter = f'for word; do test "$word" = duration:{BACKSTOP_S} && word=duration:3; set -- "$@" "$word"; shift; done'
    lane.instead_of("dumpcap", f'{shorter}; exec $TOOL "$@"')
    with live(lane) as captures:
        number, _ = pids(lane)
        lane.clock.sleep(3.5)
        lane.flood(2)  # tcpdump ends with the first packet behind its time
        lane.clock.sleep(1.0)
        assert (os.path.exists(f"/proc/{number}"), lane.dumpcap_program("t").running()) == (False, False)
        for capture, place in zip(captures, ("phone/t.pcap", "laptop/t.pcapng"), strict=True):
            assert verify(lane.root / place).ok
            assert refusal(lane, capture)[0] == "capture_died"


def an_interface_that_is_gone_is_found(lane):
    with live(lane) as captures:
        ip("-n", lane.phone_space, "link", "del", "wire")
        lane.clock.sleep(0.3)
        assert reasons(lane, captures) == ["capture_died", "capture_died"]


def an_interface_that_came_back_loses_nothing_of_what_is_sent_afterwards(lane):
    with live(lane) as captures:
        for word in ("down", "up"):
            for space in (lane.phone_space, lane.laptop_space):
                ip("-n", space, "link", "set", "wire", word)
            lane.clock.sleep(0.3)
        lane.flood(5)
        lane.clock.sleep(DRAIN_S)
        for capture in captures:
            assert sorted(captured(Trace.read(kept(lane, capture)), PHONE)) == [0, 1, 2, 3, 4]
    ip("-n", lane.phone_space, "route", "add", "default", "via", LAPTOP)


def a_buffer_that_overran_is_found(lane):
    with live(lane) as captures:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids(lane):
                os.kill(pid, number)
            if number == signal.SIGSTOP:
                lane.flood(60_000)
        lane.clock.sleep(0.5)
        assert reasons(lane, captures) == ["capture_lost_packets", "capture_lost_packets"]


def a_full_disk_is_found(lane):
    with live(lane, SMALL) as (phone, laptop):
        lane.flood(2_000)
        lane.clock.sleep(0.8)
        # tcpdump -U counts 2,000 captured, 0 dropped, and ends with 0: the file alone tells.
        reason, text = refusal(lane, phone)
        assert reason == "capture_damaged"
        assert "packets are in the file, the capturing tool counted 20" in text
        reason, text = refusal(lane, laptop)
        assert (reason, "no space left" in text) == ("capture_died", True)


def frames_that_were_cut_shorter_than_asked_are_found(lane):
    lane.instead_of("tcpdump", 'exec $TOOL "$@" -s 64 -Z root')
    lane.instead_of("dumpcap", 'exec $TOOL "$@" -s 64')
    with live(lane) as captures:
        lane.flood(1)
        lane.clock.sleep(0.8)
        for capture in captures:
            reason, text = refusal(lane, capture)
            assert reason == "capture_damaged"
            assert "1 UDP frames are cut at less than the 256 bytes that were asked for" in text


def a_copy_that_was_cut_is_found_and_the_original_stays(lane):
    with live(lane) as captures:
        lane.clock.sleep(0.8)
        lane.instead_of("sha256sum", '$TOOL "$@" && truncate -s -1 "$1"')
        troubles = {"phone/t.pcap": PhoneTrouble, "laptop/t.pcapng": LaptopTrouble}
        for capture, (place, trouble) in zip(captures, troubles.items(), strict=True):
            with pytest.raises(trouble, match="the copy differs"):
                kept(lane, capture)
            assert (lane.root / place).exists()


def only_what_an_earlier_run_left_is_swept(lane):
    with live(lane):
        other = inside(lane.phone_space, "tcpdump", "-Z", "root", "-i", "wire", "-w", f"{lane.root}/other.pcap")
        with Program(other, read_from="stderr") as others:
            others.read_line(10.0)
            ours = pids(lane)[0]
            assert sweep_directory(lane.adb, str(lane.root / "phone")) == 1
            lane.clock.sleep(0.5)
            assert (os.path.exists(f"/proc/{ours}"), others.running()) == (False, True)
            others.interrupt()
            assert not (lane.root / "phone").exists()


def only_what_an_earlier_run_left_on_the_laptop_is_ended(lane):
    with live(lane):
        other = inside(lane.laptop_space, "dumpcap", "-q", "-i", "wire", "-w", f"{lane.root}/other.pcapng")
        with Program(other, read_from="stderr") as others:
            others.read_line(10.0)
            laptop = BashLaptop(inside(lane.laptop_space), str(lane.root / "laptop"), lane.clock)
            laptop.prepare()
            laptop.close()
            assert (lane.dumpcap_program("t").running(), others.running()) == (False, True)
            others.interrupt()


CASES = [
    a_buffer_that_overran_is_found,
    an_interface_that_came_back_loses_nothing_of_what_is_sent_afterwards,
    a_full_disk_is_found,
    a_tool_that_was_killed_is_found,
    a_copy_that_was_cut_is_found_and_the_original_stays,
    frames_that_were_cut_shorter_than_asked_are_found,
    only_what_an_earlier_run_left_is_swept,
    only_what_an_earlier_run_left_on_the_laptop_is_ended,
    a_capture_that_nobody_stops_ends_by_itself_whole_and_is_found,
    an_interface_that_is_gone_is_found,
]


@pytest.fixture(scope="module")
def outcomes(rig):
    """Each case, run on a lane of its own while it lasts."""
    lanes: SimpleQueue = SimpleQueue()
    for lane in rig.lanes:
        lanes.put(lane)

    def of_case(case):
        lane = lanes.get()
        try:
            case(lane)
        finally:
            lane.as_before()
            if case is not an_interface_that_is_gone_is_found:
                lanes.put(lane)

    with ThreadPoolExecutor(len(rig.lanes)) as pool:
        return {case: pool.submit(of_case, case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_that(outcomes, case):
    outcomes[case].result()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_an_interrupted_bench_leaves_no_namespace_no_tool_and_no_file(namespaces, number):
    code = (
        "from lab.clocks.stop import terminable\nfrom tests.integrity.rig import Rig\n"
        "with terminable(), Rig(1) as rig:\n"
        "    lane = rig.lanes[0]\n    lane.tcpdump('t').start()\n    lane.dumpcap('t').start()\n"
        "    print(lane.root.parent, flush=True)\n    lane.clock.sleep(60)\n"
    )
    with Program([sys.executable, "-c", code], directory=ROOT, other=subprocess.DEVNULL) as program:
        root = program.read_line(20.0).decode()
        os.kill(program.pid, number)
        program.wait(20.0)
        spaces = run(["ip", "netns", "list"], timeout_s=10).stdout.decode()
        assert f"imcl-{program.pid}-" not in spaces
    assert not os.path.exists(root)
    assert root not in run(["ps", "-A", "-ww", "-o", "args"], timeout_s=10).stdout.decode()
