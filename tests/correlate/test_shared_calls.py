"""What is found of real calls (libwebrtc, aiortc, baresip), which are not part of this repository."""

import csv
import json

import pytest

from correlate import pairs
from correlate.dataset import Dataset
from correlate.pairs import rtp
from lab.commands import import_trials
from tests.correlate.test_shared_cases import CALLS, ROOT, measured

pytestmark = pytest.mark.skipif(not CALLS.is_dir(), reason="needs the calls in ../shared/calls, which are absent")
NESTED = {"relay_voice_a", "relay_onesided_voice"}
"""Whose checks go through ChannelData on one side, which the other reader does not look into: SDP tells their ids."""


@pytest.fixture(scope="module")
def truth():
    return json.loads((CALLS / "truth.json").read_text())


def listed_as(app, folder):
    """The list of all calls, as of that app."""
    with (CALLS / "LIST.csv").open(newline="") as file:
        rows = [row | {"app": app} for row in csv.DictReader(file)]
    for name in (name for row in rows for name in (row["caller_capture"], row["callee_capture"])):
        (folder / name).symlink_to(CALLS / name)
    with (folder / "LIST.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder / "LIST.csv"


@pytest.fixture(scope="module", params=["rigtalk", "messenger"])
def app(request):
    """messenger has relay ports, and ids of four characters."""
    return request.param


@pytest.fixture(scope="module")
def found(tmp_path_factory, app):
    folder = tmp_path_factory.mktemp(app)
    return measured(listed_as(app, folder), folder / "calls")


def test_conversations_and_routes_are_the_truths(found, truth):
    assert found.keys() == truth.keys()
    for name, case in found.items():
        for endpoint in case.endpoints.values():
            assert endpoint.established is truth[name]["established"], name
            assert endpoint.routing == (truth[name]["routing"] if name != "baresip_voice_a" else "p2p"), name


def test_media_are_those_that_the_selected_pair_counted(found, truth):
    """Up to eight more: the stack counts neither DTLS nor what the far end did not take. Where the call had more pairs
    than one, those of the others too."""
    compared = 0
    for name, case in found.items():
        for side in case.volume:
            pair = truth[name].get("selected", {}).get(side, {})
            if "tx_packets" not in pair:
                continue
            media = case.volume[side].media
            more = media.tx_packets - pair["tx_packets"], media.rx_packets - pair["rx_packets"]
            several = name in ("restart_voice", "p2p_video_a")
            assert all(0 <= each <= (700 if several else 8) for each in more), (name, side, more)
            compared += not several
    assert compared == 16


def test_services_of_answered_calls_and_user_ids_are_the_truths(found, truth, app):
    for name, case in found.items():
        service, signals = case.service_type["caller"], case.signalling["caller"]
        assert service.service == (truth[name]["service"] if truth[name]["established"] else None), name
        ufrags = {each for of in truth[name].get("ufrags", {}).values() for each in of}
        right = ufrags if name in NESTED else set(truth[name]["user_ids_both_tshark"])
        if (app, name) == ("messenger", "baresip_voice_a"):
            assert (signals.user_ids, "none of a length" in signals.reasons["user_ids"]) == (None, True)
        else:
            assert set(signals.user_ids) == right, name


@pytest.mark.parametrize("name", ["p2p_video_a", "lowvideo_p2p", "relay_voice_a", "restart_voice", "tcp_all_voice"])
def test_rtp_streams_of_real_calls_have_the_packets_of_getstats(tmp_path, truth, name):
    """In all of an SSRC's flows. The truth counts retransmissions, which have an SSRC of their own, as video."""
    dataset = Dataset(tmp_path / "calls")
    import_trials.import_trials(CALLS / "LIST.csv", dataset, ROOT / "scenarios")
    with (CALLS / "LIST.csv").open(newline="") as file:
        names = [row["caller_capture"].split(".")[0] for row in csv.DictReader(file)]
    trial = dict(zip(names, (entry.id for entry in dataset.plan()), strict=True))[name]
    pair = pairs.load(dataset, trial, dataset.info().apps, {})
    phones = {side: dataset.record(trial).sides[side].phone for side in ("caller", "callee")}
    for side, phone in phones.items():
        vantage = pair.a if pair.a.phone == phone else pair.b
        streams = rtp.streams(vantage)
        for stats in truth[name]["selected"][side]["rtp"]:
            own = [each for each in streams if each.ssrc == stats["ssrc"]]
            assert {each.sent for each in own} == {stats["type"] == "outbound-rtp"}
            clock = {"audio": 48_000, "video": 90_000}[stats["kind"]]
            assert {each.clock_hz for each in own} <= {clock, None}
            assert max(own, key=lambda each: each.packets).clock_hz == clock
            count = stats.get("packetsSent", stats.get("packetsReceived"))
            assert sum(each.packets for each in own) == pytest.approx(count, abs=8 if stats["kind"] == "audio" else 50)
