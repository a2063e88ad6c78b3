"""findings/sessions.csv: one row a session and side, the conversations of a call as `correlate.pairs.sessions` joins
them. Written of pairs without packets; read back by `correlate.findings.cases`."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from correlate.columns import cells, parse, shifted
from correlate.dataset import Dataset
from correlate.dataset.durable import write_text
from correlate.findings import keys
from correlate.findings.keys import Key
from correlate.findings.rows import read as read_rows
from correlate.pairs import CallPair, Vantage
from correlate.pairs.conversations import Kind
from correlate.pairs.frames import Instant
from correlate.pairs.sessions import Session, sessions

NAME = "sessions.csv"
KINDS: tuple[Kind, ...] = ("server", "direct")


@dataclass(frozen=True)
class SessionRow:
    """One session of one side, its `number` among these, from 1: `server` or `direct`, over `udp` or (TURN) `tcp`; its
    far ends in words (`ADDRESS port PORT`, several with `, ` between), and of the first of them `address`, `port` and
    host `name`, None where none was resolved; its first and last packet in the controller's time, None where the clock
    was never compared; its duration by this side's own clock; and what it carried each way, None where the capture
    shows datagrams twice."""

    trial: str
    side: str
    phone: str
    number: int
    kind: str
    transport: str
    remote: str
    address: str
    port: int
    name: str | None
    first_ns: Instant | None
    last_ns: Instant | None
    duration_ns: int
    tx_packets: int | None
    rx_packets: int | None
    tx_payload_bytes: int | None
    rx_payload_bytes: int | None
    tx_frame_bytes: int | None
    rx_frame_bytes: int | None


COLUMNS = [*keys.COLUMNS, *(each.name for each in fields(SessionRow) if each.name not in keys.COLUMNS)]


def rows(trial: str, pair: CallPair, sides: Iterable[tuple[str, str]], names: Mapping[str, str]) -> list[SessionRow]:
    """The sessions of a trial, side by side, those with servers first and the longest first; `sides` says which
    vantage is which side."""
    return [
        _row(trial, side, getattr(pair, key), number, kind, session, names)
        for side, key in sides
        for number, (kind, session) in enumerate(_in_order(getattr(pair, key)), 1)
    ]


def _in_order(vantage: Vantage) -> list[tuple[Kind, Session]]:
    return [
        (kind, session)
        for kind in KINDS
        for session in sorted(sessions(vantage, kind), key=lambda each: (-each.duration_ns, each.remote))
    ]


def _row(
    trial: str, side: str, vantage: Vantage, number: int, kind: str, session: Session, names: Mapping[str, str]
) -> SessionRow:
    end = session.segments[0]
    clock, is_known, tx, rx = vantage.clock, not vantage.repeats.flagged, session.tx, session.rx
    return SessionRow(
        trial=trial,
        side=side,
        phone=vantage.phone,
        number=number,
        kind=kind,
        transport=" and ".join(sorted({each.transport for each in session.segments}, reverse=True)),
        remote=session.remote,
        address=str(end.remote),
        port=end.remote_port,
        name=names.get(str(end.remote)),
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


def write(dataset: Dataset, found: Iterable[tuple[Key, int, SessionRow]]) -> None:
    """Writes findings/sessions.csv, of each session with its keys and the zero of its trial's times."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**cells(key), **cells(shifted(row, -started_ns))} for key, started_ns, row in found)
    write_text(dataset.findings_dir / NAME, text.getvalue())


def read(dataset: Dataset, started_ns: Mapping[str, int]) -> dict[str, list[SessionRow]]:
    """Trial -> its sessions; `started_ns` are the zeros of the trials' times. Raises `BadDataset` where the file is
    missing or does not fit."""
    found: dict[str, list[SessionRow]] = {}

    def take(row: dict[str, str]) -> None:
        trial = row["trial"]
        found.setdefault(trial, []).append(shifted(parse(row, SessionRow), started_ns[trial]))

    read_rows(dataset.findings_dir / NAME, dataset.path, take)
    return found
