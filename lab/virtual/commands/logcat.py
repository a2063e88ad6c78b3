"""log and logcat: what programs wrote into the phone's log, by tag, and the buffer of the system's events."""

import re
from collections.abc import Callable, Mapping

from lab.virtual.commands.dumpsys_device import local_time
from lab.virtual.handset.history import LogEntry
from lab.virtual.phone import LogLine, VirtualPhone
from lab.virtual.shell.machine import Call, Result, Unbuilt, options

_PRIORITIES = "VDIWEF"
_PID = 4242
_THREAD = 992
_SINCE = re.compile(r"(\d{1,12})\.(\d{1,9})")
_FORMS = ("threadtime", "epoch")


def log(phone: VirtualPhone, call: Call) -> int:
    """log [-p PRIORITY] [-t TAG] TEXT."""
    given, words = options(call, "", "pt")
    phone.write_log(given.get("p", "i").upper()[:1], given.get("t", "log"), " ".join(words))
    return 0


def logcat(phone: VirtualPhone, call: Call) -> Result:
    """logcat [-b events] [-v FORM] [-d] [-t LINES] [-T SECONDS.PART] [-s TAG[:PRIORITY]...].

    All lines of these tags, or all, of that priority at least. The events buffer alone can be followed: without -d and
    -t it stays open, and each line is written as it comes.
    """
    if "-c" in call.argv:
        phone.log.clear()
        phone.handset.history.log.clear()
        return 0
    given, specs = options(call, "ds", "tbvT")
    if given.get("v", "threadtime") not in _FORMS or given.get("b", "events") != "events":
        raise Unbuilt(f"built with -b events, and -v {' and '.join(_FORMS)} only")
    wanted = dict(spec.partition(":")[::2] for spec in specs)
    if ("s" in given) != bool(wanted) or not all(p == "" or p in _PRIORITIES for p in wanted.values()):
        raise Unbuilt("built with tags behind -s only")
    if "b" in given:
        return _events(phone, call, given, wanted)
    if not given.keys() & {"d", "t"} or "T" in given:
        raise Unbuilt("built with -d or -t only: it would never end")
    lines = [_main(phone, line) for line in phone.log if not wanted or _shown(line.priority, wanted.get(line.tag))]
    lines = lines[-int(given["t"]) :] if "t" in given else lines
    return call.say("\n".join(["--------- beginning of main", "--------- beginning of system", *lines, ""]))


def _main(phone: VirtualPhone, line: LogLine) -> str:
    return _line("threadtime", phone, line.at_ns, (_PID, _PID), f"{line.priority} {line.tag}: {line.text}")


def _shown(priority: str, least: str | None) -> bool:
    return least is not None and _PRIORITIES.index(priority) >= _PRIORITIES.index(least or "V")


def _line(form: str, phone: VirtualPhone, clock_ns: int, ids: tuple[int, int], rest: str) -> str:
    if form == "epoch":
        at = f"{clock_ns // 1_000_000_000:>15}.{clock_ns // 1_000_000 % 1_000:03}"
    else:
        at = local_time(clock_ns, phone.utc_offset_minutes).strftime("%m-%d %H:%M:%S.%f")[:-3]
    return f"{at} {ids[0]:5} {ids[1]:5} {rest}"


# -- the events buffer


def _events(phone: VirtualPhone, call: Call, given: Mapping[str, str], wanted: Mapping[str, str]) -> Result:
    since_ns, form = _since_ns(given), given.get("v", "threadtime")
    start = "--------- beginning of events\n"

    def text(entry: LogEntry) -> str:
        if wanted and not _shown("I", wanted.get(entry.tag)):
            return ""
        at_ns = phone.clock_at(entry.at_ns)
        if at_ns < since_ns:
            return ""
        return _line(form, phone, at_ns, (entry.pid, entry.pid + _THREAD), f"I {entry.tag}: {entry.text}") + "\n"

    lines = [line for entry in phone.handset.history.log if (line := text(entry))]
    lines = lines[-int(given["t"]) :] if "t" in given else lines
    if given.keys() & {"d", "t"}:
        return call.say(start + "".join(lines))
    call.say(start + "".join(lines))

    def write(entry: LogEntry) -> None:
        call.say(text(entry))

    return _follow(phone, call, write)


async def _follow(phone: VirtualPhone, call: Call, write: Callable[[LogEntry], None]) -> int:
    """Write what comes until the client goes; what it had not read by then is in the buffer all the same."""
    listeners = phone.handset.history.on_log
    listeners.append(write)
    try:
        await call.shell.keeper.park()
        await call.shell.keeper.hung_up()
    finally:
        if write in listeners:
            listeners.remove(write)
    return 0


def _since_ns(given: Mapping[str, str]) -> int:
    """The instant of -T, on the phone's clock; 0 without it."""
    if "T" not in given:
        return 0
    found = _SINCE.fullmatch(given["T"])
    if found is None:
        raise Unbuilt("built with -T SECONDS.PART only")
    return int(found[1]) * 1_000_000_000 + int(found[2].ljust(9, "0"))


COMMANDS: dict[str, Callable[[VirtualPhone, Call], Result]] = {"log": log, "logcat": logcat}
