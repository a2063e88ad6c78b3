"""Commands on files: ls, rm, mkdir, chmod, stat, mv, df."""

import errno
import os
import posixpath
import re
import stat as modes
from collections.abc import Callable

from lab.virtual.shell.machine import Call, Command, Unbuilt, options

DISK_KIB = 113_246_208
DISK_USED_KIB = 41_943_040


def on_each(call: Call, names: list[str], action: Callable[[str], None], called: str = "{}") -> int:
    """Do something to each file; 1, and a message for each, where that is not possible."""
    failed = 0 if names else call.fail("Needs 1 argument")
    for name in names:
        try:
            action(name)
        except OSError as error:
            failed = call.fail(f"{called.format(name)}: {error.strerror}")
    return failed


def ls(call: Call) -> int:
    """ls [-1adA] of files or of one directory: a name a line, as where the output is no terminal."""
    given, operands = options(call, "1adA")
    files: list[str] = []
    directories: list[str] = []

    def sort_in(name: str) -> None:
        is_directory = modes.S_ISDIR(call.machine.files.stat(call.path(name)).st_mode) and "d" not in given
        (directories if is_directory else files).append(name)

    code = on_each(call, operands or ["."], sort_in)
    if directories and (len(operands) > 1 or call.path(directories[0]) == "/"):
        raise Unbuilt("built for files or for one directory, which is not /")
    call.say("".join(name + "\n" for name in sorted(files)))
    for directory in directories:
        names = [".", ".."] * ("a" in given) + call.machine.files.listing(call.path(directory))
        shown = [name for name in names if {"a", "A"} & given.keys() or not name.startswith(".")]
        call.say("".join(name + "\n" for name in shown))
    return code


def rm(call: Call) -> int:
    given, operands = options(call, "frR")
    files = call.machine.files

    def remove(name: str) -> None:
        try:
            path = call.path(name)
            if not files.on_disk(path).is_dir():
                files.remove(path, call.uid)
            elif not {"r", "R"} & given.keys():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            else:
                remove_tree(call, path)
        except FileNotFoundError:
            if "f" not in given:
                raise

    return on_each(call, operands, remove) if operands or "f" not in given else 0


def remove_tree(call: Call, path: str) -> None:
    files = call.machine.files
    files.check_remove(path, call.uid)
    for name in files.listing(path):
        full = posixpath.join(path, name)
        if files.on_disk(full).is_dir():
            remove_tree(call, full)
        else:
            files.remove(full, call.uid)
    files.remove_directory(path, call.uid)


def mkdir(call: Call) -> int:
    given, operands = options(call, "p")
    make = call.machine.files.make_directory
    return on_each(call, operands, lambda name: make(call.path(name), call.uid, "p" in given), "'{}'")


def chmod(call: Call) -> int:
    if len(call.argv) < 3 or not re.fullmatch(r"[0-7]{3,4}", call.argv[1]):
        raise Unbuilt("built as 'chmod OCTAL FILE...' only")
    mode, change = int(call.argv[1], 8), call.machine.files.change_mode
    return on_each(call, call.argv[2:], lambda name: change(call.path(name), mode, call.uid))


def stat(call: Call) -> int:
    """stat -c with %s, %n, and %Y of a directory in which something has changed."""
    given, operands = options(call, "", "c")
    form = given.get("c", "")
    if not re.fullmatch(r"(?:[^%]|%[snY])+", form):
        raise Unbuilt("built as 'stat -c FORMAT FILE...' with %s, %n and %Y only")

    def show(name: str) -> None:
        parts = {"s": str(call.machine.files.stat(call.path(name)).st_size), "n": name}
        if "%Y" in form:
            if (changed_ns := call.machine.files.changed_ns(call.path(name))) is None:
                raise Unbuilt("built for %Y of a directory in which something has changed")
            parts["Y"] = str(changed_ns // 1_000_000_000)
        call.say(re.sub("%(.)", lambda code: parts[code[1]], form) + "\n")

    return on_each(call, operands, show, "'{}'")


def mv(call: Call) -> int:
    """mv [-f] FILE TARGET."""
    _, operands = options(call, "f")
    files = call.machine.files
    if len(operands) != 2 or not all(operands) or operands[1].endswith("/"):
        raise Unbuilt("built as 'mv FILE TARGET' only")
    target = call.path(operands[1])
    if files.on_disk(target).is_dir():
        raise Unbuilt("built for a target that is no directory only")
    return on_each(call, operands[:1], lambda name: files.rename(call.path(name), target, call.uid), "bad '{}'")


def df(call: Call) -> int:
    """df -k and df -Pk: one disk of a fixed size, whatever the bench's own disk holds; a full one has nothing left."""
    given, operands = options(call, "Pk")
    if "k" not in given:
        raise Unbuilt("built as 'df -k [FILE...]' only")
    if code := on_each(call, operands or ["/"], lambda name: call.machine.files.stat(call.path(name)) and None):
        return code
    used = DISK_KIB if call.machine.files.full else DISK_USED_KIB
    free, percent = DISK_KIB - used, -(-used * 100 // DISK_KIB)
    blocks, share = ("1024-blocks", "Capacity") if "P" in given else ("1K-blocks", "Use%")
    call.say(f"Filesystem {blocks:>15} {'Used':>10} {'Available':>10} {share} Mounted on\n")
    return call.say(f"/dev/block/dm-9 {DISK_KIB:>10} {used:>10} {free:>10} {percent:>{len(share) - 1}}% /data\n")


COMMANDS: dict[str, Command] = {
    "ls": ls,
    "rm": rm,
    "mkdir": mkdir,
    "chmod": chmod,
    "stat": stat,
    "mv": mv,
    "df": df,
}
