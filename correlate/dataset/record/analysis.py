"""What the analysis of one app needs to know, as data: an app's YAML and dataset.json have it, never code."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from correlate.dataset.record.base import Document, Port
from correlate.dataset.record.patterns import compiled, groups

VIDEO_BYTES_PER_S = 20_000


class UserIds(Document):
    """Which ICE fragments of a STUN USERNAME are user ids (paper 4.6)."""

    lengths: Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=1)]
    """Those of one of these lengths, in characters"""


class RoleRule(Document):
    """How the wire shows which side calls (paper 4.6)."""

    port: Port
    """UDP sessions on this port are looked at"""
    sessions: Annotated[int, Field(ge=2, le=100)] = 3
    """How many of them there are at least; the two closest in packet count tell"""
    caller_at_least: Annotated[int, Field(ge=1)] = 10
    """Packets in each of the two, or more, on the calling leg; fewer on the called one"""


class Analysis(Document):
    """The `analysis:` section of an app: how its calls look on the wire."""

    relay_ports: Annotated[list[Port], Field(min_length=1)]
    """UDP ports of the app's relays"""
    twins: str | None = None
    """A regular expression over host names: its groups, joined, are what twins have in common"""
    user_ids: UserIds | None = None
    """Which parts of a USERNAME are user ids: `lengths`, in characters; null: any part"""
    role: RoleRule | None = None
    """How the wire shows which side calls; null: no rule"""
    unanswered_service: Literal["identical_sessions"] | None = None
    """How the service of a call without a conversation is told; null: no rule"""
    video_bytes_per_s: Annotated[int, Field(ge=1)] = VIDEO_BYTES_PER_S
    """Media payload in the faster direction from which a conversation is one with video"""

    @property
    def user_id_lengths(self) -> frozenset[int]:
        """The lengths of user ids; empty: any fragment counts."""
        return frozenset(self.user_ids.lengths if self.user_ids else ())

    def cluster(self, name: str | None) -> str | None:
        """The key that twin host names share; None for a name that has no twins."""
        match = compiled(self.twins).fullmatch(name[:255]) if self.twins and name else None
        return "|".join(group for group in match.groups() if group is not None) if match else None

    @field_validator("twins")
    @classmethod
    def _a_regex_with_groups(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            count = groups(value)
        except re.error as error:
            raise ValueError(f"twins is no regular expression: {error}") from None
        if not count:
            raise ValueError("twins has no group: its groups, joined, are what twin host names have in common")
        return value


GENERIC = Analysis.model_construct(relay_ports=[])
"""What holds of an app without an analysis: no rule, and servers on any port."""
