"""``tfaas import``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.client import Client, path_of, reason, url_option
from tfaas_core.cli.harmless import say
from tfaas_core.cli.models.form import FormPart, file_part, form, text_part
from tfaas_core.cli.models.model_part import folder_part, graph_part
from tfaas_core.cli.models.upload import stored, warnings_of
from tfaas_core.cli.options import json_option, print_json
from tfaas_core.errors import TfaasError

if TYPE_CHECKING:
    from tfaas_core.tools.old_folder import OldModel

_FOLDER = click.Path(exists=True, file_okay=False, readable=True, path_type=Path)

_THERE = "there already"


@click.command("import", epilog="Example: tfaas import /data/models --dry-run")
@click.argument("folder", metavar="OLD_FOLDER", type=_FOLDER)
@click.option("--dry-run", is_flag=True, help="Say what would be stored, and store nothing.")
@url_option
@json_option
def import_models(folder: Path, dry_run: bool, client: Client, as_json: bool) -> int:
    """Store the models of an original TFaaS server.

    OLD_FOLDER is its modelDir, which has a folder for each model: params.json, the graph (.pb) or
    SavedModel, the labels. Nothing in it is changed. What the server has already is skipped: an
    import that was interrupted is started again.
    """
    from tfaas_core.tools.old_folder import name_of, old_model_folders

    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    known = {record["name"]: record for record in client.records("/models")}
    for place in old_model_folders(folder):
        name = name_of(place)
        try:
            outcome = _imported(place, known.get(name), client, dry_run)
        except (click.ClickException, TfaasError, OSError) as error:
            sentence = _sentence(error)
            failed.append({"name": name, "error": sentence})
            say(f"tfaas: {name}: {sentence}", err=True)
        else:
            done.append({"name": name, "outcome": outcome})
            if not as_json:
                say(outcome)
    _conclude(folder, done, failed, as_json)
    return 1 if failed else 0


def _imported(place: Path, known: dict[str, Any] | None, client: Client, dry_run: bool) -> str:
    """Stores one model, unless it is there; gives the line that says so."""
    from tfaas_core.tools.old_folder import is_empty, name_of, read_old_model

    if is_empty(place):
        return f"{name_of(place)}: no file is in there, skipped"
    model = read_old_model(place)
    for lost in model.lost:
        say(f"tfaas: {model.name}: {lost}", err=True)
    if known is not None and (version := _same(model, known, client)):
        return f"{model.name}, version {version}: {_THERE}"
    if dry_run:
        return f"{model.name}: would be stored"
    with _part(model) as part:
        parts = [text_part("name", model.name), *_beside(model), part]
        record = client.record("POST", "/upload", form(parts))
    for warning in warnings_of(record):
        say(f"tfaas: {model.name}: {warning}", err=True)
    return stored(record)


def _same(model: OldModel, live: dict[str, Any], client: Client) -> int | None:
    """The newest version that was made of the same files; of the live one, params count, too."""
    import json

    from tfaas_core.models.params import Params

    labels = "" if model.labels is None else model.labels.name
    made = (model.checksum(), labels)
    for version in reversed(client.records(path_of("models", model.name, "versions"))):
        if (version.get("checksum"), version.get("labels")) != made:
            continue
        number = int(version["version"])
        if number != live.get("version") or not model.params:
            return number
        shown = client.ask("GET", path_of("params", model.name))
        asked = Params.parse(json.dumps(model.params).encode())
        return number if asked.says_as_much_as(Params.parse(shown)) else None
    return None


def _part(model: OldModel) -> AbstractContextManager[FormPart]:
    if model.is_folder:
        return folder_part(model.folder, model.files, model.name)
    return graph_part(model.files[0])


def _beside(model: OldModel) -> Iterator[FormPart]:
    import json

    if model.params:
        content = json.dumps(model.params).encode()
        yield FormPart("params", [content], len(content), "params.json")
    if model.labels is not None:
        yield file_part("labels", model.labels)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename} cannot be read: {reason(error)}"
    message = error.message if isinstance(error, TfaasError) else str(error)
    return " ".join(message.split())


def _conclude(
    folder: Path, done: list[dict[str, Any]], failed: list[dict[str, str]], as_json: bool
) -> None:
    if as_json:
        print_json({"models": done, "failed": failed})
    elif not done and not failed:
        click.echo(f"there are no models in {folder}")
    elif failed:
        click.echo(f"{len(failed)} of {len(done) + len(failed)} models were not stored", err=True)
