"""Root on a phone: what `su` says where it does not make the shell root, and what to do about it.

Its words come on the stream on which the answers of root's shell should come, before that stream ends. A `su` that asks
on the phone's screen says nothing at all until somebody answers there.
"""

import re

from lab.errors import PhoneTrouble
from lab.programs.shell import ByteStream

WORDS_BYTES = 2_000
"""More than this no `su` has to say; what follows is of what it ran."""

ALLOW = "allow su for the shell (uid 2000, com.android.shell) in Magisk, KernelSU or APatch"
_FIXES = (
    (
        r"invalid uid/gid|unknown id|usage: su|unknown option",
        "this su takes no -c; root the phone with Magisk, KernelSU or APatch",
    ),
    (r"not found|no such file", f"{ALLOW}, or root the phone"),
)
"""By what `su` says, what to do: the words of Android's own and CyanogenMod's su, of a shell that has or sees none."""


_NO = re.compile(
    r"permission denied|not allowed|invalid uid/gid|unknown id|usage: su|unknown option|not found|no such file",
    re.IGNORECASE,
)


class SuRefuses(PhoneTrouble):
    """`su` says no. Asked again in peace it is proof that only a person makes it say yes; silence never is."""


class Heard:
    """A stream of root's shell, which remembers how it began."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.began = b""

    def send(self, data: bytes) -> None:
        self._stream.send(data)

    def receive(self, timeout_s: float) -> bytes:
        data = self._stream.receive(timeout_s)
        self.began += data[: max(0, WORDS_BYTES - len(self.began))]
        return data

    def close(self) -> None:
        self._stream.close()


def words(stream: ByteStream) -> str:
    """What a stream has to say now, in one line; it is not waited for."""
    said = b""
    try:
        while len(said) < WORDS_BYTES and (data := stream.receive(0.0)):
            said += data
    except OSError:  # there is no more, now or ever: a time-out is one, too
        pass
    return one_line(said)


def one_line(said: bytes) -> str:
    lines = (line.strip() for line in said[:WORDS_BYTES].decode("utf-8", "replace").splitlines())
    return "; ".join(line for line in lines if line)[:200]


def refusal(said: str) -> str:
    """What to tell of a `su` that said this, or nothing, instead of running a shell, and what to do."""
    if not said:
        return f"su says nothing; a prompt may wait on the phone's screen: {ALLOW}"
    fix = next((fix for pattern, fix in _FIXES if re.search(pattern, said, re.IGNORECASE)), ALLOW)
    return f"su says {said!r}: {fix}"


def refuses(said: str) -> bool:
    """Whether these words of a `su` are a no; nothing, and what nobody knows, is none."""
    return _NO.search(said) is not None
