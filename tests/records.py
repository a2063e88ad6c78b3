"""The documents of a dataset, written out as a run leaves them: what tests change a value of."""

import hashlib
import json
from pathlib import Path
from typing import Any

from correlate.dataset import Dataset
from correlate.dataset.contents import hashes
from correlate.dataset.durable import write_text

TRIAL = "maple-voice-lte_to_fixed-caller_hangs_up-1"


def reading(offset_ns: int, at_ns: int) -> dict[str, int]:
    return {"offset_ns": offset_ns, "bound_ns": 90_000, "at_ns": at_ns}


def clock(offset_ns: int) -> dict[str, Any]:
    after = reading(offset_ns + 600_000, 1_767_772_860_000_000_000)
    return {"before": reading(offset_ns, 1_767_772_800_000_000_000), "after": after, "drift_ppm": 10.0}


def side(role: str, phone: str, vantage: str, own: str) -> dict[str, Any]:
    on_hotspot = vantage == "hotspot"
    return {
        "phone": phone,
        "network": "fixed" if on_hotspot else "lte",
        "vantage": vantage,
        "way_out": {"interface": "wlan0", "kind": "wifi"},
        "app_version": "1.0",
        "addresses": {"interface": [own, "fe80::1"], "probed": ["203.0.113.7"]},
        "capture": f"{role}.pcap",
        "sha256": "a" * 64,
        "bytes": 24,
        "packets": 0,
        "tool": "dumpcap",
        "interface": "wlan1",
        "lease": {"address": own, "mac": "0a:55:97:fd:70:87"} if on_hotspot else None,
        "snaplen_bytes": 256,
        "clock": "laptop" if on_hotspot else role,
        "coalescing": ["generic-receive-offload"] if on_hotspot else None,
        "timestamps": "host",
        "counters": {"captured": 0, "received": 0, "dropped": 0},
        "live_ns": 1_767_772_804_000_000_000,
        "app_bytes": 12_108_787,
        "identifiers": None,
    }


def observed(**claims: dict[str, Any]) -> dict[str, Any]:
    """What the witnesses hold of an answered voice call, all of it proven; `claims` are those that are otherwise."""
    values = {
        "calls": 1, "rang": True, "answered": True, "ended_by": "caller", "service": "voice", "nothing_else": True,
        "in_front": True,
    }  # fmt: skip
    proven = {"verdict": "proven", "witnesses": ["the recorder says so", "the screen says so"], "reason": None}
    return {name: {"value": value, **proven, **claims.get(name, {})} for name, value in values.items()}


def open_claim(reason: str, verdict: str = "undecided", value: Any = None) -> dict[str, Any]:
    """What a claim has that is not proven."""
    return {"value": value, "verdict": verdict, "reason": reason, "witnesses": ["the screen says so"]}


def trial(trial_id: str = TRIAL, attempt: int = 0) -> dict[str, Any]:
    """trial.json of schema 2."""
    return {
        "schema": 2,
        "trial": trial_id,
        "attempt": attempt,
        "asked": {
            "app": "maple",
            "service": "voice",
            "direction": "lte_to_fixed",
            "scenario": "caller_hangs_up",
            "repetition": 1,
            "caller": "alpha",
            "callee": "bravo",
            "ring_s": 4.522,
            "talk_s": 37.526,
        },
        "outcome": "completed",
        "observed_scenario": "caller_hangs_up",
        "observed": observed(),
        "limits": {
            "caller": {"follow_s": 1.5, "late_s": 5.0, "apart_s": 5.0, "unanswered_s": None, "source": "default"},
            "callee": {"follow_s": 2.5, "late_s": 6.0, "apart_s": 4.0, "unanswered_s": 45.5, "source": "calibrated"},
        },
        "stated_answered": None,
        "revision": None,
        "sides": {
            "caller": side("caller", "alpha", "interface", "100.64.0.7"),
            "callee": side("callee", "bravo", "hotspot", "192.168.137.20"),
        },
        "markers": {"address": "192.0.2.1", "port": 9, "nonce": "fdeb26a2265e4044"},
        "started_ns": 1_767_772_800_000_000_000,
        "clocks": {"caller": clock(-1), "callee": clock(2), "laptop": clock(3), "caller_capture": clock(4)},
        "capture_restarts": 0,
        "noise_bytes_per_s": {"caller": 239.2, "callee": 487.8},
        "ended_ns": 1_767_772_862_000_000_000,
    }


def dataset() -> dict[str, Any]:
    """dataset.json of schema 2, of one trial."""
    analysis = {
        "relay_ports": [3478],
        "twins": "^(turn)s?-(\\d+)$",
        "user_ids": {"lengths": [4]},
        "role": {"port": 3478, "sessions": 3, "caller_at_least": 10},
        "unanswered_service": "identical_sessions",
        "video_bytes_per_s": 20_000,
    }
    plan = {"id": TRIAL, "app": "maple", "service": "voice", "direction": "lte_to_fixed", "scenario": "caller_hangs_up"}
    phone = {"model": "Model", "os": "Android 16", "tools": ["tcpdump 4.99.5"]}
    return {
        "schema": 2,
        "name": "synthetic",
        "bench": "virtual",
        "matrix": "tiny",
        "seed": 1,
        "provenance": "modelled",
        "contact": "somebody",
        "approval": "none",
        "licence": "",
        "scenario_hash": "0" * 64,
        "versions": {"python": "3.11.7"},
        "devices": [{**phone, "name": "alpha", "network": "lte"}, {**phone, "name": "bravo", "network": "fixed"}],
        "laptop": {"model": "Laptop", "os": "Linux", "tools": []},
        "apps": {"maple": {"package": "org.maple", "version": "1.0", "services": ["voice"], "analysis": analysis}},
        "plan": [{**plan, "repetition": 1, "caller": "alpha", "callee": "bravo"}],
    }


def _with_captures(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A record that says of the captures beside it what they are."""
    for side in record["sides"].values():
        data = (folder / side["capture"]).read_bytes()
        side |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return record


def record_anew(root: Path, *, captures: bool = True) -> None:
    """A journal that says of everything that is here that it was just recorded so, and with `captures` records that say
    of them what they are; no manifest."""
    dataset = Dataset(root)
    dataset.manifest_path.unlink(missing_ok=True)
    dataset.journal.path.unlink(missing_ok=True)
    for path in root.glob("trials/*/trial.json") if captures else ():
        # Replaced, not written over: the file may be a link to that of another dataset.
        write_text(path, json.dumps(_with_captures(json.loads(path.read_text()), path.parent)))
    there = hashes(root)

    def files(*begins: str) -> dict[str, str]:
        return {path: digest for path, digest in there.items() if path.startswith(begins)}

    dataset.journal.append("begun", files=files("dataset.json", "scenarios/"))
    for folder in sorted(dataset.trials_dir.iterdir()) if dataset.trials_dir.is_dir() else ():
        if folder.suffix != ".partial":
            held = files(f"trials/{folder.name}/", f"truth/{folder.name}.json")
            dataset.journal.append("completed", trial=folder.name, attempt=0, files=held)
    for folder in sorted(dataset.attempts_dir.iterdir()) if dataset.attempts_dir.is_dir() else ():
        trial, _, number = folder.name.rpartition(".")
        held = files(f"attempts/{folder.name}/")
        dataset.journal.append("void", trial=trial, attempt=int(number), reason="noisy", files=held)
    if dataset.names_path.exists():
        dataset.journal.append("resolved", files=files("names.json"))
