"""Small captures that went wrong once, each for its kind. The files are not part of this repository."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate.trace import Trace, verify

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "traces"
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
    assert said(name, capsys) == (3, f"{name}: {text}")


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
