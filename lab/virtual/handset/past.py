"""Calls that a phone made before an attempt, days ago to minutes ago: its histories are never empty."""

from collections.abc import Sequence

from lab.definitions.virtual_app import VirtualApp
from lab.virtual.handset.audio import AudioMode
from lab.virtual.handset.history import History
from lab.virtual.handset.records import CALL_SOURCE, FRONT
from lab.virtual.handset.windows import LAUNCHER, LAUNCHER_ACTIVITY
from lab.virtual.world import World

_MINUTE_NS = 60_000_000_000
_APART_NS = 10 * _MINUTE_NS
"""Longer than the longest of them."""
_TOUCHED = f"Interaction with: 3247aff {LAUNCHER}/{LAUNCHER_ACTIVITY} (server), "
_MS = 1_000_000


def fill(history: History, world: World, name: str, apps: Sequence[VirtualApp], pid: int) -> None:
    """A few calls of the apps, all of an earlier process `pid`, and what the screen saw last."""
    if not apps:
        return
    chance = world.chance(f"past/{name}")
    for age in sorted(chance.sample(range(2, 2_880), chance.randrange(2, 6)), reverse=True):
        at_ns = world.started_ns - age * _APART_NS + chance.randrange(10_000) * _MS
        _call(history, chance.choice(apps), at_ns, chance.randrange(4, 500) * 1_000 * _MS, chance.randrange(4), pid)
    for minutes, tag, field in ((21, "screen_toggled", "1"), (20, "input_interaction", _TOUCHED)):
        history.log_event(tag, field, at_ns=world.started_ns - minutes * _MINUTE_NS)


def _call(history: History, app: VirtualApp, at_ns: int, lasts_ns: int, kind: int, pid: int) -> None:
    incoming, video = bool(kind & 1), bool(kind & 2)
    answered_ns, ended_ns = at_ns + 3_400 * _MS, at_ns + lasts_ns
    modes: list[tuple[int, AudioMode]] = [(answered_ns, "MODE_IN_COMMUNICATION"), (ended_ns, "MODE_NORMAL")]
    for when_ns, mode in [(at_ns, "MODE_RINGTONE"), *modes] if incoming else modes:
        history.mode(mode, app.package, pid, 0 if mode == "MODE_NORMAL" else pid, at_ns=when_ns)
    history.recorder("start", app.package, CALL_SOURCE, at_ns=answered_ns + 210 * _MS)
    history.recorder("stop", app.package, CALL_SOURCE, at_ns=ended_ns - 294 * _MS)
    history.recorder("release", app.package, CALL_SOURCE, at_ns=ended_ns - 294 * _MS)
    if video:
        history.camera("CONNECT", app.package, FRONT, at_ns=answered_ns)
        history.camera("DISCONNECT", app.package, FRONT, at_ns=ended_ns)
    if app.telecom is not None:
        entry = history.telecom(f"{app.package}/{app.telecom}", incoming=incoming, video=video, at_ns=at_ns)
        event = "SET_RINGING" if incoming else "SET_DIALING"
        history.telecom_event(entry, event, at_ns=at_ns + 40 * _MS)
        history.telecom_event(entry, "SET_ACTIVE", "active set explicitly", at_ns=answered_ns)
        history.telecom_over(entry, "REMOTE" if kind & 2 else "LOCAL", at_ns=ended_ns)
