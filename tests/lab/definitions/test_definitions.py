from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from correlate.dataset.record import DOCUMENTS
from lab.definitions import App, BenchSpec, Lab, Scenario, Selector, Shape, Way
from lab.definitions.base import scalar_types
from lab.definitions.lab import FOLDERS, check, json_schemas
from lab.definitions.local import LocalBench, merged
from lab.definitions.yaml import YamlMistakes, read

ROOT = Path(__file__).resolve().parents[3]
CALLS = ROOT / "scenarios" / "calls"
FIVE = ["callee_hangs_up", "callee_rejects", "caller_cancels", "caller_hangs_up", "system_timeout"]
EXAMPLES = ["callee_answers_late", "caller_cancels_early"]


@pytest.fixture
def scenario_mistakes(tmp_path: Path):
    def mistakes(*steps: str, answered: str = "false", extra: str = "") -> list[str]:
        path = tmp_path / "s.yaml"
        listed = "".join(f"  - {{{step}}}\n" for step in steps)
        path.write_text(f"name: s\nanswered: {answered}\nring_s: {{low_s: 1, high_s: 2}}\n{extra}steps:\n{listed}")
        with pytest.raises(YamlMistakes) as caught:
            read(path, Scenario)
        return [f"{one.line}:{one.column}: {one.text}" for one in caught.value.mistakes]

    return mistakes


PLACE, RING, END = "do: place_call, by: caller", "do: wait_ringing", "do: wait_ended"


def test_the_five_scenarios_of_the_paper_and_two_examples_are_there():
    names = sorted(path.stem for path in CALLS.glob("*.yaml"))
    assert names == sorted([*FIVE, *EXAMPLES])
    conversations = {name: read(CALLS / f"{name}.yaml", Scenario) for name in FIVE}
    assert [name for name, one in conversations.items() if one.answered] == ["callee_hangs_up", "caller_hangs_up"]
    for one in conversations.values():
        assert one.answered == (one.talk_s is not None)
        if one.talk_s is not None:
            assert (one.talk_s.low_s, one.talk_s.high_s) == (20, 40)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("caller_cancels", Shape(rang=True, answered=False, ended_by="caller")),
        ("callee_rejects", Shape(rang=True, answered=False, ended_by="callee")),
        ("system_timeout", Shape(rang=True, answered=False, ended_by="system")),
        ("caller_hangs_up", Shape(rang=True, answered=True, ended_by="caller")),
        ("callee_hangs_up", Shape(rang=True, answered=True, ended_by="callee")),
        ("caller_cancels_early", Shape(rang=None, answered=False, ended_by="caller")),
        ("callee_answers_late", Shape(rang=True, answered=True, ended_by="caller")),
    ],
)
def test_the_steps_of_a_scenario_say_what_shape_its_call_has(name: str, shape: Shape):
    assert read(CALLS / f"{name}.yaml", Scenario).shape == shape


def test_the_caller_may_cancel_without_waiting_for_ringing_and_nobody_else_may(scenario_mistakes):
    assert read(CALLS / "caller_cancels_early.yaml", Scenario).waits_for_ringing is False
    found = scenario_mistakes(PLACE, "do: reject, by: callee", END)
    assert found == ["6:6: reject before the callee rings: wait_ringing must come earlier"]
    found = scenario_mistakes(PLACE, "do: cancel, by: caller", RING, END)
    assert found == ["7:6: wait_ringing after cancel: the call is over"]


def test_a_late_answer_comes_before_any_emulated_app_gives_up():
    late = read(CALLS / "callee_answers_late.yaml", Scenario).ring_s
    lasts = [app.timers.ring_timeout_s.low_s for app in Lab.load(ROOT / "scenarios").virtual_apps.values()]
    assert (late.low_s, late.high_s, min(lasts)) == (20, 23, 25)


def test_a_scenario_that_answers_before_it_rings_is_a_mistake(scenario_mistakes):
    found = scenario_mistakes(PLACE, "do: answer, by: callee", RING, END, answered="true")
    assert found == ["6:6: answer before the callee rings: wait_ringing must come earlier"]


def test_a_scenario_that_talks_before_it_answers_is_a_mistake(scenario_mistakes):
    found = scenario_mistakes(PLACE, RING, "do: talk", END, extra="talk_s: {low_s: 1, high_s: 1}\n")
    assert found == ["8:6: talk before the call is answered: answer must come earlier"]


def test_a_role_that_does_not_exist_is_a_mistake(scenario_mistakes):
    found = scenario_mistakes("do: place_call, by: calee", RING, END)
    assert found == ["5:22: no role 'calee'; did you mean 'callee'?"]


def test_a_verb_that_does_not_exist_is_a_mistake(scenario_mistakes):
    found = scenario_mistakes(PLACE, RING, "do: regect, by: callee", END)
    assert found == ["7:6: no verb 'regect'; did you mean 'reject'?"]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ((RING, END), "5:6: the first step must be place_call, is wait_ringing"),
        ((PLACE, RING), "6:6: the last step must be wait_ended, is wait_ringing"),
        ((PLACE, PLACE, END), "6:6: place_call stands here a second time"),
        ((PLACE, RING, "do: reject, by: caller", END), "7:18: reject by caller: only the callee can"),
        ((PLACE, RING, "do: cancel", END), "7:5: missing key 'by': who does cancel? (caller)"),
        (
            (PLACE, "do: wait_ringing, by: callee", END),
            "6:24: wait_ringing by callee: nobody does that one; leave out 'by'",
        ),
        (
            (PLACE, RING, "do: cancel, by: caller, within_s: 0", END),
            "7:30: steps.within_s must be greater than 0, is 0",
        ),
        (
            (PLACE, RING, "do: reject, by: callee", "do: cancel, by: caller", END),
            "8:6: cancel after reject: the call is over",
        ),
    ],
)
def test_an_impossible_scenario_is_a_mistake_at_its_step(scenario_mistakes, steps: tuple[str, ...], found: str):
    assert found in scenario_mistakes(*steps)


def test_answered_and_talk_s_must_agree_with_the_steps(scenario_mistakes):
    assert scenario_mistakes(PLACE, RING, END, answered="true") == [
        "2:1: answered is true, but there is no answer step"
    ]
    assert scenario_mistakes(PLACE, RING, END, extra="talk_s: {low_s: 1, high_s: 2}\n") == [
        "4:1: talk_s is given, but there is no talk step"
    ]


def test_a_span_that_ends_before_it_begins_is_a_mistake(scenario_mistakes):
    found = scenario_mistakes(PLACE, RING, END, extra="talk_s: {low_s: 5, high_s: 2}\n")
    assert found == ["4:20: high_s must be at least low_s (5), is 2"]


def test_times_are_drawn_by_seed_within_their_bounds():
    scenario = read(CALLS / "caller_hangs_up.yaml", Scenario)
    drawn = scenario.draw(random.Random("7/x"))
    assert drawn == scenario.draw(random.Random("7/x"))
    assert drawn != scenario.draw(random.Random("8/x"))
    assert 3 <= drawn.ring_s <= 8
    assert drawn.talk_s is not None
    assert 20 <= drawn.talk_s <= 40
    assert drawn.talk_s == round(drawn.talk_s, 3)
    assert read(CALLS / "callee_rejects.yaml", Scenario).draw(random.Random(1)).talk_s is None


def test_a_selector_says_itself_as_a_query():
    selector = Selector(id="a:id/b", text="{contact}", description_matches="{contact}, .*", seen_on="never")
    assert selector.as_query("a+b") == {"resourceId": "a:id/b", "text": "a+b", "descriptionMatches": r"a\+b, .*"}
    assert str(selector) == "id=a:id/b text={contact} description_matches={contact}, .*"


def test_a_selector_needs_something_to_look_for():
    with pytest.raises(ValidationError, match="a selector needs at least one of id, text"):
        Selector(seen_on="never")
    with pytest.raises(ValidationError, match="is no regular expression"):
        Selector(text_matches="(", seen_on="never")


def test_a_way_is_exactly_one_way():
    with pytest.raises(ValidationError, match=r"a way is exactly one of .*; this one has key and launch"):
        Way(key="HEADSETHOOK", launch=True, seen_on="never")
    with pytest.raises(ValidationError, match="this one has none"):
        Way(seen_on="never")
    with pytest.raises(ValidationError, match="missing key 'seen_on'"):
        Way(launch=True)
    assert str(Way(key="HEADSETHOOK", seen_on="never")) == "key HEADSETHOOK"


def test_an_intent_of_two_lines_is_a_mistake(tmp_path):
    path = tmp_path / "whatsapp.yaml"
    whole = (ROOT / "scenarios" / "apps" / "whatsapp.yaml").read_text()
    path.write_text(whole.replace("action: android.intent.action.VIEW", r'action: "a.b\nreboot"', 1))
    with pytest.raises(YamlMistakes) as caught:
        read(path, App)
    (mistake,) = caught.value.mistakes
    assert mistake.text == "open_chat.intent.action must be one line of printable text: it goes into a command"
    assert whole.splitlines()[mistake.line - 1][mistake.column - 1 :].startswith("action: ")


def test_every_selector_and_intent_of_every_app_says_where_it_was_seen():
    for path in sorted((ROOT / "scenarios" / "apps").glob("*.yaml")):
        app = read(path, App)
        for way in _ways(app):
            seen = way.selector.seen_on if way.selector else way.seen_on
            assert seen, f"{path.name}: {way}"


def _ways(app: App) -> list[Way]:
    both = [app.place_call.voice, app.place_call.video, app.answer.voice, app.answer.video]
    return [way for chain in (app.open_chat, app.reject, app.cancel, app.hang_up, *both) for way in chain]


def test_the_apps_of_the_paper_have_its_versions_and_ports():
    apps = {
        name: read(ROOT / "scenarios" / "apps" / f"{name}.yaml", App) for name in ("whatsapp", "messenger", "snapchat")
    }
    table2 = {name: app.version for name, app in apps.items()}
    assert table2 == {"whatsapp": "2.25.26.74", "messenger": "526.0.0.52.108", "snapchat": "13.60.0.57"}
    ports = {name: app.analysis.relay_ports for name, app in apps.items() if app.analysis}
    assert ports == {"whatsapp": [3478], "messenger": [3478, 40003], "snapchat": [443, 3478]}
    assert all(app.services == ["voice", "video"] for app in apps.values())


def test_twin_host_names_of_table_5_have_the_same_key():
    analysis = read(ROOT / "scenarios" / "apps" / "messenger.yaml", App).analysis
    assert analysis is not None
    assert analysis.twins is not None

    def key(name: str) -> tuple[str, ...]:
        found = re.match(analysis.twins, name)
        assert found
        return found.groups()

    for six, four in (
        ("edge-turnservices6-shv-01-tpe1.facebook.com", "edge-turnservices-shv-01-tpe1.facebook.com"),
        ("edgeray-msgr6-shv-01-itm1.facebook.com", "edgeray-msgr-shv-01-itm1.facebook.com"),
    ):
        assert key(six) == key(four)
    assert key("edgeray-msgr-shv-01-itm1.facebook.com") != key("edgeray-msgr-shv-01-nrt1.facebook.com")


BENCH: dict[str, Any] = {
    "name": "b",
    "kind": "real",
    "phones": [
        {
            "name": name,
            "model": "M",
            "os": "Android 16",
            "network": network,
            "capture": "dumpcap",
            "rooted": False,
            "stimulus": {"sound": "speech", "scene": "dark"},
        }
        for name, network in (("one", "lte"), ("two", "fixed"))
    ],
    "laptop": {"model": "L", "os": "Linux", "directory": "/tmp/c", "hotspot_address": "192.168.137.1"},
    "idle_s": 5,
    "noise_max": 4000,
    "snaplen_bytes": 256,
}


def test_a_direction_is_named_by_network_labels():
    bench = BenchSpec.model_validate(BENCH)
    assert bench.directions() == ["lte_to_fixed", "fixed_to_lte"]
    assert bench.caller_of("fixed_to_lte").name == "two"
    assert bench.other(bench.phone("two")).name == "one"


def test_two_phones_on_the_same_network_have_sides():
    phones = [{**phone, "network": "fixed"} for phone in BENCH["phones"]]
    bench = BenchSpec.model_validate(BENCH | {"phones": phones})
    assert bench.directions() == ["fixed_a_to_b", "fixed_b_to_a"]
    assert bench.caller_of("fixed_b_to_a").name == "two"


def test_a_phone_without_root_cannot_capture_on_itself():
    phones = [{**BENCH["phones"][0], "capture": "tcpdump"}, BENCH["phones"][1]]
    with pytest.raises(ValidationError, match="capture tcpdump needs a rooted phone"):
        BenchSpec.model_validate(BENCH | {"phones": phones})


KEY = "0123456789ABCDEFGHIJabcdefghij42"


def test_pcapdroid_needs_no_root_and_its_vantage_is_a_vpn():
    phones = [{**BENCH["phones"][0], "capture": "pcapdroid", "rooted": False}, BENCH["phones"][1]]
    bench = BenchSpec.model_validate(BENCH | {"phones": phones})
    assert [phone.vantage for phone in bench.phones] == ["vpn", "hotspot"]
    local = LocalBench.model_validate({"phones": [{"name": "one", "pcapdroid_key": KEY}]})
    whole = merged(bench, local)
    assert (whole.phones[0].pcapdroid_key, whole.phones[1].pcapdroid_key) == (KEY, None)
    assert KEY not in repr(whole)


@pytest.mark.parametrize("key", ["", "short", "0123456789 ABCDEFGHIJ abcdefghij", "$(id)0123456789ABCDEFGHIJabc"])
def test_a_key_is_letters_and_digits(key):
    with pytest.raises(ValidationError):
        LocalBench.model_validate({"phones": [{"name": "one", "pcapdroid_key": key}]})


def test_a_key_in_a_real_benchs_own_file_is_a_mistake_at_its_line(tmp_path):
    made = Path(shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios"))
    file = made / "benches" / "pcapdroid.yaml"
    file.write_text(file.read_text().replace("    rooted: false\n", f"    rooted: false\n    pcapdroid_key: {KEY}\n"))
    (mistake,) = check(made)
    text = ":24:5: pcapdroid_key of unrooted is secret; move it into pcapdroid.local.yaml"
    assert (str(mistake).endswith(text), KEY in str(mistake)) == (True, False)


def test_a_local_file_is_merged_by_phone_name():
    bench = BenchSpec.model_validate(BENCH)
    local = LocalBench.model_validate(
        {
            "phones": [
                {"name": "two", "serial": "ABC", "contacts": [{"app": "whatsapp", "address": "15555550102"}]},
            ],
            "allowed_callees": ["15555550102"],
            "contact": "lab@example.com",
        }
    )
    whole = merged(bench, local)
    assert whole.phone("two").serial == "ABC"
    assert whole.phone("two").address_in("whatsapp") == "15555550102"
    assert whole.phone("one") == bench.phone("one")
    assert whole.allowed_callees == ["15555550102"]
    assert whole.contact == "lab@example.com"


@pytest.mark.parametrize("agent", [["python"], ["python", "C:/Program Files/agent.pyz"], ["python", "C:\\a.pyz"]])
def test_an_agent_is_two_words_that_no_shell_changes(agent):
    laptop = BENCH["laptop"] | {"agent": ["python", "C:/im-call-lab/agent.pyz"]}
    assert BenchSpec.model_validate(BENCH | {"kind": "real", "laptop": laptop}).laptop.agent == laptop["agent"]
    with pytest.raises(ValidationError):
        BenchSpec.model_validate(BENCH | {"kind": "real", "laptop": laptop | {"agent": agent}})


def test_a_virtual_bench_needs_no_agent():
    laptop = BENCH["laptop"] | {"agent": ["python", "agent.pyz"]}
    with pytest.raises(ValidationError, match="the laptop of a virtual bench needs no agent"):
        BenchSpec.model_validate(BENCH | {"kind": "virtual", "laptop": laptop})


def test_the_virtual_bench_calls_only_documentation_numbers():
    bench = read(ROOT / "scenarios" / "benches" / "virtual.yaml", BenchSpec)
    assert [(phone.name, phone.network, phone.capture) for phone in bench.phones] == [
        ("pixel6", "lte", "tcpdump"),
        ("pixel6pro", "fixed", "dumpcap"),
    ]
    numbers = [address for address in bench.allowed_callees if address.isdigit() and len(address) == 11]
    assert numbers == ["15555550101", "15555550102"]
    assert (bench.idle_s, bench.noise_max, bench.snaplen_bytes) == (5, 4000, 640)


def test_every_kind_of_file_has_a_json_schema():
    schemas = json_schemas()
    assert list(schemas) == ["calls", "apps", "benches", "matrices", "virtual", "faults", "local", *DOCUMENTS]
    for schema in schemas.values():
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False


def test_the_whole_lab_loads():
    lab = Lab.load(ROOT / "scenarios")
    assert sorted(lab.scenarios) == sorted([*FIVE, *EXAMPLES])
    assert sorted(lab.apps) == sorted(lab.virtual_apps)
    for name, virtual in lab.virtual_apps.items():
        assert (virtual.package, virtual.version) == (lab.apps[name].package, lab.apps[name].version)


def test_no_field_holds_one_of_several_models():
    def held(model: type[BaseModel]) -> None:
        for name, info in model.model_fields.items():
            kinds = scalar_types(info.annotation)
            models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
            assert not models or len(kinds) == 1, f"{model.__name__}.{name}"
            for inner in models:
                held(inner)

    for model in [*FOLDERS.values(), LocalBench]:
        held(model)


def models_of(model: type[BaseModel], known: dict[str, list[str]]) -> dict[str, list[str]]:
    if model.__name__ not in known:
        known[model.__name__] = list(model.model_fields)
        for info in model.model_fields.values():
            for kind in scalar_types(info.annotation):
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    models_of(kind, known)
    return known


def test_every_yaml_key_has_its_heading():
    known: dict[str, list[str]] = {}
    for model in [*FOLDERS.values(), LocalBench]:
        models_of(model, known)
    documented: dict[str, list[str]] = {}
    keys: list[str] = []
    for line in (ROOT / "docs" / "yaml.md").read_text().splitlines():
        if section := re.fullmatch(r"## .*\(`(\w+)`\)", line):
            keys = documented.setdefault(section[1], [])
        elif line.startswith("### "):
            keys.append(line.removeprefix("### "))
    assert documented == known


PORTS, LEAST = "relay_ports: [3478]", "caller_at_least: 10"
"""Of whatsapp.yaml: in line 64, and in line 65 as the last of `role`."""


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (PORTS, "relay_ports: [3_478]", "64:17: analysis.relay_ports must be a whole number, is '3_478'"),
        (PORTS, "relay_ports: []", "64:3: analysis.relay_ports must have at least 1 of them, has 0"),
        (
            PORTS,
            f"{PORTS}\n  twins: x",
            "65:3: twins has no group: its groups, joined, are what twin host names have in ",
        ),
        (LEAST, "caller_at_least: 0x10", "65:35: analysis.role.caller_at_least must be a whole number, is '0x10'"),
        (LEAST, "caller_at_leest: 10", "65:35: unknown key 'caller_at_leest'; did you mean 'caller_at_least'?"),
    ],
)
def test_a_mistake_in_an_analysis_is_told_as_in_any_other_part_of_a_file(tmp_path, old, new, what):
    text = (ROOT / "scenarios" / "apps" / "whatsapp.yaml").read_text()
    file = tmp_path / "apps" / "whatsapp.yaml"
    file.parent.mkdir()
    file.write_text(text.replace(old, new))
    (mistake,) = check(tmp_path, file)
    assert str(mistake).startswith(f"{file}:{what}")
