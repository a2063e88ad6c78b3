"""dumpcap, or tcpdump where there is none, run by the agent on the hotspot laptop."""

from __future__ import annotations

from lab.capture import dumpcap
from lab.capture.dumpcap import DUMPCAP, LaptopCapture, Tool
from lab.capture.protocol import BACKSTOP_S, Request


def _argv(interface: str, filter_: str, snaplen_bytes: int) -> list[str]:
    argv = ["tcpdump", "-i", interface, "-U", "--immediate-mode", "-B", "16384", "-s", str(snaplen_bytes)]
    return [*argv, "-G", str(BACKSTOP_S), "-W", "1", filter_]


TOOLS = {tool.name: tool for tool in (DUMPCAP, Tool("tcpdump", "pcap", _argv, exact=False))}


def new_capture(request: Request) -> LaptopCapture:
    """A capture by the program that the agent found on its laptop."""
    return dumpcap.new_capture(request, TOOLS[request.laptop.tool()])
