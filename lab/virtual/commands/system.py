"""Commands on the system: id, su, ps, kill, uname, date, timeout."""

import datetime
import re
from collections.abc import Callable, Iterator

from lab.virtual.files import ROOT_UID
from lab.virtual.phone import VirtualPhone
from lab.virtual.processes import FIRST_PID, SIGNAL_NUMBERS, SIGNALS
from lab.virtual.shell.machine import Call, Command, Result, Unbuilt, options

FIRST_PACKAGE_PID = 6_001
SYSTEM_PROCESSES = ((1, "/system/bin/init"), (412, "/system/bin/netd"), (1603, "system_server"))
PS_COLUMNS = {"USER": "<12", "PID": ">5", "PPID": ">5", "VSZ": ">8", "RSS": ">7"}
PS_COLUMNS |= {"WCHAN": "<10", "ADDR": ">10", "S": "<1", "NAME": "", "ARGS": ""}
"""Columns of `ps`, as they are aligned."""


def uname(call: Call) -> int:
    given, operands = options(call, "srm")
    if operands:
        raise Unbuilt("built without operands")
    system, release = call.machine.kernel.split(" ", 1)
    words = [system] * ("s" in given or not given) + [release] * ("r" in given)
    return call.say(" ".join(words + [call.machine.architecture] * ("m" in given)) + "\n")


def date(call: Call) -> int:
    """date [-u] [+FORMAT] of the machine's own clock, in its zone; %N is nanoseconds: who asks for them measures it."""
    clock = call.machine.clock
    clock_ns = clock.read() if "%N" in "".join(call.argv) else clock.now()
    seconds, rest_ns = divmod(clock_ns, 1_000_000_000)
    words = [word for word in call.argv[1:] if word != "-u"]
    if len(words) > 1 or (words and not words[0].startswith("+")):
        raise Unbuilt("built as 'date [+FORMAT]' only")
    form = words[0][1:] if words else "%a %b %e %H:%M:%S %Z %Y"
    minutes = 0 if "-u" in call.argv[1:] else call.machine.utc_offset_minutes
    zone = datetime.timezone(datetime.timedelta(minutes=minutes)) if minutes else datetime.UTC
    time, own = datetime.datetime.fromtimestamp(seconds, zone), {"%N": f"{rest_ns:09d}", "%s": str(seconds)}
    if not re.fullmatch("(?:[^%]|%[aAbBdeFHjmMnNpsStTyYzZ%])*", form):
        raise Unbuilt(f"built without a part of {form}")
    return call.say(re.sub("%.", lambda part: own.get(part[0]) or time.strftime(part[0]), form) + "\n")


async def timeout(call: Call) -> int:
    """timeout SECONDS COMMAND...: SIGTERM for what is not over by then, and 124."""
    if len(call.argv) < 3 or not re.fullmatch(r"[1-9]\d{0,2}", call.argv[1]):
        raise Unbuilt("built as 'timeout SECONDS COMMAND...' only")
    child, world = call.shell.program(call.streams), call.machine.world
    ends_at_ns = world.now_ns + int(call.argv[1]) * 1_000_000_000
    child.ends_at_ns = ends_at_ns
    code = await child.call(Call(call.argv[2:], call.streams, child, by_shell=False))
    child.process.end(code)
    return 124 if world.now_ns >= ends_at_ns else code


def kill(call: Call) -> int:
    """kill [-SIGNAL] PID...; signal 0 only asks whether the process lives."""
    words = call.argv[1:]
    if any(word[:2] in ("-s", "-l", "-n", "--") for word in words[:1]) or any(word[:1] == "-" for word in words[1:]):
        raise Unbuilt("built as 'kill [-SIGNAL] PID...' only")
    signal = "TERM"
    if words and words[0].startswith("-"):
        signal, words = words[0][1:], words[1:]
    signal = signal.removeprefix("SIG")
    if signal.isdigit() and signal != "0":
        signal = SIGNALS.get(int(signal), signal)
    if signal != "0" and signal not in SIGNAL_NUMBERS:
        return call.fail(f"{signal}: unknown signal")
    if not words or not all(word.isdigit() for word in words):
        return call.fail("usage: kill [-SIGNAL] PID...")
    return max(send_signal(call, signal, int(word)) for word in words)


def send_signal(call: Call, signal: str, number: int) -> int:
    if number < FIRST_PID:
        raise Unbuilt("reaches no process of the system or of an app")
    process = call.machine.processes.find(number)
    if process is None:
        return call.fail(f"{number}: No such process")
    if call.uid not in (ROOT_UID, process.uid):
        return call.fail(f"{number}: Operation not permitted")
    if signal != "0":
        if process.on_signal is None:
            raise Unbuilt("ends no shell here")
        process.on_signal(signal)
    return 0


COMMANDS: dict[str, Command] = {
    "uname": uname,
    "date": date,
    "timeout": timeout,
    "kill": kill,
}


# -- phones only


def identity(phone: VirtualPhone, call: Call) -> int:
    name = "root" if call.uid == ROOT_UID else "shell"
    given, operands = options(call, "un")
    if operands or ("n" in given and "u" not in given):
        raise Unbuilt("built as 'id', 'id -u' and 'id -un' only")
    if "u" in given:
        return call.say(f"{name if 'n' in given else call.uid}\n")
    context = "u:r:magisk:s0" if call.uid == ROOT_UID else "u:r:shell:s0"
    groups = "groups=0(root)" if call.uid == ROOT_UID else "groups=2000(shell),1004(input),3003(inet)"
    return call.say(f"uid={call.uid}({name}) gid={call.uid}({name}) {groups} context={context}\n")


async def su(phone: VirtualPhone, call: Call) -> int:
    """Magisk's su: what follows -c is joined with blanks and run by a shell as root."""
    if not phone.spec.rooted:
        call.streams.err.write(b"sh: su: inaccessible or not found\n")
        return 127
    if fault := phone.faults.take("su", phone.name, " ".join(call.argv)):
        if "said" not in fault:  # it asks on the screen, and nobody is there
            await call.shell.keeper.park()
            await call.shell.keeper.hung_up()
        call.streams.err.write(f"{fault.get('said', '')}\n".encode())
        return int(fault.get("code", 1))
    words = call.argv[1:]
    child = call.shell.program(call.streams, ROOT_UID)
    if not words:
        return await child.interactive()
    if words[0] != "-c" or len(words) < 2:
        raise Unbuilt("built as 'su -c COMMAND' only")
    code = await child.run(" ".join(words[1:]))
    child.process.end(code)
    return code


def running(phone: VirtualPhone) -> Iterator[tuple[int, int, str]]:
    """Number, user and command line of all processes that people see: the system's, the apps', those of shells."""
    for number, name in SYSTEM_PROCESSES:
        yield number, ROOT_UID, name
    for index, package in enumerate(phone.handset.running()):
        yield FIRST_PACKAGE_PID + index, 10_200 + index, package
    for number, process in phone.processes:
        yield number, process.uid, " ".join(process.args)


def ps(phone: VirtualPhone, call: Call) -> int:
    """ps -A [-o COLUMN,...]: what is not known of a process here is the same of all."""
    given, operands = options(call, "Ae", "o")
    columns = given["o"].split(",") if "o" in given else [name for name in PS_COLUMNS if name != "ARGS"]
    if operands or not {"A", "e"} & given.keys() or not set(columns) <= set(PS_COLUMNS):
        raise Unbuilt(f"built with -A only, columns are {', '.join(PS_COLUMNS)}")
    call.say(" ".join(f"{column:{PS_COLUMNS[column]}}" for column in columns) + "\n")
    for number, uid, line in running(phone):
        user = {0: "root", 2000: "shell"}.get(uid, f"u0_a{uid - 10_000}")
        name = line.split(" ")[0].rsplit("/", 1)[-1]
        values = {"USER": user, "PID": number, "ARGS": line, "NAME": name, "PPID": 1, "WCHAN": 0, "ADDR": 0, "S": "S"}
        call.say(" ".join(f"{values.get(column, 10_000):{PS_COLUMNS[column]}}" for column in columns) + "\n")
    return 0


OF_PHONES: dict[str, Callable[[VirtualPhone, Call], Result]] = {
    "id": identity,
    "su": su,
    "ps": ps,
}
