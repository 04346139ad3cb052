"""Nested lists to an array of one input's dtype and shape."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, TensorSpec, show_shape
from tfaas_core.values.numbers import WrongValue, describe, wrong_value
from tfaas_core.values.pieces import chained, kinds
from tfaas_plugins.codecs.values.leaves import Leaves, Numbers, leaves_for

_LISTS = {list}
_DEEPEST = 30
"""How deep values of unknown rank may be nested: what every NumPy can hold, and axes to spare."""


class Reading(msgspec.Struct, frozen=True):
    """One input's array, with its batch axis, and whether it was sent as one row."""

    array: Array
    single: bool


class _Level(msgspec.Struct, frozen=True):
    """The items of nested lists at one depth, flat; ``shape`` is how they were nested."""

    name: str
    items: list[Any]
    shape: tuple[int, ...] = ()

    def place(self, index: int) -> str:
        """Where an item was: ``values[2][5]``."""
        return self.name + "".join(f"[{i}]" for i in np.unravel_index(index, self.shape))


class ListReader:
    """Reads values for one input of one model.

    Values nested as deep as a row are one row, and get a batch axis if the model has one;
    values nested one deeper are a batch. For an input of unknown rank, lists of lists are a batch.
    Lists that end in empty ones, and are no row, are a batch without rows, or one of rows without
    elements; what they leave open has size 1.
    """

    lists_alone_hold_numbers = False
    """Whether what is no list holds no numbers, neither as bytes nor as the keys of an object."""

    def __init__(self, version: ModelVersion, spec: TensorSpec) -> None:
        self.spec = spec
        self.accepts_nan = Params.of(version.params).accepts_nan
        self.batched = version.signature.batch is not BatchAxis.NONE
        self.row_shape = version.signature.row_shape(spec)
        self._model = version.name
        self._leaves = self.make_leaves()
        self._pair = (2,) if self._leaves.pair else ()
        self._row_sizes = (*(self.row_shape or ()), *self._pair)
        self._batch_sizes = (None, *self._row_sizes)
        # All but a few models take such rows.
        self._vectors: tuple[Numbers, int] | None = None
        if self.batched and isinstance(self._leaves, Numbers) and not self._leaves.pair:
            match self.row_shape:
                case (int(length),) if length:
                    self._vectors = self._leaves, length

    def make_leaves(self) -> Leaves:
        """What makes arrays of the input's dtype."""
        return leaves_for(self.spec, self.accepts_nan)

    def read(self, values: Any, name: str, booleans: bool) -> Reading:
        """The array that ``values`` spell: C-contiguous, of the input's dtype and shape.

        ``name`` is what messages call the values. ``booleans``: whether a true or false may be
        among them. Raises DoesNotFit, naming the place, if the values are no such array.
        """
        if type(values) is not list:
            return self.read_other(values, name, booleans)
        if self._vectors is not None and values:
            numbers, length = self._vectors
            single = type(values[0]) is not list
            if single or self.lists_alone_hold_numbers or kinds(values) == _LISTS:
                array = numbers.vectors([values] if single else values, length, booleans)
                if array is not None:
                    return Reading(array, single)
        return self.read_lists(values, name, booleans)

    def read_other(self, values: Any, name: str, booleans: bool) -> Reading:
        """As ``read``, of values that are no list."""
        return self.read_lists(values, name, booleans)

    def read_lists(self, values: Any, name: str, booleans: bool) -> Reading:
        """As ``read``, of any lists; it also finds out what is wrong with them."""
        try:
            return self._nested(values, name, booleans)
        except DoesNotFit:
            reading = self._without_elements(values)
            if reading is None:
                raise
            return reading

    def no_rows(self) -> Reading:
        """A batch without rows."""
        return Reading(self._zeros((0, *(self.row_shape or ()))), False)

    def _without_elements(self, values: Any) -> Reading | None:
        """What lists that end in empty ones are, if a batch, or else a row, may be like that.

        If it is not known of how many, 1 is taken: of none, some of TensorFlow's ops refuse to
        find the largest, and others cannot tell how many rows they have.
        """
        sizes, row = _sizes_to_empty(values), self.row_shape
        if sizes is None or row is None:
            return None
        for shape in ((None, *row), row) if self.batched else (row,):
            known = len(sizes)
            if known <= len(shape) and fits(sizes, shape[:known]):
                array = self._zeros((*sizes, *shape[known:]))
                single = shape is row
                return Reading(array[np.newaxis] if single and self.batched else array, single)
        return None

    def _zeros(self, shape: tuple[int | None, ...]) -> Array:
        return np.zeros([1 if size is None else size for size in shape], self.spec.numpy_dtype)

    def _nested(self, values: Any, name: str, booleans: bool) -> Reading:
        depth = _depth(values)
        single = self._is_single(values, name, depth)
        lists: list[list[Any]] = [[values]]
        shape: tuple[int, ...] = ()
        for size in self._sizes(single, depth):
            items = chained(lists)
            length = _common_length(items)
            if length is None or size not in (None, length):
                level = _Level(name, items, shape)
                raise self._misshapen(level, size, deeper=depth - len(shape) - 1)
            shape = (*shape, length)
            lists = items
        whole = (1, *shape) if single and self.batched else shape
        try:
            return Reading(self._leaves.array(lists, whole, booleans), single)
        except WrongValue as bad:
            leaves = chained(lists)
            place = _Level(name, leaves, shape).place(bad.index)
            raise self._wrong_leaf(place, leaves[bad.index]) from None

    def _is_single(self, values: Any, name: str, depth: int) -> bool:
        if self.row_shape is None:
            if depth > _DEEPEST:
                raise self._wrong_depth(values, name, depth)
            return not self.batched or depth - len(self._pair) < 2
        extra = depth - len(self.row_shape) - len(self._pair)
        if extra == 0:
            return True
        if extra == 1 and self.batched and values != []:
            return False
        raise self._wrong_depth(values, name, depth)

    def _sizes(self, single: bool, depth: int) -> tuple[int | None, ...]:
        if self.row_shape is None:
            return (None,) * (depth - len(self._pair)) + self._pair
        return self._row_sizes if single else self._batch_sizes

    def _wrong_depth(self, values: Any, name: str, depth: int) -> DoesNotFit:
        got = f"nested {depth} deep" if type(values) is list else describe(values)
        if values == []:
            got = "empty"
        return DoesNotFit(
            f"{name} is {got}, model {self._model!r} takes {self._row()}",
            field=name,
            expected=self._row(),
            got=got,
            model=self._model,
        )

    def _row(self) -> str:
        noun, shape = self._leaves.noun, self.row_shape
        if shape is None:
            return f"{noun} nested {_DEEPEST} deep at most"
        if not shape:
            row, rows = _count(1, noun), f"a list of {noun}"
        elif len(shape) == 1:
            row = f"a list of {noun if shape[0] is None else _count(shape[0], noun)}"
            rows = "a list of such lists"
        else:
            row, rows = f"{noun} in nested lists of shape {show_shape(shape)}", "a list of those"
        return f"{row}, or {rows} for a batch" if self.batched else row

    def _misshapen(self, level: _Level, size: int | None, deeper: int) -> DoesNotFit:
        for index, item in enumerate(level.items):
            if type(item) is not list:
                return self._wrong_leaf(level.place(index), item, "a list here")
        want = len(level.items[0]) if size is None else size
        index = next(i for i, item in enumerate(level.items) if len(item) != want)
        items, place = level.items[index], level.place(index)
        if deeper == 0 and not self._pair and (leaf := self._bad_leaf(items)) is not None:
            return self._wrong_leaf(f"{place}[{leaf}]", items[leaf])
        nouns = {0: "numbers", 1: self._leaves.noun} if self._pair else {0: self._leaves.noun}
        got = _count(len(items), nouns.get(deeper, "lists"))
        who = f"{level.place(0)} has" if size is None else f"model {self._model!r} takes"
        return DoesNotFit(
            f"{place} has {got}, {who} {want}",
            field=place,
            expected=want,
            got=len(items),
            model=self._model,
        )

    def _bad_leaf(self, items: list[Any]) -> int | None:
        try:
            self._leaves.array([items], (len(items),), booleans=True)
        except WrongValue as bad:
            return bad.index
        return None

    def _wrong_leaf(self, place: str, leaf: Any, takes: str = "") -> DoesNotFit:
        got, takes = self._leaves.describe(leaf), takes or self._leaves.takes(leaf)
        return wrong_value(place, got, takes, self._model)


def fits(sizes: tuple[int, ...], row: tuple[int | None, ...]) -> bool:
    """Whether an array of these sizes is a row of this shape, where None is any size."""
    pairs = zip(row, sizes, strict=False)
    return len(sizes) == len(row) and all(want in (None, size) for want, size in pairs)


def _depth(values: Any) -> int:
    depth = 0
    while type(values) is list:
        depth += 1
        if not values:
            break
        values = values[0]
    return depth


def _sizes_to_empty(values: Any) -> tuple[int, ...] | None:
    """The sizes of lists down to empty ones, equally long at each level; None for other values."""
    level, sizes = [values], tuple[int, ...]()
    while (length := _common_length(level)) is not None:
        sizes = (*sizes, length)
        if not length:
            return sizes
        level = chained(level)
    return None


def _common_length(lists: list[Any]) -> int | None:
    if len(lists) == 1:
        return len(lists[0]) if type(lists[0]) is list else None
    if kinds(lists) != _LISTS:
        return None
    lengths = set(map(len, lists))
    return lengths.pop() if len(lengths) == 1 else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun[:-1] if number == 1 else noun}"
