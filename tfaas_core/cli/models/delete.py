"""``tfaas delete``."""

from __future__ import annotations

import click

from tfaas_core.cli.client import Client, path_of, url_option


@click.command(epilog="Example: tfaas delete vk")
@click.argument("name")
@url_option
def delete(name: str, client: Client) -> None:
    """Delete the model NAME, with all its versions."""
    client.ask("DELETE", path_of("delete", name))
    click.echo(f"deleted {name}")
