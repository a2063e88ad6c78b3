"""The commands that are part of the mini shell because they change it: read, exec, exit, cd, pwd, sh."""

from collections.abc import Awaitable, Callable

from lab.virtual.shell.machine import Call, Shell, ShellExit, Unbuilt


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
    raise ShellExit(await shell.call(Call(call.argv[1:], call.streams, shell)))


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


async def sh(shell: Shell, call: Call) -> int:
    """`sh`, `sh -c SCRIPT`: a shell of its own on the same streams."""
    child = shell.child(call.streams)
    if call.argv[1:2] == ["-c"]:
        if len(call.argv) < 3:
            return call.fail("-c requires an argument", 2)
        return await child.run(call.argv[2])
    if len(call.argv) > 1:
        raise Unbuilt("built as 'sh' and 'sh -c SCRIPT' only")
    return await child.interactive()


BUILTINS: dict[str, Callable[[Shell, Call], Awaitable[int]]] = {
    "read": read,
    "exec": exec_,
    "exit": exit_,
    "cd": cd,
    "pwd": pwd,
    "sh": sh,
    "bash": sh,
}
