"""How a document's values become the arrays that one version of a model takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_core.values.columns import Columns
from tfaas_core.values.inputs import only_input
from tfaas_plugins.codecs.values.document import ValuesDocument
from tfaas_plugins.codecs.values.lists import ListReader, Reading
from tfaas_plugins.codecs.values.lone_row import LoneRow

_DEFAULT_SIGNATURE = "serving_default"
_APART = (
    '; or say "batch": {"axis": "none"} in the params, if the inputs\' first axes have nothing to '
    "do with each other"
)
_NESTED = "; a batch of one row is nested one deeper than the row"


class Binding:
    """Binds documents to one version; ``make_reader`` makes what reads one input's values."""

    def __init__(
        self,
        version: ModelVersion,
        make_reader: Callable[[ModelVersion, TensorSpec], ListReader] = ListReader,
    ) -> None:
        self.version = version
        signature = version.signature
        self._batched = signature.batch is not BatchAxis.NONE
        self._is_free = signature.batch is BatchAxis.FREE
        self._readers = {_bare(spec.name): make_reader(version, spec) for spec in signature.inputs}
        self._unused = frozenset(map(_bare, signature.unused))
        self._required = [spec.name for spec in signature.inputs if spec.default is None]
        only = only_input(version)
        self._only = self._readers[_bare(only.name)] if only else None
        self._columns = Columns(version, self._only.row_shape if self._only else None)
        self._lone_row = LoneRow(version, make_reader)

    def bind(self, document: ValuesDocument) -> Bound:
        """The arrays of one row or of a batch, whichever the depth of nesting shows."""
        if document.signature is not None:
            self._check_signature(document.signature)
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
        try:
            reading = reader.read(document.values, "values", document.booleans)
        except DoesNotFit:
            row = self._lone_row.read({reader.spec.name: document.values}, document.booleans)
            if row is None:
                raise
            return Bound(row, 1, True, whole=True)
        if keys is not None:
            reading = self._arranged(reading, keys, order)
        rows = len(reading.array) if self._batched else 1
        single = reading.single or not self._batched
        return Bound({reader.spec.name: reading.array}, rows, single, not rows)

    def _bind_inputs(self, inputs: dict[str, Any], booleans: bool) -> Bound:
        """Every input's array; those that have a default may be missing."""
        arrays: dict[str, Array] = {}
        readings: dict[str, Reading] = {}
        for name, values in inputs.items():
            reader = self._readers.get(_bare(name))
            if reader is None or reader.spec.name in arrays:
                if reader is None and _bare(name) in self._unused:
                    continue
                raise self._wrong_input(name, "unknown" if reader is None else "sent twice")
            place = f"inputs.{name}"
            try:
                reading = reader.read(values, place, booleans)
            except DoesNotFit:
                row = self._lone_row.read(self._named(inputs), booleans)
                if row is None:
                    raise
                return Bound(row, 1, True, whole=True)
            readings[place] = reading
            arrays[reader.spec.name] = reading.array
        for name in self._required:
            if name not in arrays:
                raise self._wrong_input(name, "missing")
        return self._bound(readings, arrays, inputs)

    def _named(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The values of the inputs that somebody reads, by their names in the signature.

        Raises DoesNotFit if one is unknown or missing.
        """
        named: dict[str, Any] = {}
        for name, values in inputs.items():
            reader = self._readers.get(_bare(name))
            if reader is not None:
                named[reader.spec.name] = values
            elif _bare(name) not in self._unused:
                raise self._wrong_input(name, "unknown")
        for name in self._required:
            if name not in named:
                raise self._wrong_input(name, "missing")
        return named

    def _bound(
        self, readings: dict[str, Reading], arrays: dict[str, Array], inputs: dict[str, Any]
    ) -> Bound:
        if self._batched and readings:
            first, *others = readings.values()
            for other in others:
                if other.single is not first.single or len(other.array) != len(first.array):
                    return self._bound_unlike(readings, arrays, inputs)
            return Bound(arrays, len(first.array), first.single, not len(first.array))
        return Bound(arrays, 1, True)

    def _bound_unlike(
        self, readings: dict[str, Reading], arrays: dict[str, Array], inputs: dict[str, Any]
    ) -> Bound:
        """Batches of different sizes; raises DoesNotFit if the model takes none such."""
        if all(values == [] for values in self._named(inputs).values()):
            # It is a row of one input that takes any length, and no rows of another.
            empty = {name: self._readers[_bare(name)].no_rows().array for name in arrays}
            return Bound(empty, 0, False, whole=True)
        sizes = {len(reading.array) for reading in readings.values()}
        are_batches = not any(reading.single for reading in readings.values())
        if are_batches and self._is_free and len(sizes) == 2 and 1 in sizes:
            # One query and many items, say: TensorFlow knows whether that fits.
            return Bound(arrays, max(sizes), False, whole=True)
        raise self._differ(readings, _APART if are_batches else _NESTED)

    def _differ(self, readings: dict[str, Reading], hint: str) -> DoesNotFit:
        shown = {place: _rows(reading) for place, reading in readings.items()}
        (first, expected), *others = shown.items()
        place, got = next(other for other in others if other[1] != expected)
        return DoesNotFit(
            f"{first} is {expected}, {place} is {got}; send as many rows to each input{hint}",
            field=place,
            expected=expected,
            got=got,
            model=self.version.name,
        )

    def _arranged(self, reading: Reading, keys: list[str], order: list[int] | None) -> Reading:
        array = reading.array
        if array.ndim != 1 + self._batched:
            return reading
        self._columns.check_count(keys, array.shape[-1], "keys", "values")
        return reading if order is None else Reading(array.take(order, axis=-1), reading.single)

    def _check_signature(self, asked: str) -> None:
        name, model = self.version.signature.name, self.version.name
        if asked == (name or _DEFAULT_SIGNATURE):
            return
        serves = f"{name!r}" if name else f"no other than {_DEFAULT_SIGNATURE!r}"
        raise DoesNotFit(
            f"the request asks for signature {asked[:80]!r}, model {model!r} serves {serves}; "
            '"signature" in the params.json of an upload chooses another',
            field="signature_name",
            expected=name or _DEFAULT_SIGNATURE,
            got=asked[:80],
            model=model,
        )

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
