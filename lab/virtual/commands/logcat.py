"""log and logcat: what programs wrote into the phone's log, by tag."""

from collections.abc import Callable
from datetime import UTC, datetime

from lab.virtual.phone import LogLine, VirtualPhone
from lab.virtual.shell.machine import Call, Result, Unbuilt, options

_PRIORITIES = "VDIWEF"
_PID = 4242


def log(phone: VirtualPhone, call: Call) -> int:
    """log [-p PRIORITY] [-t TAG] TEXT."""
    given, words = options(call, "", "pt")
    phone.write_log(given.get("p", "i").upper()[:1], given.get("t", "log"), " ".join(words))
    return 0


def logcat(phone: VirtualPhone, call: Call) -> int:
    """logcat -d [-t LINES] [-s TAG[:PRIORITY]...]: all lines of these tags, or all, of that priority at least."""
    if "-c" in call.argv:
        phone.log.clear()
        return 0
    given, specs = options(call, "ds", "t")
    if not given.keys() & {"d", "t"}:
        raise Unbuilt("built with -d or -t only: it would never end")
    wanted = dict(spec.partition(":")[::2] for spec in specs)
    if ("s" in given) != bool(wanted) or not all(p == "" or p in _PRIORITIES for p in wanted.values()):
        raise Unbuilt("built with tags behind -s only")
    lines = [_threadtime(line) for line in phone.log if not wanted or _shown(line, wanted.get(line.tag))]
    lines = lines[-int(given["t"]) :] if "t" in given else lines
    return call.say("\n".join(["--------- beginning of main", "--------- beginning of system", *lines, ""]))


def _threadtime(line: LogLine) -> str:
    at = datetime.fromtimestamp(line.at_ns / 1e9, UTC).strftime("%m-%d %H:%M:%S.%f")[:-3]
    return f"{at} {_PID:5} {_PID:5} {line.priority} {line.tag}: {line.text}"


def _shown(line: LogLine, least: str | None) -> bool:
    return least is not None and _PRIORITIES.index(line.priority) >= _PRIORITIES.index(least or "V")


COMMANDS: dict[str, Callable[[VirtualPhone, Call], Result]] = {"log": log, "logcat": logcat}
