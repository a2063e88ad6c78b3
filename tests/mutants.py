"""One-line mutants of the key logic, each to be killed by its module's own tests: `python tests/mutants.py`.

Each changes a value that a user would see. They are made in copies; the working tree is only read. Exit 1 where one
survives, where its tests are not green without it, and where they end by an error instead of a test that fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORKERS, DEADLINE_S, GREEN, RED = 2, 120, 0, 1
PYTEST = (sys.executable, "-m", "pytest", "-xqrf", "-pno:cacheprovider", "-oaddopts=--import-mode=importlib")
SYMMETRY, EXAMINATION = "correlate/dimensions_symmetry", "correlate/dataset/examination"
TRANSPORT, ESTABLISHED = "correlate/transport", "correlate/pairs/established"
WITNESSED = "lab/phone/witnesses/audio"
ATTEMPT, MATRIX, UNSEEN = "lab/run/attempt", "lab/run/matrix", "correlate/pairs/unseen"
INTRODUCE = "lab/commands/introduce"
PROGRAMS = "real_outputs/phone_programs"
JUDGING = "lab/run/judging"

# What it decides, the module, its text and the mutant's; last the tests where `mirror` does not find them.
MUTANTS: list[tuple[str, ...]] = [
    ("verdict", "lab/run/attempt", "_scenario)) != self._item", "_scenario)) is self._item"),
    ("verdict", "lab/run/attempt", "if max(noise.values()) <= limit", "if min(noise.values()) <= limit"),
    ("boundary", "lab/run/attempt", "if max(noise.values()) <= limit", "if max(noise.values()) < limit"),
    ("boundary", "lab/run/attempt", "range(1 + NOISY_RESTARTS)", "range(NOISY_RESTARTS)"),
    ("verdict", "lab/run/attempt", "OWN_STAMPS or is_other", "OWN_STAMPS and is_other"),
    ("verdict", "lab/run/attempt", "capture_clocks.without_step(who, lines[who])", "continue"),
    ("verdict", "lab/run/leaving", "is CallState.IDLE", "is not CallState.IDLE"),
    ("boundary", "lab/run/leaving", "in range(LOOKS)", "in range(1)"),
    ("verdict", "lab/run/leaving", "void.reason not in BY_THE_CALLEE", "void.reason in BY_THE_CALLEE"),
    ("verdict", "lab/run/storing", "(PhoneTrouble, LaptopTrouble) as error", "PhoneTrouble as error"),
    ("verdict", "lab/run/witnessed", "act.verb in ENDING", "act.verb not in ENDING"),
    ("value", "lab/run/description", '"rig": "rehearsed"', '"rig": "measured"', MATRIX),
    ("verdict", "lab/run/description", "if before != now:", "if before is None:", MATRIX),
    ("verdict", "lab/run/meaning", "if field not in left_out:", "if field in left_out:"),
    ("verdict", "lab/run/revisions", "each, names) == now)", "each, names) != now)"),
    ("value", "lab/run/events", '"event": event, **said', '"event": event', ATTEMPT),
    ("verdict", "lab/run/matrix", 'else "bench_trouble"', 'else "void"'),
    ("boundary", "lab/run/queue", "entry.tries <= FURTHER_ATTEMPTS", "entry.tries < FURTHER_ATTEMPTS"),
    ("boundary", "lab/run/queue", "if pause.seconds <= self._most_wait_s", "if pause.seconds < 60"),
    ("verdict", "lab/run/breaker", "set(row) == {reason}", "reason in row"),
    ("boundary", "lab/run/breaker", "now_s >= self.due_s or", "now_s > self.due_s or"),
    ("verdict", "lab/run/breaker", "if not probed and not self._opened(trial)", "if not probed"),
    ("verdict", "lab/run/causes", "get_args(Refused), CERTAIN)", "get_args(Refused), PERHAPS)"),
    ("boundary", "lab/run/readiness", "elif free < ROOM_KIB", "elif free <= ROOM_KIB"),
    ("verdict", "lab/run/readiness", "not _slow(one, ENOUGH_PERCENT)", "not _slow(one)"),
    ("verdict", "lab/run/versions", "for trial_id in reversed(ids)", "for trial_id in ids"),
    ("boundary", "lab/run/accounts", "pause.seconds > 0", "pause.seconds > 40"),
    ("value", "lab/run/night_clock", "self._s if self._emulated else", "self._s if not self._emulated else"),
    ("verdict", "lab/run/tonight", "breaker.park(accounts.parked)", "pass"),
    ("value", "lab/run/ends", "len(left) - parked", "len(left)"),
    ("boundary", "lab/run/matrix", "free_bytes < needed_bytes", "free_bytes <= needed_bytes"),
    ("verdict", "lab/run/options", "all(str(getattr", "any(str(getattr", MATRIX),
    ("verdict", "lab/run/calibration", "return not spec.emulated", "return True"),
    ("boundary", "lab/run/calibration", "tap[0] == role and", "tap[0] != role and"),
    ("value", "lab/run/calls", "(stage.clock.now_ns() - placed_ns)", "(placed_ns)", INTRODUCE),
    ("value", "lab/run/costs", "round(each - empty_ms, 1)", "round(each, 1)"),
    ("verdict", "lab/run/introductions", "elif address not in spec", "elif address in spec", MATRIX),
    ("verdict", "lab/run/introductions", "if _pair(each) == pair and", "if"),
    ("boundary", "lab/run/introductions", "LEAST_RING_S = 6.0", "LEAST_RING_S = 6.1"),
    ("boundary", "lab/run/limits", "len(each.tap_to_end_s) >= ENOUGH", "len(each.tap_to_end_s) > ENOUGH"),
    ("value", "lab/run/limits", "2 * median(", "2 * max("),
    ("value", "lab/run/limits", "abs(span_s)", "span_s"),
    ("value", "lab/run/status", 'name == "place_call"', 'name != "place_call"'),
    ("boundary", "lab/run/status", "max(LEAST_S, cost_s / SHARE)", "min(LEAST_S, cost_s / SHARE)"),
    ("boundary", "lab/run/policy", "attempts >= LEAST_ATTEMPTS", "attempts > LEAST_ATTEMPTS"),
    ("boundary", "lab/run/policy", "> SHARE * attempts", ">= SHARE * attempts"),
    ("verdict", "lab/run/policy", "len(self._trials[kind]) >=", "self._voids[kind] >="),
    ("verdict", "lab/run/unproven", 'if not any(claim.verdict == "proven"', 'if not all(claim.verdict == "proven"'),
    ("verdict", "lab/run/matrix", 'again = policy == "park", policy == "breaker"', 'again = policy == "park", True'),
    ("verdict", "lab/run/plan", "introductions.require(run.lab", "introductions.strangers(run.lab", MATRIX),
    ("value", "lab/run/progress", '"1 retry" if retries == 1', '"1 retry" if retries > 0'),
    ("boundary", "lab/run/guard", "self._in_a_row < IN_A_ROW", "self._in_a_row <= IN_A_ROW"),
    ("verdict", "lab/run/guard", "if of_controller(error) or", "if not of_controller(error) or"),
    ("value", "lab/run/storing", 'machine="laptop" if by_laptop', 'machine="laptop" if not by_laptop', ATTEMPT),
    ("verdict", "lab/run/terminal", "if error.errno not in GONE", "if error.errno in GONE"),
    ("value", "lab/run/recorded", "clock=clock", "clock=stored.machine", ATTEMPT),
    ("verdict", "lab/run/side_by_side", "others=self._running > 0", "others=False"),
    (
        "value",
        "lab/run/queue",
        "self._todo.append(entry)\n\n    def left",
        "self._todo.appendleft(entry)\n\n    def left",
    ),
    ("verdict", "lab/run/steps", '"dropped" if seen.ended_by is None', '"dropped" if seen.ended_by == "callee"'),
    ("boundary", "lab/run/steps", "for phone in (stage.caller, stage.callee)", "for phone in (stage.caller,)"),
    ("verdict", "lab/run/answering", "if len(kinds) > 1", "if len(kinds) > 0", JUDGING),
    ("verdict", "lab/run/answering", "if whole and not positive", "if whole", JUDGING),
    ("boundary", "lab/run/ending", "if y_ns < x_ns - bound_ns - round(APART_S * S)", "if y_ns < x_ns"),
    ("boundary", "lab/run/ending", "if before_ns > side.bound_ns", "if before_ns > 0"),
    ("verdict", "lab/run/ending", '"against" if end.whole else "unclear"', '"against"'),
    ("verdict", "lab/run/heard", "if len(kinds) >= least", "if len(kinds) >= 1", JUDGING),
    ("verdict", "lab/run/judging", "elif audio.unclear is not None", "elif audio.unclear is None and False"),
    ("verdict", "lab/run/others", "elif not is_own_mode(change", "elif is_own_mode(change", JUDGING),
    ("boundary", "lab/run/service", "begin_ns + STAMP_NS <= talk.last_ns", "begin_ns <= talk.last_ns", JUDGING),
    ("boundary", "lab/run/spans", "found[-1].last_ns >= REOPENED_NS", "found[-1].last_ns > 0", JUDGING),
    ("verdict", "lab/run/spans", "sure = change.mode == NORMAL and", "sure = change.mode == NORMAL or", JUDGING),
    ("verdict", "lab/capture/agent_dumpcap", "request.laptop.tool()", '"dumpcap"', "lab/capture/kinds"),
    ("verdict", "lab/capture/counters", "if counters.dropped or not", "if not"),
    ("boundary", "lab/capture/counters", "next(reversed(all_counters(said))", "next(iter(all_counters(said))"),
    ("verdict", "lab/capture/dumpcap", "or not ended.ran_on", "or ended.ran_on is None"),
    ("boundary", "lab/capture/identifiers", "LEAST_BYTES = 8", "LEAST_BYTES = 12"),
    ("value", "lab/capture/identifiers", "yield row + 1", "yield row"),
    ("verdict", "lab/capture/identifiers", "captured < trace", "captured > trace"),
    ("value", "lab/run/limits", "ENOUGH_UNANSWERED = 3", "ENOUGH_UNANSWERED = 2"),
    ("value", "lab/capture/kinds", "Kind(agent_dumpcap.new_capture)", "Kind(dumpcap.new_capture)"),
    ("verdict", "lab/capture/pcapdroid", "self._dropped() - self._dropped_before", "self._dropped()"),
    ("value", "lab/capture/protocol", "BACKSTOP_S = 7200", "BACKSTOP_S = 720", "lab/capture/tcpdump"),
    ("boundary", "lab/capture/protocol", "SLOT_BYTES = 16", "SLOT_BYTES = 15", "lab/capture/tcpdump"),
    ("verdict", "lab/capture/tcpdump", 'counters is None or "pcap_loop" in said', "counters is None"),
    ("verdict", "lab/capture/verified", "if damage.voids", "if damage.stops"),
    ("verdict", "lab/capture/verified", "counters.captured", "counters.received"),
    ("boundary", "lab/capture/verified", "captured_bytes < np", "captured_bytes <= np"),
    ("verdict", "lab/capture/verified", "if repeats.flagged", "if repeats.found"),
    ("verdict", "lab/clocks/capture_clocks", "> each.bound_ns + machine.bound_ns", "> each.bound_ns"),
    ("verdict", "lab/phone/packages", '"hidden": ("false"', '"hidden": ("true"', PROGRAMS),
    ("verdict", "lab/phone/root", "if not said:", "if said is None:", PROGRAMS),
    ("verdict", "lab/phone/serials", '":" in listed', '"::" in listed', PROGRAMS),
    ("verdict", "lab/phone/starting", "in _NOT_RUN", "in ()", "lab/phone/chains"),
    ("verdict", "lab/phone/netstats", "sorted(grown.items()) if size}", "sorted(grown.items()) if size > 1}"),
    ("boundary", "lab/phone/netstats", 'all("defaultNetwork=false"', 'any("defaultNetwork=false"'),
    ("boundary", "lab/phone/witnesses/comparison", "abs(step_s) > STEP_S", "abs(step_s) > 2 * STEP_S"),
    ("verdict", "lab/phone/witnesses/comparison", "before[-1] not in after", "before[0] not in after"),
    ("boundary", "lab/phone/witnesses/dates", "if epoch_s <= date.epoch_s + AHEAD_S", "if epoch_s < date.epoch_s"),
    ("verdict", "lab/phone/witnesses/dumps", "first and not _NO_ENTRY", "False and not _NO_ENTRY", WITNESSED),
    ("verdict", "lab/phone/witnesses/events", "begins_ns > from_ns)", "begins_ns < from_ns)"),
    (
        "verdict",
        "correlate/trace/__init__",
        "expect_packets != trace",
        "expect_packets > trace",
        "lab/capture/verified",
    ),
    ("boundary", "correlate/trace/duplicates", "100 * twice >= FLAGGED", "100 * twice > FLAGGED"),
    ("boundary", "correlate/trace/duplicates", ")) <= WITHIN_NS)", ")) < WITHIN_NS)"),
    ("value", "correlate/trace/duplicates", "bytes([0, header[9], 0, 0])", "bytes([0, header[9]]) + header[10:12]"),
    ("value", "correlate/trace/conversations", "swapped |= same &", "swapped |="),
    ("boundary", "correlate/trace/conversations", "& 0x1FFF == 0", "& 0x3FFF == 0"),
    ("verdict", "correlate/trace/formats", "if version != VERSION", "if version > VERSION"),
    ("boundary", "correlate/markers", 'of("caller", rows["begin"])', 'of("callee", rows["begin"])'),
    ("boundary", "correlate/markers", 'of("callee", rows["end"])', 'of("caller", rows["end"])'),
    ("verdict", "correlate/pairs/__init__", 'any(side.holds == "media"', 'all(side.holds == "media"', TRANSPORT),
    ("verdict", "correlate/pairs/addresses", "relays | a.named | b.named) - own_a", "relays) - own_a"),
    ("value", "correlate/link/legs", "used = side.alone.conversations", "used = side.of_call", "correlate/pairs/alone"),
    ("verdict", "correlate/pairs/alone", "peers - asked - learned", "peers - learned"),
    ("value", "correlate/pairs/connections", "(len(table), True)", "(len(table), False)", "correlate/pairs/media"),
    ("value", "correlate/pairs/conversations", "tx[index], rx[index]", "rx[index], rx[index]", "correlate/pairs"),
    ("verdict", "correlate/pairs/conversations", "of_call.agents and is_relay", "of_call.agents", ESTABLISHED),
    ("verdict", "correlate/pairs/conversations", "is_relay or not sign.from", "is_relay or sign.from", ESTABLISHED),
    (
        "boundary",
        "correlate/pairs/established",
        "for way in media) >= EST",
        "for way in media) > EST",
        "correlate/pairs",
    ),
    ("verdict", "correlate/pairs/established", "a.has_session or b.has", "a.has_session and not b.has", TRANSPORT),
    ("boundary", "correlate/pairs/frames", "proven[:MAX_FRAMES]", "proven[:MAX_FRAMES - 1]", "correlate/evidence"),
    ("boundary", "correlate/pairs/edges", "_ns + bound_ns <= side", "_ns + bound_ns < side", SYMMETRY),
    ("verdict", "correlate/pairs/identity", "has_media and bool(", "bool("),
    ("verdict", "correlate/pairs/mixed_up", "fits[0][1] and fits[1][0]", "fits[0][1]"),
    ("verdict", "correlate/pairs/mixed_up", "if all(found) and", "if"),
    ("boundary", "correlate/pairs/mixed_up", "len(few) < LEAST", "len(few) <= LEAST"),
    ("value", "correlate/pairs/round_trip", "if len(at_ns) == 1 and", "if"),
    ("boundary", "correlate/pairs/segments", "- end <= GAP_NS", "- end < GAP_NS"),
    ("boundary", "correlate/pairs/segments", ">= MEDIA_DATAGRAMS", "> MEDIA_DATAGRAMS"),
    ("value", "correlate/pairs/media", " | (udp.payload_bytes > 0)", " | (udp.payload_bytes >= 0)"),
    ("verdict", "correlate/pairs/media", "each.nested is None and each.carries_data", "each.nested is None"),
    ("value", "correlate/pairs/media", "wire[frame - 1] * is_first", "wire[frame - 1]"),
    ("boundary", "correlate/pairs/media", "return max(Frame(", "return min(Frame("),
    ("verdict", "correlate/pairs/negotiated", "_agents(a.messages) & _a", "_agents(a.messages) | _a", ESTABLISHED),
    ("boundary", "correlate/pairs/sessions", "self.tx.packets and self.rx", "self.tx.packets or self.rx"),
    ("boundary", "correlate/pairs/sessions", "(each) >= longest_s - LONG", "(each) > longest_s - LONG"),
    ("verdict", "correlate/pairs/transport", "dense and ends not in looked_into", "dense"),
    ("boundary", "correlate/pairs/quoted", "if at >= 4:", "if at >= 40_000:", UNSEEN),
    ("verdict", "correlate/pairs/unseen", "if len(mine) and each.is_tls", "if len(mine) and not each.is_tls"),
    ("boundary", "correlate/pairs/unseen", "[1:] > ends[:-1]", "[1:] >= ends[:-1]"),
    ("verdict", "correlate/pairs/known_bytes", "_CHANCE and repeated", "_CHANCE or repeated", UNSEEN),
    (
        "boundary",
        "correlate/pairs/known_bytes",
        "repeated[offset] < 2",
        "repeated[offset] < 3",
        UNSEEN,
    ),
    ("value", "correlate/pairs/window", " & ~markers.is_harness(udp, between)", ""),
    ("verdict", "correlate/dimensions/duration", "other.clock.known\n    bounds", "True\n    bounds", SYMMETRY),
    ("verdict", "correlate/dimensions/endpoints", "silent = not any(seen)", "silent = not all(seen)"),
    ("verdict", "correlate/dimensions/endpoints", "and any(unexplained):", "and all(unexplained):"),
    ("verdict", "correlate/dimensions/endpoints", ":= shared_private(of, to)", ":= set()"),
    ("verdict", "correlate/dimensions/endpoints", "    if to.unseen:", "    if of.unseen:"),
    ("boundary", "correlate/dimensions/endpoints", "frame.number >= media", "frame.number > media"),
    ("boundary", "correlate/dimensions/endpoints", "direct_bytes >= relayed_bytes:", "direct_bytes > relayed_bytes:"),
    ("boundary", "correlate/dimensions/servers", "overlap_ns >= -bound_ns", "overlap_ns >= 0"),
    ("verdict", "correlate/dimensions/servers", 'each.match != "prefix"', "True"),
    ("boundary", "correlate/pairs/rtp", "video_s >= SUSTAINED", "video_s > SUSTAINED"),
    ("verdict", "correlate/pairs/rtp", " | (payload_type > 95)", ""),
    ("boundary", "correlate/dimensions/service", "most >= CLEAR * least or", "most > CLEAR * least or"),
    ("verdict", "correlate/dimensions/signalling", "max(b) < rule", "min(b) < rule"),
    ("boundary", "correlate/dimensions/signalling", "carried < LEAST_BITS", "carried <= LEAST_BITS"),
    ("boundary", "correlate/dimensions/volume", "less + edge < 0", "less + edge <= 0", SYMMETRY),
    ("boundary", "correlate/dimensions/duration", "abs(last_ns)) > bound_ns", "abs(last_ns)) >= bound_ns", SYMMETRY),
    ("boundary", "correlate/dataset/examination", "if count > len(", "if count >= len("),
    ("verdict", "correlate/dataset/examination", "if line == len(self._lines) and _hash", "if _hash"),
    ("verdict", "correlate/dataset/examination", "told[role] != side.sha256", "told[role] is None"),
    ("verdict", "correlate/dataset/anchors", "if folder else not self.is_whole", "if folder else True", EXAMINATION),
    ("verdict", "correlate/dataset/__init__", "if examined.recorded:", "if examined.problems:", EXAMINATION),
    ("verdict", "correlate/dataset/__init__", " and hashes(self.path / waiting) == files", "", EXAMINATION),
    ("verdict", "correlate/dataset/journal", "if entry.sha256 != before", "if not entry.sha256"),
    ("boundary", "correlate/dataset/journal", 'data[whole:].rstrip(b"\\0")', "data[whole:]"),
    ("value", "correlate/findings/wrong_pairs", "begin_ns - other_begin_ns", "other_begin_ns - begin_ns"),
    ("verdict", "correlate/findings/wrong_pairs", "if not partners and", "if", "correlate/wrong_pairs"),
    ("boundary", "correlate/findings/wrong_pairs", "PARTNERS = 6", "PARTNERS = 7"),
    ("verdict", "correlate/findings/wrong_pairs", "MARKERS if caller.marked and", "MARKERS if caller.marked or"),
    ("verdict", "correlate/tables/control", "not self.low <= 1 <= self.high", "self.low > 1"),
    ("value", "correlate/tables/control", "(sum(verdicts) + 0.5)", "sum(verdicts)"),
    ("value", "correlate/tables/control", "a, _, _ in wrong]] * drawn", "a, _, _ in wrong]] + drawn"),
    ("verdict", "correlate/tables/control", " and claim.applies(each.callee, study)", ""),
    ("verdict", "correlate/tables/control", "any(is_void(trial)", "all(is_void(trial)"),
    ("verdict", "correlate/tables/chance", 'row["n"] and row["discrim', 'row["discrim', "correlate/control"),
    ("verdict", "correlate/tables/claims", "if verdict(hits) == verdict(hits + undecided) else None", ""),
    ("verdict", "correlate/tables/claims", "2 * count > total", "2 * count >= total"),
    ("verdict", "correlate/tables/statistics", "wilson(hits + undecided, total)", "wilson(hits, total)"),
    ("verdict", "correlate/dataset/proven", 'if kind == "call" or kind in', "if kind in", "correlate/proven"),
    ("verdict", "correlate/tables/other_scenarios", "make(study.of_paper)", "make(study)"),
    ("boundary", "correlate/tables/membership", "if trials < SEVERAL", "if trials <= SEVERAL"),
    ("verdict", "correlate/tables/membership", "if each.phone == leg.phone)", ")"),
    (
        "verdict",
        "correlate/tables/endpoints",
        "if undecided and least <=",
        "if undecided or least <=",
        "correlate/answered",
    ),
    (
        "verdict",
        "correlate/findings/cases",
        "if self.answered is None and not",
        "if self.answered and not",
        "correlate/answered",
    ),
    ("value", "correlate/tables/layout", "{cell:.4f}", "{cell:.3f}"),
    ("verdict", "correlate/report/verdict", '"unknown" if level == "never" and undecided else level', "level"),
]


def mirror(module: str, tests: str = "") -> Path:
    """The file of a module's tests, or of `tests`: at its place, or beside its room under its name or the room's."""
    *folder, room, name = (tests or module).split("/")
    names = (f"{room}/test_{name}", f"test_{room}_{name}", f"test_{name}", f"test_{room}")
    return next(place for each in names if (ROOT / (place := Path("tests", *folder, f"{each}.py"))).exists())


def mutated(module: str, old: str, new: str) -> str:
    """The module's text with the mutant. Raises `ValueError` where `old` does not stand there exactly once."""
    text = (ROOT / f"{module}.py").read_text("utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{module}.py has {old!r} {text.count(old)} times, not once")
    return text.replace(old, new)


def tried(tests: Path, module: str, text: str) -> str:
    """What a file of tests says in a copy where this is the module's text."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-mutant-", ignore_cleanup_errors=True) as folder:
        copy = shutil.copytree(ROOT, f"{folder}/copy", ignore=shutil.ignore_patterns(".*", "datasets"))
        Path(copy, f"{module}.py").write_text(text, "utf-8")
        argv, env = [*PYTEST, tests], {**os.environ, "PYTHONPATH": copy, "PYTEST_ADDOPTS": ""}
        try:
            done = subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            return f"killed by the deadline of {DEADLINE_S} s"
    failed = [line.split(" - ")[0].split("::")[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    if done.returncode == RED and failed:
        return f"killed by {failed[0]}"
    return "survived" if done.returncode == GREEN else f"error: {done.stdout[-400:]}{done.stderr[-400:]}"


def main() -> int:
    """Print a line a mutant and how many were killed."""
    jobs = [(mirror(module, *tests), module, mutated(module, old, new)) for _, module, old, new, *tests in MUTANTS]
    whole = {tests: (tests, module, (ROOT / f"{module}.py").read_text("utf-8")) for tests, module, _ in jobs}
    killed = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for tests, outcome in zip(whole, pool.map(tried, *zip(*whole.values(), strict=True)), strict=True):
            if outcome != "survived":
                sys.exit(f"{tests} is not green without a mutant: {outcome}")
        outcomes = pool.map(tried, *zip(*jobs, strict=True))
        for number, (mutant, (tests, *_), outcome) in enumerate(zip(MUTANTS, jobs, outcomes, strict=True), 1):
            print(number, "{:8} {}: {!r} -> {!r}".format(*mutant), f"{tests}: {outcome}", sep="  ", flush=True)
            killed += outcome.startswith("killed")
    print(f"{killed} of {len(MUTANTS)} killed")
    return int(killed != len(MUTANTS))


if __name__ == "__main__":
    sys.exit(main())
