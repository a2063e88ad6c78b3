"""Both captures of a trial in Wireshark, where a frame of the evidence stands."""

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape

from correlate.dataset import check_id
from lab.commands import wireshark_profile
from lab.commands.show import console
from lab.programs import processes


def cache(environment: Mapping[str, str]) -> Path:
    """Where what can be made again is kept: `XDG_CACHE_HOME`, which holds only where it is a whole path."""
    named = environment.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "im-call-lab"


def place(dataset: str, trial: str, out: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the merged file of a trial goes: to `out`, else into the cache, apart for each dataset's folder.

    Raises `BadDataset` for what is no trial's id.
    """
    folder = Path(dataset).resolve()
    apart = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return Path(out) if out else cache(environment) / f"{folder.name}-{apart}" / f"{check_id(trial)}.pcapng"


def look(merged: Path, number: int, environment: Mapping[str, str] = os.environ) -> None:
    """Open Wireshark at frame `number` of a merged file, with a profile of our own; where there is no Wireshark, or no
    screen, print what shows the frame in a terminal."""
    config = cache(environment) / "wireshark"
    wireshark_profile.write(config)
    out, chosen = console(), {"XDG_CONFIG_HOME": str(config)}
    out.print(f"{escape(str(merged))}, frame {number}", soft_wrap=True)
    if (program := shutil.which("wireshark", path=environment.get("PATH"))) and has_screen(environment):
        processes.leave_running([program, *arguments(merged), "-g", str(number)], chosen)
        return
    line = shlex.join(["tshark", *arguments(merged), "-Y", f"frame.number == {number}", "-V"])
    out.print("There is no Wireshark here, or no screen for it. In a terminal:", soft_wrap=True)
    out.print(escape(f"XDG_CONFIG_HOME={shlex.quote(str(config))} {line}"), soft_wrap=True)


def arguments(merged: Path) -> list[str]:
    """What Wireshark and tshark are given alike: the file, and the profile."""
    return ["-r", str(merged), "-C", wireshark_profile.NAME]


def has_screen(environment: Mapping[str, str]) -> bool:
    """Whether a window can be shown; on Linux only a display server can."""
    return sys.platform != "linux" or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
