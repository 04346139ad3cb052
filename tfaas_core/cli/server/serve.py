"""``tfaas serve``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from tfaas_core.cli.options import DEFAULT_FILE, config_options, read_config
from tfaas_core.errors import ConfigError


@click.command(epilog="Example: tfaas serve --demo --set server.port=9000")
@config_options
@click.option("--demo", is_flag=True, help="Start with the built-in demo models stored.")
@click.option("--reload", is_flag=True, help="Start again whenever a file of a plugin changes.")
def serve(path: Path | None, overrides: tuple[str, ...], demo: bool, reload: bool) -> int:
    """Run the server in the foreground, until SIGTERM or Ctrl-C."""
    if reload:
        return _serve_and_reload(path, overrides, demo)
    from tfaas_core.system.lives.signals import hold_hang_ups

    hold_hang_ups()
    config = read_config(path, overrides)

    from tfaas_core.processes import server

    return server.serve(config, demo, lambda: read_config(path, overrides))


def _serve_and_reload(path: Path | None, overrides: tuple[str, ...], demo: bool) -> int:
    from tfaas_core.processes.reloader import Reloader, installed_modules

    arguments = ["serve", *(f"--set={override}" for override in overrides)]
    arguments += [] if path is None else [f"--config={path}"]
    arguments += ["--demo"] if demo else []

    def watched() -> Iterator[Path]:
        yield path or DEFAULT_FILE
        yield from installed_modules()
        with suppress(ConfigError):  # the server says what is wrong
            if (folder := read_config(path, overrides).plugins_dir) is not None:
                yield folder

    def tell(line: str) -> None:
        click.echo(f"tfaas: {line}", err=True)

    return Reloader(arguments, watched, tell).run()
