"""``tfaas serve-engine``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tfaas_core.cli.options import config_options, read_config

_ADDRESS = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):([0-9]{1,5})")


@click.command(
    "serve-engine", epilog="Example: tfaas serve-engine --listen 10.0.0.1:8090 --config tfaas.toml"
)
@config_options
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:8090",
    show_default=True,
    help="Where servers find it, by engine.remote.hosts. Port 0: any free one, which is printed.",
)
def serve_engine(path: Path | None, overrides: tuple[str, ...], listen: str) -> int:
    """Run models for other machines, until SIGTERM or Ctrl-C.

    The servers there have engine.kind = "remote", and the same storage and token.
    """
    found = _ADDRESS.fullmatch(listen)
    if found is None or int(found[2]) > 65_535:
        raise click.BadParameter(f"{listen!r} is not like 10.0.0.1:8090", param_hint="--listen")
    config = read_config(path, overrides)

    from tfaas_core.processes import engine_server

    return engine_server.serve_engine(config, found[1].strip("[]"), int(found[2]))
