"""Small captures that went wrong once, each for its kind. The files are not part of this repository."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate.dataset import Dataset
from correlate.findings.cases import cases
from correlate.trace import Trace, verify

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "traces"
SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
S = 10**9

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the captures in ../shared/cases, which are absent")


def said(name, capsys):
    """Exit code and standard error of `invoke flows`, the path left out."""
    code = 0
    try:
        tasks.flows(Context(), pcap=str(CASES / name), json=True)
    except Exit as stop:
        if stop.message:
            return stop.code, stop.message.replace(f"{CASES}/", "")
        code = stop.code
    return code, capsys.readouterr().err.replace(f"{CASES}/", "").strip()


def test_custom_blocks_are_frames_so_that_numbers_are_those_of_wireshark(capsys):
    trace = Trace.read(CASES / "cb.pcapng")
    assert (trace.udp.frame.tolist(), trace.packets, trace.damage) == ([1, 3, 5, 6], 4, ())
    assert said("cb.pcapng", capsys) == (0, "")


def test_the_drops_of_enhanced_packets_are_those_of_the_capture():
    assert verify(CASES / "epb_drop.pcapng").kernel_dropped == 21


@pytest.mark.parametrize(
    ("name", "frame", "text"),
    [
        ("inv_usec_mono.pcap", 2, "byte 118, frame 2: 1 time with a fraction of a second or more"),
        (
            "public/tests__timestamp_invalid_micro.pcap",
            2,
            "byte 116, frame 2: 2 times with a fraction of a second or more",
        ),
        ("public/tests__pcaps__dhcp_big_endian.pcapng", 1, "byte 112, frame 1: 4 times before 1970 or after 2262"),
    ],
)
def test_a_time_that_cannot_be_is_said_where_it_stands(name, frame, text, capsys):
    (damage,) = Trace.read(CASES / name).damage
    assert (damage.frame, damage.stops, damage.voids) == (frame, True, True)
    code, lines = said(name, capsys)
    assert (code, lines.splitlines()[0]) == (3, f"{name}: {text}")


def test_no_minutes_are_added_to_a_time_that_cannot_be():
    integrity = verify(CASES / "inv_usec_mono.pcap")
    assert (integrity.first_ns, integrity.last_ns, integrity.ok) == (1_760_000_000 * S, 1_760_000_000 * S, False)


def test_a_version_that_is_not_read_is_refused_by_name(capsys):
    name = "public/tests__pcap-invalid-version-2.pcap"
    told = f"{name}: is pcap of version 2.5, only 2.4 is read here; convert it with editcap -F pcapng"
    assert said(name, capsys) == (2, told)


def test_a_packed_capture_names_the_command_that_unpacks_it(capsys):
    assert said("zst.pcap", capsys) == (
        2,
        "zst.pcap: is packed with zstd; unpack it first: zstd -dc zst.pcap > unpacked.pcap",
    )


def test_a_capture_of_every_datagram_twice_is_counted_said_and_in_no_volume(tmp_path, capsys):
    data = tmp_path / "imported"
    tasks.import_trials(Context(), trials=str(CASES / "dup/dup.csv"), dataset=str(data), scenarios=str(SCENARIOS))
    trial = "messenger-voice-fixed_to_lte-callee_hangs_up-1"
    told = "130 datagrams sent and 130 received are there a second time, so its volumes are unknown"
    advice = "capture on one interface, not `any`; on Windows let no other capture driver run beside Npcap"
    line = f"{trial}, callee: {told}: {advice}"
    assert capsys.readouterr().out.splitlines()[1:2] == [line]
    (case,) = cases(Dataset(data)).read
    caller, callee = case.volume["caller"], case.volume["callee"]
    assert (callee.tx_duplicates, callee.rx_duplicates, callee.captured_twice) == (130, 130, True)
    assert (caller.tx_duplicates, caller.rx_duplicates, caller.captured_twice) == (0, 0, False)
    assert (caller.media.tx_packets, callee.media.tx_packets, callee.longest_relay.tx_packets) == (129, None, None)
    assert case.service_type["callee"].media_bytes_per_s == case.service_type["caller"].media_bytes_per_s
    for name in ("table7", "table8"):
        rows = [row for row in (data / f"tables/{name}.csv").read_text().splitlines() if ",longest_relay,0,1," in row]
        assert rows
        assert all("datagrams captured twice in 1 of 1 trials" in row for row in rows)
    page = (data / "report.html").read_text()
    assert f"<li>{line}</li>" in page
    assert "<strong>Not to be overlooked.</strong>" in page
    tasks.correlate(Context(), dataset=str(data))
    assert capsys.readouterr().out.splitlines()[1:2] == [line]
