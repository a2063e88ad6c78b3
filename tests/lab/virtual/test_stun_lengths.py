"""STUN of the emulated apps has lengths of real messages: which are whole in a capture depends on its snaplen."""

import struct
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from correlate.trace import Trace
from lab.virtual.network import stunwire
from tests.lab.virtual.test_traffic import APPS, FIXED, MOBILE, recorded

REAL = Path(__file__).parents[4] / "shared/traces"
WHOLE_BYTES = 548
"""What STUN stays under where the MTU of its path is not known (RFC 8489 section 6.1)."""
MOST = 2000


def lengths(trace: Trace) -> dict[int, Counter[int]]:
    """Type -> lengths of the STUN messages that are datagrams of their own, and how many have each."""
    found: dict[int, Counter[int]] = {}
    for row, size in enumerate(trace.udp.payload_bytes.tolist()):
        text = trace.payload(row)
        if len(text) >= 8 and text[0] < 0x40 and text[4:8] == stunwire.COOKIE.to_bytes(4, "big"):
            found.setdefault(struct.unpack_from("!H", text)[0], Counter())[size] += 1
    return found


@cache
def captured(name: str, tmp_path: Path, *, direct: bool = False, snaplen: int = MOST) -> list[Trace]:
    """Both traces of a voice call of an app."""
    bench, _ = recorded(name, "voice", MOBILE, "caller_hangs_up", direct=direct, snaplen=snaplen)
    traces = []
    for phone in (MOBILE, FIXED):
        path = tmp_path / f"{name}-{direct}-{snaplen}-{phone}"
        path.write_bytes(bench.files[phone])
        traces.append(Trace.read(path))
    return traces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lengths")


def sizes(name: str, folder: Path, kind: int, **options: bool) -> set[int]:
    return {size for trace in captured(name, folder, **options) for size in lengths(trace).get(kind, ())}


def test_whatsapps_messages_have_the_lengths_of_its_real_call(folder):
    """nDPI's stun_wa_call.pcapng; pings of one call there all have 472, in wa_video.pcap 512."""
    assert sizes("whatsapp", folder, stunwire.ALLOCATE) == {272}
    assert sizes("whatsapp", folder, stunwire.ALLOCATE | stunwire.SUCCESS) == {68}
    assert sizes("whatsapp", folder, stunwire.WARP_PONG) == {40}
    assert sizes("whatsapp", folder, stunwire.WARP_BYE) == {64}
    pings = sizes("whatsapp", folder, stunwire.WARP_PING)
    assert (min(pings) >= 472, max(pings) <= 512, len(pings) > 1) == (True, True, True)
    assert sizes("whatsapp", folder, stunwire.BINDING, direct=True) >= {44}


def test_messengers_messages_have_the_lengths_of_its_real_call(folder):
    """nDPI's stun.pcap, 31.13.86.54:40003, where no FINGERPRINT of 8 bytes is behind them."""
    assert sizes("messenger", folder, stunwire.ALLOCATE) == {28, 136 + 8}
    assert sizes("messenger", folder, stunwire.ALLOCATE | stunwire.ERROR) == {104}
    assert sizes("messenger", folder, stunwire.ALLOCATE | stunwire.SUCCESS) >= {76 + 8}
    assert sizes("messenger", folder, stunwire.CREATE_PERMISSION) >= {140 + 8}
    assert sizes("messenger", folder, stunwire.CHANNEL_BIND) >= {148 + 8}
    assert sizes("messenger", folder, stunwire.SEND) >= {132}
    assert sizes("messenger", folder, stunwire.BINDING | stunwire.SUCCESS) >= {64}


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("direct", [False, True])
def test_no_message_is_too_long_for_a_path_whose_mtu_is_not_known(name, direct, folder):
    longest = max(
        size for trace in captured(name, folder, direct=direct) for each in lengths(trace).values() for size in each
    )
    assert longest < WHOLE_BYTES


def cut(name: str, folder: Path, snaplen: int) -> int:
    """How many STUN messages of a call are cut in its captures."""
    total = 0
    for trace in captured(name, folder, snaplen=snaplen):
        for row, size in enumerate(trace.udp.payload_bytes.tolist()):
            text = trace.payload(row)
            total += text[4:8] == stunwire.COOKIE.to_bytes(4, "big") and text[0] < 0x40 and len(text) < size
    return total


@pytest.mark.parametrize("name", APPS)
def test_640_bytes_of_a_frame_hold_every_message_and_256_do_not_for_apps_with_long_ones(name, folder):
    assert cut(name, folder, 640) == 0
    assert (cut(name, folder, 256) > 0) is (name in ("whatsapp", "alder", "birch"))


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/traces: real captures are not part of the project")
def test_real_messages_have_the_lengths_that_messenger_was_given(folder):
    of_call = lengths(Trace.read(REAL / "stun.pcap"))
    assert {28, 136} <= of_call[stunwire.ALLOCATE].keys()
    assert (of_call[stunwire.CREATE_PERMISSION], of_call[stunwire.CHANNEL_BIND]) == ({140: 6}, {148: 1})
    assert of_call[stunwire.ALLOCATE | stunwire.SUCCESS] == {76: 2}
    assert 104 in of_call[stunwire.ALLOCATE | stunwire.ERROR]
