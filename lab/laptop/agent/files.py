"""Files that Windows still holds when their program has ended."""

from __future__ import annotations

import time
from pathlib import Path


def unlinked(path: Path) -> None:
    """Remove a file that may have gone; Windows refuses while a program that was just ended still holds it."""
    for left in reversed(range(20)):
        try:
            return path.unlink()
        except FileNotFoundError:
            return None
        except PermissionError:
            if not left:
                raise
            time.sleep(0.1)
    return None
