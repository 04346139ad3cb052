"""Start warnings: what ``tfaas serve`` warns of when it starts, and ``tfaas check`` before that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain

from tfaas_core.engine.base import MISSING
from tfaas_core.runtime import LoadOptions
from tfaas_core.system.resources.descriptors import raise_limit
from tfaas_core.tools.file_limit import too_few_files
from tfaas_core.wiring.composition import Composition


def start_warnings(
    composition: Composition, sandboxes: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """A sentence each.

    ``sandboxes``: by whom they confine, of each part, what it is made of, or MISSING and why.

    Raises this process's limit of open files. What a storage warns of, it says itself. Raises
    PluginError if a plugin's runtime cannot be asked.
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
    yield from _of_runtimes(composition)


def _of_runtimes(composition: Composition) -> Iterator[str]:
    config, examined = composition.config, composition.plugins.examined
    options = LoadOptions.of(config.engine, config.models)
    told = (
        examined("runtime", name, partial(runtime.examine, options))
        for name, runtime in composition.runtimes.items()
    )
    # Runtimes of one library say the same of it.
    yield from dict.fromkeys(chain(*told))
