"""PCAPdroid on a virtual phone: what the intents to its CaptureCtrl do, and the VPN in which it captures.

As read in its source (1.9.1): CaptureCtrl.java, CaptureHelper.java, CaptureService.java, pcap_dump.c.
"""

import os
from collections.abc import Mapping

from lab.definitions.virtual_app import WIDTH
from lab.definitions.virtual_network import PcapdroidEmulation
from lab.virtual.files import SHELL_UID
from lab.virtual.handset.windows import Node, Shown, Window
from lab.virtual.network import vpn
from lab.virtual.network.capturefile import PCAPDROID_BLOCKS, Capture
from lab.virtual.network.network import Network
from lab.virtual.phone import VirtualPhone
from lab.virtual.shell.terminal import write_or_lose

PACKAGE = "com.emanuelef.remote_capture"
ACTIVITY = ".activities.CaptureCtrl"
DIRECTORY = "/sdcard/Download/PCAPdroid"
TAG = "CaptureCtrl"
STARTING_NS = (250_000_000, 900_000_000)
STOPPING_NS = (60_000_000, 400_000_000)
COUNTING_NS = (5_000_000, 60_000_000)
DEFAULT_SNAPLEN = 65_535
IP_MODES = ("ipv4", "ipv6", "both")
_DEVICE_HEAD = (
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|"
    "bytes    packets errs drop fifo colls carrier compressed\n"
)


def consent() -> Window:
    """What it asks where a request brings no key, or a wrong one. Nobody is there to answer: nothing starts."""
    texts = ("PCAPdroid control request", "An app wants to capture your device traffic.", "Deny", "Allow")
    shown = []
    for index, text in enumerate(texts):
        bounds = (60, 900 + index * 120, WIDTH - 60, 1000 + index * 120)
        kind = "Button" if index > 1 else "TextView"
        shown.append(Shown(Node(f"android.widget.{kind}", "", text, "", bounds, index > 1, PACKAGE)))
    return Window(PACKAGE, f"{PACKAGE}{ACTIVITY}", tuple(shown))


class Pcapdroid:
    """The app. `begin` is a clean state; `on_intent` is an intent; `kill` ends its process and all it does.

    A fault `pcapdroid` strikes at a start: `how: killed` ends it `after_ns` later, `how: dropped` has its interface
    drop `packets`. With `how: busy` it captures already for somebody else when the attempt begins.
    """

    package = PACKAGE
    component = f"{PACKAGE}/{ACTIVITY}"

    def __init__(self, phone: VirtualPhone, network: Network, emulation: PcapdroidEmulation) -> None:
        self._phone, self._network, self._key, self.version = phone, network, emulation.key, emulation.version
        self._capture: Capture | None = None
        self._descriptor: int | None = None
        self._header: bytes | None = None
        self._generation = 0

    def begin(self) -> None:
        """Nothing runs, unless somebody else is at it."""
        self._generation += 1
        self._close()
        self._write_devices()
        if any(fault.get("how") == "busy" for fault in self._phone.faults.waiting):
            self._phone.faults.take("pcapdroid", self._phone.name)
            self._up({"pcap_name": "theirs.pcap"})

    def on_intent(self, extras: Mapping[str, str]) -> None:
        """An intent with these extras."""
        if self._key is None or extras.get("api_key") != self._key:
            self._phone.handset.foreground.over = consent()
        elif extras.get("action") == "start":
            self._phone.write_log("D", TAG, "Starting capture, caller=null")
            if self._capture is not None:
                self._stop()
            self._later("starting", STARTING_NS, extras)
        elif extras.get("action") == "stop":
            self._phone.write_log("D", TAG, "Stopping capture")
            if self._capture is not None:
                self._later("stopping", STOPPING_NS, None)

    def kill(self) -> None:
        """Its process ends: what it had not handed on is lost, no count is told, its VPN goes."""
        self._generation += 1
        if self._phone.handset.foreground.over is not None:
            self._phone.handset.foreground.over = None
        if self._capture is not None:
            self._capture.stop(killed=True)
        self._close()

    def _later(self, what: str, span_ns: tuple[int, int], extras: Mapping[str, str] | None) -> None:
        world, generation = self._phone.world, self._generation
        name = f"{self._phone.name}/pcapdroid/{world.now_ns - world.started_ns}/{what}"

        def act() -> None:
            if generation == self._generation:
                self._stop() if extras is None else self._up(extras)

        world.after(world.chance(name).randrange(*span_ns), act)

    def _up(self, extras: Mapping[str, str]) -> None:
        phone, network, ip_mode = self._phone, self._network, extras.get("ip_mode", "ipv4")
        packages = frozenset(extras["app_filter"].split(",")) if "app_filter" in extras else frozenset(phone.packages())
        # Android goes from one VPN to the next: whatever was up is revoked.
        below = network.datapath.accesses[phone.name]
        network.datapath.lower_vpn(phone.name)
        network.datapath.raise_vpn(phone.name, vpn.pcapdroid(below, packages, ipv6=ip_mode != "ipv4"))
        phone.files.make_directory(DIRECTORY, SHELL_UID, parents=True)
        self._descriptor = phone.files.open_write(f"{DIRECTORY}/{extras['pcap_name']}", SHELL_UID)
        self._header = None
        snaplen = int(extras.get("snaplen", "0")) or DEFAULT_SNAPLEN
        wire = network.datapath.tuns[phone.name]
        self._capture = Capture(wire, "pcap", snaplen, PCAPDROID_BLOCKS, phone.clock.at, self._write)
        self._write_devices()
        self._strike(phone.faults.take("pcapdroid", phone.name) or {})

    def _strike(self, fault: Mapping[str, object]) -> None:
        generation = self._generation
        if fault.get("how") == "dropped":
            self._network.datapath.vpns[self._phone.name].dropped += int(str(fault.get("packets", 1)))
            self._phone.world.after(int(str(fault.get("after_ns", 0))), self._write_devices)
        elif fault.get("how") == "killed":

            def die() -> None:
                if generation == self._generation:
                    self.kill()

            self._phone.world.after(int(str(fault.get("after_ns", 0))), die)

    def _write(self, data: bytes) -> None:
        """Its header comes with the first packets, not before."""
        if self._header is None:
            self._header = data
        elif self._descriptor is not None:
            write_or_lose(self._descriptor, self._header + data)
            self._header = b""

    def _stop(self) -> None:
        if self._capture is None:
            return
        self._capture.stop()
        count = self._capture.captured
        self._close()
        world = self._phone.world
        name = f"{self._phone.name}/pcapdroid/{world.now_ns - world.started_ns}/counting"
        text = f"notifyCaptureStopped: {count} pkts"
        delay_ns = world.chance(name).randrange(*COUNTING_NS)
        world.after(delay_ns, lambda: self._phone.write_log("D", TAG, text))

    def _close(self) -> None:
        if self._capture is not None:
            self._capture = None
            self._network.datapath.lower_vpn(self._phone.name)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._write_devices()

    def _write_devices(self) -> None:
        """/proc/net/dev (Linux, dev_seq_printf_stats). Its bytes and packets are not kept, what was dropped is."""
        network, file = self._network, self._phone.files.on_disk("/proc/net/dev")
        file.parent.mkdir(parents=True, exist_ok=True)
        up, lines = network.datapath.vpns.get(self._phone.name), []
        for one in network.datapath.interfaces(self._phone.name):
            drops = up.dropped if up is not None and one is up.interface else 0
            lines.append(f"{one.name:>6}: " + " ".join(["0"] * 11 + [str(drops)] + ["0"] * 4) + "\n")
        file.write_text(_DEVICE_HEAD + "".join(lines))
