"""Regular files, read by whoever cannot know what is at a path: nothing there holds him up."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

_UNFIT = {errno.EISDIR, errno.ELOOP, errno.ENODEV, errno.ENXIO}


class UnfitFileError(OSError):
    """Something is there that is no file to be read: a pipe, a device, a link to itself, a folder,
    or a file that is far too large."""


def open_regular(path: Path) -> BufferedReader:
    """Opens a file for reading. Raises OSError; UnfitFileError for all that is none."""
    try:
        file = open(path, "rb", opener=_opener)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        if error.errno in _UNFIT:
            raise _unfit(path) from error
        raise
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise _unfit(path)


def read_regular(path: Path, most_bytes: int) -> bytes:
    """What is in a file; raises UnfitFileError, too, if that is more than ``most_bytes``."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnfitFileError(errno.EFBIG, f"it has more than {most_bytes} bytes", str(path))
    return content


def _unfit(path: Path) -> UnfitFileError:
    return UnfitFileError(errno.EINVAL, "it is no regular file", str(path))


def _opener(path: str, flags: int) -> int:
    # To open a pipe would wait for whoever writes to it.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
