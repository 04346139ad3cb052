"""What constants take once they are unfolded: a shape and one value may stand for gigabytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import index as as_index
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import dtypes
from tfaas_backends.runtimes.vetting.folding import Folding
from tfaas_backends.runtimes.vetting.place import Place
from tfaas_backends.runtimes.vetting.together import Together

MAX_UNFOLDED_BYTES = 256 << 20
"""What all constants of a graph may take beyond what its file holds."""

MAX_MADE_BYTES = 1 << 30
"""Of a tensor that a node makes of constants alone, in each run."""

MAX_THREADS = 256
"""Of a data set that reads others, each in a thread."""

_MAX_DIMENSIONS = 254
"""As TensorFlow has it."""

_FAULTS = (ArithmeticError, AttributeError, IndexError, TypeError, ValueError)
"""Of inputs that are not known, or wrong, which TensorFlow says."""

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


class Made:
    """Adds up the tensors that nodes of a graph make of constants alone, in each run.

    What a node makes in calls of its function counts once, as the most that it is. Layers whose
    size alone is a constant do not add up: TensorFlow frees one after the other. ``bodies``: the
    nodes of the graph, and of each function that may run, by name.
    """

    def __init__(self, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        self._together = Together(bodies, MAKERS)

    def add(self, node: Any, folding: Folding, place: Place) -> None:
        """Raises CannotServe if what a node of ``MAKERS`` makes is too much.

        ``folding``: of the nodes of its body.
        """
        try:
            count = MAKERS[node.op](folding.inputs(node))
        except _FAULTS:
            return
        size = max(0, count) * _item_bytes(_known(_dtype(node), place))
        if node.op not in _CONVOLVED_BACK:
            self._together.add(place, size)
        self._check(node, count, size, place)

    def check_product(self, node: Any, folding: Folding, place: Place) -> None:
        """Raises CannotServe if a node of ``PRODUCTS`` makes too much, and more than it takes."""
        count, most = folding.product(node) or (0, 0)
        if count > most:
            self._check(node, count, count * _item_bytes(_known(_dtype(node), place)), place)

    def _check(self, node: Any, count: int, size: int, place: Place) -> None:
        if size > MAX_MADE_BYTES:
            most = f"that is more than {MAX_MADE_BYTES} bytes"
        elif self._together.is_too_much():
            most = f"with others, that is more than {self._together.most_bytes} bytes"
        else:
            return
        raise place.refusal(
            f"uses {node.op!r} to make {count} elements in each run: {most}", op=node.op
        )


def check_threads(node: Any, folding: Folding, place: Place) -> None:
    """Raises CannotServe if a data set of ``INTERLEAVERS`` starts more threads than any needs."""
    given = folding.inputs(node)
    count = 0
    # As many as it reads at once, and as it reads beforehand.
    for index in (INTERLEAVERS[node.op], -1):
        with suppress(*_FAULTS):
            count += max(0, as_index(given[index].item()))
    if count > MAX_THREADS:
        raise place.refusal(
            f"uses {node.op!r} to start {count} threads: that is more than {MAX_THREADS}",
            op=node.op,
        )


def _of_shape(index: int) -> Callable[[list[Any]], int]:
    """The elements of a tensor whose shape is the input at ``index``.

    Raises one of ``_FAULTS`` if that is not known, or its numbers are no integers.
    """
    return lambda given: math.prod(map(as_index, given[index].flat))


def _of_range(given: list[Any]) -> int:
    start, limit, delta = (float(value.item()) for value in given[:3])
    return max(0, math.ceil((limit - start) / delta))


def _of_tile(given: list[Any]) -> int:
    return int(given[0].size) * math.prod(map(as_index, given[1].flat))


def _of_padding(given: list[Any]) -> int:
    return math.prod(before + after for before, after in given[1].tolist())


_RANDOM = (
    *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal"),
    *("RandomGamma", "RandomPoisson", "RandomPoissonV2", "ParameterizedTruncatedNormal"),
    *("StatelessRandomUniform", "StatelessRandomUniformV2", "StatelessRandomNormal"),
    *("StatelessRandomNormalV2", "StatelessTruncatedNormal", "StatelessTruncatedNormalV2"),
    *("StatelessRandomUniformInt", "StatelessRandomUniformIntV2", "StatelessRandomPoisson"),
    *("StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2"),
    *("StatelessRandomBinomial", "StatelessParameterizedTruncatedNormal"),
    *("StatelessRandomGammaV2", "StatelessRandomGammaV3"),
)
_SEGMENTS = (
    *("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin"),
)
_RESIZED = (
    *("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor"),
    *("ScaleAndTranslate", "Conv2DBackpropFilter"),
)
_CONVOLVED_BACK = (
    *("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"),
)
_RANDOM_OF_STATE = (
    *("StatefulUniform", "StatefulUniformInt", "StatefulUniformFullInt"),
    *("StatefulStandardNormalV2", "StatefulTruncatedNormal"),
)

MAKERS: Mapping[str, Callable[[list[Any]], int]] = {
    "Fill": _of_shape(0),
    "Empty": _of_shape(0),
    "BroadcastTo": _of_shape(1),
    "LinSpace": _of_shape(2),
    "Range": _of_range,
    "Tile": _of_tile,
    "ScatterNd": _of_shape(2),
    "SparseToDense": _of_shape(1),
    "Bincount": _of_shape(1),
    "DenseBincount": _of_shape(1),
    "OneHot": lambda given: int(given[0].size) * as_index(given[1].item()),
    **dict.fromkeys(("Pad", "PadV2"), _of_padding),
    **dict.fromkeys(_RESIZED, _of_shape(1)),
    **dict.fromkeys(_CONVOLVED_BACK, _of_shape(0)),
    **dict.fromkeys(("ImageProjectiveTransformV2", "ImageProjectiveTransformV3"), _of_shape(2)),
    **dict.fromkeys(_SEGMENTS, _of_shape(2)),
    **dict.fromkeys(_RANDOM, _of_shape(0)),
    **dict.fromkeys(_RANDOM_OF_STATE, _of_shape(2)),
}
"""How many elements these ops make at least, by the values of their inputs: None if not known."""


INTERLEAVERS: Mapping[str, int] = {
    "ParallelInterleaveDataset": -5,
    "ExperimentalParallelInterleaveDataset": -5,
    "LegacyParallelInterleaveDatasetV2": -4,
}
"""Where these have the number of those that they read at once; last is that of beforehand."""


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
