"""Which version of an app the trials ran with, as the phones said at the time: an app updates itself overnight."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from correlate.dataset import SIDES, Dataset
from correlate.errors import BadDataset

Installed = Mapping[str, tuple[str, ...]]
"""Phone -> the versions of one app that it had, each once, in the order in which the trials began."""


def installed(dataset: Dataset) -> dict[str, Installed]:
    """App -> `Installed`, of the complete trials. An app that no trial recorded a version of is not there."""
    seen: dict[str, dict[str, list[tuple[int, str]]]] = {}
    complete = set(dataset.trial_ids())
    for entry in (entry for entry in dataset.plan() if entry["id"] in complete):
        began_ns, versions = _recorded(dataset, entry["id"])
        for side, version in versions.items():
            seen.setdefault(entry["app"], {}).setdefault(entry[side], []).append((began_ns, version))
    return {
        app: {
            phone: tuple(dict.fromkeys(version for _, version in sorted(seen_there, key=itemgetter(0))))
            for phone, seen_there in sorted(of_phone.items())
        }
        for app, of_phone in seen.items()
    }


def in_words(found: Installed) -> str:
    """`1.0, 1.1`, and where the phones differ `alpha: 1.0, 1.1; bravo: 1.0`."""
    listed = {phone: ", ".join(versions) for phone, versions in found.items()}
    if len(set(listed.values())) == 1:
        return next(iter(listed.values()))
    return "; ".join(f"{phone}: {versions}" for phone, versions in listed.items())


def unlike(found: Installed, version: object) -> str:
    """In words how what was installed differs from the version that the app's file gives; empty where it does not."""
    same = {one for versions in found.values() for one in versions} == {version}
    return "" if same else f"the app's file says {version}, the trials ran with {in_words(found)}"


def _recorded(dataset: Dataset, trial_id: str) -> tuple[int, dict[str, str]]:
    """When a trial began, and the version on each side that recorded one."""
    try:
        record = dataset.record(trial_id)
    except BadDataset:
        return 0, {}  # `findings` says why this trial cannot be read, and the page lists it
    began_ns, sides = record.get("started_ns"), record.get("sides")
    told = {side: sides.get(side) for side in SIDES} if isinstance(sides, dict) else {}
    versions = {side: each.get("app_version") for side, each in told.items() if isinstance(each, dict)}
    known = {side: version for side, version in versions.items() if isinstance(version, str)}
    return began_ns if isinstance(began_ns, int) else 0, known
