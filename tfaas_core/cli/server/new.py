"""``tfaas new``."""

from __future__ import annotations

from pathlib import Path

import click

KINDS = ("codec", "runtime", "storage", "guard", "routes")


@click.command(epilog="Example: tfaas new codec my-format")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Where to write it. By default tfaas-NAME, in the current folder.",
)
def new(kind: str, name: str, folder: Path | None) -> None:
    """Write a distribution with a plugin to start from.

    It works as it is, and has tests, a README and a workflow that runs the tests.
    """
    from tfaas_core.tools.distribution import write_distribution

    click.echo(write_distribution(kind, name, folder))
