"""Versions of every tool that a dataset was made with."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("im-call-lab", "adbutils", "uiautomator2", "dnspython", "numpy", "pydantic", "PyYAML")


def of_the_controller() -> dict[str, str]:
    """Name -> version of Python, the system and the libraries that take part in a trial."""
    return {"python": platform.python_version(), "system": platform.platform(terse=True)} | {
        library: version(library) for library in LIBRARIES
    }
