"""Android's own commands: getprop, settings, am, monkey, pm, input, wm, svc, dumpsys, logcat, app_process, ..."""

import asyncio
import io
import re
from collections.abc import Callable, Coroutine
from typing import Any

from lab.definitions import VirtualApp
from lab.definitions.virtual_app import HEIGHT, WIDTH
from lab.virtual.agent.agent import Agent
from lab.virtual.agent.view import picture
from lab.virtual.commands.dumpsys import UnknownDump
from lab.virtual.commands.dumpsys import dumpsys as dumped
from lab.virtual.commands.dumpsys_calls import recorded_audio
from lab.virtual.commands.dumpsys_device import uid_of
from lab.virtual.handset.keys import UnknownKey, named
from lab.virtual.phone import VirtualPhone
from lab.virtual.shell.machine import Call, Result, Unbuilt

AGENT_JAR = "/data/local/tmp/u2.jar"
AGENT_CLASS = "com.wetest.uia2.Main"
ALREADY_REGISTERED = (
    "java.lang.IllegalStateException: UiAutomationService "
    "android.accessibilityservice.IAccessibilityServiceClient$Stub$Proxy@5deffd5already registered!\n"
)


def getprop(phone: VirtualPhone, call: Call) -> int:
    if len(call.argv) > 3 or call.argv[-1].startswith("-"):
        raise Unbuilt("built as 'getprop [NAME [DEFAULT]]' only")
    if len(call.argv) > 1:
        return call.say(phone.props.get(call.argv[1], call.argv[2] if len(call.argv) > 2 else "") + "\n")
    return call.say("".join(f"[{name}]: [{value}]\n" for name, value in sorted(phone.props.items())))


def settings(phone: VirtualPhone, call: Call) -> int:
    """settings get|put|delete|list NAMESPACE [NAME [VALUE]]."""
    words = call.argv[1:]
    verb, namespace, name = [*words, "", "", ""][:3]
    if namespace not in phone.settings:
        raise Unbuilt(f"built with {', '.join(phone.settings)} only")
    values = phone.settings[namespace]
    if verb == "get" and name:
        return call.say(values.get(name, "null") + "\n")
    if verb == "put" and len(words) == 4:
        values[name] = words[3]
        return 0
    if verb == "delete" and name:
        return call.say(f"Deleted {int(values.pop(name, None) is not None)} rows\n")
    if verb == "list":
        return call.say("".join(f"{key}={value}\n" for key, value in sorted(values.items())))
    raise Unbuilt("built as 'settings get|put|delete|list NAMESPACE ...' only")


def _of_first_user(words: list[str]) -> list[str]:
    """The words without `--user 0`. Raises `Unbuilt` for another user: there is one."""
    if "--user" not in words:
        return words
    at = words.index("--user")
    if words[at + 1 : at + 2] != ["0"]:
        raise Unbuilt("built for user 0 only")
    return words[:at] + words[at + 2 :]


def am(phone: VirtualPhone, call: Call) -> int:
    verb = call.argv[1] if len(call.argv) > 1 else ""
    if verb in ("start", "start-activity"):
        return start(phone, call)
    words = _of_first_user(call.argv[2:])
    if verb == "force-stop" and len(words) == 1:
        phone.handset.force_stop(words[0])
        if phone.pcapdroid is not None and words[0] == phone.pcapdroid.package:
            phone.pcapdroid.kill()
        return 0
    raise Unbuilt("built as 'am start' and 'am force-stop' only")


def start(phone: VirtualPhone, call: Call) -> int:
    """am start -a ACTION -d DATA -t TYPE -p PACKAGE, or -n COMPONENT."""
    given: dict[str, str] = {}
    extras: dict[str, str] = {}
    words = iter(_of_first_user(call.argv[2:]))
    for word in words:
        if word in ("-e", "--es"):
            name = next(words, "")
            extras[name] = next(words, "")
        elif word in ("-a", "-d", "-t", "-p", "-n", "-f", "-c"):
            given[word] = next(words, "")
        elif word not in ("-W", "-S"):
            raise Unbuilt(f"Unknown option: {word}")
    shown = {"act": "-a", "dat": "-d", "typ": "-t", "pkg": "-p", "cmp": "-n"}
    described = " ".join(f"{key}={given[option]}" for key, option in shown.items() if option in given)
    call.say(f"Starting: Intent {{ {described}{' (has extras)' if extras else ''} }}\n")
    component, package = given.get("-n"), given.get("-p")
    if phone.pcapdroid is not None and component == phone.pcapdroid.component:
        phone.pcapdroid.on_intent(extras)
        return 0
    if "-a" not in given and component:
        done = phone.handset.start(component.split("/")[0])
    else:
        done = phone.handset.intent(given.get("-a", ""), given.get("-d"), given.get("-t"), package, component)
    if done:
        return 0
    if component:
        call.streams.err.write(f"Error type 3\nError: Activity class {{{component}}} does not exist.\n".encode())
    else:
        text = f"Error: Activity not started, unable to resolve Intent {{ {described} flg=0x10000000 }}\n"
        call.streams.err.write(text.encode())
    return 1


def monkey(phone: VirtualPhone, call: Call) -> int:
    words = [*call.argv[1:]]
    keys = words[4:6] != ["--pct-syskeys", "0"]
    if words[:1] != ["-p"] or words[2:4] + words[4 if keys else 6 :] != ["-c", "android.intent.category.LAUNCHER", "1"]:
        raise Unbuilt("built as 'monkey -p PACKAGE -c android.intent.category.LAUNCHER [--pct-syskeys 0] 1' only")
    fault = phone.faults.take("monkey", phone.name) if keys else None
    if fault is not None and not fault.get("starts", True):
        return call.say(f"{fault['said']}\n") or int(fault["code"])
    if not phone.handset.start(words[1]):
        return call.say("** No activities found to run, monkey aborted.\n") or 252
    if fault is not None:
        return call.say(f"{fault['said']}\n") or int(fault["code"])
    return call.say(
        "Events injected: 1\n## Network stats: elapsed time=12ms (0ms mobile, 0ms wifi, 12ms not connected)\n"
    )


def installed(phone: VirtualPhone, package: str) -> VirtualApp | None:
    return next((app for app in phone.apps.values() if app.package == package), None)


def _uid(phone: VirtualPhone, package: str) -> str:
    app = installed(phone, package)
    return f" uid:{1000 if app is None else uid_of(phone.handset, app.name)}"


def pm(phone: VirtualPhone, call: Call) -> int:
    """pm list packages [-U] [--user 0] [PART OF A NAME]: there is one user."""
    words = _of_first_user(call.argv[1:])
    uids = "-U" in words
    words = [word for word in words if word != "-U"]
    if words[:2] != ["list", "packages"] or len(words) > 3 or any(word.startswith("-") for word in words):
        raise Unbuilt("built as 'pm list packages' only: the apps are those of scenarios/virtual")
    names = [name for name in phone.packages() if "".join(words[2:]) in name]
    return call.say("".join(f"package:{name}{_uid(phone, name) if uids else ''}\n" for name in names))


def input_(phone: VirtualPhone, call: Call) -> int:
    """input tap X Y, swipe X Y X Y [MS], keyevent KEY..."""
    verb, words = (call.argv[1:2] or [""])[0], call.argv[2:]
    if verb in ("tap", "swipe") and not all(re.fullmatch(r"-?\d+(\.\d+)?", word) for word in words):
        return call.fail("Error: Invalid arguments for command: " + verb, 255)
    if verb == "tap" and len(words) == 2:
        phone.handset.tap(float(words[0]), float(words[1]))
        return 0
    if verb == "swipe" and len(words) in (4, 5):
        phone.handset.swipe(*(float(word) for word in words[:4]))
        return 0
    if verb != "keyevent" or not words:
        raise Unbuilt("built as 'input tap|swipe|keyevent' only")
    for word in words:
        press(phone, word)
    return 0


def press(phone: VirtualPhone, key: str) -> None:
    """Press a key by number or by name. Keys that do nothing to a call or a screen do nothing."""
    try:
        name = named(key)
    except UnknownKey as error:
        raise Unbuilt(str(error)) from error
    if name is not None:
        phone.handset.key(name)


def wm(phone: VirtualPhone, call: Call) -> int:
    verb = call.argv[1:]
    emulation = phone.emulation
    if verb == ["size"]:
        physical = f"{emulation.screen_width}x{emulation.screen_height}"
        size = f"{WIDTH}x{HEIGHT}"
        return call.say(f"Physical size: {physical}\n" + ("" if physical == size else f"Override size: {size}\n"))
    if verb == ["dismiss-keyguard"]:
        phone.handset.dismiss_keyguard()
        return 0
    raise Unbuilt("built as 'wm size|dismiss-keyguard' only")


def svc(phone: VirtualPhone, call: Call) -> int:
    words = call.argv[1:]
    plugged = {"true": "15", "usb": "2", "ac": "1", "wireless": "4", "false": "0"}
    if words[:2] == ["power", "stayon"] and len(words) == 3 and words[2] in plugged:
        phone.settings["global"]["stay_on_while_plugged_in"] = plugged[words[2]]
        return 0
    raise Unbuilt("built as 'svc power stayon' only")


def dumpsys(phone: VirtualPhone, call: Call) -> int:
    """dumpsys [-t SECONDS] SERVICE [ARGUMENT...]: no dump here takes that long."""
    words = call.argv[1:]
    if words[:1] == ["-t"]:
        if not re.fullmatch(r"[1-9]\d{0,3}", words[1] if len(words) > 1 else ""):
            raise Unbuilt("-t takes whole seconds")
        words = words[2:]
    if not words:
        raise Unbuilt("dumpsys needs a service")
    try:
        text = dumped(phone.handset, words[0], words[1:], phone)
    except UnknownDump as error:
        raise Unbuilt(str(error)) from error
    return call.say(text if text.endswith("\n") else text + "\n")


def cmd(phone: VirtualPhone, call: Call) -> int:
    """cmd appops get PACKAGE RECORD_AUDIO."""
    words = call.argv[1:]
    if len(words) != 4 or words[:2] != ["appops", "get"] or words[3] != "RECORD_AUDIO":
        raise Unbuilt("built as 'cmd appops get PACKAGE RECORD_AUDIO' only")
    if installed(phone, words[2]) is None:
        call.streams.err.write(f"Error: No UID for {words[2]} in user 0\n".encode())
        return 255
    return call.say(recorded_audio(phone.handset, words[2]) + "\n")


def screencap(phone: VirtualPhone, call: Call) -> int:
    """screencap -p: the picture on standard output."""
    if call.argv[1:] != ["-p"]:
        raise Unbuilt("built as 'screencap -p' only")
    data = io.BytesIO()
    picture(phone.handset.nodes(), 1.0).save(data, "PNG", compress_level=1)
    call.streams.out.write(data.getvalue())
    return 0


async def app_process(phone: VirtualPhone, call: Call) -> int:
    """The agent of uiautomator2: serves its port until the client that started it goes away."""
    words = call.argv[1:]
    if AGENT_CLASS not in words or call.shell.variables.get("CLASSPATH") != AGENT_JAR:
        raise Unbuilt("runs the agent of uiautomator2 only")
    if not phone.files.exists(AGENT_JAR):
        return call.say(f"Error: Could not find or load main class {AGENT_CLASS}\n") or 1
    call.say("[server] INFO: [UiAutomator2Server] Starting Server\n")
    if phone.agent is not None:
        return call.say(ALREADY_REGISTERED) or 1
    agent = phone.agent = Agent(phone, int(words[words.index("-p") + 1]) if "-p" in words[:-1] else 9008)
    try:
        await call.shell.keeper.park()
        await first_of(call.shell.keeper.hung_up(), agent.killed.wait())
    finally:
        phone.agent = None
    return 137 if agent.killed.is_set() else 0


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of them does; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


COMMANDS: dict[str, Callable[[VirtualPhone, Call], Result]] = {
    "getprop": getprop,
    "settings": settings,
    "am": am,
    "monkey": monkey,
    "pm": pm,
    "input": input_,
    "wm": wm,
    "svc": svc,
    "dumpsys": dumpsys,
    "cmd": cmd,
    "screencap": screencap,
    "app_process": app_process,
}
