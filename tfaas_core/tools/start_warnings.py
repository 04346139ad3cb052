"""Start warnings: what ``tfaas serve`` warns of when it starts, and ``tfaas check`` before that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from tfaas_core.engine.base import MISSING
from tfaas_core.errors import StartupError
from tfaas_core.plugins.inquiry import OnError
from tfaas_core.plugins.loading import stop
from tfaas_core.runtime import LoadOptions
from tfaas_core.system.resources.descriptors import raise_limit
from tfaas_core.tools.file_limit import too_few_files
from tfaas_core.wiring.composition import Composition


def start_warnings(
    composition: Composition,
    sandboxes: Mapping[str, Mapping[str, str]],
    on_error: OnError = stop,
) -> Iterator[str]:
    """A sentence each.

    ``sandboxes``: by whom they confine, of each part, what it is made of, or MISSING and why. A
    runtime that cannot be asked goes to ``on_error``.

    Raises this process's limit of open files. What a storage warns of, it says itself.
    """
    config = composition.config
    if config.tls_files is not None:
        yield from config.tls_files.warnings()
    if warning := too_few_files(config, composition.workers, raise_limit()):
        yield warning
    for who, parts in sandboxes.items():
        for name, what in parts.items():
            if what.startswith(MISSING):
                yield f"{who} are not confined by `{name}`: {what.removeprefix(MISSING)}"
    # Runtimes of one library say the same of it.
    yield from dict.fromkeys(_of_runtimes(composition, on_error))


def _of_runtimes(composition: Composition, on_error: OnError) -> Iterator[str]:
    config, examined = composition.config, composition.plugins.examined
    options = LoadOptions.of(config.engine, config.models)
    for name, runtime in composition.runtimes.items():
        try:
            yield from examined("runtime", name, partial(runtime.examine, options))
        except StartupError as error:
            on_error(error)
