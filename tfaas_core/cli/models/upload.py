"""``tfaas upload``."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from tfaas_core.cli.client import Client, url_option
from tfaas_core.cli.harmless import say
from tfaas_core.cli.models.form import FormPart, file_part, form, text_part
from tfaas_core.cli.models.model_part import folder_part, graph_part
from tfaas_core.cli.models.models import inputs_of, outputs_of
from tfaas_core.files.archives import GZIP, TAR, archive_at
from tfaas_core.texts.spelling import respelled

_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


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
    say(stored(record))
    for warning in warnings_of(record):
        say(f"tfaas: {warning}", err=True)


def warnings_of(record: dict[str, Any]) -> list[str]:
    """What a server warns of, of a model that it has stored."""
    return [f"warning: {warning}" for warning in record.get("warnings", ())]


def stored(record: dict[str, Any]) -> str:
    """What is said of a model that was stored, from its record."""
    ends = f"{inputs_of(record)} -> {outputs_of(record)}"
    return f"{record['name']}, version {record.get('version')}: {ends}"


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
    return "" if archive_at(path) in (GZIP, TAR) else path.stem


def _model_part(path: Path, name: str) -> AbstractContextManager[FormPart]:
    if path.is_dir():
        from tfaas_core.uploads.companions import COMPANIONS
        from tfaas_core.uploads.folder import regular_files

        files = regular_files(path)
        # What else is a model depends on the runtimes of the server.
        if all(file.name in COMPANIONS for file in files):
            raise click.ClickException(f"{path} holds no model")
        return folder_part(path, files, name)
    if path.is_file():
        return graph_part(path)
    raise click.ClickException(f"{path} is neither a regular file nor a folder")
