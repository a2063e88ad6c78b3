"""The commands that are part of the mini shell because they change it: read, exec, exit, cd, export, wait, sh."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lab.virtual.shell.machine import Call, Shell, ShellExit


async def read(shell: Shell, call: Call) -> int:
    """`read -r NAME`: a line of standard input without its newline; 1 at the end."""
    names = [text for text in call.argv[1:] if text != "-r"]
    if len(names) != 1 or "-r" not in call.argv or not names[0].isidentifier():
        return call.fail("built as 'read -r NAME' only", 2)
    line = await call.streams.input.read_line("clock")
    shell.variables[names[0]] = line.decode("utf-8", "surrogateescape").rstrip("\n").strip(" \t")
    return 0 if line.endswith(b"\n") else 1


async def exec_(shell: Shell, call: Call) -> int:
    """Run a command in the place of this shell: it keeps the process number, and the shell ends with its code."""
    if len(call.argv) == 1:
        return call.fail("built with a command only", 2)
    shell.process.args = call.argv[1:]
    inner = Call(call.argv[1:], call.streams, shell)
    builtin = BUILTINS.get(inner.argv[0])
    raise ShellExit(await builtin(shell, inner) if builtin else await shell.call(inner))


async def exit_(shell: Shell, call: Call) -> int:
    code = call.argv[1] if len(call.argv) > 1 else str(shell.code)
    raise ShellExit(int(code) & 255 if code.isdigit() else 2)


async def cd(shell: Shell, call: Call) -> int:
    target = call.path(call.argv[1] if len(call.argv) > 1 else "/")
    if not shell.machine.files.on_disk(target).is_dir():
        return call.fail(f"{call.argv[1]}: No such file or directory", 2)
    shell.directory = target
    return 0


async def pwd(shell: Shell, call: Call) -> int:
    return call.say(shell.directory + "\n")


async def export(shell: Shell, call: Call) -> int:
    for text in call.argv[1:]:
        name, equals, value = text.partition("=")
        if equals:
            shell.variables[name] = value
    return 0


async def unset(shell: Shell, call: Call) -> int:
    for name in call.argv[1:]:
        shell.variables.pop(name, None)
    return 0


async def wait(shell: Shell, call: Call) -> int:
    """Wait for a background job, in real time: it ends by an event of bench time."""
    numbers = [int(text) for text in call.argv[1:] if text.isdigit()] or [shell.last_background]
    for number in numbers:
        process = shell.machine.processes.find(number)
        if process is not None:
            await shell.keeper.park()
            await process.ended.wait()
    return 0


async def sh(shell: Shell, call: Call) -> int:
    """`sh`, `sh -c SCRIPT`, `sh FILE`: a shell of its own on the same streams."""
    child = shell.child(call.streams)
    if call.argv[1:2] == ["-c"]:
        if len(call.argv) < 3:
            return call.fail("-c requires an argument", 2)
        return await child.run(call.argv[2])
    if len(call.argv) == 1:
        return await child.interactive()
    try:
        script = shell.machine.files.read(call.path(call.argv[1]), shell.uid)
    except OSError as error:
        return call.fail(f"{call.argv[1]}: {error.strerror}", 127)
    return await child.run(script.decode("utf-8", "surrogateescape"))


BUILTINS: dict[str, Callable[[Shell, Call], Awaitable[int]]] = {
    "read": read,
    "exec": exec_,
    "exit": exit_,
    "cd": cd,
    "pwd": pwd,
    "export": export,
    "unset": unset,
    "wait": wait,
    "sh": sh,
    "bash": sh,
}
