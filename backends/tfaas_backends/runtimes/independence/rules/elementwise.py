"""Ops that compute each element of elements at the same place."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import ONE, Shape
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import (
    alike,
    constants,
    is_counted,
    rows_of,
    shape_of,
)
from tfaas_backends.runtimes.independence.rules.broadcasting import (
    broadcast,
    broadcast_constants,
    combined,
    is_certain,
)
from tfaas_backends.runtimes.independence.rules.folding import folded
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Mixes,
    Rows,
    Tensor,
    Value,
    integers,
)

_NAMES = """
    Abs Acos Acosh Add AddN AddV2 Angle Asin Asinh Atan Atan2 Atanh BesselI0e BesselI1e
    BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil CheckNumerics ClipByValue Complex
    ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Elu Equal Erf Erfc Erfinv Exp Expm1
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars Floor FloorDiv FloorMod Greater GreaterEqual
    Igamma Igammac Imag Inv Invert IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual
    Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg
    NextAfter NotEqual OnesLike Polygamma Pow PreventGradient Real RealDiv Reciprocal Relu Relu6
    RightShift Rint Round Rsqrt SelectV2 Selu Sigmoid Sign Sin Sinh Snapshot Softplus Softsign
    Sqrt Square SquaredDifference StopGradient Sub Tan Tanh TruncateDiv TruncateMod Xdivy
    Xlog1py Xlogy ZerosLike Zeta
"""
BROADCASTING = frozenset(_NAMES.split())


def elementwise(node: Node, inputs: Sequence[Value]) -> Tensor:
    if any(isinstance(value, Rows) for value in inputs):
        return combined(inputs)
    return constant_of(node, inputs)


def compared(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Equal, NotEqual: of shapes that do not fit they may make a single element."""
    if not node.attribute("incompatible_shape_error"):
        shapes = [shape_of(value) for value in inputs]
        if not is_certain(*shapes):
            raise Mixes("compares tensors whose shapes may not fit each other")
    return elementwise(node, inputs)


def constant_of(node: Node, inputs: Sequence[Value]) -> Tensor:
    """What comes of constants and of the number of rows."""
    counted = is_counted(inputs)
    shape = _counted_shape(inputs) if counted else broadcast_constants(inputs)
    found = folded(node, inputs) if shape is not None else None
    if shape is None or found is None:
        return Counted(shape) if counted else Constant(shape)
    return integers(shape, found, counted)


def _counted_shape(inputs: Sequence[Value]) -> Shape | None:
    """Of the largest one, if the others are single elements of no more axes."""
    shapes = [shape_of(value) for value in inputs]
    largest = max(shapes, key=lambda shape: (len(shape), shape != (ONE,) * len(shape)))
    small = all(s == largest or s == (ONE,) * len(s) for s in shapes)
    return largest if small else None


def chosen(node: Node, inputs: Sequence[Value]) -> Tensor:
    """Select, whose condition may be a vector that chooses among whole rows."""
    condition, one, other = inputs
    by_entries = len(shape_of(condition)) == 1 and len(shape_of(one)) > 1
    if not any(isinstance(value, Rows) for value in inputs):
        if not by_entries:
            return constant_of(node, inputs)
        shape = broadcast(shape_of(one), shape_of(other))
        return Counted(shape) if is_counted(inputs) else Constant(shape)
    if by_entries:
        rows = alike([rows_of(value) for value in inputs])
        if rows.axis:
            raise Mixes("chooses parts of rows by what is computed of other rows")
        return combined([one, other])
    return combined(inputs)


def biased(node: Node, inputs: Sequence[Value]) -> Tensor:
    if isinstance(inputs[0], Constant) and isinstance(inputs[1], Constant):
        return Constant(inputs[0].shape)
    rows = rows_of(inputs[0])
    constants(inputs[1:], "adds what is computed of rows to the channels")
    channels = 1 if node.attribute("data_format") == "NCHW" else len(rows.shape) - 1
    if rows.axis == channels:
        raise Mixes("sets the rows against a list of another length")
    return rows


def biased_before(node: Node, inputs: Sequence[Value]) -> Tensor:
    """BiasAddV1: along the last axis."""
    rows = rows_of(inputs[0])
    constants(inputs[1:], "adds what is computed of rows to the channels")
    if rows.axis == len(rows.shape) - 1:
        raise Mixes("sets the rows against a list of another length")
    return rows


RULES: dict[str, Rule] = {
    **dict.fromkeys(BROADCASTING, elementwise),
    **dict.fromkeys(("Equal", "NotEqual"), compared),
    "Select": chosen,
    "BiasAdd": biased,
    "BiasAddV1": biased_before,
}
