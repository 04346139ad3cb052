"""Proofs: for models that take inputs of any shape, whether rows of one shape may share a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.warming.independence import independence_of
from tfaas_core.engine.in_model_process.warming.made_up import Run
from tfaas_core.engine.in_model_process.warming.trial import is_refuted
from tfaas_core.engine.in_model_process.warming.warmup import Warmed
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array

RowShapes: TypeAlias = tuple[tuple[int, ...], ...]

MOST_SHAPES = 8
"""A proof and its trial take some tenths of a second, for which other requests wait. Inputs of
further shapes run alone."""

_log = logging.getLogger("tfaas.engine")


class Proofs:
    """Proves for each combination of row shapes, when it is first asked for, and keeps that."""

    def __init__(self, servable: Servable, warmed: Warmed, run: Run, origin: Origin) -> None:
        self._servable = servable
        self._signature = warmed.signature
        self._made_up = warmed.made_up
        self._run = run
        self._origin = origin
        self._known: dict[RowShapes, bool] = {}

    def covers(self, inputs: Sequence[Array]) -> bool:
        """Whether rows of such inputs, axis 0 being the rows, may share a run."""
        shapes = tuple([array.shape[1:] for array in inputs])
        known = self._known.get(shapes)
        if known is None:
            if len(self._known) == MOST_SHAPES:
                return False
            known = self._known[shapes] = self._is_proven(shapes)
        return known

    def _is_proven(self, shapes: RowShapes) -> bool:
        try:
            return self._is_proven_and_not_refuted(shapes)
        except BaseException as error:  # a bug, or made-up values' fault: requests are answered
            self._origin.broke(f"cannot try rows of the shapes {shapes}: they run alone", error)
            return False

    def _is_proven_and_not_refuted(self, shapes: RowShapes) -> bool:
        asked = [(None, *shape) for shape in shapes]
        independence = independence_of(self._servable, self._origin, asked)
        if not independence.proven:
            key, reason = self._origin.key, independence.reason
            _log.info("%s: rows of the shapes %s run alone: %s", key, shapes, reason)
            return False
        return not (self._made_up and self._is_refuted(shapes))

    def _is_refuted(self, shapes: RowShapes) -> bool:
        specs = tuple(
            msgspec.structs.replace(spec, shape=(None, *shape))
            for spec, shape in zip(self._signature.inputs, shapes, strict=True)
        )
        return is_refuted(self._run, msgspec.structs.replace(self._signature, inputs=specs), 1)
