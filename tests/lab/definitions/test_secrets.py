"""Which fields of a bench are secrets, and texts without them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydantic import BaseModel

from lab.definitions import BenchSpec, Lab
from lab.definitions.base import private
from lab.definitions.lab import check
from lab.definitions.local import LocalBench, LocalLaptop, LocalPhone, merged
from lab.definitions.machines import Contact, LaptopSpec, PhoneSpec
from lab.definitions.secrets import Redactor, Secret, choose, chosen, secrets

SCENARIOS = Path(__file__).parents[3] / "scenarios"
NUMBER = Secret("address of two in whatsapp", "15555550102")
LOCAL = {
    "phones": [
        {"name": "pixel6", "serial": "1A2B3C4D5E", "contacts": [{"app": "whatsapp", "address": "15555550101"}]},
        {
            "name": "pixel6pro",
            "serial": "5E6F7A8B9C",
            "pcapdroid_key": "0123456789ABCDEFGHIJ",
            "contacts": [{"app": "snapchat", "address": "lab_two", "title": "Lab Two"}],
        },
    ],
    "laptop": {"connect": ["ssh", "-p", "2222", "-oProxyJump=somebody@gate.lab.example:22", "admin@laptop.example"]},
    "allowed_callees": ["15555550101", "lab_two", "15555550199"],
    "contact": "lab@example.org",
}


@pytest.fixture(scope="module")
def pixels() -> BenchSpec:
    return merged(Lab.load(SCENARIOS).bench("pixels"), LocalBench.model_validate(LOCAL))


def marked(*models: type[BaseModel]) -> dict[str, list[str]]:
    return {
        model.__name__: [name for name, info in model.model_fields.items() if private(info) is not None]
        for model in models
    }


def test_the_fields_that_are_secrets_are_these():
    assert marked(BenchSpec, PhoneSpec, Contact, LaptopSpec, LocalBench, LocalPhone, LocalLaptop) == {
        "BenchSpec": ["allowed_callees"],
        "PhoneSpec": ["serial", "pcapdroid_key"],
        "Contact": ["address", "title"],
        "LaptopSpec": ["connect"],
        "LocalBench": ["allowed_callees"],
        "LocalPhone": ["serial", "pcapdroid_key"],
        "LocalLaptop": ["connect"],
    }


def test_the_secrets_of_a_bench_each_have_their_words(pixels):
    assert secrets(pixels) == (
        Secret("serial of pixel6", "1A2B3C4D5E"),
        Secret("address of pixel6 in whatsapp", "15555550101"),
        Secret("serial of pixel6pro", "5E6F7A8B9C"),
        Secret("pcapdroid_key of pixel6pro", "0123456789ABCDEFGHIJ"),
        Secret("address of pixel6pro in snapchat", "lab_two"),
        Secret("title of pixel6pro in snapchat", "Lab Two"),
        Secret("connect of laptop", "somebody"),
        Secret("connect of laptop", "gate.lab.example"),
        Secret("connect of laptop", "admin"),
        Secret("connect of laptop", "laptop.example"),
        Secret("allowed_callees", "15555550199"),
    )


def test_what_the_bench_also_says_in_the_open_is_no_secret():
    local = {"phones": [{"name": "pixel6", "contacts": [{"app": "whatsapp", "address": "lab_one", "title": "Pixel6"}]}]}
    spec = merged(Lab.load(SCENARIOS).bench("pixels"), LocalBench.model_validate(local))
    assert [one.value for one in secrets(spec)] == ["lab_one"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("it called 15555550102", "it called <address of two in whatsapp>"),
        ("am start -d https://wa.me/15555550102?x=1", "am start -d https://wa.me/<address of two in whatsapp>?x=1"),
        ("tel:%2B15555550102", "tel:%2B<address of two in whatsapp>"),
        ("Call +1 (555) 555-01 02?", "Call <address of two in whatsapp>?"),
        ("call_15555550102.png", "call_<address of two in whatsapp>.png"),
        ("115555550102 and 155555501020 are others", "115555550102 and 155555501020 are others"),
        ("1,5555550102 is another", "1,5555550102 is another"),
        ('{"port": 15555550102, "to": "15555550102"}', '{"port": 15555550102, "to": "<address of two in whatsapp>"}'),
        ('[15555550102, "15555550102"]', '[15555550102, "<address of two in whatsapp>"]'),
    ],
)
def test_a_number_is_found_however_it_is_written_but_as_a_number_of_json(text, clean):
    redactor = Redactor((NUMBER,))
    assert redactor.clean(text) == clean
    assert redactor.hits(text) == (() if text == clean else ("address of two in whatsapp",))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("device '1a2b3c4d5e' not found", "device '<serial of one>' not found"),
        ("adb-1A2B3C4D5E-x9._adb-tls-connect._tcp", "adb-<serial of one>-x9._adb-tls-connect._tcp"),
        ("x1A2B3C4D5E is longer", "x1A2B3C4D5E is longer"),
        ("LAPTOP.example: refused", "<connect of laptop>: refused"),
        ("laptop-example: another", "laptop-example: another"),
        ('"Lab Two" is short', '"<title of two>" is short'),
        ("Lab Two is part of a text", "Lab Two is part of a text"),
        ('{"Lab Two": "lab two", "x": "Lab Two!"}', '{"<title of two>": "<title of two>", "x": "Lab Two!"}'),
        ("Mein  Büro 7 ruft an", "<title of one> ruft an"),
        ('{"who": "Mein B\\u00fcro 7"}', '{"who": "<title of one>"}'),
    ],
)
def test_other_secrets_are_whole_tokens_and_short_ones_all_of_a_json_string(text, clean):
    known = (
        Secret("serial of one", "1A2B3C4D5E"),
        Secret("connect of laptop", "laptop.example"),
        Secret("title of two", "Lab Two"),
        Secret("title of one", "Mein Büro 7"),
    )
    assert Redactor(known).clean(text) == clean


def test_a_value_of_json_keeps_its_numbers_and_its_shape():
    value = {"n": 15555550102, "deep": [{"text": "15555550102 rang", "yes": True, "none": None}]}
    cleaned, hits = Redactor((NUMBER,)).cleaned_value(value)
    assert cleaned == {
        "n": 15555550102,
        "deep": [{"text": "<address of two in whatsapp> rang", "yes": True, "none": None}],
    }
    assert hits == ("address of two in whatsapp",)


def test_what_only_looks_like_json_is_cleaned_as_text():
    deep = "[" * 100_000 + "15555550102"
    assert Redactor((NUMBER,)).clean(deep).endswith("[<address of two in whatsapp>")


def test_the_longer_of_two_secrets_is_named_where_one_holds_the_other():
    known = (Secret("account", "somebody"), Secret("host", "somebody.lab.example"))
    assert Redactor(known).clean("ssh somebody.lab.example as somebody") == "ssh <host> as <account>"


def test_benches_are_chosen_within_a_block_alone(pixels):
    assert choose(pixels) is pixels
    with chosen() as benches:
        lab = Lab.load(SCENARIOS)
        assert [choose(pixels), lab.bench("virtual"), lab.bench("virtual")][0] is pixels
        assert [spec.name for spec in benches] == ["pixels", "virtual"]


SECRET_LINES = {
    "    rooted: false\n": [
        ("    serial: 5E6F7A8B9C\n", "serial of pixel6pro"),
        ("    contacts: [{app: whatsapp, address: lab_two}]\n", "address of pixel6pro in whatsapp"),
        ("    contacts: [{app: whatsapp, address: lab_two, title: Two}]\n", "title of pixel6pro in whatsapp"),
        ("    pcapdroid_key: 0123456789ABCDEFGHIJ\n", "pcapdroid_key of pixel6pro"),
    ],
    "laptop:\n": [("  connect: [ssh, hotspot]\n", "connect of laptop")],
    "snaplen_bytes: 1600\n": [("allowed_callees: [lab_two]\n", "allowed_callees")],
}


@pytest.mark.parametrize(
    ("after", "line", "what"), [(after, *each) for after, several in SECRET_LINES.items() for each in several]
)
def test_a_secret_in_the_file_of_a_real_bench_is_a_mistake_at_its_line(tmp_path, after, line, what):
    made = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))
    file = made / "benches" / "pixels.yaml"
    before, found, behind = file.read_text().partition(after)
    file.write_text(f"{before}{found}{line}{behind}")
    at = (before + found).count("\n") + 1
    mistakes = check(made)
    assert mistakes == check(made, file)
    assert mistakes[-1].text == f"{what} is secret; move it into pixels.local.yaml"
    assert {(one.path, one.line) for one in mistakes} == {(file, at)}
    elsewhere = tmp_path / "benches" / "pixels.yaml"
    elsewhere.parent.mkdir()
    shutil.copy(file, elsewhere)
    assert [one.text for one in check(made, elsewhere)] == [one.text for one in mistakes]


def test_a_laptop_that_is_this_machine_is_no_secret(tmp_path):
    made = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))
    file = made / "benches" / "pixels.yaml"
    file.write_text(file.read_text().replace("laptop:\n", "laptop:\n  connect: []\n"))
    assert check(made) == []


def test_a_dataset_of_before_opens_with_what_its_bench_file_held(tmp_path):
    made = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))
    file = made / "benches" / "pixels.yaml"
    file.write_text(file.read_text().replace("laptop:\n", "laptop:\n  connect: [ssh, hotspot]\n"))
    (tmp_path / "dataset.json").write_text(json.dumps({}))
    assert Lab.load(made).bench("pixels").laptop.connect == ["ssh", "hotspot"]


@pytest.mark.parametrize(
    ("local", "mistake"),
    [
        ("phones: [{name: pixel6, serial: 'CANARY SERIAL'}]", "1:25: phones.serial must look like"),
        ("phones: [{name: pixel6, pcapdroid_key: CANARY}]", "1:25: phones.pcapdroid_key must look like"),
        ("phones: [{name: pixel6, contacts: [{app: whatsapp, address: '@CANARY'}]}]", "1:52: phones.contacts.address"),
        (
            "phones: [{name: pixel6, contacts: [{app: whatsapp, address: lab, title: ' CANARY'}]}]",
            "1:66: phones.contacts.title must be one line",
        ),
        ("laptop: {connect: CANARY}", "1:10: laptop.connect must be a list"),
    ],
)
def test_a_mistake_in_a_secret_does_not_show_it(tmp_path, local, mistake):
    made = Path(shutil.copytree(SCENARIOS, tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml")))
    file = made / "benches" / "pixels.local.yaml"
    file.write_text(local)
    [found] = map(str, check(made))
    assert found.startswith(f"{file}:{mistake}")
    assert "CANARY" not in found


def test_how_a_laptop_is_reached_is_in_the_local_file(pixels):
    assert pixels.laptop.connect[0] == "ssh"
    assert pixels.laptop.agent == ["python", "C:/im-call-lab/agent.pyz"]
    kept = merged(pixels, LocalBench.model_validate({"contact": "lab"}))
    assert kept.laptop == pixels.laptop
