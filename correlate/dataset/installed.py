"""Which version of an app the trials ran with, as the phones said at the time: an app updates itself overnight."""

from collections.abc import Mapping
from operator import itemgetter

from correlate.dataset import Dataset
from correlate.errors import BadDataset

Installed = Mapping[str, tuple[str, ...]]
"""Phone -> the versions of one app that it had, each once, in the order in which the trials began."""


def installed(dataset: Dataset) -> dict[str, Installed]:
    """App -> `Installed`, of the complete trials. An app that no trial recorded a version of is not there."""
    seen: dict[str, dict[str, list[tuple[int, str]]]] = {}
    complete = set(dataset.trial_ids())
    for entry in (entry for entry in dataset.plan() if entry.id in complete):
        try:
            record = dataset.record(entry.id)
        except BadDataset:
            continue  # `findings` says why this trial cannot be read, and the page lists it
        for role, side in record.sides.items():
            if side.app_version is not None:
                began = (record.started_ns or 0, side.app_version)
                seen.setdefault(entry.app, {}).setdefault(entry.phones[role], []).append(began)
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
