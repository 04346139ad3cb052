"""What a text of the configuration means that is a path."""

from __future__ import annotations

import os
from pathlib import Path

from tfaas_core.errors import ConfigError


def configured_path(text: str, base_dir: Path, key: str) -> Path:
    """The path that ``text`` is: a relative one starts from ``base_dir``, and ``~`` is a home.

    ``key`` is its own, like ``$.storage.root``. Raises ConfigError if there is no such home.
    """
    expanded = os.path.expanduser(text)  # a Path would take ./~ for ~
    if expanded.startswith("~"):
        home = text.partition("/")[0]
        remedy = f"write ./{home} if that is a name in a folder"
        raise ConfigError(f"there is no home folder {home!r}; {remedy} - at `{key}`")
    return base_dir / expanded
