"""Watching: looks at a server again and again, and shows it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.live import Live

from tfaas_core.cli.client import Client
from tfaas_plugins.top.view import View

_OTHER_LINES = 16
"""Of a screen, what is not for models."""


def look(client: Client) -> View:
    """Raises ClickException if the server cannot be asked, or refuses."""
    status = _json(client, "/status")
    history: Any = {}
    with suppress(click.ClickException):  # without metrics there is none
        history = _json(client, "/status/history")
    return View(status, history)


def print_once(client: Client) -> None:
    """As it is now, with all models."""
    console = Console(highlight=False)
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
                view = msgspec.structs.replace(view, fault=error.message)


def _json(client: Client, path: str) -> dict[str, Any]:
    try:
        document = json.loads(client.ask("GET", path))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise click.ClickException(f"{client.url} does not answer as a TFaaS server does")
    return document
