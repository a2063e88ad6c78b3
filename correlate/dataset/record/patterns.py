"""Regular expressions of an app's `analysis:`, matched by RE2 in a time that grows with the text alone.

Python's `re` backtracks: `(a+)+b` takes it years to find no match in a host name of 63 letters.
"""

import re
import warnings
from functools import cache
from typing import Any

import re2

LIBRARY = "google-re2"
"""Whoever has it among the `versions` of a dataset.json wrote no pattern that `refusal` names."""

_QUIET = re2.Options()
_QUIET.log_errors = False
# RE2 takes these, but not for what `re` does: there {,3} is as many as three, and [[:alpha:]] no class.
_READ_OTHERWISE = {
    "{,": "{,n} is no repetition; write {0,n}",
    "[:": "[:class:] is no class to `re`; write [a-z]",
}


def groups(pattern: str) -> int:
    """How many groups a pattern has. Raises `re.error` for what is none."""
    return _by_re(pattern).groups


def refusal(pattern: str) -> str:
    """Why a pattern of `re` is not matched by RE2, or would mean something else to it; empty where it is the same."""
    try:
        re2.compile(pattern, options=_QUIET)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    except UnicodeEncodeError:
        return "is no text"
    return next((why for sign, why in _READ_OTHERWISE.items() if sign in pattern), "")


@cache
def compiled(pattern: str) -> Any:
    """The pattern, to be matched: by `re` where RE2 refuses it, in a time without a bound."""
    return _by_re(pattern) if refusal(pattern) else re2.compile(pattern, options=_QUIET)


def _by_re(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # That it may read `[[` otherwise some day: what it does today is what counts.
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(pattern)
