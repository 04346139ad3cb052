"""``tfaas copy``."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from tfaas_core.cli.client import reason
from tfaas_core.cli.harmless import say
from tfaas_core.cli.options import json_option, print_json
from tfaas_core.cli.storage.take_over import check_renames, take_over, versions
from tfaas_core.errors import TfaasError
from tfaas_core.files.regular_file import UnfitFileError, read_regular
from tfaas_core.system.output.progress import Advance, untold

if TYPE_CHECKING:
    from tfaas_core.config import Config
    from tfaas_core.storage import Storage
    from tfaas_core.tools.transfer import Progress, Transfer, Transferred

_MOST_TOML_BYTES = 1 << 20
_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: tfaas copy --from laptop.toml --to group.toml vk")
@click.option(
    "--from",
    "source",
    metavar="PLACE",
    type=_PATH,
    required=True,
    help="Where the models are: a TOML file, or what another server serves.",
)
@click.option(
    "--to", "target", metavar="FILE", type=_PATH, required=True, help="Where they go: a TOML file."
)
@click.option(
    "--rename",
    "renames",
    metavar="OLD=NEW",
    multiple=True,
    callback=check_renames,
    help="Take the other server's model OLD as NEW. May be given again.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and store nothing.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
def copy(
    source: Path,
    target: Path,
    renames: dict[str, str],
    dry_run: bool,
    names: tuple[str, ...],
    as_json: bool,
) -> int:
    """Copy models into a storage, from another one or another server.

    The models NAME, or else all of them and which one is the default, with all their versions and
    labels. Servers may run on both sides. What is there already is skipped: a copy that was
    interrupted is started again. What the target has no room for, by its storage.quota_bytes or
    models.max_models, is an error.

    PLACE may be a models.config of TensorFlow Serving, a base path of a model, or a repository of
    Triton: then each version is loaded and tried as an upload is.
    """
    from tfaas_core.config import load_config

    # Variables of the environment would be of both sides.
    config = load_config(target, environ={})
    if _is_of_another_server(source):
        return take_over(source, config, names, renames, _progress_on, dry_run, as_json)
    if renames:
        raise click.UsageError("--rename is for models of another server")
    configs = load_config(source, environ={}), config
    if len({_place(config) for config in configs}) == 1:
        raise click.ClickException(f"{source} and {target} have the same storage")
    with _opened(configs[0]) as one, _opened(configs[1]) as other:
        if not dry_run:
            other.sweep()
        return _copy(_transfer(one, other, configs[1]), names, dry_run, as_json)


def _is_of_another_server(source: Path) -> bool:
    if source.suffix == ".toml":
        return False
    if not source.exists():
        raise click.ClickException(f"there is no file or folder {source}")
    if source.is_dir():
        return True
    try:
        # An empty one has no models, of whichever kind it is.
        return not tomllib.loads(read_regular(source, _MOST_TOML_BYTES).decode())
    except UnfitFileError:
        return True
    except OSError as error:
        raise click.ClickException(f"{source} cannot be read: {reason(error)}") from None
    except (ValueError, RecursionError):
        return True


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
    return Transfer(source, target, _progress_on(sys.stderr), quota)


def _copy(transfer: Transfer, names: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    done, failed = [], []
    copy_one = transfer.compared if dry_run else transfer.copy
    for name in dict.fromkeys(names or transfer.names()):
        try:
            done.append(transferred := copy_one(name))
        except TfaasError as error:
            failed.append({"name": name, "error": error.message})
            say(f"tfaas: {name}: {' '.join(error.message.split())}", err=True)
        else:
            if not as_json:
                say(_line(transferred, "would be copied" if dry_run else "copied"))
    choice = None if names or dry_run else _default(transfer, as_json)
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


def _line(transferred: Transferred, verb: str) -> str:
    """Like ``vk: 3 versions copied, 1 there already``."""
    return f"{transferred.name}: {', '.join(_parts(transferred, verb))}"


def _parts(transferred: Transferred, verb: str) -> Iterable[str]:
    copied, there = transferred.copied, transferred.there
    if copied:
        yield f"{versions(copied)} {verb}"
    if there:
        yield f"{there if copied else versions(there)} there already"


def _progress_on(stream: TextIO) -> Progress:
    return partial(_progress, stream)


@contextmanager
def _progress(stream: TextIO, name: str, size_bytes: int) -> Iterator[Advance]:
    if not stream.isatty():
        yield untold
        return
    bar: Any
    with click.progressbar(length=size_bytes, label=name, file=stream) as bar:
        yield bar.update
