from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from lab.definitions import Lab, PhoneSpec, Selector
from lab.definitions.addressed import BOTH, EMERGENCY, fill, refuse_short, strangers
from lab.definitions.lab import check

SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
ROW = 'tap: {class_name: javaClass, text: "{title}", seen_on: "12.89, Puma (rows are //javaClass[@text=...])"}'
LAUNCH = "launch: true\n    seen_on: any version"
SIGN = '{id: "com.snapchat.android:id/conversation_title_text_view", text: "{title}", seen_on: "12.89, Puma (the id)"}'


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    target = tmp_path / "scenarios"
    shutil.copytree(SCENARIOS, target, ignore=shutil.ignore_patterns("*.local.yaml"))
    return target


def found(scenarios: Path, file: str, old: str, new: str) -> list[str]:
    """The mistakes after one change of one file."""
    path = scenarios / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return [str(mistake).removeprefix(f"{scenarios}/") for mistake in check(scenarios)]


def at(scenarios: Path, words: str, after: str = "") -> str:
    """Line and column of some words in the virtual bench, at the earliest after others."""
    whole = (scenarios / "benches" / "virtual.yaml").read_text()
    text = whole[: whole.index(words, whole.index(after))]
    return f"{text.count(chr(10)) + 1}:{len(text) - text.rfind(chr(10))}"


# Placeholders


def test_the_address_and_the_title_are_replaced_once():
    assert fill("{title}: {contact}", "{title}", "{contact}") == "{contact}: {title}"
    selector = Selector(text="{title}", description_matches="{title} at {contact}, .*", seen_on="never")
    assert selector.as_query("a+b", "Ann (1)") == {"text": "Ann (1)", "descriptionMatches": r"Ann\ \(1\) at a\+b, .*"}


@pytest.mark.parametrize(
    ("template", "in_regex", "what"),
    [
        ("{contcat}", False, "no placeholder '{contcat}'; did you mean '{contact}'?"),
        ("x {contact", False, "no placeholder '{contact'; did you mean '{contact}'?"),
        ("{ Title }", False, "no placeholder '{ Title }'; did you mean '{title}'?"),
        ("{peer}", False, "no placeholder '{peer}'; there is {contact} and {title}"),
        (r"\d{1,2}{titel}", True, "no placeholder '{titel}'; did you mean '{title}'?"),
        ("{2}", False, "no placeholder '{2}'; there is {contact} and {title}"),
    ],
)
def test_an_unknown_placeholder_is_a_mistake_with_what_was_meant(template: str, in_regex: bool, what: str):
    assert strangers(template, BOTH, in_regex=in_regex) == [what]


@pytest.mark.parametrize("template", ["x{2}", "x{2,3}", "x{,3}", r"\{contcat\}", r"\N{DASH}", "{title}"])
def test_braces_of_a_regular_expression_are_no_placeholder(template: str):
    assert strangers(template, BOTH, in_regex=True) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "where"),
    [
        ("apps/snapchat.yaml", ROW, ROW.replace("{title}", "{titel}"), "8:34: no placeholder '{titel}'; did you mean"),
        ("apps/snapchat.yaml", SIGN, SIGN.replace("{title}", "{contcat}"), "12:66: no placeholder '{contcat}'; did"),
        ("apps/whatsapp.yaml", "wa.me/{contact}", "wa.me/{contcat}", "8:50: no placeholder '{contcat}'; did you mean"),
        ("apps/whatsapp.yaml", "wa.me/{contact}", "wa.me/{title}", "8:50: '{title}' means nothing here; there is {co"),
        ("apps/whatsapp.yaml", "Voice call,", '"{contact}",', "16:13: '{contact}' means nothing here: only what opens"),
        ("apps/whatsapp.yaml", '"(?i)decline"', '"{contcat}"', "32:20: no placeholder '{contcat}'; did you mean"),
    ],
)
def test_a_placeholder_that_nothing_replaces_is_one_mistake_in_its_line(
    scenarios: Path, file: str, old: str, new: str, where: str
):
    (mistake,) = found(scenarios, file, old, new)
    assert mistake.startswith(f"{file}:{where}")


# The right chat


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        ('tap: {id: "x:id/first_hit", seen_on: never}', "tap id=x:id/first_hit"),
        ("tap: {class_name: javaClass, seen_on: never}", "tap class_name=javaClass"),
        ('tap: {text_matches: ".*{title}.*", seen_on: never}', "tap text_matches=.*{title}.*"),
        ('tap: {text: "{title}, Bob", seen_on: never}', "tap text={title}, Bob"),
        ('swipe_up: {id: "x:id/row", seen_on: never}', "swipe_up id=x:id/row"),
        ('notification: {description_matches: "(?i)reply", seen_on: never}', "notification description_matches=(?i)re"),
    ],
)
def test_what_may_open_anybodys_chat_is_a_mistake_at_its_way(scenarios: Path, way: str, shown: str):
    (mistake,) = found(scenarios, "apps/snapchat.yaml", ROW, way)
    assert mistake.startswith(f"apps/snapchat.yaml:8:5: {shown}")
    assert mistake.endswith("or the words of a button")


def test_the_first_hit_of_a_search_is_a_mistake_though_an_intent_names_the_address(scenarios: Path):
    search = "    seen_on: wa.me is the documented chat link of this app\n"
    hit = '  - tap: {id: "com.whatsapp:id/contact_row_container", seen_on: never}\n'
    (mistake,) = found(scenarios, "apps/whatsapp.yaml", search, f"{search}{hit}")
    assert mistake.startswith(
        "apps/whatsapp.yaml:10:5: tap id=com.whatsapp:id/contact_row_container may open anybody's"
    )


@pytest.mark.parametrize(
    "ways",
    [
        f"{ROW}\n  - tap: {{description: Chats, seen_on: never}}",
        'tap: {description: "{contact}", seen_on: never}',
        'intent: {action: a.VIEW, data: "x://u/{contact}"}\n    seen_on: never',
        f"{ROW}\n  - key: BACK\n    seen_on: never",
    ],
)
def test_a_chat_may_be_opened_by_its_whole_title_by_its_address_and_by_way_of_buttons(scenarios: Path, ways: str):
    assert found(scenarios, "apps/snapchat.yaml", ROW, ways) == []


@pytest.mark.parametrize(
    "ways",
    [
        "tap: {description: Chats, seen_on: never}",
        "intent: {action: a.MAIN}\n    seen_on: never",
        'intent: {action: a.VIEW, data: "x://u/15555550123"}\n    seen_on: never',
    ],
)
def test_a_chain_that_leads_to_nobody_is_a_mistake(scenarios: Path, ways: str):
    (mistake,) = found(scenarios, "apps/snapchat.yaml", ROW, ways)
    assert mistake.startswith(
        "apps/snapchat.yaml:7:1: open_chat leads to nobody: it needs an intent whose data has {co"
    )


@pytest.mark.parametrize(
    "sign",
    [
        '{id: "com.snapchat.android:id/conversation_title_text_view", seen_on: never}',
        "{text: Chat, seen_on: never}",
        '{text_matches: ".*{title}.*", seen_on: never}',
    ],
)
def test_a_sign_that_does_not_say_whose_chat_is_open_is_a_mistake_beside_one_that_does(scenarios: Path, sign: str):
    (mistake,) = found(scenarios, "apps/snapchat.yaml", f"  - {SIGN}", f"  - {SIGN}\n  - {sign}")
    assert mistake.startswith("apps/snapchat.yaml:13:5: ")
    assert mistake.endswith(
        "confirms no chat: its text or description must name {title} or {contact}; each sign is enough"
    )


def test_a_sign_that_is_the_row_that_is_tapped_is_a_mistake(scenarios: Path):
    (mistake,) = found(scenarios, "apps/snapchat.yaml", SIGN, '{text: "{contact}", seen_on: never}')
    what = "text={contact} is on the screen before the chat is: open_chat taps the same"
    assert mistake == f"apps/snapchat.yaml:12:5: {what}"


# Titles


def test_a_title_is_the_address_where_none_is_given(scenarios: Path):
    local = 'phones:\n  - name: pixel6\n    contacts: [{app: whatsapp, address: "15555550123", title: Lab one}, '
    local += "{app: snapchat, address: lab_one}]\n"
    (scenarios / "benches" / "pixels.local.yaml").write_text(local)
    phone: PhoneSpec = Lab.load(scenarios).bench("pixels").phone("pixel6")
    assert [phone.title_in(app) for app in ("whatsapp", "snapchat")] == ["Lab one", "lab_one"]
    assert [phone.address_in(app) for app in ("whatsapp", "snapchat")] == ["15555550123", "lab_one"]


@pytest.mark.parametrize("title", ['""', '" "', '" Lab"', '"Lab "', '"Lab\\none"', f'"{"x" * 201}"'])
def test_a_title_is_one_line_without_blanks_around_it(scenarios: Path, title: str):
    old = '{app: whatsapp, address: "15555550101"}'
    (mistake,) = found(scenarios, "benches/virtual.yaml", old, old.replace("}", f", title: {title}}}"))
    what = "phones.contacts.title must be one line of at most 200 characters without blanks around it"
    assert mistake == f"benches/virtual.yaml:{at(scenarios, 'title: ')}: {what}"


def test_two_phones_cannot_have_chats_of_one_title(scenarios: Path):
    path = scenarios / "benches" / "virtual.yaml"
    old = '{app: whatsapp, address: "15555550101"}'
    path.write_text(path.read_text().replace(old, old.replace("}", ", title: Lab}")))
    old = '{app: whatsapp, address: "15555550102"}'
    (mistake,) = found(scenarios, "benches/virtual.yaml", old, old.replace("}", ", title: Lab}"))
    where = at(scenarios, "title: Lab}", after='"15555550102"')
    assert mistake == f"benches/virtual.yaml:{where}: the chats of both phones are called so in app 'whatsapp'"


# Short numbers


@pytest.mark.parametrize("address", [*EMERGENCY, "+112", "1-1-2", "112_"])
def test_emergency_numbers_are_refused(address: str):
    with pytest.raises(PydanticCustomError, match="is an emergency number; nobody is called there"):
        refuse_short(address)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("12345", "and is that of a service"),
        ("555-123", "and is that of a service"),
        ("(55) 51.23", "and is that of a service"),
        ("+44999", "and ends with the emergency number 999"),
        ("00358112", "and ends with the emergency number 112"),
        ("01144999", "and ends with the emergency number 999"),
    ],
)
def test_a_number_of_fewer_than_seven_digits_is_refused(address: str, why: str):
    with pytest.raises(PydanticCustomError, match=why) as caught:
        refuse_short(address)
    assert str(caught.value).startswith(f"'{address}' is a number of fewer than 7 digits and ")


@pytest.mark.parametrize("address", ["6834002", "+683 4002", "0115551234", "15555550101", "lab_1", "a112", "112b"])
def test_seven_digits_or_a_letter_may_be_called(address: str):
    assert refuse_short(address) == address


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('whatsapp, address: "15555550101"', 'whatsapp, address: "112"', 'address: "112"'),
        ('  - "lab_pixel6"\n', '  - "lab_pixel6"\n  - "112"\n', '"112"'),
    ],
)
def test_a_short_number_is_one_mistake_where_it_stands(scenarios: Path, old: str, new: str, where: str):
    (mistake,) = found(scenarios, "benches/virtual.yaml", old, new)
    assert (
        mistake == f"benches/virtual.yaml:{at(scenarios, where)}: '112' is an emergency number; nobody is called there"
    )


def test_short_numbers_of_a_local_file_are_refused_at_their_places(scenarios: Path):
    local = 'phones:\n  - name: pixel6\n    contacts: [{app: whatsapp, address: "911"}]\nallowed_callees: ["11-8", x]\n'
    (scenarios / "benches" / "pixels.local.yaml").write_text(local)
    assert [str(one).removeprefix(f"{scenarios}/") for one in check(scenarios)] == [
        "benches/pixels.local.yaml:3:32: '911' is an emergency number; nobody is called there",
        "benches/pixels.local.yaml:4:19: '11-8' is an emergency number; nobody is called there",
    ]
