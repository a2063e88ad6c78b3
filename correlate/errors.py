"""Errors of reading files. Each message says which file, what is wrong and what to do.

CorrelateError        exit 2
├── Unreadable        exit 2   a file that is no capture, or one whose link type or version has no reader here
├── BadDataset        exit 2   a dataset folder that does not fit its contract
│   └── NewerVersion  exit 2   a document of a schema that a newer version of this program writes
├── NotComparable     exit 2   two datasets of which nothing can be said together
└── Damaged           exit 3   something that was whole once and is not any more
"""

import os


class CorrelateError(Exception):
    """Root of all errors of this package that people are meant to read: one line, no traceback."""

    exit_code = 2


class Unreadable(CorrelateError):
    """`path` cannot be read at all; `what` says why. A file that is merely damaged is read as far as it goes."""

    def __init__(self, path: str | os.PathLike[str], what: str) -> None:
        super().__init__(f"{os.fspath(path)}: {what}")
        self.path = path
        self.what = what


class BadDataset(CorrelateError):
    """A dataset folder, or a file in it, that does not fit the on-disk contract."""


class NewerVersion(BadDataset):
    """A document of a schema that a newer version of this program writes."""


class Damaged(CorrelateError):
    """A capture, a journal or a manifest that was whole once and is not any more."""

    exit_code = 3


class NotComparable(CorrelateError):
    """Two datasets of which nothing can be said together."""
