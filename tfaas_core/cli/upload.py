"""``tfaas upload``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tfaas_core.cli.client import Client, reason, url_option
from tfaas_core.cli.form import Advance, Part, file_part, form, text_part, untold
from tfaas_core.cli.models import inputs_of, outputs_of
from tfaas_core.spelling import respelled

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_GRAPHS = (".pb", ".pbtxt")


@click.command(epilog="Example: tfaas upload vk.pb --params params.json --labels labels.txt")
@click.argument("path", type=click.Path(exists=True, readable=True, path_type=Path))
@click.option("--name", help="What clients call the model.")
@click.option("--params", metavar="FILE", type=_FILE, help="The model's params.json.")
@click.option("--labels", metavar="FILE", type=_FILE, help="Its class labels, one a line.")
@url_option
def upload(
    path: Path, name: str | None, params: Path | None, labels: Path | None, client: Client
) -> None:
    """Store a model, or a new version of it.

    PATH is a frozen graph (.pb), a tarball, or the folder of a SavedModel. Without --name, the
    name is the one in the params, or else that of the file or folder; a tarball has its own.
    Ends when the model is served.
    """
    name = name or _name_in(params) or _name_of(path)
    parts = [text_part("name", name)] if name else []
    parts += [file_part(part, f) for part, f in (("params", params), ("labels", labels)) if f]
    with _model_part(path, name) as model:
        record = client.record("POST", "/upload", form([*parts, model]))
    ends = f"{inputs_of(record)} -> {outputs_of(record)}"
    click.echo(f"{record['name']}, version {record.get('version')}: {ends}")
    for warning in record.get("warnings", ()):
        click.echo(f"tfaas: warning: {warning}", err=True)


def _name_in(params: Path | None) -> str:
    if params is None:
        return ""
    try:
        name = respelled(json.loads(params.read_bytes()), ("name",))["name"]
    except (OSError, ValueError, LookupError, AttributeError):  # the server tells what is wrong
        return ""
    return name if isinstance(name, str) else ""


def _name_of(path: Path) -> str:
    if path.is_dir():
        return path.resolve().name
    return "" if path.is_file() and _is_tarball(path) else path.stem


def _is_tarball(path: Path) -> bool:
    """As ``tfaas_core.uploads.bundle.is_bundle`` tells it, which would take long to import."""
    with path.open("rb") as file:
        start = file.read(262)
    return start.startswith(b"\x1f\x8b") or start.endswith(b"ustar")


@contextmanager
def _model_part(path: Path, name: str) -> Iterator[Part]:
    """The form's part ``model``. While it is sent, a terminal shows how much of it was."""
    if path.is_dir():
        from tfaas_core.uploads.folder import regular_files

        files = regular_files(path)
        if not any(file.suffix in _GRAPHS for file in files):
            raise click.ClickException(f"{path} holds no SavedModel and no graph (.pb)")
        size_bytes = sum(file.stat().st_size for file in files)
        with _progress(size_bytes) as advance:
            content = _packed(path, files, size_bytes, name, advance)
            yield Part("model", content, None, f"{name}.tar.gz")
    elif path.is_file():
        with _progress(path.stat().st_size) as advance:
            yield file_part("model", path, advance)
    else:
        raise click.ClickException(f"{path} is neither a regular file nor a folder")


def _packed(
    folder: Path, files: list[Path], size_bytes: int, name: str, advance: Advance
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
