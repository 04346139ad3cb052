"""The folder of a filesystem storage: whether it can be used, and written to."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tfaas_core.errors import SEE_LOG, ConfigError, StorageUnavailable


def unusable(root: Path, error: Exception) -> ConfigError:
    """The error of a folder that ``error`` kept from being opened."""
    why = f"cannot be used: {getattr(error, 'strerror', None) or error}"
    with suppress(OSError, ValueError):
        if root.exists() and not root.is_dir():
            why = "is a file; name a folder"
    return ConfigError(f"the models' folder {str(root)!r} {why} - at `$.storage.root`")


def is_writable(root: Path) -> bool:
    """Whether models can be stored there."""
    return os.access(root, os.W_OK | os.X_OK)


def lacks(root: Path, name: str) -> bool:
    """Whether there is nothing called ``name`` in it. Raises OSError if the root itself is away."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.stat(name, dir_fd=descriptor)
        return False
    except FileNotFoundError:
        return True
    finally:
        os.close(descriptor)


def read_only(root: Path) -> str:
    """What the log says of one that is not."""
    return f"{root} is read-only: its models are served, none can be changed"


def check_writable(root: Path) -> None:
    """Raises StorageUnavailable if it is read-only, and OSError if it is away."""
    os.stat(root)
    if not is_writable(root):
        what = "is read-only: no model can be changed"
        remedy = "give the account of the server the right to write there"
        message = f"the models' folder {root} {what}; {remedy}"
        raise StorageUnavailable(message, f"the models' folder {what}{SEE_LOG}")
