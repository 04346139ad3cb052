"""How a ROOT file becomes what one version of a model takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod

import numpy as np

from tfaas_codec_root.blocks import bounded_by
from tfaas_codec_root.budget import Budget
from tfaas_codec_root.damage import quoted, reading
from tfaas_codec_root.file import table_in
from tfaas_codec_root.numbers import InputNumbers
from tfaas_codec_root.settings import Pad, Settings
from tfaas_codec_root.table import Column, Table
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, show_shape
from tfaas_core.values.inputs import only_input
from tfaas_core.values.number_rows import NumberRows

_ELEMENT = re.compile(r"(.+)(?:_([0-9]{1,5})|\[([0-9]{1,5})\])")
"""A feature that is an element of a branch, as ``Jet_pt_0`` or ``Jet_pt[0]``."""


class FileBinding:
    """Binds ROOT files to one version; raises DoesNotFit if its params say nonsense of them."""

    def __init__(self, version: ModelVersion, limit_bytes: int) -> None:
        self._version = version
        self._limit_bytes = limit_bytes
        self._settings = Settings.of(version)
        self._features = Params.of(version.params).features
        self._inputs = version.signature.inputs
        self._batched = version.signature.batch is not BatchAxis.NONE
        self._only = only_input(version)
        self._rows = NumberRows(version)

    def bind(self, body: bytes, tree: str) -> Bound:
        """Raises BadBody, DoesNotFit, and TooLarge before anything large is made."""
        budget = Budget(self._limit_bytes)
        wanted = tree or self._settings.tree
        with bounded_by(budget), table_in(body, wanted, budget) as table:
            needed = [spec.name for spec in self._inputs if spec.default is None]
            if not self._features and needed and all(name in table.names for name in needed):
                return self._bind_inputs(table, budget)
            return self._bind_numbers(table, budget)

    def _bind_numbers(self, table: Table, budget: Budget) -> Bound:
        """The branches are numbers of the one input's rows."""
        spec = self._only
        if spec is None or spec.numpy_dtype.kind not in "fiu":
            inputs = [each.name for each in self._inputs]
            missing = [name for name in inputs if name not in table.names]
            raise table.missing((missing or inputs)[0], self._version.name)
        numbers = InputNumbers(self._version, spec, budget)
        parts = [*(self._features_of if self._features else self._all_of)(table, numbers)]
        rows = np.concatenate(parts, axis=1) if parts else np.empty((table.rows, 0), np.float32)
        self._check_width(table, rows.shape[1])
        return self._rows.bind(rows, single=table.rows == 1)

    def _features_of(self, table: Table, numbers: InputNumbers) -> Iterator[Array]:
        read: dict[str, Column] = {}
        for feature in self._features:
            name, element = self._place_of(feature, table)
            if name not in read:
                read[name] = _column(table, name)
            yield self._feature_of(read[name], feature, name, element, numbers)

    def _feature_of(
        self, column: Column, feature: str, name: str, element: int | None, numbers: InputNumbers
    ) -> Array:
        is_list = column.counts is not None
        if element is None and (is_list or column.width > 1):
            several = "a list" if is_list else f"{column.width} numbers"
            raise self._misfit(
                f"branch {quoted(name)} has {several} for each entry; name its elements as "
                f"features {quoted(f'{name}_0')} and so on"
            )
        pad, at = self._settings.pad.get(name), element or 0
        if is_list and column.width == 1 and at < ((pad and pad.length) or at + 1):
            return numbers.element(column, at, pad, name, at + 1)
        if not is_list and at < column.width:
            one = np.ascontiguousarray(column.values[:, at : at + 1])
            return numbers.all_of(Column(one), name)
        raise self._misfit(
            f"branch {quoted(name)} has {_described(column, pad)} for each entry, none of which is "
            f"feature {quoted(feature)}"
        )

    def _place_of(self, feature: str, table: Table) -> tuple[str, int | None]:
        """The branch that a feature is, or is an element of, and which."""
        if feature in table.names:
            return feature, None
        element = _ELEMENT.fullmatch(feature)
        if element is None or element[1] not in table.names:
            raise table.missing(feature, self._version.name)
        return element[1], int(element[2] or element[3])

    def _all_of(self, table: Table, numbers: InputNumbers) -> Iterator[Array]:
        """All branches but those that count the elements of others, in the order of the tree."""
        counters = table.counters
        for name in table.names:
            if name not in counters:
                yield self._rows_of(_column(table, name), name, numbers, None)

    def _rows_of(
        self, column: Column, name: str, numbers: InputNumbers, takes: int | None
    ) -> Array:
        """All numbers of each entry, [entries, numbers]. ``takes``: how many; None: any number."""
        pad = self._settings.pad.get(name)
        if column.counts is None or pad is None:
            count = column.common_count(f"branch {quoted(name)}")
            entries = len(column.values if column.counts is None else column.counts)
            return numbers.all_of(column, name).reshape(entries, count * column.width)
        length = pad.length or (takes or 0) // column.width
        if not length:
            raise self._misfit(
                f"params.root.pad of branch {quoted(name)} has no length, and the model takes any"
            )
        elements = [numbers.element(column, number, pad, name, length) for number in range(length)]
        return np.concatenate(elements, axis=1)

    def _check_width(self, table: Table, width: int) -> None:
        assert self._only is not None
        shape = self._version.signature.row_shape(self._only)
        takes = None if shape is None or None in shape else prod(size or 0 for size in shape)
        if takes is not None and takes != width and not self._features:
            raise self._misfit(
                f"the branches of {table.kind} {quoted(table.name)} have {width} numbers for each "
                f'entry, the model takes {takes}; "features" in its params names those to take'
            )

    def _bind_inputs(self, table: Table, budget: Budget) -> Bound:
        """Each input is a branch of its name."""
        if not self._batched and table.rows != 1:
            raise self._misfit("the model takes no batches, send a tree of one entry")
        arrays: dict[str, Array] = {}
        for spec in self._inputs:
            if spec.name in table.names:
                array = self._input_of(table, spec, budget)
                arrays[spec.name] = array if self._batched else array[0]
        return Bound(arrays, table.rows, single=table.rows == 1, whole=not table.rows)

    def _input_of(self, table: Table, spec: TensorSpec, budget: Budget) -> Array:
        name, dtype = spec.name, spec.numpy_dtype
        if dtype.kind not in "bfiu":
            kind = "text" if dtype.kind == "O" else "complex numbers"
            raise self._misfit(
                f"input {quoted(name)} is of {kind}, which ROOT files are not read for"
            )
        takes = self._version.signature.row_shape(spec)
        if not table.rows:
            sizes = (1,) if takes is None else tuple(size or 0 for size in takes)
            return np.zeros((0, *sizes), dtype)
        column = _column(table, name)
        width = None if takes is None or None in takes else prod(size or 0 for size in takes)
        reader = InputNumbers(self._version, spec, budget)
        numbers = self._rows_of(column, name, reader, width)
        row = _row_shape(numbers.shape[1] // column.width, column, takes)
        if row is None:
            got = _described(column, self._settings.pad.get(name))
            raise self._misfit(
                f"branch {quoted(name)} has {got} for each entry, the model takes "
                f"{show_shape(takes)}"
            )
        return np.ascontiguousarray(numbers.reshape(table.rows, *row))

    def _misfit(self, message: str) -> DoesNotFit:
        name = self._version.name
        return DoesNotFit(f"{message} (model {name!r})", model=name)


def _column(table: Table, name: str) -> Column:
    with reading():
        return table.read(name)


def _described(column: Column, pad: Pad | None) -> str:
    if column.counts is None:
        return f"{column.width} number{'s' * (column.width != 1)}"
    length = f"{pad.length} elements" if pad and pad.length else "a list"
    return length if column.width == 1 else f"{length} of {column.width} numbers each"


def _row_shape(
    length: int, column: Column, takes: tuple[int | None, ...] | None
) -> tuple[int, ...] | None:
    """The shape of a row: the axes of the column, or all its numbers in the model's axes."""
    sizes = (
        *((length,) if column.counts is not None else ()),
        *((column.width,) * (column.width > 1)),
    )
    if takes is None or (
        len(takes) == len(sizes)
        and all(take in (None, size) for take, size in zip(takes, sizes, strict=True))
    ):
        return sizes
    known = prod(size for size in takes if size is not None)
    numbers = length * column.width
    if takes.count(None) > 1 or not known or numbers % known:
        return None
    row = tuple(numbers // known if size is None else size for size in takes)
    return row if prod(row) == numbers else None
