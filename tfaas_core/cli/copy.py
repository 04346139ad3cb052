"""``tfaas copy``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.options import json_option, print_json
from tfaas_core.errors import TfaasError
from tfaas_core.system.progress import Advance, untold

if TYPE_CHECKING:
    from tfaas_core.config import Config
    from tfaas_core.storage import Storage
    from tfaas_core.tools.transfer import Transfer, Transferred

_FILE = click.Path(path_type=Path)


@click.command(epilog="Example: tfaas copy --from laptop.toml --to group.toml vk")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=_FILE,
    required=True,
    help="Where the models are: a TOML file.",
)
@click.option(
    "--to", "target", metavar="FILE", type=_FILE, required=True, help="Where they go, likewise."
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
def copy(source: Path, target: Path, names: tuple[str, ...], as_json: bool) -> int:
    """Copy models from one storage to another.

    The models NAME, or else all of them and which one is the default, with all their versions and
    labels. Servers may run on both sides. What is there already is skipped: a copy that was
    interrupted is started again. What the target has no room for, by its storage.quota_bytes or
    models.max_models, is an error.
    """
    from tfaas_core.config import load_config

    # Variables of the environment would be of both sides.
    configs = load_config(source, environ={}), load_config(target, environ={})
    if len({_place(config) for config in configs}) == 1:
        raise click.ClickException(f"{source} and {target} have the same storage")
    with _opened(configs[0]) as one, _opened(configs[1]) as other:
        other.sweep()
        return _copy(_transfer(one, other, configs[1]), names, as_json)


def _place(config: Config) -> str:
    return repr((config.storage, config.base_dir.resolve()))


@contextmanager
def _opened(config: Config) -> Iterator[Storage]:
    from tfaas_core.plugins import plugins_of

    with closing(plugins_of(config).storage(config)) as storage:
        storage.open()
        yield storage


def _transfer(source: Storage, target: Storage, config: Config) -> Transfer:
    from tfaas_core.tools.transfer import Transfer
    from tfaas_core.uploads.quota import Quota

    quota = Quota(target, config.storage.quota_bytes, config.models.max_models)
    return Transfer(source, target, _progress, quota)


def _copy(transfer: Transfer, names: tuple[str, ...], as_json: bool) -> int:
    done, failed = [], []
    for name in dict.fromkeys(names or transfer.names()):
        try:
            done.append(transferred := transfer.copy(name))
        except TfaasError as error:
            failed.append({"name": name, "error": error.message})
            click.echo(f"tfaas: {name}: {' '.join(error.message.split())}", err=True)
        else:
            if not as_json:
                click.echo(_line(transferred))
    choice = None if names else _default(transfer, as_json)
    if as_json:
        print_json({"models": done, "failed": failed, "default": choice})
    elif not done and not failed:
        click.echo("there are no models to copy")
    return 1 if failed else 0


def _default(transfer: Transfer, as_json: bool) -> str | None:
    choice = transfer.copy_default()
    if choice is None:
        return None
    if not as_json:
        click.echo(f"default model: {choice.name}")
    return choice.name


def _line(transferred: Transferred) -> str:
    """Like ``vk: 3 versions copied, 1 there already``."""
    return f"{transferred.name}: {', '.join(_parts(transferred))}"


def _parts(transferred: Transferred) -> Iterable[str]:
    copied, there = transferred.copied, transferred.there
    if copied:
        yield f"{_versions(copied)} copied"
    if there:
        yield f"{there if copied else _versions(there)} there already"


def _versions(count: int) -> str:
    return f"{count} version{'s' * (count != 1)}"


@contextmanager
def _progress(name: str, size_bytes: int) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield untold
        return
    bar: Any
    with click.progressbar(length=size_bytes, label=name, file=sys.stderr) as bar:
        yield bar.update
