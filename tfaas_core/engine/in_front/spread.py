"""Spread: on how many hosts each model is to be, by the rows that wait for it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

_LONGEST_PATIENCE = 16


class SpreadSettings(msgspec.Struct, frozen=True):
    """``most``: hosts of a model, at most. ``rows``: so many in flight each of them may have;
    more call for a further one. ``calm_s``: so long, fewer have to be enough before one goes."""

    most: int
    rows: int
    calm_s: float

    @property
    def look_s(self) -> float:
        """How often to look."""
        return min(max(self.calm_s / 60, 0.1), 5.0)


class _Model(msgspec.Struct):
    """``calm_since_s``: when more than fewer hosts can do was seen last. ``left_s``: when one went.

    ``patience``: how many calms it takes until one goes.
    """

    replicas: int
    needed: int
    calm_since_s: float
    left_s: float = -math.inf
    patience: int = 1


class Spread:
    """A model grows as soon as two looks in a row agree, and shrinks by one host after a calm.

    If a host is missed within a calm after it went, the next one takes twice as long to go: rows
    that wait do not tell how busy the hosts are when none wait.
    """

    def __init__(self, settings: SpreadSettings) -> None:
        self._settings = settings
        self._models: dict[str, _Model] = {}

    def begin(self, replicas: Mapping[str, int], now_s: float) -> None:
        """On so many hosts models are already, as somebody else has decided."""
        for name, count in replicas.items():
            if (count := min(count, self._settings.most)) > 1:
                self._models[name] = _Model(count, count, now_s)

    def look(self, rows: Mapping[str, int], now_s: float) -> dict[str, int]:
        """The models that are to be on several hosts, and on how many. ``rows``: in flight now."""
        for name in self._models.keys() | rows.keys():
            needed = min(math.ceil(rows.get(name, 0) / self._settings.rows), self._settings.most)
            model = self._models.get(name)
            if model is not None:
                self._look_at(model, needed, now_s)
            elif needed > 1:
                self._models[name] = _Model(1, needed, now_s)
        self._models = {
            name: model for name, model in self._models.items() if self._matters(model, now_s)
        }
        return {name: m.replicas for name, m in self._models.items() if m.replicas > 1}

    def _look_at(self, model: _Model, needed: int, now_s: float) -> None:
        grown, model.needed = min(needed, model.needed), needed
        if needed >= model.replicas:
            model.calm_since_s = now_s
        if grown > model.replicas:
            model.replicas = grown
            missed = now_s - model.left_s < self._settings.calm_s
            model.patience = min(2 * model.patience, _LONGEST_PATIENCE) if missed else 1
        elif model.replicas > 1 and now_s - model.calm_since_s >= self._settings.calm_s * (
            model.patience
        ):
            model.replicas -= 1
            model.left_s = model.calm_since_s = now_s

    def _matters(self, model: _Model, now_s: float) -> bool:
        is_recent = now_s - model.left_s < self._settings.calm_s
        return model.replicas > 1 or model.needed > 1 or is_recent
