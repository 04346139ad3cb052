"""The folder of a filesystem storage: whether it can be used, written to, and when it changed."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tfaas_core.errors import SEE_LOG, ConfigError, StorageUnavailable

_TOUCHING = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK


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


class Revision:
    """The file ``name`` of the folder ``root``, touched with each change, so that others see it."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._file = root / name

    def read(self) -> str:
        """Another text after each change. Raises OSError."""
        # Names that somebody adds or removes by hand change the root.
        root = os.stat(self._root).st_mtime_ns
        try:
            # Network disks tell what is new to whoever opens a file.
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return f"{root}"
        try:
            return f"{root}-{os.fstat(descriptor).st_mtime_ns}"
        finally:
            os.close(descriptor)

    def touch(self) -> None:
        """Tells of a change; if that fails, others see it at their next full look (30 s)."""
        with suppress(OSError):
            os.close(os.open(self._file, _TOUCHING, 0o600))
            now_ns = time.time_ns()
            os.utime(self._file, ns=(now_ns, now_ns))
