"""What tables, claims and report look at: a dataset's cases, and what the paper published, by app as data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

from correlate import findings
from correlate.dataset import Dataset
from correlate.findings import Case
from correlate.tables.layout import Cell
from correlate.tables.statistics import wilson

MODELLED = "modelled"


def published() -> dict[str, Any]:
    """The paper's cells, claims and errata, keyed by the names of this project."""
    text = resources.files("correlate.tables").joinpath("published.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


@dataclass(frozen=True)
class Study:
    """One dataset, measured, beside the paper."""

    info: Mapping[str, Any]
    cases: tuple[Case, ...]
    names: Mapping[str, str]
    paper: Mapping[str, Any]

    @staticmethod
    def of(dataset: Dataset) -> Study:
        """Reads dataset.json, names.json and findings/. Raises `BadDataset`."""
        names = {address: entry["name"] for address, entry in dataset.names().items() if entry.get("name")}
        return Study(dataset.info(), tuple(findings.cases(dataset)), names, published())

    @property
    def provenance(self) -> str:
        """`modelled` or `measured`, as the dataset says."""
        return str(self.info.get("provenance", "unknown"))

    @cached_property
    def apps(self) -> list[str]:
        """The apps of the plan, those of the paper first and in its order."""
        return self._ordered(
            (entry["app"] for entry in self.info["plan"]), [row["app"] for row in self.paper["table2"]]
        )

    @cached_property
    def scenarios(self) -> list[str]:
        """The scenarios of the plan, those of the paper first and in its order."""
        return self._ordered((entry["scenario"] for entry in self.info["plan"]), self.paper["scenarios"])

    @cached_property
    def devices(self) -> list[str]:
        """Names of the phones; the first one is Device 1."""
        return [str(device["name"]) for device in self.info.get("devices", [])]

    def device(self, phone: str) -> int | None:
        """1 for the paper's Device 1, and so on; None for a phone that dataset.json does not list."""
        return self.devices.index(phone) + 1 if phone in self.devices else None

    def select(self, **keys: str) -> list[Case]:
        """The cases that have these values, e.g. app="x", scenario="y"."""
        return [case for case in self.cases if all(getattr(case, key) == value for key, value in keys.items())]

    def compare(self, is_equal: bool) -> str:
        """How an agreement is worded: what a model took from the paper agrees with it by construction."""
        return ("equal" if is_equal else "differs") + self.by_construction

    @property
    def by_construction(self) -> str:
        """What is added to every comparison of a modelled dataset with the paper."""
        return " (by construction)" if self.provenance == MODELLED else ""

    @staticmethod
    def _ordered(found: Iterable[str], known: list[str]) -> list[str]:
        present = set(found)
        return [name for name in known if name in present] + sorted(present - set(known))


def count(cases: Iterable[Case], holds: Callable[[Case], bool | None]) -> dict[str, Cell]:
    """n, N and the Wilson interval of the cases that hold; what cannot be decided does not hold."""
    verdicts = [bool(holds(case)) for case in cases]
    interval = wilson(sum(verdicts), len(verdicts)) or (None, None)
    return {"n": sum(verdicts), "N": len(verdicts), "wilson_low": interval[0], "wilson_high": interval[1]}
