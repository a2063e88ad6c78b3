"""dumpsys of what a phone remembers of calls: audio, telecom, media.camera, telephony.registry; and `appops`.

After AOSP (AudioService, EventLogger, RecordingActivityMonitor; Telecomm's Call, EventManager and Analytics;
CameraService; TelephonyRegistry) and after public dumps of phones, as collected in facts/witness.md.
"""

from collections.abc import Sequence
from datetime import datetime

from lab.virtual.commands.dumpsys_device import RADIO, DeviceFacts, local_time
from lab.virtual.handset.audio import Owner
from lab.virtual.handset.exchange import CallView
from lab.virtual.handset.handset import Handset
from lab.virtual.handset.history import CallEntry, CameraEntry, ModeEntry, RecorderEntry
from lab.virtual.handset.tokens import token

MODE_LOG = "phone state (logged after successful call to AudioSystem.setPhoneState(int, int))"
RECORDER_LOG = "recording activity received by AudioService"

_NEW_TITLE, _OLD_TITLE = "Events log: ", "Audio event log: "
_RINGING, _ACTIVE, _INCOMING = 1, 1, 5
_ACCESS_NS = 1_000_000


def sdk_of(device: DeviceFacts) -> int:
    emulation = device.spec.emulation
    return emulation.sdk if emulation is not None else 36


def wall(at_ns: int, device: DeviceFacts) -> datetime:
    """An instant of the bench by the device's wall clock, to the millisecond."""
    emulation = device.spec.emulation
    return local_time(device.clock_at(at_ns), emulation.utc_offset_minutes if emulation is not None else 0)


def _stamp(at_ns: int, device: DeviceFacts) -> str:
    """As EventLogger prints it: `05-08 16:27:49:267`."""
    return wall(at_ns, device).strftime("%m-%d %H:%M:%S:%f")[:-3]


# -- audio


def audio(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    now = handset.audio
    lines = ["", "Stream volumes (device: index)", "- STREAM_VOICE_CALL:", "   Muted: false", "   Min: 1", "   Max: 7"]
    requested = now.stack[-1].mode if now.stack else "MODE_NORMAL"
    lines += ["", "Audio mode: ", f"- Requested mode = {requested}", f"- Actual mode = {now.mode}", "- Mode owner: "]
    lines += _owner(handset, now.owner) if now.owner is not None else ["   None"]
    lines.append("- Mode owner stack: ")
    for number, one in enumerate(now.stack, 1):
        lines += [f"  Requester # {number}:", *_owner(handset, one)]
    lines += [] if now.stack else ["   Empty"]
    # The two logs had different titles in one public dump of Android 12 or 13, and the same later.
    mixed = sdk_of(device) <= 33
    lines += ["", "", "Event logs:", _NEW_TITLE + MODE_LOG]
    lines += _ordered(handset, [_mode(entry, device) for entry in handset.history.modes])
    lines += ["", "RecordActivityMonitor dump time: " + wall(handset.world.now_ns, device).strftime("%H:%M:%S")]
    lines += _recorders(handset)
    lines += ["", "", (_OLD_TITLE if mixed else _NEW_TITLE) + RECORDER_LOG]
    lines += _ordered(handset, [_recorder(entry, handset, device) for entry in handset.history.recorders])
    return [*lines, "", "AudioDeviceBroker:", "  Message handler (watch for unhandled messages):"]


def _ordered(handset: Handset, lines: list[str]) -> list[str]:
    return lines[::-1] if "newest_first" in handset.disorders else lines


def _owner(handset: Handset, one: Owner) -> list[str]:
    recording = any(package == one.package for package, _ in handset.history.recording)
    return [
        f"  - Mode: {one.mode}",
        f"  - Binder: {int(token(one.package, str(one.pid)), 16)}",
        f"  - Pid: {one.pid}",
        f"  - Uid: {handset.packages.uid(one.package)}",
        f"  - Package: {one.package}",
        f"  - Privileged: {str(one.privileged).lower()}",
        f"  - Active: {str(one.active).lower()}",
        "    Playback active: false",
        f"    Recording active: {str(recording).lower()}",
    ]


def _mode(entry: ModeEntry, device: DeviceFacts) -> str:
    asked = f"setMode({entry.mode}) from package={entry.package} pid={entry.pid}"
    return f"{_stamp(entry.at_ns, device)} {asked} selected mode={entry.mode} by pid={entry.owner_pid}"


def _recorder(entry: RecorderEntry, handset: Handset, device: DeviceFacts) -> str:
    return (
        f"{_stamp(entry.at_ns, device)} rec {entry.event} riid:{entry.riid} uid:{handset.packages.uid(entry.package)} "
        f"session:{entry.session} src:{entry.source} not silenced pack:{entry.package}"
    )


def _recorders(handset: Handset) -> list[str]:
    """The recorders that are there now."""
    lines = []
    for (package, source), (riid, session) in handset.history.recording.items():
        lines.append(f"riid {riid}; active? true")
        lines.append(
            f"  session:{session} -- source client={source}, dev={source} -- uid:{handset.packages.uid(package)} "
            f"-- patch:18 -- pack:{package} -- format client=ENCODING_PCM_16BIT"
        )
    return lines


# -- telecom


def telecom(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Calls of apps that register themselves with Telecom, and those of the SIM; addresses are masked."""
    view, entry = handset.call, handset.records.entry
    calls = [_call_now(view, entry)] if view is not None and entry is not None else []
    if (sim := handset.records.sim_call) is not None:
        calls.append(_sim_now(sim, handset.sim_state))
    lines = ["CallsManager: ", "  mCalls: ", *(f"    {call}" for call in calls), "  mPendingCall: none"]
    lines += ["  mCallAudioManager:", "    All calls:", *(f"      {call}" for call in calls)]
    lines += ["    Active dialing, or connecting calls:", "    Ringing calls:", "    Holding calls:"]
    lines += ["  mTtyManager:", "    mCurrentTtyMode: 0", "Analytics:"]
    known = _known(handset)
    for each in known:
        lines += _analytics(each, device)
    lines += ["Historical Events:"]
    for each in known:
        lines += _events(each, handset, device)
    return lines


def _known(handset: Handset) -> list[CallEntry]:
    calls = list(handset.history.calls)
    return calls[::-1] if "newest_first" in handset.disorders else calls


def _call_now(view: CallView, entry: CallEntry) -> str:
    state = {"outgoing": "DIALING", "incoming": "RINGING", "connected": "ACTIVE"}[view.state]
    account = f"ComponentInfo{{{entry.component}}}, ***, UserHandle{{0}}"
    return (
        f"[Call id=TC@{entry.number}, state={state}, tpac={account}, cmgr=null, handle=tel:***, vidst=A, "
        "childs(0), has_parent(false), cap=[[]], prop=[[ self-mng]]], voip=true"
    )


def _sim_now(entry: CallEntry, state: int) -> str:
    return (
        f"[Call id=TC@{entry.number}, state={'RINGING' if state == _RINGING else 'ACTIVE'}, "
        f"tpac=ComponentInfo{{{entry.component}}}, ***, UserHandle{{0}}, cmgr=null, handle=tel:***, vidst=A, "
        "childs(0), has_parent(false), cap=[[]], prop=[[]]], voip=false"
    )


def _analytics(entry: CallEntry, device: DeviceFacts) -> list[str]:
    ended_ns = entry.events[-1][0] if entry.cause is not None else None
    return [
        f"  Call TC@{entry.number}: {{",
        f"    startTime: {device.clock_at(entry.created_ns) // 1_000_000}",
        f"    endTime: {device.clock_at(ended_ns) // 1_000_000 if ended_ns is not None else 0}",
        f"    direction: {'INCOMING' if entry.incoming else 'OUTGOING'}",
        "    isAdditionalCall: false",
        "    isInterrupted: false",
        f"    callTerminationReason: {_cause(entry.cause) if entry.cause is not None else 'null'}",
        f"    isVideoCall: {str(entry.video).lower()}",
        "  }",
    ]


def _cause(code: str) -> str:
    return f"DisconnectCause [ Code: ({code}) Label: () Description: () Reason: () Tone: (-1) ]"


def _events(entry: CallEntry, handset: Handset, device: DeviceFacts) -> list[str]:
    managed = "SelfMgd Call" if entry.self_managed else "Call"
    created = wall(entry.created_ns, device)
    date = f"{created:%b} {created.day}, {created.year} {created.hour % 12 or 12}:{created:%M:%S %p}"
    way = "MT - incoming" if entry.incoming else "MO - outgoing"
    user = "(User=UserHandle{0})" if sdk_of(device) >= 34 else ""
    label = next((app.label for app in handset.apps.values() if entry.component.startswith(app.package + "/")), "SIM")
    lines = [
        f"  {managed}TC@{entry.number} [{date}]({way}){user}",
        f"  \t>>>Target PhoneAccount: ComponentInfo{{{entry.component}}}, [***] ({label})",
        "  \tTo address: sip:***********00 Presentation: Allowed",
    ]
    for number, (at_ns, event, data) in enumerate(entry.events):
        at = wall(at_ns, device).strftime("%H:%M:%S.%f")[:-3]
        lines.append(f"    {at} - {event}{f' ({data})' if data else ''}:CSW.{token(event)[:3]}@A{number:02d}")
    return lines


# -- the camera service


def camera(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Its log has the most recent event at the top, whatever else is out of order."""
    lines = ["== Service global info: ==", "", "Number of camera devices: 2", "Number of normal camera devices: 2"]
    lines += ['    Device 0 maps to "0"', '    Device 1 maps to "1"', "Active Camera Clients:", "[]"]
    lines += ["Allowed user IDs: 0", "", "== Camera service events log (most recent at top): =="]
    events = [_camera(entry, device) for entry in reversed(handset.history.cameras)]
    if "folded_camera" in handset.disorders:
        events = list(dict.fromkeys(events))
    boot = wall(handset.world.started_ns - 40 * 86_400_000_000_000, device)
    events += [f"  {boot:%m-%d %H:%M:%S} : ADD device {number}, reason: (Device added)" for number in (1, 0)]
    return [*lines, *events, "", "== Camera device 0 dynamic info: ==", "  Device 0 is closed, no client instance"]


def _camera(entry: CameraEntry, device: DeviceFacts) -> str:
    at = wall(entry.at_ns, device).strftime("%m-%d %H:%M:%S")
    return f"  {at} : {entry.event} device {entry.device} client for package {entry.package} (PID {entry.pid})"


# -- the telephony registry


def telephony_registry(handset: Handset, args: Sequence[str], device: DeviceFacts) -> list[str]:
    """Each SIM by itself; a call of the SIM is on the last one."""
    emulation = device.spec.emulation
    count = emulation.sims if emulation is not None else 1
    lines = ["last known state:"]
    for number in range(count):
        lines += _sim(number, handset.sim_state if number == count - 1 else 0, device)
    return [*lines, "local logs:"]


def _sim(number: int, state: int, device: DeviceFacts) -> list[str]:
    emulation = device.spec.emulation
    operator = emulation.operator if emulation is not None else None
    technology, network = RADIO.get(device.spec.network, ("0(Unknown)", "UNKNOWN"))
    registered = "0(IN_SERVICE)" if operator is not None else "1(OUT_OF_SERVICE)"
    return [
        f"  Phone Id={number}",
        f"    mCallState={state}",
        f"    mRingingCallState={_INCOMING if state == _RINGING else 0}",
        f"    mForegroundCallState={_ACTIVE if state > _RINGING else 0}",
        "    mBackgroundCallState=0",
        "    mCallIncomingNumber=",
        f"    mServiceState={{mVoiceRegState={registered}, mDataRegState={registered}, "
        f"mOperatorAlphaLong={operator}, mOperatorAlphaShort={operator}, isManualNetworkSelection=false(automatic),"
        f" getRilVoiceRadioTechnology={technology}, getRilDataRadioTechnology={technology}, "
        "mCssIndicator=unsupported}",
        f"    mTelephonyDisplayInfo=TelephonyDisplayInfo {{network={network}, overrideNetwork=NONE, isRoaming=false}}",
    ]


# -- appops


def recorded_audio(handset: Handset, package: str) -> str:
    """What `cmd appops get PACKAGE RECORD_AUDIO` says: the last use alone."""
    entries = [entry for entry in handset.history.recorders if entry.package == package]
    if not entries:
        return "RECORD_AUDIO: allow"
    last = [entry for entry in entries if entry.riid == entries[-1].riid]
    now_ns = handset.world.now_ns
    text = f"RECORD_AUDIO: allow; time={_duration(now_ns - last[0].at_ns)} ago"
    if any(riid == last[0].riid for riid, _ in handset.history.recording.values()):
        return f"{text} (RUNNING)"
    return f"{text}; duration={_duration(last[-1].at_ns - last[0].at_ns)}"


def _duration(span_ns: int) -> str:
    """TimeUtils.formatDuration: `+1m3s5ms`."""
    milliseconds = span_ns // _ACCESS_NS
    days, rest = divmod(milliseconds, 86_400_000)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, rest = divmod(rest, 1_000)
    parts = zip((days, hours, minutes, seconds, rest), ("d", "h", "m", "s", "ms"), strict=True)
    return "+" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0ms")
