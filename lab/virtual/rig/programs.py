"""Commands of a phone behind which real programs run in its namespace: `ip`, `nc` and `tcpdump`.

Whoever reaches the bench's adb server can type anything: only these forms of the real programs can be reached, and
tcpdump writes where the phone's own files are. Its stamps become the phone's clock once it has ended.
"""

import asyncio
import signal
import struct
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from lab.virtual.clocks import DriftingClock
from lab.virtual.commands.tcpdump import parsed
from lab.virtual.files import ROOT_UID
from lab.virtual.phone import VirtualPhone
from lab.virtual.processes import SIGNAL_NUMBERS
from lab.virtual.rig.children import WITH_PARENT, environment
from lab.virtual.shell.machine import Call, Command, Unbuilt, options
from lab.virtual.shell.terminal import Sink

CHUNK_BYTES = 65_536
NANOSECONDS_OF = {b"\xd4\xc3\xb2\xa1": 1000, b"\x4d\x3c\xb2\xa1": 1}
"""Nanoseconds of one unit of a record's second word, by the magic of a little-endian pcap (pcap-savefile(5))."""
FILE_HEADER_BYTES, RECORD = 24, struct.Struct("<IIII")

Inside = Callable[..., list[str]]
"""Makes a command line run in the phone's namespace."""


async def _started(argv: list[str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(*WITH_PARENT, *argv), stdin=pipe, stdout=pipe, stderr=pipe, env=environment()
    )


async def _pump(stream: asyncio.StreamReader | None, sink: Sink) -> None:
    assert stream is not None
    while data := await stream.read(CHUNK_BYTES):
        sink.write(data)


async def _run(argv: list[str], call: Call, data: bytes = b"") -> int:
    """Run a program to its end, or to that of a `timeout` around it; its streams are the command's."""
    program = await _started(argv)
    ends_at_ns, now_ns = call.shell.ends_at_ns, call.machine.world.now_ns
    pumps = asyncio.gather(_pump(program.stdout, call.streams.out), _pump(program.stderr, call.streams.err))
    assert program.stdin is not None
    program.stdin.write(data)
    program.stdin.close()
    try:
        async with asyncio.timeout(None if ends_at_ns is None else max(0, ends_at_ns - now_ns) / 1e9):
            code = await program.wait()
    except TimeoutError:
        program.terminate()
        await program.wait()
        code = 128 + SIGNAL_NUMBERS["TERM"]
    finally:
        if program.returncode is None:
            program.kill()
    await pumps
    return code if code >= 0 else 128 - code


async def ip(inside: Inside, call: Call) -> int:
    """ip [-4|-6] [-o] addr [show [dev] NAME]; ip route get ADDRESS."""
    flags = [word for word in call.argv[1:] if word in ("-4", "-6", "-o")]
    words = [word for word in call.argv[1:] if word not in flags]
    if words[:1] and "address".startswith(words[0]) and not words[0].startswith("-"):
        names = [word for word in words[1:] if word not in ("show", "list", "dev")]
        if len(names) > 1 or any(name.startswith("-") for name in names):
            raise Unbuilt("built as 'ip addr [show [dev] NAME]' only")
        return await _run(
            inside("ip", *flags, "addr", "show", *(word for name in names for word in ("dev", name))), call
        )
    if words[:2] == ["route", "get"] and len(words) == 3:
        try:
            return await _run(inside("ip", *flags, "route", "get", str(ip_address(words[2]))), call)
        except ValueError:
            pass
    raise Unbuilt("built as 'ip addr' and 'ip route get ADDRESS' only")


async def nc(inside: Inside, call: Call) -> int:
    """nc -u [-w SECONDS] ADDRESS PORT, toybox' own."""
    given, operands = options(call, "u46", "w")
    if "u" not in given or len(operands) != 2 or not operands[1].isdigit() or not given.get("w", "1").isdigit():
        raise Unbuilt("built as 'nc -u [-w SECONDS] ADDRESS PORT' only")
    try:
        address = ip_address(operands[0])
    except ValueError:
        return call.fail(f"{operands[0]}: No address associated with hostname")
    wait = ["-w", given["w"]] if "w" in given else []
    data = await call.streams.input.read_all()
    return await _run(inside("toybox", "nc", "-u", *wait, str(address), operands[1]), call, data)


def _rebuilt(call: Call) -> list[str]:
    """A command line of tcpdump that `parsed` has understood, put together anew without its file: so no word of it
    reaches the real program but as what it was understood to be."""
    words = [word for word in call.argv if word != "--immediate-mode"]
    given, _ = options(Call(words, call.streams, call.shell), "Uqnp", "iBswZGW")
    immediate = ["--immediate-mode"] if "--immediate-mode" in call.argv else []
    flags = [f"-{name}" for name in "Uqnp" if name in given]
    valued = [word for name in "iBsGW" if name in given for word in (f"-{name}", given[name])]
    return ["tcpdump", "-Z", "root", *immediate, *flags, *valued]


async def tcpdump(phone: VirtualPhone, inside: Inside, on_start: Callable[[str], None], call: Call) -> int:
    """The real one, on the phone's files: a process of the phone, ended by its signals."""
    if call.argv[1:] == ["--version"]:
        return await _run(inside("tcpdump", "--version"), call)
    given = parsed(call)
    if call.uid != ROOT_UID:
        call.fail(f"{given.interface}: You don't have permission to perform this capture on that device")
        return 1
    path = call.path(given.file)
    phone.files.check_write(path, call.uid)
    program = await _started(inside(*_rebuilt(call), "-w", str(phone.files.on_disk(path))))
    known = call.shell.process
    known.args = call.argv
    phone.processes.number(known)

    def signalled(name: str) -> None:
        if program.returncode is None:
            program.send_signal(getattr(signal, f"SIG{name}"))

    known.on_signal = signalled
    on_start(phone.name)
    watching = asyncio.get_running_loop().create_task(_watch(program, call))
    try:
        await call.shell.keeper.park()
        code = await watching
    finally:
        signalled("KILL")
    # Whoever waits for the process reads its file next.
    restamp(phone.files.on_disk(path), phone.clock)
    known.end(code if code >= 0 else 128 - code)
    return known.code or 0


async def _watch(program: asyncio.subprocess.Process, call: Call) -> int:
    await asyncio.gather(_pump(program.stdout, call.streams.out), _pump(program.stderr, call.streams.err))
    return await program.wait()


def restamp(path: Path, clock: DriftingClock) -> int:
    """Put the kernel's stamps of a pcap onto a machine's own clock, in place; how many there are.

    A record that was cut off stays as it is, and a file of another form too.
    """
    if not path.is_file():
        return 0
    data = bytearray(path.read_bytes())
    unit_ns = NANOSECONDS_OF.get(bytes(data[:4]))
    at, count = FILE_HEADER_BYTES, 0
    while unit_ns is not None and at + RECORD.size <= len(data):
        seconds, rest, length, wire = RECORD.unpack_from(data, at)
        there_ns = clock.at(seconds * 1_000_000_000 + rest * unit_ns)
        seconds, rest_ns = divmod(there_ns, 1_000_000_000)
        RECORD.pack_into(data, at, seconds, rest_ns // unit_ns, length, wire)
        at, count = at + RECORD.size + length, count + 1
    path.write_bytes(data)
    return count


def commands(phone: VirtualPhone, inside: Inside, on_start: Callable[[str], None]) -> Mapping[str, Command]:
    """The phone's commands that use its network. `on_start` is told the phone's name when a capture starts."""
    return {
        "ip": partial(ip, inside),
        "nc": partial(nc, inside),
        "tcpdump": partial(tcpdump, phone, inside, on_start),
    }
