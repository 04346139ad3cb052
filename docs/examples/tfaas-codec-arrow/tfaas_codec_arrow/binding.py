"""How a table becomes what one version of a model takes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from tfaas_codec_arrow.input_column import InputColumn, row_place
from tfaas_codec_arrow.kinds import is_list
from tfaas_codec_arrow.leaves import LeafReader
from tfaas_codec_arrow.limit import Limit
from tfaas_codec_arrow.source import Source
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_core.values.columns import Columns
from tfaas_core.values.inputs import only_input
from tfaas_core.values.number_rows import NumberRows

_INDEX = "__index_level_"
"""How a column begins that pandas makes of an index without a name."""


class TableBinding:
    """Binds tables to one version."""

    def __init__(self, version: ModelVersion, limit: Limit) -> None:
        signature = version.signature
        self._version = version
        self._limit = limit
        self._batched = signature.batch is not BatchAxis.NONE
        self._inputs = {spec.name: spec for spec in signature.inputs}
        self._only = only_input(version)
        self._readers = {spec.name: LeafReader(version, spec) for spec in signature.inputs}
        self._rows = NumberRows(version)
        row_shape = signature.row_shape(self._only) if self._only is not None else None
        self._columns = Columns(version, row_shape)

    def bind(self, source: Source) -> Bound:
        """Raises BadBody, DoesNotFit, and TooLarge before anything large is made."""
        schema = source.schema
        places = [i for i, name in enumerate(schema.names) if not name.startswith(_INDEX)]
        fields = [schema.field(place) for place in places]
        specs = self._specs(fields)
        if specs is None:
            order = self._columns.order([field.name for field in fields], "names")
            if order is not None:
                places = [places[each] for each in order]
        batches = [batch.select(places) for batch in source.batches(self._limit) if len(batch)]
        if specs is None:
            return self._bind_numbers([schema.field(place) for place in places], batches)
        return self._bind_inputs(specs, fields, batches)

    def _specs(self, fields: list[pa.Field]) -> list[TensorSpec | None] | None:
        """The input that each column is for, None if nobody reads it; None: they are numbers."""
        names, unused = [field.name for field in fields], self._version.signature.unused
        if names and all(name in self._inputs or name in unused for name in names):
            for name in names:
                if names.count(name) > 1:
                    raise self._misfit(f"{name[:80]!r} is sent twice")
            return [self._inputs.get(name) for name in names]
        if self._only is not None and len(fields) == 1 and is_list(fields[0].type):
            return [self._only]
        if self._only is not None and self._only.numpy_dtype.kind in "fiu":
            return None
        unknown = next((name for name in names if name not in (*self._inputs, *unused)), None)
        got = "there is none" if unknown is None else f"{unknown[:80]!r} is none of these"
        raise self._misfit(f"{got}; send a column for each of {', '.join(map(repr, self._inputs))}")

    def _misfit(self, message: str) -> DoesNotFit:
        return DoesNotFit(
            f"the columns are no inputs of model {self._version.name!r}: {message}",
            expected=[*self._inputs],
            model=self._version.name,
        )

    def _bind_numbers(self, fields: list[pa.Field], batches: list[pa.RecordBatch]) -> Bound:
        """Each column is one of the numbers of a row."""
        assert self._only is not None
        rows = sum(map(len, batches))
        dtype = self._only.numpy_dtype
        self._limit.check(rows * max(1, len(fields)) * dtype.itemsize)
        reader = self._readers[self._only.name]
        for field in fields:
            reader.check_type(field.type, f"column {field.name[:80]!r}")
        numbers = np.empty((rows, len(fields)), dtype)
        start = 0
        for batch in batches:
            for index, field in enumerate(fields):
                place = partial(row_place, field.name, start)
                numbers[start : start + len(batch), index] = reader.read(batch[index], place)
            start += len(batch)
        return self._rows.bind(numbers, single=rows == 1)

    def _bind_inputs(
        self, specs: list[TensorSpec | None], fields: list[pa.Field], batches: list[pa.RecordBatch]
    ) -> Bound:
        """Each column is an input; lists in it are further axes."""
        rows = sum(map(len, batches))
        if not self._batched and rows != 1:
            model = self._version.name
            raise DoesNotFit(
                f"model {model!r} takes no batches, send a table of one row", model=model
            )
        arrays: dict[str, Array] = {}
        taken = rows  # of lists without elements, too, there may not be any number
        for index, (spec, field) in enumerate(zip(specs, fields, strict=True)):
            if spec is not None:
                chunks = [batch[index] for batch in batches]
                column = InputColumn(self._version, spec, self._readers[spec.name], field, chunks)
                taken += column.needed_bytes
                self._limit.check(taken)
                arrays[spec.name] = column.array()
        return Bound(arrays, rows, single=rows == 1, whole=not rows)
