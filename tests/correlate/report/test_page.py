"""The page's sentences, lists, retries and trials, and that nothing of a dataset is more than text in it."""

import re
from dataclasses import replace

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.report import page
from correlate.report.attempts import Troubles, Void
from correlate.report.page.clocks import clocks
from correlate.report.page.lists import Lists
from correlate.report.page.matrix import matrix
from correlate.report.page.retries import retries
from correlate.report.page.sentences import sentences
from correlate.report.verdict import AppVerdict, Leak, Phase
from correlate.tables.condensed import summed
from correlate.tables.layout import Line
from correlate.tables.statistics import joined, sorted_out
from correlate.tables.study import Study
from tests.correlate.test_report import RELAY, B, one_call

CALLER, CALLEE = "Does the callee's network see the caller?", "Does the caller's network see the callee?"
IDS = "Do both traces show the same user ids?"
LENGTH = "Does the longest relayed session last equally long on both sides?"


def leak(question, level, n, total, undecided=0, control=(0, 0)):
    return Leak("what", question, "in words", level, n, total, control, undecided)


def app(name, before, during, every):
    parts = (("Before anyone answers", before), ("In conversations", during), ("In every call", every))
    return AppVerdict(name, "1.0", "", 10, 10, tuple(Phase(phase, 5, tuple(leaks)) for phase, leaks in parts))


def two_apps():
    seen, unseen = leak(CALLER, "always", 6, 6), leak(CALLER, "never", 0, 6)
    nobody = leak(CALLEE, "never", 0, 6)
    both = [leak(CALLER, "sometimes", 2, 4), leak(CALLEE, "sometimes", 2, 4)]
    none = [leak(CALLER, "unknown", 0, 4, 3), leak(CALLEE, "unknown", 0, 4, 3)]
    long, chance = leak(LENGTH, "always", 10, 10, control=(3, 20)), leak(LENGTH, "chance", 9, 10, control=(18, 20))
    return [
        app("maple", [seen, nobody], [*both, leak(IDS, "always", 4, 4)], [long]),
        app("birch", [unseen, nobody], [*none, leak(IDS, "never", 0, 4)], [chance]),
    ]


def test_the_three_sentences_say_the_matrix_numbers_and_no_others():
    assert sentences(matrix(two_apps())) == (
        "Before anyone answers, the callee's network sees the caller's address: always in maple (6 of 6), never in "
        "birch (0 of 6); the caller's network sees the callee's: never (0 of 12 calls).",
        "In conversations each phone's network sees the other phone's address: sometimes in maple (2 of 4), undecided "
        "in birch (0 of 4, 3 undecided).",
        "Both ends of a conversation show the same user ids: always in maple (4 of 4), never in birch (0 of 4); both "
        "ends of a call show a session that lasts equally long: always in maple (10 of 10), no more than two different "
        "calls in birch (9 of 10); so do 21 of 40 wrong pairs, which are ends of two different calls.",
    )


def test_without_an_app_there_is_no_sentence_and_without_a_trial_there_is_nothing_to_tell():
    assert sentences(matrix([])) == ()
    empty = [leak(CALLER, "unknown", 0, 0), leak(CALLEE, "unknown", 0, 0), leak(IDS, "unknown", 0, 0)]
    (before, during, _) = sentences(matrix([app("maple", empty, empty, [leak(LENGTH, "unknown", 0, 0)])]))
    assert before == "Before anyone answers, each phone's network sees the other phone's address: no trial to tell."
    assert during.endswith("no trial to tell.")


def test_a_cell_says_in_words_what_its_colour_says_and_what_chance_shows():
    before, during, every = matrix(two_apps())
    assert [(cell.look, cell.words) for cell in before.lines[0].cells] == [("all", "always"), ("none", "not seen")]
    assert [cell.look for cell in during.lines[0].cells] == ["some", "open"]
    assert [(cell.look, cell.words) for cell in every.lines[0].cells] == [
        ("all", "always; wrong pairs 3 of 20"),
        ("chance", "as by chance; wrong pairs 18 of 20"),
    ]


def test_equal_sets_of_trials_share_a_list_and_no_trials_have_none():
    lists = Lists(["a-1", "b-1", "c-1"])
    first = sorted_out([("a-1", True), ("b-1", None), ("c-1", False)])
    assert first == "a-1/b-1/c-1"
    assert [lists.anchor(each) for each in (first, "", "//", "a-1 b-1//", first)] == ["s1", "", "", "s2", "s1"]
    assert [(each.anchor, each.title, each.groups) for each in lists.listed()] == [
        ("s1", "1 of 3", (("yes", ((1, "a-1"),)), ("undecided", ((2, "b-1"),)), ("no", ((3, "c-1"),)))),
        ("s2", "2 of 2", (("yes", ((1, "a-1"), (2, "b-1"))),)),
    ]


def test_numbers_on_one_line_have_the_trials_of_all_of_them_once():
    assert joined(["a//b", "", "c a/d/"]) == "a c/d/b"
    assert joined([]) == ""
    assert str(Line("1/2", "2/2", trials="a//b")) == "1/2 (paper: 2/2)"


def test_both_directions_together_have_the_trials_of_both():
    counts = {"measure": "caller_public", "n": 1, "total": 1, "undecided": 0}
    rows = [{**counts, "direction": "lte_to_fixed", "trials": "a//"}, {**counts, "direction": "back", "trials": "b//"}]
    (row,) = summed(rows)
    assert (row["n"], row["total"], row["direction"], row["trials"]) == (2, 2, "all", "a b//")


@pytest.fixture(scope="module")
def built(tmp_path_factory, build):
    """Three calls, the first of which shows the callee the caller's address."""
    folder = tmp_path_factory.mktemp("built")
    calls = [one_call(build), one_call(build, repetition=2), one_call(build, direction="fixed_to_lte")]
    calls[2].caller, calls[2].callee = calls[2].callee, calls[2].caller
    calls[0].callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    build.dataset(folder, calls)
    report.build(Dataset(folder))
    return Dataset(folder)


def test_every_link_of_the_page_leads_to_a_place_that_is_there_once(built):
    text = built.report_path.read_text()
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {each for each in re.findall(r'href="#([^"]*)"', text) if each not in ids} == set()


def test_a_number_of_table_3_leads_to_its_trials_and_each_of_them_opens(built):
    text = built.report_path.read_text()
    table = text.split('id="table3"')[1].split("</section>")[0]
    (anchor,) = set(re.findall(r'<a href="#(s\d+)">lte to fixed: caller&#39;s public address visible 1/2</a>', table))
    listed = text.split(f'<p id="{anchor}">')[1].split("</p>")[0]
    trial = "maple-voice-lte_to_fixed-caller_hangs_up"
    yes, no = listed.split(" no:")
    assert (f'href="#trial-{trial}-1">1<' in yes, f'href="#trial-{trial}-2">2<' in no) == (True, True)
    assert re.search(rf'<details><summary><b>1</b> .*?</summary><div id="trial-{trial}-1">', text, re.DOTALL)


def test_with_many_trials_each_has_a_file_of_its_own_that_goes_when_the_page_has_it_again(built, monkeypatch):
    whole = built.report_path.read_bytes()
    monkeypatch.setattr(page, "MOST_TRIALS", 2)
    report.render(built)
    text = built.report_path.read_text()
    trials = built.trial_ids()
    assert sorted(path.name for path in (built.path / "pages").iterdir()) == sorted(f"{each}.html" for each in trials)
    assert set(re.findall(r'href="([^"#]+)#([^"]+)"', text)) == {(f"pages/{id}.html", f"trial-{id}") for id in trials}
    apart = (built.path / "pages" / f"{trials[0]}.html").read_text()
    assert (f'<div id="trial-{trials[0]}">' in apart, "provenance: modelled." in apart) == (True, True)
    assert built.verify() == []
    monkeypatch.undo()
    report.render(built)
    assert (list((built.path / "pages").iterdir()), built.report_path.read_bytes()) == ([], whole)
    assert built.verify() == []


def test_clocks_tell_their_bounds_and_that_one_was_never_compared(built, build):
    records = {trial: built.record(trial) for trial in built.trial_ids()}
    first = built.trial_ids()[0]
    records[first] = records[first].model_copy(update={"clocks": {**records[first].clocks, "laptop": None}})
    told = {each.name: each for each in clocks(records)}
    assert (told["caller"].compared, told["caller"].bound_ms, told["caller"].worst_bound_ms) == (3, 1.0, 1.0)
    assert (told["laptop"].compared, told["laptop"].total) == (2, 3)
    assert told["laptop"].trials.endswith(f"//{first}")


def test_trials_that_were_tried_again_stand_beside_those_that_went_well_at_once(built):
    study = Study.of(built)
    one, two, three = built.trial_ids()
    records = {trial: built.record(trial) for trial in (one, two, three)}
    records[one] = records[one].model_copy(update={"attempt": 2})
    void = Void(one, 0, None, "noisy", "900 B/s", "completed later")
    went = Troubles((void, replace(void, attempt=1, reason="callee_never_rang")), {}, ())
    seen = replace(leak(CALLER, "sometimes", 1, 3), trials=f"{one}//{two} {three}")
    alike = replace(leak(IDS, "always", 3, 3), trials=f"{one} {two} {three}//")
    found = retries(study, went, records, matrix([app("maple", [seen, alike], [], [])]))
    (tried,) = found.apps
    assert (tried.at_once, tried.again, tried.missing, found.again) == (2, 1, 0, 1)
    assert tried.reasons == "callee_never_rang 1, noisy 1"
    (compared,) = found.compared
    assert (compared.leak, compared.at_once, compared.again) == (
        "the caller's address, before anyone answers", (0, 2), (1, 1),
    )  # fmt: skip


def test_names_that_a_server_or_a_person_chose_stay_text(tmp_path, build):
    call = one_call(build)
    call.caller.version = call.callee.version = '1"><script>alert(1)</script>'
    hostile = "</style><img src=x onerror=alert(1)>"
    build.dataset(tmp_path, [call], names={RELAY[0]: {"name": "relay.example.org", "how": hostile, "when_ns": 1}})
    report.build(Dataset(tmp_path))
    text = (tmp_path / "report.html").read_text()
    assert ("<script" in text, "<img" in text, text.count("</style>")) == (False, False, 1)
    assert "1&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text
