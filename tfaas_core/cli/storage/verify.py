"""``tfaas verify``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from tfaas_core.cli.harmless import say
from tfaas_core.cli.options import config_options, json_option, print_json, read_config


@click.command(epilog="Example: tfaas verify --config tfaas.toml")
@config_options
@json_option
def verify(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> int:
    """Read all that is stored, and find what is damaged or missing.

    Each version of each model is read where the storage keeps it, and compared with the checksum
    that it was stored with. Nothing is changed, and a server may run meanwhile.
    """
    config = read_config(path, overrides)

    from tfaas_core.plugins import plugins_of
    from tfaas_core.tools.verification import Fault, verified

    whole, faults = 0, []
    with _quietly(), closing(plugins_of(config).storage(config)) as storage:
        storage.open()
        for found in verified(storage):
            if isinstance(found, Fault):
                faults.append(found)
                say(f"tfaas: {' '.join(found.error.split())}", err=True)
            else:
                whole += 1
    if as_json:
        print_json({"whole": whole, "faults": faults})
    else:
        click.echo(f"whole: {whole}, damaged or missing: {len(faults)}")
    return 1 if faults else 0


@contextmanager
def _quietly() -> Iterator[None]:
    """What a storage warns of is among the faults, or is no matter of theirs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
