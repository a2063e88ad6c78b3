"""Entries of names.json: {name, how, when_ns, earlier}. `name` is null where the answer was that there is none.

`earlier`, absent where there is none, has the answers before this one as {name, how, when_ns}, oldest first.
"""

import re
from collections.abc import Mapping
from typing import Any

PTR = "PTR"
"""How a name was learned from a resolver begins with this; how it was not as well, with the reason behind."""

Answer = dict[str, Any]

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})\Z")


def is_host_name(name: object) -> bool:
    """Whether this is a text that can be a host name: whoever runs a server writes its records."""
    return isinstance(name, str) and _HOST_NAME.match(name) is not None


def misshapen(entry: object) -> str:
    """What of this has not the shape of an entry, an object with objects in its `earlier`; empty where it has."""
    if not isinstance(entry, dict):
        return "is no object"
    earlier = entry.get("earlier", [])
    has = isinstance(earlier, list) and all(isinstance(each, dict) for each in earlier)
    return "" if has else "has earlier answers that are no list of objects"


def newest(old: Mapping[str, Any] | None, answer: Answer) -> Answer:
    """An entry of names.json after another answer."""
    if old is None:
        return answer
    before = {key: old.get(key) for key in ("name", "how", "when_ns")}
    return {**answer, "earlier": [*old.get("earlier", []), before]}


def was_asked(entry: Mapping[str, Any]) -> bool:
    """Whether a resolver ever answered for the address of this entry."""
    return any(str(answer.get("how")).startswith(PTR) for answer in (entry, *entry.get("earlier", [])))
