"""Nights as tests write them down."""

from __future__ import annotations

import datetime

from lab.night.history import Counts, Covariates, Frame, Night, PhoneState, Tally

SEEN = "seen/callee_public/whatsapp/callee_rejects"
CLAIM = "claim/symmetry_in_conversation/whatsapp/caller_hangs_up"
TRIAL = "whatsapp-voice-lte_to_fixed-callee_rejects-2"


def phone(version: str | None = "2.1", **changed) -> PhoneState:
    usual = {
        "apps": {"whatsapp": version, "maple": "1.0"},
        "os_build": "AP4A.250205.002",
        "patch": "2026-10-05",
        "carrier": "operator a",
        "radio": "lte",
        "nat": "cg-nat",
        "ipv6": True,
        "egress": "shared",
    }
    return PhoneState(**{**usual, **changed})


def covariates(**changed) -> Covariates:
    usual = {
        "phones": {"pixel6": phone(), "pixel6pro": phone()},
        "resolver": "192.0.2.53",
        "yaml": {"apps/whatsapp.yaml": "a" * 64, "apps/maple.yaml": "b" * 64, "calls/callee_rejects.yaml": "c" * 64},
        "harness": "0.2.0",
        "hour": 23,
    }
    return Covariates(**{**usual, **changed})


def counts(yes: int, of: int = 12, undecided: int = 0, again: tuple[int, int] | None = None, frame: int = 0) -> Counts:
    return Counts(
        yes=yes,
        of=of,
        undecided=undecided,
        again=None if again is None else Tally(yes=again[0], of=again[1], undecided=0),
        frames=[Frame(trial=TRIAL, side="caller", frame=frame)] if frame else [],
    )


def night(number: int, cells: dict[str, Counts], **changed) -> Night:
    usual = {
        "night": 1,
        "date": datetime.date(2026, 1, 1) + datetime.timedelta(days=number),
        "dataset": f"night-{number}",
        "bench": "pixels",
        "matrix": "paper",
        "provenance": "measured",
        "covariates": covariates(),
        "cells": cells,
        "complete": 180,
        "void": 2,
        "parked": 0,
        "calls": {"whatsapp": 62},
        "told": [],
        "asked": [],
        "verdict": 0,
    }
    return Night(**{**usual, **changed})


def lived(*cells: dict[str, Counts], **changed) -> list[Night]:
    """Nights in turn, each with what was told of it."""
    from lab.night.alarms import judge

    history: list[Night] = []
    for number, each in enumerate(cells):
        tonight = night(number, each, **changed)
        alarms = judge(history, tonight).alarms
        history.append(tonight.model_copy(update={"told": [alarm.as_told() for alarm in alarms]}))
    return history
