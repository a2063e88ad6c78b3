"""Commands on files: ls, rm, mkdir, rmdir, chmod, stat, mv, cp, touch, df, sync, basename, dirname."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import stat as modes
from collections.abc import Callable

from lab.virtual.shell.machine import Call, Command, Unbuilt, options

DISK_KIB = 113_246_208
DISK_USED_KIB = 41_943_040
OWNERS = {0: "root", 2000: "shell"}


def on_each(call: Call, names: list[str], action: Callable[[str], None], quote: str = "") -> int:
    """Do something to each file; 1, and a message for each, where that is not possible."""
    failed = 0
    for name in names:
        try:
            action(name)
        except OSError as error:
            failed = call.fail(f"{quote}{name}{quote}: {error.strerror}")
    return failed


def ls(call: Call) -> int:
    given, operands = options(call, "1aldA")

    def show(name: str) -> None:
        path = call.path(name)
        is_directory = modes.S_ISDIR(call.machine.files.stat(path).st_mode) and "d" not in given
        names = call.machine.files.listing(path) if is_directory else [name]
        if is_directory and not {"a", "A"} & given.keys():
            names = [one for one in names if not one.startswith(".")]
        if len(operands) > 1 and is_directory:
            call.say(f"{name}:\n")
        for one in names:
            full = posixpath.join(path, one) if is_directory else path
            call.say(long_line(call, full, one) if "l" in given else one + "\n")

    return on_each(call, operands or ["."], show)


def long_line(call: Call, path: str, name: str) -> str:
    found = call.machine.files.stat(path)
    owner = OWNERS.get(call.machine.files.owner(path), "shell")
    return f"{modes.filemode(found.st_mode)} {found.st_nlink} {owner} {owner} {found.st_size:>10} {name}\n"


def rm(call: Call) -> int:
    given, operands = options(call, "frR")
    files = call.machine.files

    def remove(name: str) -> None:
        path = call.path(name)
        try:
            if not files.on_disk(path).is_dir():
                files.remove(path, call.uid)
            elif not {"r", "R"} & given.keys():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            else:
                remove_tree(call, path)
        except FileNotFoundError:
            if "f" not in given:
                raise

    return on_each(call, operands, remove)


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
    given, operands = options(call, "p", "m")
    make = call.machine.files.make_directory
    return on_each(call, operands, lambda name: make(call.path(name), call.uid, "p" in given), "'")


def rmdir(call: Call) -> int:
    remove = call.machine.files.remove_directory
    return on_each(call, call.argv[1:], lambda name: remove(call.path(name), call.uid))


def chmod(call: Call) -> int:
    if len(call.argv) < 3 or not re.fullmatch(r"[0-7]{3,4}", call.argv[1]):
        raise Unbuilt("built as 'chmod OCTAL FILE...' only")
    mode, change = int(call.argv[1], 8), call.machine.files.change_mode
    return on_each(call, call.argv[2:], lambda name: change(call.path(name), mode, call.uid))


STAT_FIELDS = {"s": "st_size", "Y": "st_mtime", "X": "st_atime", "h": "st_nlink", "i": "st_ino"}


def stat(call: Call) -> int:
    """stat -c with %s %n %Y %X %h %i %a %F %u %U."""
    given, operands = options(call, "", "c")
    if "c" not in given:
        raise Unbuilt("built as 'stat -c FORMAT FILE...' only")
    files = call.machine.files

    def show(name: str) -> None:
        found, owner = files.stat(call.path(name)), files.owner(call.path(name))
        call.say(re.sub(r"%(.)", lambda code: stat_field(code[1], found, name, owner), given["c"]) + "\n")

    return on_each(call, operands, show, "'")


def stat_field(code: str, found: os.stat_result, name: str, owner: int) -> str:
    if code in STAT_FIELDS:
        return str(int(getattr(found, STAT_FIELDS[code])))
    kind = "directory" if modes.S_ISDIR(found.st_mode) else "regular file" if found.st_size else "regular empty file"
    table = {"n": name, "a": f"{found.st_mode & 0o7777:o}", "F": kind, "%": "%", "u": str(owner)}
    table["U"] = OWNERS.get(owner, "shell")
    if code not in table:
        raise Unbuilt(f"format %{code} is not built")
    return table[code]


def mv(call: Call) -> int:
    return _onto(call, "f", lambda source, target: call.machine.files.rename(source, target, call.uid))


def cp(call: Call) -> int:
    def copy(source: str, target: str) -> None:
        data = call.machine.files.read(source, call.uid)
        with open(call.machine.files.open_write(target, call.uid), "wb") as file:
            file.write(data)

    return _onto(call, "fp", copy)


def _onto(call: Call, flags: str, action: Callable[[str, str], None]) -> int:
    """Move or copy a file to a path, or into a directory."""
    _, operands = options(call, flags)
    if len(operands) != 2:
        raise Unbuilt(f"built as '{call.argv[0]} FILE TARGET' only")
    source, target = (call.path(name) for name in operands)
    if call.machine.files.on_disk(target).is_dir():
        target = posixpath.join(target, posixpath.basename(source))
    return on_each(call, operands[:1], lambda name: action(source, target))


def touch(call: Call) -> int:
    for name in call.argv[1:]:
        try:
            os.close(call.machine.files.open_write(call.path(name), call.uid, append=True))
        except OSError as error:
            return call.fail(f"{name}: {error.strerror}")
    return 0


def df(call: Call) -> int:
    """df -k, -P, -h: one disk of a fixed size, whatever the bench's own disk holds."""
    given, operands = options(call, "kPh")
    for name in operands:
        if not call.machine.files.exists(call.path(name)):
            return call.fail(f"{name}: No such file or directory")
    free = DISK_KIB - DISK_USED_KIB
    percent = -(-DISK_USED_KIB * 100 // DISK_KIB)
    sizes = [f"{kib >> 20}G" if "h" in given else str(kib) for kib in (DISK_KIB, DISK_USED_KIB, free)]
    title = "Size" if "h" in given else "1024-blocks" if "P" in given else "1K-blocks"
    call.say(f"Filesystem {title:>15} {'Used':>10} {'Available':>10} Use% Mounted on\n")
    total, used, left = sizes
    return call.say(f"/dev/block/dm-9 {total:>10} {used:>10} {left:>10} {percent:>3}% /data\n")


def basename(call: Call) -> int:
    return call.say(posixpath.basename(call.argv[1].rstrip("/")) + "\n") if len(call.argv) > 1 else call.fail("no name")


def dirname(call: Call) -> int:
    return call.say((posixpath.dirname(call.argv[1]) or ".") + "\n") if len(call.argv) > 1 else call.fail("no name")


COMMANDS: dict[str, Command] = {
    "ls": ls,
    "rm": rm,
    "mkdir": mkdir,
    "rmdir": rmdir,
    "chmod": chmod,
    "stat": stat,
    "mv": mv,
    "cp": cp,
    "touch": touch,
    "df": df,
    "sync": lambda call: 0,
    "basename": basename,
    "dirname": dirname,
}
