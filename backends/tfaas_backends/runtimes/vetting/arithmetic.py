"""Arithmetic: what ops compute of a few numbers, as TensorFlow would before the first run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfaas_backends.runtimes.tensorflow.private import dtypes

MAX_ELEMENTS = 256
"""Of each value; one that has more is not known."""

Values: TypeAlias = list[Any]
"""Arrays, those of a node's inputs."""

_Rule: TypeAlias = Callable[[Values, Any], Any]
"""The value of a node, of those of its inputs and of its attributes."""


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
    axes = attributes["squeeze_dims"].list.i
    return np.squeeze(given[0], tuple(axes) or None) if len(axes) <= MAX_ELEMENTS else None


SAME = ("Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "CheckNumerics")

OF_SHAPES: Mapping[str, _Rule] = {
    "Shape": lambda given, attributes: given[0].astype(_dtype(attributes, "out_type")),
    "Size": lambda given, attributes: np.prod(given[0]).astype(_dtype(attributes, "out_type")),
    "Rank": lambda given, _attributes: np.int32(given[0].size),
}
"""These take the shapes of their inputs."""

LENGTHENS: Mapping[str, Callable[[Values], Any]] = {
    "Fill": lambda given: math.prod(map(int, given[0])),
    "BroadcastTo": lambda given: math.prod(map(int, given[1])),
    # One dimension is repeated after the other, and the next may leave nothing, or be wrong.
    "Tile": lambda given: given[0].size * math.prod(max(1, int(each)) for each in given[1]),
    # Of Python's numbers, which do not overflow.
    "Range": lambda given: (given[1].item() - given[0].item()) / given[2].item(),
}
"""How many elements these make, which nobody is to make before."""

ELEMENTWISE: Mapping[str, _Rule] = {
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
    "Less": _each(np.less),
    "LessEqual": _each(np.less_equal),
    "Greater": _each(np.greater),
    "GreaterEqual": _each(np.greater_equal),
    "Equal": _each(np.equal),
    "NotEqual": _each(np.not_equal),
    "LogicalAnd": _each(np.logical_and),
    "LogicalOr": _each(np.logical_or),
    "LogicalNot": _each(np.logical_not),
}
"""Those that take the elements of their inputs, one by one."""

RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(SAME, _of(lambda value: value)),
    **OF_SHAPES,
    "Const": _of(lambda: None),
    **ELEMENTWISE,
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
