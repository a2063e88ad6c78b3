"""A call that gives an address away, measured, with the steps that were done."""

import json
from dataclasses import dataclass

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings.cases import Case
from correlate.tables.study import Study
from tests.records import record_anew

S = 10**9
RELAY = ("203.0.113.90", 3478)
ALPHA, BRAVO = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
STEPS = ((1.0, "place_call"), (2.0, "ringing"), (4.0, "answer"), (34.0, "hang_up"), (34.5, "ended"))


@dataclass
class Measured:
    """The dataset of one trial, and what is known of it."""

    dataset: Dataset
    study: Study
    case: Case


@pytest.fixture
def leaky(build):
    """alpha calls bravo over one relay for 28 s; 1.5 s after the call a message to bravo names alpha's public address.
    alpha's clock is 3 s ahead, bravo's 2 s behind."""

    def make(**keys):
        call = build.call(**keys)
        call.caller.offset_ns, call.callee.offset_ns = 3 * S, -2 * S
        call.caller.relay(ALPHA, RELAY, 1.5, mapped="203.0.113.7")
        call.caller.talk(ALPHA, RELAY, 6.0, 34.0, 100, 90)
        call.callee.relay(BRAVO, RELAY, 2.25, mapped="198.51.100.20")
        peer = build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7"))
        call.callee.put(2.5, *RELAY, *BRAVO, peer)
        call.callee.talk(BRAVO, RELAY, 6.1, 34.1, 90, 95)
        return call

    return make


@pytest.fixture
def measured(build, tmp_path):
    """Writes a call into a dataset and measures it: measured(call, events=..., clocks=[...])."""

    def run(call, *, steps=STEPS, names=None, **forgotten):
        root = tmp_path / "dataset"
        root.mkdir()
        build.dataset(root, [call], names=names, analysis={"relay_ports": [3478]})
        lines = [json.dumps({"at_ns": build.T0_NS + round(at_s * S), "event": event}) for at_s, event in steps]
        (root / "trials" / call.trial / "events.jsonl").write_text("\n".join(lines))
        if forgotten:
            build.forget(root, call, **forgotten)
        record_anew(root)
        dataset = Dataset(root)
        findings.write(dataset, findings.measure_all(dataset))
        study = Study.of(dataset)
        return Measured(dataset, study, study.read[0])

    return run
