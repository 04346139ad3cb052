"""``tfaas serve``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.options import config_options, plugins_dir_option, read_config


@click.command(epilog="Example: tfaas serve --demo --set server.port=9000")
@config_options
@plugins_dir_option
@click.option("--demo", is_flag=True, help="Start with the built-in demo models stored.")
def serve(
    path: Path | None, overrides: tuple[str, ...], plugins_dir: Path | None, demo: bool
) -> int:
    """Run the server in the foreground, until SIGTERM or Ctrl-C."""
    config = read_config(path, overrides, plugins_dir)

    from tfaas_core.processes import server

    return server.serve(config, demo)
