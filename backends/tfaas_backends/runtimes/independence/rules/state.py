"""Constants, variables and tables, all of which no request changes."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.dimensions import Dimension
from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import shape_of
from tfaas_backends.runtimes.independence.rules.moving.selection import chosen_from
from tfaas_backends.runtimes.independence.values import (
    Constant,
    Counted,
    Handle,
    Mixes,
    Rows,
    Value,
    scalar,
)


def constant(node: Node, inputs: Sequence[Value]) -> Value:
    value = node.attribute("value")
    return value if isinstance(value, Constant) else Constant()


def variable_handle(node: Node, inputs: Sequence[Value]) -> Value:
    return Handle("variable", node.attribute("shape"))


def reference_variable(node: Node, inputs: Sequence[Value]) -> Value:
    return Constant(node.attribute("shape"))


def _handle(value: Value, kind: str) -> Handle:
    if not isinstance(value, Handle) or value.kind != kind:
        raise Mixes("has no rule")
    return value


def read(node: Node, inputs: Sequence[Value]) -> Value:
    return Constant(_handle(inputs[0], "variable").shape)


def shape_of_variable(node: Node, inputs: Sequence[Value]) -> Value:
    shape = _handle(inputs[0], "variable").shape
    return Constant() if shape is None else Constant((Dimension(len(shape)),), shape)


def gathered(node: Node, inputs: Sequence[Value]) -> Value:
    """ResourceGather: Gather of a variable."""
    if node.attribute("batch_dims"):
        raise Mixes("has no rule")
    return chosen_from(Constant(_handle(inputs[0], "variable").shape), inputs[1], 0, 0)


def table(node: Node, inputs: Sequence[Value]) -> Value:
    return Handle("table")


def looked_up(node: Node, inputs: Sequence[Value]) -> Value:
    """Each key by itself; the default is the same for all."""
    _handle(inputs[0], "table")
    keys, default = inputs[1], inputs[2]
    if not isinstance(default, Constant):
        raise Mixes("takes its default from the rows")
    if isinstance(keys, Rows):
        return keys
    return Counted() if isinstance(keys, Counted) else Constant(shape_of(keys))


def table_size(node: Node, inputs: Sequence[Value]) -> Value:
    _handle(inputs[0], "table")
    return scalar(None)


RULES: dict[str, Rule] = {
    "Const": constant,
    "VarHandleOp": variable_handle,
    "VariableV2": reference_variable,
    "ReadVariableOp": read,
    "VariableShape": shape_of_variable,
    "ResourceGather": gathered,
    "HashTableV2": table,
    "LookupTableFindV2": looked_up,
    "LookupTableSizeV2": table_size,
}
