"""What tcpdump on a phone must do to count; the phone here answers shell lines and nothing else."""

import re

import pytest

from lab.capture.tcpdump import PhoneTcpdump, sweep_directory
from lab.errors import AttemptVoid, PhoneTrouble
from lab.phone.root import SuRefuses
from lab.programs.shell import ShellOutput

GOOD = "tcpdump: listening on rmnet1\n12 packets captured\n12 packets received by filter\n0 packets dropped by kernel\n"


class Clock:
    def __init__(self):
        self.ns = 0

    def now_ns(self):
        return self.ns

    def sleep(self, seconds):
        self.ns += round(seconds * 1e9)


class Stream:
    """The stream on which `su` runs tcpdump: what it says there, if anything, before it waits."""

    def __init__(self, said=b""):
        self.said = [said] if said else []

    def receive(self, timeout_s):
        if not self.said:
            raise TimeoutError
        return self.said.pop()

    def close(self):
        pass


class Phone:
    """Answers the shell lines of a capture. `said` is what tcpdump wrote, `ends_on` the signal that ends it.

    With `live` it answers SIGUSR1 by these, and has written `said` only once it was interrupted.
    """

    serial = name = "phone"

    def __init__(self, said=GOOD, ends_on="INT", live=(), su=b""):
        self.su = su
        self.said, self.ends_on, self.live = said, ends_on, list(live)
        if live:
            self.said, self.live = "tcpdump: listening on rmnet1\n", [*live, said]
        self.running, self.signals, self.removed = True, [], []

    def open_root(self, script):
        self.started = script
        return Stream(self.su)

    def run(self, command, *, root=False):
        assert root
        if command.startswith("mkdir"):
            return ShellOutput("", 0)
        if found := re.match(r"cat \S+\.(err|pid)", command):
            return ShellOutput({"err": self.said, "pid": "4711\n"}[found[1]], 0)
        if found := re.match(r"kill -(\w+) 4711", command):
            return self._signalled(found[1])
        if found := re.match(r"rm -f (.*)", command):
            self.removed += found[1].split()
            return ShellOutput("", 0)
        raise AssertionError(command)

    def _signalled(self, signal):
        if signal == "0":
            return ShellOutput("", 0 if self.running else 1)
        if not self.running:
            return ShellOutput("", 1)
        self.signals.append(signal)
        if self.live:
            self.said += self.live.pop(0) if signal == "USR1" else self.live[-1]
        self.running = self.running and signal != self.ends_on
        return ShellOutput("", 0)


def capture(phone: Phone) -> PhoneTcpdump:
    made = PhoneTcpdump(phone, Clock(), "rmnet1", 256, "/data/local/tmp/im-call-lab", "t.0.caller")
    made.start()
    return made


def test_tcpdump_is_started_as_root_in_immediate_mode_for_16_bytes_more_with_its_pid_recorded_from_inside():
    phone = Phone()
    capture(phone)
    base = "/data/local/tmp/im-call-lab/t.0.caller"
    assert phone.started == (
        f"echo $$ >{base}.pid; PATH=/data/local/tmp/im-call-lab-tools:$PATH; exec tcpdump -i rmnet1 -U "
        f"--immediate-mode -B 16384 -s 272 -G 7200 -W 1 -w {base}.pcap 2>{base}.err"
    )


def test_counters_are_read_once_the_tool_has_ended():
    phone = Phone()
    counters = capture(phone).stop()
    assert (counters.captured, counters.received, counters.dropped) == (12, 12, 0)
    assert phone.signals == ["USR1", "INT"]


def answer(captured, received):
    return f"tcpdump: {captured} packets captured, {received} packets received by filter, 0 packets dropped by kernel\n"


CUT_BY_THE_STOP = GOOD.replace("12 packets received", "13 packets received")


def test_packets_that_arrive_while_a_tool_that_had_caught_up_stops_are_not_missed():
    phone = Phone(CUT_BY_THE_STOP, live=[answer(11, 12), answer(12, 12)])
    made = capture(phone)
    phone.signals.clear()
    counters = made.stop()
    assert (counters.captured, counters.received) == (12, 13)
    assert phone.signals == ["USR1", "USR1", "INT"]


def test_a_tool_that_never_catches_up_has_lost_packets():
    phone = Phone(CUT_BY_THE_STOP, live=[answer(n, n + 1) for n in range(5)])
    with pytest.raises(AttemptVoid) as raised:
        capture(phone).stop()
    assert raised.value.reason == "capture_lost_packets"
    assert phone.signals == ["USR1"] * 5 + ["INT"]


def test_of_a_tool_that_does_not_answer_while_it_runs_the_counters_at_the_end_must_be_equal():
    counters = capture(Phone(GOOD, live=[""])).stop()
    assert (counters.captured, counters.received, counters.dropped) == (12, 12, 0)
    with pytest.raises(AttemptVoid) as raised:
        capture(Phone(CUT_BY_THE_STOP, live=[""])).stop()
    assert raised.value.reason == "capture_lost_packets"


def test_a_tool_whose_interface_went_away_has_died_whatever_it_counted():
    gone = "tcpdump: pcap_loop: The interface disappeared\n"
    with pytest.raises(AttemptVoid) as raised:
        capture(Phone(GOOD + gone)).stop()
    assert raised.value.reason == "capture_died"


def test_a_tool_that_ended_before_it_was_stopped_has_died_whatever_it_counted():
    phone = Phone()
    made = capture(phone)
    phone.running = False
    with pytest.raises(AttemptVoid) as raised:
        made.stop()
    assert (raised.value.reason, phone.signals) == ("capture_died", [])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (GOOD.replace("12 packets received", "13 packets received"), "capture_lost_packets"),
        (GOOD.replace("0 packets dropped", "1 packet dropped"), "capture_lost_packets"),
        ("tcpdump: listening on rmnet1\n", "capture_died"),
    ],
)
def test_counters_that_do_not_add_up_void_the_attempt(said, reason):
    with pytest.raises(AttemptVoid) as raised:
        capture(Phone(said)).stop()
    assert raised.value.reason == reason


def test_a_tool_that_never_says_it_listens_is_not_live_and_its_words_are_told():
    with pytest.raises(AttemptVoid) as raised:
        capture(Phone("tcpdump: rmnet1: No such device exists\n"))
    assert raised.value.reason == "capture_not_ready"
    assert str(raised.value) == "phone: tcpdump is not live: tcpdump: rmnet1: No such device exists"


def test_a_tool_that_said_nothing_was_not_run_and_su_has_the_word():
    for su, words, kind in (
        # A no of su is a phone's trouble, which the recovery ladder asks about again; silence may be anything.
        (b"Permission denied\n", "su says 'Permission denied': allow su", SuRefuses),
        (b"", "su says nothing; a prompt", AttemptVoid),
        (b"Segmentation fault\n", "su says 'Segmentation fault': allow su", AttemptVoid),
    ):
        with pytest.raises(kind) as raised:
            capture(Phone("", su=su))
        assert getattr(raised.value, "reason", "capture_not_ready") == "capture_not_ready"
        assert str(raised.value).startswith(f"phone: tcpdump is not live: {words}")


def test_a_tool_that_ignores_sigint_is_trouble_and_is_killed_when_it_is_discarded():
    phone = Phone(ends_on="KILL")
    made = capture(phone)
    with pytest.raises(PhoneTrouble, match="does not end after SIGINT"):
        made.stop()
    made.discard()
    assert (phone.signals, phone.running) == (["USR1", "INT", "INT", "KILL"], False)
    assert [name.rsplit(".", 1)[1] for name in phone.removed] == ["pcap", "err", "pid"]


def test_a_tool_that_has_ended_is_not_signalled_again_because_its_number_may_be_anothers():
    phone = Phone()
    made = capture(phone)
    made.stop()
    made.discard()
    assert phone.signals == ["USR1", "INT"]


def test_only_captures_of_our_own_directory_are_swept():
    class Listed:
        ran: list[str] = []  # noqa: RUF012

        def run(self, command, *, root):
            self.ran.append(command)
            return ShellOutput(
                "  PID ARGS\n"
                " 4711 tcpdump -i rmnet1 -w /data/local/tmp/im-call-lab/a.pcap\n"
                " 4712 tcpdump -i rmnet1 -w /data/local/tmp/other/a.pcap\n"
                " 4713 sh -c tcpdump /data/local/tmp/im-call-lab/\n",
                0,
            )

    assert sweep_directory(Listed(), "/data/local/tmp/im-call-lab") == 1
    assert Listed.ran[1:] == ["kill -INT 4711 2>/dev/null", "rm -rf /data/local/tmp/im-call-lab"]
