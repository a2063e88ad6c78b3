"""What people read: the paper's shapes, its cells beside ours."""

import pytest

from correlate import findings
from correlate.dataset import Dataset
from correlate.tables import tables
from correlate.tables.claims import claims
from correlate.tables.condensed import SHAPES, grids
from correlate.tables.layout import Line, as_csv, as_markdown, grid, table
from correlate.tables.study import Study, published

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)


def call_of(build, end_s=30.0, leak=None, **keys):
    call = build.call(**keys)
    for side, local, last_s in ((call.caller, A, 31.0), (call.callee, B, end_s)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, last_s, 150, 150)
    if leak:
        call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, leak)))
    return call


def shapes(tmp_path, build, calls, **keys):
    build.dataset(tmp_path, calls, **keys)
    findings.write(Dataset(tmp_path), findings.measure_all(Dataset(tmp_path)))
    study = Study.of(Dataset(tmp_path))
    return {each.name: (each, grids(each)) for each in (*tables(study), claims(study))}


@pytest.fixture
def known(tmp_path, build):
    """One trial each way of an app that the paper knows, whose name is data here too."""
    app = published()["table2"][0]["app"]
    there, back = call_of(build, app=app), call_of(build, end_s=29.5, app=app, direction="fixed_to_lte")
    back.caller, back.callee = back.callee, back.caller
    entry = {"package": "p", "version": "1", "services": ["voice", "video"], "analysis": {"relay_ports": [3478]}}
    return shapes(tmp_path, build, [there, back], apps={app: entry})


def test_every_table_has_a_shape():
    figures = {"figure6", "figure7", "figure8"}
    assert set(SHAPES) == {*(f"table{number}" for number in range(1, 9)), *figures, "claims"}


def test_table_3_has_a_row_a_scenario_and_the_papers_share_beside_ours(known):
    _, (shape,) = known["table3"]
    ((scenario, cell),) = shape.rows
    assert (shape.columns[0], [str(line) for line in scenario]) == ("scenario", ["caller hangs up"])
    assert [str(line) for line in cell] == [
        "lte to fixed: public and private addresses of both visible 0/1 (paper: 6/6) [differs]",
        "lte to fixed: P2P 0/1, server relay 1/1 (paper: P2P 6/6, server relay 0/6 inferred) [differs]",
        "fixed to lte: public and private addresses of both visible 0/1 (paper: 0/6 inferred)",
        "fixed to lte: P2P 0/1, server relay 1/1 (paper: P2P 0/6 inferred, server relay 6/6)",
    ]


def test_table_3_says_undecided_where_nobody_explains_an_address(tmp_path, build):
    calls = [call_of(build), call_of(build, leak="203.0.113.99", repetition=2)]
    full, (shape,) = shapes(tmp_path, build, calls)["table3"]
    assert str(shape.rows[0][1][0]) == "no disclosure 1/2 [1 undecided]"
    row = next(row for row in full.rows if row["measure"] == "no_disclosure" and row["direction"] == "lte_to_fixed")
    assert (row["n"], row["total"], row["undecided"]) == (1, 2, 1)
    assert row["reason"] == "1 of 2 trials undecided: an unexplained address stands in a STUN attribute"


def test_a_cell_that_is_all_undecided_may_be_anything(tmp_path, build):
    full, (shape,) = shapes(tmp_path, build, [call_of(build, leak="203.0.113.99")])["table3"]
    row = next(row for row in full.rows if row["measure"] == "no_disclosure" and row["direction"] == "lte_to_fixed")
    assert (row["n"], row["total"], row["undecided"], row["wilson_low"], row["wilson_high"]) == (0, 1, 1, 0.0, 1.0)
    assert str(shape.rows[0][1][0]) == "no disclosure –/1 [1 undecided]"


def test_tables_6_to_8_show_the_headline_first_and_fold_the_rest(known):
    for name, captions in (("table6", 2), ("table7", 2), ("table8", 4)):
        _, made = known[name]
        assert [each.is_folded for each in made] == [False, *[True] * (captions - 1)]
        assert {str(row[3][0]) for row in made[0].rows} == {"longest_relay"}
        assert {str(row[3][0]) for row in made[1].rows} == {"best_match", "p2p", "media_union"}


def test_a_caption_of_tables_6_to_8_says_what_a_cell_holds_and_the_column_its_unit(known):
    units = {name: known[name][1][0].columns[5] for name in ("table6", "table7", "table8")}
    assert units == {"table6": "absolute (s)", "table7": "absolute (packets)", "table8": "absolute (KB)"}
    headline, others = "Session rule longest_relay, the headline", "The other session rules"
    assert [each.caption for each in known["table8"][1]] == [
        f"{rule}, {volume}: median (IQR), [minimum, maximum]"
        for volume in ("frames", "payload")
        for rule in (headline, others)
    ]
    assert known["table6"][1][0].caption == f"{headline}: median (IQR), [minimum, maximum]"


def test_a_cell_of_table_6_reads_as_the_papers_does(known):
    _, (headline, _) = known["table6"]
    device, absolute, paper = (headline.rows[0][column] for column in (1, 5, 6))
    assert str(device[0]) == "Device 1 (alpha)"
    assert [str(line) for line in absolute] == ["1 (–)", "[1, 1]"]
    assert [str(line) for line in paper] == ["0.894 (1.735)", "[0.068, 2.519]"]


def test_the_impossible_cell_of_table_8_carries_its_erratum(known):
    _, (headline, *_) = known["table8"]
    remarks = [line.remark for row in headline.rows for cell in row for line in cell if line.remark]
    assert "erratum: impossible as printed: the median lies outside [min, max]" in remarks


def test_a_claim_reads_with_its_share_and_what_the_paper_says(known):
    _, (shape,) = known["claims"]
    cells = {str(row[1][0]): [str(line) for line in row[2]] for row in shape.rows}
    assert cells["shared server"] == ["2/2 (paper: claims it) [holds]", "no wrong pair"]
    assert cells["role told by packet counts"] == [
        "–/2 (paper: claims it) [2 of 2 trials undecided: the app's analysis has no role]"
    ]


def test_a_folded_grid_is_details_in_markdown_and_every_cell_is_escaped():
    made = table("t", "T", "a", [{"a": "x"}], [], "measured")
    folded = grid("a|b", [["<b>|", [Line("1", "2", "r"), Line("[x](http://192.0.2.1)")]]], "more")
    text = as_markdown(made, [grid("a", [["x"]]), folded.__class__(folded.columns, folded.rows, "more", True)])
    assert text.endswith(
        "| a |\n| --- |\n| x |\n\n<details>\n<summary>more</summary>\n\n| a | b |\n| --- | --- |\n"
        "| &lt;b>\\| | 1 (paper: 2) [r]<br>[x]\\(http://192.0.2.1) |\n\n</details>\n"
    )


def test_no_text_of_a_csv_is_a_formula_and_numbers_stay_numbers():
    rows = [{"a": "=1+1", "b": -1.5}, {"a": "@x", "b": "-x"}, {"a": "-2+3", "b": -2}]
    assert as_csv(table("t", "T", "a b", rows, [], "measured")) == (
        "a,b,provenance\n'=1+1,-1.5,measured\n'@x,'-x,measured\n'-2+3,-2,measured\n"
    )
