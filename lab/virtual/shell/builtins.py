"""The commands that are part of the mini shell because they change it or ask it: read, exec, exit, cd, pwd, sh."""

import re
from collections.abc import Awaitable, Callable

from lab.virtual.shell.machine import Call, Shell, ShellExit, Unbuilt

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
DIGITS = re.compile(r"[0-9]{1,9}")


async def read(shell: Shell, call: Call) -> int:
    """`read -r NAME`: a line of standard input without its newline; 1 at the end."""
    if len(call.argv) != 3 or call.argv[1] != "-r" or not NAME.fullmatch(call.argv[2]):
        raise Unbuilt("built as 'read -r NAME' only")
    line = await call.streams.input.read_line("clock")
    text = line.decode("utf-8", "surrogateescape").rstrip("\n").strip(" \t")
    shell.variables[call.argv[2]] = text.replace("\0", "")
    return 0 if line.endswith(b"\n") else 1


async def exec_(shell: Shell, call: Call) -> int:
    """Run a command in the place of this shell: it keeps the process number, and the shell ends with its code."""
    if len(call.argv) == 1 or call.argv[1].startswith("-"):
        raise Unbuilt("built as 'exec COMMAND...' only")
    shell.process.args = call.argv[1:]
    raise ShellExit(await shell.call(Call(call.argv[1:], call.streams, shell)))


async def exit_(shell: Shell, call: Call) -> int:
    code = call.argv[1] if len(call.argv) > 1 else str(shell.code)
    if len(call.argv) > 2 or not DIGITS.fullmatch(code):
        raise Unbuilt("built as 'exit [CODE]' only")
    raise ShellExit(int(code) & 255)


async def cd(shell: Shell, call: Call) -> int:
    if len(call.argv) != 2 or not call.argv[1] or call.argv[1].startswith("-"):
        raise Unbuilt("built as 'cd DIRECTORY' only")
    target = call.path(call.argv[1].rstrip("/") or "/")
    if not shell.machine.files.on_disk(target).is_dir():
        return call.fail(f"{call.argv[1]}: No such file or directory", 2)
    shell.directory = target
    return 0


async def pwd(shell: Shell, call: Call) -> int:
    if len(call.argv) > 1:
        raise Unbuilt("built without arguments only")
    return call.say(shell.directory + "\n")


async def sh(shell: Shell, call: Call) -> int:
    """`sh`, `sh -c SCRIPT [NAME [ARGUMENT...]]`: a shell of its own on the same streams."""
    child = shell.program(call.streams)
    if len(call.argv) == 1:
        return await child.interactive()
    if call.argv[1] != "-c" or len(call.argv) < 3 or call.argv[2].startswith(("-", "+")):
        raise Unbuilt("built as 'sh' and 'sh -c SCRIPT [NAME [ARGUMENT...]]' only")
    child.arguments = call.argv[3:] or child.arguments
    return await child.run(call.argv[2])


BUILTINS: dict[str, Callable[[Shell, Call], Awaitable[int]]] = {
    "read": read,
    "exec": exec_,
    "exit": exit_,
    "cd": cd,
    "pwd": pwd,
    "sh": sh,
}
"""What a machine calls its shell is `sh` here."""
