"""What a storage on a disk needs of it: locks, and changes that survive a power cut.

Functions raise OSError as it comes, but for ``remove``.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from tfaas_core.errors import Busy

_LOCK_ATTEMPTS = 100

_MODE = 0o700
"""Of the folders that are made here, by which they are known."""

_log = logging.getLogger("tfaas.storage")


def lock(folder: Path) -> int:
    """A descriptor that holds the lock on ``folder``, made if needed. Raises Busy."""
    for _ in range(_LOCK_ATTEMPTS):
        with suppress(FileExistsError):
            os.mkdir(folder, _MODE)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # its holder removed it just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, folder):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise Busy(
        f"model {folder.name!r} is being uploaded or deleted by another request; try again later",
        model=folder.name,
    )


def unlock(descriptor: int, folder: Path) -> None:
    """Gives up a lock, and removes the folder if it is empty, and was made by a lock."""
    try:
        with suppress(OSError):
            if was_made_here(os.fstat(descriptor)) and _is_at(descriptor, folder):
                os.rmdir(folder)  # fails if it holds a version
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def was_made_here(status: os.stat_result) -> bool:
    """Whether a folder of this ``status`` was made by a lock."""
    return status.st_mode & 0o777 == _MODE


def _is_at(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except FileNotFoundError:
        return False


def sync_tree(folder: Path) -> None:
    """Puts a folder and all that is in it on the disk for good, for the owner's eyes only."""
    for path, _, files in os.walk(folder, topdown=False, onerror=_raise):
        for file in files:
            sync(Path(path, file), mode=0o600)
        sync(Path(path), mode=0o700)


def sync(*paths: Path, mode: int | None = None) -> None:
    """Puts files or folders on the disk for good; ``mode``: their permissions from now on."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | (os.O_NOFOLLOW if mode is not None else 0))
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_can_be_made(folder: Path) -> None:
    """Raises what making ``folder``, and all above it that is missing, would raise; makes nothing.

    Raises ValueError for a path that no system takes.
    """
    there = folder
    while (mode := _mode(there)) is None:
        there = there.parent
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if there != folder and not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _mode(path: Path) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def write_whole(path: Path, content: bytes, folder: Path) -> None:
    """Puts ``content`` in the place of the file ``path``, for good: wholly or not at all.

    It is written into ``folder``, of the same disk, first, which keeps what fails.
    """
    new = folder / path.name
    with new.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(new, path)
    sync(path.parent)


def remove(path: Path) -> None:
    """Removes a file, link or folder with all that is in it; what resists is logged and left."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s could not be removed: %s", path, error)


def _raise(error: OSError) -> NoReturn:
    raise error
