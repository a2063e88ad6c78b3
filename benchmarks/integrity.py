"""How many datagrams the captures of a trial lose: `python benchmarks/integrity.py [--number N]`, as root.

Starts and stops both tools N times at the rates of voice and video, in network namespaces, with the classes that
hardware uses, and counts against the senders' own logs. Prints what docs/capture-integrity.md quotes, in Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.integrity.cycles import Count, Cycle, cycles, plain_tcpdump
from tests.integrity.rig import RATES, Rig, missing

LANES = 4


def row(rate: str, tool: str, counts: list[Count]) -> str:
    sent, lost = sum(count.sent for count in counts), sum(count.missing for count in counts)
    worst = max(count.missing for count in counts)
    void = sum(count.void is not None for count in counts)
    return f"| {rate} | {tool} | {len(counts)} | {sent:,} | {lost:,} | {worst:,} | {void} |"


def rows(rate: str, done: list[Cycle], where: str = "") -> list[str]:
    phone, laptop = ([one.counts[index] for one in done] for index in (0, 1))
    told = [] if where else [row(rate, "PhoneTcpdump", phone)]
    return [*told, row(rate, f"LaptopCapture{where}", laptop)]


def skew(rate: str, done: list[Cycle], where: str = "") -> str:
    cells = []
    for values in ([one.told_ns for one in done], [one.seen_ns for one in done if one.seen_ns is not None]):
        low, middle, high = min(values), statistics.median(values), max(values)
        cells.append(f"{middle / 1e6:.0f} ({low / 1e6:.0f} to {high / 1e6:.0f})")
    return f"| {rate}{where} | {cells[0]} | {cells[1]} |"


def place() -> str:
    name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    tools = {"tcpdump": ["tcpdump", "--version"], "dumpcap": ["dumpcap", "--version"], "ssh": ["ssh", "-V"]}
    tools |= {"toybox": ["toybox", "--version"]}
    said = []
    for tool, argv in tools.items():
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        text = done.stdout + done.stderr
        number = re.search(r"[0-9]+[0-9.p]+", text)
        said.append(f"{tool} {number[0] if number else 'of an unknown version'}")
        if found := re.search(r"libpcap version ([0-9.]+)", text):
            said.append(f"libpcap {found[1]}")
    machine = f"{name[1] if name else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"
    return f"{time.strftime('%Y-%m-%d')}, {machine}, load before {os.getloadavg()[0]:.1f}. {', '.join(said)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=50)
    number = parser.parse_args().number
    if reason := missing():
        sys.exit(reason)
    print(place())
    counted, skews, refused = [], [], []
    with Rig(LANES) as local, Rig(2, ssh=True) as remote:
        for rate in RATES:
            for rig, repeats, where in ((local, number, ""), (remote, max(2, number // 5), " over ssh")):
                done = cycles(rig, [rate] * repeats)
                counted += rows(rate, done, where)
                skews.append(skew(rate, done, where))
                refused += [count.void for one in done for count in one.counts if count.void]
            plain = [plain_tcpdump(local.lanes[0], "plain", rate, 1.2 + 0.1 * n) for n in range(max(2, number // 5))]
            counted.append(row(rate, "`tcpdump -w FILE`, SIGINT at once", plain))
    print("\n| rate | capture | starts | sent between the markers | missing | at worst | void |")
    print("|---|---|---|---|---|---|---|", *counted, sep="\n")
    print(
        "\n| rate | live, as trial.json tells (ms) | first datagram in the files (ms) |\n|---|---|---|",
        *skews,
        sep="\n",
    )
    if refused:
        print("", *refused, sep="\n")


if __name__ == "__main__":
    main()
