"""A call as the histories of one phone hold it: spans of the audio mode, of recorders and of cameras.

All instants are the phone's own clock. A span's begin is None where it was going on at the first reading, its end is
None where it was at the last.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from lab.phone.witnesses.facts import Missing, ModeChange, Modes, RecorderEvent, TelecomCall
from lab.run.heard import S, SideEvidence

TELECOM = "com.android.server.telecom"
RINGTONE, IN_COMMUNICATION, NORMAL = "MODE_RINGTONE", "MODE_IN_COMMUNICATION", "MODE_NORMAL"
CALLING = frozenset({RINGTONE, IN_COMMUNICATION})
TALKING = frozenset({"VOICE_COMMUNICATION", "VOICE_CALL"})
"""Sources of a recorder in a call; that of a voice message is MIC."""
REOPENED_NS = 2 * S
"""An app that opens its recorder again within this, with the audio mode kept, is in the same call."""
SILENT_NS = (5 * S + S // 2, 7 * S)
"""How long after it was asked for `android` takes a mode away from an owner that neither plays nor records."""
AT_ONCE_NS = 1 * S
"""An app that asks for such a mode again so soon, as it does once it is answered, has not ended a call and begun
another one meanwhile."""
NEAR_NS = 2 * S
"""How far a mode that Telecom asks for may lie from what it notes of the call."""
STAMP_NS = 1 * S
"""The camera service's log has whole seconds, so what it stamps was up to this much later."""


@dataclass(frozen=True)
class Span:
    """A stretch of time. `sure` is False where its end need not be that of the call: `android` takes the mode away from
    an owner that is `silent`, or dead, and another app's call takes it too.

    `rang_ns` is when it began to ring, `asked_ns` when the last of its modes was set.
    """

    begin_ns: int | None
    end_ns: int | None
    rang_ns: int | None = None
    asked_ns: int | None = None
    sure: bool = True
    silent: bool = False
    pid: int | None = None

    @property
    def first_ns(self) -> int:
        return -(1 << 63) if self.begin_ns is None else self.begin_ns

    @property
    def last_ns(self) -> int:
        return 1 << 63 if self.end_ns is None else self.end_ns

    def overlaps(self, first_ns: int, last_ns: int) -> bool:
        """Whether an instant lies in both, ends included; never where the other one ends before it begins."""
        return max(self.first_ns, first_ns) <= min(self.last_ns, last_ns)


Spans = tuple[Span, ...]


@dataclass(frozen=True)
class Audio:
    """What a phone's audio history holds of the app's calls: the spans of a call's `modes`, and the `talks` of its
    recorders. `unclear` says why what was taken for one call may be two."""

    modes: Spans | Missing
    talks: Spans | Missing
    unclear: str | None

    @property
    def calls(self) -> int:
        """How many calls there were at least; a span of the mode and one of a recorder that meet are one call."""
        modes, talks = known(self.modes), known(self.talks)
        return max(len(modes), len(talks), len(united((*modes, *talks), REOPENED_NS)))


def known(spans: Spans | Missing) -> Spans:
    """The spans; none where they cannot be read."""
    return () if isinstance(spans, Missing) else spans


def united(spans: Iterable[Span], gap_ns: int = 0) -> Spans:
    """Spans that overlap, or lie at most `gap_ns` apart, as one; in order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.first_ns):
        if found and span.first_ns <= found[-1].last_ns + gap_ns:
            end_ns = None if span.end_ns is None or found[-1].end_ns is None else max(span.end_ns, found[-1].end_ns)
            found[-1] = replace(found[-1], end_ns=end_ns)
        else:
            found.append(span)
    return tuple(found)


def is_own(side: SideEvidence) -> Callable[[RecorderEvent], bool]:
    """Whether a recorder is the app's: by its uid, by its package where the uid is not known."""
    if side.since.uid is None:
        return lambda event: event.package == side.package
    return lambda event: event.uid == side.since.uid


def own_calls(side: SideEvidence) -> tuple[TelecomCall, ...]:
    """The app's calls that Telecom knows; none where it cannot be asked."""
    calls = side.since.calls
    return () if isinstance(calls, Missing) else tuple(call for call in calls if call.package == side.package)


def own_pids(changes: Modes, package: str) -> frozenset[int]:
    """The processes by which the app asked for a mode."""
    return frozenset(change.pid for change in changes if change.requester == package and change.pid is not None)


def is_own_mode(change: ModeChange, side: SideEvidence, pids: frozenset[int]) -> bool:
    """Whether the mode after a change is the app's; one that Telecom set is, near a call that the app registered and
    far from all others that Telecom knows."""
    if change.requester == side.package or change.owner_pid in pids:
        return True
    calls = () if isinstance(side.since.calls, Missing) else side.since.calls
    near = {call.package for call in calls if _is_near(call, change.at_ns)}
    return change.requester == TELECOM and near == {side.package}


def _is_near(call: TelecomCall, at_ns: int) -> bool:
    times = [event.at_ns for event in call.events]
    return bool(times) and min(times) - NEAR_NS <= at_ns <= max(times) + NEAR_NS


def audio_of(side: SideEvidence) -> Audio:
    """The app's calls by the audio history of one phone."""
    recorders = side.since.recorders
    raw: Spans | Missing = (
        recorders
        if isinstance(recorders, Missing)
        else united(recorded(event for event in recorders if is_own(side)(event) and event.source in TALKING))
    )
    modes, why_modes = _modes(side, raw)
    talks, why_talks = _talks(side, raw)
    return Audio(modes, talks, why_modes or why_talks)


def _modes(side: SideEvidence, raw: Spans | Missing) -> tuple[Spans | Missing, str | None]:
    changes = side.since.modes
    if isinstance(changes, Missing):
        return changes, None
    pids = own_pids(changes, side.package)
    spans: list[Span] = []
    unclear: str | None = None
    for index, change in enumerate(changes):
        last = spans[-1] if spans else None
        is_on = last is not None and last.end_ns is None
        if change.mode in CALLING and is_own_mode(change, side, pids):
            why = None if is_on or last is None else _comes_back(last, change, side, pids, raw)
            if last is not None and (why is not None or (is_on and not _rings_anew(last, change))):
                spans[-1] = _goes_on(last, change)
                unclear = unclear or why or None
                continue
            if last is not None and is_on:
                spans[-1] = replace(last, end_ns=change.at_ns)
            rang_ns = change.at_ns if change.mode == RINGTONE else None
            spans.append(Span(change.at_ns, None, rang_ns, change.at_ns, pid=_pid(change)))
        elif last is not None and is_on:
            spans[-1] = _over(last, change, side)
        elif index == 0 and change.mode == NORMAL and change.requester == side.package:
            # Changes alone are logged: the app gives back what it had before the first reading.
            spans.append(Span(None, change.at_ns))
    return tuple(spans), unclear


def _rings_anew(span: Span, change: ModeChange) -> bool:
    """A call that was dialled or answered does not ring afterwards: that is the next one."""
    return change.mode == RINGTONE and span.rang_ns != span.asked_ns


def _goes_on(span: Span, change: ModeChange) -> Span:
    rang_ns = change.at_ns if span.rang_ns is None and change.mode == RINGTONE else span.rang_ns
    return replace(span, end_ns=None, sure=True, silent=False, rang_ns=rang_ns, asked_ns=change.at_ns)


def _over(span: Span, change: ModeChange, side: SideEvidence) -> Span:
    sure = change.mode == NORMAL and change.requester in (side.package, TELECOM)
    age_ns = 0 if span.asked_ns is None else change.at_ns - span.asked_ns
    silent = change.mode == NORMAL and not sure and SILENT_NS[0] <= age_ns <= SILENT_NS[1]
    return replace(span, end_ns=change.at_ns, sure=sure, silent=silent)


def _comes_back(
    span: Span, change: ModeChange, side: SideEvidence, pids: frozenset[int], raw: Spans | Missing
) -> str | None:
    """Whether a mode that was taken away comes back to the same call: "" where it does, why it may, None where not.

    Where the app did not ask for it again, its first request still holds. Where it did, it is the same call if that was
    at once, or if a recorder ran all the while.
    """
    if span.sure or span.end_ns is None:
        return None
    if change.requester != side.package and change.owner_pid in pids:
        return ""
    if span.silent and _pid(change) == span.pid and change.at_ns - span.end_ns <= AT_ONCE_NS:
        return ""
    if isinstance(raw, Missing):
        return "mode_came_back"
    if any(each.first_ns <= span.end_ns and change.at_ns <= each.last_ns for each in raw):
        return ""
    return None if _pid(change) != span.pid else "mode_came_back"


def _pid(change: ModeChange) -> int | None:
    """The process whose mode it is; builds that do not say so name the one that asked."""
    return change.pid if change.owner_pid is None else change.owner_pid


def _talks(side: SideEvidence, raw: Spans | Missing) -> tuple[Spans | Missing, str | None]:
    """The recorders' spans by call: an app opens its recorder again in a call, but does not give the mode back."""
    if isinstance(raw, Missing):
        return raw, None
    changes = side.since.modes
    found: list[Span] = []
    unclear: str | None = None
    for span in raw:
        if not found or span.first_ns - found[-1].last_ns >= REOPENED_NS:
            found.append(span)
        elif isinstance(changes, Missing):
            unclear, found[-1] = "recorder_reopened", replace(found[-1], end_ns=span.end_ns)
        elif any(
            change.mode == NORMAL
            and change.requester == side.package
            and found[-1].last_ns <= change.at_ns <= span.first_ns
            for change in changes
        ):
            found.append(span)
        else:
            found[-1] = replace(found[-1], end_ns=span.end_ns)
    return tuple(found), unclear


def recorded(events: Iterable[RecorderEvent]) -> Iterator[Span]:
    """When each recorder ran: from its `start` or first `update` to its `stop`, or its `release` where that is first.

    Builds leave out `start`. A `stop` without either is of a recorder that ran at the first reading; a `release`
    without a `stop` of one that did not run.
    """
    running: dict[int, int] = {}
    seen: set[int] = set()
    for event in events:
        if event.event in ("start", "update"):
            running.setdefault(event.riid, event.at_ns)
        elif event.riid in running:
            yield Span(running.pop(event.riid), event.at_ns)
        elif event.event == "stop" and event.riid not in seen:
            yield Span(None, event.at_ns)
        seen.add(event.riid)
    yield from (Span(begin_ns, None) for begin_ns in running.values())


def cameras_of(side: SideEvidence) -> Spans | Missing:
    """When the app had a camera, by stamps of whole seconds; one that was open at the first reading counts."""
    cameras = side.since.cameras
    if isinstance(cameras, Missing):
        return cameras
    held: dict[str, int | None] = {
        device: None for device, package in side.since.cameras_open if package == side.package
    }
    seen: set[str] = set()
    found: list[Span] = []
    for event in (event for event in cameras if event.package == side.package):
        if event.event == "CONNECT":
            held.setdefault(event.device, event.at_ns)
        elif event.device in held:
            found.append(Span(held.pop(event.device), event.at_ns))
        elif event.device not in seen:
            # A client that is evicted or dies disconnects as well, later.
            found.append(Span(None, event.at_ns))
        seen.add(event.device)
    return (*found, *(Span(begin_ns, None) for begin_ns in held.values()))
