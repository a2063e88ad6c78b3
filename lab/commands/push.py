"""A tcpdump for the phones of a bench that are captured on themselves."""

from collections.abc import Callable
from pathlib import Path

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.phone.push import push


def push_tcpdump(lab: Lab, bench: str, file: Path, stop: Stop, say: Callable[[str], None]) -> None:
    """Install `file` on each such phone, and say what was done. Raises `BadInput` and `BenchUnhealthy`, as `push`,
    and `BenchBusy`."""
    spec = lab.bench(bench)
    with Bench(lab, spec, stop, partly=True, run="push-tcpdump", say=say) as opened:
        for phone in (phone for phone in spec.phones if phone.capture == "tcpdump"):
            if phone.name in opened.unreachable:
                raise opened.unreachable[phone.name]
            say(push(opened.phones[phone.name].device, phone.name, file))
