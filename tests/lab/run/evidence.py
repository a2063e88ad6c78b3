"""Evidence of a call as two phones would hold it, made by hand; instants are seconds of the controller's clock."""

from dataclasses import dataclass, field, replace

from lab.phone.witnesses.facts import (
    CameraEvent,
    LogEvent,
    Look,
    ModeChange,
    RecorderEvent,
    SimState,
    Since,
    TelecomCall,
    TelecomEvent,
)
from lab.run.heard import Act, Shape, SideEvidence
from lab.run.judging import judge
from lab.run.limits import DEFAULT

APP, OTHER_APP, UID = "com.whatsapp", "com.snapchat.android", 10234
PIDS = {"caller": 2001, "callee": 2002}
EPOCH_S = 1_767_225_600
OFFSETS_S = {"caller": 2.4, "callee": -1.1}
BOUND_S = 0.02
LIMITS = {"caller": DEFAULT, "callee": DEFAULT}
IDLE_SIM = (SimState(0, 0),)
NORMAL, RINGTONE, TALK = "MODE_NORMAL", "MODE_RINGTONE", "MODE_IN_COMMUNICATION"


def ns(seconds):
    return round((EPOCH_S + seconds) * 1e9)


@dataclass
class Phone:
    """One phone's records; what is appended is stamped by the phone's clock."""

    role: str
    offset_s: float
    uid: int | None = UID
    modes: list = field(default_factory=list)
    recorders: list = field(default_factory=list)
    cameras: list = field(default_factory=list)
    cameras_open: tuple = ()
    calls: list = field(default_factory=list)
    sims: tuple = IDLE_SIM
    events: list = field(default_factory=list)
    looks: list = field(default_factory=list)
    app_bytes: int | None = 400_000
    bound_s: float = BOUND_S

    def stamp(self, at_s):
        return ns(at_s + self.offset_s)

    def mode(self, at_s, mode, requester=APP, pid=None):
        own = PIDS[self.role]
        pid = pid or (own if requester == APP else 1001)
        owner = 0 if mode == NORMAL else own if requester in (APP, "android") else pid
        self.modes.append(ModeChange(self.stamp(at_s), mode, requester, pid, owner))

    def record(self, begin_s, end_s, source="VOICE_COMMUNICATION", package=APP, uid=UID, riid=9255, begins="start"):
        events = [(begins, begin_s), ("stop", end_s), ("release", end_s)]
        self.recorders += [
            RecorderEvent(self.stamp(at_s), event, riid, uid, source, package)
            for event, at_s in events
            if event is not None and at_s is not None
        ]

    def camera(self, begin_s, end_s, device="1", package=APP):
        for event, at_s in (("CONNECT", begin_s), ("DISCONNECT", end_s)):
            if at_s is not None:
                whole = self.stamp(at_s) // 10**9 * 10**9
                self.cameras.append(CameraEvent(whole, event, device, package))

    def call(self, *events, cause, incoming=None, number=7, package=APP, self_managed=True):
        told = tuple(TelecomEvent(self.stamp(at_s), event, "") for event, at_s in events)
        incoming = self.role == "callee" if incoming is None else incoming
        self.calls.append(TelecomCall(number, self_managed, incoming, package, told, cause))

    def posted(self, at_s, package=APP, category="call"):
        text = f"Notification(channel=calls flags=0x62 category={category} actions=2 vis=PRIVATE)"
        fields = (str(UID), "21272", package, "23", "NULL", "0", text, "0")
        self.events.append(LogEvent(self.stamp(at_s), "notification_enqueue", fields))

    def log(self, at_s, tag, *fields):
        self.events.append(LogEvent(self.stamp(at_s), tag, fields))

    def look(self, at_s, state, in_front=True, sims=IDLE_SIM):
        seen = Look(ns(at_s), state, in_front, sims)
        self.looks.append(seen)
        return seen

    def since(self):
        def ordered(entries):
            return tuple(sorted(entries, key=lambda entry: entry.at_ns)) if isinstance(entries, list) else entries

        return Since(
            uid=self.uid,
            modes=ordered(self.modes),
            recorders=ordered(self.recorders),
            cameras=ordered(self.cameras),
            cameras_open=self.cameras_open,
            calls=tuple(self.calls) if isinstance(self.calls, list) else self.calls,
            sims=self.sims,
            events=ordered(self.events),
        )

    def evidence(self):
        looks = tuple(sorted(self.looks, key=lambda look: look.at_ns))
        return SideEvidence(
            APP, self.since(), round(self.offset_s * 1e9), round(self.bound_s * 1e9), looks, self.app_bytes
        )


@dataclass
class Call:
    """A whole trial: its shape, both phones, our acts."""

    shape: Shape
    caller: Phone
    callee: Phone
    acts: list
    limits: dict = field(default_factory=lambda: dict(LIMITS))

    @property
    def phones(self):
        return {"caller": self.caller, "callee": self.callee}

    @property
    def sides(self):
        return {role: phone.evidence() for role, phone in self.phones.items()}

    def judged(self):
        return judge(self.shape, self.sides, self.acts, self.limits)

    def act(self, verb):
        return next(act for act in self.acts if act.verb == verb)

    def change(self, verb, **changes):
        self.acts = [replace(act, **changes) if act.verb == verb else act for act in self.acts]


PLACED, RUNG, ANSWER, TALKS, END = 10.0, 12.0, 18.0, 19.0, 50.0


def a_call(answered=True, ended_by="caller", service="voice", end=None, telecom=False, x_end=0.5, y_end=0.7):
    """A call as it should be: placed at 10 s, rings at 12 s, answered at 18 s, over at 50 s, or at 16 s where nobody
    answers, or at 57 s where nobody does anything. `x_end` and `y_end` after the tap it ends on both phones."""
    end = end or (END if answered else 57.0 if ended_by == "system" else 16.0)
    phones = {role: Phone(role, OFFSETS_S[role]) for role in PIDS}
    call = Call(Shape(answered, ended_by, service), phones["caller"], phones["callee"], [])
    ends = {"caller": end + (x_end if ended_by != "callee" else y_end)}
    ends["callee"] = end + (x_end if ended_by == "callee" else y_end)
    _begins(call, ends)
    if answered:
        _talks(call, ends, service)
    _ends(call, end)
    if telecom:
        _registers(call, ends)
    return call


def _begins(call, ends):
    caller, callee = call.caller, call.callee
    before = {"caller": caller.look(9.8, "idle"), "callee": callee.look(9.7, "idle")}
    call.acts.append(Act("place_call", "caller", ns(PLACED), ns(PLACED + 0.2), ("tap description=Call",), before))
    callee.posted(RUNG + 0.1)
    caller.look(15.0, "outgoing")
    callee.look(15.1, "incoming")
    caller.mode(PLACED + 0.5, TALK)
    callee.mode(RUNG, RINGTONE)
    for role, phone in call.phones.items():
        phone.mode(ends[role] + (0.3 if call.shape.answered else 0), NORMAL)


def _talks(call, ends, service):
    caller, callee = call.caller, call.callee
    before = {"caller": caller.look(17.7, "outgoing"), "callee": callee.look(17.8, "incoming")}
    call.acts.append(Act("answer", "callee", ns(ANSWER), ns(ANSWER + 0.2), ("tap text=Answer",), before))
    callee.mode(ANSWER + 0.4, TALK)
    for role, phone in call.phones.items():
        phone.record(TALKS if role == "caller" else TALKS - 0.2, ends[role])
        for at_s in (25.0, 30.0, 35.0, 40.0):
            phone.look(at_s, "connected")
        if service == "video":
            phone.camera(TALKS + 0.4, ends[role] + 0.2)


def _ends(call, end):
    by, answered = call.shape.ended_by, call.shape.answered
    if by == "system":
        return
    states = ("connected", "connected") if answered else ("outgoing", "incoming")
    before = {"caller": call.caller.look(end - 0.4, states[0]), "callee": call.callee.look(end - 0.3, states[1])}
    verb = "hang_up" if answered else "cancel" if by == "caller" else "reject"
    call.acts.append(Act(verb, by, ns(end), ns(end + 0.2), ("tap description=End",), before))


def _registers(call, ends):
    """Both apps tell Telecom of the call, too."""
    answered, by = call.shape.answered, call.shape.ended_by
    for role, phone in call.phones.items():
        begin = ("SET_DIALING", PLACED + 0.5) if role == "caller" else ("SET_RINGING", RUNG)
        active = [("SET_ACTIVE", TALKS - 0.5)] if answered else []
        cause = ("LOCAL" if answered or role == "caller" else "REJECTED") if role == by else "REMOTE"
        cause = "MISSED" if role == "callee" and not answered and by != "callee" else cause
        phone.call(("CREATED", begin[1]), begin, *active, ("SET_DISCONNECTED", ends[role]), cause=cause)
