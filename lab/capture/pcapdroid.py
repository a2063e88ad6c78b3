"""PCAPdroid: the capture of a phone without root and without a hotspot, in a VPN on the phone itself.

It is driven by the intents that it offers to other apps. What it does was read in its source (1.9.1: CaptureCtrl,
CaptureService, capture_vpn.c, pcap_dump.c); nothing here was tried on a phone (docs/hardware-status.md). Its VPN is a
proxy: what it proves and what it changes stands in docs/capture-integrity.md.
"""

import contextlib
import re
import shlex
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path

from correlate import markers
from lab.capture.counters import Counters
from lab.capture.protocol import EXIT_S, READY_S, Request
from lab.clocks.bench_time import BenchClock, wait_until
from lab.errors import AttemptVoid, LabError, PhoneTrouble
from lab.laptop.lease import Lease
from lab.phone.adb import Adb
from lab.phone.default_network import pcapdroid_interface
from lab.phone.interfaces import parse_interfaces
from lab.phone.phone import Phone
from lab.phone.starting import FIRST_USER, stop_command
from lab.programs.shell import ShellOutput, search_command

PACKAGE = "com.emanuelef.remote_capture"
ACTIVITY = f"{PACKAGE}/.activities.CaptureCtrl"
DIRECTORY = "/sdcard/Download/PCAPdroid"
PREFIX = "im-call-lab-"
"""What the names of our own files begin with: no other file of PCAPdroid's is touched."""

SHELL = "com.android.shell"
"""The package whose uid the shell has: with it, the markers pass the VPN as the app's packets do."""

MOST_BYTES = 1_000_000_000
"""The interface ends no capture by time. A dump that nobody is left to stop ends at this size, long behind any call's;
the VPN stays until it is stopped, by the next run's sweep at the latest."""

GLOBAL_IPV6 = IPv6Network("2000::/3")

LEAST_VERSION = (1, 8, 6)
"""The first that takes a key (docs/app_api.md)."""

TAG = "im-call-lab"
PROVEN_S = 3.0
_COUNT = re.compile(r" CaptureCtrl: notifyCaptureStopped: (\d{1,10}) pkts\s*$", re.MULTILINE)
_DEVICE = re.compile(r"^\s*([A-Za-z0-9._-]{1,15}):((?:\s+\d{1,20}){16})\s*$", re.MULTILINE)
_RECEIVE_DROPS, _TRANSMIT_DROPS = 3, 11
_TOP = re.compile(r"topResumedActivity=ActivityRecord\{\S{1,20} \S{1,10} ([A-Za-z0-9_.$/]{1,200})[ }]")
CONSENT = (
    "a question that stands there nobody answers: pcapdroid_key must be the key under PCAPdroid's Settings > Control "
    "permissions, and Android's own be answered by hand once (docs/add-a-phone.md)"
)


@dataclass(frozen=True)
class Tunnel:
    """The VPN's interface: by its number it is told from a later one of the same name."""

    name: str
    number: int


def tunnel(text: str) -> Tunnel | None:
    """The interface of PCAPdroid's VPN in what `ip addr` says; None where it captures nothing.

    Raises:
        PhoneTrouble: it does not look like the answer of `ip addr`.
    """
    name = pcapdroid_interface(text)
    found = None if name is None else re.search(rf"^(\d{{1,6}}): {re.escape(name)}[:@]", text, re.M)
    return None if name is None or found is None else Tunnel(name, int(found[1]))


def dropped(text: str, interface: str) -> int:
    """What an interface dropped, both ways, by `/proc/net/dev`.

    Raises:
        PhoneTrouble: it does not name the interface.
    """
    counts = {name: [int(word) for word in words.split()] for name, words in _DEVICE.findall(text)}
    if interface not in counts:
        raise PhoneTrouble(f"/proc/net/dev does not say what {interface} drops: {text[:100]!r}")
    return counts[interface][_RECEIVE_DROPS] + counts[interface][_TRANSMIT_DROPS]


class Remote:
    """PCAPdroid's intents on one phone. The key is in no error's text."""

    def __init__(self, adb: Adb, clock: BenchClock, key: str) -> None:
        self.adb, self.clock, self._key = adb, clock, key

    def ask(self, action: str, **extras: str) -> ShellOutput:
        """Send one intent; what `am start` says of it, which is nothing of its effect."""
        words = ["am", "start", *FIRST_USER, "-n", ACTIVITY, "-e", "action", action]
        for name, value in extras.items():
            words += ["-e", name, value]
        try:
            line = shlex.join([*words, "-e", "api_key", self._key])
            return self.adb.run(line, label=f"am start of PCAPdroid, {action}")
        except PhoneTrouble as error:
            raise PhoneTrouble(str(error).replace(self._key, "KEY")) from None

    def tunnel(self) -> Tunnel | None:
        """The interface of its VPN; None where it captures nothing."""
        return tunnel(self.adb.run("ip addr").text)

    def gone(self) -> bool:
        """Whether its VPN is down."""
        return self.tunnel() is None

    def mark(self, text: str) -> None:
        """Write a line of ours into the phone's log."""
        self.adb.run(f"log -t {TAG} {shlex.quote(text)}")

    def shown(self) -> str:
        """The activity that has the screen, in Android's words."""
        found = _TOP.search(self.adb.run("dumpsys activity activities | grep -F topResumedActivity").text)
        return "no activity" if found is None else found[1]

    def stop(self) -> None:
        """Stop what runs and wait until its VPN is down; kill the app where it does not obey."""
        self.ask("stop")
        if not wait_until(self.clock, self.gone, EXIT_S):
            self.kill()

    def kill(self) -> None:
        """End the app with all that it does and asks. Raises `PhoneTrouble` where its VPN stays all the same."""
        self.adb.run(stop_command(PACKAGE))
        if not wait_until(self.clock, self.gone, EXIT_S):
            raise PhoneTrouble(f"{self.adb.name}: the VPN of PCAPdroid does not end; end it on the phone")


class PcapdroidCapture:
    """PCAPdroid's capture of one app and of the shell, which sends the markers, into a classic pcap of raw IP.

    It stamps by the phone's system clock when it reads a packet, and has it in the file at most a second later. Its
    count of packets is in the log once it has stopped: what it counts is what it gave to the file, so a file with as
    many has them all. No count behind `mark` in the log, written just before the stop, is of an earlier capture, and
    however much a phone logs during a call, the mark is still there.
    """

    suffix = "pcap"

    def __init__(self, remote: Remote, package: str, ip_mode: str, snaplen_bytes: int, name: str) -> None:
        self._remote, self._adb, self._clock = remote, remote.adb, remote.clock
        self._package, self._ip_mode, self._snaplen_bytes = package, ip_mode, snaplen_bytes
        self.tool, self.interface = "pcapdroid", ""
        self.lease: Lease | None = None
        # A name that was never there: what Android remembers of a removed file is not asked for.
        self._name = f"{PREFIX}{name}-{self._clock.now_ns()}.pcap"
        self._file, self._mark = f"{DIRECTORY}/{self._name}", f"stop {self._name}"
        self._asked = False
        self._tunnel: Tunnel | None = None
        self._dropped_before = 0

    def start(self) -> None:
        if not self._remote.gone():
            text = f"{self._adb.name}: PCAPdroid runs a capture that is not the lab's; stop it in PCAPdroid"
            raise AttemptVoid("capture_not_ready", text)
        self._asked = True
        said = self._remote.ask(
            "start",
            pcap_dump_mode="pcap_file",
            pcap_name=self._name,
            app_filter=f"{self._package},{SHELL}",
            ip_mode=self._ip_mode,
            auto_block_private_dns="false",
            snaplen=str(self._snaplen_bytes),
            max_dump_size=str(MOST_BYTES),
        )
        if said.code != 0 or "Error" in said.text:
            raise AttemptVoid("capture_not_ready", f"{self._adb.name}: PCAPdroid cannot be started: {said.text[-300:]}")
        if not wait_until(self._clock, self._came_up, READY_S):
            text = f"{self._adb.name}: PCAPdroid's VPN does not come up; {self._remote.shown()} is on the screen; "
            raise AttemptVoid("capture_not_ready", text + CONSENT)
        self._dropped_before = self._dropped()

    def _came_up(self) -> bool:
        self._tunnel = self._remote.tunnel()
        self.interface = "" if self._tunnel is None else self._tunnel.name
        return self._tunnel is not None

    def _dropped(self) -> int:
        return dropped(self._adb.run("cat /proc/net/dev").text, self.interface)

    def size_bytes(self) -> int:
        answer = self._adb.run(f"stat -c %s {self._file}")
        return int(answer.text) if re.fullmatch(r"\d{1,15}\s*", answer.text) else 0

    def holds(self, text: str) -> bool:
        """Whether the growing file holds `text`. Raises `AttemptVoid("capture_died")` where nothing makes it grow."""
        if self._adb.run(search_command(text, self._file)).code == 0:
            return True
        self._require_vpn()
        return False

    def _require_vpn(self) -> None:
        # Android starts a service that died again, and that captures as the app's own settings say.
        if self._tunnel is None or self._remote.tunnel() != self._tunnel:
            raise AttemptVoid("capture_died", f"{self._adb.name}: PCAPdroid's VPN had gone before it was stopped")

    def stop(self) -> Counters:
        self._require_vpn()
        lost = self._dropped() - self._dropped_before
        self._remote.mark(self._mark)
        self._remote.ask("stop")
        if not wait_until(self._clock, self._remote.gone, EXIT_S):
            raise PhoneTrouble(f"{self._adb.name}: PCAPdroid does not stop")
        if not wait_until(self._clock, lambda: self._counted() is not None, EXIT_S):
            raise AttemptVoid("capture_died", f"{self._adb.name}: PCAPdroid left no count of its packets in the log")
        self._asked = False
        if lost:
            text = f"{self._adb.name}: {self.interface} dropped {lost} packets that PCAPdroid never saw"
            raise AttemptVoid("capture_lost_packets", text)
        count = self._counted() or 0
        return Counters(count, count, lost)

    def _counted(self) -> int | None:
        """What was counted since our mark; None where nothing was."""
        log = self._adb.run(f"logcat -d -s {TAG}:I CaptureCtrl:D").text
        _, found, since = log.rpartition(self._mark)
        counts = _COUNT.findall(since) if found else []
        return int(counts[-1]) if counts else None

    def fetch(self, target: Path) -> str:
        sha256 = self._adb.pull_checked(self._file, target, root=False)
        self._remove()
        return sha256

    def _remove(self) -> None:
        self._adb.run(f"rm -f {self._file}")

    def discard(self) -> None:
        with contextlib.suppress(LabError):
            if self._asked and self._tunnel is not None and not self._remote.gone():
                self._remote.mark(self._mark)
                self._remote.stop()
                # The next capture's mark in the log must not stand before this one's count.
                wait_until(self._clock, lambda: self._counted() is not None, EXIT_S)
            elif self._asked:
                self._remote.kill()
            self._asked = False
            # Where the VPN stays, its file stays as well: by it the next sweep tells that the capture is ours.
            self._remove()


def _remote(phone: Phone) -> Remote:
    if phone.spec.pcapdroid_key is None:
        raise PhoneTrouble(f"{phone.spec.name} has no pcapdroid_key; write it into the bench's *.local.yaml")
    return Remote(phone.device, phone.clock, phone.spec.pcapdroid_key)


def new_capture(request: Request) -> PcapdroidCapture:
    """A capture of an app on a phone, not yet started.

    Without IPv6 below, the VPN offers none: packets would pass it and go nowhere. With IPv6 below it must, or Android
    keeps the app from IPv6 altogether (VpnService.Builder.allowFamily). Raises `PhoneTrouble` where no key is known.
    """
    phone = request.phone
    below = parse_interfaces(phone.device.run("ip addr").text).get(phone.default_network().interface, [])
    ip_mode = "both" if any(address in GLOBAL_IPV6 for address in below) else "ipv4"
    return PcapdroidCapture(_remote(phone), request.package, ip_mode, request.snaplen_bytes, request.name)


def sweep(phone: Phone) -> int:
    """Stop the capture that an earlier run of this lab left on a phone that PCAPdroid captures, and remove its files;
    returns how many files.

    A capture is ours when a marker that is sent now turns up in a file of ours; nobody else's is stopped. Raises
    `PhoneTrouble` where no key is known.
    """
    if phone.spec.capture != "pcapdroid":
        return 0
    remote = _remote(phone)
    files = f"{DIRECTORY}/{PREFIX}*.pcap"
    listed = phone.device.run(f"ls {files} 2>/dev/null").text.split()
    if not listed:
        return 0
    if not remote.gone():
        text = markers.text("sweep", f"{phone.clock.now_ns()}")
        phone.send_marker(text)
        ours = search_command(text, files)
        if wait_until(phone.clock, lambda: phone.device.run(ours).code == 0, PROVEN_S):
            remote.stop()
    phone.device.run(f"rm -f {files}")
    return len(listed)
