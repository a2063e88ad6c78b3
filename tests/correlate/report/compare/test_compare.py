"""Two datasets beside each other: what changed, what cannot be compared, and the files that say so."""

import json
import shutil
import xml.etree.ElementTree as ElementTree

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import tasks
from correlate import report
from correlate.dataset import Dataset
from correlate.errors import BadDataset, CorrelateError, NotComparable
from correlate.report.compare import as_json, compare, lines, write_junit
from tests.records import record_anew

A, B = ("100.64.0.7", 5000), ("192.168.137.20", 6000)
RELAY = ("192.0.2.50", 3478)
TRIALS = 6


def cancelled(build, repetition, told, version="1.0"):
    """A call that is cancelled, in which both sides show a user id or none."""
    call = build.call(scenario="caller_cancels", repetition=repetition, ring_s=5.0)
    call.caller.version = version
    for side, local in ((call.caller, A), (call.callee, B)):
        side.relay(local, RELAY, 0.0)
        side.talk(local, RELAY, 1.0, 5.0, 10, 10)
        if told:
            side.put(1.5, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, b"kSty:XpJs")))
    return call


@pytest.fixture(scope="module")
def made(tmp_path_factory, build):
    """`silent` and `telling` differ in what they give away, `telling` has another version of the app at the caller."""
    root = tmp_path_factory.mktemp("compared")
    for name, told, version in (("silent", False, "1.0"), ("telling", True, "1.1")):
        (root / name).mkdir()
        calls = [cancelled(build, number, told, version) for number in range(1, TRIALS + 1)]
        build.dataset(root / name, calls, analysis={"relay_ports": [3478]})
        report.build(Dataset(root / name))
    return root


def of(root, a, b):
    return compare(Dataset(root / a), Dataset(root / b))


def changed(comparison):
    return {(each.unit.claim, each.leak) for each in comparison.claims if each.outcome == "changed"}


def copied(root, folder, name="silent"):
    shutil.copytree(root / name, folder / "copy")
    return Dataset(folder / "copy")


def test_a_dataset_and_itself_are_alike(made):
    found = of(made, "silent", "silent")
    assert (found.exit_code, changed(found), found.moved) == (0, set(), ())
    assert {each.outcome for each in (*found.claims, *found.values)} == {"alike", "undecided"}


def test_the_claim_that_changes_is_named_and_no_other(made):
    opened, closed = of(made, "silent", "telling"), of(made, "telling", "silent")
    assert (opened.exit_code, changed(opened)) == (6, {("same_user_ids", "opened")})
    assert (closed.exit_code, changed(closed)) == (7, {("same_user_ids", "closed")})
    assert [(each.what, each.a, each.b) for each in opened.moved] == [
        ("version of maple", "1.0", "alpha: 1.1; bravo: 1.0")
    ]


def test_the_sentences_tell_what_changed_what_was_not_compared_and_how_far_it_goes(made):
    told = [line.text for line in lines(of(made, "silent", "telling"))]
    assert "A leak opened" in told
    assert (
        "  maple: same user ids changed: 0 of 6 in A, 6 of 6 in B; difference +100 points (95%: +45 to +100), q 0.022"
        in told
    )
    assert (
        "  maple: service told before answer, identical sessions at the voice caller alone, role told by packet "
        "counts: all 6 trials of A are undecided, all 6 trials of B are undecided" in told
    )
    assert "  version of maple: 1.0 in A, alpha: 1.1; bravo: 1.0 in B" in told
    assert told[-1].endswith(
        "All of this is between these two nights: what differs may be the night and not the app, unless each version "
        "has at least 4 nights."
    )
    assert "with 6 trials in A and 6 in B a claim that held in all of A could fall by up to" in told[-1]
    assert [line.text for line in lines(of(made, "silent", "silent"))][2] == "Nothing changed that can be told."


def test_json_has_all_that_was_compared_and_the_same_bytes_each_time(made):
    text = as_json(of(made, "silent", "telling"))
    assert text == as_json(of(made, "silent", "telling"))
    document = json.loads(text)
    assert (document["schema"], document["exit_code"]) == (1, 6)
    (row,) = [each for each in document["claims"] if each["claim"] == "same_user_ids"]
    assert (row["app"], row["outcome"], row["leak"], row["gives_away"]) == ("maple", "changed", "opened", "more")
    assert (row["a"], row["b"]) == (
        {"hits": 0, "undecided": 0, "total": 6},
        {"hits": 6, "undecided": 0, "total": 6},
    )
    assert (row["difference"], row["unit"], row["cells"][0]["scenario"]) == (1.0, "trials", "caller_cancels")
    assert {each["unit"] for each in document["values"]} == {"s", "packets", ""}
    assert document["a"]["trials"] == TRIALS


def test_junit_has_a_case_for_each_claim_and_measure(made, tmp_path):
    found = of(made, "silent", "telling")
    write_junit(found, tmp_path / "junit.xml")
    first = (tmp_path / "junit.xml").read_bytes()
    write_junit(found, tmp_path / "junit.xml")
    assert (tmp_path / "junit.xml").read_bytes() == first
    claims, measures = ElementTree.fromstring(first)
    assert (claims.get("name"), measures.get("name")) == ("claims", "measures")
    assert (int(claims.get("tests")), int(measures.get("tests"))) == (len(found.claims), len(found.values))
    failed = {case.get("name"): case.find("failure").get("type") for case in claims if case.find("failure") is not None}
    assert (failed, claims.get("failures")) == ({"same_user_ids": "leak opened"}, "1")
    skipped = {case.get("name") for case in claims if case.find("skipped") is not None}
    assert skipped == {each.unit.claim for each in found.claims if each.outcome in ("undecided", "untested")}
    assert {case.get("classname") for case in (*claims, *measures)} == {"maple"}


def test_a_file_that_cannot_be_written_is_bad_input(made, tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file/junit.xml"
    with pytest.raises(CorrelateError) as raised:
        write_junit(of(made, "silent", "silent"), path)
    told = f"{path}: cannot be written: {raised.value.__cause__.strerror}; name another file with --junit"
    assert (str(raised.value), raised.value.exit_code) == (told, 2)


def test_no_file_of_a_dataset_is_written_over(made):
    path = made / "telling/dataset.json"
    before = path.read_bytes()
    with pytest.raises(CorrelateError, match="is in a dataset that is compared; name a file outside with --junit"):
        write_junit(of(made, "silent", "telling"), path)
    assert path.read_bytes() == before


def edited(dataset, change):
    """Another dataset.json, signed as if a run had written it; findings are as they were."""
    info = json.loads(dataset.info_path.read_text())
    change(info)
    dataset.info_path.write_text(json.dumps(info))
    record_anew(dataset.path)
    dataset.write_manifest()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda info: info.update(matrix="other"), "another matrix, tiny and other; compare two of one matrix"),
        (
            lambda info: info.update(provenance="measured"),
            "another provenance, modelled and measured; compare two of one provenance",
        ),
        (
            lambda info: info["apps"]["maple"].update(analysis={"relay_ports": [3479]}),
            "no app's calls can be compared: maple: its calls are read by other rules (`analysis` of its app file)",
        ),
    ],
)
def test_datasets_of_another_design_cannot_be_compared(made, tmp_path, change, why):
    edited(other := copied(made, tmp_path), change)
    silent = Dataset(made / "silent")
    with pytest.raises(NotComparable) as raised:
        compare(silent, other)
    assert str(raised.value) == f"{silent.path} and {other.path}: {why}"


def test_trials_without_a_counterpart_are_left_out_and_counted(made, tmp_path, build):
    folder = tmp_path / "more"
    folder.mkdir()
    rejected = build.call(scenario="callee_rejects", ring_s=5.0)
    calls = [*(cancelled(build, number, False) for number in range(1, TRIALS + 1)), rejected]
    build.dataset(folder, calls, analysis={"relay_ports": [3478]})
    report.build(Dataset(folder))
    found = compare(Dataset(made / "silent"), Dataset(folder))
    assert (found.a.trials, found.a.alone, found.b.trials, found.b.alone) == (6, 0, 6, 1)
    assert found.exit_code == 0


def test_what_is_not_whole_is_not_compared(made, tmp_path):
    dataset = copied(made, tmp_path)
    silent, path = Dataset(made / "silent"), dataset.findings_dir / "endpoints.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"udp", b"tcp") + b"\n")
    with pytest.raises(NotComparable, match=r"endpoints\.csv: differs from the manifest; invoke verify tells all$"):
        compare(silent, dataset)
    path.unlink()
    with pytest.raises(NotComparable, match=r"endpoints\.csv: is in the manifest, but not in the dataset"):
        compare(silent, dataset)
    dataset.manifest_path.unlink()
    with pytest.raises(NotComparable, match=r"has no manifest, so its findings are not finished"):
        compare(silent, dataset)
    with pytest.raises(BadDataset, match="cannot be read: No such file or directory"):
        compare(silent, Dataset(tmp_path / "nowhere"))


def test_nothing_is_written_by_a_comparison(made):
    def contents():
        return {path: path.stat().st_mtime_ns for path in made.rglob("*")}

    before = contents()
    of(made, "silent", "telling")
    assert contents() == before


@pytest.mark.parametrize(("a", "b", "code"), [("silent", "telling", 6), ("telling", "silent", 7), ("silent", "no", 2)])
def test_the_command_ends_with_what_it_found(made, a, b, code, capsys, tmp_path):
    with pytest.raises(Exit) as raised:
        tasks.compare(Context(), str(made / a), str(made / b), junit=str(tmp_path / "out.xml"))
    assert raised.value.code == code
    assert (tmp_path / "out.xml").exists() is (code != 2)
    assert ("same user ids changed" in capsys.readouterr().out) is (code != 2)


def test_the_command_ends_well_where_nothing_changed_and_prints_json_alone(made, capsys):
    tasks.compare(Context(), str(made / "silent"), str(made / "silent"), json=True)
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
