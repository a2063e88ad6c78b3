"""How much room a disk has, by what `df` prints of one place in blocks of 1 KiB."""

import re

_LINE = re.compile(r"\s(\d{1,18})\s+\d{1,18}\s+(-?\d{1,18})\s+(?:\d{1,3}%|-)\s+(/\S*)[^\n]*$", re.MULTILINE)
"""Size, used, available, share and place, behind the name of a file system, which may have a line of its own."""
_BLOCKS = re.compile(r"\b(?:1K|1024)-blocks\b")


def free_kib(text: str) -> int | None:
    """KiB that may still be written there, 0 where none may; None where the text does not tell.

    That is `df -k` of Android's toybox, and `df -Pk` of GNU, busybox, macOS and the BSDs. The toolbox of Android 5
    knows no such blocks: it says sizes with letters.
    """
    lines = _LINE.findall(text) if _BLOCKS.search(text) else []
    return max(0, int(lines[0][1])) if len(lines) == 1 else None
