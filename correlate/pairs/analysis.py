"""What the correlator is told about an app: the `analysis` of dataset.json, checked. No app is known by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from correlate.errors import BadDataset

VIDEO_BYTES_PER_S = 20_000


@dataclass(frozen=True)
class RoleRule:
    """Of the sessions on `port`, at least `sessions` of them, the two closest in packet count tell who called:
    `caller_at_least` packets or more in each at the calling leg, fewer in each at the called one (paper 4.6)."""

    port: int
    sessions: int = 3
    caller_at_least: int = 10


@dataclass(frozen=True)
class Analysis:
    """How an app's calls look on the wire. Each empty field means the generic rule.

    `relay_ports` empty: servers may use any port. `twins`: a regular expression over host names whose groups, joined,
    name a cluster. `user_id_lengths` empty: any fragment counts.
    """

    relay_ports: frozenset[int] = frozenset()
    twins: re.Pattern[str] | None = None
    user_id_lengths: frozenset[int] = frozenset()
    role: RoleRule | None = None
    unanswered_service: str | None = None
    video_bytes_per_s: int = VIDEO_BYTES_PER_S

    def cluster(self, name: str | None) -> str | None:
        """The key that twin host names share; None for a name that has no twins."""
        match = self.twins.fullmatch(name[:255]) if self.twins and name else None
        return "|".join(group for group in match.groups() if group is not None) if match else None


def parse(value: Mapping[str, Any] | None) -> Analysis:
    """The `Analysis` in one app's entry of dataset.json; None gives the generic rules. Raises `BadDataset`."""
    if value is None:
        return Analysis()
    try:
        role = value.get("role")
        user_ids = value.get("user_ids")
        return Analysis(
            relay_ports=frozenset(int(port) for port in value.get("relay_ports") or ()),
            twins=re.compile(value["twins"]) if value.get("twins") else None,
            user_id_lengths=frozenset(int(length) for length in user_ids["lengths"]) if user_ids else frozenset(),
            role=RoleRule(**{key: int(number) for key, number in role.items()}) if role else None,
            unanswered_service=value.get("unanswered_service"),
            video_bytes_per_s=int(value.get("video_bytes_per_s") or VIDEO_BYTES_PER_S),
        )
    except (TypeError, ValueError, KeyError, AttributeError, re.error) as error:
        raise BadDataset(f"dataset.json: an app's analysis does not fit: {error}") from error
