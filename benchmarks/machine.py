"""The machine and the versions that figures belong to. Nothing that names the machine itself."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("tfaas", "tensorflow", "sanic", "uvloop", "orjson", "msgspec", "numpy", "pillow")
BUSY = 0.3
"""A load average above this means that somebody else is using the cores."""


def rows() -> list[list[str]]:
    """What and its value, to be shown above the figures."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return [
        ["CPU", f"{_cpu()}, {os.cpu_count()} cores"],
        ["Memory", f"{_memory_bytes() / 1e9:.1f} GB"],
        ["Kernel", f"{platform.system()} {platform.release()}"],
        ["Python", platform.python_version()],
        ["Libraries", libraries],
        ["Load average before", _load()],
    ]


def caption() -> str:
    """CPU, cores, kernel, Python, libraries and the day, on two lines."""
    shown = {what: value for what, value in rows() if what not in ("Memory", "Load average before")}
    libraries = shown.pop("Libraries")
    python = f"Python {shown.pop('Python')}"
    today = f"measured on {date.today().isoformat()}"
    return f"{', '.join([*shown.values(), python, today])}\n{libraries}"


def _cpu() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _load() -> str:
    load = os.getloadavg()[0]
    return f"{load:.2f}" + (" (busy: the figures are noise)" if load > BUSY else "")
