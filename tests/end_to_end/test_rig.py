"""The rig: real calls, whose findings are equal to what the browsers, the operator and coturn say of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import rehearsal, third_opinion
from correlate import report
from correlate.dataset import Dataset
from correlate.trace import Trace
from lab.clocks.stop import Stop
from lab.errors import BenchUnhealthy
from lab.night import whole_run
from lab.run.matrix import run_missing
from lab.run.options import Options
from lab.run.plan import Run, prepare
from lab.virtual.rig import needs, spaces
from tests.end_to_end.runs import BIN, ROOT, At, benches_of

LACKING = "; ".join(f"{need.what}: {need.fix}" for need in needs.lacking())
pytestmark = [pytest.mark.full, pytest.mark.skipif(LACKING != "", reason=f"no rig here: {LACKING}")]

ROUTES = {
    "whatsapp-voice-lte_to_fixed-caller_hangs_up-1": "p2p",
    "snapchat-video-fixed_to_lte-callee_hangs_up-1": "relay",
    "elder-voice-lte_to_fixed-callee_hangs_up-1": "relay",
    "dogwood-voice-lte_to_fixed-caller_hangs_up-1": "relay",
    "whatsapp-voice-fixed_to_lte-caller_hangs_up-1": "relay",
    "messenger-voice-lte_to_fixed-caller_cancels-1": None,
}
SHORT = ["whatsapp-voice-lte_to_fixed-caller_cancels-1", "elder-voice-fixed_to_lte-caller_cancels-1"]


def planned(dataset: Path, trials: list[str], benches: int = 1) -> Run:
    where = {"dataset": str(dataset), "scenarios": str(ROOT / "scenarios"), "benches": benches}
    run = prepare(Options(bench="rig", matrix="rig", **where))
    return run.only(*map(run.one, trials))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six calls, three at a time."""
    run = planned(tmp_path_factory.mktemp("rig") / "dataset", list(ROUTES), 3)
    assert run_missing(run, At(), Stop())
    whole_run.analyse(run, At())
    return run.dataset


@pytest.fixture(scope="module")
def compared(calls: Dataset) -> rehearsal.Compared:
    return rehearsal.compare(calls)


def test_every_finding_is_equal_to_the_truth_field_by_field(compared):
    assert compared.differences == []
    # Of each side's media the browser counts no bytes as framed; the other 17 fields of a trial are known.
    assert {name for name, _ in compared.unjudged} == set(rehearsal.UNTOLD)
    assert dict(compared.undecided) == {}
    assert compared.equal == 6 * 17


def test_the_calls_go_as_their_apps_and_nats_have_them(calls):
    found = report.read_findings(calls)
    assert {trial: values["routing"] for trial, values in found.items()} == ROUTES
    assert found["snapchat-video-fixed_to_lte-callee_hangs_up-1"]["service"] == "video"
    probed = found["messenger-voice-lte_to_fixed-caller_cancels-1"]
    assert (probed["exposed"]["caller_public"], probed["exposed"]["callee_public"]) == (True, False)
    assert calls.info().provenance == "rehearsed"
    assert calls.verify() == []


def test_media_are_within_eight_datagrams_of_what_the_browsers_counted(compared):
    assert {way for way, _ in compared.surplus} == {"direct", "relayed", "none"}
    assert {way: sum(n for (each, _), n in compared.surplus.items() if each == way) for way, _ in compared.surplus} == {
        "direct": 4,
        "relayed": 16,
        "none": 4,
    }
    assert all(0 <= more <= 8 for _, more in compared.surplus)


def test_clocks_are_within_their_bounds_and_instants_within_a_third_of_a_second(compared):
    assert compared.wrong_clocks == []
    assert compared.readings == 6 * 10
    assert len(compared.distances["media_union begins"]) == len(compared.distances["media_union ends"]) == 10
    assert all(abs(each) < 301_000_000 for found in compared.distances.values() for each in found)


def test_tshark_sees_the_same_conversations_and_messages_in_every_capture(calls):
    opinion = third_opinion.of_dataset(calls.path)
    assert opinion.differences == []
    assert opinion.compared["captures"] == 12
    assert opinion.compared["UDP datagrams"] > 10_000
    assert opinion.compared["STUN messages outermost over TCP"] > 10
    assert opinion.compared["STUN messages nested over UDP"] > 100


# -- a comparison that cannot fail is none


def edited(dataset: Dataset, target: Path, trial: str, edit: Callable[[dict[str, Any]], None]) -> list[str]:
    """What differs where the truth of a trial is another one: the first word behind the trial."""
    shutil.copytree(dataset.path, target)
    path = target / "truth" / f"{trial}.json"
    truth = json.loads(path.read_text())
    edit(truth)
    path.write_text(json.dumps(truth))
    return [text.removeprefix(f"{trial}: ").split()[0] for text in rehearsal.compare(Dataset(target)).differences]


def test_another_truth_is_told_field_by_field(calls, tmp_path):
    def edit(truth: dict[str, Any]) -> None:
        truth["routing"], truth["service"], truth["p2p_observed"] = "relay", None, False
        truth["exposed"]["callee_private"] = False
        truth["servers"]["caller"].append({"address": "192.0.2.7", "port": 1, "name": None})
        truth["user_ids"].append("more")
        truth["media"]["callee"]["rx_packets"] -= 9
        truth["rig"]["unplayed"] = {}
        truth["rig"]["failures"] = ["a browser"]

    assert edited(calls, tmp_path / "copy", "whatsapp-voice-lte_to_fixed-caller_hangs_up-1", edit) == [
        *("failures:", "routing", "p2p_observed", "service", "user_ids", "exposed.callee_private", "servers.caller"),
        "media.callee.rx_packets",
    ]


def test_other_instants_of_a_browser_are_told(calls, tmp_path):
    def edit(truth: dict[str, Any]) -> None:
        browser = truth["rig"]["browsers"]["callee"]
        browser["gathering_ns"] -= 400_000_000
        browser["closing_ns"] += 400_000_000
        browser["closed_ns"] += 400_000_000

    trial = "dogwood-voice-lte_to_fixed-caller_hangs_up-1"
    assert edited(calls, tmp_path / "copy", trial, edit) == ["callee:"] * 5


def test_a_packet_that_tshark_does_not_see_is_told(calls):
    trial = "elder-voice-lte_to_fixed-callee_hangs_up-1"
    path = calls.path / "trials" / trial / calls.record(trial).sides["caller"].capture
    rows = third_opinion.fields(path, third_opinion.UDP)
    without = next(row for row in rows if row["stun.id"])
    seen, opinion = [row for row in rows if row is not without], third_opinion.Opinion()
    told = list(third_opinion.of_conversations(opinion, Trace.read(path), seen))
    assert len([text for text in told if " port " in text]) == len(told) >= 3
    missed = third_opinion.ours(Trace.read(path))["outermost over UDP"] - third_opinion.messages(seen)[0]
    assert list(missed) == [(int(without["frame.number"]), int(without["stun.type"], 16), without["stun.id"])]


# -- whatever is killed


def left(names: Iterable[str]) -> list[str]:
    """The namespaces of these names that are there."""
    return [name for name in names if (spaces.NETNS / name).exists()]


def gone(condition, within_s: float = 10.0) -> bool:
    """Whether something becomes true in that time."""
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def children(pid: int, word: bytes) -> list[int]:
    """The processes that a process has started and that have this word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and word in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def carrying(folder: Path) -> list[bytes]:
    """Command lines of the processes that have a folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes())
    return found


def test_nothing_is_left_of_a_controller_that_is_killed_in_a_call(tmp_path):
    temporary, dataset = tmp_path / "tmp", tmp_path / "dataset"
    temporary.mkdir()
    only = ["--matrix", "rig", "--only", f"id={SHORT[0]}", "--dataset", str(dataset)]
    with subprocess.Popen(
        [BIN / "invoke", "run-matrix", "--bench", "rig", *only], cwd=ROOT, env=os.environ | {"TMPDIR": str(temporary)}
    ) as process:
        events = dataset / "trials" / f"{SHORT[0]}.partial" / "events.jsonl"
        assert gone(lambda: events.exists() and '"event": "ringing"' in events.read_text(), 60)
        (bench,) = benches_of(process.pid)
        names = spaces.names_of(bench).values()
        assert len(left(names)) == 6
        process.kill()
    assert gone(lambda: left(names) == carrying(temporary) == [])
    assert gone(lambda: list(temporary.iterdir()) == [])


def test_what_a_killed_bench_leaves_is_swept_and_a_killed_browser_costs_one_attempt(tmp_path):
    dataset, names = tmp_path / "dataset", []

    def kill_bench() -> None:
        (bench,) = benches_of(os.getpid())
        names.extend(spaces.names_of(bench).values())
        os.kill(bench, signal.SIGKILL)

    with pytest.raises(BenchUnhealthy, match=r"^the rig has ended: it left no message; run again$"):
        run_missing(planned(dataset, SHORT[:1]), At("ringing", kill_bench), Stop())
    assert gone(lambda: not any(map(spaces.processes_in, names)))
    assert len(left(names)) == 6

    def kill_browser() -> None:
        (bench,) = benches_of(os.getpid())
        assert left(names) == []
        names.extend(spaces.names_of(bench).values())
        browsers = children(bench, b"chromium-headless-shell")
        assert len(browsers) == 2
        os.kill(browsers[0], signal.SIGKILL)

    progress = At("ringing", kill_browser)
    assert run_missing(planned(dataset, SHORT[:1]), progress, Stop())
    kept = Dataset(dataset)
    events = [(entry.event, entry.reason) for entry in kept.journal.read()]
    assert [name for name, _ in events if name in ("void", "completed")] == ["void", "completed"]
    assert dict(events)["void"] == "bench_trouble"
    assert kept.verify() == []
    assert len(names) == 12
    assert left(names) == []
