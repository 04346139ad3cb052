"""``tfaas db``: the schema of the storage's database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfaas_core.cli.options import config_options, json_option, print_json, read_config

if TYPE_CHECKING:
    from tfaas_core.storage import Migrations

_NEEDS_NONE = "this storage has no database: there is no schema to look after"


@click.group(epilog="Example: tfaas db check --config tfaas.toml")
def db() -> None:
    """Look after the schema of the storage's database.

    A server brings it up to date when it starts. These commands are for those who do it by hand,
    or with another account.
    """


@db.command(epilog="Example: tfaas db upgrade --config tfaas.toml")
@config_options
def upgrade(path: Path | None, overrides: tuple[str, ...]) -> None:
    """Bring the schema up to date."""
    migrations = _migrations(path, overrides)
    if migrations is None:
        click.echo(_NEEDS_NONE)
        return
    before = migrations.current()
    migrations.upgrade()
    newest = migrations.newest()
    if before == newest:
        click.echo(f"schema {newest} is up to date")
    else:
        click.echo(f"schema {newest}, upgraded from {before or 'none'}")


@db.command(epilog="Example: tfaas db current --json")
@config_options
@json_option
def current(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show which schema the database has."""
    migrations = _migrations(path, overrides)
    has = migrations.current() if migrations else None
    newest = migrations.newest() if migrations else None
    if as_json:
        print_json({"current": has, "newest": newest, "up_to_date": has == newest})
    elif migrations is None:
        click.echo(_NEEDS_NONE)
    elif has == newest:
        click.echo(f"schema {has}, the newest")
    else:
        click.echo(f"schema {has or 'none'}; this TFaaS works with {newest}")


@db.command(epilog="Example: tfaas db check --config tfaas.toml")
@config_options
def check(path: Path | None, overrides: tuple[str, ...]) -> int:
    """Fail if the schema is not up to date, or the database away."""
    migrations = _migrations(path, overrides)
    if migrations is None:
        click.echo(_NEEDS_NONE)
        return 0
    has, newest = migrations.current(), migrations.newest()
    if has == newest:
        click.echo(f"schema {newest} is up to date")
        return 0
    is_newer = bool(has) and not migrations.knows(has)
    hint = "it is newer: update TFaaS" if is_newer else "run `tfaas db upgrade`"
    click.echo(
        f"tfaas: the database has schema {has or 'none'}, this TFaaS works with {newest}; {hint}",
        err=True,
    )
    return 1


def _migrations(path: Path | None, overrides: Sequence[str]) -> Migrations | None:
    config = read_config(path, overrides)

    from tfaas_core.plugins import plugins_of

    return plugins_of(config).storage(config).migrations()
