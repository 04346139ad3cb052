"""Watching: looks at a server again and again, and shows it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.live import Live

from tfaas_core.cli.client import Client
from tfaas_core.cli.harmless import harmless
from tfaas_plugins.top.answers import History, Status, read
from tfaas_plugins.top.view import View

_OTHER_LINES = 16
"""Of a screen, what is not for models."""
_COLUMNS_OF_FILE = 160


def look(client: Client) -> View:
    """Raises ClickException if the server cannot be asked, or refuses."""
    status = _asked(client, "/status", Status)
    history: Any = {}
    with suppress(click.ClickException):  # without metrics there is none
        history = _asked(client, "/status/history", History)
    return View(status, history)


def print_once(client: Client) -> None:
    """As it is now, with all models, and with all columns if that goes to a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _COLUMNS_OF_FILE)
    console.print(look(client).render(client.url))


def watch(client: Client, interval_s: float) -> None:
    """Until Ctrl-C. A server that has answered once may go away, and come back."""
    console = Console(highlight=False)
    view = look(client)
    # It draws in no thread of its own: all that changes, changes here.
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, screen=console.is_terminal, auto_refresh=False) as live,
    ):
        while True:
            room = max(1, console.height - _OTHER_LINES)
            live.update(view.render(client.url, room), refresh=True)
            time.sleep(interval_s)
            try:
                view = look(client)
            except click.ClickException as error:
                view = msgspec.structs.replace(view, fault=harmless(error.message))


def _asked(client: Client, path: str, kind: type[Status | History]) -> dict[str, Any]:
    try:
        return read(client.ask("GET", path), kind)
    except (ValueError, RecursionError):
        raise click.ClickException(f"{client.url} does not answer as a TFaaS server does") from None
