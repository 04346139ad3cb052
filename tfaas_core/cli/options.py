"""What several commands share: the configuration's options, and how tables are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from tfaas_core.cli.harmless import harmless

if TYPE_CHECKING:
    from tfaas_core.config import Config

DEFAULT_FILE = Path("tfaas.toml")

PLUGINS_DIR = "--plugins-dir"

F = TypeVar("F", bound=Callable[..., Any])


def _check_overrides(
    _context: click.Context, _option: click.Parameter, overrides: tuple[str, ...]
) -> tuple[str, ...]:
    for override in overrides:
        if "=" not in override:
            raise click.BadParameter(f"{override!r} is not like server.port=9000")
    return overrides


def folder_override(plugins_dir: str) -> str:
    """What ``--plugins-dir`` sets: it is relative to the current folder."""
    return f"plugins.dir={Path(plugins_dir).absolute() if plugins_dir else ''}"


def config_options(command: F) -> F:
    """Gives a command ``--config``, ``--set`` and ``--plugins-dir``, for ``read_config``.

    The command gets ``path`` and ``overrides``, of which the folder of plugins is the last.
    """

    @wraps(command)
    def with_folder(
        *arguments: Any, overrides: tuple[str, ...], plugins_dir: str | None, **options: Any
    ) -> Any:
        if plugins_dir is not None:
            overrides = (*overrides, folder_override(plugins_dir))
        return command(*arguments, overrides=overrides, **options)

    folder = click.option(
        PLUGINS_DIR,
        metavar="FOLDER",
        help="A folder whose Python files are plugins, too; as --set plugins.dir.",
    )
    overrides = click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_check_overrides,
        help="Override one key, like server.port=9000. May be given again.",
    )
    path = click.option(
        "--config",
        "path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The TOML file. By default tfaas.toml in the current folder, if there is one.",
    )
    return cast(F, path(overrides(folder(with_folder))))


version_option = click.option(
    "--version",
    metavar="N",
    type=click.IntRange(min=1),
    help="One of the model's versions. By default the live one.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")


def read_config(path: Path | None, overrides: Sequence[str]) -> Config:
    """The configuration that the options of a command ask for; raises ConfigError."""
    from tfaas_core.config import load_config

    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    return load_config(path, overrides)


def print_json(document: Any) -> None:
    """Prints ``document`` as indented JSON."""
    import msgspec

    click.echo(harmless(msgspec.json.format(msgspec.json.encode(document)).decode()))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints columns wide enough for their cells; the last one may be of any length."""
    lines = [[harmless(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
