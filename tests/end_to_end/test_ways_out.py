"""Which network a call takes, through adb: found in each trial, and void where a byte of the app was not captured."""

import json
import re
import shutil
from pathlib import Path

import pytest
from scapy.utils import PcapNgReader

from correlate.dataset import Dataset
from correlate.flows import read
from correlate.trace import blocks
from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.commands.doctor import _laptop, _phone
from lab.run.description import create
from lab.run.matrix import run_one
from tests.end_to_end.test_faults import CANCEL, HANG_UP, SCENARIOS, differing, planned, silent


@pytest.fixture(scope="module")
def bench():
    run = planned(Path("unused"), CANCEL)
    with Bench(run.lab, run.spec, Stop()) as bench:
        yield bench


def void_of(folder: Path, kept: str = "0") -> tuple[str, str]:
    """Why the one attempt that is kept is void: `0`, or `0.bench-1` where it was the bench's."""
    (path,) = (folder / "attempts").iterdir()
    assert path.name == f"{CANCEL}.{kept}"
    told = json.loads((path / "void.json").read_text())
    return told["reason"], told["text"]


@pytest.mark.parametrize(
    ("fault", "kept", "reason", "text"),
    [
        (
            {"what": "move", "on": "pixel6", "like": "pixel6pro"},
            "0.bench-1",
            "wrong_network",
            "pixel6 (network lte) sends over wifi (wlan0); bring it onto cellular",
        ),
        (
            {"what": "elsewhere", "on": "pixel6", "kind": "wifi", "payload_bytes": 5000},
            "0",
            "not_all_captured",
            "the app on pixel6 used 5140 bytes over wifi; only rmnet1 (cellular) is captured: "
            "switch the other network off",
        ),
        (
            {"what": "elsewhere", "on": "pixel6pro", "kind": "cellular", "payload_bytes": 1},
            "0",
            "not_all_captured",
            "the app on pixel6pro used 29 bytes over cellular; only wlan0 (wifi) is captured: "
            "switch the other network off",
        ),
    ],
)
def test_what_leaves_over_another_network_voids_the_attempt(tmp_path, bench, fault, kept, reason, text):
    run = planned(tmp_path, CANCEL)
    create(run)
    bench.kind.ask(op="fail_next", **fault)
    assert run_one(run, bench, run.chosen[0], silent())
    assert void_of(tmp_path, kept) == (reason, text)
    assert Dataset(tmp_path).record(CANCEL).attempt == (1 if kept == "0" else 0)
    sides = Dataset(tmp_path).record(CANCEL).sides
    ways = {role: (side.way_out.interface, side.way_out.kind) for role, side in sides.items()}
    assert ways == {"caller": ("rmnet1", "cellular"), "callee": ("wlan0", "wifi")}
    assert min(side.app_bytes for side in sides.values()) > 0


def test_the_side_on_the_hotspot_is_filtered_by_its_lease_and_the_trial_says_so(tmp_path, bench):
    run = planned(tmp_path, CANCEL)
    create(run)
    bench.kind.ask(op="fail_next", what="neighbours", on="laptop", times=1)  # an entry that aged is asked for
    assert run_one(run, bench, run.chosen[0], silent())
    sides = Dataset(tmp_path).record(CANCEL).sides
    lease = sides["callee"].lease
    assert (lease.address in sides["callee"].addresses.interface, sides["caller"].lease) == (True, None)
    assert [sides[role].coalescing for role in ("caller", "callee")] == [None, ["generic-receive-offload"]]
    with PcapNgReader(str(tmp_path / "trials" / CANCEL / "callee.pcapng")) as reader:
        frames = [bytes(packet) for packet in reader]
    mac = bytes.fromhex(lease.mac.replace(":", ""))
    assert len(frames) == sides["callee"].packets > 50
    assert [frame for frame in frames if mac not in (frame[:6], frame[6:12])] == []


def test_a_phone_that_the_hotspot_does_not_know_voids_the_attempt_and_doctor_says_so(tmp_path, bench):
    run = planned(tmp_path, CANCEL)
    create(run)
    bench.kind.ask(op="fail_next", what="neighbours", on="laptop", times=2)
    assert run_one(run, bench, run.chosen[0], silent())
    reason, text = void_of(tmp_path, "0.bench-1")
    assert reason == "no_lease"
    said = r"pixel6pro has no lease of the hotspot \(its addresses: 192\.168\.137\.\d+\): join it to the hotspot"
    assert re.fullmatch(said, text)
    bench.kind.begin(run.chosen[0], 1, 0)
    bench.kind.ask(op="fail_next", what="neighbours", on="laptop", times=2)
    for ok, found in ((False, said), (True, r"192\.168\.137\.\d+ at [0-9a-f:]{17}")):
        (check,) = (check for check in _laptop(bench) if check.check == "lease")
        assert (check.subject, check.ok, re.fullmatch(found, check.found) is not None) == ("pixel6pro", ok, True)
    bench.kind.end(None)


def test_a_rooted_phone_is_captured_on_wifi_where_its_bench_file_allows_it(tmp_path, bench, monkeypatch):
    first, second = bench.spec.phones
    free = bench.spec.model_copy(update={"phones": [first.model_copy(update={"network": "home"}), second]})
    run = planned(tmp_path, CANCEL)
    create(run)
    monkeypatch.setattr(bench, "spec", free)
    phone = bench.phones["pixel6"]
    object.__setattr__(phone, "spec", free.phones[0])
    bench.kind.ask(op="fail_next", what="move", on="pixel6", like="pixel6pro")
    bench.kind.begin(run.chosen[0], 1, 0)
    try:
        assert phone.default_network().interface == "wlan0"
        capture = bench.new_capture(phone, bench.lab.apps["whatsapp"], "there")
        capture.start()
        phone.send_marker("im-call-lab 0 live")
        assert capture.interface == "wlan0"
        assert capture.holds("im-call-lab 0 live")
        capture.discard()
    finally:
        object.__setattr__(phone, "spec", first)
        bench.kind.end(None)


def test_of_two_phones_behind_one_hotspot_each_capture_holds_its_own(tmp_path):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    file = scenarios / "benches" / "virtual.yaml"
    text = file.read_text()
    access = [found[0] for found in re.finditer(r"      access:\n(?:        .*\n)+", text)]
    text = text.replace(access[0], access[1]).replace("network: lte", "network: fixed")
    text = text.replace("capture: tcpdump\n    rooted: true", "capture: dumpcap\n    rooted: false")
    file.write_text(text)
    trial = HANG_UP.replace("lte_to_fixed", "fixed_a_to_b")
    run = planned(tmp_path / "dataset", trial, scenarios=scenarios)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        assert run_one(run, bench, run.chosen[0], silent())
        truth, found = differing(tmp_path / "dataset", trial, bench.kind)
    assert found == truth
    sides = Dataset(tmp_path / "dataset").record(trial).sides
    assert {side.interface for side in sides.values()} == {"wlan1"}
    for side in sides.values():
        with PcapNgReader(str(tmp_path / "dataset" / "trials" / trial / side.capture)) as reader:
            frames = [bytes(packet) for packet in reader]
        mac = bytes.fromhex(side.lease.mac.replace(":", ""))
        assert len(frames) == side.packets > 1000
        assert [frame for frame in frames if mac not in (frame[:6], frame[6:12])] == []


def test_a_call_below_a_clat_is_captured_as_ipv6_and_measured_right(tmp_path):
    scenarios = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios"))
    file = scenarios / "benches" / "virtual.yaml"
    file.write_text(file.read_text().replace("        link: raw\n", "        link: raw\n        clat: true\n"))
    run = planned(tmp_path / "dataset", HANG_UP, scenarios=scenarios)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        phone = bench.phones["pixel6"]
        told = phone.device.run("ip route get 192.0.2.1").text
        assert told == "192.0.2.1 dev v4-rmnet1 table 1009 src 192.0.0.4 uid 2000\n    cache\n"
        assert "3: v4-rmnet1: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1400 " in phone.device.run("ip addr").text
        assert run_one(run, bench, run.chosen[0], silent())
        side = Dataset(tmp_path / "dataset").record(HANG_UP).sides["caller"]
        assert (side.interface, str(side.addresses.interface[-2])) == ("rmnet1", "192.0.0.4")
        truth, found = differing(tmp_path / "dataset", HANG_UP, bench.kind)
    assert found == truth
    capture = tmp_path / "dataset" / "trials" / HANG_UP / side.capture
    assert {flow.a.version for flow in read(blocks(str(capture)))} == {6}


def test_doctor_says_which_network_each_phone_is_on(bench):
    def answers() -> tuple[bool, str]:
        return True, "the agent answers"

    trial = planned(Path("unused"), CANCEL).chosen[0]
    bench.kind.begin(trial, 1, 0)
    found = [
        (check.check, check.subject, check.ok, check.found)
        for name in bench.phones
        for check in _phone(bench.phones[name], [bench.lab.apps["whatsapp"]], answers)
        if check.check in ("network", "bytes counted")
    ]
    assert found == [
        ("network", "pixel6", True, "cellular (rmnet1)"),
        ("bytes counted", "pixel6", True, "by app and by network"),
        ("network", "pixel6pro", True, "wifi (wlan0)"),
        ("bytes counted", "pixel6pro", True, "by app and by network"),
    ]
    bench.kind.ask(op="fail_next", what="move", on="pixel6", like="pixel6pro")
    bench.kind.begin(trial, 1, 0)
    (moved,) = (check for check in _phone(bench.phones["pixel6"], [], answers) if check.check == "network")
    text = "pixel6 (network lte) sends over wifi (wlan0); bring it onto cellular"
    assert (moved.ok, moved.found) == (False, text)
    bench.kind.end(None)
