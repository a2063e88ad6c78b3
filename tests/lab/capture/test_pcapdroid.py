"""What the capture makes of PCAPdroid's manners; the phone here answers shell lines and nothing else."""

import re
import shlex

import pytest

from lab.capture.counters import Counters
from lab.capture.pcapdroid import CONSENT, MOST_BYTES, PcapdroidCapture, Remote, Tunnel, dropped, tunnel
from lab.errors import AttemptVoid, PhoneTrouble
from lab.programs.shell import ShellOutput

KEY = "0123456789ABCDEFGHIJabcdefghij42"
NAME = "im-call-lab-t.0.callee-7.pcap"
FILE = f"/sdcard/Download/PCAPdroid/{NAME}"
BELOW = (
    "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n"
    "    inet 127.0.0.1/8 scope host lo\n"
    "31: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 3000\n"
    "    inet 192.168.1.5/24 brd 192.168.1.255 scope global wlan0\n"
)
TUN = (
    "{}: tun0: <POINTOPOINT,UP,LOWER_UP> mtu 10000 qdisc pfifo_fast state UNKNOWN group default qlen 500\n"
    "    link/none\n"
    "    inet {}/30 scope global tun0\n"
)
DEVICES = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier "
    "compressed\n"
    "    lo:    3120      40    0    0    0     0          0         0     3120      40    0    0    0     0       0  "
    "        0\n"
    "  tun0:   63920     500    0    {}    0     0          0         0    63920     500    0 {}    0     0       0"
    "          0\n"
)


class Clock:
    def __init__(self):
        self.ns = 7

    def now_ns(self):
        return self.ns

    def sleep(self, seconds):
        self.ns += round(seconds * 1e9)


class Phone:
    """A phone with PCAPdroid. `count` is what that logs when it has stopped, None for nothing; `obeys` the actions that
    have an effect."""

    serial = name = "phone"

    def __init__(self, count=12, obeys=("start", "stop", "force-stop"), said="Starting: Intent { }\n"):
        self.count, self.obeys, self.said = count, obeys, said
        self.up, self.number, self.drops = False, 40, 0
        self.log = ["01-05 00:00:01.000 D CaptureCtrl: notifyCaptureStopped: 99 pkts"]
        self.asked: list[dict[str, str]] = []
        self.removed: list[str] = []
        self.held: list[str] = []

    def run(self, command, *, root=False, timeout_s=10.0, label=None):
        assert not root
        words = shlex.split(command.replace(" --user 0 ", " "))
        assert (words[0] == "am") == (" --user 0 " in command)
        if words[:2] == ["am", "start"]:
            return self._intent(words)
        if words[:2] == ["am", "force-stop"]:
            self._end("force-stop")
            return ShellOutput("", 0)
        answers = {"ip": self._interfaces, "cat": lambda: DEVICES.format(0, self.drops), "logcat": self._logged}
        if words[0] in answers:
            return ShellOutput(answers[words[0]](), 0)
        if words[0] == "dumpsys":
            record = "ActivityRecord{1b2c3d u0 com.android.vpndialogs/.ConfirmDialog t7}"
            return ShellOutput(f"    topResumedActivity={record}\n", 0)
        if words[0] == "log":
            self.log.append(f"01-05 00:00:02.000 I {words[2]}: {words[3]}")
            return ShellOutput("", 0)
        if words[0] == "grep":
            return ShellOutput("", 0 if words[5] in self.held else 1)
        if words[:2] == ["rm", "-f"]:
            self.removed += words[2:]
            return ShellOutput("", 0)
        raise AssertionError(command)

    def _intent(self, words):
        extras = {name: value for option, name, value in zip(words[4::3], words[5::3], words[6::3], strict=True)}
        self.asked.append(extras)
        if extras["action"] in self.obeys:
            if extras["action"] == "start":
                self.up = True
            elif self.up:
                self._end("stop")
        return ShellOutput(self.said, 0)

    def _end(self, how):
        if how in self.obeys and self.up:
            self.up = False
            if self.count is not None and how == "stop":
                self.log.append(f"01-05 00:00:03.000 D CaptureCtrl: notifyCaptureStopped: {self.count} pkts")

    def _interfaces(self):
        return BELOW + (TUN.format(self.number, "10.215.173.1") if self.up else "")

    def _logged(self):
        return "\n".join(["--------- beginning of main", *self.log, ""])


def capture(phone, *, started=True) -> PcapdroidCapture:
    made = PcapdroidCapture(Remote(phone, Clock(), KEY), "org.example.app", "both", 256, "t.0.callee")
    if started:
        made.start()
    return made


def void(made) -> tuple[str, str]:
    with pytest.raises(AttemptVoid) as raised:
        made()
    return raised.value.reason, str(raised.value)


def test_it_is_started_for_the_app_and_the_shell_with_its_key_last():
    phone = Phone()
    made = capture(phone)
    assert list(phone.asked[0].items()) == [
        ("action", "start"),
        ("pcap_dump_mode", "pcap_file"),
        ("pcap_name", NAME),
        ("app_filter", "org.example.app,com.android.shell"),
        ("ip_mode", "both"),
        ("auto_block_private_dns", "false"),
        ("snaplen", "256"),
        ("max_dump_size", str(MOST_BYTES)),
        ("api_key", KEY),
    ]
    assert (made.tool, made.interface, made.suffix) == ("pcapdroid", "tun0", "pcap")


def test_its_count_is_the_one_behind_our_own_mark():
    phone = Phone(count=12)
    assert capture(phone).stop() == Counters(captured=12, received=12, dropped=0)
    assert phone.log[1].endswith(f"I im-call-lab: stop {NAME}")
    assert (phone.asked[-1], phone.up) == ({"action": "stop", "api_key": KEY}, False)
    phone = Phone(count=None)
    assert void(capture(phone).stop) == ("capture_died", "phone: PCAPdroid left no count of its packets in the log")


def test_where_its_vpn_does_not_come_up_the_hint_is_the_question_on_the_screen():
    phone = Phone(obeys=("force-stop",))
    text = "phone: PCAPdroid's VPN does not come up; com.android.vpndialogs/.ConfirmDialog is on the screen; "
    assert void(lambda: capture(phone)) == ("capture_not_ready", text + CONSENT)


def test_a_start_that_android_refuses_is_told_in_its_words():
    phone = Phone(said="Error type 3\nError: Activity class {x} does not exist.\n")
    reason, text = void(lambda: capture(phone))
    assert (reason, text.startswith("phone: PCAPdroid cannot be started: Error type 3")) == ("capture_not_ready", True)


def test_a_start_that_came_to_nothing_ends_with_the_app_and_its_questions_gone():
    phone = Phone(obeys=("force-stop",))
    made = capture(phone, started=False)
    void(made.start)
    phone.up = True  # it comes up late
    made._tunnel = None
    made.discard()
    assert (phone.up, phone.removed) == (False, [FILE])


def test_a_capture_that_runs_already_is_not_stopped():
    phone = Phone()
    phone.up = True
    made = capture(phone, started=False)
    text = "phone: PCAPdroid runs a capture that is not the lab's; stop it in PCAPdroid"
    assert void(made.start) == ("capture_not_ready", text)
    made.discard()
    assert (phone.up, phone.asked) == (True, [])


@pytest.mark.parametrize("change", [{"up": False}, {"number": 41}])
def test_a_vpn_that_has_gone_or_is_another_one_by_now_died(change):
    phone = Phone()
    made = capture(phone)
    phone.held = ["begin"]
    assert made.holds("begin")
    assert not made.holds("end")
    vars(phone).update(change)
    died = ("capture_died", "phone: PCAPdroid's VPN had gone before it was stopped")
    assert (void(made.stop), void(lambda: made.holds("end"))) == (died, died)
    assert made.holds("begin")


def test_what_the_vpns_interface_drops_is_lost():
    phone = Phone()
    phone.drops = 5
    made = capture(phone)
    phone.drops = 8
    text = "phone: tun0 dropped 3 packets that PCAPdroid never saw"
    assert (void(made.stop), phone.up) == (("capture_lost_packets", text), False)


def test_a_capture_that_does_not_stop_is_trouble_and_is_killed_when_it_is_discarded():
    phone = Phone(obeys=("start", "force-stop"))
    made = capture(phone)
    with pytest.raises(PhoneTrouble, match="phone: PCAPdroid does not stop"):
        made.stop()
    made.discard()
    assert (phone.up, phone.removed) == (False, [FILE])


def test_where_the_vpn_stays_its_file_stays_as_the_proof_that_it_is_ours():
    phone = Phone(obeys=("start",))
    made = capture(phone)
    made.discard()
    assert (phone.up, phone.removed) == (True, [])
    phone.obeys = ("start", "stop")
    made.discard()
    assert (phone.up, phone.removed) == (False, [FILE])


def test_a_discarded_capture_is_stopped_and_its_count_awaited():
    phone = Phone()
    made = capture(phone)
    made.discard()
    assert (phone.up, phone.removed) == (False, [FILE])
    assert phone.log[-1].endswith("notifyCaptureStopped: 12 pkts")
    made.discard()
    assert [each["action"] for each in phone.asked] == ["start", "stop"]


def test_the_key_is_in_no_error():
    class Cut(Phone):
        def _intent(self, words):
            raise PhoneTrouble(f"phone: no whole answer to `x`: the shell ended while it ran: {shlex.join(words)}")

    with pytest.raises(PhoneTrouble) as raised:
        capture(Cut())
    assert (KEY in str(raised.value), "-e api_key KEY" in str(raised.value)) == (False, True)


def test_drops_are_those_of_both_ways_and_an_interface_that_is_missing_is_trouble():
    assert (dropped(DEVICES.format(2, 1501), "tun0"), dropped(DEVICES.format(2, 1501), "lo")) == (1503, 0)
    with pytest.raises(PhoneTrouble, match=re.escape("/proc/net/dev does not say what tun1 drops")):
        dropped(DEVICES.format(0, 0), "tun1")


def test_the_vpn_is_known_by_its_address_and_told_from_others_by_its_number():
    assert tunnel(BELOW) is None
    assert tunnel(BELOW + TUN.format(40, "10.8.0.2")) is None
    assert tunnel(BELOW + TUN.format(40, "10.215.173.1")) == Tunnel("tun0", 40)
