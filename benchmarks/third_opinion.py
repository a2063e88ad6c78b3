"""tshark beside this project on every capture of a dataset: `python benchmarks/third_opinion.py DATASET`.

Compared are UDP conversations (`flows --json`: ends, packets, bytes of frames and payload both ways, first and last
time) and STUN messages (`stun --json`) by frame, type and transaction id, over UDP and TCP. tshark is told that any UDP
port may be STUN's, and which TCP ports are relays'. Conversations are summed from its packets by `udp.stream`: its own
table (`-z conv,udp`) rounds bytes.

What tshark does not show: messages inside of DATA attributes and ChannelData. It shows their bytes; these are made
datagrams of their own by text2pcap and given to it once more. A message without cookie is not compared. Of a TCP stream
that it cannot follow any longer, behind retransmissions, it shows segments alone: messages there are counted apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from correlate import flows, stun
from correlate.trace import Trace

COLUMNS = (
    *("frame.number", "frame.time_epoch", "frame.len", "frame.protocols", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst"),
    *("udp.stream", "udp.srcport", "udp.dstport", "udp.length", "stun.type", "stun.id", "data.data"),
)
UDP = ("-d", "udp.port==1-65535,stun")
AMOUNTS = ("packets", "bytes", "payload")

Row = dict[str, str]
Found = Counter[tuple[int, int, str]]
"""STUN messages: number of the frame, type, transaction id in hex."""


@dataclass
class Opinion:
    """What was compared, by kind, and what differs; a line begins with its capture."""

    compared: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def say(self) -> str:
        counts = ", ".join(f"{count} {what}" for what, count in self.compared.items())
        return f"tshark: {counts}; {len(self.differences)} differ"


def fields(path: Path, options: Sequence[str]) -> list[Row]:
    """The columns of each packet in which tshark sees UDP or STUN; what an ICMP error quotes is none."""
    command = ["tshark", "-n", "-r", str(path), *options, "-Y", "(udp || stun) && !icmp && !icmpv6", "-T", "fields"]
    command += [word for column in COLUMNS for word in ("-e", column)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in done.stdout.splitlines()]


def nanoseconds(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def ends(row: Row) -> tuple[tuple[str, int], tuple[str, int]]:
    source, target = ((row[f"ip.{end}"] or row[f"ipv6.{end}"]) for end in ("src", "dst"))
    return (source, int(row["udp.srcport"])), (target, int(row["udp.dstport"]))


def conversations(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """By `A port X, B port Y`, with the names of `flows --json`."""
    found: dict[str, dict[str, Any]] = {}
    streams: dict[str, set[str]] = {}
    for row in rows:
        if not row["udp.stream"]:
            continue
        source, target = ends(row)
        (a, a_port), (b, b_port) = sorted((source, target))
        name, way = f"{a} port {a_port}, {b} port {b_port}", "ab" if source == (a, a_port) else "ba"
        streams.setdefault(row["udp.stream"], set()).add(name)
        time_ns = nanoseconds(row["frame.time_epoch"])
        zeros = {f"{amount}_{each}": 0 for amount in AMOUNTS for each in ("ab", "ba")}
        one = found.setdefault(name, {**zeros, "first_ns": time_ns, "last_ns": time_ns})
        one["first_ns"], one["last_ns"] = min(one["first_ns"], time_ns), max(one["last_ns"], time_ns)
        for amount, value in zip(AMOUNTS, (1, int(row["frame.len"]), int(row["udp.length"]) - 8), strict=True):
            one[f"{amount}_{way}"] += value
    assert len(streams) == len(found), "tshark has one stream for each pair of ends"
    return found


def messages(rows: Iterable[Row]) -> tuple[Found, Found]:
    """Outermost messages over UDP, and over TCP."""
    udp, tcp = Found(), Found()
    for row in rows:
        if row["stun.id"]:
            pairs = zip(row["stun.type"].split(","), row["stun.id"].split(","), strict=True)
            each = [(int(row["frame.number"]), int(kind, 16), transaction) for kind, transaction in pairs]
            (udp if row["udp.stream"] else tcp).update(each)
    return udp, tcp


def nested(rows: Iterable[Row]) -> Found:
    """Messages that DATA attributes and ChannelData carry, in the frame that carries them."""
    carried = [
        (int(row["frame.number"]), data)
        for row in rows
        if ":stun" in row["frame.protocols"] and row["data.data"]
        for data in row["data.data"].split(",")
    ]
    lines = (f"000000 {' '.join(data[at : at + 2] for at in range(0, len(data), 2))}\n" for _, data in carried)
    with tempfile.TemporaryDirectory(prefix="im-call-lab-soak-") as directory:
        path = Path(directory) / "carried.pcap"
        command = ["text2pcap", "-q", "-F", "pcap", "-u", "3478,3478", "-", str(path)]
        subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=True)
        again, _ = messages(fields(path, UDP)) if carried else (Found(), Found())
    return Found({(carried[at - 1][0], kind, transaction): n for (at, kind, transaction), n in again.items()})


def ours(trace: Trace) -> dict[str, Found]:
    """The messages that this project finds, with a cookie, by where they are."""
    found = {f"{place} over {transport}": Found() for place in ("outermost", "nested") for transport in ("UDP", "TCP")}
    for each in stun.messages(trace):
        if each.cookie:
            where = f"{'nested' if each.nested else 'outermost'} over {each.transport.upper()}"
            found[where][each.frame, each.type, each.transaction.hex()] += 1
    return found


def of_capture(path: Path, ports: Iterable[int]) -> Opinion:
    """tshark's opinion of one capture. `ports` are those of relays."""
    opinion, trace = Opinion(), Trace.read(path)
    over_tcp = [word for port in sorted(ports) for word in ("-d", f"tcp.port=={port},stun")]
    rows = fields(path, [*UDP, *over_tcp])
    opinion.differences += [f"{path}: {text}" for text in of_conversations(opinion, trace, rows)]
    udp, tcp = messages(rows)
    theirs = {"outermost over UDP": udp, "outermost over TCP": tcp}
    theirs["nested over UDP"] = nested(row for row in rows if row["udp.stream"])
    theirs["nested over TCP"] = nested(row for row in rows if not row["udp.stream"])
    followed = {int(row["frame.number"]) for row in rows if ":stun" in row["frame.protocols"]}
    for where, found in ours(trace).items():
        if where.endswith("TCP"):
            shown = Found({each: count for each, count in found.items() if each[0] in followed})
            opinion.compared["STUN messages over TCP that it does not show"] += (found - shown).total()
            found = shown
        opinion.compared[f"STUN messages {where}"] += found.total()
        for name, more in (("this project alone", found - theirs[where]), ("tshark alone", theirs[where] - found)):
            opinion.differences += [
                f"{path}: frame {frame}: STUN {where}, type 0x{kind:04x}, transaction {transaction}: seen by {name}"
                for frame, kind, transaction in sorted(more)
            ]
    return opinion


def of_conversations(opinion: Opinion, trace: Trace, rows: Iterable[Row]) -> Iterator[str]:
    theirs = conversations(rows)
    found = {f"{row['a']} port {row['a_port']}, {row['b']} port {row['b_port']}": row for row in flows.rows(trace)}
    opinion.compared["UDP conversations"] += len(found)
    opinion.compared["UDP datagrams"] += sum(row["packets_ab"] + row["packets_ba"] for row in found.values())
    for name in sorted(found.keys() | theirs.keys()):
        if name not in found or name not in theirs:
            yield f"{name}: seen by {'tshark' if name in theirs else 'this project'} alone"
            continue
        yield from (
            f"{name}: {key} is {found[name][key]}, tshark {value}"
            for key, value in theirs[name].items()
            if found[name][key] != value
        )


def of_dataset(root: Path) -> Opinion:
    """All captures of complete trials, two at a time."""
    info = json.loads((root / "dataset.json").read_text())
    ports = {port for app in info["apps"].values() for port in app["analysis"]["relay_ports"]}
    paths = sorted((root / "trials").glob("*/c*.pcap*"))
    opinion = Opinion()
    with ThreadPoolExecutor(2) as pool:
        for each in pool.map(lambda path: of_capture(path, ports), paths):
            opinion.compared["captures"] += 1
            opinion.compared += each.compared
            opinion.differences += each.differences
    return opinion


def main() -> int:
    opinion = of_dataset(Path(sys.argv[1]))
    print(opinion.say(), *opinion.differences, sep="\n")
    return 1 if opinion.differences else 0


if __name__ == "__main__":
    sys.exit(main())
