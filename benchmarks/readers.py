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
from statistics import median_low

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
from correlate.stun import BlockReader
from correlate.trace import blocks
def read(path):
    counter, reader, messages, stream = Counter(), BlockReader(), 0, blocks(path)
    for block in stream:
        counter.add(block)
        messages += sum(1 for _ in reader.add(block))
    messages += sum(1 for _ in reader.rest())
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


Figures = dict[str, float]
Part = tuple[list[str], Figures]
"""Lines of Markdown, and what `targets` looks at."""


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


def one_large(folder: Path, program: Path, options: Options) -> Part:
    """The table of all readers on one capture. Ours and the bytes alone are read again beside every peer, so that what
    else the machine does meanwhile is in all of them."""
    (path,), (truth,) = written(folder / "large.pcap", options.packets)
    commands = {BYTES_NAME: [sys.executable, "-c", BYTES, str(path)], **peers(str(path), options.peers)}
    results: dict[str, list[Result]] = {OURS_NAME: [], **{name: [] for name in commands}}
    skipped = [f"{name}: not installed, skipped" for name, command in commands.items() if command is None]
    for name, command in commands.items():
        if command is not None:
            for each in dict.fromkeys((OURS_NAME, BYTES_NAME, name)):
                argv = commands.get(each)
                results[each].append(run(argv) if argv else ours(program, [path], [truth]))
                say(f"{each}: {results[each][-1].seconds:.2f} s, {results[each][-1].processor_s:.2f} s of processors")
    path.unlink()
    head = f"One capture of {truth.packets:,} packets, {truth.size_bytes / 1e9:.2f} GB, {len(truth.flows):,} flows, "
    head += (
        f"{truth.stun:,} STUN messages; flows and messages equal the truth. Seconds are medians of the runs, ratios "
    )
    head += "those of medians."
    columns = ["reader", "runs", "s", "least s", "processor s", "packets/s", "peak MiB", "time / ours"]
    table = [f"| {' | '.join([*columns, 'processor time / ours'])} |", f"|---|{'---:|' * len(columns)}"]
    figures: Figures = {}
    mine = typical(results[OURS_NAME])
    for name, made in results.items():
        if made:
            table.append(_line(name, made, options.packets, mine))
            figures[name] = typical(made).seconds / mine.seconds
    return [head, "", *table, *([""] if skipped else []), *skipped], figures


def typical(made: list[Result]) -> Result:
    """Medians of seconds, of processor seconds and of bytes; of an even number the lower one."""
    seconds, processor_s = median_low(each.seconds for each in made), median_low(each.processor_s for each in made)
    return Result(seconds, processor_s, median_low(each.peak_bytes for each in made), made[0].output)


def _line(name: str, made: list[Result], packets: int, mine: Result) -> str:
    here = typical(made)
    ratios = f"{here.seconds / mine.seconds:.2f} | {here.processor_s / mine.processor_s:.2f}"
    least, peak = min(each.seconds for each in made), max(each.peak_bytes for each in made) >> 20
    times = f"{len(made)} | {here.seconds:.2f} | {least:.2f} | {here.processor_s:.2f}"
    return f"| {name} | {times} | {packets / here.seconds:,.0f} | {peak} | {ratios} |"


def many(folder: Path, program: Path, options: Options) -> Part:
    """A dataset's worth of captures by two workers, and tshark file by file on a sample."""
    paths, truths = written(folder / "many.pcap", options.capture_packets, options.captures)
    say(f"{options.captures} captures of {options.capture_packets} packets")
    here = typical([ours(program, paths, truths, workers=2) for _ in range(3)])
    packets, figures = options.captures * options.capture_packets, Figures()
    text = f"{options.captures} captures of {options.capture_packets:,} packets by two workers, the median of 3 runs: "
    text += f"{here.seconds:.2f} s ({here.processor_s:.2f} s of processors), {packets / here.seconds:,.0f} packets/s, "
    text += f"{here.peak_bytes >> 20} MiB at most a worker."
    if shutil.which("tshark"):
        sample = paths[: options.sample]
        taken = [run(["tshark", "-n", "-q", "-r", str(path), "-z", "conv,udp"]).seconds for path in sample]
        whole_s = sum(taken) / len(taken) * options.captures
        figures["many"] = whole_s / here.seconds
        text += f" tshark a file: {whole_s:.0f} s as estimated from {len(sample)} of them, "
        text += f"{figures['many']:.0f} times as long."
    for path in paths:
        path.unlink()
    return [text], figures


def growth(folder: Path, program: Path, options: Options) -> Part:
    """Time and memory against size: a tenth, the whole, and the long one where it is asked for."""
    lines, figures = ["| packets | s | ns a packet | peak MiB |", "|---:|---:|---:|---:|"], Figures()
    for packets in [options.packets // 10, options.packets, *([options.long] if options.long else [])]:
        (path,), (truth,) = written(folder / "growth.pcap", packets)
        here = typical([ours(program, [path], [truth]) for _ in range(3)])
        each_ns, figures["peak"] = here.seconds / packets * 1e9, here.peak_bytes / (1 << 20)
        lines.append(f"| {packets:,} | {here.seconds:.2f} | {each_ns:.0f} | {figures['peak']:.0f} |")
        path.unlink()
    return ["Ours against the size of the capture:", "", *lines], figures


def cold(folder: Path, program: Path) -> Part:
    """One trial's two captures by a process that starts cold."""
    paths, truths = written(folder / "trial.pcap", 3_600, 2)
    seconds = typical([ours(program, paths, truths) for _ in range(7)]).seconds
    size = sum(truth.size_bytes for truth in truths) / 1e6
    text = f"One trial's two captures ({size:.1f} MB together) from a cold start: {seconds:.2f} s, the median of 7."
    return [text], {"cold": seconds}


def targets(figures: Figures) -> list[str]:
    """What is asked for beside what was measured; nothing where a peer is not installed."""
    asked: list[tuple[str, str, float, bool]] = [
        ("tshark -q -z conv,udp", "tshark, times as long as ours", 40, True),
        ("nfstream, no dissection", "nfstream, times as long as ours", 10, True),
        ("bytes", "ours, times as long as reading the bytes", 4, False),
        ("many", "tshark a file, times as long as our two workers", 100, True),
        ("peak", "peak MiB of a process on the largest capture", 64, False),
        ("cold", "seconds for a trial's two captures from a cold start", 0.3, False),
    ]
    figures = {**figures, "bytes": 1 / figures[BYTES_NAME]}
    lines = ["| target | asked | measured | |", "|---|---:|---:|---|"]
    for name, text, bound, is_least in asked:
        if name in figures:
            found = figures[name]
            met = found >= bound if is_least else found <= bound
            word = "at least" if is_least else "at most"
            lines.append(f"| {text} | {word} {bound:g} | {found:.3g} | {'met' if met else 'short'} |")
    return lines


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
    figures = {name: value for _, found in parts for name, value in found.items()}
    return "\n\n".join("\n".join(lines) for lines in [targets(figures), *(lines for lines, _ in parts)])


def chosen(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in asdict(Options()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    print(main(chosen()))
