"""What else is not the same in two datasets."""

import json
import shutil

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.dataset.record import Addresses
from correlate.report.compare import compare
from correlate.report.compare.moved import nat
from tests.records import record_anew


@pytest.mark.parametrize(
    ("interface", "probed", "kind"),
    [
        (["192.168.137.20"], ["203.0.113.7"], "IPv4 behind a NAT"),
        (["203.0.113.7"], ["203.0.113.7"], "IPv4 without NAT"),
        (
            ["100.64.0.7", "2001:db8:a::7"],
            ["198.51.100.7", "2001:db8:a::7"],
            "IPv4 behind a NAT and IPv6 without NAT",
        ),
        (["203.0.113.7"], ["203.0.113.7", "198.51.100.7"], "IPv4 behind a NAT"),
        (["192.168.137.20"], [], "nothing recorded"),
        (None, None, "nothing recorded"),
    ],
)
def test_a_nat_is_told_by_the_addresses_that_others_see(interface, probed, kind):
    assert nat(Addresses(interface=interface, probed=probed)) == kind


@pytest.fixture
def pair(tmp_path, build):
    """Two datasets of the same call."""
    call = build.call()
    for side, local in ((call.caller, ("100.64.0.7", 5000)), (call.callee, ("192.168.137.20", 6000))):
        side.talk(local, ("192.0.2.50", 3478), 1.0, 11.0, 120, 110)
    (tmp_path / "a").mkdir()
    build.dataset(tmp_path / "a", [call])
    (tmp_path / "a/scenarios/benches").mkdir(parents=True)
    (tmp_path / "a/scenarios/benches/virtual.yaml").write_text("name: virtual\n")
    record_anew(tmp_path / "a")
    report.build(Dataset(tmp_path / "a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    return Dataset(tmp_path / "a"), Dataset(tmp_path / "b"), call


def signed(dataset):
    record_anew(dataset.path)
    dataset.write_manifest()


def test_versions_systems_networks_bench_file_and_harness_are_told_in_that_order(pair):
    a, b, call = pair
    info = json.loads(b.info_path.read_text())
    info["devices"][0] |= {"os": "Android 17", "network": "nr"}
    info |= {"seed": 2, "versions": {"im-call-lab": "0.3.0"}}
    b.info_path.write_text(json.dumps(info))
    path = b.trial_dir(call.trial) / "trial.json"
    trial = json.loads(path.read_text())
    trial["sides"]["callee"]["addresses"] = {"interface": ["198.51.100.20"], "probed": ["198.51.100.20"]}
    trial["sides"]["caller"]["app_version"] = "1.1\x1b[31m"
    path.write_text(json.dumps(trial))
    (b.path / "scenarios/benches/virtual.yaml").write_text("name: virtual\nidle_s: 9\n")
    signed(b)
    found = {each.what: (each.a, each.b) for each in compare(a, b).moved}
    digests = found.pop("scenarios/benches/virtual.yaml")
    assert (len(digests[0]), digests[0] != digests[1]) == (12, True)
    assert found == {
        "version of maple": ("1.0", "alpha: 1.1 [31m; bravo: 1.0"),
        "system of device 1": ("Android 16", "Android 17"),
        "network of device 1": ("lte", "nr"),
        "NAT of device 2": ("IPv4 behind a NAT", "IPv4 without NAT"),
        "seed": ("1", "2"),
        "version of im-call-lab": ("nothing recorded", "0.3.0"),
    }


def test_another_label_of_a_network_leaves_the_trials_comparable(pair):
    """The direction of the trials has it; which phone calls is what counts."""
    a, b, _ = pair
    info = json.loads(b.info_path.read_text())
    info["plan"][0]["direction"] = "nr_to_fixed"
    b.info_path.write_text(json.dumps(info))
    signed(b)
    found = compare(a, b)
    assert (found.a.trials, found.b.trials, found.exit_code) == (1, 1, 0)
