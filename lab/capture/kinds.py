"""Every kind of capture: one file, and one line here."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.capture import agent_dumpcap, dumpcap, pcapdroid, tcpdump
from lab.capture.protocol import Capture, Request
from lab.phone.phone import Phone


@dataclass(frozen=True)
class Kind:
    """How a capture of a kind is made, not yet started, and how what an earlier run left on a phone is ended."""

    new_capture: Callable[[Request], Capture]
    sweep: Callable[[Phone], int] = lambda _phone: 0


KINDS: dict[str, Kind] = {
    "tcpdump": Kind(tcpdump.new_capture, tcpdump.sweep),
    "dumpcap": Kind(dumpcap.new_capture),
    "agent_dumpcap": Kind(agent_dumpcap.new_capture),
    "pcapdroid": Kind(pcapdroid.new_capture, pcapdroid.sweep),
}
"""By `BenchSpec.capture_kind`."""
