"""``tfaas routes``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.options import config_options, json_option, print_json, print_table, read_config


@click.command(epilog="Example: tfaas routes --json")
@config_options
@json_option
def routes(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the endpoints, with the plugin and the port of each."""
    config = read_config(path, overrides)

    from tfaas_core.host import Host
    from tfaas_core.routing.side import side_of
    from tfaas_core.wiring.composition import Composition

    host = Host.at_rest(Composition.of(config))
    keys = ("method", "path", "plugin", "port")
    rows = [
        (
            method,
            config.server.base + route.path,
            host.plugins.owner("route", f"{method} {route.path}"),
            "both" if route.public else side_of(route),
        )
        for route in host.routes()
        for method in route.methods
    ]
    # If there is one port alone, it needs no column.
    shown = keys if config.server.has_admin_port else keys[:-1]
    if as_json:
        print_json([dict(zip(shown, row, strict=False)) for row in rows])
    else:
        print_table([key.upper() for key in shown], [row[: len(shown)] for row in rows])
