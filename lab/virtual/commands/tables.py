"""What phones and the laptop can run: the tables of all command modules, put together."""

from collections.abc import Callable, Mapping
from functools import partial

from lab.virtual.commands import android, arguments, files, laptop, logcat, network, system, text
from lab.virtual.commands.dumpcap import dumpcap_in_shell
from lab.virtual.commands.tcpdump import executable, tcpdump
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.network import Network
from lab.virtual.phone import VirtualPhone
from lab.virtual.shell.machine import Call, Command, Result, Software

COMMON: dict[str, Command] = {**arguments.COMMANDS, **text.COMMANDS, **files.COMMANDS, **system.COMMANDS}
"""What phones and laptops both have."""

OF_PHONES: dict[str, Callable[[VirtualPhone, Call], Result]] = {
    **android.COMMANDS,
    **logcat.COMMANDS,
    **system.OF_PHONES,
}

ON_NETWORKS: dict[str, Callable[[VirtualPhone, Network, Call], Result]] = {**network.COMMANDS, "tcpdump": tcpdump}

OF_LAPTOPS: dict[str, Callable[[VirtualLaptop, Call], Result]] = {**laptop.COMMANDS, "dumpcap": dumpcap_in_shell}

TOYBOX = ({*COMMON} - {":"}) | {"nc", "ps"}


async def toybox(call: Call) -> int:
    """`toybox NAME ...`: one of its own commands."""
    name = call.argv[1] if len(call.argv) > 1 else ""
    if name not in TOYBOX:
        call.machine.refused.append(f"{call.machine.name}: toybox {name}")
        return call.fail(f"Unknown command {name}", 127)
    return await call.shell.call(Call(call.argv[1:], call.streams, call.shell, by_shell=False))


def of_phone(
    phone: VirtualPhone, on_network: Mapping[str, Command], program: Callable[[str], Command | None] = lambda path: None
) -> Software:
    """What a phone can run: `on_network` are its commands that use the network, `program` is what a file runs as."""
    own = {name: partial(function, phone) for name, function in OF_PHONES.items()}
    return Software({**COMMON, **own, **on_network, "toybox": toybox}, program)


def of_emulated_phone(phone: VirtualPhone, on: Network) -> Software:
    """What a phone on an emulated network can run; a file that was pushed too."""
    on_network = {name: partial(function, phone, on) for name, function in ON_NETWORKS.items()}
    return of_phone(phone, on_network, partial(executable, phone, on))


def of_laptop(laptop: VirtualLaptop) -> Software:
    """What the laptop can run: it has nothing installed but this."""
    own = {name: partial(function, laptop) for name, function in OF_LAPTOPS.items()}
    return Software({**COMMON, **own}, path="/usr/local/bin:/usr/bin")
