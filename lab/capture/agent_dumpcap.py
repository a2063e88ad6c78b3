"""dumpcap, or tcpdump where there is none, run by the agent on the hotspot laptop."""

from lab.capture import dumpcap
from lab.capture.dumpcap import LaptopCapture
from lab.capture.protocol import Request


def new_capture(request: Request) -> LaptopCapture:
    """A capture by the program that the agent found on its laptop."""
    return dumpcap.new_capture(request, request.laptop.tool())
