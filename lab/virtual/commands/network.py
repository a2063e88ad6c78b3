"""Commands on the network: ip addr, ip route get, nc -u."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from lab.virtual.commands.networktext import addresses_text
from lab.virtual.network.addresses import Interface
from lab.virtual.network.network import Network
from lab.virtual.phone import VirtualPhone
from lab.virtual.processes import SIGNAL_NUMBERS
from lab.virtual.shell.machine import Call, Result, Unbuilt, options


def ip(phone: VirtualPhone, network: Network, call: Call) -> int:
    """ip [-4|-6] [-o] addr [show [dev] NAME]; ip route [get ADDRESS]."""
    words = call.argv[1:]
    family = "4" if "-4" in words else "6" if "-6" in words else ""
    one_line = "-o" in words
    words = [word for word in words if word not in ("-4", "-6", "-o")]
    if words and "address".startswith(words[0]) and words[0]:
        names = [word for word in words[1:] if word not in ("show", "list", "dev")]
        if len(names) > 1 or {"up", "to", "scope"} & {*names}:
            raise Unbuilt("built as 'ip addr [show [dev] NAME]' only")
        return show_addresses(phone, call, family, one_line, names)
    if words[:2] in (["route", "get"], ["r", "get"]) and len(words) == 3:
        return route_get(phone, network, call, words[2])
    raise Unbuilt("built as 'ip addr' and 'ip route get' only")


def show_addresses(phone: VirtualPhone, call: Call, family: str, one_line: bool, names: list[str]) -> int:
    interfaces = phone.interfaces()
    if names:
        interfaces = [interface for interface in interfaces if interface.name == names[0]]
        if not interfaces:
            call.streams.err.write(f'Device "{names[0]}" does not exist.\n'.encode())
            return 1
    return call.say(addresses_text(interfaces, family, one_line))


def route_get(phone: VirtualPhone, network: Network, call: Call, text: str) -> int:
    try:
        destination = ip_address(text)
    except ValueError:
        call.streams.err.write(f'Error: any valid prefix is expected rather than "{text}".\n'.encode())
        return 1
    interface = network.datapath.route(phone.name, destination)
    source = source_address(interface, destination) if interface else None
    if interface is None or source is None:
        call.streams.err.write(b"RTNETLINK answers: Network is unreachable\n")
        return 2
    return call.say(f"{destination} dev {interface.name} table 1009 src {source} uid {call.uid}\n    cache\n")


def source_address(interface: Interface, destination: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address | None:
    """The interface's address that would be the source: of the same family, and global where there is one."""
    same = [one.ip for one in interface.addresses if one.version == destination.version]
    return next((one for one in same if not one.is_link_local), same[0] if same else None)


async def nc(phone: VirtualPhone, network: Network, call: Call) -> int:
    """nc -u [-w SECONDS] ADDRESS PORT: one datagram from standard input; what comes back goes to standard output.

    Like toybox' it goes on when its input has ended, until it is ended itself: `-w` is for connecting alone.
    """
    given, operands = options(call, "u46", "w")
    if "u" not in given or len(operands) != 2 or not operands[1].isdigit():
        raise Unbuilt("built as 'nc -u [-w SECONDS] ADDRESS PORT' only")
    try:
        destination = ip_address(operands[0])
    except ValueError:
        return call.fail(f"{operands[0]}: No address associated with hostname")
    payload = await call.streams.input.read_all()
    if network.datapath.route(phone.name, destination) is None:
        return call.fail("connect: Network is unreachable")
    world, until_ns = phone.world, call.shell.ends_at_ns
    left_ns = 0 if until_ns is None else until_ns - world.now_ns
    if payload:
        answer = network.send_udp(phone.name, destination, int(operands[1]), payload, left_ns)
        call.streams.out.write(answer or b"")
    if until_ns is None:
        process = call.shell.process
        process.on_signal = lambda signal: process.end(128 + SIGNAL_NUMBERS[signal])
        await call.shell.keeper.park()
        await process.ended.wait()
        return process.code or 0
    world.advance_to(until_ns)
    return 128 + SIGNAL_NUMBERS["TERM"]


COMMANDS: dict[str, Callable[[VirtualPhone, Network, Call], Result]] = {"ip": ip, "nc": nc}
