"""Models of other servers, on their way into a storage: a part of ``tfaas copy``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

import click

from tfaas_core.cli.options import print_json
from tfaas_core.errors import TfaasError
from tfaas_core.texts.spelling import printable

if TYPE_CHECKING:
    from tfaas_core.config import Config
    from tfaas_core.plugins import Plugins
    from tfaas_core.storage import Storage
    from tfaas_core.tools.served.comparison import TakenOver
    from tfaas_core.tools.served.sources import ServedModel
    from tfaas_core.tools.served.wanted import Wanted
    from tfaas_core.tools.transfer import Progress

ShowProgress: TypeAlias = "Callable[[TextIO], Progress]"
_Take: TypeAlias = "Callable[[ServedModel, str], Awaitable[TakenOver]]"


def check_renames(
    _context: click.Context, _option: click.Parameter, renames: tuple[str, ...]
) -> dict[str, str]:
    """The values of ``--rename``, each ``OLD=NEW``."""
    pairs = {}
    for rename in renames:
        old, _equals, new = rename.rpartition("=")
        if not old or not new:
            raise click.BadParameter(f"{rename!r} is not like half/plus=half_plus")
        pairs[old] = new
    return pairs


class _Report:
    """Tells of each model as it is done, past what is muted, and keeps all of it for JSON."""

    def __init__(self, out: TextIO, err: TextIO, dry_run: bool, as_json: bool) -> None:
        self._out, self._err = out, err
        self._verb = "would be copied" if dry_run else "copied"
        self._as_json = as_json
        self.models: list[dict[str, Any]] = []
        self.failed: list[dict[str, str]] = []

    def add(self, taken: TakenOver) -> None:
        """A model that was taken, wholly or in part, or not at all."""
        name = _shown(taken.name) or "''"
        notes, failed = [[_shown(each) for each in told] for told in (taken.notes, taken.failed)]
        for sentence in (*notes, *failed):
            click.echo(f"tfaas: {name}: {sentence}", file=self._err)
        self.failed += [{"name": name, "error": sentence} for sentence in failed]
        if not taken.copied and not taken.there:
            return
        counts = {"copied": taken.copied, "there": taken.there, "left_out": taken.left_out}
        self.models.append({"name": name, **counts, "notes": notes})
        if not self._as_json:
            click.echo(f"{name}: {', '.join(self._parts(taken))}", file=self._out)

    def _parts(self, taken: TakenOver) -> Iterable[str]:
        if taken.copied:
            yield f"{versions(taken.copied)} {self._verb}"
        if taken.there:
            yield f"{taken.there if taken.copied else versions(taken.there)} there already"
        if taken.left_out:
            yield f"{taken.left_out} left out by its version policy"


def _shown(text: str) -> str:
    """In one line, without what would do something to a terminal."""
    return printable(" ".join(text.split()))


def versions(count: int) -> str:
    """Like ``2 versions``."""
    return f"{count} version{'s' * (count != 1)}"


def take_over(
    source: Path,
    config: Config,
    names: Sequence[str],
    renames: Mapping[str, str],
    show_progress: ShowProgress,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Takes the models of ``source`` into the storage of ``config``; gives the exit status."""
    from tfaas_core.plugins import plugins_of
    from tfaas_core.system.output.muted import stderr_muted
    from tfaas_core.system.output.stdout import stdout_is_stderr
    from tfaas_core.tools.served.sources import served_models
    from tfaas_core.tools.served.wanted import wanted

    chosen = wanted(served_models(source), names, renames)
    plugins = plugins_of(config)
    with closing(plugins.storage(config)) as storage:
        storage.open()
        if not dry_run:
            storage.sweep()
        with stderr_muted() as err, stdout_is_stderr() as out:
            report = _Report(out, err, dry_run, as_json)
            if dry_run:
                asyncio.run(_all(chosen, _comparing(storage), report))
            elif chosen:
                progress = show_progress(err)
                asyncio.run(_taking(chosen, config, plugins, storage, progress, report))
    if as_json:
        print_json({"models": report.models, "failed": report.failed, "default": None})
    elif not chosen:
        click.echo("there are no models to copy")
    return 1 if report.failed else 0


async def _taking(
    chosen: Sequence[Wanted],
    config: Config,
    plugins: Plugins,
    storage: Storage,
    progress: Progress,
    report: _Report,
) -> None:
    from tfaas_core.tools.served.takeover import Takeover

    async with Takeover.opened(config, plugins, storage, progress) as takeover:
        await _all(chosen, takeover.take, report)


def _comparing(storage: Storage) -> _Take:
    from tfaas_core.tools.served.comparison import compared

    async def compare(model: ServedModel, name: str) -> TakenOver:
        return compared(storage, model, name)[0]

    return compare


async def _all(chosen: Sequence[Wanted], take: _Take, report: _Report) -> None:
    from tfaas_core.tools.served.comparison import TakenOver, sentence_of

    for each in chosen:
        taken = TakenOver(each.name, failed=[each.refusal])
        if each.model is not None:
            try:
                taken = await take(each.model, each.name)
            except (TfaasError, OSError) as error:
                taken.failed = [sentence_of(error)]
        report.add(taken)
