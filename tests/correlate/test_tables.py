"""Tables 1 to 8 beside the published cells."""

import csv
import io
from dataclasses import replace

import pytest

from correlate import findings
from correlate.dataset import SIDES, Dataset
from correlate.findings.cases import cases
from correlate.tables import tables
from correlate.tables.layout import as_csv, as_markdown, table, text
from correlate.tables.study import Study, published

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def conversation(build, end_s=31.0, leak=False, **keys):
    call = build.call(**keys)
    call.caller.relay(A, RELAY, 0.0)
    call.caller.talk(A, RELAY, 1.0, 31.0, 150, 140)
    call.callee.relay(B, RELAY, 0.0)
    call.callee.talk(B, RELAY, 1.0, end_s, 140, 150)
    if leak:
        call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    return call


def cancelled(build, **keys):
    call = build.call(scenario="caller_cancels", **keys)
    call.caller.relay(A, RELAY, 0.0)
    return call


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (0.12346, "0.1235"),
        (0.1, "0.1"),
        (-2.0, "-2"),
        (100.0, "100"),
        (5e-5, "0.0001"),
        (4.9e-5, "0"),
        (-4.9e-5, "0"),
        (0.0, "0"),
        (1200, "1200"),
        (None, ""),
        ("0.10", "0.10"),
    ],
)
def test_a_number_of_a_cell_has_at_most_four_decimals_and_no_zeros_behind_them(cell, shown):
    assert text(cell) == shown


@pytest.fixture
def study(tmp_path, build):
    calls = [
        conversation(build, end_s=30.0),
        conversation(build, end_s=29.0, leak=True, repetition=2),
        cancelled(build),
    ]
    build.dataset(tmp_path, calls, extra_plan=[cancelled(build, repetition=2)])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return Study.of(Dataset(tmp_path))


@pytest.fixture
def made(study):
    return {each.name: each for each in tables(study)}


def pick(of, **keys):
    (row,) = (row for row in of.rows if all(row[key] == value for key, value in keys.items()))
    return row


def test_there_are_exactly_tables_1_to_8(made):
    assert list(made) == [f"table{number}" for number in range(1, 9)]


def test_table_1_shows_recorded_devices_beside_the_papers(made):
    row = pick(made["table1"], item="Mobile Device 1")
    assert (row["name"], row["os"], row["paper_model"]) == ("alpha", "Android 16", "Google Pixel 6")
    assert row["agreement"] == "differs (by construction)"


def test_table_2_leaves_published_cells_of_an_unknown_app_empty(made):
    row = pick(made["table2"], app="maple")
    assert (row["version"], row["services"], row["paper_version"], row["agreement"]) == (
        "1.0",
        "voice, video",
        None,
        "",
    )


def two_calls(build, tmp_path, *versions):
    """Table 2's row and notes of calls whose phones alpha and bravo had these versions, the file's being 1.0."""
    calls = [cancelled(build, repetition=number) for number, _ in enumerate(versions, 1)]
    for call, (caller, callee) in zip(calls, versions, strict=True):
        call.caller.version, call.callee.version = caller, callee
    build.dataset(tmp_path, calls)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    made = tables(Study.of(Dataset(tmp_path)))[1]
    return made.rows[0]["version"], made.notes


@pytest.mark.parametrize(
    ("versions", "shown", "notes"),
    [
        ([("1.0", "1.0"), ("1.0", "1.0")], "1.0", ()),
        ([("2.99", "2.99"), ("2.99", "2.99")], "2.99", ("maple: the app's file says 1.0, the trials ran with 2.99",)),
        (
            [("1.0", "1.0"), ("2.99", "2.99")],
            "1.0, 2.99",
            ("maple: the app's file says 1.0, the trials ran with 1.0, 2.99",),
        ),
        (
            [("1.0", "1.0"), ("2.99", "1.0")],
            "alpha: 1.0, 2.99; bravo: 1.0",
            ("maple: the app's file says 1.0, the trials ran with alpha: 1.0, 2.99; bravo: 1.0",),
        ),
        ([(None, None), (None, None)], "1.0", ()),
    ],
)
def test_table_2_gives_the_versions_that_the_phones_had_in_the_trials(tmp_path, build, versions, shown, notes):
    assert two_calls(build, tmp_path, *versions) == (shown, notes)


def test_table_3_counts_disclosures_with_their_interval(made):
    cell = {"app": "maple", "scenario": "caller_hangs_up", "direction": "lte_to_fixed"}
    row = pick(made["table3"], **cell, measure="caller_public")
    assert (row["n"], row["total"], row["paper_n"], row["agreement"]) == (1, 2, None, "")
    assert round(row["wilson_low"], 3) == 0.095
    assert pick(made["table3"], **cell, measure="no_disclosure")["n"] == 1
    assert pick(made["table3"], **cell, measure="relay")["n"] == 2
    quiet = pick(made["table3"], scenario="caller_cancels", measure="no_disclosure")
    assert (quiet["n"], quiet["total"], quiet["direction"]) == (1, 1, "all")


def test_table_3_has_no_routes_for_a_scenario_without_conversations(made):
    assert {row["measure"] for row in made["table3"].rows if row["scenario"] == "caller_cancels"} == {
        "no_disclosure", "caller_public", "caller_private", "callee_public", "callee_private",
    }  # fmt: skip


def test_table_4_counts_trials_that_share_a_server(made):
    row = pick(made["table4"], address="192.0.2.50")
    assert (row["ports"], row["n"], row["total"], row["paper_address"]) == ("[3478]", 2, 3, None)


def test_table_5_is_empty_without_names(made):
    assert made["table5"].rows == ()


def test_table_6_gives_all_four_session_rules(made):
    rows = [row for row in made["table6"].rows if row["service"] == "voice" and row["measure"] == "absolute"]
    first = [row for row in rows if row["caller_device"] == "Device 1 (alpha)"]
    assert [row["session"] for row in first] == ["longest_relay", "best_match", "p2p", "media_union"]
    assert (first[0]["n"], first[0]["median"], first[0]["minimum"], first[0]["maximum"]) == (2, 1.5, 1.0, 2.0)
    assert (first[0]["signed_median"], first[2]["n"], first[2]["median"]) == (1.5, 0, None)
    assert all(row["n"] == 0 for row in rows if row["caller_device"] == "Device 2 (bravo)")


def test_table_7_counts_packets_of_conversations_alone(made):
    row = pick(
        made["table7"], caller_device="Device 1 (alpha)", service="voice", measure="absolute", session="longest_relay"
    )
    assert (row["n"], row["minimum"], row["maximum"]) == (2, 0.0, 1.0)


def test_a_trial_with_frames_above_the_mtu_leaves_table_7_and_stays_in_table_8(tmp_path, build):
    calls = [conversation(build), conversation(build, repetition=2)]
    # 20 + 8 + 1473 bytes: one more than fits; neither end is a server of the call, the capture is suspect all the same.
    calls[1].callee.put(5.0, *B, "192.0.2.99", 9999, bytes(1473))
    build.dataset(tmp_path, calls)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    above = [case.volume[side].above_mtu for case in cases(Dataset(tmp_path)).read for side in SIDES]
    assert above == [False, False, False, True]
    made = {each.name: each for each in tables(Study.of(Dataset(tmp_path)))}
    keys = {"caller_device": "Device 1 (alpha)", "service": "voice", "measure": "absolute", "session": "longest_relay"}
    packets, frames = pick(made["table7"], **keys), pick(made["table8"], **keys, volume="frames")
    assert (packets["n"], packets["total"], packets["reason"]) == (1, 2, "UDP frames above the MTU in 1 of 2 trials")
    assert (frames["n"], frames["total"], frames["reason"]) == (2, 2, "")
    p2p = pick(made["table7"], **(keys | {"session": "p2p"}))
    assert p2p["reason"] == ("no p2p session on both sides in 1 of 2 trials; UDP frames above the MTU in 1 of 2 trials")


def test_a_trial_that_was_captured_twice_leaves_tables_7_and_8_and_stays_in_table_6(tmp_path, build):
    calls = [conversation(build, repetition=number) for number in (1, 2, 3)]
    calls[1].callee.packets += [(each[0] + 0.001, *each[1:]) for each in calls[1].callee.packets]
    # Above the MTU as well: it is left out once.
    calls[1].callee.put(5.0, *B, "192.0.2.99", 9999, bytes(1473))
    calls[2].callee.put(5.0, *B, "192.0.2.99", 9999, bytes(1473))
    build.dataset(tmp_path, calls)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    twice = [case.volume[side].captured_twice for case in cases(Dataset(tmp_path)).read for side in SIDES]
    assert twice == [False, False, False, True, False, False]
    made = {each.name: each for each in tables(Study.of(Dataset(tmp_path)))}
    keys = {"caller_device": "Device 1 (alpha)", "service": "voice", "measure": "absolute", "session": "longest_relay"}
    doubled, above = "datagrams captured twice in 1 of 3 trials", "UDP frames above the MTU in 1 of 3 trials"
    packets = pick(made["table7"], **keys)
    assert (packets["n"], packets["total"], packets["reason"]) == (1, 3, f"{doubled}; {above}")
    for volume in ("payload", "frames"):
        row = pick(made["table8"], **keys, volume=volume)
        assert (row["n"], row["total"], row["reason"]) == (2, 3, doubled)
    row = pick(made["table6"], **keys)
    assert (row["n"], row["total"], row["reason"]) == (3, 3, "")
    p2p = pick(made["table8"], **(keys | {"session": "p2p"}), volume="frames")
    assert p2p["reason"] == f"no p2p session on both sides in 2 of 3 trials; {doubled}"


def test_table_8_says_payload_or_frames(made):
    keys = {"caller_device": "Device 1 (alpha)", "service": "voice", "measure": "absolute", "session": "longest_relay"}
    payload = pick(made["table8"], **keys, volume="payload")
    frames = pick(made["table8"], **keys, volume="frames")
    assert (round(payload["maximum"], 6), round(frames["maximum"], 6)) == (0.032, 0.06)
    assert any("1 KB = 1000 B" in note for note in made["table8"].notes)


def test_every_csv_line_and_every_markdown_carries_the_provenance(made):
    for each in made.values():
        rows = list(csv.reader(io.StringIO(as_csv(each))))
        assert rows[0][-1] == "provenance"
        assert {row[-1] for row in rows[1:]} <= {"modelled"}
        assert "provenance: modelled" in as_markdown(each)


def test_markdown_cells_cannot_break_the_table():
    made = table("t", "T", "a b", [{"a": "x|y\nz", "b": 1.50004}], ["n"], "measured")
    assert as_markdown(made) == ("# T\n\nprovenance: measured\n\n| a | b |\n| --- | --- |\n| x\\|y z | 1.5 |\n\n- n\n")


def test_published_cells_are_all_there():
    paper = published()
    assert [len(paper[f"table{number}"]) for number in (3, 4, 5, 6, 7, 8)] == [68, 3, 8, 24, 24, 24]
    p2p = [row for row in paper["table3"] if row["measure"] == "p2p"]
    totals = {app: sum(row["n"] for row in p2p if row["app"] == app) for app in {row["app"] for row in p2p}}
    assert sorted(totals.values()) == [7, 9, 12]
    assert sum(row["of"] for row in p2p) == 72
    marked = [row["erratum"] for number in (6, 7, 8) for row in paper[f"table{number}"] if "erratum" in row]
    assert len(marked) == 3


def of_a_known_app(tmp_path, build, **keys):
    """The tables of one trial of an app that the paper knows, whose name is data here too."""
    app = published()["table2"][0]["app"]
    call = conversation(build, end_s=30.0, app=app, service="video")
    call.caller, call.callee = call.callee, call.caller
    call.direction = "fixed_to_lte"
    call.caller.version = call.callee.version = "2.25.26.74"
    entry = {
        "package": "p",
        "version": "2.25.26.74",
        "services": ["voice", "video"],
        "analysis": {"relay_ports": [3478]},
    }
    build.dataset(tmp_path, [call], apps={app: entry}, **keys)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    return {each.name: each for each in tables(Study.of(Dataset(tmp_path)))}


@pytest.fixture
def known(tmp_path, build):
    return of_a_known_app(tmp_path, build)


def test_published_cells_stand_beside_ours(known):
    assert known["table2"].rows[0]["agreement"] == "equal (by construction)"
    row = pick(known["table3"], direction="fixed_to_lte", measure="relay")
    assert (row["n"], row["total"], row["paper_n"], row["paper_total"], row["difference"]) == (1, 1, 6, 6, 0.0)
    assert row["agreement"] == "equal (by construction)"
    keys = {"caller_device": "Device 2 (bravo)", "service": "video", "measure": "absolute", "session": "longest_relay"}
    duration = pick(known["table6"], **keys)
    assert (duration["median"], duration["paper_median"], round(duration["difference"], 3)) == (1.0, 1.663, -0.663)
    assert duration["agreement"] == "within the paper's range (by construction)"
    assert duration["erratum"] == "the text says that this app's medians stay below 1.4 s"


@pytest.mark.parametrize(
    ("provenance", "label", "proviso"),
    [
        ("modelled", "modelled", " (by construction)"),
        ("rehearsed", "rehearsed (calls of browsers, not of the apps)", " (rehearsed, not the app)"),
        ("measured", "measured", ""),
    ],
)
def test_a_comparison_with_the_paper_says_that_it_is_not_of_the_apps(tmp_path, build, provenance, label, proviso):
    known = of_a_known_app(tmp_path, build, provenance=provenance)
    assert known["table2"].rows[0]["agreement"] == f"equal{proviso}"
    assert pick(known["table4"], address="31.13.87.50")["agreement"] == f"differs{proviso}"
    keys = {"caller_device": "Device 2 (bravo)", "service": "video", "measure": "absolute", "session": "longest_relay"}
    assert pick(known["table6"], **keys)["agreement"] == f"within the paper's range{proviso}"
    assert f"\n\nprovenance: {label}\n\n" in as_markdown(known["table3"])
    assert {row[-1] for row in csv.reader(io.StringIO(as_csv(known["table3"])))} == {"provenance", provenance}


def test_an_impossible_published_cell_is_marked_and_never_compared(known):
    keys = {"caller_device": "Device 2 (bravo)", "service": "video", "measure": "absolute", "session": "longest_relay"}
    row = pick(known["table8"], **keys, volume="frames")
    assert row["agreement"] == "erratum, not compared"
    assert row["erratum"] == "impossible as printed: the median lies outside [min, max]"
    assert pick(known["table8"], **keys, volume="payload")["paper_median"] is None


def test_published_servers_that_were_not_seen_are_listed(known):
    row = pick(known["table4"], address="31.13.87.50")
    assert (row["n"], row["paper_address"], row["agreement"]) == (0, "31.13.87.50", "differs (by construction)")


def test_errata_are_marked_in_tables_4_and_5(known):
    assert {row["erratum"] for row in known["table4"].rows} == {None}
    paper = {row["app"]: row for row in published()["table4"]}
    assert {app: row.get("errata") for app, row in paper.items() if "errata" in row} == {
        app: {"31.13.87.2": "stands in no row of Table 5"} for app in {row["app"] for row in published()["table5"]}
    }
    marked = [row["name"] for row in published()["table5"] if "erratum" in row]
    assert [name.split("-shv")[0] for name in marked] == ["edge-turnservices6", "edge-turnservices"]


def test_a_server_is_undecided_not_unshared_where_a_clock_was_never_compared(tmp_path, build):
    app = published()["table2"][0]["app"]
    calls = [conversation(build, app=app), conversation(build, app=app, repetition=2)]
    build.dataset(tmp_path, calls)
    for number, expected in enumerate([(1, 2, 1, "differs (by construction)"), (0, 2, 2, "undecided")]):
        build.forget(tmp_path, calls[number], clocks=["caller"])
        findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
        rows = tables(Study.of(Dataset(tmp_path)))[3].rows
        row = rows[0]
        assert (row["n"], row["total"], row["undecided"], row["agreement"]) == expected
        assert row["reason"] == f"{number + 1} of 2 trials undecided: a clock was never compared"


def test_table_6_counts_the_differences_that_the_clocks_cannot_tell_from_zero(tmp_path, build):
    calls = [conversation(build, end_s=end_s, repetition=n) for n, end_s in enumerate((31.0, 31.003, 31.005, 30.0), 1)]
    build.dataset(tmp_path, calls)
    build.forget(tmp_path, calls[0], clocks=["callee"])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    rows = {row["session"]: row for row in tables(Study.of(Dataset(tmp_path)))[5].rows if row["measure"] == "absolute"
            and row["service"] == "voice" and row["n"]}  # fmt: skip
    assert (rows["longest_relay"]["n"], rows["longest_relay"]["within_bound"]) == (4, 1)


def test_trials_whose_service_nobody_wrote_down_have_rows_of_their_own_and_the_others_say_so(tmp_path, build):
    build.dataset(tmp_path, [conversation(build, end_s=30.0, service="unknown")])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    for made in tables(Study.of(Dataset(tmp_path)))[5:]:
        keys = {"caller_device": "Device 1 (alpha)", "measure": "absolute", "session": "longest_relay"}
        rows = [row for row in made.rows if row["volume"] in ("", "packets", "frames")]
        found = {row["service"]: row for row in rows if all(row[key] == value for key, value in keys.items())}
        assert {name: (row["n"], row["total"], row["reason"]) for name, row in found.items()} == {
            "voice": (0, 0, "service unknown in 1 trials"),
            "video": (0, 0, "service unknown in 1 trials"),
            "unknown": (1, 1, ""),
        }
        assert (found["unknown"]["paper_median"], found["unknown"]["agreement"]) == (None, "")


UNRECORDED = "1 of 1 trials undecided: addresses of a phone were not recorded, or are not those of its capture"


def test_no_disclosure_is_undecided_with_the_reason_where_addresses_were_not_recorded(tmp_path, build):
    call = conversation(build)
    build.dataset(tmp_path, [call])
    build.forget(tmp_path, call, addresses=["callee"])
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    table3 = tables(Study.of(Dataset(tmp_path)))[2]
    row = pick(table3, measure="callee_public", direction="lte_to_fixed")
    assert (row["n"], row["reason"]) == (0, UNRECORDED)
    assert pick(table3, measure="caller_public", direction="lte_to_fixed")["n"] == 0


@pytest.mark.parametrize(
    ("starts_ns", "when"),
    [
        ((1_767_600_000_000_000_000, 1_768_200_000_000_000_000), "from 2026-01-05 to 2026-01-12 (UTC)"),
        ((1_767_600_000_000_000_000, None), "of 2026-01-05 (UTC)"),
        ((None, None), "at times that nobody wrote down"),
    ],
)
def test_what_intervals_speak_of_are_these_phones_and_these_nights(study, starts_ns, when):
    cases = [replace(case, started_ns=at_ns) for case, at_ns in zip(study.read, starts_ns, strict=False)]
    scope = replace(study, read=tuple(cases)).scope
    assert scope.startswith(f"Intervals and quartiles speak of calls between these phones (alpha, bravo) {when}: ")
