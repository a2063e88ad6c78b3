"""The claims of the paper that are of a cell: of medians, of spreads, of groups of calls."""

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.tables.claims import claims
from correlate.tables.study import Study

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
ANALYSIS = {"relay_ports": [3478]}


def rows_of(tmp_path):
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return {row["claim"]: row for row in claims(Study.of(Dataset(tmp_path))).rows}


def silent(build, sent, **keys):
    """An unanswered call whose sides send so many packets each."""
    call = build.call(scenario="caller_cancels", ring_s=4.0, **keys)
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 4.0, sent, 0)
    return call


def lasting(build, differences_s, **keys):
    """Relayed calls whose sides differ by so many seconds."""
    calls = []
    for number, difference_s in enumerate(differences_s, 1):
        call = build.call(repetition=number, **keys)
        for side, local, last_s in ((call.caller, A, 30.0), (call.callee, B, 30.0 - difference_s)):
            side.relay(local, RELAY, 0.0)
            side.talk(local, RELAY, 1.0, last_s, 3, 3)
        calls.append(call)
    return calls


def from_device_2(calls):
    for call in calls:
        call.caller, call.callee = call.callee, call.caller
    return calls


def test_medians_and_spreads_are_claims_of_cells(tmp_path, build):
    """Voice: device 1 has 1.3 s and an IQR of 0.2, device 2 1.4 s and 2; video: device 1 alone, 0.5 s."""
    calls = [
        *lasting(build, (1.2, 1.3, 1.4)),
        *from_device_2(lasting(build, (0.5, 1.4, 2.5), direction="fixed_to_lte")),
        *lasting(build, (0.5,), service="video"),
    ]
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    rows = rows_of(tmp_path)
    below, wider = rows["medians_below_1_4_s"], rows["device_2_spreads"]
    assert (below["scenario"], below["unit"], below.get("wilson_low")) == ("all", "cells", None)
    assert (below["n"], below["total"], below["undecided"], below["holds"]) == (2, 4, 1, "no")
    assert (wider["n"], wider["total"], wider["undecided"], wider["holds"]) == (1, 2, 1, None)
    assert wider["reason"].startswith("1 of 2 cells undecided")


@pytest.mark.parametrize(
    ("videos", "repetitions", "found"),
    [
        ((14, 15, 16), 3, (2, 0, "yes")),
        ((24, 25, 26), 3, (0, 0, "no")),
        ((24, 25), 2, (0, 2, None)),
    ],
)
def test_voice_and_video_are_alike_where_ranks_within_each_direction_do_not_tell_them(
    tmp_path, build, videos, repetitions, found
):
    """Voice sends 13, 15 and 17 packets. Twice two against two can never be below 0.05."""
    calls = []
    for direction in ("lte_to_fixed", "fixed_to_lte"):
        for service, counts in (("voice", (13, 15, 17)), ("video", videos)):
            calls += [
                silent(build, count, service=service, direction=direction, repetition=number)
                for number, count in enumerate(counts[:repetitions], 1)
            ]
    build.dataset(tmp_path, calls, analysis=ANALYSIS)
    row = rows_of(tmp_path)["voice_and_video_alike_before_answer"]
    assert (row["n"], row["undecided"], row["holds"], row["total"]) == (*found, 2)
