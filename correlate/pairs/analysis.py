"""The rules by which one app's calls are read: `analysis` of dataset.json, made ready. No app is known by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from correlate.dataset.record import Analysis, RoleRule
from correlate.dataset.record.analysis import VIDEO_BYTES_PER_S


@dataclass(frozen=True)
class Rules:
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

    @staticmethod
    def of(analysis: Analysis | None) -> Rules:
        """The rules of an app; without an analysis the generic ones."""
        if analysis is None:
            return Rules()
        return Rules(
            relay_ports=frozenset(analysis.relay_ports),
            twins=re.compile(analysis.twins) if analysis.twins else None,
            user_id_lengths=frozenset(analysis.user_ids.lengths if analysis.user_ids else ()),
            role=analysis.role,
            unanswered_service=analysis.unanswered_service,
            video_bytes_per_s=analysis.video_bytes_per_s,
        )

    def cluster(self, name: str | None) -> str | None:
        """The key that twin host names share; None for a name that has no twins."""
        match = self.twins.fullmatch(name[:255]) if self.twins and name else None
        return "|".join(group for group in match.groups() if group is not None) if match else None
