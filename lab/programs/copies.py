"""Copies that are proven: the origin tells size and SHA-256 first, and a copy that differs is never used."""

import errno
import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from lab.programs.shell import ShellOutput


class CopyFailed(ValueError):
    """The origin could not be read, or the copy differs from it."""


@dataclass(frozen=True)
class Fingerprint:
    """What the origin told of a file before it was copied."""

    size_bytes: int
    sha256: str


def question(path: str) -> str:
    """The shell line whose answer `fingerprint` reads, for phones and laptops alike."""
    return f"stat -c %s {shlex.quote(path)} && sha256sum {shlex.quote(path)}"


def fingerprint(answer: ShellOutput) -> Fingerprint:
    """Size and SHA-256 from the answer to `question`. Raises `CopyFailed`."""
    found = re.fullmatch(r"(\d{1,15})\s+([0-9a-f]{64})\s.*", answer.text.strip(), re.DOTALL)
    if answer.code != 0 or found is None:
        raise CopyFailed(f"cannot be read: {answer.text[:200].strip()}")
    return Fingerprint(int(found.group(1)), found.group(2))


def is_ours(error: Exception) -> bool:
    """Whether a copy failed because of the controller's own disk: nothing that another attempt could mend."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def prove(copy: Path, origin: Fingerprint) -> None:
    """Raise `CopyFailed` unless the copy has the size and the SHA-256 of its origin."""
    size_bytes = copy.stat().st_size
    with copy.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if size_bytes != origin.size_bytes or digest != origin.sha256:
        raise CopyFailed(f"the copy differs ({size_bytes} bytes of {origin.size_bytes}); it is not used")
