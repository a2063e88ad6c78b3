"""The processes of a virtual machine, as `ps` and `kill` see them."""

import asyncio
from collections.abc import Callable, Iterator

FIRST_PID = 10_001
SIGNALS = {1: "HUP", 2: "INT", 9: "KILL", 10: "USR1", 12: "USR2", 15: "TERM"}
SIGNAL_NUMBERS = {name: number for number, name in SIGNALS.items()}


class Process:
    """A program that runs; `on_signal` is called with HUP, INT, KILL, TERM, ... and decides what happens."""

    def __init__(self, args: list[str], uid: int) -> None:
        self.args, self.uid = args, uid
        self.on_signal: Callable[[str], None] | None = None
        self.code: int | None = None
        self.ended = asyncio.Event()

    def kill(self) -> None:
        """SIGKILL: over at once, not when its task gets its turn."""
        if self.code is None and self.on_signal is not None:
            self.on_signal("KILL")
        self.end(137)

    def end(self, code: int) -> None:
        """It is over, with an exit code; a second call changes nothing."""
        if self.code is None:
            self.code = code
            self.ended.set()


class ProcessTable:
    """Gives a process its number when somebody first looks at it.

    So numbers depend on what an attempt did, not on how many shells were opened before it: they turn up in the text
    of commands, and bench time must not hang on them.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, Process] = {}
        self._next = FIRST_PID

    def begin(self) -> None:
        """Clean state: what runs is gone, numbers start again."""
        running = tuple(self._numbers.values())
        self._numbers.clear()
        self._next = FIRST_PID
        for process in running:
            process.kill()

    def number(self, process: Process) -> int:
        for number, known in self._numbers.items():
            if known is process:
                return number
        self._numbers[self._next] = process
        self._next += 1
        return self._next - 1

    def find(self, number: int) -> Process | None:
        """The living process with that number."""
        process = self._numbers.get(number)
        return process if process is not None and process.code is None else None

    def __iter__(self) -> Iterator[tuple[int, Process]]:
        """Number and process of all that live, by number."""
        return iter([(number, process) for number, process in self._numbers.items() if process.code is None])
