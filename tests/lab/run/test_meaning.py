"""What of the YAML decides the data: every field of every model has its place in one table."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from lab.definitions import Lab
from lab.definitions.base import scalar_types
from lab.definitions.lab import FOLDERS
from lab.definitions.secrets import secrets
from lab.run.meaning import FIELDS, Difference, deciding, differences, not_local, sha256

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(SCENARIOS)


def inner(model: type[BaseModel], field: str) -> list[type[BaseModel]]:
    kinds = scalar_types(model.model_fields[field].annotation)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def reached() -> set[type[BaseModel]]:
    """The models that a field that decides leads to, from those of the files on."""
    found: set[type[BaseModel]] = set()
    todo: list[type[BaseModel]] = list(FOLDERS.values())
    while todo:
        if (model := todo.pop()) not in found:
            found.add(model)
            todo += [kind for field in FIELDS[model].decide.split() for kind in inner(model, field)]
    return found


def test_every_model_that_decides_is_in_the_table_and_no_other():
    assert reached() == set(FIELDS)


@pytest.mark.parametrize("model", FIELDS, ids=lambda model: model.__name__)
def test_every_field_of_every_model_decides_may_change_or_is_local_and_is_one_of_them(model):
    assert sorted(" ".join(FIELDS[model]).split()) == sorted(model.model_fields)


def test_what_may_change_and_what_is_local_are_these():
    free = {model.__name__: (each.may_change, each.local) for model, each in FIELDS.items() if any(each[1:])}
    assert free.keys() == {"App", "BenchSpec", "PhoneSpec", "LaptopSpec", "PcapdroidEmulation", "VirtualApp", "Faults"}
    ways = "open_chat chat_open place_call answer reject cancel hang_up reveal_controls signs dismiss refusals"
    assert free["App"] == (f"version {ways}", "")
    assert free["PhoneSpec"] == ("os tools", "serial pcapdroid_key contacts power_cycle reboot")


def test_of_an_app_its_package_and_its_rules_decide_and_no_way_to_drive_it(lab):
    found = deciding(lab.apps["messenger"])
    assert found["package"] == "com.facebook.orca"
    assert {key.partition(".")[0] for key in found} == {"name", "package", "analysis"}
    assert isinstance(found["analysis.relay_ports.0"], int)


def test_a_call_decides_with_each_default_that_it_does_not_write(lab):
    found = deciding(lab.scenarios["caller_cancels"])
    assert {key: found[key] for key in ("ring_s.low_s", "ring_s.high_s", "steps.0.within_s", "steps.1.within_s")} == {
        "ring_s.low_s": 3,
        "ring_s.high_s": 8,
        "steps.0.within_s": 20,
        "steps.1.within_s": 30,
    }


def test_whom_a_lab_calls_and_by_which_phone_is_in_no_hash_and_in_no_revision(lab):
    spec = lab.bench("virtual")
    canaries = {"serial": "canary-serial", "pcapdroid_key": "canarykey" * 3}
    phones = [phone.model_copy(update=canaries) for phone in spec.phones]
    laptop = spec.laptop.model_copy(update={"connect": ["ssh", "canary@192.0.2.9"]})
    spec = spec.model_copy(update={"phones": phones, "laptop": laptop})
    values = [each.value for each in secrets(spec)]
    assert {"canary-serial", "canarykey" * 3, "canary", "15555550101"} <= set(values)
    text = json.dumps([deciding(spec), not_local(spec)])
    assert [each for each in [*values, "canary"] if f'"{each}"' in text or "canary" in text] == []
    assert not_local(spec).keys() - deciding(spec).keys() >= {"phones.0.os", "stun_servers.0.address", "contact"}
    assert deciding(spec)["phones.1.network"] == "fixed"


def test_an_emulated_app_may_show_something_else_but_does_the_same_on_the_wire(lab):
    app = lab.virtual_apps["whatsapp"]
    tops = {key.partition(".")[0] for key in deciding(app)}
    assert tops == {"name", "package", "services", "telecom", "timers", "network", "rig"} - (
        set() if app.telecom else {"telecom"}
    )
    assert "screens.0.name" in not_local(app)


def test_a_difference_has_its_file_its_key_and_both_values():
    before = {"a.yaml": {"x": 1, "steps.0.do": "talk"}, "b.yaml": {"y": "1"}}
    now = {"a.yaml": {"x": 2, "steps.1.do": "talk", "steps.0.do": "talk"}, "b.yaml": {"y": 1}}
    assert differences(before, now) == [
        Difference("a.yaml", "x", 1, 2),
        Difference("a.yaml", "steps.1.do", None, "talk"),
        Difference("b.yaml", "y", "1", 1),
    ]
    assert differences(now, now) == []


def test_the_hash_of_a_meaning_knows_values_and_no_order():
    first, second = {"a": {"x": 1, "y": 2}, "b": {}}, {"b": {}, "a": {"y": 2, "x": 1}}
    assert sha256(first) == sha256(second) != sha256({"a": {"x": 1, "y": "2"}, "b": {}})
