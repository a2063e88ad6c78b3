"""Where was each phone, and where was it captured? The bench as its own file and dataset.json say (the paper's
Figure 1)."""

from collections.abc import Iterator, Mapping, Sequence

from correlate.dataset import SIDES
from correlate.report.figures.axes import BOLD, fitted, number
from correlate.report.figures.figure import Figure, Panel, figure
from correlate.report.figures.marks import Box, Label, Mark, Path
from correlate.report.figures.sources import Sources
from correlate.tables.layout import Row, plain_text
from correlate.tables.study import Study

COLUMNS = "phone model network nat captured_by captured_at"
AT = {"tcpdump": "interface", "dumpcap": "hotspot", "pcapdroid": "vpn"}
WHERE = {"interface": "captured here", "hotspot": "captured here", "vpn": "in a VPN, here"}
NAT = {"per_flow": "NAT, an address a flow", "one_address": "NAT, one address", "none": "no NAT"}
WIDTH, BOX = 340, 208
MIDDLE = BOX / 2 + 1


def bench(study: Study, sources: Sources) -> Figure:
    """The figure `bench`: a panel a phone, the operator's side of both at the top."""
    rows = list(_rows(study, sources))
    laptop = _laptop(study, sources)
    panels = [_panel(row, laptop) for row in rows]
    says = [] if sources.bench else ["The bench's file is not there or cannot be read: NAT and tools are not known."]
    if not rows:
        says = ["Nobody wrote down which phones were on this bench."]
    return figure(
        "bench",
        "Where were the phones, and where were they captured?",
        "From the phone at the bottom up to the servers of the call. The filled mark is where its traffic was "
        "captured; what stands dashed was not recorded.",
        panels, says, COLUMNS, rows,
    )  # fmt: skip


def _rows(study: Study, sources: Sources) -> Iterator[Row]:
    specs = {str(each.get("name")): each for each in _list(sources.bench, "phones")}
    seen = {case.phones[side]: case.endpoints[side].vantage for case in reversed(study.read) for side in SIDES}
    for device in study.info.devices:
        spec = specs.get(device.name, {})
        access = _mapping(_mapping(spec, "emulation"), "access")
        tool = _text(spec, "capture")
        yield {
            "phone": device.name,
            "model": device.model,
            "network": device.network or _text(spec, "network") or None,
            "nat": _text(access, "nat") or None,
            "captured_by": tool or None,
            "captured_at": seen.get(device.name) or AT.get(tool),
        }


def _laptop(study: Study, sources: Sources) -> str:
    model = study.info.laptop.model if study.info.laptop else ""
    return plain_text(model or _text(_mapping(sources.bench, "laptop"), "model") or "laptop")


def _panel(row: Row, laptop: str) -> Panel:
    at = row["captured_at"]
    stations = list(_stations(row, laptop))
    marks: list[Mark] = []
    y = 8.0
    for turn, (title, text, is_here, is_known) in enumerate(stations):
        marks.append(Box(1, y, BOX, 40, "fg-node" if is_known else "fg-open"))
        marks += [Label(MIDDLE, y + 17, fitted(title, BOX - 4, BOLD), "fg-b", "middle"),
                  Label(MIDDLE, y + 33, fitted(text, BOX - 4), "", "middle")]  # fmt: skip
        if is_here:
            by = f"by {row['captured_by'] or 'an unknown tool'}"
            marks += [Path(f"M{BOX + 2} {number(y + 20)}l10 -7v14z", "fg-cap"),
                      Label(BOX + 16, y + 17, WHERE[str(at)], "fg-t"),
                      Label(BOX + 16, y + 33, fitted(by, WIDTH - BOX - 16))]  # fmt: skip
        if turn + 1 < len(stations):
            marks.append(Path(f"M{number(MIDDLE)} {number(y + 40)}v18", "fg-l"))
        y += 58
    desc = "; ".join(f"{title}: {text}{', captured here' if is_here else ''}" for title, text, is_here, _ in stations)
    return Panel(str(row["phone"]), f"The way of {row['phone']} to the call's servers", desc, WIDTH, y - 10, marks)


def _stations(row: Row, laptop: str) -> Iterator[tuple[str, str, bool, bool]]:
    """Name, what it is, whether it captures, and whether anybody recorded it; from the servers down."""
    at, nat = row["captured_at"], row["nat"]
    network = str(row["network"] or "")
    yield "servers of the call", "relays, STUN, signalling", False, True
    yield "network", network or "not recorded", False, bool(network)
    yield "translation", NAT.get(str(nat), str(nat)) if nat else "not recorded", False, bool(nat)
    if at == "hotspot":
        yield "hotspot of the laptop", laptop, True, True
    yield str(row["phone"]), str(row["model"] or "model not recorded"), at in ("interface", "vpn"), bool(row["model"])


def _mapping(of: Mapping[str, object] | None, key: str) -> Mapping[str, object]:
    found = (of or {}).get(key)
    return found if isinstance(found, dict) else {}


def _list(of: Mapping[str, object] | None, key: str) -> Sequence[Mapping[str, object]]:
    found = (of or {}).get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(of: Mapping[str, object], key: str) -> str:
    found = of.get(key)
    return plain_text(found) if isinstance(found, str) else ""
