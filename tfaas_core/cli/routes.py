"""``tfaas routes``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.options import config_options, json_option, print_json, print_table, read_config


@click.command(epilog="Example: tfaas routes --json")
@config_options
@json_option
def routes(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the endpoints, and the plugin that each comes from."""
    config = read_config(path, overrides)

    from tfaas_core.composition import Composition
    from tfaas_core.host import Host

    host = Host.at_rest(Composition.of(config))
    rows = [
        (
            method,
            config.server.base + route.path,
            host.plugins.owner("route", f"{method} {route.path}"),
        )
        for route in host.routes()
        for method in route.methods
    ]
    keys = ("method", "path", "plugin")
    if as_json:
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        print_table([key.upper() for key in keys], rows)
