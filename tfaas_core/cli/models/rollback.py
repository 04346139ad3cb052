"""``tfaas rollback``."""

from __future__ import annotations

import json

import click

from tfaas_core.cli.client import Body, Client, path_of, url_option
from tfaas_core.cli.harmless import say


@click.command(epilog="Example: tfaas rollback vk 2")
@click.argument("name")
@click.argument("version", required=False, type=click.IntRange(min=1))
@url_option
def rollback(name: str, version: int | None, client: Client) -> None:
    """Make VERSION of the model NAME live, or else the one before.

    Ends when that is served. The other versions stay stored.
    """
    body = None
    if version is not None:
        body = Body("application/json", json.dumps({"version": version}).encode())
    record = client.record("POST", path_of("models", name, "rollback"), body)
    say(f"{record['name']}, version {record.get('version')} is live")
