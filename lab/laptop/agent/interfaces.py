"""What can be captured on: what `dumpcap -D -M` lists, in the two forms that it has had."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.laptop.agent.programs import Refused

ROW = re.compile(r"\d+\. (?P<name>[^\t]+)\t(?:[^\t]*\t){2}-?\d+\t(?P<addresses>[^\t]*)\t.*")


def listed(text: str) -> dict[str, list[str]]:
    """The addresses of each interface by its name.

    Up to Wireshark 4.0 a line is one interface and tabs stand between its fields; later it is one list in JSON, with
    an object an interface. Raises `Refused` for anything else.
    """
    return _of_json(text) if text.lstrip().startswith("[") else _of_lines(text)


def _of_lines(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        row = ROW.fullmatch(line)
        if row is None:
            raise Refused(f"cannot be read: {line[:100]!r} among dumpcap's interfaces")
        found[row["name"].strip()] = [address for address in row["addresses"].split(",") if address]
    return found


def _of_json(text: str) -> dict[str, list[str]]:
    try:
        interfaces: list[dict[str, dict[str, Any]]] = json.loads(text)
        pairs = [(name, told["addrs"]) for interface in interfaces for name, told in interface.items()]
        return {name: [str(address) for address in addresses] for name, addresses in pairs}
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise Refused(f"cannot be read: {text.strip()[:100]!r} as dumpcap's interfaces") from None
