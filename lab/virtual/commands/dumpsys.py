"""dumpsys of what a handset does: audio, telecom, notification, activity, window, package; and the table of services.

The texts follow what is publicly known of Android's own dumps, not what any reader of them looks for.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.commands.dumpsys_device import (
    DeviceFacts,
    battery,
    connectivity,
    display,
    telephony_registry,
    token,
    uid_of,
)
from lab.virtual.commands.netstats import netstats
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.windows import SHADE_ACTIVITY, SYSTEM_UI, Notification, Window

__all__ = ["DeviceFacts", "dumpsys"]

Service = Callable[[Handset, Sequence[str], DeviceFacts], list[str]]
"""The lines of one dump."""

_INSTALLED = "2025-09-01 09:00:00"
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


def _uid(handset: Handset, app: VirtualApp) -> int:
    return uid_of(handset, app.name)


def _pid(handset: Handset, app: VirtualApp) -> int:
    return 11_000 + 37 * list(handset.apps).index(app.name)


def _wall(at_ns: int, handset: Handset, device: DeviceFacts) -> datetime:
    """An instant of the bench by the device's clock."""
    return datetime.fromtimestamp((device.clock_ns() - (handset.world.now_ns - at_ns)) / 1e9, UTC)


def audio(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    view = handset.call
    lines = ["", "Stream volumes (device: index)", "- STREAM_VOICE_CALL:", "   Muted: false", "   Min: 1", "   Max: 7"]
    lines += ["", "Audio mode: ", f"- Requested mode = {handset.audio_mode}", f"- Actual mode = {handset.audio_mode}"]
    if view is not None and handset.audio_mode == "MODE_IN_COMMUNICATION":
        app = view.call.app
        owner = f"pid={_pid(handset, app)}, uid={_uid(handset, app)}, package={app.package}"
        lines += ["- Mode owner: ", f"   {owner}", "- Mode owner stack: ", f"   {owner}, mode={handset.audio_mode}"]
    else:
        lines += ["- Mode owner: ", "   None", "- Mode owner stack: ", "   Empty"]
    lines += ["", "Events log: phone state (logged after successful call to AudioSystem.setPhoneState(int, int))"]
    for change in handset.calls.audio_changes:
        at = _wall(change.at_ns, handset, device).strftime("%m-%d %H:%M:%S:%f")[:-3]
        lines.append(f"{at} setMode({change.mode}) from package={change.package} selected mode={change.mode}")
    return lines


def telecom(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Calls of apps that register themselves with Telecom; addresses are masked, as Android masks them."""
    view = handset.call
    call = ""
    if view is not None and view.call.app.telecom is not None:
        app, number = view.call.app, handset.exchange.calls.index(view.call) + 1
        state = {"outgoing": "DIALING", "incoming": "RINGING", "connected": "ACTIVE"}[view.state]
        account = f"ComponentInfo{{{app.package}/{app.telecom}}}, ***, UserHandle{{0}}"
        call = (
            f"[Call id=TC@{number}, state={state}, tpac={account}, cmgr=null, handle=tel:***, vidst=A, "
            "childs(0), has_parent(false), cap=[[]], prop=[[ self-mng]]], voip=true"
        )
    lines = ["CallsManager: ", "  mCalls: ", *([f"    {call}"] if call else []), "  mPendingCall: none"]
    lines += ["  mCallAudioManager:", "    All calls:", *([f"      {call}"] if call else [])]
    lines += ["    Active dialing, or connecting calls:", "    Ringing calls:", "    Holding calls:"]
    lines += ["  mTtyManager:", "    mCurrentTtyMode: 0", "Historical Events:"]
    return lines


def notification(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Posted notifications, newest first; texts only with --noredact."""
    lines = ["Current Notification Manager state:", "  Notification List:"]
    for posted in reversed(handset.notifications):
        lines += _record(posted, _uid(handset, posted.app), "--noredact" in args)
    return [*lines, "  ", "  mUseAttentionLight=false", "  mInCallStateOffHook=false"]


def _record(posted: Notification, uid: int, plain: bool) -> list[str]:
    package = posted.package
    category = "call" if posted.call is not None else "missed_call"
    identity = token(package, str(posted.id), str(posted.posted_ns))
    lines = [
        f"    NotificationRecord(0x{identity}: pkg={package} user=UserHandle{{0}} id={posted.id} tag=null importance=4 "
        f"key=0|{package}|{posted.id}|null|{uid}: Notification(channel={posted.channel} shortcut=null "
        f"contentView=null vibrate=null sound=null defaults=0x0 flags=0x62 color=0x00000000 category={category} "
        f"actions={len(posted.actions)} vis=PRIVATE))",
        f"      uid={uid} userId=0",
        f"      opPkg={package}",
        "      extras={",
        f"        android.title=String ({posted.title if plain else f'[length={len(posted.title)}]'})",
        f"        android.text=String ({posted.text if plain else f'[length={len(posted.text)}]'})",
        "      }",
    ]
    if posted.actions:
        lines.append("      actions={")
        for index, action in enumerate(posted.actions):
            intent = f"PendingIntent{{{token(identity, action)}: PendingIntentRecord{{{token(action)} {package}}}}}"
            lines.append(f'        [{index}] "{action}" -> {intent}')
        lines.append("      }")
    return lines


def _is_activity(window: Window | None) -> bool:
    return window is not None and (window.package, window.activity) != (SYSTEM_UI, SHADE_ACTIVITY)


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
    title = f"{one.package}/{one.activity}" if _is_activity(one) else SHADE_ACTIVITY
    return f"Window{{{token(title)} u0 {title}}}"


def package(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    wanted = [app for app in handset.apps.values() if not args or app.package == args[0]]
    other = device.other_packages().get(args[0]) if args else None
    if other is not None:
        return ["Packages:", f"  Package [{args[0]}] ({token(args[0])}):", f"    versionName={other}"]
    if not wanted:
        return [f"Unable to find package: {args[0]}"]
    return ["Packages:", *(line for app in wanted for line in _package(handset, app, device))]


def _package(handset: Handset, app: VirtualApp, device: DeviceFacts) -> list[str]:
    stopped = "true" if app.package in handset.packages.stopped else "false"
    return [
        f"  Package [{app.package}] ({token(app.package)}):",
        f"    appId={_uid(handset, app)}",
        f"    pkg=Package{{{token('pkg', app.package)} {app.package}}}",
        f"    codePath=/data/app/~~lab/{app.package}-lab",
        "    primaryCpuAbi=arm64-v8a",
        f"    versionCode={app.version_code} minSdk=28 targetSdk=35",
        f"    versionName={app.version}",
        f"    signatures=PackageSignatures{{{token('sig', app.package)} version:2, "
        f"signatures:[{token('cert', app.package)}], past signatures:[]}}",
        "    pkgFlags=[ HAS_CODE ALLOW_CLEAR_USER_DATA ]",
        f"    lastUpdateTime={_INSTALLED}",
        f"    User 0: ceDataInode=0 installed=true hidden=false suspended=false stopped={stopped} enabled=0",
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
    "notification": notification,
    "activity": activity,
    "window": window,
    "package": package,
    "display": display,
    "battery": battery,
    "connectivity": connectivity,
    "netstats": netstats,
    "telephony.registry": telephony_registry,
}
