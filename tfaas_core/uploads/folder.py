"""Folder: a model's files on the way into a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tfaas_core.errors import BadBody


def regular_files(folder: Path) -> list[Path]:
    """All files in ``folder`` and below it, sorted.

    Raises BadBody if there is anything but regular files and folders, or what cannot be read: a
    link may lead to a file that nobody wanted to send.
    """
    try:
        return sorted(_walk(folder))
    except OSError as error:
        raise BadBody(f"{error.filename} cannot be read: {error.strerror}") from None


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise BadBody(
                    f"{entry.path} is neither a regular file nor a folder; replace a link by what"
                    " it leads to (cp -rL copies so)"
                )
