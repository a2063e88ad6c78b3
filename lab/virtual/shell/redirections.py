"""Redirections of the mini shell: `<`, `>`, `>>`, `>&`. Source: POSIX.1-2017, Shell Command Language 2.7."""

from collections.abc import Sequence
from dataclasses import replace

from lab.virtual.shell.expansion import expand_unsplit
from lab.virtual.shell.machine import Shell, Streams, Unbuilt, absolute
from lab.virtual.shell.parser import Redirect
from lab.virtual.shell.terminal import Input, Nowhere, OpenFile, Sink, Text


class RedirectionFailed(Exception):
    """A redirection's file does not open; the text is the message."""


def redirected(shell: Shell, streams: Streams, redirects: Sequence[Redirect], opened: list[OpenFile]) -> Streams:
    """The streams of a command after its redirections; files for writing are put into `opened`, to be closed.

    Raises RedirectionFailed.
    """
    for redirect in redirects:
        target = expand_unsplit(shell, redirect.target)
        if redirect.operator == "<":
            streams = replace(streams, input=_open_input(shell, target))
            continue
        if redirect.operator == ">&":
            sink = streams.out if target == "1" else streams.err
        else:
            sink = _open_output(shell, target, redirect.operator == ">>", opened)
        streams = replace(streams, err=sink) if redirect.fd == 2 else replace(streams, out=sink)
    return streams


def _open_input(shell: Shell, target: str) -> Input:
    if target == "/dev/null":
        return Text(b"")
    try:
        if shell.machine.files.on_disk(absolute(shell, target)).is_dir():
            raise Unbuilt(f"{target}: built for files only")
        return Text(shell.machine.files.read(absolute(shell, target), shell.uid))
    except OSError as error:
        raise RedirectionFailed(f"can't open {target}: {error.strerror}") from error


def _open_output(shell: Shell, target: str, append: bool, opened: list[OpenFile]) -> Sink:
    if target == "/dev/null":
        return Nowhere()
    try:
        opened.append(OpenFile(shell.machine.files.open_write(absolute(shell, target), shell.uid, append)))
    except OSError as error:
        raise RedirectionFailed(f"can't create {target}: {error.strerror}") from error
    return opened[-1]
