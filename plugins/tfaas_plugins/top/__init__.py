"""``tfaas top``, a plugin's command: a running server, live, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

import click

from tfaas_core.cli.client import Client, url_option
from tfaas_core.hookspecs import hookimpl


@hookimpl
def tfaas_register_commands() -> Iterable[click.Command]:
    """``tfaas top``."""
    return [top]


@click.command(epilog="Example: tfaas top --url http://localhost:8083")
@url_option
@click.option(
    "--interval",
    "interval_s",
    metavar="SECONDS",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    help="How often to look.",
)
@click.option("--once", is_flag=True, help="Print how it is, and end.")
def top(client: Client, interval_s: float, once: bool) -> None:
    """Show what a running server does, until Ctrl-C."""
    try:
        from tfaas_plugins.top.watching import print_once, watch
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise click.ClickException(
            f"this needs the package {package}, which is not installed; pip install 'tfaas[top]'"
        ) from None
    if once:
        print_once(client)
    else:
        watch(client, interval_s)
