"""Whom a call goes to: the placeholders of an app's file, and the rules by which no chat but the right one is opened.

`{contact}` is the address of the other phone's account in the app, `{title}` what its chat is called on the phone
that calls. A chat is opened by its address (an intent whose data has it), or by tapping what has the whole title as its
text; what confirms that it is open names it again. Where an address is a telephone number, no short one is ever called.
"""

import re
from collections.abc import Sequence

from pydantic import AfterValidator

from lab.definitions.base import refuse
from lab.definitions.yaml import did_you_mean

CONTACT, TITLE = "{contact}", "{title}"
BOTH = (CONTACT, TITLE)

LEAST_DIGITS = 7
"""The shortest numbers with a country code have seven (+683 of Niue, and four); shorter ones are services."""
EMERGENCY = ("112", "911", "000", "08", "110", "999", "118", "119")
"""The emergency numbers that a phone without a SIM knows (3GPP TS 22.101, 10.1.1; Android's EmergencyNumberTracker)."""

_WHERE = "only what opens a chat knows whose it is, and an intent's data its address"
_PLAIN = re.compile(r"\{[^{}]*\}?")
# In a regular expression braces also repeat ({2}, {1,}), name a character (\N{DASH}) or are escaped (\{).
_IN_REGEX = re.compile(r"(?<!\\)(?<!\\N)\{(?!\d*,?\d*\})[^{}]*\}?")


def fill(template: str, contact: str, title: str = "") -> str:
    """`template` with `{contact}` and `{title}` replaced; what they are replaced by is not looked into again."""
    values = {CONTACT: contact, TITLE: title}
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], template)


def names_somebody(template: str) -> bool:
    """Whether the address or the title stands in a template."""
    return any(one in template for one in BOTH)


def strangers(template: str, allowed: Sequence[str], *, in_regex: bool) -> list[str]:
    """What is wrong with each placeholder of a template that is none of `allowed`."""
    found = dict.fromkeys((_IN_REGEX if in_regex else _PLAIN).findall(template))
    return [_stranger(one, allowed) for one in found if one not in allowed]


def _stranger(found: str, allowed: Sequence[str]) -> str:
    shown = "".join(one if one.isprintable() else "?" for one in found)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    if found in BOTH:
        return f"'{shown}' means nothing here{'; there is ' if allowed else ''}{' and '.join(allowed)}: {_WHERE}"
    near = did_you_mean(f"{{{found.strip('{} ')}}}", allowed or BOTH)
    known = f"; there is {' and '.join(allowed)}" if allowed else f": {_WHERE}"
    return f"no placeholder '{shown}'{near or known}"


def refuse_short(address: str) -> str:
    """An address that may be called: one with a letter in it, or a number of at least 7 digits.

    The prefix of an international call (`+`, `00`, `011`) is none of them, so that `00358112` is no more than 112 in
    Finland.

    Raises:
        PydanticCustomError: it is a short number, with the emergency number that it is.
    """
    digits = re.sub(r"[\W_]", "", address)
    if not digits.isdecimal():
        return address
    number = re.sub(r"^(011|0+)", "", digits)
    if digits in EMERGENCY:
        refuse([((), f"'{address}' is an emergency number; nobody is called there")])
    if len(number) < LEAST_DIGITS:
        ends = next((one for one in EMERGENCY if len(one) > 2 and number.endswith(one)), None)
        why = f"ends with the emergency number {ends}" if ends else "is that of a service"
        what = f"'{address}' is a number of fewer than {LEAST_DIGITS} digits and {why}"
        refuse([((), f"{what}; nobody is called there")])
    return address


NotShort = AfterValidator(refuse_short)
"""Refuses emergency numbers and other short ones."""
