"""The values of a SavedModel's variables, found in its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tfaas_backends.runtimes.tensorflow.pruning import called, node_of, reachable
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.tensors import Array

_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_TABLES = ("MutableHashTable", "MutableDenseHashTable", "MutableHashTableOfTensors")
_ASSIGNS = ("AssignVariableOp", "Assign")

_MAX_CONSTANT_BYTES = 1 << 20
"""TensorFlow keeps several copies of a constant, and only one of a variable. Small variables cost
more than their copies."""


class Stored(msgspec.Struct, frozen=True):
    """Where a checkpoint holds a variable's value; ``dtype`` is TensorFlow's number of it."""

    key: str
    slice: str
    dtype: int


def variables_in(graph_def: Any) -> set[str]:
    """The nodes of a graph that are variables, or tables that a checkpoint may hold."""
    tables = {f"{table}{version}" for table in _TABLES for version in ("", "V2")}
    return {node.name for node in graph_def.node if node.op in tables.union(_VARIABLES)}


def assigned_in(graph_def: Any, roots: Iterable[str]) -> set[str]:
    """The variables that a run for ``roots``, names of nodes, sets."""
    nodes = {node.name: node for node in graph_def.node}
    return {node_of(n.input[0]) for n in reachable(nodes, roots) if n.op in _ASSIGNS}


def stored_variables(graph_def: Any, restore_node: str) -> dict[str, Stored]:
    """Where the checkpoint holds each variable that a run for ``restore_node`` sets.

    Only plain restoring is understood: what goes straight from the checkpoint into a variable.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    nodes = reachable({node.name: node for node in graph_def.node}, [restore_node])
    found = _Restoring(nodes, {}).stored()
    for node in nodes:
        for function in (functions[name] for name in called(node) if name in functions):
            arguments = [argument.name for argument in function.signature.input_arg]
            variables = dict(zip(arguments, map(node_of, node.input), strict=False))
            found |= _Restoring(function.node_def, variables).stored()
    return found


class _Restoring:
    """Reads a graph, or a function's body if ``arguments`` tell the nodes it is called with."""

    def __init__(self, nodes: Iterable[Any], arguments: Mapping[str, str]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._arguments = arguments
        self._restored = {
            name: self._outputs(node)
            for name, node in self._nodes.items()
            if node.op == "RestoreV2"
        }

    def stored(self) -> dict[str, Stored]:
        found = {}
        for node in self._nodes.values():
            if node.op in _ASSIGNS:
                stored = self._source(node.input[1])
                if stored is not None:
                    variable = node_of(self._plain(node.input[0]))
                    found[self._arguments.get(variable, variable)] = stored
        return found

    def _source(self, value: str) -> Stored | None:
        reference = self._plain(value)
        outputs = self._restored.get(node_of(reference), [])
        number = reference.rpartition(":")[2]
        index = int(number) if number.isdecimal() else 0
        return outputs[index] if index < len(outputs) else None

    def _outputs(self, restore: Any) -> list[Stored]:
        names, slices = (self._strings(reference) for reference in restore.input[1:3])
        return list(map(Stored, names, slices, restore.attr["dtypes"].list.type))

    def _strings(self, reference: str) -> list[str]:
        node = self._nodes.get(node_of(reference))
        if node is None or node.op != "Const":
            return []
        return [value.decode() for value in tf.make_ndarray(node.attr["value"].tensor).flat]

    def _plain(self, reference: str) -> str:
        """Where a value comes from that is only passed on."""
        seen = set()
        node = self._nodes.get(node_of(reference))
        while node is not None and node.op == "Identity" and node.name not in seen:
            seen.add(node.name)
            reference = node.input[0]
            node = self._nodes.get(node_of(reference))
        return reference


def small_values(prefix: str, stored: Mapping[str, Stored]) -> dict[str, Array]:
    """The values in the checkpoint ``prefix``, but none if they are too large for constants."""
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    shapes = reader.get_variable_to_shape_map()
    whole = {name: s for name, s in stored.items() if not s.slice and s.key in shapes}
    sizes = (math.prod(shapes[s.key]) * tf.as_dtype(s.dtype).size for s in whole.values())
    if sum(sizes) > _MAX_CONSTANT_BYTES:
        return {}
    return {name: reader.get_tensor(s.key) for name, s in whole.items()}
