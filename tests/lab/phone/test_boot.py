"""Which boot a phone is in, and whether somebody has unlocked it since: by what it says, whatever that is."""

import pytest

from lab.errors import PhoneTrouble
from lab.phone.boot import BeforeFirstUnlock, Boot, parse

ID = "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b"


def said(*values: str) -> str:
    """The answers below their labels."""
    return "".join(
        f"{label}\n{value}\n" for label, value in zip((":completed", ":ce", ":sdk", ":id"), values, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (said("1", "true", "36", ID), Boot(ID, True, True)),
        (said("1", "true", "36", ID).replace("\n", "\r\n"), Boot(ID, True, True)),
        (said("WARNING: linker\n1", "WARNING: linker\ntrue", "36", ID), Boot(ID, True, True)),
        (said("1", "", "36", ID), Boot(ID, True, False)),
        (said("1", "false", "30", ID), Boot(ID, True, False)),
        (said("", "", "36", ID), Boot(ID, False, False)),
        # Before Android 11 nothing sets it; what nobody knows is no proof.
        (said("1", "", "29", ID), Boot(ID, True, None)),
        (said("1", "perhaps", "36", ID), Boot(ID, True, None)),
        (said("1", "", "", ID), Boot(ID, True, None)),
        (said("1", "true", "36", "cat: /proc/sys/kernel/random/boot_id: Permission denied"), Boot(None, True, True)),
        (said("1", "true", "36", f"{ID}0"), Boot(None, True, True)),
        (said("1", "true", "36", ID).partition(":id")[0], Boot(None, None, None)),
        ("", Boot(None, None, None)),
        ("sh: getprop: not found\n" * 4, Boot(None, None, None)),
    ],
)
def test_what_a_phone_says_of_its_boot_is_told_apart(text, found):
    assert parse(text) == found


def test_a_phone_is_used_once_it_is_up_and_unlocked_and_where_nobody_can_tell():
    Boot(ID, True, True).require_usable("pixel6")
    Boot(ID, True, None).require_usable("pixel6")
    Boot(None, True, True).require_usable("pixel6")
    Boot(None, None, None).require_usable("pixel6")
    with pytest.raises(PhoneTrouble, match=r"^pixel6: Android still starts$") as raised:
        Boot(ID, False, False).require_usable("pixel6")
    assert not isinstance(raised.value, BeforeFirstUnlock)
    with pytest.raises(BeforeFirstUnlock, match=r"before first unlock: enter the PIN on pixel6$"):
        Boot(ID, True, False).require_usable("pixel6")
