"""Folding: what nodes compute of constants alone, as TensorFlow would before the first run.

Only a few numbers at a time, such as shapes: so that a size is known, whatever ops tell it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfaas_backends.runtimes.tensorflow.private import dtypes, tensor_util
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf

MAX_ELEMENTS = 256
"""Of each value; one that has more is not known."""

_NUMBERS = "biuf"
"""Kinds of dtypes, as numpy has them; texts could grow."""

Values: TypeAlias = list[Any]
"""Arrays, those of a node's inputs."""

_Rule: TypeAlias = Callable[[Values, Any], Any]
"""The value of a node, of those of its inputs and of its attributes."""


class Folding:
    """The values of ``nodes``, those of one body by name, as far as constants alone make them."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes
        self._values: dict[str, Any] = {}

    def inputs(self, node: Any) -> Values:
        """An array for each input of a node; None for one that is not known."""
        return [self._value(name) for name in inputs_of(node)]

    def _value(self, name: str) -> Any:
        """Calls itself for no other node: there may be a million in a row."""
        waiting, begun = [name], set[str]()
        while waiting:
            name = waiting[-1]
            if name in self._values:
                waiting.pop()
                continue
            left = [] if name in begun else [*self._left(name)]
            begun.add(name)
            waiting += left
            if not left:
                self._values[name] = self._folded(name)
        return self._values[name]

    def _left(self, name: str) -> Iterator[str]:
        """What has to be known first."""
        node = self._nodes.get(name)
        if node is None or (node.op not in RULES and node.op not in _SHAPED):
            return
        if len(node.input) <= MAX_ELEMENTS:
            yield from (each for each in inputs_of(node) if each not in self._values)

    def _folded(self, name: str) -> Any:
        node = self._nodes.get(name)
        if node is None:
            return None
        try:
            return _small(self._computed(node))
        except Exception:  # of what fits no op, numpy raises nearly anything
            return None

    def _computed(self, node: Any) -> Any:
        if node.op == "Const":
            return _constant(node.attr["value"].tensor)
        rule = RULES[node.op]
        given = [self._values[name] for name in inputs_of(node)]
        if node.op in _OF_SHAPES:
            given = [self._shape(*inputs_of(node))]
        if any(value is None for value in given):
            return None
        with np.errstate(all="ignore"):
            if node.op in _LENGTHENS and _LENGTHENS[node.op](given) > MAX_ELEMENTS:
                return None
            # A map of protocol buffers takes up each name that it is asked for: without a value
            # there, TensorFlow would refuse the node.
            return rule(given, defaultdict(tf.compat.v1.AttrValue, node.attr))

    def _shape(self, name: str) -> Any:
        """That of what a node gives, also of one that is not small."""
        value, node = self._values[name], self._nodes[name]
        if value is not None:
            return np.array(value.shape, np.int64)
        if node.op == "Const":
            dims = node.attr["value"].tensor.tensor_shape.dim
            return np.array([dim.size for dim in dims], np.int64)
        shape = self._values[inputs_of(node)[_SHAPED[node.op]]]
        return None if shape.min(initial=0) < 0 else shape


def inputs_of(node: Any) -> list[str]:
    """The nodes that a node takes values of, in order."""
    return [node_of(each) for each in node.input if not each.startswith("^")]


def _constant(tensor: Any) -> Any:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    return tensor_util.MakeNdarray(tensor) if min(sizes, default=0) >= 0 and _few(sizes) else None


def _small(value: Any) -> Any:
    array = np.asarray(value)
    return array if array.dtype.kind in _NUMBERS and _few(array.shape) else None


def _few(sizes: Iterable[int]) -> bool:
    """Whether an array of this shape is small, and so is one that only repeats or reduces it.

    The sum over an axis of no elements has as many as the other axes have.
    """
    return math.prod(max(1, size) for size in sizes) <= MAX_ELEMENTS


def _dtype(attributes: Any, name: str, otherwise: Any = np.int32) -> Any:
    number = attributes[name].type if name in attributes else 0
    return dtypes.as_dtype(number).as_numpy_dtype if number else otherwise


def _of(function: Callable[..., Any]) -> _Rule:
    """Of an op without attributes that matter."""
    return lambda given, _attributes: function(*given)


def _each(function: Callable[..., Any]) -> _Rule:
    """Of an op that takes the elements of its inputs, one by one."""

    def rule(given: Values, _attributes: Any) -> Any:
        shape = np.broadcast_shapes(*(value.shape for value in given))
        return function(*given) if math.prod(shape) <= MAX_ELEMENTS else None

    return rule


def _divided(one: Any, other: Any) -> Any:
    """Of integers, towards zero, and exactly."""
    if one.dtype.kind not in "iu":
        return one / other
    quotient = one // other
    return quotient + ((quotient < 0) & (quotient * other != one))


def _shifted(function: Callable[..., Any]) -> Callable[..., Any]:
    """As TensorFlow does it: by no bit if the distance is negative, by all but one at most."""

    def shifted(value: Any, distance: Any) -> Any:
        return function(value, np.clip(distance, 0, 8 * value.dtype.itemsize - 1))

    return shifted


def _reduced(function: Callable[..., Any]) -> _Rule:
    def rule(given: Values, attributes: Any) -> Any:
        axes = tuple(int(axis) for axis in given[1].flat)
        kept = function(given[0], axis=axes, keepdims=attributes["keep_dims"].b)
        return np.asarray(kept, given[0].dtype)

    return rule


def _slice(value: Any, begin: Any, size: Any) -> Any:
    ends = [None if each < 0 else at + each for at, each in zip(begin, size, strict=True)]
    return value[tuple(map(slice, begin, ends))]


def _range(start: Any, limit: Any, delta: Any) -> Any:
    return np.arange(start.item(), limit.item(), delta.item()).astype(start.dtype)


def _gathered(given: Values, attributes: Any) -> Any:
    if attributes["batch_dims"].i:
        return None
    value, indices, axis = given
    return np.take(value, indices, int(axis))


def _strided_slice(given: Values, attributes: Any) -> Any:
    value, *limits = given

    def has(mask: str, number: int) -> bool:
        return bool(attributes[mask].i >> number & 1)

    index: list[Any] = []
    for number, (begin, end, stride) in enumerate(zip(*limits, strict=True)):
        if has("ellipsis_mask", number):
            index.append(...)
        elif has("new_axis_mask", number):
            index.append(None)
        elif has("shrink_axis_mask", number):
            index.append(int(begin))
        else:
            first = None if has("begin_mask", number) else begin
            index.append(slice(first, None if has("end_mask", number) else end, stride))
    return value[tuple(index)]


def _squeezed(given: Values, attributes: Any) -> Any:
    return np.squeeze(given[0], tuple(attributes["squeeze_dims"].list.i) or None)


_SAME = ("Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "CheckNumerics")

_OF_SHAPES: Mapping[str, _Rule] = {
    "Shape": lambda given, attributes: given[0].astype(_dtype(attributes, "out_type")),
    "Size": lambda given, attributes: np.prod(given[0]).astype(_dtype(attributes, "out_type")),
    "Rank": lambda given, _attributes: np.int32(given[0].size),
}
"""These take the shapes of their inputs."""

_SHAPED = {"Fill": 0, "Empty": 0, "BroadcastTo": 1, "Reshape": 1}
"""Which of their inputs is their shape."""

_LENGTHENS: Mapping[str, Callable[[Values], Any]] = {
    "Fill": lambda given: math.prod(map(int, given[0])),
    "BroadcastTo": lambda given: math.prod(map(int, given[1])),
    # One dimension is repeated after the other, and the next may leave nothing, or be wrong.
    "Tile": lambda given: given[0].size * math.prod(max(1, int(each)) for each in given[1]),
    # Of Python's numbers, which do not overflow.
    "Range": lambda given: (given[1].item() - given[0].item()) / given[2].item(),
}
"""How many elements these make, which nobody is to make before."""

RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(_SAME, _of(lambda value: value)),
    **_OF_SHAPES,
    "Const": _of(lambda: None),
    "Neg": _each(np.negative),
    "Abs": _each(np.abs),
    "Square": _each(np.square),
    "Sqrt": _each(np.sqrt),
    "Exp": _each(np.exp),
    "Floor": _each(np.floor),
    "Ceil": _each(np.ceil),
    "Round": _each(np.rint),
    "Add": _each(np.add),
    "AddV2": _each(np.add),
    "AddN": _each(lambda *given: sum(given)),
    "Sub": _each(np.subtract),
    "Mul": _each(np.multiply),
    "Div": _each(_divided),
    "RealDiv": _each(np.divide),
    "TruncateDiv": _each(_divided),
    "FloorDiv": _each(np.floor_divide),
    "FloorMod": _each(np.mod),
    "Mod": _each(np.fmod),
    "Pow": _each(np.power),
    "Maximum": _each(np.maximum),
    "Minimum": _each(np.minimum),
    "LeftShift": _each(_shifted(np.left_shift)),
    "RightShift": _each(_shifted(np.right_shift)),
    "BitwiseAnd": _each(np.bitwise_and),
    "BitwiseOr": _each(np.bitwise_or),
    "BitwiseXor": _each(np.bitwise_xor),
    "SelectV2": _each(np.where),
    "Prod": _reduced(np.prod),
    "Sum": _reduced(np.sum),
    "Max": _reduced(np.max),
    "Min": _reduced(np.min),
    "Cast": lambda given, attributes: given[0].astype(_dtype(attributes, "DstT")),
    "Reshape": _of(lambda value, shape: value.reshape(shape)),
    "ExpandDims": _of(lambda value, axis: np.expand_dims(value, int(axis.item()))),
    "Squeeze": _squeezed,
    "Transpose": _of(np.transpose),
    "ReverseV2": _of(lambda value, axes: np.flip(value, tuple(axes))),
    "Pack": lambda given, attributes: np.stack(given, attributes["axis"].i),
    "ConcatV2": _of(lambda *given: np.concatenate(given[:-1], int(given[-1]))),
    "Concat": _of(lambda axis, *given: np.concatenate(given, int(axis))),
    "Slice": _of(_slice),
    "StridedSlice": _strided_slice,
    "Gather": _of(lambda value, indices: np.take(value, indices, 0)),
    "GatherV2": _gathered,
    "ZerosLike": _of(np.zeros_like),
    "OnesLike": _of(np.ones_like),
    "Fill": _of(lambda shape, value: np.full(shape, value)),
    "BroadcastTo": _of(np.broadcast_to),
    "Tile": _of(np.tile),
    "Range": _of(_range),
}
"""Of these ops, what their nodes give is known once what they take is."""
