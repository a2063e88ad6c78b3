"""grep finds a text in a capture as it does line by line."""

import re

from hypothesis import given
from hypothesis import strategies as st

from lab.virtual.commands.text import _lines_that_fit, _lines_with

PIECES = st.sampled_from([b"im", b"imim", b"\0", b"\n", b"x", b"\r", b"\xff"])


@given(data=st.lists(PIECES, max_size=30).map(b"".join), text=st.sampled_from([b"im", b"i", b"x\xff", b"mim"]))
def test_a_text_is_found_in_the_same_lines_whether_they_are_cut_out_before_or_afterwards(data, text):
    for flags, end in (({"F": ""}, b"\n"), ({"F": "", "z": ""}, b"\0")):
        assert _lines_with(text, data, end) == _lines_that_fit(flags, re.compile(re.escape(text)), data)


def test_lines_with_the_text_are_given_once_and_those_that_begin_with_nul_not_at_all():
    data = b"\0im\nno\nimxim\n\nim"
    assert _lines_with(b"im", data, b"\n") == [b"imxim", b"im"]
    assert _lines_with(b"im", data, b"\0") == [b"im\nno\nimxim\n\nim"]
    assert _lines_with(b"im", b"", b"\n") == []
