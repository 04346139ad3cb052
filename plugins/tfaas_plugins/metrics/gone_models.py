"""Gone models: those that are no longer stored, and make room for others."""

from __future__ import annotations

import time
from collections.abc import Callable

from tfaas_core.predict.catalog import Catalog
from tfaas_plugins.metrics.directory import Directory
from tfaas_plugins.metrics.shared import MOST_MODELS

_ROOM = MOST_MODELS // 2
"""As long as so many models have series, nobody needs the places of others."""

_KEPT_S = 60.0
"""For so long, Prometheus may still read what was counted of a model that is gone."""


class GoneModels:
    """Of one HTTP worker, which looks for all. Its methods belong to the event loop."""

    def __init__(
        self,
        catalog: Catalog,
        directory: Directory,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._directory = directory
        self._clock = clock
        self._since_s: dict[str, float] = {}

    def give_back(self) -> None:
        """Gives the places back of models that were deleted, if there are not many left.

        Called every few seconds. Raises TfaasError if it cannot be known what is stored.
        """
        models = self._directory.models
        if len(models) <= _ROOM:
            self._since_s.clear()
            return
        gone = models - {model.name for model in self._catalog.list()}
        now_s = self._clock()
        self._since_s = {name: self._since_s.get(name, now_s) for name in gone}
        long_gone = {name for name, since in self._since_s.items() if now_s - since >= _KEPT_S}
        if long_gone:
            self._directory.give_back(long_gone)
