"""Android's own commands: getprop, settings, am, monkey, pm, input, wm, svc, dumpsys, logcat, app_process, ..."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.virtual.agent import Agent
from lab.virtual.commands.dumpsys import dumpsys as dumped
from lab.virtual.screen import HEIGHT, WIDTH, picture
from lab.virtual.shell.machine import Call, Result, Unbuilt

if TYPE_CHECKING:
    from lab.definitions import VirtualApp
    from lab.virtual.phone import VirtualPhone

AGENT_JAR = "/data/local/tmp/u2.jar"
AGENT_CLASS = "com.wetest.uia2.Main"
ALREADY_REGISTERED = (
    "java.lang.IllegalStateException: UiAutomationService "
    "android.accessibilityservice.IAccessibilityServiceClient$Stub$Proxy@5deffd5already registered!\n"
)
NAMESPACES = ("global", "system", "secure")
KEYS = {
    "3": "home",
    "4": "back",
    "6": "endcall",
    "26": "power",
    "79": "headsethook",
    "223": "sleep",
    "224": "wakeup",
}
INERT_KEYS = ("24", "25", "66", "82", "164", "187", "VOLUME_UP", "VOLUME_DOWN", "ENTER", "MENU", "APP_SWITCH")


def getprop(phone: VirtualPhone, call: Call) -> int:
    if len(call.argv) > 1:
        return call.say(phone.props.get(call.argv[1], call.argv[2] if len(call.argv) > 2 else "") + "\n")
    return call.say("".join(f"[{name}]: [{value}]\n" for name, value in sorted(phone.props.items())))


def settings(phone: VirtualPhone, call: Call) -> int:
    """settings get|put|delete|list NAMESPACE [NAME [VALUE]]."""
    words = (
        [word for word in call.argv[1:] if word not in ("--user", "current", "0")]
        if "--user" in call.argv
        else call.argv[1:]
    )
    verb, namespace, name = [*words, "", "", ""][:3]
    if namespace not in NAMESPACES:
        return call.fail(f"Invalid namespace '{namespace}'", 255)
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


def am(phone: VirtualPhone, call: Call) -> int:
    verb = call.argv[1] if len(call.argv) > 1 else ""
    if verb in ("start", "start-activity"):
        return start(phone, call)
    if verb == "force-stop" and len(call.argv) == 3:
        phone.handset.force_stop(call.argv[2])
        return 0
    raise Unbuilt("built as 'am start' and 'am force-stop' only")


def start(phone: VirtualPhone, call: Call) -> int:
    """am start -a ACTION -d DATA -t TYPE -p PACKAGE, or -n COMPONENT."""
    given: dict[str, str] = {}
    words = iter(call.argv[2:])
    for word in words:
        if word in ("-a", "-d", "-t", "-p", "-n", "-f", "-c", "--user"):
            given[word] = next(words, "")
        elif word not in ("-W", "-S"):
            raise Unbuilt(f"Unknown option: {word}")
    shown = {"act": "-a", "dat": "-d", "typ": "-t", "pkg": "-p", "cmp": "-n"}
    described = " ".join(f"{key}={given[option]}" for key, option in shown.items() if option in given)
    call.say(f"Starting: Intent {{ {described} }}\n")
    component, package = given.get("-n"), given.get("-p")
    if "-a" not in given and component:
        done = phone.handset.start(component.split("/")[0])
    else:
        done = phone.handset.intent(given.get("-a", ""), given.get("-d"), given.get("-t"), package, component)
    if done:
        return 0
    if component:
        call.ends.err.write(f"Error type 3\nError: Activity class {{{component}}} does not exist.\n".encode())
    else:
        text = f"Error: Activity not started, unable to resolve Intent {{ {described} flg=0x10000000 }}\n"
        call.ends.err.write(text.encode())
    return 1


def monkey(phone: VirtualPhone, call: Call) -> int:
    package = call.argv[call.argv.index("-p") + 1] if "-p" in call.argv[:-1] else ""
    if not phone.handset.start(package):
        return call.say("** No activities found to run, monkey aborted.\n") or 252
    return call.say(
        "Events injected: 1\n## Network stats: elapsed time=12ms (0ms mobile, 0ms wifi, 12ms not connected)\n"
    )


def installed(phone: VirtualPhone, package: str) -> VirtualApp | None:
    return next((app for app in phone.apps.values() if app.package == package), None)


def pm(phone: VirtualPhone, call: Call) -> int:
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    if words[:2] == ["list", "packages"]:
        wanted = words[2] if len(words) > 2 else ""
        return call.say("".join(f"package:{name}\n" for name in phone.packages() if wanted in name))
    if words[:1] == ["path"] and len(words) == 2:
        if words[1] not in phone.packages():
            return 1
        return call.say(f"package:/data/app/~~lab/{words[1]}-lab/base.apk\n")
    if words[:1] in (["grant"], ["revoke"]) and len(words) == 3:
        return 0 if words[1] in phone.packages() else call.fail(f"Unknown package: {words[1]}", 255)
    raise Unbuilt("built as 'pm list packages', 'pm path' and 'pm grant' only")


def input_(phone: VirtualPhone, call: Call) -> int:
    """input tap X Y, swipe X Y X Y [MS], keyevent KEY..., text TEXT."""
    verb, words = (call.argv[1:2] or [""])[0], call.argv[2:]
    if verb in ("tap", "swipe") and not all(re.fullmatch(r"-?\d+(\.\d+)?", word) for word in words):
        return call.fail("Error: Invalid arguments for command: " + verb, 255)
    if verb == "tap" and len(words) == 2:
        phone.handset.tap(float(words[0]), float(words[1]))
        return 0
    if verb == "swipe" and len(words) in (4, 5):
        phone.handset.swipe(*(float(word) for word in words[:4]))
        return 0
    if verb == "text" and words:
        return 0
    if verb != "keyevent" or not words:
        raise Unbuilt("built as 'input tap|swipe|keyevent|text' only")
    for word in words:
        press(phone, word)
    return 0


def press(phone: VirtualPhone, key: str) -> None:
    """Press a key by number or by name. Keys that do nothing to a call or a screen do nothing."""
    key = key.upper().removeprefix("KEYCODE_")
    name = KEYS.get(key, key.lower())
    if name in KEYS.values():
        phone.handset.key(name)
    elif key not in INERT_KEYS:
        raise Unbuilt(f"key {key} is not built")


def wm(phone: VirtualPhone, call: Call) -> int:
    verb = call.argv[1:]
    emulation = phone.emulation
    if verb == ["size"]:
        physical = f"{emulation.screen_width}x{emulation.screen_height}"
        size = f"{WIDTH}x{HEIGHT}"
        return call.say(f"Physical size: {physical}\n" + ("" if physical == size else f"Override size: {size}\n"))
    if verb == ["density"]:
        return call.say("Physical density: 420\n")
    if verb == ["dismiss-keyguard"]:
        phone.handset.dismiss_keyguard()
        return 0
    raise Unbuilt("built as 'wm size|density|dismiss-keyguard' only")


def svc(phone: VirtualPhone, call: Call) -> int:
    words = call.argv[1:]
    if words[:2] == ["power", "stayon"] and len(words) == 3:
        plugged = {"true": "15", "usb": "2", "ac": "1", "wireless": "4", "false": "0"}
        phone.settings["global"]["stay_on_while_plugged_in"] = plugged.get(words[2], "0")
        return 0
    raise Unbuilt("built as 'svc power stayon' only")


def dumpsys(phone: VirtualPhone, call: Call) -> int:
    words = [word for word in call.argv[1:] if not word.startswith("-t")]
    if not words:
        raise Unbuilt("dumpsys needs a service")
    text = dumped(phone.handset, words[0], words[1:], phone)
    if text is None:
        call.ends.err.write(f"Can't find service: {words[0]}\n".encode())
        return 0
    return call.say(text if text.endswith("\n") else text + "\n")


def logcat(phone: VirtualPhone, call: Call) -> int:
    if "-c" in call.argv:
        return 0
    if "-d" not in call.argv and "-t" not in call.argv:
        raise Unbuilt("built with -d or -t only: it would never end")
    return call.say("--------- beginning of main\n--------- beginning of system\n")


def ime(phone: VirtualPhone, call: Call) -> int:
    return call.say("com.google.android.inputmethod.latin/com.android.inputmethod.latin.LatinIME\n")


def screencap(phone: VirtualPhone, call: Call) -> int:
    data = io.BytesIO()
    picture(phone.handset.nodes(), 1.0).save(data, "PNG", compress_level=1)
    call.ends.out.write(data.getvalue())
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
    phone.agent = Agent(phone, int(words[words.index("-p") + 1]) if "-p" in words[:-1] else 9008)
    try:
        await call.shell.keeper.park()
        await call.shell.keeper.hung_up()
    finally:
        phone.agent = None
    return 0


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
    "logcat": logcat,
    "ime": ime,
    "screencap": screencap,
    "app_process": app_process,
}
