"""One row, sent to a model of several inputs that has no batch axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_plugins.codecs.values.lists import ListReader


class LoneRow:
    """Reads values that are all nested one less deep than the model's tensors.

    Whoever sends rows to a model need not know that its tensors may have first axes of different
    sizes, and so no batch axis. Inputs that are left out are no matter.
    """

    def __init__(
        self, version: ModelVersion, make_reader: Callable[[ModelVersion, TensorSpec], ListReader]
    ) -> None:
        signature = version.signature
        self._readers: dict[str, ListReader] = {}
        if signature.batch is BatchAxis.NONE and len(signature.inputs) > 1:
            replace = msgspec.structs.replace
            rows = replace(version, signature=replace(signature, batch=BatchAxis.FREE))
            self._readers = {
                spec.name: make_reader(rows, spec)
                for spec in signature.inputs
                if _may_hold_one_row(spec)
            }

    def read(self, values: dict[str, Any], booleans: bool) -> dict[str, Array] | None:
        """The array of each input's values, with a first axis of size 1; None: they are no row.

        ``booleans``: as for ``ListReader.read``.
        """
        if not values or not values.keys() <= self._readers.keys():
            return None
        arrays: dict[str, Array] = {}
        for name in values:
            try:
                reading = self._readers[name].read(values[name], name, booleans)
            except DoesNotFit:
                return None
            if not reading.single:
                return None
            arrays[name] = reading.array
        return arrays


def _may_hold_one_row(spec: TensorSpec) -> bool:
    return (spec.shape or (0,))[0] in (None, 1)
