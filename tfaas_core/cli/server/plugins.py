"""``tfaas plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfaas_core.cli.all_commands import builtin_commands
from tfaas_core.cli.options import config_options, json_option, print_json, print_table, read_config

if TYPE_CHECKING:
    from tfaas_core.tools.survey import SurveyedPlugin


@click.command(epilog="Example: tfaas plugins --json")
@config_options
@json_option
def plugins(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the plugins: what each registers, or why it is inactive."""
    config = read_config(path, overrides)

    from tfaas_core.tools.survey import survey

    def tell(sentence: str) -> None:
        click.echo(f"tfaas: warning: {' '.join(sentence.split())}", err=True)

    listed = survey(config, builtin_commands(), tell)
    if as_json:
        print_json(listed)
        return
    rows = [
        (p.module, p.distribution, p.version or "-", p.status, p.reason or _registered(p))
        for p in listed
    ]
    print_table(("MODULE", "DISTRIBUTION", "VERSION", "STATUS", "REGISTERS"), rows)


def _registered(plugin: SurveyedPlugin) -> str:
    return ", ".join([*plugin.registers, *(f"setting {key}" for key in plugin.settings)])
