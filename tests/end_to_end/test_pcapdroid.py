"""A phone without root and without a hotspot, captured by PCAPdroid in its VPN, through adb on the virtual bench."""

import csv
import dataclasses
import hashlib
import json
import shutil
from ipaddress import ip_address
from pathlib import Path

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.dataset.record import Counters
from correlate.trace import Trace
from lab.bench.bench import Bench
from lab.capture import pcapdroid
from lab.clocks.bench_time import wait_until
from lab.clocks.stop import Stop
from lab.commands.doctor import _phone
from lab.errors import PhoneTrouble
from lab.run.description import create
from lab.run.matrix import run_one
from tests.end_to_end.test_faults import CANCEL, HANG_UP, SCENARIOS, differing, planned, silent

KEY = "Virtual0Key1Virtual2Key3Virtual4"
ANSWERED = "messenger-voice-lte_to_fixed-callee_hangs_up-1"
REJECTED = "messenger-voice-fixed_to_lte-callee_rejects-1"
DIRECT = "whatsapp-voice-lte_to_fixed-caller_hangs_up-1"
VPN = ip_address("10.215.173.1")
VPN6 = ip_address("fd00:2:fd00:1:fd00:1:fd00:1")
APP = "com.whatsapp"


def scenarios(folder: Path, *phones: str, key: str = KEY) -> Path:
    """The scenarios with PCAPdroid on some phones of the virtual bench; `key` is the one that the bench file has."""
    made = Path(shutil.copytree(SCENARIOS, folder / "scenarios"))
    file = made / "benches" / "virtual.yaml"
    text = file.read_text()
    for phone, tool, last in (("pixel6", "tcpdump", "operator: Operator A"), ("pixel6pro", "dumpcap", "sdk: 36")):
        before, name, after = text.partition(f"  - name: {phone}\n")
        if phone in phones:
            after = after.replace(f"capture: {tool}\n", f"capture: pcapdroid\n    pcapdroid_key: {key}\n", 1)
            after = after.replace(f"      {last}\n", f"      {last}\n      pcapdroid: {{key: {KEY}}}\n", 1)
        text = before + name + after
    file.write_text(text)
    return made


@pytest.fixture(
    scope="module",
    params=[("pixel6pro",), pytest.param(("pixel6", "pixel6pro"), marks=pytest.mark.full)],
    ids=["second", "both"],
)
def measured(request, tmp_path_factory):
    """Three trials, their truth and their findings, and the bench they ran on."""
    folder = tmp_path_factory.mktemp("pcapdroid")
    run = planned(
        folder / "dataset",
        *(HANG_UP, ANSWERED, REJECTED),
        matrix="paper",
        scenarios=scenarios(folder, *request.param),
    )
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        for item in run.chosen:
            assert run_one(run, bench, item, silent())
        found = {item.trial.id: differing(folder / "dataset", item.trial.id, bench.kind) for item in run.chosen}
    return request.param, Dataset(folder / "dataset"), found


def test_what_passes_the_vpn_is_measured_right(measured):
    _, _, found = measured
    assert {trial: findings for trial, (_, findings) in found.items()} == {
        trial: truth for trial, (truth, _) in found.items()
    }
    assert [found[trial][0]["established"] for trial in (HANG_UP, ANSWERED, REJECTED)] == [True, True, False]
    assert min(found[ANSWERED][0]["media"]["callee"].values()) > 100


def test_a_private_address_that_both_phones_have_is_told_of_neither(measured):
    phones, dataset, found = measured
    both = len(phones) == 2
    exposed = found[ANSWERED][1]["exposed"]
    assert (exposed["caller_public"], exposed["callee_public"]) == (True, True)
    assert (exposed["caller_private"], exposed["callee_private"]) == ((None, None) if both else (True, True))
    with (dataset.findings_dir / "endpoints.csv").open() as file:
        (row,) = (row for row in csv.DictReader(file) if (row["trial"], row["side"]) == (ANSWERED, "caller"))
    reason = "exposed_private: both phones have 10.215.173.1, which a STUN attribute shows"
    assert (reason in row["reason"]) == both


def test_the_label_goes_from_the_bench_file_into_trial_findings_and_report(measured):
    phones, dataset, _ = measured
    vantages = {"pixel6": "vpn" if "pixel6" in phones else "interface", "pixel6pro": "vpn"}
    for trial in (HANG_UP, ANSWERED, REJECTED):
        sides = dataset.record(trial).sides.values()
        assert {side.phone: side.vantage for side in sides} == vantages
    with (dataset.findings_dir / "endpoints.csv").open() as file:
        assert {(row["phone"], row["vantage"]) for row in csv.DictReader(file)} == set(vantages.items())
    report.build(dataset)
    said = "<strong>vantage: vpn.</strong> " + ", ".join(f"{phone} (3 of 3 trials)" for phone in sorted(phones))
    assert said in dataset.report_path.read_text()
    assert report.unread(dataset) == []


def test_a_side_holds_nothing_but_raw_ip_between_the_vpns_address_and_others(measured):
    phones, dataset, _ = measured
    for trial in (HANG_UP, ANSWERED, REJECTED):
        for role, side in dataset.record(trial).sides.items():
            if side.phone not in phones:
                continue
            assert (side.tool, side.interface, side.clock, side.timestamps) == (
                *("pcapdroid", "tun0", role),
                "host",
            )
            assert side.counters == Counters(captured=side.packets, received=side.packets, dropped=0)
            path = dataset.trials_dir / trial / side.capture
            head = path.read_bytes()[:24]
            assert head == bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 80020000 65000000")
            trace = Trace.read(path)
            udp = trace.udp
            ends = {(udp.addresses[s], udp.addresses[d]) for s, d in zip(udp.src, udp.dst, strict=True)}
            assert all(len({VPN, VPN6} & set(pair)) == 1 for pair in ends)


def test_the_vpns_addresses_are_the_phones_own_and_ipv6_is_offered_where_the_network_has_it(measured):
    phones, dataset, _ = measured
    for side in dataset.record(HANG_UP).sides.values():
        own = side.addresses.interface
        assert (VPN in own) == (side.phone in phones)
        assert (VPN6 in own) == (side.phone == "pixel6" and "pixel6" in phones)
        kinds = {"pixel6": ("rmnet1", "cellular"), "pixel6pro": ("wlan0", "wifi")}
        assert (side.way_out.interface, side.way_out.kind) == kinds[side.phone]


@pytest.mark.full
def test_above_a_clat_the_vpn_shows_ipv4_again(tmp_path):
    made = scenarios(tmp_path, "pixel6")
    file = made / "benches" / "virtual.yaml"
    file.write_text(file.read_text().replace("        link: raw\n", "        link: raw\n        clat: true\n"))
    run = planned(tmp_path / "dataset", HANG_UP, scenarios=made)
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        assert run_one(run, bench, run.chosen[0], silent())
        truth, found = differing(tmp_path / "dataset", HANG_UP, bench.kind)
    assert found == truth
    side = Dataset(tmp_path / "dataset").record(HANG_UP).sides["caller"]
    assert (side.way_out.interface, side.way_out.kind) == ("rmnet1", "cellular")
    udp = Trace.read(tmp_path / "dataset" / "trials" / HANG_UP / side.capture).udp
    assert {address.version for address in udp.addresses} == {4}


# On one bench: what the VPN keeps from coming about, and what goes wrong.


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    run = planned(folder / "unused", CANCEL, scenarios=scenarios(folder, "pixel6pro"))
    with Bench(run.lab, run.spec, Stop()) as bench:
        yield bench


@pytest.fixture
def begun(bench):
    """The second phone at the start of an attempt that is not run."""
    run = planned(Path("unused"), CANCEL, scenarios=bench.lab.directory)
    bench.kind.begin(run.chosen[0], 1, 0)
    yield bench.phones["pixel6pro"]
    bench.kind.end(None)


def ours(phone) -> list[str]:
    """The files of ours that lie where PCAPdroid writes."""
    names = phone.device.run(f"ls {pcapdroid.DIRECTORY}").text.split()
    return [name for name in names if name.startswith(pcapdroid.PREFIX)]


def attempted(folder: Path, bench: Bench, trial: str = CANCEL) -> list[tuple[str, str]]:
    """Run a trial; the void attempts before it was complete."""
    run = planned(folder, trial, scenarios=bench.lab.directory)
    create(run)
    assert run_one(run, bench, run.chosen[0], silent())
    told = [json.loads(path.read_text()) for path in sorted((folder / "attempts").glob("*/void.json"))]
    return [(each["reason"], each["text"].partition(": ")[2] or each["text"]) for each in told]


def test_a_call_through_the_vpn_takes_no_direct_path(tmp_path, bench):
    run = planned(tmp_path, DIRECT, matrix="paper", scenarios=bench.lab.directory)
    create(run)
    assert run_one(run, bench, dataclasses.replace(run.chosen[0], direct=True), silent())
    truth, found = differing(tmp_path, DIRECT, bench.kind)
    assert found == truth
    assert (truth["routing"], truth["p2p_observed"]) == ("relay", False)


@pytest.mark.full
def test_the_same_trial_gives_the_same_bytes(tmp_path, bench):
    hashes = []
    for name in ("a", "b"):
        assert attempted(tmp_path / name, bench) == []
        files = sorted((tmp_path / name / "trials" / CANCEL).glob("*.pcap"))
        hashes.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert (len(hashes[0]), hashes[0]) == (2, hashes[1])


@pytest.mark.parametrize(
    ("fault", "void"),
    [
        (
            {"what": "pcapdroid", "how": "killed", "after_ns": 14_000_000_000},
            ("capture_died", "PCAPdroid's VPN had gone before it was stopped"),
        ),
        (
            {"what": "pcapdroid", "how": "busy"},
            ("capture_not_ready", "PCAPdroid runs a capture that is not the lab's; stop it in PCAPdroid"),
        ),
        (
            {"what": "pcapdroid", "how": "dropped", "packets": 3, "after_ns": 14_000_000_000},
            ("capture_lost_packets", "tun0 dropped 3 packets that PCAPdroid never saw"),
        ),
        (
            {"what": "vpn"},
            (
                "interface_unclear",
                "ip route get leads through tun0, the default network is on wlan0; switch the VPN on tun0 off",
            ),
        ),
    ],
)
def test_what_goes_wrong_with_the_vpn_voids_the_attempt_and_the_next_is_complete(tmp_path, bench, fault, void):
    bench.kind.ask(op="fail_next", on="pixel6pro", **fault)
    assert attempted(tmp_path, bench) == [void]


def test_a_wrong_key_is_told_in_one_line_and_nothing_of_it_stays_on_the_screen(tmp_path):
    wrong = "Wrong000Key1Wrong002Key3Wrong004"
    run = planned(tmp_path / "dataset", CANCEL, scenarios=scenarios(tmp_path, "pixel6pro", key=wrong))
    create(run)
    with Bench(run.lab, run.spec, Stop()) as bench:
        assert not run_one(run, bench, run.chosen[0], silent())
        void = json.loads((tmp_path / "dataset" / "attempts" / f"{CANCEL}.0" / "void.json").read_text())
        assert (void["reason"], void["text"].partition(": ")[2]) == (
            "capture_not_ready",
            f"PCAPdroid's VPN does not come up; {pcapdroid.ACTIVITY} is on the screen; {pcapdroid.CONSENT}",
        )
        bench.kind.begin(run.chosen[0], 1, 9)
        phone = bench.phones["pixel6pro"]
        capture = bench.new_capture(phone, bench.lab.apps["whatsapp"], "there")
        capture._remote.ask("start", pcap_name="x.pcap")
        assert phone.screen.shows({"text": "PCAPdroid control request"})
        capture._remote.kill()
        assert not phone.screen.shows({"text": "PCAPdroid control request"})
        bench.kind.end(None)
    written = [path.read_bytes() for path in (tmp_path / "dataset").rglob("*") if path.is_file()]
    assert [data for data in written if wrong.encode() in data and b"pcapdroid_key" not in data] == []


def test_a_bench_without_the_key_is_not_opened_for_trials(bench, begun):
    object.__setattr__(begun, "spec", begun.spec.model_copy(update={"pcapdroid_key": None}))
    try:
        with pytest.raises(
            PhoneTrouble, match=r"pixel6pro has no pcapdroid_key; write it into the bench's \*.local.yaml"
        ):
            pcapdroid.sweep(begun)
    finally:
        object.__setattr__(begun, "spec", bench.spec.phone("pixel6pro"))


def test_a_sweep_stops_a_capture_of_ours_by_proof_and_nobody_elses(bench, begun):
    remote = pcapdroid.Remote(begun.device, begun.clock, KEY)
    left = bench.new_capture(begun, bench.lab.apps["whatsapp"], "left")
    left.start()
    assert (remote.gone(), pcapdroid.sweep(begun), remote.gone()) == (False, 1, True)
    assert ours(begun) == []
    remote.ask("start", pcap_name="theirs.pcap", app_filter=f"{APP},{pcapdroid.SHELL}")
    assert wait_until(begun.clock, lambda: not remote.gone(), 5)
    begun.device.run(f"echo >{pcapdroid.DIRECTORY}/{pcapdroid.PREFIX}old.pcap")
    assert (pcapdroid.sweep(begun), remote.gone()) == (1, False)
    assert ours(begun) == []
    assert begun.device.run(f"ls {pcapdroid.DIRECTORY}").text.split() == ["theirs.pcap"]
    remote.stop()


def test_a_capture_that_is_discarded_leaves_no_vpn_and_no_file(bench, begun):
    capture = bench.new_capture(begun, bench.lab.apps["whatsapp"], "there")
    capture.start()
    begun.send_marker("im-call-lab 0 live")
    assert wait_until(begun.clock, lambda: capture.holds("im-call-lab 0 live"), 2)
    assert capture.size_bytes() > 24
    capture.discard()
    assert "tun0" not in begun.device.run("ip addr").text
    assert ours(begun) == []


def test_doctor_names_what_pcapdroid_lacks(bench, begun):
    def checks() -> dict[str, tuple[bool, str]]:
        found = _phone(begun, [bench.lab.apps["whatsapp"]], lambda: (True, "answers"))
        return {each.check: (each.ok, each.found) for each in found if each.check.startswith(("pcapdroid", "vpn"))}

    assert checks() == {
        "pcapdroid": (True, "1.9.1"),
        "pcapdroid key": (True, "is given"),
        "vpn": (True, "no VPN is on"),
    }
    bench.kind.ask(op="fail_next", what="vpn", on="pixel6pro")
    bench.kind.begin(planned(Path("unused"), CANCEL, scenarios=bench.lab.directory).chosen[0], 1, 1)
    assert checks()["vpn"] == (False, "a VPN on tun0")
