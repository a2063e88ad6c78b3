"""What the agent asks of the system itself: the Windows calls and their twin for every other system."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from typing import BinaryIO

if sys.platform == "win32":
    import ctypes
    import msvcrt

    class Calls:
        """What is asked of the system itself and not of a program; below is its twin for every other system."""

        def __init__(self) -> None:
            # sshd without a pty gives no console, and CTRL_BREAK reaches only processes of one's own console.
            ctypes.windll.kernel32.AllocConsole()

        def start(self, argv: list[str], errors: BinaryIO) -> subprocess.Popen[bytes]:
            group = subprocess.CREATE_NEW_PROCESS_GROUP
            quiet = subprocess.DEVNULL
            return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=errors, creationflags=group)

        def stop(self, process: subprocess.Popen[bytes]) -> None:
            process.send_signal(signal.CTRL_BREAK_EVENT)

        def keep_awake(self) -> bool:
            # ES_CONTINUOUS | ES_SYSTEM_REQUIRED: until this thread ends.
            return bool(ctypes.windll.kernel32.SetThreadExecutionState(0x80000001))

        def now_ns(self) -> int:
            # time.time_ns() has steps of 16 ms here before Python 3.13. FILETIME: 100 ns since 1601.
            stamp = ctypes.c_uint64()
            ctypes.windll.kernel32.GetSystemTimePreciseAsFileTime(ctypes.byref(stamp))
            return (stamp.value - 116_444_736_000_000_000) * 100

        def lock(self, descriptor: int) -> None:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    AWAKE = (
        ["systemd-inhibit", "--what=sleep:idle", "--who=im-call-lab", "--why=a capture runs", "cat"],
        ["caffeinate", "-i", "cat"],
    )

    class Calls:
        """The twin of the Windows calls: SIGINT, and a program that inhibits sleep until the agent ends."""

        _awake: subprocess.Popen[bytes] | None = None

        def start(self, argv: list[str], errors: BinaryIO) -> subprocess.Popen[bytes]:
            quiet = subprocess.DEVNULL
            return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=errors, start_new_session=True)

        def stop(self, process: subprocess.Popen[bytes]) -> None:
            process.send_signal(signal.SIGINT)

        def keep_awake(self) -> bool:
            if self._awake is None:
                argv = next((argv for argv in AWAKE if shutil.which(argv[0])), None)
                if argv is None:
                    return False
                quiet = subprocess.DEVNULL
                self._awake = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
            return self._awake.poll() is None

        def now_ns(self) -> int:
            return time.time_ns()

        def lock(self, descriptor: int) -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
