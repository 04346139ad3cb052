"""Model part: the part ``model`` of an upload's form, and how much of it was sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tfaas_core.cli.client import reason
from tfaas_core.cli.models.form import FormPart, file_part
from tfaas_core.system.output.progress import Advance, untold


@contextmanager
def graph_part(file: Path) -> Iterator[FormPart]:
    """A model that is one file. While it is sent, a terminal shows how much of it was."""
    with _progress(file.stat().st_size) as advance:
        yield file_part("model", file, advance)


@contextmanager
def folder_part(folder: Path, files: Sequence[Path], name: str) -> Iterator[FormPart]:
    """The same for ``files`` of a folder: a tarball that holds them in a folder ``name``."""
    size_bytes = sum(file.stat().st_size for file in files)
    with _progress(size_bytes) as advance:
        content = _packed(folder, files, size_bytes, name, advance)
        yield FormPart("model", content, None, f"{name}.tar.gz")


def _packed(
    folder: Path, files: Sequence[Path], size_bytes: int, name: str, advance: Advance
) -> Iterator[bytes]:
    from tfaas_core.uploads.bundle import Entry, pack

    left = size_bytes

    def count(read_bytes: int) -> None:
        nonlocal left
        left -= read_bytes
        advance(read_bytes)

    entries = [Entry(f"{name}/{file.relative_to(folder).as_posix()}", file) for file in files]
    try:
        yield from pack(entries, count)
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be read: {reason(error)}") from None
    if left:
        raise click.ClickException(f"{folder} was changed while it was sent")


@contextmanager
def _progress(size_bytes: int) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield untold
        return
    bar: Any
    with click.progressbar(length=size_bytes, label="upload", file=sys.stderr) as bar:
        yield bar.update
