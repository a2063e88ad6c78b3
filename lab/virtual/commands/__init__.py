"""The commands of a virtual machine, by subject: the tables of all command modules, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from lab.virtual.commands import android as commands_android
from lab.virtual.commands import files as commands_files
from lab.virtual.commands import logcat as commands_logcat
from lab.virtual.commands import network as commands_network
from lab.virtual.commands import system as commands_system
from lab.virtual.commands import text as commands_text
from lab.virtual.commands.tcpdump import tcpdump
from lab.virtual.shell.machine import Call, Command, Result

if TYPE_CHECKING:
    from lab.virtual.phone import VirtualPhone

COMMON: dict[str, Command] = {
    **commands_text.COMMANDS,
    **commands_files.COMMANDS,
    **commands_system.COMMANDS,
}
"""What phones and laptops both have."""

OF_PHONES: dict[str, Callable[[VirtualPhone, Call], Result]] = {
    **commands_android.COMMANDS,
    **commands_logcat.COMMANDS,
    **commands_network.COMMANDS,
    **commands_system.OF_PHONES,
    "tcpdump": tcpdump,
}

TOYBOX = (*commands_text.TOYBOX, *commands_files.COMMANDS, *commands_system.COMMANDS, "nc", "ps", "pidof", "ifconfig")


async def toybox(commands: Mapping[str, Command], call: Call) -> int:
    """`toybox NAME ...`: one of its own commands."""
    name = call.argv[1] if len(call.argv) > 1 else ""
    if name not in TOYBOX:
        return call.fail(f"Unknown command {name}", 127)
    return await call.shell.call(Call(call.argv[1:], call.ends, call.shell))


def of_phone(phone: VirtualPhone) -> dict[str, Command]:
    """All commands of a phone."""
    table: dict[str, Command] = dict(COMMON)
    table.update({name: partial(function, phone) for name, function in OF_PHONES.items()})
    table["toybox"] = partial(toybox, table)
    return table
