"""``tfaas predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import click

from tfaas_core.cli.client import Body, Client, url_option
from tfaas_core.cli.harmless import say
from tfaas_core.cli.models.form import file_part, form, text_part
from tfaas_core.cli.options import version_option

_JSON = "application/json"


def _check_json(
    _context: click.Context, _option: click.Parameter, values: str | None
) -> str | None:
    try:
        json.loads(values or "[]")
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is not JSON: {error}") from None
    return values


@click.command(epilog="Example: tfaas predict vk --values '[1, 2, 3]'")
@click.argument("name", required=False)
@click.option(
    "--values",
    metavar="JSON",
    callback=_check_json,
    help="A row, like '[1, 2, 3]', or a list of rows.",
)
@click.option(
    "--json",
    "document",
    metavar="FILE",
    type=click.File("rb"),
    help='The JSON of a whole request, like {"inputs": {"x": [1, 2]}}; - is stdin.',
)
@click.option(
    "--image",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="A picture, PNG or JPEG.",
)
@version_option
@click.option("--label", metavar="LABEL", help="The version that this label names.")
@url_option
def predict(
    name: str | None,
    values: str | None,
    document: IO[bytes] | None,
    image: Path | None,
    version: int | None,
    label: str | None,
    client: Client,
) -> None:
    """Ask the model NAME, or the default one, for a prediction.

    Prints the server's answer, which is JSON. Takes one of --values, --json and --image.
    """
    if [values, document, image].count(None) != 2:
        raise click.UsageError("give one of --values, --json and --image")
    named = _named(name, version, label)
    if image is not None:
        answer = client.ask("POST", "/predict/image", _of_image(named, image))
    else:
        content = _of_values(named, values) if document is None else _of_document(named, document)
        answer = client.ask("POST", "/predict/json", Body(_JSON, content))
    say(answer.decode(errors="replace").rstrip("\n"))


def _named(name: str | None, version: int | None, label: str | None) -> dict[str, Any]:
    """The fields that name what is asked, as far as they are given."""
    if version is not None and label is not None:
        raise click.UsageError("give --version or --label, not both")
    fields = {"model": name, "version": version, "label": label}
    return {field: value for field, value in fields.items() if value is not None}


def _of_image(named: dict[str, Any], image: Path) -> Body:
    texts = [text_part(field, str(value)) for field, value in named.items()]
    return form([*texts, file_part("image", image)])


def _of_values(named: dict[str, Any], values: str | None) -> bytes:
    # As they are written: reading them could change the numbers.
    fields = [f'"values": {values}', *(f'"{k}": {json.dumps(v)}' for k, v in named.items())]
    return f"{{{', '.join(fields)}}}".encode(errors="surrogateescape")


def _of_document(named: dict[str, Any], document: IO[bytes]) -> bytes:
    content = document.read()
    if not named:
        return content
    try:
        fields: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{document.name} is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise click.ClickException(f"{document.name} is not a JSON object")
    return json.dumps(fields | named).encode()
