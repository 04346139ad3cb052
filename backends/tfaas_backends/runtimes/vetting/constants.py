"""What constants take once they are unfolded: a shape and one value may stand for gigabytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import index as as_index
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import dtypes, tensor_util
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.vetting.place import Place

MAX_UNFOLDED_BYTES = 256 << 20
"""What all constants of a graph may take beyond what its file holds."""

MAX_MADE_BYTES = 1 << 30
"""Of a tensor that a node makes of constants alone, in each run."""

_MAX_DIMENSIONS = 254
"""As TensorFlow has it."""

_MAX_SHAPE_NUMBERS = 64
_ITEM_BYTES = {dtypes.string: 24}
_MADE_OF_ANYTHING = (dtypes.variant, dtypes.resource)


class Constants:
    """Adds up the constants of a graph that has ``file_bytes``."""

    def __init__(self, file_bytes: int) -> None:
        self._left = file_bytes + MAX_UNFOLDED_BYTES

    def add(self, tensor: Any, place: Place) -> None:
        """Raises CannotServe for a TensorProto that is too much, or of what cannot be checked."""
        dtype = _known(tensor.dtype, place).base_dtype
        if dtype in _MADE_OF_ANYTHING:
            raise place.refusal(f"holds a constant of dtype {dtype.name}, which cannot be checked")
        sizes = tensor.tensor_shape.dim
        if len(sizes) > _MAX_DIMENSIONS:
            raise place.refusal(f"holds a constant of {len(sizes)} dimensions")
        size = _item_bytes(dtype) * math.prod(max(dim.size, 0) for dim in sizes)
        self._left -= size
        if self._left < 0:
            raise place.refusal(
                f"holds a constant that takes {size} bytes once it is unfolded: all together may"
                f" take {MAX_UNFOLDED_BYTES} bytes more than their file holds"
            )


def check_made(node: Any, nodes: Mapping[str, Any], place: Place) -> None:
    """Raises CannotServe if a node of ``MAKERS`` makes a huge tensor of constants.

    ``nodes``: those of its body, by name.
    """
    given = [_constant(nodes.get(node_of(reference))) for reference in node.input]
    try:
        count = MAKERS[node.op](given)
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError):
        return  # TensorFlow says what is wrong with it
    dtype = _known(_dtype(node), place)
    if count * _item_bytes(dtype) > MAX_MADE_BYTES:
        raise place.refusal(
            f"uses {node.op!r} to make {count} elements in each run: that is more than"
            f" {MAX_MADE_BYTES} bytes",
            op=node.op,
        )


def _of_shape(index: int) -> Callable[[list[Any]], int]:
    """The elements of a tensor whose shape is the input at ``index``; a TypeError if not known, or
    if its numbers are no integers."""
    return lambda given: math.prod(map(as_index, given[index].flat))


def _of_range(given: list[Any]) -> int:
    start, limit, delta = (float(value.item()) for value in given[:3])
    return max(0, math.ceil((limit - start) / delta))


def _of_tile(given: list[Any]) -> int:
    return int(given[0].size) * math.prod(map(as_index, given[1].flat))


_RANDOM = (
    *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal"),
    *("StatelessRandomUniform", "StatelessRandomUniformV2", "StatelessRandomNormal"),
    *("StatelessRandomNormalV2", "StatelessTruncatedNormal", "StatelessTruncatedNormalV2"),
)

MAKERS: Mapping[str, Callable[[list[Any]], int]] = {
    "Fill": _of_shape(0),
    "Empty": _of_shape(0),
    "BroadcastTo": _of_shape(1),
    "LinSpace": _of_shape(2),
    "Range": _of_range,
    "Tile": _of_tile,
    **dict.fromkeys(_RANDOM, _of_shape(0)),
}
"""How many elements these ops make of the values of their inputs; None: not known."""


def _constant(node: Any) -> Any:
    """The value of a small constant, a number or a vector; None of any other node."""
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    sizes = tensor.tensor_shape.dim
    if len(sizes) > 1 or math.prod(dim.size for dim in sizes) > _MAX_SHAPE_NUMBERS:
        return None
    try:
        return tensor_util.MakeNdarray(tensor)
    except Exception:  # of a broken constant, it raises nearly anything
        return None


def _dtype(node: Any) -> int:
    for name in ("dtype", "T", "Tidx"):
        if node.attr[name].type if name in node.attr else 0:
            return int(node.attr[name].type)
    return 0


def _known(number: int, place: Place) -> Any:
    """The dtype of this number; that of most, if it is not said. Raises CannotServe."""
    try:
        return dtypes.as_dtype(number or dtypes.float32)
    except TypeError:
        raise place.refusal(f"names the dtype {number}, which TensorFlow does not know") from None


def _item_bytes(dtype: Any) -> int:
    return _ITEM_BYTES.get(dtype) or int(dtype.size) or 1
