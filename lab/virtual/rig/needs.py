"""What a rig needs of this machine: root, network namespaces, TUN and programs; each lack with its mend."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "turnserver": "coturn",
    "chromium-headless-shell": "chromium-headless-shell",
    "tcpdump": "tcpdump",
    "dumpcap": "wireshark-common",
    "ethtool": "ethtool",
    "ping": "iputils-ping",
    "sysctl": "procps",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "toybox": "toybox",
    "espeak-ng": "espeak-ng",
    "openssl": "openssl",
}
"""Each program that a rig runs, and the package of Debian that has it."""

CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""What making and wiring network namespaces takes, by its bit (capability.h of Linux)."""


@dataclass(frozen=True)
class Need:
    """Something that is lacking, and what to do about it."""

    what: str
    fix: str


def on_path(program: str) -> str | None:
    """Where a program is; the places of system programs count, which a user's PATH may not have."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def lacking(
    which: Callable[[str], str | None] = on_path,
    status: Path = Path("/proc/self/status"),
    tun: Path = Path("/dev/net/tun"),
) -> list[Need]:
    """All that this machine lacks, at most one need of each kind; nothing is started or changed.

    `status` is the file in which Linux says what this process may do.
    """
    found = [_rights(status), _tun(tun), _programs(which)]
    return [need for need in found if need is not None]


def _rights(status: Path) -> Need | None:
    text = status.read_text() if status.exists() else ""
    user = re.search(r"^Uid:\s+\d+\s+(\d+)\s", text, re.MULTILINE)
    effective = re.search(r"^CapEff:\s+([0-9a-f]+)$", text, re.MULTILINE)
    if user is None or effective is None:
        return Need("not Linux: no network namespaces", "run it on a machine with Linux")
    if int(user[1]) != 0:
        return Need("not root: no network namespaces can be made", "run as root: sudo env PATH=$PATH ...")
    held = int(effective[1], 16)
    missing = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if missing:
        return Need(f"no {' and '.join(missing)}: no network namespaces can be made", "run in a container with these")
    return None


def _tun(device: Path) -> Need | None:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return Need(f"no {device}", "modprobe tun, or give the container this device")
    except OSError as error:
        return Need(
            f"{device} cannot be opened: {error.strerror}", "run as root, and let the container use this device"
        )
    return None


def _programs(which: Callable[[str], str | None]) -> Need | None:
    missing = [program for program in PACKAGES if which(program) is None]
    if not missing:
        return None
    packages = sorted({PACKAGES[program] for program in missing})
    return Need(f"no {', '.join(missing)}", f"apt-get install --no-install-recommends {' '.join(packages)}")
