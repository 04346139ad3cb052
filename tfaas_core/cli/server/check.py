"""``tfaas check``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.all_commands import builtin_commands
from tfaas_core.cli.options import config_options, read_config
from tfaas_core.errors import ConfigError


@click.command(epilog="Example: tfaas check --config tfaas.toml")
@config_options
def check(path: Path | None, overrides: tuple[str, ...]) -> int:
    """Validate the configuration and the plugins."""
    try:
        config = read_config(path, overrides)
    except ConfigError as wrong:
        for message in (wrong.message, *getattr(wrong, "__notes__", ())):
            click.echo(f"tfaas: {message}", err=True)
        return 1

    from tfaas_core.tools.survey import findings

    found = findings(config, builtin_commands())
    for error in found.errors:
        click.echo(f"tfaas: {error}", err=True)
    for warning in found.warnings:
        click.echo(f"tfaas: warning: {warning}", err=True)
    if not found.errors:
        click.echo("configuration and plugins are fine")
        for line in found.sandbox:
            click.echo(line)
    return 1 if found.errors else 0
