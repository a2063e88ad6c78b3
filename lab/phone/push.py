"""A tcpdump of ours on a phone that has none, or too old a one: `invoke push-tcpdump FILE`.

It lies apart from the captures, which are swept, and from the system, which is not touched. It comes before
the phone's own (`FIRST_ON_PATH`).
"""

import hashlib
import re
import struct
from pathlib import Path

from correlate import files
from lab.clocks import deadlines
from lab.errors import BadInput, PhoneTrouble
from lab.phone.adb import Adb
from lab.programs.shell import ShellOutput

DIRECTORY = "/data/local/tmp/im-call-lab-tools"
TCPDUMP = f"{DIRECTORY}/tcpdump"
FIRST_ON_PATH = f"PATH={DIRECTORY}:$PATH"
OLDEST = (4, 9)
"""Nothing older was ever tried with the options that a capture is run with."""

ABIS = {(2, 183): "arm64-v8a", (1, 40): "armeabi-v7a", (2, 62): "x86_64", (1, 3): "x86"}
"""Android's names by ELF class (1: 32 bits) and machine, as the ELF specification numbers them."""

_VERSION = re.compile(r"\S{0,60}tcpdump\S{0,60} (version (\d{1,3})\.(\d{1,3})[0-9A-Za-z.+_-]{0,40})")
"""It names itself as its file is named: `tcpdump.partial version 4.99.5` (tcpdump, print_version)."""


def abi(data: bytes) -> str:
    """Whose program this is, by its ELF header: one of Android's ABIs.

    Raises:
        ValueError: it is no ELF program, or of a machine that no Android runs on.
    """
    if data[:4] != b"\x7fELF" or len(data) < 20:
        raise ValueError("is no ELF program")
    if data[5] != 1:
        raise ValueError("is a big-endian ELF program, which no Android runs")
    kind, machine = struct.unpack_from("<HH", data, 16)
    found = ABIS.get((data[4], machine))
    if kind not in (2, 3):
        raise ValueError("is an ELF file, but no program")
    if found is None:
        raise ValueError(f"is an ELF program of machine {machine}, which no Android runs on")
    return found


def judged(answer: ShellOutput) -> tuple[bool, str]:
    """Whether what `tcpdump --version` answers is a tcpdump that is new enough, and what it is."""
    found = _VERSION.search(answer.text)
    if found is None:
        return False, answer.text.strip()[:100] or f"no answer to --version, exit code {answer.code}"
    if (int(found[2]), int(found[3])) < OLDEST:
        return False, f"tcpdump {found[1]} is older than {OLDEST[0]}.{OLDEST[1]}"
    return True, f"tcpdump {found[1]}"


def push(device: Adb, name: str, file: Path) -> str:
    """Install `file` as the tcpdump of a rooted phone, whole and proven or not at all; returns what to tell.

    A file that is there already is left alone. Raises `BadInput` for a file that is no program of this phone, and
    `PhoneTrouble` where it does not arrive whole or does not run there.
    """
    try:
        data = files.read(file)
        needed = abi(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{file}: {reason}; name a tcpdump that was built for the phone") from error
    listed = device.run("getprop ro.product.cpu.abilist").text.strip()
    if needed not in listed.split(","):
        raise BadInput(f"{file}: is a program for {needed}, {name} runs {listed}; name one that was built for it")
    if _sha256(device, TCPDUMP) == hashlib.sha256(data).hexdigest():
        fits, said = judged(device.run(f"{TCPDUMP} --version", root=True))
        if fits:
            return f"{name} has it already: {said} in {TCPDUMP}"
    return _install(device, name, file)


def _install(device: Adb, name: str, file: Path) -> str:
    partial = f"{TCPDUMP}.partial"
    device.run(f"mkdir -p {DIRECTORY}")
    try:
        device.push_checked(file, partial)
        device.run(f"chmod 755 {partial}")
        fits, said = judged(device.run(f"{partial} --version", root=True))
        if not fits:
            raise PhoneTrouble(f"{name}: {file.name} does not do there: {said}; nothing is installed")
        moved = device.run(f"mv -f {partial} {TCPDUMP}")
        if moved.code != 0:
            raise PhoneTrouble(f"{name}: {moved.text[:100]!r}; nothing is installed")
    finally:
        device.run(f"rm -f {partial}")
    return f"{name} has it now: {said} in {TCPDUMP}"


def _sha256(device: Adb, path: str) -> str:
    found = re.match(
        r"([0-9a-f]{64})\s", device.run(f"sha256sum {path} 2>/dev/null", timeout_s=deadlines.PHONE_HASH.s).text
    )
    return "" if found is None else found[1]
