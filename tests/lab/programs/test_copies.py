from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lab.programs.copies import CopyFailed, Fingerprint, fingerprint, prove, question
from lab.programs.shell import ShellOutput

SHA = hashlib.sha256(b"abc").hexdigest()


def test_the_question_quotes_the_path() -> None:
    assert question("/tmp/a b.pcap") == "stat -c %s '/tmp/a b.pcap' && sha256sum '/tmp/a b.pcap'"


def test_a_fingerprint_is_read_from_the_answer() -> None:
    assert fingerprint(ShellOutput(f"3\n{SHA}  /tmp/a.pcap\n", 0)) == Fingerprint(3, SHA)


@pytest.mark.parametrize(
    "answer",
    [
        ShellOutput("stat: '/tmp/a': No such file or directory\n", 1),
        ShellOutput(f"3\n{SHA[:-1]}  /tmp/a\n", 0),
        ShellOutput(f"-3\n{SHA}  /tmp/a\n", 0),
        ShellOutput(f"3\n{SHA}  /tmp/a\n", 1),
    ],
)
def test_an_answer_that_is_no_fingerprint_is_refused(answer: ShellOutput) -> None:
    with pytest.raises(CopyFailed, match="cannot be read"):
        fingerprint(answer)


def test_a_copy_that_was_cut_is_never_used(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"abc")
    prove(copy, Fingerprint(3, SHA))
    copy.write_bytes(b"ab")
    with pytest.raises(CopyFailed, match="2 bytes of 3"):
        prove(copy, Fingerprint(3, SHA))
    copy.write_bytes(b"abd")
    with pytest.raises(CopyFailed, match="the copy differs"):
        prove(copy, Fingerprint(3, SHA))
