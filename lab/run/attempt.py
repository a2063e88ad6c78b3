"""One trial: the five steps of the paper's section 3.2, with proof at each.

Wake and identify the phones, record addresses and clock offsets, open the chat, start both captures and prove that they
are live, stay idle and measure the noise, mark, run the scenario, mark, drain, stop, pull, verify, offsets again.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from correlate import markers
from correlate.dataset import documents
from correlate.dataset.clocks import ClockLine, Offset
from correlate.dataset.record import SCHEMA, Asked, Markers, Observed, TrialRecord, stepped
from lab.bench.bench import Bench
from lab.capture.counters import Counters
from lab.capture.protocol import DRAIN_S, Capture
from lab.clocks import capture_clocks
from lab.clocks.bench_time import wait_until
from lab.clocks.capture_clocks import Burst, Sent
from lab.clocks.offsets import measure_offset
from lab.definitions import App, PlannedTrial, Role
from lab.errors import AttemptVoid, BadInput, LabError, PhoneTrouble
from lab.phone.phone import Phone
from lab.run import calibration, introductions, limits
from lab.run.events import Clean, EventLog, as_it_is
from lab.run.heard import ROLES
from lab.run.judging import Shape, judge, refused
from lab.run.leaving import Boots, keep_evidence, leave_idle, refuse_unknown, refused_by_callee
from lab.run.policy import Policy
from lab.run.recorded import Identified, Stored, identified, side, while_captured
from lab.run.steps import VERBS, Stage
from lab.run.storing import stored
from lab.run.witnessed import Witnesses, learnt

NOISY_RESTARTS = 3
MARKER_SEEN_S = 5.0


class Attempt:
    """One attempt at one trial, writing into one folder.

    `run` returns what it wrote into trial.json when everything in the folder is verified; otherwise it raises
    `AttemptVoid` or a `BenchUnhealthy` and leaves evidence in the folder. On every way out phones are hung up and
    captures stopped. `policy` says what a witness may void (without one: all it can), `clean` what may be written;
    `placing` is called before the call is placed; `versions` gets the app's version on each phone before anything is
    done with it, and may void the attempt.
    """

    def __init__(
        self,
        bench: Bench,
        item: PlannedTrial,
        seed: int,
        number: int,
        folder: Path,
        show: Callable[[str], None],
        policy: Policy | None = None,
        clean: Clean = as_it_is,
        placing: Callable[[], None] = lambda: None,
        versions: Callable[[Mapping[str, str]], None] = lambda found: None,
    ) -> None:
        self._bench, self._item, self._seed, self._number, self._folder = bench, item, seed, number, folder
        self._policy, self._clean = policy or Policy(flags=False), clean
        self._placing, self._require_versions = placing, versions
        trial, self._pair = item.trial, introductions.pair_of(bench.spec, item.trial)
        self._phones: dict[Role, Phone] = {
            "caller": bench.phones[self._pair[1]],
            "callee": bench.phones[self._pair[2]],
        }
        self._app: App = bench.lab.apps[trial.app]
        self._scenario = bench.lab.scenarios[trial.scenario]
        self._drawn = self._scenario.draw(random.Random(f"{seed}/{trial.id}/{number}/drawn"))
        self._nonce = f"{random.Random(f'{seed}/{trial.id}/{number}/nonce').getrandbits(64):016x}"
        self._markers = Markers(address=markers.ADDRESS, port=markers.PORT, nonce=self._nonce)
        self._live_ns: dict[Role, int] = {}
        self._boots = Boots()
        self._evidence_kept = False
        self._sent: dict[Role, dict[str, Sent]] = {role: {} for role in ROLES}
        self._bursts: dict[Role, dict[str, Burst]] = {role: {} for role in ROLES}
        self._log = EventLog(folder / "events.jsonl", bench.clock, show, clean)
        self._witnesses = Witnesses(self._phones, self._app)

    def run(self, truth: Path) -> TrialRecord:
        """The whole attempt; `truth` is where a virtual bench leaves what really happened."""
        began = kept = False
        try:
            self._bench.begin(self._item, self._seed, self._number)
            began = True
            record = self._procedure()
            refuse_unknown(self._bench.kind.end(truth))
            kept = True
            calibration.learn(self._bench.lab, self._bench.spec, self._learnt)
            return record
        except AttemptVoid as void:
            # Only now no phone is in a call and no capture runs.
            refusal = refused_by_callee(void, self._phones["callee"], self._app, self._log.note) if began else None
            raise void if refusal is None else refusal from void
        finally:
            with contextlib.ExitStack() as last:  # each is done, whatever becomes of the others
                last.callback(self._log.close)
                last.callback(self._witnesses.close)
                last.enter_context(self._bench.stop.held())
                last.enter_context(contextlib.suppress(LabError))
                if not kept:
                    last.callback(self._bench.kind.end, None)
                if began and not kept:
                    self._leave_idle()

    def _procedure(self) -> TrialRecord:
        bench, started_ns = self._bench, stepped(self._bench.clock.now_ns())
        try:
            self._witnesses.begin()
            phones = self._both_identified()
            self._limits = {
                role: limits.of(bench.lab, bench.spec, name, self._app.name, version)
                for role, (name, version) in self._versions.items()
            }
            compared = self._offsets()
            self._open_chat()
            captures, restarts, noise = self._captures_in_quiet()
            with self._stopped_on_every_way_out(captures):
                phones = {role: while_captured(phones[role], self._phones[role]) for role in ROLES}
                self._witnesses.take_account()
                stage = self._call(captures)
                carried = self._witnesses.carried(may_be_none=self._scenario.shape.rang is None)
                counters = {role: self._stop(role, captures[role]) for role in ROLES}
                stored = {role: self._store(role, captures[role], counters[role], phones[role]) for role in ROLES}
            measured = self._offsets()
            lines = {who: ClockLine(compared[who], measured[who]) for who in compared}
            lines |= {f"{role}_capture": self._capture_clock(role, stored[role], lines) for role in ROLES}
            stamped = {role: self._stamped_by(role, stored[role], lines) for role in ROLES}
            for who in stamped.values():
                capture_clocks.without_step(who, lines[who])
            observed = self._observed(stage, lines, carried)
        except (AttemptVoid, PhoneTrouble) as error:
            self._keep_evidence()
            self._boots.explain(error)
            raise
        record = TrialRecord(
            schema_number=SCHEMA,
            trial=self._item.trial.id,
            attempt=self._number,
            asked=self._asked(),
            outcome="completed",
            observed_scenario=self._item.trial.scenario,
            observed=observed,
            limits=self._limits,
            revision=self._item.revision,
            sides={role: side(phones[role], stored[role], stamped[role], carried[role]) for role in ROLES},
            markers=self._markers,
            started_ns=started_ns,
            clocks={who: line.recorded() for who, line in lines.items()},
            capture_restarts=restarts,
            noise_bytes_per_s=noise,
            ended_ns=self._bench.clock.now_ns(),
        )
        documents.write(self._folder / "trial.json", documents.cleaned(record, self._clean))
        return record

    def _asked(self) -> Asked:
        phones = {role: phone.spec.name for role, phone in self._phones.items()}
        return Asked(**asdict(self._item.trial), **phones, **asdict(self._drawn))

    def _both_identified(self) -> dict[Role, Identified]:
        phones = {role: self._identify(self._phones[role]) for role in ROLES}
        self._versions = {role: (phone.spec.name, phone.app_version) for role, phone in phones.items()}
        self._require_versions(dict(self._versions.values()))
        return phones

    def _identify(self, phone: Phone) -> Identified:
        self._log.note("identify", phone=phone.spec.name)
        self._boots.identify(phone)
        return identified(phone, self._app, self._bench.spec.stun_servers)

    def _offsets(self) -> dict[str, Offset]:
        self._log.note("clocks")
        clock, offsets = self._bench.clock, dict[str, Offset]()
        for role in ROLES:
            phone = self._phones[role]
            offsets[role] = measure_offset(clock, phone.device.read_clock_ns, whose=f"the clock of {phone.spec.name}")
        laptop = measure_offset(clock, self._bench.laptop.read_clock_ns, whose="the laptop's clock")
        return offsets | {"laptop": laptop}

    def _capture_clock(self, role: Role, stored: Stored, lines: dict[str, ClockLine]) -> ClockLine:
        """What stamped the capture of one side."""
        machine = lines[stored.machine]
        note = partial(self._log.note, role=role)
        path, bursts = self._folder / stored.file, self._bursts[role]
        line = capture_clocks.capture_clock(path, self._markers, role, self._sent[role], bursts, machine, note)
        if capture_clocks.differs(line, machine):
            by_ns = line.before.offset_ns - machine.offset_ns(line.before.at_ns)
            self._log.note("capture_clock_differs", role=role, by_ns=by_ns, bound_ns=line.bound_ns)
        return line

    def _stamped_by(self, role: Role, stored: Stored, lines: dict[str, ClockLine]) -> str:
        """The clock by which a capture's times are read: its machine's system clock, or its own if that is another."""
        own = f"{role}_capture"
        is_other = capture_clocks.differs(lines[own], lines[stored.machine])
        return own if stored.timestamps == capture_clocks.OWN_STAMPS or is_other else stored.machine

    def _open_chat(self) -> None:
        callee = self._phones["callee"].spec
        contact = callee.address_in(self._app.name)
        if contact is None or contact not in self._bench.spec.allowed_callees:
            raise BadInput(f"the contact of {callee.name} is not in allowed_callees; nobody was called")
        self._log.note("open_chat")
        self._phones["caller"].open_chat(self._app, contact, callee.title_in(self._app.name))

    def _captures_in_quiet(self) -> tuple[dict[Role, Capture], int, dict[str, float]]:
        """Both captures live, after an idle time that was quiet enough (paper 3.2, step 3)."""
        limit = self._bench.spec.noise_max
        for restarts in range(1 + NOISY_RESTARTS):
            captures = self._live_captures()
            try:
                noise = self._noise(captures)
            except BaseException:
                self._discard(captures)
                raise
            if max(noise.values()) <= limit:
                return captures, restarts, noise
            self._log.note("too_loud", noise_bytes_per_s=noise)
            self._discard(captures)
        raise AttemptVoid("noisy", f"more than {limit} bytes/s of background after {NOISY_RESTARTS} restarts: {noise}")

    def _live_captures(self) -> dict[Role, Capture]:
        name = f"{self._item.trial.id}.{self._number}"
        captures = {role: self._bench.new_capture(self._phones[role], self._app, f"{name}.{role}") for role in ROLES}
        try:
            for role, capture in captures.items():
                capture.start()
                self._live_ns[role] = self._bench.clock.now_ns()
                self._log.note("capture_ready", role=role, interface=capture.interface)
            self._mark("live", captures)
        except BaseException:
            self._discard(captures)
            raise
        return captures

    def _noise(self, captures: dict[Role, Capture]) -> dict[str, float]:
        idle_s = self._bench.spec.idle_s
        self._log.note("idle", seconds=idle_s)
        before = {role: capture.size_bytes() for role, capture in captures.items()}
        self._bench.clock.sleep(idle_s)
        growth = {role: captures[role].size_bytes() - before[role] for role in ROLES}
        return {role: round(bytes_ / idle_s, 1) if idle_s else 0.0 for role, bytes_ in growth.items()}

    def _mark(self, kind: str, captures: dict[Role, Capture]) -> None:
        """Have each phone send a marker and see it in the capture of its side."""
        text = markers.text(self._nonce, kind)
        for role in ROLES:
            from_ns = self._bench.clock.now_ns()
            self._phones[role].send_marker(text)
            self._sent[role][kind] = Sent(from_ns, self._bench.clock.now_ns())
        for role, capture in captures.items():
            if not wait_until(self._bench.clock, lambda capture=capture: capture.holds(text), MARKER_SEEN_S):  # type: ignore[misc]
                where = f"{capture.tool} on {capture.interface}"
                raise AttemptVoid("marker_not_captured", f"the {role}'s {kind} marker is not in the capture of {where}")
        self._log.note(f"marked_{kind}")

    def _stamp(self, kind: str, captures: dict[Role, Capture]) -> None:
        """Have the laptop send what its capture stamps, outside of the window between the markers."""
        for role, capture in captures.items():
            burst = self._bench.stamp(capture.lease, markers.stamp_text(self._nonce, kind))
            if burst is not None:
                self._bursts[role][kind] = burst

    def _call(self, captures: dict[Role, Capture]) -> Stage:
        self._stamp("begin", captures)
        self._mark("begin", captures)
        self._witnesses.stream()
        stage = Stage(
            self._phones, self._app, self._item.trial.service, self._drawn, self._bench.clock, self._log.note,
            self._witnesses.drain, introductions.ring_limit_s(self._bench.lab, self._bench.spec, *self._pair),
            placing=self._placing,
        )  # fmt: skip
        self._run_steps(stage)
        self._mark("end", captures)
        self._stamp("end", captures)
        self._bench.clock.sleep(DRAIN_S)
        return stage

    def _observed(self, stage: Stage, lines: dict[str, ClockLine], carried: dict[Role, int]) -> Observed:
        """What the phones' own witnesses hold of the whole attempt; void where they refute that it was what was asked.

        Raises:
            AttemptVoid: with the claim that is refuted.
            PhoneTrouble: where a phone has restarted since it was identified.
        """
        self._boots.require_same()
        self._leave_idle()
        if (name := stage.observed(self._scenario)) != self._item.trial.scenario:
            raise AttemptVoid("wrong_scenario", f"asked {self._item.trial.scenario}, observed {name}")
        sides, shape = self._witnesses.evidence(stage.seen, lines, carried), self._scenario.shape
        asked = Shape(shape.answered, shape.ended_by, stage.service, shape.rang)
        observed = judge(asked, sides, stage.seen.acts, self._limits)
        self._log.note("observed", **{name: claim.verdict for name, claim in observed.claims.items()})
        if (void := refused(observed)) is not None and self._policy.voids(self._app.name, self._pair[1:], void[0]):
            raise AttemptVoid(*void)
        self._learnt = learnt(self._app.name, self._versions, sides, stage.seen)
        return observed

    def _run_steps(self, stage: Stage) -> None:
        try:
            for step in self._scenario.steps:
                self._log.note(step.do, by=step.by)
                VERBS[step.do](stage, step)
        except BaseException as error:
            if isinstance(error, AttemptVoid | PhoneTrouble):
                self._keep_evidence()
            if isinstance(error, AttemptVoid) and error.reason == introductions.PARKED:
                introductions.park(self._bench.lab, self._bench.spec, *self._pair, str(error))
            self._leave_idle()
            raise

    def _leave_idle(self) -> None:
        with self._bench.stop.held():
            leave_idle(self._phones.values(), self._app, self._bench.clock, self._log.note)

    @contextlib.contextmanager
    def _stopped_on_every_way_out(self, captures: dict[Role, Capture]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._discard(captures)
            raise

    def _discard(self, captures: dict[Role, Capture]) -> None:
        with self._bench.stop.held():
            for capture in captures.values():
                capture.discard()

    def _stop(self, role: Role, capture: Capture) -> Counters:
        self._log.note("stop_capture", role=role)
        return capture.stop()

    def _store(self, role: Role, capture: Capture, counters: Counters, phone: Identified) -> Stored:
        self._log.note("fetch", role=role)
        note, live_ns = partial(self._log.note, role=role), self._live_ns[role]
        return stored(self._bench, role, capture, counters, phone, live_ns, self._folder, note)

    def _keep_evidence(self) -> None:
        """Screens, hierarchy and log of both phones, for whoever asks why the attempt is void."""
        if self._evidence_kept:
            return  # What the phones showed at the failure, before they were hung up, is what counts.
        self._evidence_kept = True
        keep_evidence(self._phones, self._folder)
