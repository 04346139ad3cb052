"""How a document's values become the arrays that one version of a model takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tfaas_core.errors import DoesNotFit
from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_plugins.values_columns import Columns
from tfaas_plugins.values_document import ValuesDocument
from tfaas_plugins.values_lists import ListReader, Reading

_MOST_BINDINGS = 256

B = TypeVar("B")


class Bindings(Generic[B]):
    """What a codec works out of each version beforehand, kept for as long as it is in use."""

    def __init__(self, make: Callable[[ModelVersion], B]) -> None:
        self._make = make
        self._kept: dict[int, tuple[ModelVersion, B]] = {}

    def of(self, version: ModelVersion) -> B:
        """What ``make`` made of this version."""
        # By identity, as a record holds a dict and so has no hash. While a version is kept, no
        # other one has the same id.
        kept = self._kept.get(id(version))
        if kept is None:
            if len(self._kept) >= _MOST_BINDINGS:
                self._kept.clear()
            kept = self._kept[id(version)] = version, self._make(version)
        return kept[1]


class Binding:
    """Binds documents to one version; ``make_reader`` makes what reads one input's values."""

    def __init__(
        self,
        version: ModelVersion,
        make_reader: Callable[[ModelVersion, TensorSpec], ListReader] = ListReader,
    ) -> None:
        self.version = version
        self._batched = version.signature.batch is not BatchAxis.NONE
        inputs = version.signature.inputs
        self._readers = {_bare(spec.name): make_reader(version, spec) for spec in inputs}
        self._only = next(iter(self._readers.values())) if len(inputs) == 1 else None
        self._columns = Columns(version, self._only.row_shape if self._only else None)

    def bind(self, document: ValuesDocument) -> Bound:
        """The arrays of one row or of a batch, whichever the depth of nesting shows."""
        if document.inputs is None:
            return self._bind_values(document)
        return self._bind_inputs(document.inputs, document.booleans)

    def _bind_values(self, document: ValuesDocument) -> Bound:
        """The one input's array, its columns in the order of the model's features."""
        reader, keys = self._only, document.keys
        if reader is None:
            raise self._takes_inputs()
        if document.values is None:
            raise DoesNotFit("values is missing", field="values", model=self.version.name)
        order = None if keys is None else self._columns.order(keys, "keys")
        reading = reader.read(document.values, "values", document.booleans)
        if keys is not None:
            reading = self._arranged(reading, keys, order)
        rows = len(reading.array) if self._batched else 1
        single = reading.single or not self._batched
        return Bound({reader.spec.name: reading.array}, rows, single)

    def _bind_inputs(self, inputs: dict[str, Any], booleans: bool) -> Bound:
        """Every input's array; all of them one row, or batches of the same number of rows."""
        arrays: dict[str, Array] = {}
        readings: dict[str, Reading] = {}
        for name, values in inputs.items():
            reader = self._readers.get(_bare(name))
            if reader is None or reader.spec.name in arrays:
                raise self._wrong_input(name, "unknown" if reader is None else "sent twice")
            place = f"inputs.{name}"
            readings[place] = reader.read(values, place, booleans)
            arrays[reader.spec.name] = readings[place].array
        for spec in self.version.signature.inputs:
            if spec.name not in arrays:
                raise self._wrong_input(spec.name, "missing")
        return self._bound(readings, arrays)

    def _bound(self, readings: dict[str, Reading], arrays: dict[str, Array]) -> Bound:
        if not self._batched or not readings:
            return Bound(arrays, 1, True)
        (first, reading), *others = readings.items()
        for place, other in others:
            if other.single is not reading.single or len(other.array) != len(reading.array):
                raise DoesNotFit(
                    f"{first} is {_rows(reading)}, {place} is {_rows(other)}; "
                    "every input takes as many rows",
                    field=place,
                    expected=_rows(reading),
                    got=_rows(other),
                    model=self.version.name,
                )
        return Bound(arrays, len(reading.array), reading.single)

    def _arranged(self, reading: Reading, keys: list[str], order: list[int] | None) -> Reading:
        array = reading.array
        if array.ndim != 1 + self._batched:
            return reading
        self._columns.check_count(keys, array.shape[-1], "keys", "values")
        return reading if order is None else Reading(array.take(order, axis=-1), reading.single)

    def _wrong_input(self, name: str, fault: str) -> DoesNotFit:
        names = [spec.name for spec in self.version.signature.inputs]
        return DoesNotFit(
            f"input {name[:80]!r} is {fault}, model {self.version.name!r} takes "
            f"{', '.join(map(repr, names))}",
            field=f"inputs.{name[:80]}",
            expected=names,
            model=self.version.name,
        )

    def _takes_inputs(self) -> DoesNotFit:
        names = [spec.name for spec in self.version.signature.inputs]
        spelt = ", ".join(f'"{name}": ...' for name in names)
        return DoesNotFit(
            f'model {self.version.name!r} takes several inputs, send "inputs": {{{spelt}}}',
            field="inputs",
            expected=names,
            model=self.version.name,
        )


def _bare(name: str) -> str:
    return name.removesuffix(":0")


def _rows(reading: Reading) -> str:
    if reading.single:
        return "one row"
    count = len(reading.array)
    return f"a batch of {count} row{'s' * (count != 1)}"
