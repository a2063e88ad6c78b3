"""What a laptop sends for its own capture to stamp lies outside of the window that counts, and changes no finding."""

import hashlib
import io
import json
import re
import shutil
import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from rich.console import Console

from correlate import report
from correlate.dataset import Dataset, write_json
from lab.bench.bench import Bench
from lab.clocks import capture_clocks
from lab.clocks.capture_clocks import Burst
from lab.clocks.stop import Stop
from lab.commands.resolve import look_up
from lab.phone.datagram import datagram_command
from lab.run.description import create
from lab.run.matrix import run_one
from lab.run.options import Options
from lab.run.plan import prepare
from lab.run.progress import Progress
from tests.records import record_anew

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TRIAL = "whatsapp-voice-lte_to_fixed-callee_hangs_up-1"
LAPTOP, PHONE = IPv4Address("10.42.0.1"), IPv4Address("10.42.0.23")
UDP, ICMP = 17, 1


@pytest.fixture(scope="module")
def bench():
    run = prepare(Options(matrix="paper", scenarios=str(SCENARIOS)))
    with Bench(run.lab, run.spec, Stop()) as bench:
        yield bench


def trial(folder, bench):
    run = prepare(Options(matrix="smoke", dataset=str(folder), seed=1, scenarios=str(SCENARIOS)))
    run = run.only(run.one(TRIAL))
    create(run)
    assert run_one(run, bench, run.chosen[0], Progress(Console(file=io.StringIO())))
    return Dataset(folder)


def found(folder, bench):
    dataset = Dataset(folder)
    report.findings(dataset)
    asked = report.server_addresses(dataset)
    dataset.write_names({address: look_up(address, bench.kind.resolver) for address in asked})
    report.findings(dataset)
    return report.read_findings(dataset)[TRIAL]


def sent_by_the_phone(bench, lease, text):
    """In the place of an agent's laptop, which the virtual bench lacks: the same datagrams, from the phone's shell."""
    if lease is None:
        return None
    (phone,) = (one for one in bench.phones.values() if lease.address in one.interface_addresses())
    sent = {}
    for number in range(20):
        before_ns = bench.laptop.read_clock_ns()
        phone.device.run(datagram_command(f"{text} {number}", LAPTOP, 9))
        sent[number] = before_ns, bench.laptop.read_clock_ns()
    return Burst(str(LAPTOP), sent)


def test_stamps_go_out_before_the_begin_and_after_the_end_marker_and_tell_the_captures_clock(
    tmp_path, bench, monkeypatch
):
    monkeypatch.setattr(Bench, "stamp", sent_by_the_phone)
    monkeypatch.setattr(capture_clocks, "STAMP_LATE_NS", 100_000_000)  # a command to the phone takes longer than a send
    dataset = trial(tmp_path, bench)
    events = [json.loads(line) for line in (tmp_path / "trials" / TRIAL / "events.jsonl").read_text().splitlines()]
    at_ns = {event["event"]: event["at_ns"] for event in events}
    assert at_ns.keys() & {"stamps_not_captured", "stamps_not_used", "capture_clock_differs"} == set()
    record = dataset.record(TRIAL)
    (hotspot,) = (role for role, side in record.sides.items() if side.tool == "dumpcap")
    clock = record.clocks[f"{hotspot}_capture"]
    assert at_ns["capture_ready"] < clock.before.at_ns < at_ns["marked_begin"] - 5_000_000_000
    assert at_ns["marked_end"] + 5_000_000_000 < clock.after.at_ns < at_ns["stop_capture"]
    truth = json.loads((tmp_path / "truth" / f"{TRIAL}.json").read_text())
    for when in ("before", "after"):
        told = truth["clocks"]["laptop"][f"offset_{when}_ns"]
        assert abs(getattr(clock, when).offset_ns - told) <= getattr(clock, when).bound_ns < 700_000_000
    findings = found(tmp_path, bench)
    assert findings == {key: truth[key] for key in findings}


def frame(protocol, source, target, body):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 1, protocol, 0) + source.packed + target.packed
    return bytes(12) + b"\x08\0" + head + body


def datagram(text):
    return struct.pack(">HHHH", 40_000, 9, 8 + len(text), 0) + text


def stamped(nonce, kind, time_ns):
    """The blocks of a burst and of what the phone answers: "port unreachable" with what it was sent."""
    for number in range(20):
        body = datagram(f"im-call-lab {nonce} stamp-{kind} {number}".encode())
        sent = frame(UDP, LAPTOP, PHONE, body)
        answer = frame(ICMP, PHONE, LAPTOP, struct.pack(">BBHI", 3, 3, 0, 0) + sent[14:])
        for octets in (sent, answer):
            time_ns += 1_000
            padded = octets + bytes(-len(octets) % 4)
            head = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(octets), len(octets))
            length = 12 + len(head) + len(padded)
            yield struct.pack("<II", 6, length) + head + padded + struct.pack("<I", length)


def with_stamps(data, nonce):
    """A capture with a burst right before its first begin and right behind its last end marker."""
    blocks, at = [], 0
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        blocks.append(data[at : at + length])
        at += length
    begins = [n for n, block in enumerate(blocks) if f"im-call-lab {nonce} begin".encode() in block]
    ends = [n for n, block in enumerate(blocks) if f"im-call-lab {nonce} end".encode() in block]

    def time_ns(block):
        high, low = struct.unpack_from("<II", block, 12)
        return (high << 32) + low

    early = list(stamped(nonce, "begin", time_ns(blocks[begins[0]]) - 1_000_000))
    late = list(stamped(nonce, "end", time_ns(blocks[ends[-1]]) + 1_000))
    return b"".join([*blocks[: begins[0]], *early, *blocks[begins[0] : ends[-1] + 1], *late, *blocks[ends[-1] + 1 :]])


def unnumbered(path):
    """A table without the numbers of frames in their files, which 40 more frames move."""
    return re.sub(r'(""frame"": )\d+', r"\1N", path.read_text())


def test_stamps_and_the_phones_answers_change_no_finding(tmp_path, bench):
    trial(tmp_path / "plain", bench)
    shutil.copytree(tmp_path / "plain", tmp_path / "stamped")
    folder = tmp_path / "stamped" / "trials" / TRIAL
    record = json.loads((folder / "trial.json").read_text())
    (hotspot,) = (role for role, side in record["sides"].items() if side["tool"] == "dumpcap")
    path = folder / record["sides"][hotspot]["capture"]
    data = with_stamps(path.read_bytes(), record["markers"]["nonce"])
    assert len(data) > path.stat().st_size + 80 * 86
    path.write_bytes(data)
    record["sides"][hotspot] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_json(folder / "trial.json", record)
    record_anew(tmp_path / "stamped")
    assert found(tmp_path / "stamped", bench) == found(tmp_path / "plain", bench)
    for file in sorted((tmp_path / "plain" / "findings").glob("*.csv")):
        assert unnumbered(tmp_path / "stamped" / "findings" / file.name) == unnumbered(file)
