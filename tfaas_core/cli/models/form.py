"""Form: a multipart/form-data body, made while it is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from tfaas_core.cli.client import Body, reason
from tfaas_core.system.output.progress import Advance, untold

_CHUNK_BYTES = 256 * 1024


class FormPart(NamedTuple):
    """A part of a form: text, or a file if there is a ``filename``.

    ``size_bytes`` is None if it is not known before the content is made.
    """

    name: str
    content: Iterable[bytes]
    size_bytes: int | None
    filename: str | None = None


def text_part(name: str, value: str) -> FormPart:
    """A text field."""
    encoded = value.encode()
    return FormPart(name, [encoded], len(encoded))


def file_part(name: str, path: Path, advance: Advance = untold) -> FormPart:
    """A file, which is read while it is sent."""
    size_bytes = path.stat().st_size
    return FormPart(name, _read(path, size_bytes, advance), size_bytes, path.name)


def form(parts: Sequence[FormPart]) -> Body:
    """The body of a request that is a form of these parts."""
    boundary = os.urandom(16).hex()
    heads = [_head(boundary, part) for part in parts]
    end = f"--{boundary}--\r\n".encode()
    sizes = [part.size_bytes for part in parts]
    known = [size for size in sizes if size is not None]
    total = sum(map(len, heads)) + sum(known) + 2 * len(parts) + len(end)
    return Body(
        f"multipart/form-data; boundary={boundary}",
        _pieces(heads, parts, end),
        total if len(known) == len(sizes) else None,
    )


def _pieces(heads: Sequence[bytes], parts: Sequence[FormPart], end: bytes) -> Iterator[bytes]:
    for head, part in zip(heads, parts, strict=True):
        yield head
        yield from part.content
        yield b"\r\n"
    yield end


def _head(boundary: str, part: FormPart) -> bytes:
    disposition = f'form-data; name="{part.name}"'
    kind = ""
    if part.filename is not None:
        disposition += f'; filename="{_quoted(part.filename)}"'
        kind = "Content-Type: application/octet-stream\r\n"
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n{kind}\r\n"
    return head.encode(errors="surrogateescape")


def _quoted(filename: str) -> str:
    escaped = filename.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\r", " ").replace("\n", " ")


def _read(path: Path, size_bytes: int, advance: Advance) -> Iterator[bytes]:
    left = size_bytes
    try:
        with path.open("rb") as file:
            while chunk := file.read(min(_CHUNK_BYTES, left)):
                left -= len(chunk)
                advance(len(chunk))
                yield chunk
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {reason(error)}") from None
    if left:
        raise click.ClickException(f"{path} became shorter while it was sent")
