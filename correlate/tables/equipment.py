"""The paper's Tables 1 and 2: the devices and the apps that were measured."""

from collections.abc import Mapping
from typing import Any

from correlate.dataset.record import Machine
from correlate.tables.layout import Row, Table, table
from correlate.tables.study import Study


def table1(study: Study) -> Table:
    """Devices and tools as recorded, beside those of the paper: phones in order, the laptop beside the hotspot's."""
    ours = study.info.devices
    published = list(study.paper["table1"])
    phones, laptops, router = published[:2], published[2:4], published[4:]
    rows = [
        _device(study, ours[index] if index < len(ours) else None, phones[index] if index < len(phones) else {})
        for index in range(max(len(ours), len(phones)))
    ]
    rows += [_device(study, None, laptops[0]), _device(study, study.info.laptop, laptops[1])]
    rows += [_device(study, None, each) for each in router]
    columns = "item name model os tools network paper_model paper_os paper_tools paper_network agreement"
    notes = ("agreement: the same model and the same system",)
    return table("table1", "Table 1: devices and tools", columns, rows, notes, study.provenance)


def _device(study: Study, ours: Machine | None, paper: Mapping[str, Any]) -> Row:
    same = ours is not None and ours.model in paper.get("models", []) and ours.os == paper.get("os")
    known: dict[str, Any] = {} if ours is None else dict(ours)
    return {
        "item": paper.get("device") or "further device",
        "name": known.get("name"),
        "model": known.get("model"),
        "os": known.get("os"),
        "tools": ", ".join(known.get("tools", ())),
        "network": known.get("network"),
        "paper_model": next(iter(paper.get("models", [])), None),
        "paper_os": paper.get("os"),
        "paper_tools": ", ".join(paper.get("tools", [])),
        "paper_network": paper.get("network"),
        "agreement": study.compare(same) if ours and paper else "",
    }


def table2(study: Study) -> Table:
    """Versions, as the phones had them in the trials, call services of the apps, and by which YAML they were driven."""
    published = {row["app"]: row for row in study.paper["table2"]}
    rows: list[Row] = []
    for app in study.apps:
        ours, paper = study.info.apps[app], published.get(app, {})
        version = study.version(app)
        same = version == paper.get("version") and ours.services == paper.get("services")
        rows.append(
            {
                "app": app,
                "package": ours.package,
                "version": version,
                "services": ", ".join(ours.services),
                "revisions": study.revised.of(app),
                "paper_version": paper.get("version"),
                "paper_services": ", ".join(paper.get("services", [])),
                "agreement": study.compare(same) if paper else "",
            }
        )
    columns = "app package version services revisions paper_version paper_services agreement"
    notes = [f"{app}: {text}" for app in study.apps if (text := study.other_version(app))]
    notes += study.revised.notes
    return table("table2", "Table 2: apps, versions and call services", columns, rows, notes, study.provenance)
