"""What kinds of bench do differently."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lab.bench.real import RealBench
from lab.bench.virtual import VirtualBench
from lab.clocks.bench_time import BenchClock
from lab.clocks.stop import Stop
from lab.definitions import BenchSpec, Lab, PhoneSpec, PlannedTrial
from lab.definitions.faults import Faults
from lab.phone.adb import LabClient
from lab.virtual.rig import needs


class Kind(Protocol):
    """What a real and a virtual bench do differently."""

    clock: BenchClock
    client: LabClient
    laptop_prefix: list[str]
    resolver: tuple[str, int] | None
    hint: str

    def address(self, phone: PhoneSpec) -> str:
        """By what name an adb server has the phone; nobody is asked."""
        ...

    def serial(self, phone: PhoneSpec) -> str:
        """The same, once its adb server answers and has been told to connect it where that is needed. Raises
        `BenchUnhealthy`."""
        ...

    def check_health(self) -> None:
        """Raise `BenchUnhealthy` where the bench as a whole has gone."""
        ...

    def start_adb_server(self, within_s: float) -> None:
        """Start an adb server where the bench had one, which answers no more. Raises `BenchUnhealthy`."""
        ...

    def rehearse(self, faults: Faults, seed: int, night_s: float, trials: Sequence[str]) -> None:
        """Have these faults strike the bench, in a night that has come so far. Raises `BadInput` where what is real
        fails by itself."""
        ...

    def laptop_directory(self, spec: BenchSpec) -> str:
        """Where on the laptop captures go: what captures there is never another bench's."""
        ...

    def begin(self, planned: PlannedTrial, seed: int, attempt: int) -> None: ...

    def end(self, truth: Path | None) -> list[str]: ...

    def close(self) -> None: ...


def open_kind(lab_: Lab, spec: BenchSpec, stop: Stop, *, phones: bool = True) -> Kind:
    """The bench's own kind, started; without `phones`, for its clock and its resolver, it holds no phone."""
    if spec.kind == "real":
        return RealBench(spec, stop, phones=phones)
    return VirtualBench(lab_, spec, stop, phones=phones)


def side_by_side(spec: BenchSpec) -> bool:
    """Whether such a bench may be open several times at once: each time it is processes and phones of its own."""
    return spec.kind in ("virtual", "rig")


def lacking(spec: BenchSpec) -> list[tuple[str, str]]:
    """What this machine lacks to be that bench, each with what to do; nothing for any kind but a rig."""
    return [(need.what, need.fix) for need in needs.lacking()] if spec.kind == "rig" else []
