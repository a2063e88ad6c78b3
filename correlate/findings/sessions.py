"""findings/sessions.csv: one row a session and side, the conversations of a call as `correlate.pairs.sessions` joins
them. Written of pairs without packets; read back by `correlate.findings.cases`."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields

from correlate.columns import cells, parse
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.findings.rows import read as read_rows
from correlate.pairs import CallPair, Vantage
from correlate.pairs.conversations import Kind
from correlate.pairs.sessions import Session, sessions

NAME = "sessions.csv"
KINDS: tuple[Kind, ...] = ("server", "direct")


@dataclass(frozen=True)
class SessionRow:
    """One session of one side: `server` or `direct`, over `udp` or (TURN) `tcp`; its far ends in words (`ADDRESS port
    PORT`, several with `, ` between); its ends in the controller's time, None where the clock was never compared; its
    duration by this side's own clock; and what it carried each way, None where the capture shows datagrams twice."""

    trial: str
    side: str
    phone: str
    kind: str
    transport: str
    remote: str
    first_ns: int | None
    last_ns: int | None
    duration_ns: int
    tx_packets: int | None
    rx_packets: int | None
    tx_payload_bytes: int | None
    rx_payload_bytes: int | None
    tx_frame_bytes: int | None
    rx_frame_bytes: int | None


COLUMNS = [each.name for each in fields(SessionRow)]


def rows(trial: str, pair: CallPair, sides: Iterable[tuple[str, str]]) -> list[SessionRow]:
    """The sessions of a trial, side by side, those with servers first and the longest first; `sides` says which
    vantage is which side."""
    return [
        _row(trial, side, getattr(pair, key), kind, session)
        for side, key in sides
        for kind in KINDS
        for session in sorted(sessions(getattr(pair, key), kind), key=lambda each: (-each.duration_ns, each.remote))
    ]


def _row(trial: str, side: str, vantage: Vantage, kind: str, session: Session) -> SessionRow:
    clock, is_known, tx, rx = vantage.clock, not vantage.repeats.flagged, session.tx, session.rx
    return SessionRow(
        trial=trial,
        side=side,
        phone=vantage.phone,
        kind=kind,
        transport=" and ".join(sorted({each.transport for each in session.segments}, reverse=True)),
        remote=session.remote,
        first_ns=clock.to_controller(session.first.time_ns) if clock.known else None,
        last_ns=clock.to_controller(session.last.time_ns) if clock.known else None,
        duration_ns=session.duration_ns,
        tx_packets=tx.packets if is_known else None,
        rx_packets=rx.packets if is_known else None,
        tx_payload_bytes=tx.payload_bytes if is_known else None,
        rx_payload_bytes=rx.payload_bytes if is_known else None,
        tx_frame_bytes=tx.frame_bytes if is_known else None,
        rx_frame_bytes=rx.frame_bytes if is_known else None,
    )


def write(dataset: Dataset, found: Iterable[SessionRow]) -> None:
    """Writes findings/sessions.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells(row) for row in found)
    write_text(dataset.findings_dir / NAME, text.getvalue())


def read(dataset: Dataset) -> dict[str, list[SessionRow]]:
    """Trial -> its sessions. Raises `BadDataset` where the file is missing or does not fit."""
    found: dict[str, list[SessionRow]] = {}
    read_rows(
        dataset.findings_dir / NAME,
        dataset.path,
        lambda row: found.setdefault(row["trial"], []).append(parse(row, SessionRow)),
    )
    return found
