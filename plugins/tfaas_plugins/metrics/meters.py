"""Meters: all that counts in one HTTP worker, and tells what all have counted."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tfaas_core.errors import TfaasError
from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics.api import MetricsApi
from tfaas_plugins.metrics.cells import Cells
from tfaas_plugins.metrics.counting import Counting, NamingCounting
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.figures import Figures
from tfaas_plugins.metrics.gone_models import GoneModels
from tfaas_plugins.metrics.sampler import Sampler
from tfaas_plugins.metrics.storage_timing import timed

if TYPE_CHECKING:
    from tfaas_core.host import Host


class Meters:
    """Made of the memory that the worker shares with the others."""

    def __init__(self, host: Host, memory: SharedMemory, names_all: bool) -> None:
        """``names_all``: whether each answer is to have an id."""
        self._host = host
        directory = Directory(memory)
        self._cells = Cells(memory, host.worker)
        kind = NamingCounting if names_all else Counting
        self.counting = kind(directory, self._cells, self._is_model, host.engine.tells_runs)
        self.figures = Figures(memory, directory, self._is_model)
        gone = GoneModels(host.catalog, directory)
        self.sampler = Sampler(host, memory, self.figures, self.counting, gone)
        self.api = MetricsApi(host, memory, directory, self.figures)

    def count_start(self) -> None:
        """Takes note that this worker has started; if another was in its place, that had died."""
        if self._cells.has_started:
            self.counting.restarted("http_worker")
        self._cells.has_started = True
        # What that one had not counted is lost.
        self._cells.settle()

    def timing_storage(self) -> AbstractContextManager[None]:
        """Counts the calls of the storage, for a block."""
        return timed(self._host.storage, self.counting.stored)

    def _is_model(self, name: str) -> bool:
        if not name:
            return False
        try:
            self._host.catalog.model(name)
        except TfaasError:
            return False
        return True
