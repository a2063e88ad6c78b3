"""What the phones themselves remember of one attempt: read before it and after it, and streamed meanwhile."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from correlate.dataset.clocks import ClockLine
from lab.definitions import App, Role
from lab.phone import netstats
from lab.phone.phone import Phone
from lab.phone.witnesses import events, reading
from lab.phone.witnesses.facts import Log, Missing, PhoneDate, Reading, Since
from lab.run import calibration, unproven
from lab.run.calibration import Measured
from lab.run.ending import end_of
from lab.run.heard import ENDING, ROLES, Sides
from lab.run.judging import SideEvidence
from lab.run.steps import Seen


@dataclass
class _Witness:
    """One phone's records before the attempt, and its stream of events."""

    uid: int | None
    before: Reading
    from_ns: int | None
    stream: events.EventsStream | None = None


@dataclass
class Witnesses:
    """The records of both phones, from the first reading on. All methods may raise `PhoneTrouble`."""

    phones: Mapping[Role, Phone]
    app: App
    _of: dict[Role, _Witness] = field(default_factory=dict)
    _streams: ExitStack = field(default_factory=ExitStack)
    _accounts: dict[Role, netstats.Account] = field(default_factory=dict)

    def begin(self) -> None:
        """The first reading: what is in the records by now is of no concern."""
        for role, phone in self.phones.items():
            before = reading.read(phone.device)
            from_ns = before.date.epoch_s * 1_000_000_000 if isinstance(before.date, PhoneDate) else None
            self._of[role] = _Witness(reading.uid_of(phone.device, self.app.package), before, from_ns)

    def stream(self) -> None:
        """Take the phones' events as they come from now on: their buffer may run over in a call."""
        for role, phone in self.phones.items():
            witness = self._of[role]
            if witness.from_ns is not None:
                witness.stream = events.EventsStream(phone.device, witness.from_ns)
                self._streams.callback(witness.stream.close)

    def drain(self) -> None:
        """Take the events that have come; waits for none."""
        for witness in self._of.values():
            if witness.stream is not None:
                witness.stream.drain()

    def take_account(self) -> None:
        """The app's bytes on each phone before the call."""
        self._accounts = self._accounts_now()

    def carried(self, *, may_be_none: bool) -> dict[Role, int]:
        """The app's bytes on each phone's captured network since then. Raises what `netstats.carried` does."""
        now = self._accounts_now()
        return {
            role: netstats.carried(phone.spec.name, self._accounts[role], now[role], may_be_none=may_be_none)
            for role, phone in self.phones.items()
        }

    def _accounts_now(self) -> dict[Role, netstats.Account]:
        return {role: netstats.take(phone.device, phone.spec, self.app) for role, phone in self.phones.items()}

    def end(self) -> dict[Role, Since]:
        """The last reading: what is in the records of both phones since the first one."""
        return {role: self._since(phone, self._of[role]) for role, phone in self.phones.items()}

    def evidence(self, seen: Seen, lines: Mapping[str, ClockLine], carried: Mapping[Role, int]) -> Sides:
        """All that is known of each side: the last reading, what was seen of it, by how much its clock is wrong by
        `lines`, and the app's bytes."""
        since = self.end()
        return {
            role: SideEvidence(
                package=self.app.package,
                since=since[role],
                offset_ns=lines[role].before.offset_ns,
                bound_ns=lines[role].bound_ns,
                looks=tuple(seen.looks[role]),
                app_bytes=carried[role],
            )
            for role in self.phones
        }

    def _since(self, phone: Phone, witness: _Witness) -> Since:
        log: Log | Missing = Missing("the phone's date cannot be read")
        if witness.stream is not None and witness.from_ns is not None:
            log = events.whole(phone.device, witness.stream, witness.from_ns)
        return reading.since(witness.before, reading.read(phone.device), witness.uid, log)

    def close(self) -> None:
        """End the streams."""
        self._streams.close()


def learnt(app: str, versions: Mapping[Role, tuple[str, str]], sides: Sides, seen: Seen) -> list[Measured]:
    """What a complete trial told of its phones, `versions` being name and version of the app by role."""
    act = next((act for act in reversed(seen.acts) if act.verb in ENDING), None)
    tap = None if act is None else (act.role, act.t0_ns)
    ends = {role: end_of(sides[role], seen.connected, None if act is None else act.t1_ns).at_ns for role in ROLES}
    missing = {role: unproven.missing(sides[role].since) for role in ROLES}
    rung_ns = end_of(sides["callee"], seen.connected, None).ring_ns if act is None and not seen.connected else None
    unanswered_s = None if rung_ns is None else rung_ns / 1e9
    return calibration.measured(app, versions, tap, ends, seen.rang_after_s, missing, unanswered_s)
