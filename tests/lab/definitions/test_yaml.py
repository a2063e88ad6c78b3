from __future__ import annotations

import itertools
import os
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from lab.definitions.base import Model, Name, Seconds, refuse
from lab.definitions.yaml import YamlMistakes, read, read_document
from lab.definitions.yaml.tree import MAX_BYTES, parse
from lab.errors import BadInput


class Span(Model):
    low_s: Seconds
    high_s: Seconds


class Pet(Model):
    name: Name
    verb: Literal["reject", "answer"] = "answer"
    ring_s: Span | None = None
    tame: bool = True
    ports: list[int] = Field(default_factory=list)
    weight: float = 1.0
    address: IPv4Address | None = None
    friends: list[Span] = Field(default_factory=list)


class Gate(Model):
    steps: list[str]
    note: str = ""

    def model_post_init(self, _context: object) -> None:
        refuse([(("steps", i), f"no step '{one}' here") for i, one in enumerate(self.steps) if one == "bad"])


@pytest.fixture
def mistakes_of(tmp_path: Path):
    def mistakes(text: str | bytes, model: type[Model] = Pet) -> list[str]:
        path = tmp_path / "f.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(YamlMistakes) as caught:
            read(path, model)
        return [str(mistake).removeprefix(f"{tmp_path}/") for mistake in caught.value.mistakes]

    return mistakes


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (os.mkfifo, "cannot be read: Is a FIFO; only regular files are read"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read: Is a device; only regular files are read"),
        (os.mkdir, "is a directory, not a YAML file"),
        (lambda path: None, "no such file"),
    ],
    ids=["FIFO", "device", "directory", "nothing"],
)
def test_what_is_no_regular_file_is_one_mistake_at_once(tmp_path: Path, make, text: str):
    make(tmp_path / "f.yaml")
    with pytest.raises(YamlMistakes) as caught:
        read(tmp_path / "f.yaml", Pet)
    assert str(caught.value) == f"{tmp_path}/f.yaml:1:1: {text}"


def test_texts_stay_texts_and_numbers_become_numbers(tmp_path: Path):
    path = tmp_path / "f.yaml"
    path.write_text("name: no\ntame: false\nports: [7, -3]\nweight: 2.50\naddress: 192.0.2.1\nring_s:\n")
    pet = read(path, Pet)
    assert pet == Pet(name="no", tame=False, ports=[7, -3], weight=2.5, address=IPv4Address("192.0.2.1"), ring_s=None)


def test_octal_and_sexagesimal_looking_texts_are_kept(tmp_path: Path):
    path = tmp_path / "f.yaml"
    path.write_text("steps: [0123456, 22:22, no, ~x, '', 1e3]\n")
    assert read(path, Gate).steps == ["0123456", "22:22", "no", "~x", "", "1e3"]


@pytest.mark.parametrize("text", ["1_000", "0x10", "010", "+5", "' 7'", "1.0", "1e3", "yes", "99999999999999999999"])
def test_an_odd_whole_number_is_a_mistake(mistakes_of, text: str):
    [found] = mistakes_of(f"name: x\nports: [80, {text}]\n")
    assert found.startswith("f.yaml:2:13: ports must be a whole number, is ")


@pytest.mark.parametrize("text", ["inf", ".inf", "nan", ".nan", "1e400", ".5", "5.", "1e3", "1_0.5"])
def test_an_odd_number_is_a_mistake(mistakes_of, text: str):
    assert mistakes_of(f"name: x\nweight: {text}\n")[0].startswith("f.yaml:2:1: weight must be a number, is ")


@pytest.mark.parametrize("text", ["yes", "no", "on", "1", "0", "True", "TRUE"])
def test_truth_values_are_true_and_false_only(mistakes_of, text: str):
    [found] = mistakes_of(f"name: x\ntame: {text}\n")
    assert found.startswith("f.yaml:2:1: tame must be true or false, is ")


def test_a_value_out_of_range_is_told_in_plain_words(mistakes_of):
    assert mistakes_of("name: x\nring_s: {low_s: -3, high_s: 5}\n") == [
        "f.yaml:2:10: ring_s.low_s must be greater than 0, is -3"
    ]


def test_an_unknown_word_gets_the_right_one_suggested(mistakes_of):
    assert mistakes_of("name: x\nverb: regect\n") == ["f.yaml:2:1: no verb 'regect'; did you mean 'reject'?"]
    assert mistakes_of("name: x\nverb: q\n") == ["f.yaml:2:1: no verb 'q'; there is reject, answer"]


def test_an_unknown_key_is_at_its_own_line(mistakes_of):
    assert mistakes_of("name: x\n# here\ncolour: red\n") == ["f.yaml:3:1: unknown key 'colour'"]


def test_a_missing_key_is_where_it_is_missed(mistakes_of):
    assert mistakes_of("verb: answer\nfriends:\n  - low_s: 1\n    high_s: 2\n  - low_s: 1\n") == [
        "f.yaml:1:1: missing key 'name'",
        "f.yaml:5:5: missing key 'high_s'",
    ]


def test_a_misspelt_key_is_one_mistake(mistakes_of):
    assert mistakes_of("nmae: x\n") == ["f.yaml:1:1: unknown key 'nmae'; did you mean 'name'?"]
    assert mistakes_of("name: x\nring_s:\n  lows: 1\n  high_s: 2\n") == [
        "f.yaml:3:3: unknown key 'lows'; did you mean 'low_s'?"
    ]


def test_a_misspelt_key_still_has_its_value_checked(mistakes_of):
    assert mistakes_of("name: x\nwieght: heavy\n") == [
        "f.yaml:2:1: unknown key 'wieght'; did you mean 'weight'?",
        "f.yaml:2:1: weight must be a number, is 'heavy'",
    ]


def test_a_duplicate_key_is_a_mistake(mistakes_of):
    assert mistakes_of("name: x\nname: y\n") == ["f.yaml:2:1: duplicate key 'name'; it stands already in line 1"]


def test_a_bad_name_is_a_mistake(mistakes_of):
    for name in ("Foo", "_x", "a" * 65, "a-b", '"a\\n"', "../x"):
        [found] = mistakes_of(f"name: {name}\n")
        assert found.startswith("f.yaml:1:1: name must be lower-case letters, digits and _, at most 64, is ")


def test_an_anchor_bomb_is_refused_in_its_own_lines(mistakes_of):
    rows = [f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]\n" for one, two in itertools.pairwise("abcdefghij")]
    bomb = "a: &a [x]\n" + "".join(rows)
    found = mistakes_of(bomb)
    assert "f.yaml:1:4: anchors (&a) are not read here; write it out" in found
    assert "f.yaml:2:8: aliases (*a) are not read here; write it out" in found


def test_a_tag_is_refused(mistakes_of):
    assert mistakes_of("name: !!python/object/apply:os.system [x]\ntame: perhaps\n") == [
        "f.yaml:1:7: tags (tag:yaml.org,2002:python/object/apply:os.system) are not read here; leave it out",
        "f.yaml:2:1: tame must be true or false, is 'perhaps'",
    ]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
@pytest.mark.parametrize("depth", [17, 500, 200_000])
def test_deep_nesting_is_refused(mistakes_of, opening: str, depth: int):
    found = mistakes_of(opening * depth)
    assert len(found) == 1
    assert "is nested more than 16 deep" in found[0] or "is not YAML" in found[0]


def test_a_file_over_1_mib_is_refused(mistakes_of):
    assert mistakes_of("#" * (MAX_BYTES + 1)) == ["f.yaml:1:1: is larger than 1 MiB"]
    assert mistakes_of("#" * MAX_BYTES) == ["f.yaml:1:1: is empty"]


def test_what_is_not_utf_8_is_refused_at_its_byte(mistakes_of):
    assert mistakes_of(b"name: x\nverb: \xff\n") == ["f.yaml:2:7: is not UTF-8 text"]
    assert mistakes_of("name: x\n".encode("utf-16")) == ["f.yaml:1:1: is not UTF-8 text"]


def test_a_control_character_is_refused_at_its_place(mistakes_of):
    assert mistakes_of("name: x\nverb: \x07\n") == ["f.yaml:2:7: has a character that YAML does not allow (U+0007)"]


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n...\n"])
def test_an_empty_file_is_refused(mistakes_of, text: str):
    [found] = mistakes_of(text)
    assert found in ("f.yaml:1:1: is empty", "f.yaml:2:1: must hold keys and values, holds nothing")


def test_a_second_document_is_refused(mistakes_of):
    assert mistakes_of("name: x\n---\nname: y\n") == [
        "f.yaml:2:1: a second document starts here; one file holds one document"
    ]


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "a list"), ("word\n", "a single text")])
def test_a_file_that_is_no_mapping_is_refused(mistakes_of, text: str, kind: str):
    assert mistakes_of(text) == [f"f.yaml:1:1: must hold keys and values, holds {kind}"]


def test_broken_yaml_has_its_position(mistakes_of):
    [found] = mistakes_of("name: x\nverb: [a\nports: [1]\n")
    assert found.startswith("f.yaml:3:")
    assert "is not YAML" in found


def test_a_mapping_as_a_key_is_refused(mistakes_of):
    assert mistakes_of("{a: b}: c\n") == ["f.yaml:1:1: a key must be a plain field name"]


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path):
    with pytest.raises(YamlMistakes, match=r"is a directory, not a YAML file"):
        read(tmp_path, Pet)
    with pytest.raises(YamlMistakes, match=r"none\.yaml:1:1: no such file"):
        read(tmp_path / "none.yaml", Pet)


def test_all_mistakes_are_reported_in_the_order_of_their_positions(mistakes_of):
    text = "name: X\nverb: regect\nring_s: {low_s: 0, hihg_s: a}\ntame: maybe\ncolour: 1\nports: 5\nring_s: {}\n"
    assert mistakes_of(text) == [
        "f.yaml:1:1: name must be lower-case letters, digits and _, at most 64, is 'X'",
        "f.yaml:2:1: no verb 'regect'; did you mean 'reject'?",
        "f.yaml:3:10: ring_s.low_s must be greater than 0, is 0",
        "f.yaml:3:20: ring_s.high_s must be a number, is 'a'",
        "f.yaml:3:20: unknown key 'hihg_s'; did you mean 'high_s'?",
        "f.yaml:4:1: tame must be true or false, is 'maybe'",
        "f.yaml:5:1: unknown key 'colour'",
        "f.yaml:6:1: ports must be a list, is 5",
        "f.yaml:7:1: duplicate key 'ring_s'; it stands already in line 3",
    ]


def test_a_key_without_a_value_says_so(mistakes_of):
    assert mistakes_of("name:\nports: [1, ]\nweight: ~\n") == [
        "f.yaml:1:1: name must be text, has no value",
        "f.yaml:3:1: weight must be a number, has no value",
    ]


def test_a_validator_points_below_its_model(mistakes_of):
    assert mistakes_of("steps:\n  - good\n  - bad\n", Gate) == ["f.yaml:3:5: no step 'bad' here"]


def test_mistakes_are_bad_input_with_one_line_each(tmp_path: Path):
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\nb: 2\n")
    with pytest.raises(BadInput) as caught:
        read(path, Pet)
    assert str(caught.value).splitlines() == [
        f"{path}:1:1: missing key 'name'",
        f"{path}:1:1: unknown key 'a'",
        f"{path}:2:1: unknown key 'b'",
    ]
    assert caught.value.exit_code == 2


def test_a_document_knows_where_things_stand(tmp_path: Path):
    path = tmp_path / "f.yaml"
    path.write_text("name: x\nfriends:\n  - {low_s: 1, high_s: 2}\n")
    document = read_document(path, Pet)
    assert str(document.mistake(("friends", 0, "high_s"), "odd")) == f"{path}:3:16: odd"
    assert str(document.mistake(("friends", 9), "odd")) == f"{path}:2:1: odd"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!#|>'\"\n ,?~0.é\u2028", max_size=60))
def test_any_text_is_a_tree_or_a_list_of_mistakes(text: str):
    root, mistakes = parse(Path("f.yaml"), text)
    assert root is not None or mistakes
    for mistake in mistakes:
        assert mistake.line >= 1
        assert mistake.column >= 1
        assert "\n" not in mistake.text
