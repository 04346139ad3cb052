"""``tfaas migrate``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: tfaas migrate config.json > tfaas.toml")
@click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def migrate(file: Path) -> None:
    """Print the TOML that an old TFaaS configuration becomes.

    FILE is the JSON file that the original server was started with. What has no place in the TOML
    stands below it as comments, with what to do instead.
    """
    from tfaas_core.tools.old_config import OldConfig

    click.echo(OldConfig.read(file).toml(), nl=False)
