"""Recorded trials to edit, real and virtual, with what is right about them; and what is found of an edited one."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import cases
from lab.commands.import_trials import import_trials
from tests.correlate.editing import SIDES, Side, Trial
from tests.correlate.recorded import Packet, read, written
from tests.records import record_anew

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT.parent / "shared" / "calls"
EXPOSED = ("caller_public", "caller_private", "callee_public", "callee_private")
CELLS = ("established", "routing", "service", "user_ids", *EXPOSED, "media", "duration")
"""What is compared: exposure of one side each, all others on both. `media` are datagrams sent and received, `duration`
is that of the call's session in s: its first and last packet by the side's own capture."""
NEARLY = 8
"""So far may media of a real call be from its phones' counters, which begin and end with the ICE agent's pair."""


@cache
def packets(path: Path) -> tuple[Packet, ...]:
    return tuple(read(path))


@dataclass(frozen=True)
class Found:
    """What the findings say of a trial. `cells` has (cell, side) -> (value, why it is null)."""

    cells: dict[tuple[str, str], tuple[Any, str]]
    mixed_up: str
    contradiction: str


@cache
def truth_of_calls() -> dict[str, Any]:
    return json.loads((CALLS / "truth.json").read_text())


@cache
def listed() -> tuple[dict[str, str], ...]:
    with (CALLS / "LIST.csv").open(newline="") as file:
        return tuple(csv.DictReader(file))


def row_of(name: str) -> dict[str, str]:
    return next(row for row in listed() if row["caller_capture"].split(".")[0] == name)


def real(name: str) -> Trial:
    """One of ../shared/calls. Service is judged where the call was answered."""
    row, truth = row_of(name), truth_of_calls()[name]
    exposed = truth["exposed_tshark"]
    right = {
        "established": truth["established"],
        "routing": truth["routing"],
        "service": truth["service"] if truth["established"] else ...,
        "user_ids": visible_ids(truth, row),
        **{each: exposed[each] or exposed[f"{each}_in_turn_tcp_only"] for each in EXPOSED},
        **{f"media {side}": counted(truth, side) for side in SIDES},
    }
    sides = [
        Side(
            list(packets(CALLS / row[f"{side}_capture"])),
            frozenset(each for each in row[f"{side}_addresses"].split() if not each.startswith("public:")),
        )
        for side in SIDES
    ]
    return Trial(*sides, right | durations(right, *sides), real)


def counted(truth: dict[str, Any], side: str) -> Any:
    """Packets that a phone sent and received by its selected pair; nothing is known where it had several."""
    pair = truth.get("selected", {}).get(side, {})
    if truth["name"] in ("p2p_video_a", "restart_voice") or "tx_packets" not in pair:
        return ... if truth["established"] else (0, 0)
    return pair["tx_packets"], pair["rx_packets"]


def durations(right: dict[str, Any], *sides: Side) -> dict[str, float]:
    """Of an answered call the duration of the conversation with most datagrams, by side."""
    talks = [side.of(side.call) for side in sides] if right["established"] else [(), ()]
    return {
        f"duration {name}": (talk[-1].at_ns - talk[0].at_ns) / 1e9 if talk else ...
        for name, talk in zip(SIDES, talks, strict=True)
    }


def visible_ids(truth: dict[str, Any], row: dict[str, str]) -> tuple[str, ...]:
    """The fragments that the phones had by their SDP, of which both captures show a pair, wherever it stands: tshark
    looks into no ChannelData. It alone tells of a phone that gave none."""
    fragments = truth["ufrags"]
    if not fragments:
        return tuple(truth["user_ids_both_tshark"])
    data = [(CALLS / row[f"{side}_capture"]).read_bytes() for side in SIDES]
    both = {
        each
        for pair in product(fragments["caller"], fragments["callee"])
        for each in pair
        if all(any(":".join(order).encode() in capture for order in (pair, pair[::-1])) for capture in data)
    }
    return tuple(sorted(both))


def write_real(name: str, trial: Trial, app: str, folder: Path) -> Dataset:
    """Imported as a person would: a list beside the two files."""
    row = dict(row_of(name), app=app)
    row["scenario"] = trial.observed or row["scenario"]
    for side in SIDES:
        row[f"{side}_capture"] = f"{side}.pcap"
        kept = getattr(trial, side)
        (folder / f"{side}.pcap").write_bytes(written(kept.packets, kept.snaplen))
        row[f"{side}_addresses"] = " ".join((row[f"{side}_addresses"], *trial.noted.get(side, ())))
    for clock in trial.clocks:
        row[f"{clock}_offset_s"] = ""
    if trial.clocks:
        row["offset_bound_s"] = ""
    with (folder / "LIST.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    dataset = Dataset(folder / "imported")
    import_trials(folder / "LIST.csv", dataset, ROOT / "scenarios")
    return dataset


def virtual(ran: Callable[[str], Path], name: str) -> Trial:
    """A trial that the virtual bench ran; `ran` gives the dataset that has it."""
    dataset = ran(name)
    truth = json.loads((dataset / "truth" / f"{name}.json").read_text())
    record = json.loads((dataset / "trials" / name / "trial.json").read_text())
    right = {
        **{cell: truth[cell] for cell in ("established", "routing", "service")},
        "user_ids": tuple(sorted(truth["user_ids"])),
        **truth["exposed"],
        **{f"media {side}": (each["tx_packets"], each["rx_packets"]) for side, each in truth["media"].items()},
    }
    sides = [
        Side(
            list(packets(dataset / "trials" / name / record["sides"][side]["capture"])),
            frozenset(record["sides"][side]["addresses"]["interface"]),
        )
        for side in SIDES
    ]
    return Trial(*sides, right | durations(right, *sides), lambda other: virtual(ran, other))


def write_virtual(source: Path, name: str, trial: Trial, folder: Path) -> Dataset:
    """A dataset of this one trial, with the record that the bench made of it."""
    target = folder / "trials" / name
    shutil.copytree(source / "trials" / name, target, ignore=shutil.ignore_patterns("*.pcap*"))
    record = json.loads((target / "trial.json").read_text())
    for side in SIDES:
        kept, entry = getattr(trial, side), record["sides"][side]
        entry |= {"capture": f"{side}.pcap", "packets": len(kept.packets), "snaplen_bytes": kept.snaplen}
        entry["counters"] = None
        for text in trial.noted.get(side, ()):
            entry["addresses"]["probed" if text.startswith("public:") else "interface"].append(text.split(":")[-1])
        (target / entry["capture"]).write_bytes(written(kept.packets, kept.snaplen))
    if trial.observed:
        record["observed_scenario"] = record["asked"]["scenario"] = trial.observed
        record["asked"]["talk_s"] = 20.0 if trial.observed.endswith("hangs_up") else None
    record["clocks"] |= dict.fromkeys(trial.clocks)
    (target / "trial.json").write_text(json.dumps(record))
    info = json.loads((source / "dataset.json").read_text())
    info["plan"] = [entry for entry in info["plan"] if entry["id"] == name]
    (folder / "dataset.json").write_text(json.dumps(info))
    record_anew(folder)
    return Dataset(folder)


def rows(dataset: Dataset, name: str) -> dict[str, dict[str, str]]:
    """findings/NAME.csv by side."""
    with (dataset.path / "findings" / f"{name}.csv").open(newline="") as file:
        return {row["side"]: row for row in csv.DictReader(file)}


def said(row: dict[str, str], column: str) -> tuple[Any, str]:
    """The value of a cell, and of a null its reason."""
    if row[column] == "":
        reasons = json.loads(row["reasons"] or "{}")
        return None, reasons.get(column) or (row["reason"] if not reasons else "")
    if row[column].lower() in ("true", "false"):
        return row[column].lower() == "true", ""
    return (tuple(sorted(json.loads(row[column]))) if row[column].startswith("[") else row[column]), ""


RULES = {"p2p": "p2p", "relay": "longest_relay"}
"""The rule by which a call's session is the one that carries it, by its route."""


def found_of(dataset: Dataset) -> Found:
    findings.write(dataset, findings.measure_all(dataset))
    names = ("endpoints", "service", "signalling", "volume", "duration")
    ends, kinds, ids, volumes, sessions = (rows(dataset, name) for name in names)
    cells = {}
    for side in SIDES:
        cells |= {(cell, side): said(ends[side], cell) for cell in ("established", "routing")}
        cells["service", side] = said(kinds[side], "service_found")
        cells["user_ids", side] = said(ids[side], "user_ids")
        ways = [said(volumes[side], f"media_{way}_packets") for way in ("tx", "rx")]
        why = ways[0][1] or ways[1][1]
        cells["media", side] = None if ways[0][0] is None else tuple(int(count) for count, _ in ways), why
        rule = RULES.get(ends[side]["routing"])
        lasted, why = said(sessions[side], f"{rule}_duration_ns") if rule else (None, "no route")
        cells["duration", side] = lasted if lasted is None else int(lasted) / 1e9, why
        for role in ("public", "private"):
            cells[f"{side}_{role}", side] = said(ends[side], f"exposed_{role}")
    read_back = cases(dataset).read
    contradiction = getattr(read_back[0], "contradiction", "") if read_back else ""
    return Found(cells, ends["caller"].get("mixed_up", ""), contradiction)
