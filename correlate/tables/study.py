"""What tables, claims and report look at: a dataset's cases, and what the paper published, by app as data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import resources
from typing import Any

from correlate.dataset import SIDES, Dataset
from correlate.dataset.installed import Installed, in_words, installed, unlike
from correlate.dataset.proven import Lack, Speaks, lacking
from correlate.dataset.record import Analysis, DatasetRecord, Provenance
from correlate.dataset.record.analysis import GENERIC
from correlate.dataset.revisions import Revised, revised
from correlate.findings import wrong_pairs
from correlate.findings.cases import Case, cases
from correlate.findings.wrong_pairs import Crossed, Made, WrongPair, crossed_cases
from correlate.tables.membership import left_out
from correlate.tables.provenance import MEANINGS, Meaning

UNKNOWN = "unknown"
"""The scenario of an imported trial of which nobody wrote it down."""
BY_APP = ("table4", "table5", "table6", "table7", "table8")
"""The tables that do not tell scenarios apart."""
UNDATED = "at times that nobody wrote down"


def published() -> dict[str, Any]:
    """The paper's cells, claims and errata, keyed by the names of this project."""
    text = resources.files("correlate.tables").joinpath("published.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


@dataclass(frozen=True)
class Study:
    """One dataset, measured, beside the paper.

    `installed` are the versions of each app that its trials recorded; an app of an imported dataset has none. `read`
    are the trials that could be read; `unread` says of each of the others why. `out` says of those that were captured,
    but are not this call, by which sign (`membership`): nothing counts them. `speaks_of` is what the cells
    speak of that are made of it: trials that are not proven to be that are not among its cases. `revised` are
    the revisions of the YAML; `made` are crossed cases that other cells asked for.
    """

    info: DatasetRecord
    installed: Mapping[str, Installed]
    read: tuple[Case, ...]
    unread: Mapping[str, str]
    out: Mapping[str, str]
    names: Mapping[str, str]
    paper: Mapping[str, Any]
    wrong_pairs: tuple[WrongPair, ...]
    speaks_of: tuple[Speaks, ...] = ()
    revised: Revised = field(default_factory=Revised)
    made: Made = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(dataset: Dataset) -> Study:
        """Reads dataset.json, names.json and findings/. Raises `BadDataset`."""
        info = checked(dataset)
        found = cases(dataset)
        names, rules = dataset.host_names(), _rules(info)
        out, wrong = left_out(found.read, rules, names), wrong_pairs.read(dataset)
        by = revised(dataset)
        return Study(info, installed(dataset), found.read, found.unread, out, names, published(), wrong, revised=by)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The trials that tables and claims speak of."""
        left = self.out.keys() | self.lacking.keys()
        return tuple(case for case in self.read if case.trial not in left)

    @cached_property
    def lacking(self) -> dict[str, tuple[Lack, ...]]:
        """Trial -> what is not proven of it that these cells need; of the trials that are this call."""
        found = {
            case.trial: lacking(case.observed, case.service, self.speaks_of)
            for case in self.read
            if case.trial not in self.out
        }
        return {trial: lacks for trial, lacks in found.items() if lacks}

    def speaking_of(self, *speaks_of: Speaks) -> Study:
        """The study for cells that speak of these things, besides of the call."""
        return self if speaks_of == self.speaks_of else replace(self, speaks_of=speaks_of)

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The scenarios of the plan that the paper does not have; one that nobody wrote down is none of them."""
        return tuple(name for name in self.scenarios if name not in (*self.paper["scenarios"], UNKNOWN))

    @cached_property
    def of_paper(self) -> Study:
        """The study without the trials of other scenarios than the paper's."""
        if not self.others:
            return self
        return replace(self, read=tuple(case for case in self.read if case.scenario not in self.others))

    def of_other(self, scenario: str) -> Study:
        """The study of the trials of one scenario, beside which the paper has nothing."""
        plan = [entry for entry in self.info.plan if entry.scenario == scenario]
        return replace(
            self,
            info=self.info.model_copy(update={"plan": plan}),
            read=tuple(case for case in self.read if case.scenario == scenario),
            paper={**self.paper, **dict.fromkeys(BY_APP, ())},
        )

    @cached_property
    def crossed(self) -> tuple[Crossed, ...]:
        """The wrong pairs of these: the control of claims that relate the two sides."""
        return crossed_cases(self.wrong_pairs, self.cases, self.made)

    @property
    def whole(self) -> Study:
        """The study as if nothing were left out: as if nobody had asked the phones' witnesses."""
        return replace(self, out={}, read=tuple(replace(case, observed=None) for case in self.read))

    @property
    def provenance(self) -> Provenance:
        """`modelled`, `rehearsed` or `measured`, as the dataset says."""
        return self.info.provenance

    @property
    def meaning(self) -> Meaning:
        """What that means beside the paper."""
        return MEANINGS[self.info.provenance]

    @cached_property
    def apps(self) -> list[str]:
        """The apps of the plan, those of the paper first and in its order."""
        return self._ordered((entry.app for entry in self.info.plan), [row["app"] for row in self.paper["table2"]])

    @cached_property
    def rules(self) -> dict[str, Analysis]:
        """By which rules the calls of each app are read."""
        return _rules(self.info)

    @cached_property
    def scenarios(self) -> list[str]:
        """The scenarios of the plan, those of the paper first and in its order."""
        return self._ordered((entry.scenario for entry in self.info.plan), self.paper["scenarios"])

    @cached_property
    def devices(self) -> list[str]:
        """Names of the phones; the first one is Device 1."""
        return [device.name for device in self.info.devices]

    def device(self, phone: str) -> int | None:
        """1 for the paper's Device 1, and so on; None for a phone that dataset.json does not list."""
        return self.devices.index(phone) + 1 if phone in self.devices else None

    @cached_property
    def proxied(self) -> dict[str, int]:
        """The phones that captured themselves in a VPN, and in how many cases."""
        found = (case.phones[side] for case in self.cases for side in SIDES if case.endpoints[side].vantage == "vpn")
        return dict(sorted(Counter(found).items()))

    @property
    def days(self) -> tuple[str, str] | None:
        """The first and the last day (UTC) on which these trials began; None where nobody wrote any down."""
        starts_ns = [case.started_ns for case in self.cases if case.started_ns is not None]
        if not starts_ns:
            return None
        first, last = (datetime.fromtimestamp(each // 10**9, UTC).date() for each in (min(starts_ns), max(starts_ns)))
        return first.isoformat(), last.isoformat()

    @property
    def scope(self) -> str:
        """What an interval speaks of: these phones, at these times, and nothing beyond."""
        first, last = self.days or ("", "")
        when = UNDATED if not first else f"of {first} (UTC)" if first == last else f"from {first} to {last} (UTC)"
        return (
            f"Intervals and quartiles speak of calls between these phones ({', '.join(self.devices)}) {when}: how far "
            "chance may have moved these figures. They say nothing of other phones, networks or nights."
        )

    @property
    def answered_note(self) -> str:
        """Who says of how many trials whether they were answered: it decides which of them are conversations."""
        by = Counter(case.answered_by for case in self.cases)
        told = Counter(case.is_conversation is not None for case in self.cases if not case.answered_by)
        ways = {
            "observed on the phones": by["observed"],
            "stated by a list": by["stated"],
            "undecided by the phones' witnesses, and so neither among conversations nor among unanswered calls": by[
                "undecided"
            ],
            "told by the wire alone": told[True],
            "told by nothing, and so neither among conversations nor among unanswered calls": told[False],
        }
        return f"answered: {'; '.join(f'{way} in {many} trials' for way, many in ways.items() if many) or 'no trial'}"

    @property
    def vantage_notes(self) -> tuple[str, ...]:
        """What is added to a table of addresses and routes where a VPN changed what it counts."""
        if not self.proxied:
            return ()
        named = ", ".join(f"{phone} in {trials}" for phone, trials in self.proxied.items())
        return (
            f"vantage: of {len(self.cases)} trials a VPN captured {named}: its address is the private one that is "
            "seen, and a direct path may not have come about because of it",
        )

    def select(self, **keys: str) -> list[Case]:
        """The cases that have these values, e.g. app="x", scenario="y"."""
        return [case for case in self.cases if all(getattr(case, key) == value for key, value in keys.items())]

    def version(self, app: str) -> str | None:
        """What the phones had of an app when they were measured; where nobody recorded it, what dataset.json says."""
        if app in self.installed:
            return in_words(self.installed[app])
        return self.info.apps[app].version

    def other_version(self, app: str) -> str:
        """In words that the phones had another version than the app's file says; empty where they had not."""
        return unlike(self.installed[app], self.info.apps[app].version) if app in self.installed else ""

    def compare(self, is_equal: bool) -> str:
        """How an agreement is worded: only of what was measured on the apps it says something about them."""
        return ("equal" if is_equal else "differs") + self.meaning.proviso

    @staticmethod
    def _ordered(found: Iterable[str], known: list[str]) -> list[str]:
        present = set(found)
        return [name for name in known if name in present] + sorted(present - set(known))


def _rules(info: DatasetRecord) -> dict[str, Analysis]:
    return {name: app.analysis or GENERIC for name, app in info.apps.items()}


def checked(dataset: Dataset) -> DatasetRecord:
    """dataset.json with all that findings, tables and report rely on, names.json too. Raises `BadDataset`."""
    info = dataset.info()
    dataset.host_names()
    return info
