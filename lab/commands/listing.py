"""What is in one capture file, on standard output: as JSON, or a line a row."""

import json
import sys
from collections.abc import Callable, Iterable, Sized

from correlate.errors import CorrelateError
from correlate.trace import Block, CaptureReader
from lab.commands.exits import require_none

Rows = Callable[[Iterable[Block]], Iterable[dict[str, object]]]
"""JSON-ready objects of a capture, made of its blocks."""


def print_rows(rows: Iterable[dict[str, object]], as_json: bool) -> None:
    """One JSON list, or one line a row, while they come; where reading fails on the way the list is ended as well."""
    before = "["
    try:
        for row in rows:
            if as_json:
                print(before, json.dumps(row, indent=1).replace("\n", "\n "), sep="\n ", end="")
                before = ","
            else:
                print("  ".join(f"{key}={value}" for key, value in row.items() if key != "attributes"))
    except CorrelateError:
        if before == ",":
            print("\n]")
        raise
    if as_json:
        print("[]" if before == "[" else "\n]")


def print_capture(pcap: str, stream: CaptureReader, rows: Rows, as_json: bool, tcp: Sized | None = None) -> None:
    """The rows of a capture file; what is damaged and what is not listed, on standard error; exit 3 where damage may
    change the rows."""
    print_rows(rows(stream), as_json)
    for line in (*stream.damage, *unlisted(tcp)):
        print(f"{pcap}: {line}", file=sys.stderr)
    require_none([""] if any(damage.stops for damage in stream.damage) else [])


def unlisted(tcp: Sized | None) -> list[str]:
    """A line about the TCP conversations of a file that are not among its rows, where there are any."""
    if not tcp:
        return []
    return [f"{len(tcp)} TCP conversation{'s are' if len(tcp) > 1 else ' is'} not listed; flows lists UDP"]
