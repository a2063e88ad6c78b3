"""What a login to the laptop says besides our own programs: banners, warnings, the cause of its failure.

ssh, its server and the shell of a login write on the same streams as the program that is started through them. None
of their lines is a word of that program: it says a mark of ours first. What they say is a cause only where it ended.
"""

import contextlib
import re
import secrets
import shlex

from lab.clocks import deadlines
from lab.clocks.real_time import Deadline
from lab.laptop.agent.session import STARTED
from lab.programs.processes import Program
from lab.programs.shell import PersistentShell, StreamBroken

LINE_BYTES = 65_536
SSH_FAILED = 255
# OpenSSH and bash say these where all is well (tests/real_outputs/laptop.yaml).
CHATTER = re.compile(
    r"\*\* |Warning: |debug\d: |@@@|@ +WARNING"
    r"|ControlSocket .* already exists|mux_client_request_session: |Pseudo-terminal will not be allocated"
    r"|.*warning: setlocale: "
)
"""How lines begin that are never the cause of a failure."""


def by_ssh(argv: list[str]) -> bool:
    """Whether an argv prefix reaches the laptop through ssh, whatever stands before it (`sshpass -e ssh HOST`)."""
    return any(re.split(r"[/\\]", word)[-1] in ("ssh", "ssh.exe") for word in argv)


class MarkedLogin:
    """A program of the laptop behind ssh. Its output, standard error too, is read behind our mark, apart from ssh's."""

    def __init__(self, prefix: list[str], script: str) -> None:
        """Start a script in the laptop's bash.

        Raises `OSError` where there is no ssh, and what `Program.read_line` does where the login fails.
        """
        mark = f"im-call-lab-{secrets.token_hex(8)}"
        # The mark begins a line whatever was said before it. The login's shell need not be bash: it gets one command.
        told = f"echo; echo {mark} $$; exec 2>&1; {script}"
        self.program = Program([*prefix, f"exec bash -c {shlex.quote(told)}"], kept=True)
        try:
            self.pid = self._number(mark)
        except (EOFError, TimeoutError) as error:
            cause = why(error, self.program)
            self.program.end(unheard=True)
            raise type(error)(cause) from error

    def _number(self, mark: str) -> int:
        deadline = Deadline(deadlines.LAPTOP_START.s)
        while True:
            line = self.program.read_line(deadline.left(), LINE_BYTES).decode("utf-8", "replace")
            if found := re.fullmatch(rf"{mark} (\d{{1,9}})\r?", line):
                return int(found[1])


def greeted(shell: PersistentShell) -> None:
    """Take what a login says on standard output, so that it is none of the first line's answer.

    Raises what `PersistentShell.run` does, and `StreamBroken` for one that says the end of an answer.
    """
    mark = f"im-call-lab-{secrets.token_hex(8)}"
    if mark not in shell.run(f"echo {mark}").text:
        raise StreamBroken("the login's shell answers something else than what it was asked")


def why(error: Exception, program: Program) -> str:
    """Why a program behind a login did not answer: by what failed, and by the login's last words where it has ended."""
    if isinstance(error, TimeoutError):
        return str(error)
    code = None
    with contextlib.suppress(TimeoutError):
        code = program.wait(deadlines.PROGRAM_END.s)
    said = program.last_words().splitlines()
    lines = [line.strip() for line in said if line.strip() and CHATTER.match(line) is None]
    if STARTED in lines:
        lines = lines[len(lines) - lines[::-1].index(STARTED) :]
    if code is None or code == 0 or not lines:
        return "it ends without an answer" if code is not None else str(error) or "it closes its output"
    last = lines[-1][:300]
    return last if code == SSH_FAILED else f"it has ended (exit {code}), its last words: {last}"
