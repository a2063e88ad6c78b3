"""Synthetic calls: two captures and their records, built byte by byte, with nothing of the code under test."""

import hashlib
import ipaddress
import json
import os
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from tests.records import record_anew

COOKIE = 0x2112A442
T0_NS = 1_700_000_000_000_000_000
MARKER = ("192.0.2.1", 9)
NONCE = "n0nce"
ALLOCATE, ALLOCATED, BINDING, BOUND, DATA_INDICATION = 0x0003, 0x0103, 0x0001, 0x0101, 0x0017
USERNAME, DATA, MAPPED, PEER, RELAYED, XOR_MAPPED, ALTERNATE = 0x0006, 0x0013, 0x0001, 0x0012, 0x0016, 0x0020, 0x8023


@pytest.fixture(scope="module", autouse=True)
def _disk_that_need_not_last():
    """What the tests of this folder write need not survive a power loss, which no test can tell either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def stun(kind, *attributes, transaction=b"\x01" * 12):
    body = b"".join(
        struct.pack(">HH", number, len(value)) + value + bytes(-len(value) % 4) for number, value in attributes
    )
    return struct.pack(">HHI", kind, len(body), COOKIE) + transaction + body


def xored(attribute, address, port=1000, transaction=b"\x01" * 12):
    ip = ipaddress.ip_address(address)
    key = struct.pack(">I", COOKIE) + transaction
    mixed = bytes(a ^ b for a, b in zip(ip.packed, key, strict=False))
    return attribute, struct.pack(">BBH", 0, 1 if ip.version == 4 else 2, port ^ (COOKIE >> 16)) + mixed


def channel(number, data):
    return struct.pack(">HH", number, len(data)) + data


def frame(src, sport, dst, dport, payload):
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    if source.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(udp), 17, 64)
    return head + source.packed + target.packed + udp


@dataclass
class Side:
    """One phone: its record and what its capture holds. `noted` are the interface addresses that the record has, where
    they are not those of the phone."""

    phone: str
    interface: list
    probed: list
    offset_ns: int = 0
    packets: list = field(default_factory=list)
    noted: list | None = None
    version: str | None = "1.0"

    def put(self, at_s, src, sport, dst, dport, payload):
        self.packets.append((at_s, src, sport, dst, dport, payload))

    def talk(self, local, remote, start_s, end_s, sent, received, payload=b"\x80" + bytes(99)):
        """`sent` and `received` datagrams evenly from start to end, the first and the last exactly there."""
        for count, source, target in ((sent, local, remote), (received, remote, local)):
            for number in range(count):
                at_s = start_s + (end_s - start_s) * number / max(count - 1, 1)
                self.put(at_s, *source, *target, payload)

    def relay(self, local, remote, at_s, mapped=None, relayed=None):
        """An Allocate and its response: what makes a flow one of the call."""
        self.put(at_s, *local, *remote, stun(ALLOCATE))
        attributes = [xored(XOR_MAPPED, mapped)] if mapped else []
        attributes += [xored(RELAYED, relayed)] if relayed else []
        self.put(at_s, *remote, *local, stun(ALLOCATED, *attributes))

    def pcap(self):
        source = next(text for text in self.interface if ":" not in text)

        def marker(what):
            return (source, 40000, *MARKER, f"im-call-lab {NONCE} {what}".encode())

        markers = [(-2.0, *marker("live")), (-1.0, *marker("begin")), (900.0, *marker("end"))]
        rows = sorted([*markers, *self.packets], key=lambda packet: packet[0])
        out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 101)
        for at_s, *ends in rows:
            time_ns = T0_NS + self.offset_ns + round(at_s * 1e9)
            data = frame(*ends)
            out += struct.pack("<IIII", *divmod(time_ns, 10**9), len(data), len(data)) + data
        return out


@dataclass
class Call:
    """A trial that a test fills; `write` puts it into a dataset. Without `ring_s` its record does not tell the shape of
    its scenario; with it a call without `talk_s` is unanswered. `observed`: somebody looked at the phones. `claims` are
    what the phones' own witnesses hold of it (`tests.records.observed`), None where nobody asked them."""

    caller: Side
    callee: Side
    app: str = "maple"
    service: str = "voice"
    scenario: str = "caller_hangs_up"
    direction: str = "lte_to_fixed"
    repetition: int = 1
    ring_s: float | None = None
    talk_s: float | None = None
    observed: bool = True
    claims: dict | None = None

    @property
    def trial(self):
        return f"{self.app}-{self.service}-{self.direction}-{self.scenario}-{self.repetition}"


def clock(offset_ns):
    reading = {"offset_ns": offset_ns, "bound_ns": 1_000_000, "at_ns": T0_NS}
    return {"before": reading, "after": {**reading, "at_ns": T0_NS + 100_000_000_000}}


def write_call(root: Path, call: Call):
    folder = root / "trials" / f"{call.trial}.partial"
    folder.mkdir(parents=True)
    sides = {}
    for name, side in (("caller", call.caller), ("callee", call.callee)):
        data = side.pcap()
        (folder / f"{name}.pcap").write_bytes(data)
        sides[name] = {
            "phone": side.phone, "network": "lte", "vantage": "interface", "capture": f"{name}.pcap", "clock": name,
            "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "packets": len(side.packets) + 3,
            "tool": "tcpdump", "interface": "any", "snaplen_bytes": 256, "app_version": side.version,
            "identifiers": {"found": [], "cut_frames": 0},
            "addresses": {"interface": side.interface if side.noted is None else side.noted, "probed": side.probed},
        }  # fmt: skip
    asked = {
        "app": call.app, "service": None if call.service == "unknown" else call.service, "direction": call.direction,
        "scenario": call.scenario, "repetition": call.repetition, "caller": call.caller.phone,
        "callee": call.callee.phone, "ring_s": call.ring_s, "talk_s": call.talk_s,
    }  # fmt: skip
    record = {
        "schema": 1, "trial": call.trial, "attempt": 0, "asked": asked, "outcome": "completed", "sides": sides,
        "observed_scenario": call.scenario if call.observed else None, "observed": call.claims,
        "clocks": {"caller": clock(call.caller.offset_ns), "callee": clock(call.callee.offset_ns), "laptop": clock(0)},
        "markers": {"address": MARKER[0], "port": MARKER[1], "nonce": NONCE}, "capture_restarts": 0,
    }  # fmt: skip
    (folder / "trial.json").write_text(json.dumps(record))
    Dataset(root).commit_trial(call.trial)


def forget(root: Path, call: Call, *, clocks=(), addresses=(), vantages=(), identifiers=()):
    """Makes the record of a written call say that nobody compared these clocks or recorded these sides' addresses, and
    not say where these sides were captured or that anybody looked for identifiers there."""
    path = root / "trials" / call.trial / "trial.json"
    record = json.loads(path.read_text())
    record["clocks"].update(dict.fromkeys(clocks))
    for side in addresses:
        record["sides"][side]["addresses"] = {"interface": None, "probed": None}
    for side in vantages:
        del record["sides"][side]["vantage"]
    for side in identifiers:
        del record["sides"][side]["identifiers"]
    path.write_text(json.dumps(record))
    record_anew(root)


def write_dataset(root: Path, calls, *, analysis=None, names=None, provenance="modelled", apps=None, extra_plan=()):
    """A dataset of these calls. `analysis` is that of every app; `extra_plan` are calls that never ran."""
    for call in calls:
        write_call(root, call)
    plan = [
        {
            "id": call.trial, "app": call.app, "service": call.service, "direction": call.direction,
            "scenario": call.scenario, "repetition": call.repetition, "caller": call.caller.phone,
            "callee": call.callee.phone,
        }
        for call in [*calls, *extra_plan]
    ]  # fmt: skip
    entry = {"package": "org.example.maple", "version": "1.0", "services": ["voice", "video"], "analysis": analysis}
    device = {"model": "Model", "os": "Android 16", "tools": ["tcpdump 4.99.5"]}
    info = {
        "schema": 1, "name": "synthetic", "bench": "virtual", "matrix": "tiny", "seed": 1, "provenance": provenance,
        "contact": "", "approval": "", "versions": {}, "scenario_hash": "0" * 64,
        "devices": [{"name": "alpha", "network": "lte", **device}, {"name": "bravo", "network": "fixed", **device}],
        "laptop": {"model": "Laptop", "os": "Linux", "tools": []},
        "apps": apps or {name: entry for name in sorted({call["app"] for call in plan})},
        "plan": plan,
    }  # fmt: skip
    (root / "dataset.json").write_text(json.dumps(info))
    if names:
        (root / "names.json").write_text(json.dumps(names))
    record_anew(root)


def new_call(**keys):
    """alpha on LTE behind a CG-NAT calls bravo behind a home NAT."""
    alpha = Side("alpha", ["100.64.0.7", "2001:db8:a::7"], ["203.0.113.7", "2001:db8:a::7"])
    bravo = Side("bravo", ["192.168.137.20"], ["198.51.100.20"])
    return Call(alpha, bravo, **keys)


def facts(case):
    """What was found of a case as plain values: facts(case)[dimension][side][column]."""
    from correlate.columns import flat

    found = {"service": case.service_type} | {
        name: getattr(case, name) for name in ("endpoints", "servers", "duration", "volume", "signalling")
    }
    return {
        name: {side: json.loads(json.dumps(flat(finding), default=asdict)) for side, finding in sides.items()}
        for name, sides in found.items()
    }


class Build:
    """The building blocks, as one fixture."""

    stun, xored, channel = staticmethod(stun), staticmethod(xored), staticmethod(channel)
    call = staticmethod(new_call)
    dataset = staticmethod(write_dataset)
    write_call = staticmethod(write_call)
    forget = staticmethod(forget)
    facts = staticmethod(facts)
    ALLOCATE, ALLOCATED, BINDING, BOUND, DATA_INDICATION = ALLOCATE, ALLOCATED, BINDING, BOUND, DATA_INDICATION
    USERNAME, DATA, MAPPED, PEER, RELAYED, XOR_MAPPED, ALTERNATE = (
        USERNAME, DATA, MAPPED, PEER, RELAYED, XOR_MAPPED, ALTERNATE,
    )  # fmt: skip
    T0_NS = T0_NS


@pytest.fixture(scope="session")
def build():
    return Build


@pytest.fixture
def measure(tmp_path):
    """Writes one call into a dataset and gives its rows: measure(call)[dimension][side][column]."""

    def run(call, *, analysis=None, names=None):
        from correlate import findings
        from correlate.dataset import Dataset
        from correlate.findings.cases import cases

        write_dataset(tmp_path, [call], analysis=analysis, names=names)
        findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
        (case,) = cases(Dataset(tmp_path)).read
        return facts(case)

    return run
