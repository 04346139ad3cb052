"""``tfaas config``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.options import config_options, json_option, print_json, read_config


@click.command(epilog="Example: tfaas config > tfaas.toml")
@config_options
@json_option
def config(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print every key of the configuration as a TOML file.

    The keys of plugins are there, too. A key that has its default is a comment; one that a file,
    the environment or --set changed is not, and the source stands beside it.
    """
    read = read_config(path, overrides)

    from tfaas_core.tools.manual import as_toml, manual

    tables = manual(read)
    if as_json:
        print_json(tables)
    else:
        click.echo(as_toml(tables), nl=False)
