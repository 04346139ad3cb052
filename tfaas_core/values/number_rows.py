"""NumberRows: rows of numbers, as a request of one input spells them, made to fit a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, show_shape
from tfaas_core.values.columns import Columns
from tfaas_core.values.inputs import only_input
from tfaas_core.values.numbers import WrongValue, cast, describe, range_of, wrong_value


class NumberRows:
    """Binds rows of numbers to one version, for a codec whose requests are such rows.

    A row is flat; if a row of the model has more axes, it holds that row's elements in C order.
    """

    def __init__(self, version: ModelVersion) -> None:
        signature = version.signature
        spec = only_input(version)
        self._model = version.name
        self._batched = signature.batch is not BatchAxis.NONE
        self._accepts_nan = Params.of(version.params).accepts_nan
        self._spec = spec
        self._shape = signature.row_shape(spec) if spec is not None else None
        self._refusal = _refusal(version, spec, self._shape)
        self._columns = Columns(version, self._shape)

    def bind(
        self,
        numbers: Array,
        single: bool,
        names: Sequence[str] | None = None,
        place: Callable[[int, int], str] = "row {}, column {}".format,
    ) -> Bound:
        """What the model takes of ``numbers``: floats or integers [rows, columns].

        ``single``: they are one row rather than a batch of one. ``names`` are those of the columns,
        which are put into the order of the model's features; None: they have none. ``place`` is
        what messages call a number, by its row and column. Raises DoesNotFit if the model takes
        no such rows, or a number does not fit its dtype.
        """
        spec = self._spec
        if spec is None or self._refusal:
            raise DoesNotFit(self._refusal, model=self._model)
        rows, columns = numbers.shape
        if not self._batched and rows != 1:
            raise DoesNotFit(
                f"model {self._model!r} takes no batches, send one row", model=self._model
            )
        if not rows:
            empty = np.zeros((0, *self._row(columns or 1)), spec.numpy_dtype)
            return Bound({spec.name: empty}, 0, False, whole=True)
        order = None if names is None else self._columns.order(list(names), "names")
        if names is not None:
            self._columns.check_count(list(names), columns, "names", "each row")
        row = self._row(columns)
        if math.prod(row) != columns:
            raise self._wrong_count(columns, math.prod(row))
        array = self._cast(spec, numbers, place)
        if order is not None:
            array = array.take(order, axis=1)
        shaped = array.reshape((rows, *row) if self._batched else row)
        return Bound({spec.name: np.ascontiguousarray(shaped)}, rows, single or not self._batched)

    def _row(self, columns: int) -> tuple[int, ...]:
        """The shape of a row of so many columns."""
        if self._shape is None:
            return (columns,)
        return tuple([columns if size is None else size for size in self._shape])

    def _cast(self, spec: TensorSpec, numbers: Array, place: Callable[[int, int], str]) -> Array:
        try:
            return cast(numbers, spec.numpy_dtype, self._accepts_nan)
        except WrongValue as wrong:
            number = numbers.flat[wrong.index].item()
            where = place(*divmod(wrong.index, numbers.shape[1]))
            takes = range_of(spec.numpy_dtype)
            raise wrong_value(where, describe(number), takes, self._model) from None

    def _wrong_count(self, got: int, expected: int) -> DoesNotFit:
        return DoesNotFit(
            f"a row has {got} number{'s' * (got != 1)}, model {self._model!r} takes {expected}",
            expected=expected,
            got=got,
            model=self._model,
        )


def _refusal(
    version: ModelVersion, spec: TensorSpec | None, shape: tuple[int | None, ...] | None
) -> str:
    """Why rows of numbers are nothing for a model; or nothing."""
    model = f"model {version.name!r}"
    if spec is None:
        return f"{model} takes {len(version.signature.inputs)} inputs, a row of numbers is for one"
    if spec.numpy_dtype.kind not in "fiu":
        return f"{model} takes {spec.dtype}, no rows of numbers"
    if shape is not None and len(shape) > 1 and None in shape:
        return f"{model} takes shape {show_shape(shape)}, a row of numbers is flat"
    return ""
