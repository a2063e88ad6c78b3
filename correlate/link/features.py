"""How alike are two legs? A few numbers for each of the paper's six dimensions (section 3.3).

Nothing here knows the trial, the scenario, the role or the service that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from correlate.link.legs import Call, Leg
from correlate.link.population import HOUR_S, Column, Hour, Index, hours, pseudonyms

Matrix = NDArray[np.float64]
H = TypeVar("H", bound=Hashable)

FEATURES: dict[str, tuple[str, ...]] = {
    "endpoints": ("callee_sees_caller", "caller_sees_callee"),
    "servers": ("addresses", "any_address", "groups", "ports"),
    "duration": (
        "start_100_ms", "start_1_s", "start_10_s", "end_100_ms", "end_1_s", "end_10_s", "in_order",
        "length_100_ms", "length_1_s", "length_10_s",
    ),
    "volume": ("payload", "payload_fine", "packets", "packets_fine"),
    "service": ("rate", "both_talk"),
    "signalling": ("any_user_id", "user_ids"),
}  # fmt: skip
NAMES = tuple(name for names in FEATURES.values() for name in names)
SCALES_S = (0.1, 1.0, 10.0)
SILENCE_BYTES = 100.0
FINE = 0.01
START, PAYLOAD, USER_IDS = (NAMES.index(name) for name in ("start_100_ms", "payload", "user_ids"))
MOVED = slice(START, NAMES.index("length_100_ms"))
STILL = [
    index for index, name in enumerate(NAMES) if name in FEATURES["servers"] or MOVED.stop <= index < len(NAMES) - 2
]


def chosen(dimensions: Iterable[str]) -> NDArray[np.bool_]:
    """Which features belong to these dimensions."""
    wanted = {name for dimension in dimensions for name in FEATURES[dimension]}
    return np.array([name in wanted for name in NAMES])


@dataclass(frozen=True)
class Side:
    """The caller legs or the callee legs of all calls as columns, times in seconds since the call's origin."""

    first_s: Column
    last_s: Column
    bound_s: Column
    tx_payload: Column
    rx_payload: Column
    tx_packets: Column
    rx_packets: Column
    rate: Column

    @staticmethod
    def of(calls: Sequence[Call], leg: Callable[[Call], Leg]) -> Side:
        def column(value: Callable[[Call], float]) -> Column:
            return np.array([value(call) for call in calls], np.float64)

        return Side(
            first_s=column(lambda call: (leg(call).first_ns - call.origin_ns) / 1e9),
            last_s=column(lambda call: (leg(call).last_ns - call.origin_ns) / 1e9),
            bound_s=column(lambda call: leg(call).bound_ns / 1e9),
            tx_payload=column(lambda call: leg(call).tx.payload_bytes),
            rx_payload=column(lambda call: leg(call).rx.payload_bytes),
            tx_packets=column(lambda call: leg(call).tx.packets),
            rx_packets=column(lambda call: leg(call).rx.packets),
            rate=column(lambda call: leg(call).media_bytes_per_s),
        )


class Pairing:
    """All calls of a dataset, ready to be compared: caller legs with callee legs."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.caller = Side.of(calls, lambda call: call.caller)
        self.callee = Side.of(calls, lambda call: call.callee)
        self._bound_s = self.caller.bound_s[:, None] + self.callee.bound_s
        # (features, callers, callees): what does not depend on when a call begins and on whose copy it is
        self._still = np.stack([*self._servers(), *self._lengths(), *self._volumes()])

    def features(self, hour: Hour, query: int, ids: Ids, rows: Index | None = None) -> Matrix:
        """The caller leg of call `query` of an hour against the callee legs of all (or `rows`): (features, calls)."""
        rows = np.arange(len(hour)) if rows is None else rows
        made = np.empty((len(NAMES), len(rows)))
        made[:2] = ids.endpoints(query, rows)
        made[MOVED] = self._times(hour, query, rows)
        made[STILL] = np.take(self._still[:, hour.of[query]], hour.of[rows], axis=1)
        made[-2:] = ids.shared_user_ids(query, rows)
        return made

    def likely(self, hour: Hour, query: int, ids: Ids, most: int) -> Index:
        """At most `most` others that are likely taken for the partner: those that share an address or a user id, and
        those that begin at nearly the same time."""
        rows = np.arange(len(hour))
        start_s, _ = self._apart_s(hour, query, rows)
        shares = np.sum([*ids.endpoints(query, rows), *ids.shared_user_ids(query, rows)], axis=0) > 0
        far_s = np.abs(start_s) - shares * (HOUR_S + np.abs(start_s).max())
        far_s[query] = np.inf
        most = min(most, len(hour) - 1)
        found: Index = np.argpartition(far_s, most)[:most]
        return found

    def _apart_s(self, hour: Hour, query: int, rows: Index) -> tuple[Column, Column]:
        """How much later the callee legs begin and end than the caller leg, by the collectors' clocks."""
        mine, theirs, caller, callee = int(hour.of[query]), hour.of[rows], self.caller, self.callee
        shift_s = hour.start_s[rows] - hour.start_s[query] + hour.skew_s * (hour.off[1, rows] - hour.off[0, query])
        return (
            callee.first_s[theirs] + shift_s - caller.first_s[mine],
            callee.last_s[theirs] + shift_s - caller.last_s[mine],
        )

    def _times(self, hour: Hour, query: int, rows: Index) -> list[Column]:
        start_s, end_s = self._apart_s(hour, query, rows)
        # The difference of two clocks varies more than each of them.
        bound_s = self._bound_s[hour.of[query], hour.of[rows]] + hour.skew_s * 2**0.5
        far = [np.log(np.abs(apart) + bound_s + scale) for apart in (start_s, end_s) for scale in SCALES_S]
        return [*far, (start_s >= -bound_s).astype(np.float64)]

    def _lengths(self) -> list[Matrix]:
        mine_s, theirs_s = (self.caller.last_s - self.caller.first_s)[:, None], self.callee.last_s - self.callee.first_s
        apart_s = np.abs(mine_s - theirs_s) + self._bound_s
        return [np.log((apart_s + scale) / (mine_s + theirs_s + 1.0)) for scale in SCALES_S]

    def _servers(self) -> list[Matrix]:
        addresses = _overlap(self.calls, lambda leg: leg.servers)
        groups = _overlap(self.calls, lambda leg: leg.groups)
        return [addresses, (addresses > 0).astype(np.float64), groups, _overlap(self.calls, lambda leg: leg.ports)]

    def _volumes(self) -> list[Matrix]:
        caller, callee = self.caller, self.callee
        payload = _apart(caller.tx_payload, callee.rx_payload) + _apart(caller.rx_payload, callee.tx_payload)
        packets = _apart(caller.tx_packets, callee.rx_packets, 1.0) + _apart(caller.rx_packets, callee.tx_packets, 1.0)
        rate = _apart(caller.rate, callee.rate)
        both = ((caller.rate[:, None] > 0) == (callee.rate > 0)).astype(np.float64)
        return [payload, np.log(payload + FINE), packets, np.log(packets + FINE), rate, both]


class Ids:
    """Who shows whose addresses and user ids in one hour, found by looking up instead of comparing all with all."""

    def __init__(self, calls: Sequence[Call], hour: Hour) -> None:
        self._hour = hour
        drawn = [(calls[of], copy) for of, copy in zip(hour.of.tolist(), hour.copy.tolist(), strict=True)]
        self._queries = [call.caller for call, _ in drawn[: hour.queries]]
        self._own = _owners(call.callee.own if copy == 0 else () for call, copy in drawn)
        self._shown = _owners(call.callee.shown if copy == 0 else () for call, copy in drawn)
        self._user_ids = _owners(pseudonyms(call.callee.user_ids, copy) for call, copy in drawn)

    def endpoints(self, query: int, rows: Index) -> list[Column]:
        """Whether the callee leg shows an address of the caller's own, and the other way round."""
        leg = self._queries[query]
        return [
            np.minimum(self._counted(self._shown, leg.own, rows), 1.0),
            np.minimum(self._counted(self._own, leg.shown, rows), 1.0),
        ]

    def shared_user_ids(self, query: int, rows: Index) -> list[Column]:
        """Whether both legs show a user id, and how many."""
        count = self._counted(self._user_ids, pseudonyms(self._queries[query].user_ids, 0), rows)
        return [np.minimum(count, 1.0), count]

    def _counted(self, owners: dict[H, list[int]], values: Iterable[H], rows: Index) -> Column:
        count = np.zeros(len(self._hour))
        for value in values:
            count[owners.get(value, [])] += 1.0
        counted: Column = count[rows]
        return counted


Crowd = Sequence[tuple[Hour, Ids]]


def crowd(calls: Sequence[Call], load: float, seed: str) -> Crowd:
    """The hours of these calls at a load, with who shows what in each."""
    return [(hour, Ids(calls, hour)) for hour in hours(calls, load, seed)]


def skewed(of: Crowd, skew_s: float) -> Crowd:
    """The same hours, captured by collectors whose clocks are off by `skew_s`."""
    return [(replace(hour, skew_s=skew_s), ids) for hour, ids in of]


def _owners(sets: Iterable[Iterable[H]]) -> dict[H, list[int]]:
    owners: dict[H, list[int]] = {}
    for index, values in enumerate(sets):
        for value in values:
            owners.setdefault(value, []).append(index)
    return owners


def _apart(one: Column, other: Column, least: float = SILENCE_BYTES) -> Matrix:
    """How far each of some amounts is from each of others, as the logarithm of their ratio; small amounts count as
    equal."""
    apart: Matrix = np.abs(np.log((one[:, None] + least) / (other + least)))
    return apart


def _overlap(calls: Sequence[Call], of: Callable[[Leg], Iterable[Hashable]]) -> Matrix:
    """Jaccard index of every caller leg's set with every callee leg's; 0 where both are empty."""
    place: dict[Hashable, int] = {}
    for call in calls:
        for value in (*of(call.caller), *of(call.callee)):
            place.setdefault(value, len(place))
    caller, callee = np.zeros((2, len(calls), max(len(place), 1)))
    for index, call in enumerate(calls):
        caller[index, [place[value] for value in of(call.caller)]] = 1
        callee[index, [place[value] for value in of(call.callee)]] = 1
    both = caller @ callee.T
    matrix: Matrix = both / np.maximum(caller.sum(axis=1)[:, None] + callee.sum(axis=1) - both, 1)
    return matrix
