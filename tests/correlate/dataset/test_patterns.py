"""Patterns of an app's `analysis:`: matched as Python's re does, in a time that grows with the text alone."""

import json
import re

import pytest
import re2
import yaml

from correlate.dataset import documents
from correlate.dataset.record import LIBRARY, Analysis, DatasetRecord, refusal
from correlate.dataset.record.patterns import compiled, groups
from correlate.errors import BadDataset
from lab.definitions import App
from lab.definitions.yaml import YamlMistakes, read
from tests import records
from tests.test_architecture import ROOT

APPS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "scenarios/apps").glob("*.yaml"))}
TWINS = {name: app["analysis"]["twins"] for name, app in APPS.items() if "twins" in app.get("analysis", {})}
NAMES = (
    "edge-turnservice-shv-01-fra3.facebook.com", "edge-turnservice6-shv-01-fra3.facebook.com",
    "edgeray-msgrs6-shv-02-muc2.facebook.com", "relay-7-a.example.net", "turn6-12-b.example.net",
    "relay-7-A.example.net", "relay-7-a.example.net.", "xrelay-7-a.example.net", "", "a" * 253,
)  # fmt: skip


def of_re(pattern, name):
    match = re.fullmatch(pattern, name)
    return match and match.groups()


def of_ours(pattern, name):
    match = compiled(pattern).fullmatch(name)
    return match and match.groups()


def test_the_patterns_of_all_apps_are_matched_by_re2_and_as_by_re():
    assert sorted(TWINS) == ["birch", "messenger"]
    for pattern in TWINS.values():
        assert refusal(pattern) == ""
        assert isinstance(compiled(pattern), re2._Regexp)
        assert [of_ours(pattern, name) for name in NAMES] == [of_re(pattern, name) for name in NAMES]
    assert of_ours(TWINS["birch"], "turn6-12-b.example.net") == ("turn", "12", "b")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(a|ab)(c|bcd)(d*)", "abcd"),  # the first way that fits, not the longest
        ("(a*?)(a*)", "aaa"),
        ("(?:(a)|b)*", "ab"),  # what a group had the last time
        ("(a)|(b)", "b"),  # a group that took no part
        (r"(?i)(K[a-z]\d)\.(net$)", "kx7.NET"),
        (r"^(?P<name>\w+)\b-.*$", "relay-7"),
        ("(a$)", "a\n"),
        ("(.)", "\n"),
        (r"([^-]{1,3})-\x41", "ab-A"),
        ("(a{0,2})b", "aab"),
    ],
)
def test_both_match_alike(pattern, name):
    assert refusal(pattern) == ""
    assert of_ours(pattern, name) == of_re(pattern, name)


@pytest.mark.parametrize(("pattern", "name", "ours", "theirs"), [
    ("(a*)+", "aa", ("aa",), ("",)),
    ("(a|b*)*", "ab", ("b",), ("",)),
    (r"(\d)", "٣", None, ("٣",)),
])  # fmt: skip
def test_they_differ_in_a_repeated_group_that_may_be_empty_and_beyond_ascii_which_no_host_name_has(
    pattern, name, ours, theirs
):
    assert (of_ours(pattern, name), of_re(pattern, name)) == (ours, theirs)


def test_a_pattern_that_backtracks_for_years_is_matched_at_once():
    app = Analysis(relay_ports=[3478], twins=r"((a+)+)+b")
    assert app.cluster("a" * 253) is None
    assert app.cluster("a" * 252 + "b") == f"{'a' * 252}|{'a' * 252}"


REFUSED = {
    r"(a)-\1": "invalid escape sequence: \\1",
    "(?=a)(.*)": "invalid perl operator: (?=",
    r"(a)\Z": "invalid escape sequence: \\Z",
    "(a++)": "bad repetition operator: ++",
    "(a{1001})": "invalid repetition size: {1001}",
    "([a-z]{,3})": "{,n} is no repetition; write {0,n}",
    "([[:alpha:]]+)": "[:class:] is no class to `re`; write [a-z]",
    "(\ud800)": "is no text",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_re2_refuses_or_reads_otherwise_is_refused_and_matched_by_re(pattern):
    assert refusal(pattern) == REFUSED[pattern]
    assert isinstance(compiled(pattern), re.Pattern)
    assert groups(pattern) == 1


def written(tmp_path, twins, versions):
    value = records.dataset()
    value["versions"] = versions
    next(iter(value["apps"].values()))["analysis"] = {"relay_ports": [3478], "twins": twins}
    (tmp_path / "dataset.json").write_text(json.dumps(value))
    return tmp_path / "dataset.json"


def test_a_dataset_of_an_earlier_version_is_read_as_before(tmp_path):
    path = written(tmp_path, r"([a-z]{,5})-(?:\d+)-(?!x)([a-z])\Z", {"python": "3.11.7"})
    (app,) = documents.read(path, "dataset.json", DatasetRecord).apps.values()
    assert app.analysis.cluster("relay-7-a") == "relay|a"
    assert app.analysis.cluster("relay-7-x") is None


def test_a_dataset_of_this_version_has_no_pattern_that_re2_refuses(tmp_path):
    versions = {"python": "3.11.7", LIBRARY: "1.1.20251105"}
    path = written(tmp_path, r"(a)-\1", versions)
    with pytest.raises(BadDataset) as raised:
        documents.read(path, "dataset.json", DatasetRecord)
    what = r"is nothing that RE2 matches: invalid escape sequence: \1"
    (name,) = records.dataset()["apps"]
    assert str(raised.value) == f"dataset.json: apps.{name}.analysis.twins: {what}"
    assert documents.read(written(tmp_path, "(a)-1", versions), "dataset.json", DatasetRecord).versions == versions


@pytest.mark.parametrize(("twins", "text"), [
    (r"(a)-\1", r"invalid escape sequence: \1"),
    ("(?=a)(.*)", "invalid perl operator: (?="),
    ("([a-z]{,3})", "{,n} is no repetition; write {0,n}"),
])  # fmt: skip
def test_an_apps_file_with_such_a_pattern_is_one_mistake_with_its_place(tmp_path, twins, text):
    path = tmp_path / "birch.yaml"
    before = (ROOT / "scenarios/apps/birch.yaml").read_text()
    path.write_text(before.replace(TWINS["birch"], twins))
    line = before[: before.index("  twins: ")].count("\n") + 1
    with pytest.raises(YamlMistakes) as raised:
        read(path, App)
    what = "write it without what has to be tried in many ways"
    assert str(raised.value) == f"{path}:{line}:3: twins is nothing that RE2 matches: {text}; {what}"
