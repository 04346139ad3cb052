"""``tfaas plugins``."""

from __future__ import annotations

from pathlib import Path

import click

from tfaas_core.cli.all_commands import builtin_commands
from tfaas_core.cli.options import config_options, json_option, print_json, print_table, read_config


@click.command(epilog="Example: tfaas plugins --json")
@config_options
@json_option
def plugins(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the plugins: what each registers, or why it is not active."""
    config = read_config(path, overrides)

    from tfaas_core.tools.survey import survey

    listed = survey(config, builtin_commands())
    if as_json:
        print_json(listed)
        return
    rows = [
        (p.module, p.distribution, p.version, p.status, p.reason or _named(p.registers, p.settings))
        for p in listed
    ]
    print_table(("MODULE", "DISTRIBUTION", "VERSION", "STATUS", "REGISTERS"), rows)


def _named(registers: list[str], settings: list[str]) -> str:
    return ", ".join([*registers, *(f"setting {key}" for key in settings)])
