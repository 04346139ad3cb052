"""Tensors as a model declares them, and the check that a request's arrays are such tensors."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfaas_core.errors import DoesNotFit
from tfaas_core.levels import stands_for

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]

NUMPY_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in (
        *("float16", "float32", "float64", "complex64", "complex128", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
} | {"string": np.dtype(object)}
"""The dtypes of tensors, by TensorFlow's name. Strings are an object array of bytes."""


class TensorSpec(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """One input or output: TensorFlow's dtype name, and the shape with its batch axis first.

    ``None`` in a shape is a size that a request chooses; a shape of ``None`` is of unknown rank.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    default: Any = None
    """Of an input that a request may leave out: its value, as JSON spells it. None: it may not."""
    constant: bool = False
    """Whether an output is the same for all inputs: it has no batch axis, and is answered once."""
    carried: str = ""
    """The dtype in the model itself, if arrays of another one stand for it: bfloat16, each of whose
    values float32 holds, too. Empty: it is ``dtype``."""

    @cached_property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of such an array."""
        return NUMPY_DTYPES[self.dtype]

    def __str__(self) -> str:
        return f"{self.dtype} {show_shape(self.shape)}"


class BatchAxis(StrEnum):
    """What axis 0 of every input and output of a signature is."""

    FREE = "free"
    """The rows of a batch, as many as a request likes."""
    ONE = "one"
    """A batch of exactly one row: many rows take as many runs."""
    NONE = "none"
    """Nothing special: the model takes whole tensors, one request at a time."""


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model takes and gives, in the order in which a Servable takes and gives it.

    ``name`` is what the model's file calls it, empty if it has no name there. ``unused`` are
    further inputs of the model, which no output needs: a request may send them, and nobody reads
    them. ``left_out`` are inputs and outputs that are not served, each with the reason, such as
    "scores (qint8)".
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: BatchAxis
    name: str = ""
    unused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def row_shape(self, spec: TensorSpec) -> tuple[int | None, ...] | None:
        """The shape of one row: without the batch axis, if there is one."""
        if self.batch is BatchAxis.NONE or spec.shape is None or spec.constant:
            return spec.shape
        return spec.shape[1:]


class Bound(msgspec.Struct, frozen=True):
    """A request's values as arrays that a model can run on.

    ``arrays``: every input under its name, of the signature's dtype, in the machine's byte order,
    or Levels that stand for such; with a batch axis, axis 0 has size ``rows``. ``rows`` is 1 for a
    signature without one. ``single`` says that the client sent one row rather than a batch, so that
    a codec answers in kind. ``whole`` says that the arrays are no rows to be merged with others or
    cut: they run alone, as they are, and are answered as the model answers them. Their first axes
    may have different sizes then, or none. ``any_shape``, of what is ``whole``, says that the
    shapes need not be the signature's: the model takes them if what it computes does.
    """

    arrays: Arrays
    rows: int
    single: bool
    whole: bool = False
    any_shape: bool = False


def show_shape(shape: tuple[int | None, ...] | None) -> str:
    """A shape as messages show it: ``[?, 42]``, or ``of any shape``."""
    if shape is None:
        return "of any shape"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def conform(signature: Signature, bound: Bound) -> list[Array]:
    """The arrays of ``bound`` in the signature's order.

    An input with a default that is missing gets it; what the signature calls unused is left out.
    Raises DoesNotFit if a name is missing or unknown, or a dtype, shape or number of rows is
    not the signature's: after this, no request can make a batch fail for its neighbours. The first
    axes of a ``whole`` request are held against the signature alone, and the shapes of one of
    ``any_shape`` against nothing.
    """
    arrays = bound.arrays
    if len(arrays) != len(signature.inputs):
        _check_names(signature, arrays)
    rows = _rows_to_check(signature.batch, bound)
    ordered, given = [], 0
    for spec in signature.inputs:
        array = arrays.get(spec.name)
        if array is None:
            _check_names(signature, arrays)
            ordered.append(default_of(spec))
            continue
        dtype = spec.numpy_dtype
        if (array.dtype != dtype and not stands_for(array, dtype)) or not (
            _fits(array.shape, spec.shape, rows) or bound.any_shape
        ):
            raise _wrong_tensor(spec, array, rows)
        ordered.append(array)
        given += 1
    if given != len(arrays):
        _check_names(signature, arrays)
    return ordered


def is_declared(signature: Signature, arrays: Arrays, rows: int) -> bool:
    """Whether ``arrays`` have the shapes of ``signature``, axis 0 being so many ``rows``.

    What no input is called is passed over, and so is an input that is missing.
    """
    checked = _rows_to_check(signature.batch, Bound(arrays, rows, single=False))
    return all(
        _fits(arrays[spec.name].shape, spec.shape, checked)
        for spec in signature.inputs
        if spec.name in arrays
    )


def by_name(signature: Signature, outputs: Sequence[Array]) -> Arrays:
    """The outputs, which are in the signature's order, under their names."""
    return {spec.name: output for spec, output in zip(signature.outputs, outputs, strict=True)}


def runs_whole(signature: Signature, bound: Bound) -> bool:
    """Whether a conforming request is to be run by itself, and not to be cut.

    This is so if it is ``whole``, or if a default that it gets has another number of rows.
    """
    if bound.whole or (len(bound.arrays) == len(signature.inputs) and not signature.unused):
        return bound.whole
    if signature.batch is BatchAxis.NONE:
        return False
    missing = [spec for spec in signature.inputs if spec.name not in bound.arrays]
    return any(default_of(spec).shape[:1] != (bound.rows,) for spec in missing)


def default_of(spec: TensorSpec) -> Array:
    """The default of an input that has one."""
    if spec.dtype == "string":
        return _strings(spec.default)
    if spec.numpy_dtype.kind == "c":
        pairs = np.array(spec.default, np.float64)
        return (pairs[..., 0] + 1j * pairs[..., 1]).astype(spec.numpy_dtype)
    return np.array(spec.default, spec.numpy_dtype)


def _strings(value: Any) -> Array:
    if not isinstance(value, list):
        text = b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
        return np.array([text, None], object)[:1].reshape(())
    if not value:
        return np.array([], object)
    return np.stack([_strings(each) for each in value])


def _rows_to_check(batch: BatchAxis, bound: Bound) -> int | None:
    """The size of each input's first axis, if the request as a whole settles it."""
    if batch is BatchAxis.NONE:
        return None
    # A batch axis of one takes no rows, too, though the signature says 1.
    is_as_it_says = bound.whole and (bound.rows or batch is BatchAxis.FREE)
    return None if is_as_it_says else bound.rows


def _fits(shape: tuple[int, ...], spec: tuple[int | None, ...] | None, rows: int | None) -> bool:
    if rows is not None and shape[:1] != (rows,):
        return False
    if spec is None:
        return True
    if len(shape) != len(spec):
        return False
    if rows is not None and shape[1:] == spec[1:]:
        return True
    first = 0 if rows is None else 1
    return all(spec[axis] in (None, shape[axis]) for axis in range(first, len(spec)))


def _check_names(signature: Signature, arrays: Arrays) -> None:
    """Raises DoesNotFit for a name that is missing, and has no default, or unknown."""
    expected = [spec.name for spec in signature.inputs]
    needed = [spec.name for spec in signature.inputs if spec.default is None]
    missing = [name for name in needed if name not in arrays]
    unknown = [name for name in arrays if name not in expected and name not in signature.unused]
    if not missing and not unknown:
        return
    what = f"input {missing[0]!r} is missing" if missing else f"there is no input {unknown[0]!r}"
    raise DoesNotFit(
        f"{what}; the model takes {', '.join(map(repr, expected))}",
        field=(missing or unknown)[0],
        expected=expected,
    )


def _wrong_tensor(spec: TensorSpec, array: Array, rows: int | None) -> DoesNotFit:
    expected = TensorSpec(spec.name, spec.dtype, spec.shape)
    if rows is not None and spec.shape is not None:
        expected = TensorSpec(spec.name, spec.dtype, (rows, *spec.shape[1:]))
    dtype = "string" if array.dtype == object else array.dtype.name
    if not array.dtype.isnative:
        dtype = f"byte-swapped {dtype}"
    got = f"{dtype} {show_shape(array.shape)}"
    return DoesNotFit(
        f"input {spec.name!r} is {got}, the model takes {expected}",
        field=spec.name,
        expected=str(expected),
        got=got,
    )
