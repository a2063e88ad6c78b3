"""A virtual laptop: the machine that its programs run on. Files, processes, a wrong clock, the hotspot."""

from collections.abc import Callable
from pathlib import Path

from lab.definitions import LaptopEmulation, LaptopSpec
from lab.definitions.virtual_network import LaptopInterface
from lab.virtual.clocks import DriftingClock
from lab.virtual.faults import Faults
from lab.virtual.files import Files
from lab.virtual.network.network import Network
from lab.virtual.network.wire import Wire
from lab.virtual.processes import ProcessTable
from lab.virtual.shell.terminal import tariffs


class VirtualLaptop:
    """The hotspot laptop: its files, clock, interfaces and the wire that its hotspot sees."""

    shell_name = "bash"
    architecture = "x86_64"
    name = "laptop"
    utc_offset_minutes = 0

    def __init__(
        self,
        spec: LaptopSpec,
        emulation: LaptopEmulation,
        network: Network,
        root: Path,
        faults: Faults,
        on_clock_read: Callable[[str, int], None],
    ) -> None:
        self.spec, self.emulation, self.faults = spec, emulation, faults
        self.network, self.world = network, network.world
        self.kernel = emulation.kernel
        self.files = Files(root / "laptop", (Files.normal(spec.directory),))
        self.processes = ProcessTable()
        self.hotspot_on = True
        self.refused: list[str] = []
        self.clock = DriftingClock(self.name, self.world, emulation.clock, faults, on_clock_read)
        self.costs = tariffs(emulation.channel)

    @property
    def interfaces(self) -> list[LaptopInterface]:
        """Its interfaces; that of a hotspot that is off has no address."""
        here, off = self.spec.hotspot_address, not self.hotspot_on
        return [
            one.model_copy(update={"addresses": []}) if off and any(each.ip == here for each in one.addresses) else one
            for one in self.emulation.interfaces
        ]

    def hotspot(self) -> str:
        """The interface that holds the hotspot's address. Raises LookupError where none does."""
        for interface in self.interfaces:
            if any(one.ip == self.spec.hotspot_address for one in interface.addresses):
                return interface.name
        raise LookupError(f"no interface of the laptop holds {self.spec.hotspot_address}")

    def hotspot_wire(self, mac: str) -> Wire:
        """The wire of the phone with this MAC behind the hotspot; of another one behind it where no phone has it."""
        behind = self.network.others
        phone = next((one for one in behind if self.network.datapath.accesses[one].mac == mac), next(iter(behind)))
        return self.network.datapath.wires[phone]
