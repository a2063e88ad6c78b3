"""Commands of the laptop: ip addr, ip neigh, ping, ethtool, ps. They print what the real ones do."""

from collections.abc import Callable
from ipaddress import IPv4Address

from lab.virtual.commands.networktext import addresses_text
from lab.virtual.laptop import VirtualLaptop
from lab.virtual.network.addresses import Interface
from lab.virtual.shell.machine import Call, Result, Unbuilt

ANSWER_NS = 4_210_000
SECOND_NS = 1_000_000_000
FEATURES = """\
generic-receive-offload: on
large-receive-offload: off [fixed]
rx-gro-hw: off [fixed]
rx-gro-list: off
rx-udp-gro-forwarding: off
"""
"""Those of a usual Linux laptop that join packets; the real list is longer."""


def ip(machine: VirtualLaptop, call: Call) -> int:
    """ip [-o] addr; ip neigh show dev NAME."""
    words = [word for word in call.argv[1:] if word not in ("-o", "-4", "-6")]
    if words[:3] == ["neigh", "show", "dev"] and len(words) == 4:
        return neighbours(machine, call, words[3])
    if not words or not "address".startswith(words[0]):
        raise Unbuilt("built as 'ip [-o] addr' and 'ip neigh show dev NAME' only")
    family = "4" if "-4" in call.argv else "6" if "-6" in call.argv else ""
    shown = [Interface(one.name, None, tuple(one.addresses), 1500, True) for one in machine.interfaces]
    return call.say(addresses_text(shown, family, "-o" in call.argv))


def neighbours(machine: VirtualLaptop, call: Call, interface: str) -> int:
    """Who is on the hotspot. A fault `neighbours`: the entries of the phones have aged and were not answered."""
    if interface not in [one.name for one in machine.interfaces]:
        call.streams.err.write(f'Cannot find device "{interface}"\n'.encode())
        return 1
    lines = []
    if machine.hotspot_on and interface == machine.hotspot():
        aged = machine.faults.take("neighbours", machine.name) is not None
        for phone, other in machine.network.others.items():
            access = machine.network.datapath.accesses[phone]
            lines.append(f"{other.address} lladdr {other.mac} STALE")
            lines.append(f"{access.ipv4.ip} FAILED" if aged else f"{access.ipv4.ip} lladdr {access.mac} REACHABLE")
            lines.append(f"{access.link_local.ip} lladdr {access.mac} STALE")
    return call.say("".join(line + "\n" for line in lines))


def ping(machine: VirtualLaptop, call: Call) -> int:
    """ping -c 1 -W 1 ADDRESS: phones on the hotspot answer, nobody else does."""
    if call.argv[1:-1] != ["-c", "1", "-W", "1"]:
        raise Unbuilt("built as 'ping -c 1 -W 1 ADDRESS' only")
    try:
        address = IPv4Address(call.argv[-1])
    except ValueError:
        return call.fail(f"{call.argv[-1]}: Name or service not known", 2)
    accesses = [machine.network.datapath.accesses[phone] for phone in machine.network.others]
    answers = any(access.up and access.ipv4.ip == address for access in accesses)
    machine.world.advance_to(machine.world.now_ns + (ANSWER_NS if answers else SECOND_NS))
    lines = [f"PING {address} ({address}) 56(84) bytes of data."]
    lines += [f"64 bytes from {address}: icmp_seq=1 ttl=64 time={ANSWER_NS / 1e6:.2f} ms"] if answers else []
    share = "1 received, 0% packet loss" if answers else "0 received, 100% packet loss"
    lines += ["", f"--- {address} ping statistics ---", f"1 packets transmitted, {share}, time 0ms"]
    call.say("\n".join(lines) + "\n")
    return 0 if answers else 1


def ethtool(machine: VirtualLaptop, call: Call) -> int:
    """ethtool -k INTERFACE."""
    if call.argv[1:2] != ["-k"] or len(call.argv) != 3:
        raise Unbuilt("built as 'ethtool -k INTERFACE' only")
    if call.argv[2] not in [one.name for one in machine.interfaces]:
        return call.fail("netlink error: No such device")
    return call.say(f"Features for {call.argv[2]}:\n{FEATURES}")


def ps(machine: VirtualLaptop, call: Call) -> int:
    """ps -A -ww -o pid,args."""
    if call.argv[1:] != ["-A", "-ww", "-o", "pid,args"]:
        raise Unbuilt("built as 'ps -A -ww -o pid,args' only")
    lines = [f"{number:>7} {' '.join(process.args)}\n" for number, process in machine.processes]
    return call.say("".join(["    PID COMMAND\n", *lines]))


COMMANDS: dict[str, Callable[[VirtualLaptop, Call], Result]] = {"ip": ip, "ping": ping, "ethtool": ethtool, "ps": ps}
