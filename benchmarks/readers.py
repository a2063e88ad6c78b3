"""How fast captures are read, beside what else people read them with; one run, one table of ratios.

`python benchmarks/readers.py [--packets N] [--captures N] [--sample N] [--peers PYTHON] [--long N] [--keep DIR]`

Peers that are not installed are skipped with a line. PYTHON is an interpreter that has nfstream, dpkt and scapy. Flows
and STUN messages of ours are compared with the truth in the same run; a difference ends it. Peak memory is the largest
resident set of the process. `main(Options())` gives the tables as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BYTES = """
import sys
file, buffer = open(sys.argv[1], "rb", buffering=0), bytearray(4 << 20)
while file.readinto(buffer): pass
"""
OURS_NAME, BYTES_NAME = "ours, flows + STUN", "reading the bytes"
OURS = """
import json, sys
from dataclasses import asdict
from correlate.flows import Counter, row
from correlate.stun import in_block
from correlate.trace import blocks
def read(path):
    counter, messages, stream = Counter(), 0, blocks(path)
    for block in stream:
        counter.add(block)
        messages += sum(1 for _ in in_block(block))
    return stream.packets, messages, [row(flow) for flow in counter.table()], len(stream.damage)
if __name__ == "__main__":
    workers, paths = int(sys.argv[1]), sys.argv[2:]
    if workers > 1:
        from multiprocessing import Pool
        with Pool(workers) as pool:
            found = pool.map(read, paths, chunksize=4)
    else:
        found = list(map(read, paths))
    json.dump(found, sys.stdout)
"""
DPKT = """
import sys, dpkt
flows = {}
for time, data in dpkt.pcap.Reader(open(sys.argv[1], "rb")):
    ip = dpkt.ethernet.Ethernet(data).data
    udp = ip.data
    key = (ip.src, udp.sport, ip.dst, udp.dport)
    count = flows.setdefault(key, [0, 0])
    count[0] += 1
    count[1] += len(data)
print(len(flows))
"""
SCAPY = """
import sys
from scapy.utils import RawPcapReader
print(sum(1 for _ in RawPcapReader(sys.argv[1])))
"""
NFSTREAM = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    print(sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=0, n_meters=1)))
"""


@dataclass(frozen=True)
class Options:
    packets: int = 3_000_000
    captures: int = 360
    capture_packets: int = 30_000
    sample: int = 6
    long: int = 0  # packets of one long capture more; 0 for none
    peers: str = sys.executable
    keep: str = ""


@dataclass(frozen=True)
class Result:
    """Seconds by the clock and of processors, bytes of the largest resident set, standard output."""

    seconds: float
    processor_s: float
    peak_bytes: int
    output: bytes


@dataclass(frozen=True)
class Truth:
    """What a capture holds; of flows all that `invoke flows --json` tells, but classic STUN, of which there is none."""

    packets: int
    size_bytes: int
    flows: list[dict[str, object]]
    stun: int


class Wrong(Exception):
    """What was read is not what was written."""


def run(argv: list[str]) -> Result:
    """One command, from its start to its end. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        program = subprocess.Popen(argv, stdout=output, stderr=subprocess.DEVNULL, env=environment, cwd=HERE)
        _, status, usage = os.wait4(program.pid, 0)
        seconds = time.monotonic() - started
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            raise subprocess.CalledProcessError(program.returncode, argv)
        output.seek(0)
        processor_s = usage.ru_utime + usage.ru_stime
        return Result(seconds, processor_s, usage.ru_maxrss * 1024, output.read())


def peers(path: str, python: str) -> dict[str, list[str] | None]:
    """Every other reader's command; None where it is not installed."""
    commands: dict[str, list[str] | None] = {
        "tcpdump -w /dev/null": _installed(["tcpdump", "-r", path, "-w", "/dev/null"]),
        "nfstream, no dissection": _importable(python, "nfstream", NFSTREAM, path),
        "dpkt, flows": _importable(python, "dpkt", DPKT, path),
        "scapy RawPcapReader": _importable(python, "scapy", SCAPY, path),
        "tshark -q -z conv,udp": _installed(["tshark", "-n", "-q", "-r", path, "-z", "conv,udp"]),
    }
    return commands


def _installed(argv: list[str]) -> list[str] | None:
    return argv if shutil.which(argv[0]) else None


def _importable(python: str, module: str, code: str, path: str) -> list[str] | None:
    try:
        done = subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return [python, "-c", code, path] if done.returncode == 0 else None


def written(path: Path, packets: int, count: int = 1) -> tuple[list[Path], list[Truth]]:
    """Writes captures and gives their truths. By a process of its own: what the parent of a program holds would count
    for the program's peak."""
    told = path.with_suffix(".json")
    script = str(HERE / "captures.py")
    run([sys.executable, script, str(path), "--packets", str(packets), "--count", str(count), "--truth", str(told)])
    truths = [Truth(**one) for one in json.loads(told.read_text())]
    return [path, *(Path(f"{path}.{n}") for n in range(1, count))], truths


def check(found: list[object], truth: Truth) -> None:
    """Raises Wrong where packets, flows or STUN messages are not those that were written."""
    told = [flow | {"classic_stun": 0} for flow in truth.flows]
    if found != [truth.packets, truth.stun, told, 0]:
        raise Wrong(f"{truth.packets} packets: flows or STUN messages differ from what was written")


def ours(program: Path, paths: list[Path], truths: list[Truth], workers: int = 1) -> Result:
    result = run([sys.executable, str(program), str(workers), *map(str, paths)])
    for found, truth in zip(json.loads(result.output), truths, strict=True):
        check(found, truth)
    return result


def one_large(folder: Path, program: Path, options: Options) -> list[str]:
    """The table of all readers on one capture. Ours and the bytes alone are read again beside every peer, so that what
    else the machine does meanwhile is in all of them."""
    (path,), (truth,) = written(folder / "large.pcap", options.packets)
    commands = {BYTES_NAME: [sys.executable, "-c", BYTES, str(path)], **peers(str(path), options.peers)}
    results: dict[str, list[Result]] = {OURS_NAME: [], **{name: [] for name in commands}}
    skipped = [f"{name}: not installed, skipped" for name, command in commands.items() if command is None]
    for name, command in commands.items():
        if command is not None:
            for each, argv in {
                OURS_NAME: [],
                "reading the bytes": commands["reading the bytes"],
                name: command,
            }.items():
                results[each].append(run(argv) if argv else ours(program, [path], [truth]))
                say(f"{each}: {results[each][-1].seconds:.2f} s, {results[each][-1].processor_s:.2f} s of processors")
    path.unlink()
    lines = [_line(name, made, options.packets, results[OURS_NAME]) for name, made in results.items() if made]
    head = f"One capture of {truth.packets:,} packets, {truth.size_bytes / 1e9:.2f} GB, {len(truth.flows):,} flows, "
    head += (
        f"{truth.stun:,} STUN messages; flows and messages equal the truth. Seconds are medians of the runs; ratios "
    )
    head += "are of medians."
    table = [
        "| reader | runs | s | least s | processor s | packets/s | peak MiB | time / ours | processor time / ours |"
    ]
    table += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|", *lines]
    return [head, "", *table, *([""] if skipped else []), *skipped]


def _line(name: str, made: list[Result], packets: int, ours: list[Result]) -> str:
    seconds, processor_s = (median(getattr(each, key) for each in made) for key in ("seconds", "processor_s"))
    ratios = [
        f"{seconds / median(each.seconds for each in ours):.2f}",
        f"{processor_s / median(each.processor_s for each in ours):.2f}",
    ]
    least, peak = min(each.seconds for each in made), max(each.peak_bytes for each in made) >> 20
    times = f"{len(made)} | {seconds:.2f} | {least:.2f} | {processor_s:.2f}"
    return f"| {name} | {times} | {packets / seconds:,.0f} | {peak} | {' | '.join(ratios)} |"


def many(folder: Path, program: Path, options: Options) -> list[str]:
    """A dataset's worth of captures by two workers, and tshark file by file on a sample."""
    paths, truths = written(folder / "many.pcap", options.capture_packets, options.captures)
    say(f"{options.captures} captures of {options.capture_packets} packets")
    made = sorted((ours(program, paths, truths, workers=2) for _ in range(3)), key=lambda result: result.seconds)
    best = made[1]
    sample = paths[: options.sample]
    packets = options.captures * options.capture_packets
    text = f"{options.captures} captures of {options.capture_packets:,} packets by two workers, the median of 3 runs: "
    text += f"{best.seconds:.2f} s ({best.processor_s:.2f} s of processors), {packets / best.seconds:,.0f} packets/s, "
    text += f"{best.peak_bytes >> 20} MiB at most a worker."
    if shutil.which("tshark"):
        taken = [run(["tshark", "-n", "-q", "-r", str(path), "-z", "conv,udp"]).seconds for path in sample]
        whole_s = sum(taken) / len(taken) * options.captures
        text += f" tshark a file: {whole_s:.0f} s as estimated from {len(sample)} of them, "
        text += f"{whole_s / best.seconds:.0f} times as long."
    for path in paths:
        path.unlink()
    return [text]


def growth(folder: Path, program: Path, options: Options) -> list[str]:
    """Time and memory against size: a tenth, the whole, and the long one where it is asked for."""
    lines = ["| packets | s | packets/s | peak MiB |", "|---:|---:|---:|---:|"]
    for packets in [options.packets // 10, options.packets, *([options.long] if options.long else [])]:
        (path,), (truth,) = written(folder / "growth.pcap", packets)
        result = sorted((ours(program, [path], [truth]) for _ in range(3)), key=lambda result: result.seconds)[1]
        rate, peak = packets / result.seconds, result.peak_bytes / (1 << 20)
        lines.append(f"| {packets:,} | {result.seconds:.2f} | {rate:,.0f} | {peak:.0f} |")
        path.unlink()
    return ["Ours against the size of the capture:", "", *lines]


def cold(folder: Path, program: Path) -> list[str]:
    """One trial's two captures by a process that starts cold."""
    paths, truths = written(folder / "trial.pcap", 3_600, 2)
    made = median(ours(program, paths, truths).seconds for _ in range(7))
    size = sum(truth.size_bytes for truth in truths) / 1e6
    return [f"One trial's two captures ({size:.1f} MB together) from a cold start: {made:.2f} s, the median of 7."]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(options: Options) -> str:
    """All tables, as Markdown."""
    with tempfile.TemporaryDirectory(prefix="im-call-lab-readers-", dir=options.keep or None) as directory:
        folder = Path(directory)
        program = folder / "ours.py"
        program.write_text(OURS)
        parts = [one_large(folder, program, options), many(folder, program, options)]
        parts += [growth(folder, program, options), cold(folder, program)]
    return "\n\n".join("\n".join(part) for part in parts)


def chosen(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in asdict(Options()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    print(main(chosen()))
