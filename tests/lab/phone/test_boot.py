"""Which boot a phone is in, and whether somebody has unlocked it since: by what it says, whatever that is."""

import pytest

from lab.errors import PhoneTrouble
from lab.phone.boot import BeforeFirstUnlock, Boot, parse

ID = "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"1\ntrue\n36\n{ID}\n", Boot(ID, True, True)),
        (f"1\r\ntrue\r\n36\r\n{ID}\r\n", Boot(ID, True, True)),
        (f"1\n\n36\n{ID}\n", Boot(ID, True, False)),
        (f"1\nfalse\n30\n{ID}\n", Boot(ID, True, False)),
        (f"\n\n36\n{ID}\n", Boot(ID, False, False)),
        # Before Android 11 nothing sets it; what nobody knows is no proof.
        (f"1\n\n29\n{ID}\n", Boot(ID, True, None)),
        (f"1\nperhaps\n36\n{ID}\n", Boot(ID, True, None)),
        (f"1\n\n\n{ID}\n", Boot(ID, True, None)),
        ("1\ntrue\n36\ncat: /proc/sys/kernel/random/boot_id: Permission denied\n", Boot(None, True, True)),
        (f"1\ntrue\n36\n{ID}0\n", Boot(None, True, True)),
        ("", Boot(None, False, None)),
        ("sh: getprop: not found\n" * 4, Boot(None, False, None)),
    ],
)
def test_what_a_phone_says_of_its_boot_is_told_apart(text, found):
    assert parse(text) == found


def test_a_phone_is_used_once_it_is_up_and_unlocked_and_where_nobody_can_tell():
    Boot(ID, True, True).require_usable("pixel6")
    Boot(ID, True, None).require_usable("pixel6")
    Boot(None, True, True).require_usable("pixel6")
    with pytest.raises(PhoneTrouble, match=r"^pixel6: Android still starts$") as raised:
        Boot(ID, False, False).require_usable("pixel6")
    assert not isinstance(raised.value, BeforeFirstUnlock)
    with pytest.raises(BeforeFirstUnlock, match=r"before first unlock: enter the PIN on pixel6$"):
        Boot(ID, True, False).require_usable("pixel6")
