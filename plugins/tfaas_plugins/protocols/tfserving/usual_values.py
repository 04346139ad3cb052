"""UsualValues: what nearly all predict requests hold, rows of numbers, read at once."""

from __future__ import annotations

from typing import Any

import msgspec

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound
from tfaas_plugins.protocols.vectors import Vectors


class Read(msgspec.Struct, frozen=True):
    """What a request holds, and whether by rows, as it is answered, or by columns."""

    bound: Bound
    by_rows: bool


class UsualValues:
    """Reads them for one version, as ``tensors.values_of`` would, which reads all others."""

    def __init__(self, version: ModelVersion) -> None:
        signature = version.signature
        found = {spec.name: Vectors.of(spec) for spec in signature.inputs}
        readers = {name: reader for name, reader in found.items() if reader is not None}
        is_usual = len(readers) == len(found) and signature.batch is not BatchAxis.NONE
        self._readers = readers if is_usual and not signature.unused else {}
        self._only = next(iter(self._readers)) if len(self._readers) == 1 else None

    def of(self, document: dict[str, Any], booleans: bool) -> Read | None:
        """None: they are not as usual. ``booleans``: whether the body may hold any."""
        if not self._readers or ("instances" in document) is ("inputs" in document):
            return None
        rows = document.get("instances")
        columns = document.get("inputs") if rows is None else self._columns_of(rows)
        if self._only is not None and type(columns) is list:
            columns = {self._only: columns}
        bound = self._bound(columns, booleans) if type(columns) is dict else None
        return None if bound is None else Read(bound, rows is not None)

    def _columns_of(self, rows: Any) -> Any:
        """The values of each input, if rows have names for them; or else the rows."""
        if type(rows) is not list or not rows:
            return None
        if type(rows[0]) is not dict:
            return rows
        names = self._readers.keys()
        if any(type(row) is not dict or row.keys() != names for row in rows):
            return None
        return {name: [row[name] for row in rows] for name in names}

    def _bound(self, columns: dict[str, Any], booleans: bool) -> Bound | None:
        """As many rows of each input."""
        if columns.keys() != self._readers.keys():
            return None
        arrays: dict[str, Array] = {}
        rows = 0
        for name, reader in self._readers.items():
            values = columns[name]
            if type(values) is not list or not values:
                return None
            array = reader.of_rows(values, booleans)
            if array is None or len(array) != (rows or len(array)):
                return None
            arrays[name], rows = array, len(array)
        return Bound(arrays, rows, single=False)
