"""What is no capture, is packed, or is of another version: one line that says what to do."""

import bz2
import lzma
import shlex
import shutil
import struct
import subprocess

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate.errors import Unreadable
from correlate.trace import CaptureReader, Trace, blocks
from tests.correlate.test_damage import TWO, pcap, record

SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
PACKERS = {
    "zstd": lambda data: subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout,
    "lz4": lambda data: subprocess.run(["lz4", "-qc"], input=data, capture_output=True, check=True).stdout,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
# How each begins, so that a machine without the program tries it too.
BEGINNINGS = {
    "zstd": ["28b52ffd04"], "lz4": ["04224d18644070b9", "02214c18"], "xz": ["fd377a585a000004"],
    "bzip2": ["425a6839314159", "425a683131"],
}  # fmt: skip


@pytest.mark.parametrize("command", BEGINNINGS)
def test_a_packed_file_names_the_command_that_unpacks_it(command, tmp_path):
    for begins in BEGINNINGS[command]:
        path = tmp_path / "a call.pcap"
        path.write_bytes(bytes.fromhex(begins) + bytes(40))
        told = f"is packed with {command}; unpack it first: {command} -dc '{path}' > unpacked.pcap"
        with pytest.raises(Unreadable) as refused:
            Trace.read(path)
        assert refused.value.what == told
        with pytest.raises(Unreadable) as refused:
            list(blocks(path))
        assert refused.value.what == told


@pytest.mark.parametrize("command", PACKERS)
def test_the_command_works_as_printed(command, tmp_path):
    if not shutil.which(command):
        pytest.skip(f"needs {command}, which is not installed")
    path = tmp_path / "a call.pcap"
    path.write_bytes(PACKERS[command](TWO))
    with pytest.raises(Exit) as stopped:
        tasks.flows(Context(), pcap=str(path))
    assert stopped.value.code == 2
    line = stopped.value.message.partition("unpack it first: ")[2]
    subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "unpacked.pcap").read_bytes() == TWO
    assert shlex.split(line)[0] == command


def test_what_is_packed_on_standard_input_names_the_command_alone():
    stream = CaptureReader("-", held=bytes.fromhex("28b52ffd04") + bytes(40))
    with pytest.raises(Unreadable, match=r"unpack it first: zstd -dc$"):
        list(stream)


@pytest.mark.parametrize("version", [(2, 5), (2, 3), (2, 0), (1, 4), (3, 4), (543, 0), (4, 2)])
def test_a_classic_file_of_another_version_is_refused_by_name(version, tmp_path):
    path = tmp_path / "other.pcap"
    path.write_bytes(pcap(record(), version=version))
    named = ".".join(map(str, version))
    told = f"is pcap of version {named}, only 2.4 is read here; convert it with editcap -F pcapng"
    for reading in (Trace.read, lambda path: list(blocks(path))):
        with pytest.raises(Unreadable) as refused:
            reading(path)
        assert refused.value.what == told


@pytest.mark.parametrize(
    ("order", "magic"), [("<", 0xA1B2C3D4), (">", 0xA1B2C3D4), ("<", 0xA1B23C4D), (">", 0xA1B23C4D)]
)
def test_the_version_is_read_in_the_byte_order_of_the_file(order, magic, tmp_path):
    path = tmp_path / "one.pcap"
    head = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 65535, 101)
    path.write_bytes(head)
    assert (Trace.read(path).packets, Trace.read(path).damage) == (0, ())
    path.write_bytes(head[:4] + head[6:8] + head[4:6] + head[8:])
    with pytest.raises(Unreadable, match=r"is pcap of version 4\.2,"):
        Trace.read(path)


@pytest.mark.parametrize("size", range(1, 8))
def test_a_file_that_ends_before_its_version_is_cut(size, tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(version=(2, 5))[:size])
    assert [each.kind for each in Trace.read(path).damage] == ["cut_file_header"]


def test_a_pcapng_section_has_its_version_elsewhere(tmp_path):
    path = tmp_path / "one.pcapng"
    path.write_bytes(SECTION)
    assert (Trace.read(path).format, Trace.read(path).damage) == ("pcapng", ())
