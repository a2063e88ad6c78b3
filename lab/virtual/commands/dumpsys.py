"""dumpsys of what a handset shows: notification, activity, window, package; and the table of services.

The texts follow what is publicly known of Android's own dumps, not what any reader of them looks for.
"""

from collections.abc import Callable, Mapping, Sequence

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.commands.dumpsys_calls import audio, camera, sdk_of, telecom, telephony_registry
from lab.virtual.commands.dumpsys_device import (
    DeviceFacts,
    battery,
    connectivity,
    display,
    thermalservice,
    uid_of,
)
from lab.virtual.commands.netstats import netstats
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.postings import described, key_of
from lab.virtual.handset.tokens import token
from lab.virtual.handset.windows import Notification, Window

__all__ = ["DeviceFacts", "dumpsys"]

Service = Callable[[Handset, Sequence[str], DeviceFacts], list[str]]
"""The lines of one dump."""

_INSTALLED = "2025-09-01 09:00:00"
_USABLE = "User 0: ceDataInode=0 installed=true hidden=false suspended=false stopped=false enabled=0"
PERMISSIONS = ("CAMERA", "POST_NOTIFICATIONS", "RECORD_AUDIO")
"""What every emulated app asks for."""


class UnknownDump(ValueError):
    """A service, or arguments of one, that exist on hardware and not here."""


def dumpsys(handset: Handset, service: str, args: Sequence[str], device: DeviceFacts) -> str:
    """What `dumpsys SERVICE ARGS` prints. Raises UnknownDump."""
    dump = SERVICES.get(service)
    if dump is None:
        raise UnknownDump(f"service {service} is not built; there is {', '.join(SERVICES)}")
    if service != "package" and not set(args) <= set(ARGUMENTS.get(service, ())):
        raise UnknownDump(f"dumpsys {service} is not built with {' '.join(args)}")
    return "\n".join(dump(handset, args, device))


def notification(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Posted notifications, newest first; texts only with --noredact. API level 36 has no list that is empty."""
    lines = ["Current Notification Manager state:"]
    if handset.notifications or sdk_of(device) < 36:
        lines.append("  Notification List:")
    for posted in reversed(handset.notifications):
        lines += _record(posted, handset.packages.uid(posted.package), "--noredact" in args, sdk_of(device))
    return [*lines, "  ", "  mUseAttentionLight=false", "  mInCallStateOffHook=false"]


def _record(posted: Notification, uid: int, plain: bool, sdk: int) -> list[str]:
    package = posted.package
    identity = token(package, str(posted.id), str(posted.posted_ns))
    lines = [
        f"    NotificationRecord(0x{identity}: pkg={package} user=UserHandle{{0}} id={posted.id} tag=null importance=4 "
        f"key={key_of(posted, uid)}: {described(posted, sdk)})",
        f"      uid={uid} userId=0",
        f"      opPkg={package}",
        "      extras={",
        f"        android.title=String {f'({posted.title})' if plain else f'[length={len(posted.title)}]'}",
        f"        android.text=String {f'({posted.text})' if plain else f'[length={len(posted.text)}]'}",
    ]
    if posted.call is not None:
        lines.append("        android.template=String (android.app.Notification$CallStyle)")
        lines.append(f"        android.callType=Integer ({1 if posted.call.state == 'incoming' else 2})")
    lines.append("      }")
    if posted.actions:
        lines.append("      actions={")
        for index, action in enumerate(posted.actions):
            intent = f"PendingIntent{{{token(identity, action)}: PendingIntentRecord{{{token(action)} {package}}}}}"
            lines.append(f'        [{index}] "{action}" -> {intent}')
        lines.append("      }")
    return lines


def _activity_record(handset: Handset) -> str:
    """The activity under whatever the system draws over it; `null` with the screen off or locked."""
    window = handset.top_activity()
    if window is None:
        return "null"
    short = window.activity.removeprefix(window.package)
    activity = short if short.startswith(".") else window.activity
    return (
        f"ActivityRecord{{{token(window.package, window.activity)} u0 {window.package}/{activity} t{_task(handset)}}}"
    )


def _task(handset: Handset) -> int:
    window = handset.top_activity()
    packages = [app.package for app in handset.apps.values()]
    return 20 + packages.index(window.package) if window is not None and window.package in packages else 1


def activity(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    window = handset.top_activity()
    record = _activity_record(handset)
    package = window.package if window is not None else "null"
    return [
        "ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)",
        "Display #0 (activities from top to bottom):",
        f"  * Task{{{token(package)} #{_task(handset)} type=standard A={package} U=0 visible=true "
        "visibleRequested=true mode=fullscreen translucent=false sz=1}",
        "    mLastPausedActivity: null",
        f"    topResumedActivity={record}",
        f"    * Hist  #0: {record}",
        "",
        f"  ResumedActivity: {record}",
    ]


def window(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    shown = list(reversed(handset.windows()))
    lines = ["WINDOW MANAGER WINDOWS (dumpsys window windows)"]
    for index, one in enumerate(shown):
        lines += [f"  Window #{index} {_window(one)}:", f"    mDisplayId=0 package={one.package}", ""]
    focused = handset.focused()
    lines.append(f"  mCurrentFocus={_window(focused) if focused is not None else 'null'}")
    lines.append(f"  mFocusedApp={_activity_record(handset)}")
    return lines


def _window(one: Window) -> str:
    return f"Window{{{token(one.title)} u0 {one.title}}}"


def package(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    wanted = [app for app in handset.apps.values() if not args or app.package == args[0]]
    other = device.other_packages().get(args[0]) if args else None
    if other is not None:
        return ["Packages:", f"  Package [{args[0]}] ({token(args[0])}):", f"    versionName={other}", f"    {_USABLE}"]
    if not wanted:
        return [f"Unable to find package: {args[0]}"]
    return ["Packages:", *(line for app in wanted for line in _package(handset, app, device))]


def _package(handset: Handset, app: VirtualApp, device: DeviceFacts) -> list[str]:
    stopped = "true" if app.package in handset.packages.stopped else "false"
    state = device.user_state(app.package)
    return [
        f"  Package [{app.package}] ({token(app.package)}):",
        f"    appId={uid_of(handset, app.name)}",
        f"    pkg=Package{{{token('pkg', app.package)} {app.package}}}",
        f"    codePath=/data/app/~~lab/{app.package}-lab",
        "    primaryCpuAbi=arm64-v8a",
        f"    versionCode={app.version_code} minSdk=28 targetSdk=35",
        f"    versionName={handset.packages.version(app)}",
        f"    signatures=PackageSignatures{{{token('sig', app.package)} version:2, "
        f"signatures:[{token('cert', app.package)}], past signatures:[]}}",
        "    pkgFlags=[ HAS_CODE ALLOW_CLEAR_USER_DATA ]",
        f"    lastUpdateTime={_INSTALLED}",
        f"    User 0: ceDataInode=0 installed={state['installed']} hidden={state['hidden']} "
        f"suspended={state['suspended']} distractionFlags=0 stopped={stopped} notLaunched=false "
        f"enabled={state['enabled']} instant=false virtual=false",
        f"      firstInstallTime={_INSTALLED}",
        "      runtime permissions:",
        *(f"        android.permission.{name}: granted=true, flags=[ USER_SET]" for name in PERMISSIONS),
    ]


ARGUMENTS: Mapping[str, Sequence[str]] = {
    "notification": ("--noredact",),
    "activity": ("activities",),
    "netstats": ("--poll", "--uid"),
    "window": ("windows",),
}

SERVICES: Mapping[str, Service] = {
    "audio": audio,
    "telecom": telecom,
    "media.camera": camera,
    "notification": notification,
    "activity": activity,
    "window": window,
    "package": package,
    "display": display,
    "battery": battery,
    "thermalservice": thermalservice,
    "connectivity": connectivity,
    "netstats": netstats,
    "telephony.registry": telephony_registry,
}
