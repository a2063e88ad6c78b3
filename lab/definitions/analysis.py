"""What the analysis of one app needs to know, as data: it goes into `dataset.json`, never into code."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from lab.definitions.base import Model, Port


class UserIds(Model):
    """Which ICE fragments of a STUN USERNAME are user ids (paper 4.6): those of one of these lengths, in characters."""

    lengths: Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=1)]


class RoleRule(Model):
    """How the wire shows which side calls (paper 4.6).

    Of the `sessions` UDP sessions on `port`, the two closest in packet count: at least `caller_at_least` packets each
    on the caller's side, fewer on the callee's.
    """

    port: Port
    sessions: Annotated[int, Field(ge=2, le=100)] = 3
    caller_at_least: Annotated[int, Field(ge=1)] = 10


class Analysis(Model):
    """The `analysis:` section of an app: relay ports, host-name twins, user ids, role rule and service rules."""

    relay_ports: Annotated[list[Port], Field(min_length=1)]
    twins: str | None = None
    user_ids: UserIds | None = None
    role: RoleRule | None = None
    unanswered_service: Literal["identical_sessions"] | None = None
    video_bytes_per_s: Annotated[int, Field(ge=1)] = 20_000

    @field_validator("twins")
    @classmethod
    def _a_regex_with_groups(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"twins is no regular expression: {error}") from None
        if not groups:
            raise ValueError("twins has no group: its groups, joined, are what twin host names have in common")
        return value
