"""Cage: confines an HTTP worker as soon as it reads its arguments.

Libraries start threads when they are imported, which Landlock would leave out. A process reads its
arguments in order: behind this one comes what imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tfaas_core.sandbox.forgetting import forget_variables
from tfaas_core.sandbox.worker import WorkerCell, confine_worker


class Cage:
    """A process that reads it is confined from then on; ``cell`` is None: it is not.

    It has forgotten the variables ``hidden`` then.
    """

    def __init__(self, cell: WorkerCell | None, hidden: Collection[str] = ()) -> None:
        self._cell = cell
        self._hidden = frozenset(hidden)

    def __reduce__(self) -> tuple[Any, ...]:
        return _caged, (self._cell, self._hidden)


def _caged(cell: WorkerCell | None, hidden: Collection[str]) -> Cage:
    forget_variables(hidden)
    if cell is not None:
        confine_worker(cell)
    return Cage(cell, hidden)


def in_cage(_cage: Cage, main: Callable[..., None], *arguments: Any) -> None:
    """What a process is to call for ``main(*arguments)``, which is read in the cage."""
    main(*arguments)
